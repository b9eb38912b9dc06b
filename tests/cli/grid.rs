//! `--grid` and `--dry-run`, as a user gives them.

use crate::common::{TINY, lrsched};
use std::fs;
use std::process::Output;

/// `compare` on the tiny network with these `flags`, `variables` and config file.
fn compare(folder: &tempfile::TempDir, flags: &[&str], variable: Option<&str>, file: Option<&str>) -> Output {
    let mut command = lrsched(folder);
    command.arg("compare").args(TINY).args(["--out", "cmp", "--epochs", "1"]);
    if let Some(text) = file {
        fs::write(folder.path().join("c.toml"), text).unwrap();
        command.args(["--config", "c.toml"]);
    }
    command.args(flags).envs(variable.map(|text| ("LRSCHED_GRID", text))).output().unwrap()
}

/// The names of the runs that `compare --dry-run` plans.
fn planned(flags: &[&str], variable: Option<&str>, file: Option<&str>) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let output = compare(&folder, &[flags, &["--dry-run", "--json"]].concat(), variable, file);
    assert!(output.status.success(), "{flags:?}: {}", String::from_utf8_lossy(&output.stderr));
    let plan: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    plan["runs"].as_array().unwrap().iter().map(|run| run["run"].as_str().unwrap().to_string()).collect()
}

/// The one line that refuses these flags.
fn refused(flags: &[&str], variable: Option<&str>, file: Option<&str>) -> String {
    let folder = tempfile::tempdir().unwrap();
    let output = compare(&folder, flags, variable, file);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), said.lines().count()), (Some(2), 1), "{flags:?} {variable:?} {file:?}: {said}");
    assert!(!folder.path().join("cmp").exists());
    said
}

#[test]
fn a_grid_is_trained_run_by_run_and_its_points_are_told_apart_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--entrants", "cosine", "adam", "--grid", "lr=0.01,0.02", "--grid", "momentum=0,0.9", "--seeds", "2"];
    let output = compare(&folder, &flags, None, None);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("warning: grid: momentum does not apply to adam/constant, which does not take it\n"),
        "{said}"
    );
    let csv = fs::read_to_string(folder.path().join("cmp/comparison.csv")).unwrap();
    assert_eq!(csv.lines().count(), 1 + 4 * 2 + 2 * 2, "{csv}");
    let table = String::from_utf8(output.stdout).unwrap();
    let page = fs::read_to_string(folder.path().join("cmp/report.html")).unwrap();
    let picture = fs::read_to_string(folder.path().join("cmp/comparison.svg")).unwrap();
    for name in [
        "sgd:momentum=0/cosine lr=0.01",
        "sgd:momentum=0/cosine lr=0.02",
        "sgd:momentum=0.9/cosine lr=0.01",
        "sgd:momentum=0.9/cosine lr=0.02",
        "adam/constant lr=0.01",
        "adam/constant lr=0.02",
    ] {
        assert!(table.contains(name), "{name}: {table}");
        assert!(page.contains(name) && picture.contains(name), "{name}");
    }
    // The same rate by a flag is the same run.
    let flags = ["--entrants", "adam", "--lr", "0.01", "--seeds", "2", "--progress", "plain"];
    let output = compare(&folder, &flags, None, None);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("nothing left to train: 2 runs done"), "{said}");
}

#[test]
fn a_plan_goes_entrant_by_entrant_then_by_the_grid_and_then_by_seed() {
    let flags = ["--entrants", "cosine", "linear", "--grid", "warmup=0,1", "lr=0.1,0.2", "--seeds", "2"];
    let mut expected = Vec::new();
    for schedule in ["cosine", "linear"] {
        for warmup in ["0", "1"] {
            for lr in ["0.1", "0.2"] {
                expected.extend((0..2).map(|seed| format!("sgd_{schedule}_warmup={warmup}_lr={lr}_seed={seed}")));
            }
        }
    }
    assert_eq!(planned(&flags, None, None), expected);
}

#[test]
fn flag_variable_and_file_give_the_same_grid_and_are_merged_key_by_key() {
    let entrant = ["--entrants", "cosine"];
    let of_flags =
        planned(&[&entrant[..], &["--grid", "weight-decay=0,5e-4", "--grid", "lr=0.1,0.2"]].concat(), None, None);
    assert_eq!(of_flags.len(), 4);
    assert_eq!(planned(&entrant, Some("weight-decay=0,5e-4\n lr=0.1,0.2"), None), of_flags);
    let file = "[grid]\nweight-decay = [0, 5e-4]\nlr = [0.1, 0.2]";
    assert_eq!(planned(&entrant, None, Some(file)), of_flags);
    // A key given again keeps its place; the other keys of the file and of the variable stay.
    let file = "[grid]\nweight-decay = [0, 5e-4]\nlr = [0.7]";
    assert_eq!(planned(&[&entrant[..], &["--grid", "lr=0.1,0.2"]].concat(), None, Some(file)), of_flags);
    let flags = [&entrant[..], &["--grid", "lr=0.1,0.2"]].concat();
    assert_eq!(planned(&flags, Some("weight-decay=0,5e-4 lr=0.7"), None), of_flags);
}

#[test]
fn a_key_that_one_place_gives_twice_is_refused_so_that_no_value_is_lost() {
    let entrant = ["--entrants", "cosine"];
    for axes in [&["lr=0.1", "--grid", "lr=0.2"][..], &["lr=0.1", "weight-decay=0", "lr=0.1,0.2"]] {
        let said = refused(&[&entrant[..], &["--grid"], axes].concat(), None, None);
        assert!(said.contains("grid: lr is given twice; write lr=0.1,0.2 (from --grid)"), "{said}");
    }
    let said = refused(&entrant, Some("lr=0.1 lr=0.3"), None);
    assert!(said.contains("grid: lr is given twice; write lr=0.1,0.3 (from LRSCHED_GRID)"), "{said}");
}

#[test]
fn between_a_flag_and_a_grid_the_higher_place_counts() {
    let rates = |flags: &[&str], file: &str| -> Vec<String> {
        let names = planned(&[&["--entrants", "cosine"], flags].concat(), None, Some(file));
        names.iter().map(|name| name.split("lr=").nth(1).unwrap().split('_').next().unwrap().to_string()).collect()
    };
    assert_eq!(rates(&["--grid", "lr=0.1,0.2"], "lr = 0.5"), ["0.1", "0.2"]);
    assert_eq!(rates(&["--lr", "0.5"], "[grid]\nlr = [0.1, 0.2]"), ["0.5"]);
    assert_eq!(rates(&["--no-nesterov"], "momentum = 0.9\n[grid]\nnesterov = [true, false]").len(), 1);
}

#[test]
fn switches_and_lists_are_values_of_a_grid() {
    let names = planned(&["--entrants", "cosine", "--momentum", "0.9", "--grid", "nesterov=yes,no"], None, None);
    assert_eq!(names.len(), 2);
    assert!(names[0].contains("nesterov") && !names[1].contains("nesterov"), "{names:?}");
    let of_flag = planned(&["--entrants", "piecewise", "--grid", "milestones=5/8,3/6"], None, None);
    let file = "[grid]\nmilestones = [\"5,8\", \"3,6\"]";
    assert_eq!(planned(&["--entrants", "piecewise"], None, Some(file)), of_flag);
    assert!(of_flag.len() == 2 && of_flag[0].contains("milestones=5,8"), "{of_flag:?}");
}

#[test]
fn what_print_config_writes_of_a_grid_reads_back_as_the_same_plan() {
    for flags in [
        &["--entrants", "cosine", "adam", "sgd:lr=0.3/step", "--grid", "momentum=0,0.9", "lr=0.1,1e-3"][..],
        &["--entrants", "sgd:nesterov/cosine", "--grid", "momentum=0.8,0.9", "--weight-decay", "1e-4"],
        &["--entrants", "piecewise", "--grid", "milestones=5/8,3", "--lr", "0.1"],
        &["--entrants", "cosine", "--momentum", "0.9", "--grid", "nesterov=true,false"],
        &["--grid", "factor=0.1,0.2", "lr=0.05,0.1"],
    ] {
        let folder = tempfile::tempdir().unwrap();
        let output = compare(&folder, &[flags, &["--print-config"]].concat(), None, None);
        let config = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && config.contains("[grid]"), "{flags:?}: {config}");
        assert_eq!(planned(&[], None, Some(&config)), planned(flags, None, None), "{config}");
    }
}

#[test]
fn a_grid_that_cannot_be_is_refused_in_one_line() {
    let refused = |axis: &str| refused(&["--entrants", "cosine", "--grid", axis], None, None);
    for (axis, expected) in [
        ("lr", "grid: lr has no values; write lr=V1,V2 (from --grid)"),
        ("lr=", "grid: lr has no values"),
        ("=1", "grid: a key is missing; write KEY=V1,V2"),
        ("lr=0.1,,0.2", "grid: a value of lr is empty; write lr=V1,V2, without spaces (from --grid)"),
        ("lr=abc", "lr must be a number above 0, got `abc` (from --grid)"),
        ("lr=0.1,0", "lr must be a number above 0, got 0"),
        ("lr=0.1,0.1", "grid: lr has the value 0.1 twice; leave one out"),
        ("lr=0.1,1e-1", "grid: lr has the same value twice, as 0.1 and 1e-1; leave one out"),
        ("0.2", "grid: `0.2` is a value without its key; write KEY=V1,V2, without spaces"),
        (
            "drop-every=3",
            "grid: no entrant takes `drop-every`; leave drop-every out of the grid, or name an entrant that takes it (from --grid)",
        ),
        ("momentum=0.9,2", "sgd: momentum must be in [0, 1], got 2 (from --grid)"),
        ("nesterov=maybe", "nesterov: a switch is true or false"),
        ("no-nesterov=true", "grid: write nesterov=true,false instead of no-nesterov"),
        ("wieght-decay=0,1", "grid: no parameter is called `wieght-decay`; did you mean `weight-decay`?"),
        ("learning_rate=0.1", "grid: no parameter is called `learning_rate`; did you mean `lr`?"),
        (
            "batch-size=16,32",
            "grid: batch-size is the same for all runs of a comparison; make one for each value, and report them together: lrsched report A B (from --grid)",
        ),
        ("epochs=1,2", "grid: epochs is the same for all runs"),
        ("augment=none,flip", "grid: augment is the same for all runs"),
        ("semantics=keras,torch", "grid: semantics is the same for all runs"),
        ("seed=1,2", "grid: seed is no parameter; give the number of seeds as --seeds N"),
        ("seeds=1,2", "--seeds N"),
        ("schedule=cosine,linear", "name the pairs with --entrants"),
        ("threads=1,2", "grid: threads is not a parameter of an optimizer or a schedule; give it as --threads"),
    ] {
        let said = refused(axis);
        assert!(said.contains(expected), "{axis}: {said}");
    }
    let digits: Vec<String> = (1..=10).map(|digit| format!("0.{digit:02}")).collect();
    let axis = |key: &str| format!("{key}={}", digits.join(","));
    let keys = ["lr", "momentum", "weight-decay", "dampening", "warmup-from", "end-lr", "power", "warmup", "over"];
    let billion: Vec<String> = keys.iter().map(|key| axis(key)).collect();
    let flags: Vec<&str> =
        ["--entrants", "polynomial", "--grid"].into_iter().chain(billion.iter().map(String::as_str)).collect();
    let said = self::refused(&flags, None, None);
    assert!(said.contains("the grid makes 1,000,000,000 entrants; a comparison has at most 10,000 runs"), "{said}");
    let many = ["--entrants", "cosine", "linear", "--grid", &axis("lr"), "--seeds", "1000"];
    let said = self::refused(&many, None, None);
    assert!(
        said.contains("20 entrants with 1000 seeds are 20,000 runs; a comparison has at most 10,000 runs"),
        "{said}"
    );
    let said = self::refused(&["--entrants", "cosine", "--lr", "0.1", "--grid", "lr=0.1,0.2"], None, None);
    assert!(said.contains("lr is given both by itself and in the grid; leave one out"), "{said}");
    let said = self::refused(&["--entrants", "cosine"], Some("lr=0.1,x"), None);
    assert!(said.contains("(from LRSCHED_GRID)"), "{said}");
    let own = ["--entrants", "sgd:lr=0.1/cosine", "--grid", "lr=0.1,0.2"];
    let said = self::refused(&own, None, None);
    assert!(said.contains("grid: no entrant takes lr: each that could sets its own lr; leave lr out of the grid, or the `lr=` of an entrant (from --grid)"), "{said}");
}

#[test]
fn a_grid_that_multiplies_no_entrant_is_refused() {
    let one_cycle = "sgd/one-cycle:max-lr=0.1";
    let said = refused(&["--entrants", one_cycle, "--grid", "lr=0.3,0.4"], None, None);
    let expected = format!(
        "grid: lr multiplies no entrant: {one_cycle} sets its own rates; leave lr out of the grid (from --grid)\n"
    );
    assert!(said.ends_with(&expected), "{said}");
    let entrants = ["--entrants", one_cycle, "sgd:lr=0.1/cosine"];
    let said = refused(&entrants, None, Some("[grid]\nlr = [0.3, 0.4]"));
    let expected = format!(
        "{one_cycle} and sgd:lr=0.1/cosine set their own rates; leave lr out of the grid (from [grid] in c.toml)\n"
    );
    assert!(said.ends_with(&expected), "{said}");
    // One of them is enough.
    assert_eq!(planned(&["--entrants", one_cycle, "cosine", "--grid", "lr=0.3,0.4"], None, None).len(), 3);
}

#[test]
fn a_grid_of_a_file_that_cannot_be_is_refused_with_the_file() {
    for (file, expected) in [
        ("grid = 3", "c.toml: `grid` must be a table of lists"),
        ("grid = [\"lr=0.1\"]", "c.toml: `grid` must be a table of lists"),
        ("[grid]\nlr = []", "c.toml: `grid.lr` must list at least one value"),
        ("[grid]\nlr = [[0.1]]", "c.toml: `grid.lr` must be text, a number or true/false, got an array"),
        ("[grid]\nlr = {a = 1}", "c.toml: `grid.lr` must be text"),
        ("[grid]\nlr = [0.1, \"x\"]", "(from [grid] in c.toml)"),
        ("[grid]\nepochs = [1, 2]", "grid: epochs is the same for all runs"),
        (
            "[grid]\ndrop-every = [1, 2]",
            "leave drop-every out of the grid, or name an entrant that takes it (from [grid] in c.toml)",
        ),
        ("lr = 0.1\n[grid]\nlr = [0.1, 0.2]", "both by itself and in the grid; leave one out (from [grid] in c.toml)"),
    ] {
        let said = refused(&["--entrants", "cosine"], None, Some(file));
        assert!(said.contains(expected), "{file}: {said}");
    }
}

/// Every file and folder below `folder`.
fn contents(folder: &std::path::Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        found.push(entry.path().display().to_string());
        if entry.path().is_dir() {
            found.extend(contents(&entry.path()));
        }
    }
    found.sort();
    found
}

/// A plan of four runs, and the part of it that is trained first.
const FOUR: [&str; 7] = ["--entrants", "cosine", "adam", "--seeds", "2", "--jobs", "2"];
const HALF: [&str; 4] = ["--entrants", "cosine", "--seeds", "2"];

#[test]
fn a_dry_run_names_the_runs_and_the_time_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let output = compare(&folder, &[&FOUR[..], &["--dry-run"]].concat(), None, None);
    let (said, wrong) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success() && wrong.is_empty(), "{wrong}");
    assert!(contents(folder.path()).is_empty(), "{:?}", contents(folder.path()));
    let lines: Vec<&str> = said.lines().collect();
    let [first, _, _, last, count, images, time] = lines[..] else { panic!("{said}") };
    assert_eq!((first, last), ("1  sgd_cosine_lr=0.1_seed=0", "4  adam_constant_lr=0.001_seed=1"));
    assert_eq!((count, images), ("4 runs", "384 training images in all (every epoch counted)"));
    assert!(
        (time.starts_with("about ") || time.starts_with("less than a second "))
            && time.contains("2 runs at once")
            && time.contains("sgd ")
            && time.contains("adam "),
        "{time}"
    );
    let both = compare(&folder, &[&FOUR[..], &["--dry-run", "--print-config"]].concat(), None, None);
    let said = String::from_utf8(both.stderr).unwrap();
    assert!(both.status.code() == Some(2) && said == "error: give --dry-run or --print-config, not both\n", "{said}");
}

#[test]
fn a_dry_run_marks_the_runs_that_are_done_and_leaves_them_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    assert!(compare(&folder, &HALF, None, None).status.success());
    let before = contents(folder.path());
    let output = compare(&folder, &[&FOUR[..], &["--dry-run", "--json"]].concat(), None, None);
    let plan: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let done: Vec<bool> = plan["runs"].as_array().unwrap().iter().map(|run| run["done"].as_bool().unwrap()).collect();
    assert_eq!(done, [true, true, false, false]);
    assert_eq!(
        (&plan["event"], &plan["missing"], &plan["train_images"], &plan["jobs"]),
        (&"plan".into(), &2.into(), &192.into(), &2.into())
    );
    assert!(
        plan["seconds"].as_f64().unwrap() > 0.0 && plan["images_per_second"]["adam"].as_f64().unwrap() > 0.0,
        "{plan}"
    );
    let output = compare(&folder, &[&HALF[..], &["--dry-run"]].concat(), None, None);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.ends_with("seed=1  (done)\n2 runs, 2 of them done: nothing left to train\n"), "{said}");
    let output = compare(&folder, &[&HALF[..], &["--dry-run", "--force"]].concat(), None, None);
    assert!(!String::from_utf8(output.stdout).unwrap().contains("done"), "--force would start over");
    assert_eq!(contents(folder.path()), before);
}

#[test]
fn a_dry_run_of_a_shard_has_its_part_alone() {
    let folder = tempfile::tempdir().unwrap();
    assert!(compare(&folder, &HALF, None, None).status.success());
    let part = compare(&folder, &[&FOUR[..], &["--dry-run", "--json", "--shard", "2/2"]].concat(), None, None);
    let part: serde_json::Value = serde_json::from_slice(&part.stdout).unwrap();
    let names: Vec<&str> = part["runs"].as_array().unwrap().iter().map(|run| run["run"].as_str().unwrap()).collect();
    assert_eq!(names, ["sgd_cosine_lr=0.1_seed=1", "adam_constant_lr=0.001_seed=1"], "every second run");
    assert_eq!((&part["shard"], &part["planned"]), (&"2/2".into(), &4.into()));
    let part = compare(&folder, &[&FOUR[..], &["--dry-run", "-q", "--shard", "2/2"]].concat(), None, None);
    let said = String::from_utf8(part.stdout).unwrap();
    let expected = "2  sgd_cosine_lr=0.1_seed=1  (done)\n4  adam_constant_lr=0.001_seed=1\nshard 2/2: 2 runs of 4, 1 of them done\n";
    assert!(said.starts_with(expected), "-q leaves out nothing that was asked for: {said}");
}

#[test]
fn a_dry_run_refuses_what_the_run_would_refuse() {
    let folder = tempfile::tempdir().unwrap();
    assert!(compare(&folder, &HALF, None, None).status.success());
    for (flags, why) in [
        (["--entrants", "cosine", "--batch-size", "16"], "batch-size 32, now 16"),
        (["--entrants", "linear", "--train-limit", "80"], "does not match this comparison"),
    ] {
        let output = compare(&folder, &[&flags[..], &["--dry-run"]].concat(), None, None);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && said.contains(why), "{flags:?}: {said}");
    }
    fs::remove_dir_all(folder.path().join("cmp")).unwrap();
    fs::create_dir(folder.path().join("cmp")).unwrap();
    fs::write(folder.path().join("cmp/thesis.tex"), "mine").unwrap();
    let output = compare(&folder, &["--entrants", "cosine", "--dry-run"], None, None);
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn a_dry_run_of_find_counts_its_seeds_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let find = |flags: &[&str]| {
        lrsched(&folder).arg("find").args(TINY).args(["--steps", "10", "--seeds", "3"]).args(flags).output().unwrap()
    };
    let output = find(&["--dry-run", "--refine", "0"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.starts_with("seed-0\nseed-1\nseed-2\n3 runs\n960 training images in all"), "{said}");
    assert!(contents(folder.path()).is_empty());
    // Three short runs of 20 updates for each seed, twice as long as the test: 640 images each.
    let output = find(&["--dry-run", "--json", "--out", "f"]);
    let plan: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&plan["run"], &plan["missing"], &plan["train_images"]), (&"f".into(), &3.into(), &6720.into()));
    // They may climb on.
    assert_eq!(plan["may_differ"], true);
    let output = find(&["--dry-run", "--out", "f"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("\n6,720 training images in all (the short runs may be fewer or more)\n"), "{said}");
    let output = find(&["--dry-run", "--seeds", "1", "--refine", "0"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.starts_with("1 run\n320 training images"), "one test has no folder of its own: {said}");
    assert!(contents(folder.path()).is_empty());
}
