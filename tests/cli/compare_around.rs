//! What stands around the ranking of `lrsched compare`: warnings before it, the recipe above it, commands below it.

use super::cli_compare::compare;
use crate::common::{TINY, lrsched};
use std::fs;

/// The commands that a comparison ends with, by what they are for, without what they cost.
fn next(stdout: &str) -> Vec<(&str, &str)> {
    let lines = stdout.lines().skip_while(|line| !line.starts_with("results in "));
    let lines = lines.skip(1).map(|line| line.split_once(":  ").unwrap());
    lines.map(|(purpose, line)| (purpose.split(" (").next().unwrap(), line)).collect()
}

#[test]
#[cfg(unix)]
fn a_comparison_ends_with_the_commands_that_train_its_leader_and_make_a_claim_possible() {
    let folder = tempfile::tempdir().unwrap();
    let sh = |line: &str| {
        let output = std::process::Command::new("sh").args(["-c", line]).current_dir(&folder).output().unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let schedules = ["sgd:momentum=0.9,nesterov/halve:when=epoch>=1", "sgd/one-cycle:max-lr=0.2", "adam/cosine"];
    for (number, entrant) in schedules.into_iter().enumerate() {
        let out = format!("cmp-{number}");
        let flags = ["--entrants", entrant, "--epochs", "2", "--label-smoothing", "0.1", "--seed", "7", "--out", &out];
        let output = lrsched(&folder).arg("compare").args(TINY).args(flags).output().unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        let [("train the best so far", train), ("take the best so far to PyTorch", export)] = next(&stdout)[..] else {
            panic!("{stdout}")
        };
        assert!(sh(export).contains("optimizer = torch.optim."), "{export}");
        let printed = sh(&format!("{train} --print-config"));
        let run = fs::read_dir(folder.path().join(&out).join("runs")).unwrap().next().unwrap().unwrap().path();
        let info: serde_json::Value = serde_json::from_slice(&fs::read(run.join("run.json")).unwrap()).unwrap();
        let train: toml::Table = printed.parse().unwrap();
        for (key, value) in info["config"].as_object().unwrap() {
            // Without effect on one-cycle with rates of its own.
            if key != "lr" || number != 1 {
                assert_eq!(&serde_json::to_value(&train[key]).unwrap(), value, "{key}: {printed}");
            }
        }
    }
    let output =
        compare(&folder, &["--seeds", "1", "--entrants", "sgd/constant:for=1;linear", "cosine", "--epochs", "2"]);
    let stdout = String::from_utf8(output.stdout).unwrap();
    let [(_, train), ("the least for a claim, 3 seeds", claim), _] = next(&stdout)[..] else { panic!("{stdout}") };
    assert!(
        train.contains(" train ") && claim.matches("--seeds").count() == 1 && claim.contains("--out cmp "),
        "{stdout}"
    );
    let plan: serde_json::Value = serde_json::from_str(&sh(&format!("{claim} --dry-run --json"))).unwrap();
    assert_eq!((&plan["planned"], &plan["missing"]), (&6.into(), &4.into()), "it goes on with what is there");
    assert!(stdout.contains("the least for a claim, 3 seeds (4 runs, about "), "{stdout}");
    let page = fs::read_to_string(folder.path().join("cmp/report.html")).unwrap();
    let below = page.split("<div class=next>").nth(1).unwrap().split("</section>").next().unwrap();
    assert!(
        below.contains("<p>Train the best so far:</p>")
            && below.contains("<p>The least for a claim, 3 seeds (4 runs, about ")
    );
    assert_eq!(below.matches("<code>").count(), 3, "{below}");
    let ranked = sh(claim);
    assert_eq!(next(&ranked).len(), 2, "{ranked}");
    let more = compare(&folder, &["--entrants", "linear", "--epochs", "2"]);
    let more = String::from_utf8(more.stdout).unwrap();
    assert_eq!(next(&more).len(), 2, "this command would train more seeds of one of three entrants: {more}");
    let quiet = compare(&folder, &["--entrants", "sgd/constant:for=1;linear", "cosine", "--epochs", "2", "--quiet"]);
    assert_eq!(quiet.stdout, b"");
}

#[test]
#[cfg(unix)]
fn a_claim_about_settings_ends_with_the_command_that_makes_one_about_schedules() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--entrants", "cosine", "linear", "--epochs", "1", "--seeds=3", "--out", "cmp"];
    let output = lrsched(&folder).arg("compare").args(TINY).args(flags).output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let [_, ("for a claim about schedules, tuned", line), _] = next(&stdout)[..] else { panic!("{stdout}") };
    let line = format!("{line} --dry-run --json");
    let output = std::process::Command::new("sh").args(["-c", &line]).current_dir(&folder).output().unwrap();
    let plan: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    // Of two entrants, three studies of eight trials, six second looks and one final.
    assert_eq!((&plan["planned"], &plan["path"]), (&90.into(), &"cmp-tuned".into()), "{line}");
    assert!(stdout.contains("for a claim about schedules, tuned (90 runs, about "), "{stdout}");
    // Other commands know the one that says it.
    let merged = lrsched(&folder).args(["merge", "cmp", "--out", "cmp"]).output().unwrap();
    let merged = String::from_utf8(merged.stdout).unwrap();
    let [_, _, ("to see whether more runs would help, training none", again)] = next(&merged)[..] else {
        panic!("{merged}")
    };
    let runs = folder.path().join("cmp/runs");
    let records = || -> std::collections::BTreeMap<_, _> {
        let runs = fs::read_dir(&runs).unwrap().map(|run| run.unwrap().path().join("run.json"));
        runs.map(|file| (file.clone(), fs::read(file).unwrap())).collect()
    };
    let before = records();
    let output = std::process::Command::new("sh").args(["-c", again]).current_dir(&folder).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(records(), before, "it trains nothing");
    assert!(said.contains("for a claim about schedules, tuned (90 runs, about "), "{again}: {said}");
    lrsched(&folder).args(["report", "cmp", "-o", "cmp.md"]).assert().success();
    assert!(fs::read_to_string(folder.path().join("cmp.md")).unwrap().contains(again), "{again}");
    // A run that is gone would be trained.
    let gone = fs::read_dir(&runs).unwrap().next().unwrap().unwrap().path();
    fs::rename(&gone, folder.path().join("gone")).unwrap();
    lrsched(&folder).args(["report", "cmp", "-o", "cmp.md"]).assert().success();
    assert!(!fs::read_to_string(folder.path().join("cmp.md")).unwrap().contains("training none"));
    fs::rename(folder.path().join("gone"), gone).unwrap();
    // The baseline goes by the name that it has without its rate.
    let flags = [&flags[..], &["--grid", "momentum=0.5,0.9", "--baseline", "sgd:lr=0.1,momentum=0.5/cosine"]].concat();
    let flags: Vec<&str> = flags.into_iter().map(|flag| if flag == "cmp" { "with" } else { flag }).collect();
    let flags: Vec<&str> =
        flags.into_iter().map(|flag| if flag == "cosine" { "sgd:lr=0.1/cosine" } else { flag }).collect();
    let output = lrsched(&folder).arg("compare").args(TINY).args(flags).output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let [_, ("for a claim about schedules, tuned", line), _] = next(&stdout)[..] else {
        panic!("{stdout} {}", String::from_utf8_lossy(&output.stderr))
    };
    assert!(line.ends_with(" --baseline sgd:momentum=0.5/cosine --out with-tuned"), "{line}");
    let line = format!("{line} --dry-run --json");
    let output = std::process::Command::new("sh").args(["-c", &line]).current_dir(&folder).output().unwrap();
    let plan: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(plan["planned"], 180, "{}", String::from_utf8_lossy(&output.stderr));
    // Seeds of a file cannot be left out of the command.
    fs::write(folder.path().join("seeds.toml"), "seeds = 3\n").unwrap();
    let flags = ["--config", "seeds.toml", "--entrants", "cosine", "linear", "--epochs", "1", "--out", "file"];
    let output = lrsched(&folder).arg("compare").args(TINY).args(flags).output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let [_, ("for a claim about schedules, tuned", line), _] = next(&stdout)[..] else { panic!("{stdout}") };
    assert!(stdout.contains("for a claim about schedules, tuned (90 runs, about "), "{stdout}");
    let line = format!("{line} --dry-run --json");
    let output = std::process::Command::new("sh").args(["-c", &line]).current_dir(&folder).output().unwrap();
    let plan: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(plan["planned"], 90, "{line}");
    // Two that differ in their rates alone would be one.
    let twins =
        ["--entrants", "sgd:lr=0.1/cosine", "sgd:lr=0.2/cosine", "--out", "twins", "--epochs", "1", "--seeds=3"];
    let output = lrsched(&folder).arg("compare").args(TINY).args(twins).output().unwrap();
    assert_eq!(next(&String::from_utf8(output.stdout).unwrap()).len(), 2);
}

#[test]
#[cfg(unix)]
fn a_switch_of_the_leader_is_a_switch_in_the_command_that_trains_it() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--drop-last", "--entrants", "cosine", "linear", "--epochs", "1", "--seeds", "3", "--out", "cmp"];
    let output = lrsched(&folder).arg("compare").args(TINY).args(flags).output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let [(_, line), ..] = next(&stdout)[..] else { panic!("{stdout}") };
    assert!(line.contains(" --drop-last ") && !line.contains("--drop-last true"), "{line}");
    let line = format!("{line} --print-config");
    let output = std::process::Command::new("sh").args(["-c", &line]).current_dir(&folder).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("drop-last = true"), "{line}: {output:?}");
}

#[test]
#[cfg(unix)]
fn a_command_that_variables_gave_settings_to_is_offered_with_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = lrsched(&folder);
    first.env("LRSCHED_ENTRANTS", "sgd/cosine sgd/linear").env("LRSCHED_SEEDS", "3").env("LRSCHED_FORCE", "true");
    first.env("LRSCHED_QUIET", "true").env("LRSCHED_OUT", "cmp");
    assert!(first.arg("compare").args(TINY).args(["--epochs", "1"]).output().unwrap().status.success());
    lrsched(&folder).args(["report", "cmp", "-o", "cmp.md"]).assert().success();
    let report = fs::read_to_string(folder.path().join("cmp.md")).unwrap();
    let again = report.lines().find(|line| line.contains("LRSCHED_ENTRANTS=")).unwrap_or_else(|| panic!("{report}"));
    let again = again.trim_matches(['`', ' ']);
    for not in ["FORCE", "QUIET", "OUT="] {
        assert!(!again.contains(not), "{again}");
    }
    let line = format!("{again} --dry-run --json");
    let output = std::process::Command::new("sh").args(["-c", &line]).current_dir(&folder).output().unwrap();
    let plan: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&plan["planned"], &plan["missing"]), (&6.into(), &0.into()), "{line}");
    // None of them starts over, whatever its configuration says.
    fs::write(folder.path().join("force.toml"), "force = true\n").unwrap();
    for (variable, flags) in [("true", &["--json=true", "--force=yes"][..]), ("", &["--config", "force.toml"])] {
        let mut command = lrsched(&folder);
        command.env("LRSCHED_FORCE", variable).args(["compare", "--entrants", "cosine", "linear", "--out", "forced"]);
        let output = command.args(TINY).args(["--epochs", "1", "--seeds", "3"]).args(flags).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        lrsched(&folder).args(["report", "forced", "-o", "forced.md"]).assert().success();
        let report = fs::read_to_string(folder.path().join("forced.md")).unwrap();
        let again = report.lines().find(|line| line.contains(" compare ")).unwrap_or_else(|| panic!("{report}"));
        let line = format!("{} --dry-run --json", again.trim_matches(['`', ' ']));
        let output = std::process::Command::new("sh").args(["-c", &line]).current_dir(&folder).output().unwrap();
        let plan: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((&plan["planned"], &plan["missing"]), (&6.into(), &0.into()), "{line}");
    }
    // So does the command itself offer what comes next.
    let mut first = lrsched(&folder);
    first.env("LRSCHED_ENTRANTS", "sgd/cosine sgd/linear").args(["compare", "--epochs", "1", "--out", "one"]);
    let stdout = String::from_utf8(first.args(TINY).output().unwrap().stdout).unwrap();
    let [_, ("the least for a claim, 3 seeds", claim), _] = next(&stdout)[..] else { panic!("{stdout}") };
    assert!(claim.starts_with("LRSCHED_ENTRANTS='sgd/cosine sgd/linear' "), "{claim}");
}

#[test]
fn results_that_support_no_claim_are_announced_before_they_are_paid_for() {
    let folder = tempfile::tempdir().unwrap();
    let said = |flags: &[&str]| {
        let base = ["compare", "--dataset", "synthetic", "--model", "tiny", "--dry-run", "--jobs", "1"];
        let entrants = ["--entrants", "sgd/cosine", "sgd/linear"];
        let output = lrsched(&folder).args(base).args(entrants).args(flags).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stderr).unwrap()
    };
    let tuned = said(&["--tune", "3", "--studies", "2"]);
    assert!(tuned.contains("note: 2 studies support no claim; 3 are the fewest (--studies 3)\n"), "{tuned}");
    assert!(said(&["--tune", "3", "--studies", "1"]).contains("note: 1 study supports no claim"));
    // Several finals of one tuning support a claim about its settings.
    let one_tuning = ["--tune", "3", "--studies", "1", "--seeds", "3"];
    for enough in
        [&["--tune", "3"][..], &one_tuning, &["--seeds", "2"], &[], &["--tune", "3", "--studies", "2", "--quiet"]]
    {
        assert!(!said(enough).contains("claim"), "{enough:?}");
    }
}

#[test]
fn nobody_is_warned_of_the_default_entrants_at_their_default_length_but_of_what_was_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let said = |flags: &[&str]| {
        let mut command = lrsched(&folder);
        command.args(["compare", "--dataset", "synthetic", "--model", "tiny", "--dry-run", "--jobs", "1"]).args(flags);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stderr).unwrap()
    };
    assert_eq!(said(&[]), "");
    assert_eq!(said(&["--train-limit", "2000"]), "", "nothing that concerns schedules");
    // Four steps: these two would be a constant by another name.
    let few = said(&["--train-limit", "200"]);
    for lacks in ["/wsd: the rate never changes over this run of 4 steps", "/step:factor=0.5,drop-every=40%: step: "] {
        assert!(few.contains(lacks), "{lacks}: {few}");
    }
    assert_eq!(few.lines().count(), 2, "what is so at any length is in the help: {few}");
    let cannot = "plateau: the rate cannot drop in this run: patience=0 takes at least 3 epochs, got 2";
    for flags in [
        &["--epochs", "2"][..],
        &["--factor", "0.4"],
        &["--grid", "factor=0.4,0.5"],
        &["--entrants", "plateau:factor=0.5,patience=0"],
    ] {
        assert!(said(flags).contains(cannot), "{flags:?}: {}", said(flags));
    }
}

#[test]
fn what_all_entrants_of_an_optimizer_have_in_common_stands_above_the_ranking() {
    let folder = tempfile::tempdir().unwrap();
    let sgd = ["sgd:momentum=0.9,nesterov/cosine", "sgd:momentum=0.9,nesterov/linear"];
    let output = compare(&folder, &[&["--entrants"], &sgd[..], &["adam", "--epochs", "1"]].concat());
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(stdout.starts_with("all sgd entrants: momentum=0.9, nesterov\nentrant "), "{stdout}");
}

#[test]
fn a_report_on_a_comparison_that_is_not_complete_begins_with_the_command_that_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    assert!(compare(&folder, &["--entrants", "cosine", "linear", "--epochs", "1", "--shard", "1/1"]).status.success());
    let next = || {
        lrsched(&folder).args(["report", "cmp"]).assert().success();
        let page = fs::read_to_string(folder.path().join("report.html")).unwrap();
        page.split("<div class=next>").nth(1).unwrap().split("</section>").next().unwrap().to_string()
    };
    assert!(next().starts_with("<p>Train the best so far:</p>"));
    let table = folder.path().join("cmp/comparison.csv");
    let rows = fs::read_to_string(&table).unwrap();
    let last = rows.lines().last().unwrap().split(',').next().unwrap();
    fs::write(&table, rows.lines().take(2).collect::<Vec<_>>().join("\n") + "\n").unwrap();
    fs::remove_dir_all(folder.path().join("cmp/runs").join(last)).unwrap();
    // Of all runs, and of a shard.
    for lock in [".lrsched-lock", ".lrsched-lock-1-of-2"] {
        let path = folder.path().join("cmp").join(lock);
        let file = fs::File::create(&path).unwrap();
        file.lock().unwrap();
        assert!(!next().contains("Go on"), "a process trains it: {lock}");
        fs::remove_file(&path).unwrap();
    }
    let next = next();
    assert!(next.starts_with("<p>Go on (1 run):</p>") && next.contains(" compare --dataset synthetic "), "{next}");
    assert!(next.contains(" --epochs 1 --out cmp</code>") && !next.contains("--shard"), "{next}");
    lrsched(&folder).args(["report", "cmp", "-o", "r.md"]).assert().success();
    let markdown = fs::read_to_string(folder.path().join("r.md")).unwrap();
    let line = markdown.split("\nGo on (1 run):\n\n```\n").nth(1).unwrap().lines().next().unwrap();
    let output = std::process::Command::new("sh").args(["-c", line]).current_dir(&folder).output().unwrap();
    assert!(output.status.success() && fs::read_to_string(&table).unwrap().lines().count() == 3, "{line}");
}

#[test]
fn a_plan_that_cannot_be_read_is_complained_of() {
    let folder = tempfile::tempdir().unwrap();
    assert!(compare(&folder, &["--entrants", "cosine", "linear", "--epochs", "1", "--shard", "1/2"]).status.success());
    fs::write(folder.path().join("cmp/plan.json"), "junk").unwrap();
    let output = lrsched(&folder).args(["report", "cmp", "-o", "x.md"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("plan.json: ") && said.contains("whether runs are missing is not known"), "{said}");
}
