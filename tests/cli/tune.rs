//! `--tune` and what goes with it, as a user gives them.

use crate::common::{TINY, lrsched};
use std::fs;
use std::process::Output;

fn compare(folder: &tempfile::TempDir, flags: &[&str]) -> Output {
    let mut command = lrsched(folder);
    command.arg("compare").args(TINY).args(["--out", "cmp", "--epochs", "1"]);
    command.args(["--entrants", "sgd/cosine", "adam"]).args(flags).output().unwrap()
}

#[test]
fn what_cannot_be_tuned_is_refused_in_one_line_before_anything_is_written() {
    for (flags, why) in [
        (&["--tune", "0"][..], "tune must be 1 to 200 trials, got 0; leave it out to compare without tuning"),
        (
            &["--tune", "201"],
            "got 201; more would coincide, since values have three digits; repeat the tuning with --studies N",
        ),
        (&["--tune", "x"], "tune must be a whole number"),
        (&["--tune", "4", "--studies", "0"], "studies must be at least 1"),
        (&["--tune", "4", "--seeds", "0"], "seeds must be from 1 to 1000, got 0"),
        (&["--tune", "4", "--tune-range", "lr=1:0.1"], "write lr=0.1:1"),
        (&["--tune", "4", "--tune-range", "lr=0.5:0"], "lr must rise from LOW to HIGH, got 0.5:0 (from --tune-range)"),
        (&["--tune", "4", "--tune-range", "lr=0.1:0.1"], "got the single value 0.1"),
        (&["--tune", "4", "--tune-range", "lr=0:0.1"], "must begin above 0"),
        (&["--tune", "4", "--tune-range", "momentum=a"], "LOW:HIGH"),
        (&["--tune", "4", "--tune-range", "lr=0.1:1", "--tune-range", "lr=0.1:2"], "is given twice; leave one out"),
        (&["--tune", "4", "--tune-range", "rho=0.1:0.9"], "no entrant takes `rho`"),
        (
            &["--tune", "4", "--tune-range", "batch-size=1:9"],
            "batch-size is the same for all runs of a comparison; make one",
        ),
        (&["--tune", "4", "--tune-range", "0.01:0.1"], "`0.01:0.1` is a value without its key; write KEY=LOW:HIGH"),
        (&["--tune", "4", "--tune-range", "lr"], "lr has no range; write lr=LOW:HIGH"),
        (&["--tune", "4", "--tune-range", "nesterov=0:1"], "is a switch"),
        (&["--tune", "4", "--tune-range", "lr=0.1:0.1001"], "are the same run"),
        (
            &["--tune", "4", "--tune-range", "momentum=0.5:1.5"],
            "sgd: momentum must be in [0, 1], got 1.5 (from --tune-range)",
        ),
        (
            &["--tune", "4", "--tune-range", "momentum=0:0.9", "--entrants", "sgd:momentum=0.9,nesterov/linear"],
            "tune-range: entrant sgd:momentum=0.9,nesterov/linear with momentum=0: sgd: nesterov needs momentum above 0",
        ),
        (
            &["--tune", "4", "--tune-range", "max-lr=2:8", "--entrants", "one-cycle"],
            "tune-range: max-lr only scales the rates of sgd/one-cycle, as lr does; leave max-lr out, or give lr=LOW:HIGH (from --tune-range)",
        ),
        (&["--tune", "4", "--lr", "0.1"], "--lr sets the rate that --tune varies"),
        (&["--tune", "4", "--grid", "lr=0.1,0.2"], "--grid lr sets the rates that --tune varies"),
        (&["--studies", "2"], "--studies says how to tune"),
        (&["--tune-seed", "2"], "--tune-seed says how to tune"),
        (&["--tune-range", "lr=0.1:1"], "--tune-range says how to tune"),
        (&["--finalists", "2"], "finalists are chosen from 3 entrants or more, got 2; leave it out, or name more"),
        (&["--finalists", "1", "--entrants", "step"], "finalists must be 2 of the 3 entrants, got 1"),
        (&["--finalists", "4", "--entrants", "step", "linear"], "finalists must be 2 to 3 of the 4 entrants, got 4"),
        (&["--tune", "200", "--studies", "50"], "a comparison has at most 10,000 runs"),
        (&["--tune", "4", "--entrants", "expr:0.1*0.9^epoch"], "cannot be tuned"),
        (&["--tune", "4", "--entrants", "sgd:lr=0.3/cosine"], "are the same once tuned"),
        (&["--tune", "4", "--baseline", "sgd/linear"], "sgd/linear"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let output = compare(&folder, flags);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), said.lines().count()), (Some(2), 1), "{flags:?}: {said}");
        assert!(said.contains(why), "{flags:?}: {said}");
        assert!(!folder.path().join("cmp").exists(), "{flags:?}");
    }
}

#[test]
fn an_error_names_the_variable_that_a_setting_comes_from() {
    for (variable, value, flags) in [
        ("LRSCHED_TUNE_RANGE", "momentum=0.5:1.5", &["--tune", "4"][..]),
        ("LRSCHED_TUNE", "0", &[]),
        ("LRSCHED_FINALISTS", "2", &[]),
        ("LRSCHED_SEEDS", "0", &[]),
        ("LRSCHED_SEEDS", "1001", &["--tune", "4"]),
        ("LRSCHED_BASELINE", "cosin", &[]),
        ("LRSCHED_LR", "0.1", &["--tune", "4"]),
        ("LRSCHED_GRID", "lr=0.1,0.2", &["--tune", "4"]),
        ("LRSCHED_STUDIES", "2", &[]),
        ("LRSCHED_TUNE_SEED", "2", &[]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut command = lrsched(&folder);
        command.env(variable, value).args(["compare", "--out", "cmp", "--entrants", "sgd/cosine", "adam"]);
        let output = command.args(TINY).args(flags).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && said.ends_with(&format!("(from {variable})\n")), "{value}: {said}");
    }
}

#[test]
fn an_error_names_the_file_that_a_setting_comes_from() {
    for (text, flags) in [
        ("lr = 0.1", &["compare", "--tune", "4"][..]),
        ("[grid]\nlr = [0.1, 0.2]", &["compare", "--tune", "4"]),
        ("[tune-range]\nlr = [0.1, 1]", &["compare"]),
        ("studies = 2", &["compare"]),
        ("epochs = 1\nsteps = 9", &["find"]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("c.toml"), text).unwrap();
        let mut command = lrsched(&folder);
        let output = command.args(flags).args(["--config", "c.toml", "--dataset", "synthetic"]).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && said.ends_with("c.toml)\n"), "{text}: {said}");
    }
}

#[test]
fn a_range_that_does_not_apply_to_an_entrant_is_said_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let said = |flags: &[&str]| {
        let output = compare(&folder, &[&["--tune", "2", "--dry-run"], flags].concat());
        assert!(output.status.success());
        let said = String::from_utf8(output.stderr).unwrap();
        let about = said.lines().filter_map(|line| line.strip_prefix("warning: tune-range: "));
        about.map(str::to_string).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(said(&["--tune-range", "lr=0.01:0.1"]), "");
    assert_eq!(
        said(&["--tune-range", "momentum=0.5:0.9"]),
        "momentum does not apply to adam/constant, which does not take it"
    );
    assert_eq!(
        said(&["--tune-range", "max-lr=2:8", "--entrants", "triangular", "one-cycle"]),
        "max-lr does not apply to sgd/one-cycle: it only scales the rates, as lr does\n\
         max-lr does not apply to sgd/cosine and adam/constant, which do not take it"
    );
    let many = ["linear", "step", "exponential", "polynomial", "wsd"];
    let many = said(&[&["--tune-range", "max-lr=2:8", "--entrants", "triangular"], &many[..]].concat());
    assert!(many.contains("max-lr does not apply to sgd/cosine, adam/constant, sgd/linear and 4 more, "), "{many}");
}

#[test]
fn a_dry_run_of_a_screening_lists_the_runs_by_their_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--entrants", "linear", "--finalists", "2", "--seeds", "2"];
    assert!(compare(&folder, &flags).status.success());
    let listed = String::from_utf8(compare(&folder, &[&flags[..], &["--dry-run"]].concat()).stdout).unwrap();
    let runs = listed.lines().filter(|line| line.contains("_seed="));
    let numbers: Vec<usize> = runs.map(|line| line.split_whitespace().next().unwrap().parse().unwrap()).collect();
    assert_eq!(numbers, (1..=13).collect::<Vec<_>>(), "{listed}");
}

#[test]
fn a_dry_run_counts_the_runs_of_all_stages_and_names_those_that_are_determined() {
    let folder = tempfile::tempdir().unwrap();
    let plan = |flags: &[&str]| -> serde_json::Value {
        let output = compare(&folder, &[flags, &["--dry-run", "--json"]].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let named =
        |plan: &serde_json::Value| plan["runs"].as_array().unwrap().iter().filter(|run| run["run"].is_string()).count();
    let tune = ["--tune", "4", "--studies", "2"];
    let before = plan(&tune);
    // Three seeds for each of three entrants, and ten fresh ones for the best two.
    let screened = plan(&["--entrants", "linear", "--finalists", "2"]);
    assert_eq!((&screened["planned"], named(&screened)), (&29.into(), 9));
    // Two entrants, two studies: 4 trials each, then 6 second looks and 1 final.
    assert_eq!((&before["planned"], &before["missing"], named(&before)), (&44.into(), &44.into(), 16));
    assert_eq!(before["train_images"], 44 * 96);
    let shards: u64 = ["1/2", "2/2"]
        .iter()
        .map(|shard| plan(&[&tune[..], &["--shard", shard]].concat())["missing"].as_u64().unwrap())
        .sum();
    assert_eq!(shards, 44);
    assert!(!folder.path().join("cmp").exists());
    assert!(compare(&folder, &tune).status.success());
    let after = plan(&tune);
    assert_eq!((&after["planned"], &after["missing"], named(&after)), (&44.into(), &0.into(), 44));
}

#[test]
fn the_settings_of_a_tuning_are_written_as_a_config_file_that_asks_for_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--tune", "4", "--tune-range", "lr=0.001:1", "--tune-seed", "7", "--studies", "2"];
    let printed = compare(&folder, &[&flags[..], &["--print-config"]].concat());
    let text = String::from_utf8(printed.stdout).unwrap();
    for line in ["tune = 4", "tune-seed = 7", "studies = 2", "[tune-range]\nlr = [\n"] {
        assert!(text.contains(line) || text.replace("\n    ", "").contains("lr = [0.001"), "{line}: {text}");
    }
    fs::write(folder.path().join("c.toml"), &text).unwrap();
    let mut again = lrsched(&folder);
    let again = again.args(["compare", "--config", "c.toml", "--print-config"]).output().unwrap();
    assert_eq!(String::from_utf8(again.stdout).unwrap(), text, "{}", String::from_utf8_lossy(&again.stderr));
}

#[test]
fn a_rate_that_tuning_drops_is_named_as_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--entrants", "sgd:lr=0.05/one-cycle:max-lr=0.5", "--dry-run"];
    for (tune, why) in [(&[][..], "its schedule sets its own rates"), (&["--tune", "2"], "--tune varies the rate")] {
        let said = String::from_utf8(compare(&folder, &[&flags[..], tune].concat()).stderr).unwrap();
        assert!(said.contains("lr=0.05 ") && said.contains(why), "{tune:?}: {said}");
    }
}

#[test]
fn while_the_best_lies_at_the_edge_of_what_was_tried_more_trials_come_before_fresh_studies() {
    let folder = tempfile::tempdir().unwrap();
    // Two of three trials are the lowest and the highest: of six tunings, one of these is chosen in some.
    let flags = ["--tune", "3", "--studies", "3"];
    let said = String::from_utf8(compare(&folder, &flags).stdout).unwrap();
    let place = |what: &str| said.lines().position(|line| line.starts_with(what));
    let [trials, studies] = ["to reach closer to the edge", "to tell the leader of these"].map(place);
    assert!(said.contains("AT THE EDGE") && trials.is_some() && studies.is_none_or(|at| Some(at) > trials), "{said}");
    let step = "to reach closer to the edge of what was tried, 6 trials, from which more runs may follow (18 runs";
    let line = said.lines().find(|line| line.starts_with(step)).unwrap_or_else(|| panic!("{said}"));
    assert!(line.contains(" --tune 6") && line.matches("--tune").count() == 1 && line.contains("--out cmp"), "{line}");

    // It counts what may be there already.
    let plan = compare(&folder, &["--tune", "6", "--studies", "3", "--dry-run"]);
    let plan = String::from_utf8(plan.stdout).unwrap();
    // 2 entrants in 3 studies: 6 trials, 6 second looks and a final each, of which 3, 6 and 1 are there.
    assert!(plan.contains("78 runs, 18 of them done, 42 not listed"), "{plan}");
    assert!(plan.contains("and up to 42 of them are here already") && plan.contains("(at most; "), "{plan}");
}
