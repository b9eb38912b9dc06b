//! One setting, several sources: command line, environment and config file accept the same words with the same effect.

use crate::common::lrsched;
use std::fs;

/// The output of `train --print-config` with these `flags`, `variables` and config-file keys.
fn resolved(flags: &str, variables: &[(&str, &str)], file: &str) -> Result<String, String> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("c.toml"), file).unwrap();
    let mut command = lrsched(&folder);
    command.args(["train", "--dataset", "synthetic", "--print-config", "--config", "c.toml"]);
    let output = command.args(flags.split_whitespace()).envs(variables.iter().copied()).output().unwrap();
    let (said, wrong) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    match output.status.code() {
        Some(0) => Ok(said),
        Some(2) if wrong.lines().count() == 1 => Err(wrong),
        _ => panic!("{flags} {variables:?} {file}: {:?} {wrong}", output.status),
    }
}

fn line(config: &str, key: &str) -> String {
    let start = format!("{key} = ");
    config.lines().find_map(|line| line.strip_prefix(&start)).unwrap_or_else(|| panic!("{config}")).to_string()
}

fn schedule(flags: &str, file: &str) -> String {
    line(&resolved(flags, &[], file).unwrap(), "schedule")
}

#[test]
fn a_list_in_a_file_is_refused_where_one_value_belongs() {
    for file in ["epochs = [3, 5]", "seed = []", "factor = [0.5]", "schedule = [\"cosine\"]", "nesterov = [true]"] {
        let error = resolved("", &[], file).unwrap_err();
        let key = file.split(' ').next().unwrap();
        assert!(error.contains("c.toml") && error.contains(&format!("`{key}` takes one value")), "{file}: {error}");
    }
    let error = resolved("--schedule piecewise", &[], "milestones = []").unwrap_err();
    assert!(error.contains("c.toml") && error.contains("`milestones`"), "{error}");
}

#[test]
fn a_list_in_a_file_is_what_the_repeated_flag_is() {
    let file = "schedule = \"piecewise\"\nmilestones = [10, 20]\nfactor = 0.3";
    let flags = "--schedule piecewise --milestones 10 --milestones 20 --factor 0.3";
    assert_eq!(schedule("", file), schedule(flags, ""));
    assert!(schedule("", file).contains("milestones=10"), "{}", schedule("", file));
    let file = "schedule = \"halve\"\nwhen = [\"epoch>=3\", \"loss<=0.5\"]";
    assert_eq!(schedule("", file), schedule("--schedule halve --when epoch>=3 --when loss<=0.5", ""));
}

#[test]
fn the_entrants_of_a_file_are_a_list_and_no_other_setting_is() {
    let folder = tempfile::tempdir().unwrap();
    let said = |file: &str| {
        fs::write(folder.path().join("c.toml"), file).unwrap();
        let arguments = ["compare", "--dataset", "synthetic", "--print-config", "--config", "c.toml"];
        lrsched(&folder).args(arguments).output().unwrap()
    };
    let output = said("entrants = [\"sgd/cosine\", \"adam\"]");
    let config = String::from_utf8(output.stdout).unwrap();
    assert!(config.contains("sgd/cosine") && config.contains("adam/constant"), "{config}");
    for file in ["entrants = []", "seeds = [1, 2]"] {
        let output = said(file);
        let (error, key) = (String::from_utf8(output.stderr).unwrap(), file.split(' ').next().unwrap());
        assert_eq!(output.status.code(), Some(2), "{file}: {error}");
        assert!(error.contains("c.toml") && error.contains(&format!("`{key}`")), "{file}: {error}");
    }
}

#[test]
fn of_a_parameter_that_is_no_list_the_last_flag_counts() {
    let last = schedule("--schedule step --factor 0.5 --factor 0.2", "");
    assert_eq!(last, schedule("--schedule step --factor 0.2", ""));
    assert!(last.contains("0.2") && !last.contains("0.5"), "{last}");
}

#[test]
fn a_switch_reads_the_same_words_from_flag_variable_and_file() {
    let optimizer = |flags: &str, variables: &[(&str, &str)], file: &str| {
        line(&resolved(&format!("--momentum 0.9 {flags}"), variables, file).unwrap(), "optimizer")
    };
    let (on, off) = (optimizer("--nesterov", &[], ""), optimizer("", &[], ""));
    assert!(on.contains("nesterov") && !off.contains("nesterov"), "{on} {off}");
    for word in ["1", "yes", "on", "true", "True"] {
        assert_eq!(optimizer(&format!("--nesterov={word}"), &[], ""), on, "{word}");
        assert_eq!(optimizer("", &[("LRSCHED_NESTEROV", word)], ""), on, "{word}");
        assert_eq!(optimizer("", &[], &format!("nesterov = \"{word}\"")), on, "{word}");
        assert_eq!(line(&resolved("", &[("LRSCHED_LOG_STEPS", word)], "").unwrap(), "log-steps"), "true");
        assert_eq!(line(&resolved("", &[], &format!("log-steps = \"{word}\"")).unwrap(), "log-steps"), "true");
    }
    for word in ["0", "no", "off", "false"] {
        assert_eq!(optimizer(&format!("--nesterov={word}"), &[], ""), off, "{word}");
        assert_eq!(optimizer("", &[("LRSCHED_NESTEROV", word)], "nesterov = true"), off, "{word}");
        assert_eq!(optimizer("", &[], &format!("nesterov = \"{word}\"")), off, "{word}");
    }
    for (variables, file) in [(&[("LRSCHED_NESTEROV", "maybe")][..], ""), (&[], "nesterov = \"maybe\"")] {
        let error = resolved("--momentum 0.9", variables, file).unwrap_err();
        assert!(error.contains("nesterov") && error.contains("maybe"), "{error}");
    }
    for (variables, file) in [(&[("LRSCHED_LOG_STEPS", "maybe")][..], ""), (&[], "log-steps = \"maybe\"")] {
        let error = resolved("", variables, file).unwrap_err();
        let rule = "log-steps: a switch is true or false (yes or no, on or off, 1 or 0), got `maybe` (from ";
        assert!(error.contains(rule), "{error}");
        assert!(error.contains("(from LRSCHED_LOG_STEPS)") || error.contains("c.toml)"), "{error}");
    }
}

#[test]
fn a_switch_and_what_turns_it_off_follow_the_order_of_their_places() {
    let optimizer = |flags: &str, file: &str| {
        line(&resolved(&format!("--momentum 0.9 {flags}"), &[], file).unwrap(), "optimizer").contains("nesterov")
    };
    assert!(!optimizer("--no-nesterov", "nesterov = true"));
    assert!(optimizer("--nesterov", "no-nesterov = true"));
    assert!(optimizer("", "nesterov = true\nno-nesterov = false"));
    assert!(!optimizer("", "no-nesterov = false"));
}

#[test]
fn lr_replaces_the_rate_of_a_spec_from_the_same_or_a_lower_place() {
    let lr = |flags: &str, file: &str| line(&resolved(flags, &[], file).unwrap(), "lr");
    assert_eq!(lr("--optimizer sgd:lr=0.05", ""), "0.05");
    assert_eq!(lr("--optimizer sgd:lr=0.05 --lr 0.2", ""), "0.2");
    assert_eq!(lr("--lr 0.2", "optimizer = \"sgd:lr=0.05\""), "0.2");
    assert_eq!(lr("--optimizer adam:lr=0.002", "lr = 0.2"), "0.002", "the command line goes before the file");
}

#[test]
fn compare_says_which_entrants_a_common_rate_is_not_for() {
    let folder = tempfile::tempdir().unwrap();
    let said = |entrants: &[&str]| {
        let flags = ["compare", "--dataset", "synthetic", "--print-config", "--lr", "0.2", "--entrants"];
        lrsched(&folder).args(flags).args(entrants).output().unwrap()
    };
    let mixed = said(&["sgd:lr=0.05/cosine", "sgd/step"]);
    assert!(mixed.status.success());
    assert!(
        String::from_utf8(mixed.stderr)
            .unwrap()
            .contains("--lr 0.2 does not apply to sgd:lr=0.05/cosine, which sets its own lr")
    );
    let all = said(&["sgd:lr=0.05/cosine"]);
    assert_eq!(all.status.code(), Some(2), "a flag that does nothing is a mistake");
}

#[test]
fn quiet_and_color_are_settings_like_the_others() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("c.toml"), "quiet = true\ncolor = \"never\"").unwrap();
    let train = |more: &[&str]| {
        let output = lrsched(&folder)
            .arg("train")
            .args(&crate::common::TINY[..10])
            .args(["--epochs", "1"])
            .args(more)
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(train(&["--out", "a", "--config", "c.toml"]), (Some(0), String::new()));
    assert!(train(&["--out", "b"]).1.contains("epoch"), "not quiet by itself");
    let error = resolved("", &[], "color = \"blue\"").unwrap_err();
    assert!(error.contains("auto, always, never") && error.contains("blue"), "{error}");
    assert!(resolved("", &[("LRSCHED_QUIET", "maybe")], "").unwrap_err().contains("maybe"));
}

#[test]
fn a_variable_that_nothing_reads_is_named_with_the_nearest_that_is() {
    let folder = tempfile::tempdir().unwrap();
    let output = lrsched(&folder).args(["show", "cosine"]).env("LRSCHED_EPOCH", "3").output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && error.contains("LRSCHED_EPOCH; did you mean `LRSCHED_EPOCHS`?"), "{error}");
}

#[test]
fn an_empty_variable_is_one_that_is_not_set() {
    let plain = resolved("", &[], "").unwrap();
    for name in [
        "DATA",
        "DATA_DIR",
        "LR",
        "EPOCHS",
        "NESTEROV",
        "LOG_STEPS",
        "SCHEDULE",
        "CONFIG",
        "QUIET",
        "COLOR",
        "CPU",
        "NONSENSE",
    ] {
        let variable = format!("LRSCHED_{name}");
        assert_eq!(resolved("", &[(&variable, "")], "").as_ref(), Ok(&plain), "{variable}");
    }
    let folder = tempfile::tempdir().unwrap();
    for (command, name) in [("show", "SCHEDULE"), ("descend", "OPTIMIZER"), ("descend", "SEMANTICS")] {
        let run = |value: Option<&str>| {
            let mut program = lrsched(&folder);
            if let Some(value) = value {
                program.env(format!("LRSCHED_{name}"), value);
            }
            let output = program.args([command, "--format", "csv"]).output().unwrap();
            (output.status.code(), output.stdout, String::from_utf8(output.stderr).unwrap())
        };
        assert_eq!(run(Some("")), run(None), "{command} {name}");
    }
    let output = lrsched(&folder).args(["eval", "nosuch"]).env("LRSCHED_DATA", "").output().unwrap();
    assert!(String::from_utf8(output.stderr).unwrap().contains("nosuch: no such file or folder"));
}

#[test]
fn each_list_may_come_from_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str], variables: &[(&str, &str)]| {
        let output = lrsched(&folder).args(arguments).envs(variables.iter().copied()).output().unwrap();
        assert!(output.status.success(), "{arguments:?} {variables:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    for (typed, variable) in [
        (&["show", "--schedule", "cosine", "linear", "--format", "table"][..], ("LRSCHED_SCHEDULE", "cosine linear")),
        (&["descend", "--optimizer", "sgd", "adam"], ("LRSCHED_OPTIMIZER", "sgd\tadam")),
        (&["descend", "--semantics", "native", "keras"], ("LRSCHED_SEMANTICS", "native keras")),
        (&["descend", "--schedule", "linear", "cosine"], ("LRSCHED_SCHEDULE", "linear cosine")),
    ] {
        let bare: Vec<&str> = match typed[0] {
            "show" => vec!["show", "--format", "table"],
            _ => vec!["descend"],
        };
        assert_eq!(run(&bare, &[variable]), run(typed, &[]), "{variable:?}");
    }
    let table = ["show", "--format", "table"];
    let piecewise = ("LRSCHED_SCHEDULE", "piecewise");
    assert_eq!(
        run(&table, &[piecewise, ("LRSCHED_MILESTONES", "10,20")]),
        run(&["show", "piecewise:milestones=10,20", "--format", "table"], &[])
    );
    // The command line takes precedence over the environment, also for positional arguments.
    assert_eq!(
        run(&["show", "linear", "--format", "table"], &[piecewise]),
        run(&["show", "linear", "--format", "table"], &[])
    );
}

#[test]
fn a_flag_of_several_walks_reaches_those_that_take_it_and_a_line_names_those_that_keep_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let run = |flags: &[&str]| {
        let output = lrsched(&folder)
            .args(["descend", "--steps", "3", "--optimizer", "sgd:lr=0.05", "adam"])
            .args(flags)
            .output();
        let output = output.unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, rows, said) = run(&["--lr", "0.01", "--warmup", "2", "--warmup-from", "0.5"]);
    assert_eq!(
        (code, said.as_str()),
        (
            Some(0),
            "warning: --lr 0.01 does not apply to sgd:lr=0.05/constant:warmup=2,warmup-from=0.5, which sets its own lr\n"
        )
    );
    assert!(rows.lines().nth(1).unwrap().contains("warmup=2"), "{rows}");
    let (code, _, said) = run(&["--rho", "0.5"]);
    assert!(code == Some(2) && said.contains("no entrant takes `rho`"), "{said}");
}

#[test]
fn an_error_of_a_config_file_says_if_a_variable_names_it() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("wrong.toml"), "nonsense = 3").unwrap();
    fs::write(folder.path().join("broken.toml"), "epochs = = 3").unwrap();
    for file in ["none.toml", ".", "wrong.toml", "broken.toml"] {
        let said = |flags: &[&str], variable: &str| {
            let mut command = lrsched(&folder);
            let output = command.arg("train").args(flags).env("LRSCHED_CONFIG", variable).output().unwrap();
            assert_eq!(output.status.code(), Some(2), "{file}");
            String::from_utf8(output.stderr).unwrap()
        };
        let typed = said(&["--config", file], "");
        assert_eq!(said(&[], file), format!("{} (from LRSCHED_CONFIG)\n", typed.trim_end()), "{file}");
    }
}

#[test]
#[cfg(unix)]
fn an_offered_command_does_what_it_says_while_the_variables_are_still_set() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("c.toml"), "label-smoothing = 0.1\n[[group]]\nparams = \"*.bias\"\nlr = 0.3\n")
        .unwrap();
    let variables = [
        ("LRSCHED_MOMENTUM", "0.5"),
        ("LRSCHED_OPTIMIZER", "adam"),
        ("LRSCHED_SCHEDULE", "cosine"),
        ("LRSCHED_EPOCHS", "2"),
        ("LRSCHED_BATCH_SIZE", "10"),
        ("LRSCHED_TRAIN_LIMIT", "100"),
        ("LRSCHED_DROP_LAST", "true"),
        ("LRSCHED_CLIP_NORM", "1"),
        ("LRSCHED_AVERAGE", "ema"),
        ("LRSCHED_CONFIG", "c.toml"),
        ("LRSCHED_THREADS", "1"),
    ];
    let offered = |first: &[&str], optimizer: &[&str], more: &[&str]| {
        let mut command = lrsched(&folder);
        let typed = ["--dataset", "synthetic", "--model", "tiny", "--validation", "300", "--train-limit", "all"];
        let taken_back = ["--batch-size", "128", "--drop-last=false", "--clip-norm", "none"];
        let rest = ["--label-smoothing", "0", "--group", "none", "--progress", "none"];
        command.args(first).args(optimizer).args(typed).args(taken_back).args(rest).args(more);
        let output = command.envs(variables).output().unwrap();
        assert!(output.status.success(), "{first:?}: {}", String::from_utf8_lossy(&output.stderr));
        let said = String::from_utf8(output.stdout).unwrap();
        let line =
            |line: &str| line.contains("lrsched train ").then(|| line[line.find("LRSCHED_").unwrap()..].to_string());
        said.lines().filter_map(line).collect::<Vec<_>>()
    };
    let found = offered(
        &["find", "--steps", "100", "--refine", "0"],
        &["--optimizer", "sgd"],
        &["--for-epochs", "30", "--out", "found"],
    );
    let compared = offered(
        &["compare", "--momentum", "0.9"],
        &["--entrants", "sgd/constant"],
        &["--epochs", "1", "--average", "none", "--out", "all"],
    );
    assert_eq!((found.len(), compared.len()), (2, 1), "{found:?} {compared:?}");
    let taken_back = [("batch-size", "128"), ("drop-last", "false"), ("label-smoothing", "0.0")];
    for (line, expected) in [
        (&found[0], [("optimizer", "\"sgd\""), ("schedule", "\"constant\""), ("epochs", "30")]),
        (&found[1], [("optimizer", "\"sgd\""), ("schedule", "\"one-cycle"), ("epochs", "30")]),
        (&compared[0], [("optimizer", "\"sgd:momentum=0.9\""), ("schedule", "\"constant\""), ("epochs", "1")]),
    ] {
        assert!(!line.contains("THREADS"), "{line}: what the run computes does not depend on it");
        let mut pasted = std::process::Command::new("sh");
        pasted.args(["-c", &format!("{line} --print-config")]).current_dir(&folder).envs(variables);
        let output = pasted.output().unwrap();
        let config = String::from_utf8(output.stdout).unwrap();
        let has = |name: &str, value: &str| config.lines().any(|line| line.starts_with(&format!("{name} = {value}")));
        for (name, value) in expected.into_iter().chain(taken_back) {
            assert!(has(name, value), "{line}: {name} = {value}, not {config}");
        }
        for name in ["clip-norm", "train-limit", "[[group]]"] {
            assert!(!config.contains(name), "{line}: {name}: {config}");
        }
        assert!(!has("average", "\"ema"), "{line}: {config}");
    }
}
