//! Parameter groups, as a user gives them.

use crate::common::{TINY, lrsched, without_times};
use lrsched::model::{Model, Weights};
use std::fs;
use tempfile::TempDir;

/// Trains `out` for two epochs of 3 steps.
fn train(folder: &TempDir, out: &str, flags: &[&str]) {
    let common = ["--epochs", "2", "--log-steps", "--lr", "0.1", "--out", out];
    let output = lrsched(folder).arg("train").args(TINY).args(common).args(flags).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
}

fn read(folder: &TempDir, file: &str) -> String {
    fs::read_to_string(folder.path().join(file)).unwrap()
}

/// The values of a column of steps.csv.
fn column(folder: &TempDir, run: &str, name: &str) -> Vec<f64> {
    let path = folder.path().join(run).join("steps.csv");
    let mut reader = csv::Reader::from_path(path).unwrap();
    let place = reader.headers().unwrap().iter().position(|column| column == name);
    let place = place.unwrap_or_else(|| panic!("no column {name} in {:?}", reader.headers().unwrap()));
    reader.records().map(|record| record.unwrap()[place].parse().unwrap()).collect()
}

fn values(folder: &TempDir, run: &str, name: &str) -> Vec<f32> {
    let path = folder.path().join(run).join("weights.safetensors");
    let weights = Weights::read(&path, Some("tiny".parse::<Model>().unwrap()), 10).unwrap();
    weights.parameters.get(name).unwrap().values.clone()
}

#[test]
fn each_group_has_its_own_rates_in_a_column_of_steps_csv_behind_those_of_the_base_group() {
    let folder = tempfile::tempdir().unwrap();
    let groups = ["--group", "*.bias=sgd:lr=0.6/linear", "fc.*=adam/name=head"];
    train(&folder, "run", &[&groups[..], &["--schedule", "piecewise:milestones=1,factor=0.5"]].concat());
    let header = read(&folder, "run/steps.csv").lines().next().unwrap().to_string();
    assert_eq!(header, "step,epoch,learning_rate,momentum,loss,learning_rate:*.bias,learning_rate:head");
    assert_eq!(column(&folder, "run", "learning_rate"), [0.1, 0.1, 0.1, 0.05, 0.05, 0.05]);
    let linear: Vec<f64> = (0..6).map(|t| 0.6 * (1.0 - f64::from(t) / 6.0)).collect();
    let close = |got: Vec<f64>, expected: &[f64]| {
        assert!(got.iter().zip(expected).all(|(got, expected)| (got - expected).abs() < 1e-12), "{got:?}");
    };
    close(column(&folder, "run", "learning_rate:*.bias"), &linear);
    // Adam's usual rate, under the schedule of the run.
    close(column(&folder, "run", "learning_rate:head"), &[1e-3, 1e-3, 1e-3, 5e-4, 5e-4, 5e-4]);
    let config = &serde_json::from_str::<serde_json::Value>(&read(&folder, "run/run.json")).unwrap()["config"];
    let expected = serde_json::json!([
        { "parameters": ["*.bias"], "optimizer": "sgd", "lr": 0.6, "schedule": "linear" },
        { "name": "head", "parameters": ["fc.*"], "optimizer": "adam" },
    ]);
    assert_eq!(config["group"], expected);
}

#[test]
fn none_leaves_out_the_groups_of_a_config_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = "[[group]]\nparameters = [\"*.bias\"]\nlr = 0.6\n";
    fs::write(folder.path().join("groups.toml"), file).unwrap();
    for (out, flags, patterns) in [
        ("of-file", &[][..], &["*.bias"][..]),
        ("none", &["--group", "none"], &[]),
        ("own", &["--group", "fc.*=/lr=0.2", "none"], &["fc.*"]),
        ("own-behind", &["--group", "none", "--group", "fc.*=/lr=0.2"], &["fc.*"]),
    ] {
        train(&folder, out, &[&["--config", "groups.toml"], flags].concat());
        let config =
            &serde_json::from_str::<serde_json::Value>(&read(&folder, &format!("{out}/run.json"))).unwrap()["config"];
        let groups = config["group"].as_array().cloned().unwrap_or_default();
        let of = |group: &serde_json::Value| group["parameters"][0].as_str().unwrap().to_string();
        assert_eq!(groups.iter().map(of).collect::<Vec<_>>(), patterns, "{out}");
    }
}

#[test]
fn a_group_with_the_optimizer_of_the_run_changes_nothing_and_another_one_does() {
    let folder = tempfile::tempdir().unwrap();
    let same = ["--momentum", "0.9", "--schedule", "cosine"];
    train(&folder, "plain", &same);
    train(&folder, "same", &[&same[..], &["--group", "conv*=sgd:momentum=0.9"]].concat());
    train(&folder, "other", &[&same[..], &["--group", "conv*=sgd:momentum=0.9,weight-decay=0.1"]].concat());
    let metrics = |run: &str| without_times(&read(&folder, &format!("{run}/metrics.csv")));
    assert_eq!(metrics("plain"), metrics("same"));
    assert_ne!(metrics("plain"), metrics("other"));
}

#[test]
fn a_cycled_momentum_is_said_to_do_nothing_only_where_no_group_has_one() {
    let folder = tempfile::tempdir().unwrap();
    let note = "the schedule cycles momentum, but sgd has none";
    let said = |out: &str, group: &[&str]| {
        let flags = ["--optimizer", "sgd", "--schedule", "one-cycle", "--epochs", "1", "--lr", "0.1", "--out", out];
        let output = lrsched(&folder)
            .arg("train")
            .args(TINY)
            .args(flags)
            .args(group)
            .args(["--progress", "plain"])
            .output()
            .unwrap();
        let all = [output.stdout, output.stderr].concat();
        assert!(output.status.success());
        String::from_utf8(all).unwrap()
    };
    assert!(said("none", &[]).contains(note));
    assert!(said("still-none", &["--group", "*.bias=sgd:weight-decay=0.1"]).contains(note));
    assert!(!said("one", &["--group", "*.bias=sgd:momentum=0.9"]).contains(note));
}

#[test]
fn a_frozen_group_does_not_move_and_its_rate_is_0() {
    let folder = tempfile::tempdir().unwrap();
    // The bias starts at 0.
    train(&folder, "never", &["--group", "fc.bias=/freeze-after=0st"]);
    assert!(values(&folder, "never", "fc.bias").iter().all(|value| *value == 0.0));
    assert!(values(&folder, "never", "conv1.bias").iter().any(|value| *value != 0.0));
    train(&folder, "later", &["--group", "fc.bias=/freeze-after=1ep"]);
    assert_eq!(column(&folder, "later", "learning_rate:fc.bias"), [0.1, 0.1, 0.1, 0.0, 0.0, 0.0]);
    assert!(values(&folder, "later", "fc.bias").iter().any(|value| *value != 0.0));
}

#[test]
fn groups_of_a_file_stand_behind_those_of_the_command_line_and_a_printed_config_repeats_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let file = r#"
        [[group]]
        parameters = ["conv1.bias", "fc.bias"]
        optimizer = "sgd:momentum=0.5"
        lr = 0.02
        schedule = "linear"
        freeze-after = "1ep"

        [[group]]
        name = "late"
        parameters = ["*.bias"]
        lr = 0.3
    "#;
    fs::write(folder.path().join("run.toml"), file).unwrap();
    train(&folder, "run", &["--config", "run.toml", "--group", "fc.bias=adam"]);
    let header = read(&folder, "run/steps.csv").lines().next().unwrap().to_string();
    let groups = "learning_rate:fc.bias,learning_rate:conv1.bias+fc.bias,learning_rate:late";
    assert!(header.ends_with(groups), "{header}");
    assert_eq!(column(&folder, "run", "learning_rate:late"), [0.3; 6]);
    let printed = ["--config", "run.toml", "--group", "fc.bias=adam", "--print-config", "--lr", "0.1", "--epochs", "2"];
    let printed = lrsched(&folder).arg("train").args(TINY).args(printed).output().unwrap();
    fs::write(folder.path().join("again.toml"), printed.stdout).unwrap();
    train(&folder, "again", &["--config", "again.toml"]);
    assert_eq!(read(&folder, "run/steps.csv"), read(&folder, "again/steps.csv"));
    // The variable stands between the two.
    let from_variable =
        ["train", "--config", "run.toml", "--dataset", "synthetic", "--model", "tiny", "--print-config"];
    let output = lrsched(&folder).args(from_variable).env("LRSCHED_GROUP", "conv*=adam fc.*=adma").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("(from LRSCHED_GROUP)"), "{said}");
}

#[test]
fn a_parameter_of_two_groups_is_said_once_for_all_runs() {
    let folder = tempfile::tempdir().unwrap();
    let groups = ["--group", "fc.bias=sgd", "*.bias=adam"];
    let compare = ["--entrants", "sgd/constant", "adam/linear", "--epochs", "1", "--out", "cmp"];
    let flags = TINY.iter().filter(|word| !["--progress", "none"].contains(word));
    let output = lrsched(&folder).arg("compare").args(flags).args(groups).args(compare).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    let note = "fc.bias matches the groups fc.bias and *.bias: the first, fc.bias, has it";
    assert_eq!(said.matches(note).count(), 1, "{said}");
}

#[test]
fn the_first_lines_of_a_run_say_what_it_does_beside_its_schedule_and_what_it_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let said = |flags: &[&str]| {
        let flags = [flags, &["--epochs", "1", "--progress", "plain", "--force", "--out", "run"]].concat();
        let output = lrsched(&folder).arg("train").args(TINY).args(flags).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        said
    };
    let flags = ["--clip-norm", "1", "--clip-value", "0.5", "--average", "ema:decay=0.9", "--tta", "mirror"];
    let all = said(&flags);
    assert!(all.contains("\nclip-value 0.5, clip-norm 1, average ema:decay=0.9, tta mirror\n"), "{all}");
    // The word for nothing takes back what a file gives.
    let config = "average = \"ema\"\nclip-norm = 1.0\nclip-value = 0.5\ntrain-limit = 20\n";
    fs::write(folder.path().join("run.toml"), config).unwrap();
    let none = ["--average", "none", "--clip-norm", "none", "--clip-value", "none"];
    let none = said(&[&["--config", "run.toml"][..], &none].concat());
    assert!(!none.contains("clip") && !none.contains("average"), "{none}");
    let info: serde_json::Value = serde_json::from_str(&read(&folder, "run/run.json")).unwrap();
    assert!(["average", "clip-norm", "clip-value"].iter().all(|key| info["config"].get(key).is_none()), "{info}");

    let idle = said(&["--group", "conv1.weight,conv1.weigth=sgd"]);
    let note = "note: group conv1.weight+conv1.weigth: no parameter matches its pattern conv1.weigth\n";
    assert!(idle.contains(note), "{idle}");
    let still = said(&["--group", "*=/freeze-after=0ep"]);
    assert!(still.contains("warning: nothing is trained: all parameters are frozen from the start\n"), "{still}");
}

#[test]
fn the_entrants_of_a_comparison_share_the_groups_and_a_range_test_keeps_their_rates() {
    let folder = tempfile::tempdir().unwrap();
    let group = ["--group", "*.bias=sgd:lr=0.03"];
    let compare = ["--entrants", "sgd/constant", "adam/linear", "--epochs", "1", "--log-steps", "--out", "cmp"];
    lrsched(&folder).arg("compare").args(TINY).args(group).args(compare).assert().success();
    for run in fs::read_dir(folder.path().join("cmp/runs")).unwrap() {
        let name = format!("cmp/runs/{}", run.unwrap().file_name().to_string_lossy());
        let rates = column(&folder, &name, "learning_rate:*.bias");
        assert_eq!(rates[0], 0.03, "{name}");
    }
    // The group follows the schedule of each entrant, so that each has a line of its own.
    let picture = read(&folder, "cmp/comparison.svg");
    assert!(picture.contains("Learning rates of the parameter groups") && picture.contains("*.bias, adam/linear"));
    let page = read(&folder, "cmp/report.html");
    assert!(page.contains("\"id\":\"groups\"") && page.contains("<figure id=groups>"));
    let find = ["--steps", "6", "--max-lr", "1", "--out", "find"];
    lrsched(&folder).arg("find").args(TINY).args(group).args(find).output().unwrap();
    assert_eq!(read(&folder, "find/range.csv").lines().count(), 7);
    let refused = ["find", "--dataset", "synthetic", "--model", "tiny", "--group", "norm*=sgd", "--out", "none"];
    assert_eq!(lrsched(&folder).args(refused).output().unwrap().status.code(), Some(2));
}

#[test]
fn the_rate_of_a_group_is_its_highest_where_the_schedule_sets_its_own_rates() {
    let folder = tempfile::tempdir().unwrap();
    let cycle = ["--schedule", "one-cycle:max-lr=0.4", "--log-steps", "--group", "*.bias=adam:lr=0.01"];
    train(&folder, "run", &cycle);
    let (base, group) = (column(&folder, "run", "learning_rate"), column(&folder, "run", "learning_rate:*.bias"));
    let highest = |rates: &[f64]| rates.iter().copied().fold(0.0, f64::max);
    assert!((highest(&group) - 0.01).abs() < 1e-12, "{group:?} under {base:?}");
    let multiple = 0.01 / highest(&base);
    assert!(
        base.iter().zip(&group).all(|(base, group)| (base * multiple - group).abs() < 1e-12),
        "{group:?}, {base:?}"
    );
}

#[test]
fn a_group_that_never_freezes_and_a_change_of_length_that_only_a_group_depends_on_are_said() {
    let folder = tempfile::tempdir().unwrap();
    let flags: Vec<&str> = TINY.iter().copied().filter(|word| !["--progress", "none"].contains(word)).collect();
    let run = ["--epochs", "1", "--schedule", "constant", "--group", "*.bias=sgd:lr=0.1/linear/freeze-after=5ep"];
    let output = lrsched(&folder).arg("train").args(&flags).args(run).args(["--out", "run"]).output().unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(said.matches("group *.bias: freeze-after has no effect: the run ends before").count(), 1, "{said}");
    // A warning says which of the schedules it is about, and a rate that is never applied is not shown as if it were.
    let rates = ["--schedule", "linear:over=50%", "--group", "fc.*=sgd/cosine:lr=0.1/lr=0.2", "--out", "rates"];
    let output = lrsched(&folder).arg("train").args(&flags).args(["--epochs", "2"]).args(rates).output().unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    for part in [
        "warning: base group: the rate is 0 from step ",
        "warning: group fc.*: lr 0.2 has no effect: cosine:lr=0.1 sets its own rates",
        "group fc.*: sgd, cosine:lr=0.1",
    ] {
        assert!(said.contains(part), "{part} is not in:\n{said}");
    }
    let compare = ["compare", "--dry-run", "--entrants", "sgd/linear:over=50%", "adam/linear:over=50%"];
    let output =
        lrsched(&folder).args(compare).args(&flags).args(["--epochs", "2"]).args(&rates[2..4]).output().unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    for part in [
        "all 2 entrants: base group: the rate is 0 from step ",
        "all 2 entrants: group fc.*: lr 0.2 has no effect: cosine:lr=0.1 sets its own rates",
    ] {
        assert!(said.contains(part), "{part} is not in:\n{said}");
    }
    let unusual = ["--group", "fc.*=prodigy:lr=0.1", "*.bias=schedule-free-sgd/linear", "--out", "unusual"];
    let output = lrsched(&folder).arg("train").args(&flags).args(["--epochs", "1"]).args(unusual).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    for advice in ["group fc.*: prodigy estimates its own rate", "group *.bias: schedule-free-sgd averages its steps"] {
        assert_eq!(said.matches(advice).count(), 1, "{said}");
    }
    lrsched(&folder).args(["resume", "run", "--epochs", "2", "--stretch", "-q"]).assert().success();
    let info = read(&folder, "run/run.json");
    assert!(info.contains("schedule stretched"), "{info}");
}

#[test]
fn each_warning_is_of_its_own_group_and_none_of_a_schedule_that_nothing_follows() {
    let folder = tempfile::tempdir().unwrap();
    let said = |command: &[&str], groups: &[&str]| {
        let flags: Vec<&str> = TINY.iter().copied().filter(|word| !["--progress", "none"].contains(word)).collect();
        let output = lrsched(&folder).args(command).args(flags).arg("--group").args(groups).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stderr).unwrap()
    };
    // The second group is left without parameters.
    let train = ["train", "--epochs", "1", "--force", "--out", "run"];
    let told = "group fc.*: lr 0.3 has no effect: cosine:lr=0.1 sets its own rates";
    let second = said(&train, &["conv1*=sgd:lr=0.1", "conv1.weight=sgd", "fc.*=sgd:lr=0.3/cosine:lr=0.1"]);
    assert!(second.contains(told), "{second}");
    let second = said(&train, &["conv1*=sgd:lr=0.1", "conv1.weight=sgd:lr=0.3/cosine:lr=0.1", "fc.*=sgd/linear"]);
    assert!(!second.contains("has no effect"), "{second}");
    // The usual rate of another optimizer was not given.
    let usual = said(&train, &["fc.*=adam/cosine:lr=0.1"]);
    assert!(!usual.contains("has no effect"), "{usual}");
    let compare = ["compare", "--dry-run", "--epochs", "2", "--entrants", "sgd/linear:over=50%"];
    let told = "base group: the rate is 0 from step ";
    assert!(said(&compare, &["fc.*=sgd/cosine"]).contains(told));
    assert!(!said(&compare, &["*=sgd/cosine"]).contains(told), "nothing follows it");
    assert!(said(&compare, &["*=sgd"]).contains(told), "the group follows it");
}

#[test]
fn default_entrants_hide_no_warning_about_a_group_and_refuse_none_that_can_be_built() {
    let folder = tempfile::tempdir().unwrap();
    let default = ["compare", "--dry-run", "--dataset", "synthetic", "--model", "tiny", "--train-limit", "256"];
    let said = |group: &str| {
        let output = lrsched(&folder).args(default).args(["--group", group]).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        said
    };
    assert!(said("*=/freeze-after=0").contains("nothing is trained: all parameters are frozen from the start"));
    assert!(said("fc.*=sgd:lr=0.2/cosine:lr=0.1").contains("group fc.*: lr 0.2 has no effect"));
    // A longer run would leave the domain of the root; this one has four steps.
    said("fc.*=sgd/expr:expr=lr*sqrt(4.5-t)");
}

#[test]
fn a_group_cannot_change_on_resume() {
    let folder = tempfile::tempdir().unwrap();
    train(&folder, "run", &["--group", "*.bias=adam"]);
    let resume = |group: &str| lrsched(&folder).args(["resume", "run", "--group", group]).output().unwrap();
    let refused = resume("*.bias=sgd");
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(
        said.starts_with("error: group cannot change within a run: ") && said.contains("It is *.bias=adam"),
        "{said}"
    );
    assert!(resume("*.bias=adam").status.success());
}

#[test]
fn a_mistake_in_a_group_is_one_line_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |arguments: &[&str], parts: &[&str]| {
        let output = lrsched(&folder).arg("train").args(TINY).args(arguments).args(["--out", "run"]).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), said.lines().count()), (Some(2), 1), "{said}");
        parts.iter().for_each(|part| assert!(said.contains(part), "{part}: {said}"));
        assert!(!folder.path().join("run").exists());
    };
    let there = "conv1.weight, conv1.bias, conv2.weight, conv2.bias, fc.weight, fc.bias";
    refused(&["--group", "norm*.bias=sgd"], &["group norm*.bias: no parameter matches", there]);
    refused(&["--group", "*.bias"], &["PATTERN[,PATTERN]=OPTIMIZER[/SCHEDULE]", "from --group"]);
    refused(&["--group", "*.bias=sdg"], &["group *.bias: unknown optimizer `sdg`; did you mean `sgd`?"]);
    refused(&["--group", "*.bias=sgd:lr=1e-46"], &["group *.bias: lr must be from "]);
    refused(&["--group", "*.bias=sgd/one-cycle:max-lr=1e-46"], &["group *.bias: ", "the highest rate of the run"]);
    refused(&["--group", "*.bias=sgd/name=a", "--group", "*.weight=sgd/name=a"], &["two groups have this name"]);
    refused(&["--group", "*.bias=adam:eps=1e-40"], &["group *.bias: adam: eps must be "]);
    refused(&["--group", "*.bias=sgd/lr=0.1/lr=0.2"], &["group: lr is given twice; leave one out"]);
    refused(&["--group", "*.bias=sgd:lr=0.1/lr=0.2"], &["group *.bias: lr is given twice"]);
    for (text, said) in [
        ("[[group]]\nparameters = [\"*\"]\noptimzer = \"sgd\"", "unknown key `optimzer`; did you mean `optimizer`?"),
        ("[[group]]\noptimizer = \"sgd\"", "parameters must list at least one pattern"),
        ("[[group]]\nparameters = [\"*\"]\nlr = [1, 2]", "group: lr takes one value, got 2"),
        ("[[group]]\nparameters = []", "`group.parameters` must list at least one value"),
        ("[group]\nparameters = [\"*\"]", "`group` must be tables, each below `[[group]]`"),
        ("group = \"*=sgd\"", "`group` must be tables, each below `[[group]]`"),
    ] {
        fs::write(folder.path().join("wrong.toml"), text).unwrap();
        refused(&["--config", "wrong.toml"], &[said, "wrong.toml"]);
    }
}
