//! What a report is taken home as: long form, JSON, one panel with a title of one's own, PDF.

use crate::common::{TINY, lrsched};
use std::collections::BTreeSet;
use std::fs;
use tempfile::TempDir;

/// Two entrants, two seeds, two epochs.
fn compared() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let flags =
        ["--epochs", "2", "--seeds", "2", "--lr", "0.02", "--entrants", "cosine", "adam/linear", "--out", "cmp"];
    lrsched(&folder).arg("compare").args(TINY).args(flags).assert().success();
    folder
}

fn report(folder: &TempDir, flags: &[&str]) {
    lrsched(folder).args(["report", "cmp", "-q"]).args(flags).assert().success();
}

fn refused(folder: &TempDir, flags: &[&str]) -> String {
    let output = lrsched(folder).args(["report", "cmp"]).args(flags).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), said.lines().count()), (Some(2), 1), "{flags:?}: {said}");
    said
}

#[test]
fn the_long_form_has_a_row_for_each_epoch_of_each_run() {
    let folder = compared();
    report(&folder, &["-o", "epochs.csv", "--long"]);
    let mut reader = csv::Reader::from_path(folder.path().join("epochs.csv")).unwrap();
    let heads = reader.headers().unwrap().clone();
    let at = |name: &str| heads.iter().position(|head| head == name).unwrap();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 8, "2 entrants x 2 seeds x 2 epochs");
    let of = |name: &str| rows.iter().map(|row| row[at(name)].to_string()).collect::<BTreeSet<_>>();
    assert_eq!((of("seed").len(), of("epoch").len(), of("run").len()), (2, 2, 4));
    assert_eq!(of("schedule"), BTreeSet::from(["cosine".to_string(), "linear".to_string()]));
    // The numbers are those of the run's own table.
    for row in &rows {
        let own = fs::read_to_string(folder.path().join(&row[at("run")]).join("metrics.csv")).unwrap();
        let mut own = csv::Reader::from_reader(own.as_bytes());
        let own_heads = own.headers().unwrap().clone();
        let epoch: usize = row[at("epoch")].parse().unwrap();
        let own = own.records().map(Result::unwrap).nth(epoch).unwrap();
        for name in ["step", "learning_rate", "loss", "accuracy", "val_loss", "val_accuracy", "seconds"] {
            let place = own_heads.iter().position(|head| head == name).unwrap();
            assert_eq!(row[at(name)].parse::<f64>().unwrap(), own[place].parse::<f64>().unwrap(), "{name}");
        }
    }
    // Beside another output, under its name.
    report(&folder, &["-o", "both.html", "--csv", "--long"]);
    assert_eq!(fs::read(folder.path().join("both.csv")).unwrap(), fs::read(folder.path().join("epochs.csv")).unwrap());
    assert!(refused(&folder, &["-o", "x.html", "--long"]).contains("--long applies to a CSV; add --csv"));
}

#[test]
fn the_json_has_the_ranking_and_what_the_report_says_of_it() {
    let folder = compared();
    report(&folder, &["-o", "ranking.json", "--title", "Mine"]);
    let text = fs::read_to_string(folder.path().join("ranking.json")).unwrap();
    let ranking: serde_json::Value = serde_json::from_str(&text).unwrap();
    let entrants = ranking["entrants"].as_array().unwrap();
    assert_eq!((entrants.len(), &ranking["title"]), (2, &"Mine".into()));
    assert_eq!((&entrants[0]["place"], &entrants[0]["n"]), (&1.into(), &2.into()));
    assert!(entrants[0]["val_accuracy"].as_f64() >= entrants[1]["val_accuracy"].as_f64());
    assert!(!ranking["summary"].as_array().unwrap().is_empty());
}

#[test]
fn the_answer_is_said_on_stderr_and_the_files_on_stdout() {
    let folder = compared();
    let said = |flags: &[&str]| {
        let output = lrsched(&folder).args(["report", "cmp", "-o", "r.json"]).args(flags).output().unwrap();
        assert!(output.status.success());
        [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap())
    };
    let [files, answer] = said(&[]);
    let report: serde_json::Value = serde_json::from_slice(&fs::read(folder.path().join("r.json")).unwrap()).unwrap();
    assert_eq!((files.as_str(), answer.trim_end()), ("r.json\n", report["summary"][0].as_str().unwrap()));
    assert_eq!(said(&["-q"]), ["", ""]);
}

#[test]
fn one_panel_is_a_picture_of_its_own_under_a_title_of_ones_own() {
    let folder = compared();
    let read = |file: &str| fs::read_to_string(folder.path().join(file)).unwrap();
    report(
        &folder,
        &["-o", "one.svg", "--panel", "val_accuracy", "--title", "My <first> comparison", "--png", "--pdf"],
    );
    let svg = read("one.svg");
    assert!(svg.contains("My &lt;first&gt; comparison") && svg.contains("Validation accuracy"), "{svg}");
    assert!(!svg.contains("Training loss") && !svg.contains("Learning rate"), "only one panel");
    let png = fs::read(folder.path().join("one.png")).unwrap();
    assert_eq!((&png[1..4], &png[16..24]), (&b"PNG"[..], &[0, 0, 7, 8, 0, 0, 4, 96][..]), "1800 x 1120 pixels");
    let pdf = fs::read(folder.path().join("one.pdf")).unwrap();
    assert!(pdf.starts_with(b"%PDF-") && pdf.len() > 2000);
    report(&folder, &["-o", "ranking.svg", "--panel", "ranking"]);
    assert!(
        !read("ranking.svg").contains("Training loss") && !read("ranking.svg").contains("Learning rate"),
        "no curves"
    );
    report(&folder, &["-o", "all.svg"]);
    assert!(read("all.svg").contains("Training loss") && read("all.svg").contains("Learning rate"));
    let unknown = refused(&folder, &["-o", "x.png", "--panel", "val_acuracy"]);
    assert!(
        unknown.contains("did you mean `val_accuracy`?") && unknown.contains("ranking, learning_rate"),
        "{unknown}"
    );
    assert!(refused(&folder, &["--panel", "loss"]).contains("--panel is for pictures"));
    assert!(!folder.path().join("x.png").exists() && !folder.path().join("report.html").exists());
}

#[test]
fn show_and_bench_print_json_for_programs() {
    let folder = tempfile::tempdir().unwrap();
    let json = |arguments: &[&str]| -> serde_json::Value {
        let output = lrsched(&folder).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let shown =
        json(&["show", "linear", "one-cycle", "--epochs", "2", "--steps-per-epoch", "2", "--lr", "0.4", "--json"]);
    let rates: Vec<f64> = serde_json::from_value(shown["schedules"][0]["learning_rate"].clone()).unwrap();
    assert!(
        rates.len() == 4 && rates.iter().zip([0.4, 0.3, 0.2, 0.1]).all(|(a, b)| (a - b).abs() < 1e-12),
        "{rates:?}"
    );
    assert_eq!(
        (&shown["schedules"][0]["momentum"][0], &shown["steps_per_epoch"]),
        (&serde_json::Value::Null, &2.into())
    );
    assert!(shown["schedules"][1]["momentum"][0].is_number());
    assert_eq!(json(&["show", "linear", "--epochs", "1", "--format", "json"])["epochs"], 1);
    let measured = json(&["bench", "--model", "tiny", "--batch-size", "8", "--steps", "3", "--json"]);
    assert_eq!((&measured["steps"], &measured["model"]), (&3.into(), &"tiny".into()));
    assert_eq!(measured["optimizer"], "sgd:momentum=0.9");
    let muon = json(&["bench", "--model", "tiny", "--batch-size", "8", "--optimizer", "muon:ns-steps=3", "--json"]);
    assert_eq!(muon["optimizer"], "muon:ns-steps=3");
    assert!(muon["update_seconds"].as_f64().unwrap() > 0.0);
    assert!(measured["images_per_second"].as_f64().unwrap() > 0.0);
    assert!(
        measured["operations"]
            .as_array()
            .unwrap()
            .iter()
            .any(|one| one["operation"].as_str().unwrap().starts_with("conv1")),
        "{measured}"
    );
    let output = lrsched(&folder).args(["show", "linear", "--json", "--format", "csv"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}
