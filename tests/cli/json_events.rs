//! `--json`: every line is an object, and docs/JSON.md describes each event and each key.

use crate::common::{TINY, lrsched};
use serde_json::Value;
use std::collections::BTreeMap;
use std::collections::BTreeSet;

fn events(folder: &tempfile::TempDir, arguments: &[&str]) -> Vec<Value> {
    let output = lrsched(folder).args(arguments).arg("--json").output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    // A range test of a few iterations may find nothing.
    assert!(
        [Some(0), Some(4)].contains(&output.status.code()),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let parsed =
        |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {line}"));
    stdout.lines().map(parsed).collect()
}

fn names(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["event"].as_str().unwrap()).collect()
}

fn tiny(command: &'static str, more: &[&'static str]) -> Vec<&'static str> {
    [&[command], &TINY[..], more].concat()
}

const COMPARE: [&str; 10] =
    ["--entrants", "cosine", "linear", "--seeds", "2", "--epochs", "1", "--lr=0.02", "--out", "results/cmp"];

#[test]
fn a_comparison_ends_with_its_ranking_also_where_nothing_was_left_to_train() {
    let folder = tempfile::tempdir().unwrap();
    let first = events(&folder, &tiny("compare", &COMPARE));
    let (ranking, runs) = first.split_last().unwrap();
    let mut of_run: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for event in runs {
        of_run.entry(event["path"].as_str().unwrap()).or_default().push(event["event"].as_str().unwrap());
    }
    assert_eq!(of_run.len(), 4, "runs at once are told apart by their path");
    assert!(of_run.values().all(|events| *events == ["start", "epoch", "finish"]), "{of_run:?}");
    let again = events(&folder, &tiny("compare", &COMPARE));
    assert_eq!(again, std::slice::from_ref(ranking), "the same ranking, and nothing else");
    assert_eq!(
        (&ranking["event"], &ranking["run"], &ranking["path"]),
        (&"ranking".into(), &"cmp".into(), &"results/cmp".into())
    );
    let commands = ranking["commands"].as_array().unwrap();
    assert!(commands.len() == 3 && commands[1].as_str().unwrap().ends_with(" --seeds 3"), "{commands:?}");
    let entrants = ranking["entrants"].as_array().unwrap();
    let accuracies: Vec<f64> = entrants.iter().map(|entrant| entrant["val_accuracy"].as_f64().unwrap()).collect();
    assert!(accuracies.len() == 2 && accuracies[0] >= accuracies[1], "{accuracies:?}");
    for (place, entrant) in entrants.iter().enumerate() {
        assert_eq!((entrant["place"].as_u64(), entrant["n"].as_u64()), (Some(place as u64 + 1), Some(2)));
        assert!(entrant["lr"].is_number() && entrant["val_accuracy_sd"].is_number() && entrant["verdict"].is_string());
        assert!(entrant["standing"] == "not ruled out" && entrant["group"] == "" && entrant["beats"].is_array());
    }
}

#[test]
fn the_ranking_and_the_csv_have_the_base_rate_and_the_highest_that_was_applied() {
    let folder = tempfile::tempdir().unwrap();
    let entrants = ["--entrants", "constant", "one-cycle:max-lr=0.2", "--epochs", "2", "--lr=0.02", "--out", "cmp"];
    let all = events(&folder, &tiny("compare", &entrants));
    lrsched(&folder).args(["report", "cmp", "-o", "r.csv"]).assert().success();
    let mut table = csv::Reader::from_path(folder.path().join("r.csv")).unwrap();
    let heads = table.headers().unwrap().clone();
    let column = |name: &str| heads.iter().position(|head| head == name).unwrap();
    assert_eq!(column("highest_lr"), column("verdict") + 1);
    let rows: Vec<csv::StringRecord> = table.records().map(Result::unwrap).collect();
    let ranked = all.last().unwrap()["entrants"].as_array().unwrap();
    assert_eq!((ranked.len(), rows.len()), (2, 2));
    for (entrant, row) in ranked.iter().zip(&rows) {
        let highest = entrant["highest_lr"].as_f64().unwrap();
        assert_eq!(entrant["lr"].as_f64(), Some(0.02));
        if entrant["schedule"].as_str().unwrap().starts_with("one-cycle") {
            assert!(highest > 0.15 && highest <= 0.2, "{highest}");
        } else {
            assert_eq!(highest, 0.02);
        }
        assert_eq!(
            (row[column("lr")].parse(), row[column("highest_lr")].parse()),
            (Ok(0.02), Ok(highest)),
            "the CSV says the same"
        );
    }
}

#[test]
fn run_is_a_name_and_path_a_folder_in_every_command() {
    let folder = tempfile::tempdir().unwrap();
    let train = events(&folder, &tiny("train", &["--epochs", "1", "--lr", "0.02", "--out", "results/mine"]));
    let compare = events(&folder, &tiny("compare", &COMPARE));
    let find =
        events(&folder, &tiny("find", &["--steps", "12", "--max-lr", "0.5", "--seeds", "2", "--out", "results/test"]));
    for (events, path) in [(&train, "results/mine"), (&find, "results/test")] {
        for event in events {
            assert_eq!(event["path"], path, "{event}");
            assert_eq!(event["run"], path.trim_start_matches("results/"), "{event}");
        }
    }
    for event in &compare[..compare.len() - 1] {
        let path = std::path::Path::new(event["path"].as_str().unwrap());
        assert_eq!(path.file_name().unwrap().to_str(), event["run"].as_str(), "{event}");
        assert!(folder.path().join(path).join("run.json").is_file(), "{event}");
    }
    let seeds: BTreeSet<u64> = find.iter().filter_map(|event| event["seed"].as_u64()).collect();
    assert_eq!(seeds, BTreeSet::from([0, 1]), "which test of a seed an event is of");
}

#[test]
fn numbers_are_numbers_in_changes_and_in_the_settings_of_run_json() {
    let folder = tempfile::tempdir().unwrap();
    let start =
        &events(&folder, &tiny("train", &["--schedule", "linear", "--epochs", "2", "--lr", "0.04", "--out", "run"]))[0];
    assert_eq!((&start["config"]["batch-size"], &start["config"]["validation"]), (&32.into(), &50.into()));
    let info =
        || -> Value { serde_json::from_slice(&std::fs::read(folder.path().join("run/run.json")).unwrap()).unwrap() };
    assert_eq!((&info()["config"]["batch-size"], &info()["config"]["validation"]), (&32.into(), &50.into()));
    let resumed = events(&folder, &["resume", "run", "--epochs", "4", "--lr", "0.01", "-q"]);
    let changes: Vec<&Value> = resumed.iter().filter(|event| event["event"] == "change").collect();
    assert_eq!(
        (&changes[0]["setting"], &changes[0]["from"], &changes[0]["to"]),
        (&"epochs".into(), &2.into(), &4.into())
    );
    assert_eq!((&changes[1]["setting"], &changes[1]["to"]), (&"lr".into(), &0.01.into()));
    assert_eq!(changes[1]["to_text"], "0.01 (constant at 0.01)");
    assert_eq!(info()["changes"][1]["to"], 0.01);
    let done = events(&folder, &["resume", "run"]);
    assert_eq!(
        (names(&done), &done[0]["status"]),
        (vec!["finish"], &"finished".into()),
        "also where nothing is left to do"
    );
}

#[test]
fn a_comparison_of_an_earlier_version_with_sizes_as_text_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    events(&folder, &tiny("compare", &COMPARE));
    for run in std::fs::read_dir(folder.path().join("results/cmp/runs")).unwrap() {
        let file = run.unwrap().path().join("run.json");
        let text = std::fs::read_to_string(&file).unwrap();
        let old = text
            .replace("\"batch-size\": 32", "\"batch-size\": \"32\"")
            .replace("\"validation\": 50", "\"validation\": \"50\"");
        assert_ne!(text, old);
        std::fs::write(&file, old).unwrap();
    }
    assert_eq!(names(&events(&folder, &tiny("compare", &COMPARE))), ["ranking"], "every run is known again");
    let longer = ["--entrants", "constant", "--epochs", "1", "--lr=0.02", "--out", "results/cmp"];
    assert_eq!(events(&folder, &tiny("compare", &longer)).len(), 4, "another entrant stands beside them");
}

#[test]
fn docs_json_md_describes_every_event_and_every_key() {
    let folder = tempfile::tempdir().unwrap();
    let mut all = events(&folder, &tiny("train", &["--epochs", "2", "--lr", "0.02", "--log-steps", "--out", "run"]));
    all.extend(events(&folder, &["resume", "run", "--epochs", "3", "--scale-lr", "0.5", "-q"]));
    all.extend(events(&folder, &tiny("compare", &COMPARE)));
    let quick = ["--steps", "60", "--min-lr", "1e-4", "--eval-images", "50", "--eval-every", "2", "--momentum", "0.9"];
    let found =
        events(&folder, &tiny("find", &[&quick[..], &["--max-lr", "1", "--refine", "6", "--out", "test"]].concat()));
    let short_runs = std::fs::read_to_string(folder.path().join("test/refine.csv")).unwrap().lines().count() - 1;
    assert!(short_runs >= 3);
    assert_eq!(found.iter().filter(|event| event["event"] == "refine").count(), short_runs, "an event for each");
    all.extend(found);
    all.extend(events(&folder, &["eval", "run"]));
    all.extend(events(&folder, &tiny("compare", &["--entrants", "linear", "--dry-run", "--out", "dry"])));
    let text = include_str!("../../docs/JSON.md");
    let mut kinds: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for event in &all {
        let mut keys: Vec<&String> = event.as_object().unwrap().keys().collect();
        keys.extend(
            event["entrants"].as_array().into_iter().flatten().flat_map(|entrant| entrant.as_object().unwrap().keys()),
        );
        keys.extend(event["runs"].as_array().into_iter().flatten().flat_map(|run| run.as_object().unwrap().keys()));
        kinds.entry(event["event"].as_str().unwrap().to_string()).or_default().extend(keys.into_iter().cloned());
    }
    for (kind, keys) in &kinds {
        assert!(text.contains(&format!("`{kind}`")), "{kind} is not described");
        let unknown: Vec<_> = keys.iter().filter(|key| !text.contains(&format!("`{key}`"))).collect();
        assert!(unknown.is_empty(), "{kind}: {unknown:?} is not described");
    }
    // Conversely, nothing is documented that does not exist; `save` needs a key press on a terminal.
    let described = text.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let kinds: BTreeSet<&str> = kinds.keys().map(String::as_str).chain(["save", "event", "run", "path"]).collect();
    for event in described {
        assert!(kinds.contains(event), "{event} is described, and there is none");
    }
}
