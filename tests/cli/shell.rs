//! At home in a shell: completions, manual pages, short help.

use crate::common::{lrsched, skipped};
use std::fs;
use std::process::Command;

fn stdout(folder: &tempfile::TempDir, arguments: &[&str]) -> String {
    let output = lrsched(folder).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What bash completes at the end of `line`, as it would call the function, with the words split at `:` and `=`.
#[cfg(unix)]
fn in_bash(line: &str) -> Option<Vec<String>> {
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_lrsched"));
    let script = r#"
        source <(lrsched completions bash) || exit 9
        COMP_LINE=$1 COMP_POINT=${#1} COMP_TYPE=9
        _lrsched lrsched
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let path = format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let output = Command::new("bash").args(["-c", script, "bash", line]).env("PATH", path).output().ok()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap().lines().map(str::to_string).collect())
}

#[cfg(unix)]
#[test]
fn bash_completes_commands_flags_names_and_the_parameters_inside_a_spec() {
    let Some(commands) = in_bash("lrsched com") else {
        return skipped("bash_completes_commands_flags_names_and_the_parameters_inside_a_spec", "there is no bash");
    };
    assert_eq!(commands, ["compare", "completions"]);
    let of = |line: &str| in_bash(line).unwrap();
    assert_eq!(of("lrsched train --sched"), ["--schedule"]);
    assert_eq!(of("lrsched train --schedule ste"), ["step"]);
    // Only what follows the colon is replaced.
    assert_eq!(of("lrsched train --schedule step:fa"), ["factor="]);
    assert_eq!(of("lrsched train --schedule step:factor=0.5,drop"), ["0.5,drop-every="]);
    assert_eq!(of("lrsched train --schedule \"constant:for=5ep;cosine-"), ["constant:for=5ep;cosine-restarts"]);
    assert_eq!(of("lrsched train --schedule 'step:fa"), ["step:factor="]);
    assert_eq!(of("lrsched train --optimizer sgd:mom"), ["momentum="]);
    assert_eq!(of("lrsched compare --entrants adam/cosine-"), ["adam/cosine-restarts"]);
    assert_eq!(of("lrsched train --model airb"), ["airbench94", "airbench94-muon"]);
    assert_eq!(of("lrsched help piece"), ["piecewise"]);
}

#[test]
fn each_shell_has_completions_and_another_one_is_named_with_those_there_are() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(stdout(&folder, &["completions", shell]).contains("lrsched"), "{shell}");
    }
    let output = lrsched(&folder).args(["completions", "tcsh"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), said.lines().count()), (Some(2), 1), "{said}");
    assert!(said.contains("tcsh") && said.contains("zsh"), "{said}");
}

#[test]
fn every_command_has_a_manual_page_with_its_flags() {
    let folder = tempfile::tempdir().unwrap();
    let page = stdout(&folder, &["man", "train"]);
    assert!(page.starts_with(".ie") || page.starts_with(".TH") || page.contains(".TH lrsched-train"), "{page}");
    assert!(page.contains("\\-\\-schedule") && page.contains("\\-\\-drop\\-every"), "{page}");
    stdout(&folder, &["man", "--dir", "pages/man1"]);
    let mut names: Vec<String> = fs::read_dir(folder.path().join("pages/man1"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    for command in ["", "-train", "-compare", "-find", "-show", "-report", "-man"] {
        assert!(names.contains(&format!("lrsched{command}.1")), "{command}: {names:?}");
    }
    let page = stdout(&folder, &["man", "train"]);
    assert!(page.contains("\n.SH SYNOPSIS\nlrsched train [OPTIONS]\n.SH ") && page.contains("EXIT STATUS"), "{page}");
    let output = lrsched(&folder).args(["man", "trian"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("no manual page for `trian`"));
}

#[test]
fn the_short_help_fits_a_screen_or_two_and_the_long_one_has_every_flag() {
    let folder = tempfile::tempdir().unwrap();
    for command in ["train", "compare", "find"] {
        let (short, long) = (stdout(&folder, &[command, "-h"]), stdout(&folder, &[command, "--help"]));
        assert!(short.lines().count() < 90, "{command}: {} lines", short.lines().count());
        assert!(short.contains("--model") && short.contains("--help"), "{short}");
        assert!(!short.contains("--smoothing") && !short.contains("--nesterov"), "{short}");
        assert!(long.contains("--nesterov") && long.lines().count() > short.lines().count(), "{command}");
    }
    for command in ["show", "export", "descend", "diff"] {
        let (short, long) = (stdout(&folder, &[command, "-h"]), stdout(&folder, &[command, "--help"]));
        assert!(short.lines().count() < 50, "{command}: {} lines", short.lines().count());
        assert!(short.contains("help schedules") && !short.contains("--drop-every"), "{short}");
        assert!(long.contains("--drop-every"), "{command}");
    }
}

#[test]
fn help_knows_each_schedule_and_optimizer_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let step = stdout(&folder, &["help", "step"]);
    assert!(step.starts_with("step: ") && step.contains("drop-every") && step.contains("warmup"), "{step}");
    assert!(!step.contains("cosine"), "{step}");
    let adam = stdout(&folder, &["help", "adam"]);
    assert!(adam.starts_with("adam: ") && adam.contains("beta1") && adam.contains("usual lr: 0.001"), "{adam}");
    assert!(stdout(&folder, &["help", "sequence"]).starts_with("a sequence\n"));
    let output = lrsched(&folder).args(["help", "cosin"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("did you mean `cosine`?"), "{said}");
}

#[test]
fn help_knows_each_flag_and_the_commands_that_take_it() {
    let folder = tempfile::tempdir().unwrap();
    let group = stdout(&folder, &["help", "group"]);
    assert!(group.starts_with("train, compare, find:\n"), "{group}");
    assert!(
        group.contains("--group <PATTERN[,PATTERN]=OPTIMIZER[/SCHEDULE]>") && group.contains("first match"),
        "{group}"
    );
    assert!(!group.contains("--average") && !group.contains("resume"), "{group}");
    // Each command's own words.
    let seeds = stdout(&folder, &["help", "seeds"]);
    assert!(seeds.contains("\ncompare:\n") || seeds.starts_with("compare:\n"), "{seeds}");
    assert!(seeds.contains("find:\n"), "{seeds}");
    assert!(stdout(&folder, &["help", "quiet"]).starts_with("every command:\n"));
    assert!(stdout(&folder, &["help", "mirror"]).starts_with("data fetch:\n"));
    let output = lrsched(&folder).args(["help", "averag"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("did you mean `average`?"), "{said}");
}

/// One of the scripts, with this program and quick settings.
#[cfg(unix)]
fn script(name: &str, folder: &tempfile::TempDir) -> Command {
    let mut command = Command::new("bash");
    command.arg(format!("{}/scripts/{name}", env!("CARGO_MANIFEST_DIR"))).arg(folder.path());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("LRSCHED_") && name != "LRSCHED_CPU") {
        command.env_remove(name);
    }
    command.env("LRSCHED", env!("CARGO_BIN_EXE_lrsched")).envs([
        ("LRSCHED_MODEL", "tiny"),
        ("LRSCHED_TRAIN_LIMIT", "96"),
        ("LRSCHED_VALIDATION", "50"),
        ("LRSCHED_BATCH_SIZE", "32"),
        ("EPOCHS", "1"),
        ("DATASET", "synthetic"),
    ]);
    command
}

#[cfg(unix)]
#[test]
fn the_sweep_gives_schedules_that_differ_in_a_sign_a_folder_each() {
    let folder = tempfile::tempdir().unwrap();
    let output = script("sweep.sh", &folder)
        .envs([("RATES", "0.01"), ("SCHEDULES", "expr:lr/2 expr:lr*2 linear:end-lr=0")])
        .output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut runs: Vec<String> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    runs.sort();
    assert_eq!(runs.len(), 4, "{runs:?}");
    assert_eq!(runs[3], "synthetic,epochs=1,lr=0.01,linear_end-lr=0,seed=0");
}

#[cfg(unix)]
#[test]
fn a_script_refuses_the_results_of_other_settings() {
    let folder = tempfile::tempdir().unwrap();
    let noted = folder.path().join("settings.txt");
    // Without results, the settings may change.
    fs::create_dir(folder.path().join("find-sgd")).unwrap();
    fs::write(folder.path().join("find-sgd/find.json"), "{}").unwrap();
    fs::write(&noted, "--epochs 3 --dataset synthetic --seed 0 --progress none\n").unwrap();
    let output = script("find_validate.sh", &folder).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    let settings = "--dataset synthetic --seed 0 --progress none";
    let expected = format!("has results of other settings: --epochs 3 {settings}, now --epochs 1 {settings} LRSCHED_");
    assert!(said.contains(&expected), "{said}");
    assert!(!folder.path().join("validation.csv").exists());
}
