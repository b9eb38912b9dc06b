//! `lrsched report`: whatever the folders hold, the page shows what can be read and names what cannot.

use crate::common::{TINY, lrsched};
use assert_cmd::Command;
use lrsched::number::rate;
use lrsched::record::{ComparisonRow, EpochRow, Results, Status, write_rows};
use lrsched::report::analysis::{Asked, analyse};
use lrsched::report::load::load;
use lrsched::schedule::Semantics;
use predicates::prelude::*;
use std::fs;
use std::path::{Path, PathBuf};

pub fn row(run: &str, schedule: &str, seed: u64, accuracy: f64) -> ComparisonRow {
    ComparisonRow {
        run: run.into(),
        schedule: schedule.into(),
        optimizer: "sgd".into(),
        semantics: Semantics::Native,
        seed,
        epochs: 3,
        lr: 0.1,
        results: Results {
            loss: Some(0.5),
            accuracy: Some((accuracy + 0.05).min(1.0)),
            val_loss: Some(0.6),
            val_accuracy: Some(accuracy),
            best_val_accuracy: Some(accuracy),
            best_epoch: Some(1),
            test_loss: None,
            test_accuracy: Some((accuracy - 0.01).max(0.0)),
            seconds: Some(30.0),
        },
        status: Status::Finished,
        role: None,
    }
}

fn epochs(accuracies: &[f64]) -> Vec<EpochRow> {
    let row = |(epoch, &accuracy): (usize, &f64)| EpochRow {
        epoch: epoch as u64,
        learning_rate: 0.1 / (epoch + 1) as f64,
        loss: 1.0 - accuracy,
        accuracy,
        val_loss: Some(1.0 - accuracy),
        val_accuracy: Some(accuracy),
        step: (epoch as u64 + 1) * 100,
        images_per_second: 1000.0,
        seconds: 10.0,
        ..EpochRow::default()
    };
    accuracies.iter().enumerate().map(row).collect()
}

/// A comparison of `rows`, every run with the same three epochs.
pub fn comparison(folder: &Path, rows: &[ComparisonRow]) {
    write_rows(&folder.join("comparison.csv"), rows).unwrap();
    for row in rows {
        write_rows(&folder.join("runs").join(&row.run).join("metrics.csv"), &epochs(&[0.4, 0.6, 0.7])).unwrap();
    }
}

pub fn three_seeds(schedule: &str, accuracies: [f64; 3]) -> Vec<ComparisonRow> {
    (0..3).map(|seed| row(&format!("{schedule}-{seed}"), schedule, seed, accuracies[seed as usize])).collect()
}

#[test]
fn target_area_gap_and_the_rate_of_the_best_epoch_come_from_the_epochs() {
    let folder = tempfile::tempdir().unwrap();
    comparison(folder.path(), &[row("a", "cosine", 0, 0.7)]);
    let loaded = load(&[folder.path().to_path_buf()]);
    let (entrants, metrics) = (loaded.entrants(), loaded.metrics());
    let groups = analyse(&entrants, &metrics, &Asked { target: Some(0.6), ..Asked::default() }).unwrap();
    let analysis = &groups[0].analyses[0];
    let target = analysis.target.unwrap();
    assert_eq!((target.reached, target.steps, target.seconds), (1, Some(200.0), Some(20.0)));
    assert!((analysis.area.unwrap().mean - (0.5 + 0.65) / 2.0).abs() < 1e-12, "trapezes of 0.4, 0.6, 0.7");
    assert!((analysis.gap.unwrap().mean - 0.05).abs() < 1e-12);
    assert_eq!(analysis.rate_at_best, Some(0.05));
    let missed = analyse(&entrants, &metrics, &Asked { target: Some(0.9), ..Asked::default() }).unwrap()[0].analyses[0]
        .target
        .unwrap();
    assert_eq!((missed.reached, missed.steps, missed.seconds), (0, None, None));
}

pub fn report(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::cargo_bin("lrsched").unwrap();
    command.current_dir(folder).arg("report").args(arguments);
    command
}

#[test]
fn every_damaged_file_gets_one_line_and_the_rest_is_still_reported() {
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &str| folder.path().join(path);
    comparison(&at("good"), &three_seeds("cosine", [0.8, 0.81, 0.82]));
    comparison(&at("half"), &[row("cut", "step", 0, 0.7)]);
    let text = fs::read_to_string(at("half/runs/cut/metrics.csv")).unwrap();
    fs::write(at("half/runs/cut/metrics.csv"), &text[..text.len() - 4]).unwrap();
    let damaged: [(&str, &[u8]); 5] = [
        ("empty/metrics.csv", b""),
        ("foreign/comparison.csv", b"date,price\n2026-01-01,3\n"),
        ("corrupt/metrics.csv", b"\x89PNG\r\n\x1a\n\0\0"),
        (
            "range/range.csv",
            b"iteration,learning_rate,momentum,loss,smoothed_loss,val_accuracy\n0,1e-5,,2.3,2.3,\n1,x,,2,2,\n",
        ),
        ("json/run.json", b"{\"status\": "),
    ];
    for (path, bytes) in damaged {
        fs::create_dir_all(at(path).parent().unwrap()).unwrap();
        fs::write(at(path), bytes).unwrap();
    }
    let output =
        report(folder.path(), &[".", "no/such/folder", "-o", "report.html"]).assert().success().get_output().clone();
    let warnings = String::from_utf8(output.stderr).unwrap();
    let html = fs::read_to_string(at("report.html")).unwrap();
    for expected in [
        "half/runs/cut/metrics.csv: row 3 is cut: the file ends inside it",
        "empty/metrics.csv: the file is empty",
        "foreign/comparison.csv: row 0, the header, is `date,price`",
        "corrupt/metrics.csv: row 0, the header, is",
        "range/range.csv: row 2: `learning_rate` is `x`",
        "json/run.json: ",
        "no/such/folder: no such folder",
    ] {
        let lines: Vec<&str> = warnings.lines().filter(|line| line.contains(expected)).collect();
        assert_eq!(lines.len(), 1, "{expected}:\n{warnings}");
        let start: String = expected.chars().take_while(|c| *c != '`').collect();
        assert!(html.contains(&start), "the page does not say: {start}");
    }
    for shown in ["sgd/cosine", "sgd/step", "81.00 ± 1.00", "range0"] {
        assert!(html.contains(shown), "{shown} is missing");
    }
}

#[test]
fn the_page_asks_for_nothing_from_outside_and_names_cannot_break_it() {
    let folder = tempfile::tempdir().unwrap();
    comparison(folder.path(), &[row("a", "</script><img src=x onerror=alert(1)>", 0, 0.8)]);
    report(folder.path(), &[".", "--md", "--csv", "--svg", "--png"]).assert().success();
    let html = fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert_eq!(html.matches("</script>").count(), 2, "the data and the program, nothing else");
    assert!(
        !html.contains("<img")
            && !html.contains("http://")
            && !html.contains("https://")
            && !html.contains("<script src")
    );
    for extension in ["md", "csv", "svg", "png"] {
        assert!(folder.path().join("report").with_extension(extension).is_file(), "{extension}");
    }
}

/// run.json of a run of three epochs of 100 steps, with its manual changes: (step, setting, from, to).
fn changed_by_hand(run: &Path, changes: &[(u64, &str, &str, &str)]) {
    let change = |&(step, setting, from, to): &(u64, &str, &str, &str)| serde_json::json!({ "time": "2026-01-02T03:04:05Z", "step": step, "epoch": step / 100, "setting": setting, "from": from, "to": to });
    let info = serde_json::json!({
        "version": "0.1.0", "command": [], "config": { "optimizer": "sgd", "schedule": "cosine", "lr": 0.1, "epochs": 3, "seed": 0 },
        "git": null, "device": "cpu", "engine": "cpu", "threads": 1, "dataset": { "name": "synthetic", "digest": "00" },
        "started": "2026-01-02T03:04:05Z", "finished": null, "status": "finished",
        "changes": changes.iter().map(change).collect::<Vec<_>>(), "results": { "val_accuracy": 0.7 },
    });
    fs::write(run.join("run.json"), info.to_string()).unwrap();
}

#[test]
fn what_was_changed_by_hand_is_marked_in_the_charts_of_rates_and_losses_in_the_colour_of_its_run() {
    let folder = tempfile::tempdir().unwrap();
    comparison(&folder.path().join("plain"), &[row("a", "step", 0, 0.8)]);
    let run = folder.path().join("changed");
    write_rows(&run.join("metrics.csv"), &epochs(&[0.4, 0.6, 0.7])).unwrap();
    let rate = (120, "lr", "0.1 (cosine at 0.1)", "0.05 (constant at 0.05)");
    // The last change belongs to an epoch that has no row yet.
    let never_shown = (300, "scale-lr", "0.05 (constant at 0.05)", "0.005 (constant at 0.05 × 0.1)");
    changed_by_hand(&run, &[rate, (200, "epochs", "2", "3, schedule held"), never_shown]);
    report(folder.path(), &[".", "--svg", "--png"]).assert().success();
    let html = fs::read_to_string(folder.path().join("report.html")).unwrap();
    let data = html.split("id=data>").nth(1).unwrap().split("</script>").next().unwrap();
    let data: serde_json::Value = serde_json::from_str(data).unwrap();
    let place = data["entrants"].as_array().unwrap().iter().position(|name| name.as_str().unwrap().contains("cosine"));
    for chart in data["charts"].as_array().unwrap() {
        let marks = chart["marks"].as_array().unwrap();
        if chart["ylabel"] == "accuracy" {
            assert!(marks.is_empty(), "{chart}");
            continue;
        }
        assert_eq!(marks.len(), 2, "{chart}");
        // A rate changes at its step, and a loss shows it at its epoch.
        let at = if chart["ylabel"] == "learning rate" { 1.2 } else { 1.0 };
        assert_eq!(
            marks[0],
            serde_json::json!({ "x": at, "label": "lr 0.1 to 0.05, by hand at step 120", "i": place })
        );
        assert_eq!(marks[1]["label"], "epochs 2 to 3, schedule held, by hand at step 200");
    }
    let svg = fs::read_to_string(folder.path().join("report.svg")).unwrap();
    assert_eq!(svg.matches("lr 0.1 to 0.05, by hand at step 120").count(), 3, "rate, training loss, validation loss");
}

#[test]
fn a_run_changed_by_hand_has_a_short_name_its_own_length_and_a_command_that_tells_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let lr = |to| (120, "lr", "0.1 (cosine at 0.1)", to);
    let changes = [
        ("a", vec![lr("0.05 (constant at 0.05)"), (200, "epochs", "3", "2, schedule shortened")]),
        ("b", vec![lr("0.02 (constant at 0.02)"), (130, "scale-lr", "0.02 (constant at 0.02)", "0.002 (…)")]),
        ("c", vec![lr("0.05 (constant at 0.05)")]),
        ("d", vec![(120, "scale-lr", "0.1 (cosine at 0.1)", "0.01 (cosine at 0.1 × 0.1)")]),
        ("e", vec![(120, "schedule", "0.1 (cosine at 0.1)", "0.1 (linear at 0.1)")]),
    ];
    for (name, changes) in &changes {
        let run = folder.path().join(name);
        write_rows(&run.join("metrics.csv"), &epochs(&[0.4, 0.6])).unwrap();
        changed_by_hand(&run, changes);
    }
    report(folder.path(), &["."]).assert().success();
    let html = fs::read_to_string(folder.path().join("report.html")).unwrap();
    let data = html.split("id=data>").nth(1).unwrap().split("</script>").next().unwrap();
    let data: serde_json::Value = serde_json::from_str(data).unwrap();
    let mut names: Vec<&str> = data["entrants"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "sgd/cosine [by hand: 2 changes from epoch 1 (2)]",
            "sgd/cosine [by hand: 2 changes from epoch 1]",
            "sgd/cosine [by hand: lr 0.01 from epoch 1]",
            "sgd/cosine [by hand: lr 0.05 from epoch 1]",
            "sgd/cosine [by hand: schedule linear at 0.1 from epoch 1]",
        ]
    );
    let settings = |order: [&str; 2]| {
        let loaded = load(&order.map(|name| folder.path().join(name)));
        let mut all: Vec<_> = loaded.runs.iter().map(|run| (run.row.run.clone(), run.setting.clone())).collect();
        all.sort();
        all
    };
    assert_eq!(settings(["a", "b"]), settings(["b", "a"]), "whichever was read first");
    // Alone, it is no other run either.
    report(&folder.path().join("a"), &[".", "-o", "../alone.md"]).assert().success();
    let alone = fs::read_to_string(folder.path().join("alone.md")).unwrap();
    let changed = "Changed by hand: sgd/cosine [by hand: 2 changes from epoch 1] (lr 0.05 (constant at 0.05) from epoch 1, epochs 2, ";
    for told in ["The only entrant: sgd/cosine [by hand: 2 changes from epoch 1], ", changed] {
        assert!(alone.replace('\\', "").contains(told), "{told}: {alone}");
    }
    assert!(html.contains(">2 of 2<") && html.contains(">2 of 3<"), "the first was made shorter");
    assert!(html.contains(
        "<span class=soft>then changed by hand: lr 0.05 (constant at 0.05) from epoch 1, epochs 2, schedule shortened"
    ));
}

#[test]
fn the_lr_of_a_run_changed_by_hand_is_the_highest_of_its_logged_steps() {
    let folder = tempfile::tempdir().unwrap();
    let first = ["--epochs", "2", "--lr", "0.02", "--schedule", "constant", "--log-steps", "--out", "q"];
    lrsched(&folder).arg("train").args(TINY).args(first).assert().success();
    let rest = ["resume", "q", "--epochs", "4", "--schedule", "one-cycle:max-lr=0.2", "--lr", "0.08"];
    lrsched(&folder).args(rest).assert().success();
    lrsched(&folder).args(["report", "q", "-o", "r.md"]).assert().success();
    let highest = |file: &str| {
        let mut rows = csv::Reader::from_path(folder.path().join("q").join(file)).unwrap();
        let at = rows.headers().unwrap().iter().position(|head| head == "learning_rate").unwrap();
        rows.records().map(|row| row.unwrap()[at].parse::<f64>().unwrap()).fold(0.0, f64::max)
    };
    let (of_steps, of_epochs) = (rate(highest("steps.csv")), rate(highest("metrics.csv")));
    assert_ne!(of_steps, of_epochs, "the peak lies within an epoch");
    let markdown = fs::read_to_string(folder.path().join("r.md")).unwrap();
    assert!(!markdown.contains("lrsched train") && !markdown.contains("lrsched export"), "no command repeats it");
    assert!(markdown.contains(&format!("| {of_steps} |")) && !markdown.contains(&of_epochs), "{of_steps}: {markdown}");
}

#[test]
fn a_title_counts_one_epoch_and_several_and_the_table_has_rates_of_four_digits() {
    let folder = tempfile::tempdir().unwrap();
    for (epochs, told) in
        [("1", "tiny on 96 images of synthetic, 1 epoch<"), ("2", "tiny on 96 images of synthetic, 2 epochs<")]
    {
        let arguments = ["--epochs", epochs, "--lr", "0.0123456", "--out", epochs];
        lrsched(&folder).arg("train").args(TINY).args(arguments).assert().success();
        lrsched(&folder).args(["report", epochs, "-o", "r.html"]).assert().success();
        let html = fs::read_to_string(folder.path().join("r.html")).unwrap();
        assert!(html.contains(told), "{told}: {}", html.lines().find(|line| line.contains("<title>")).unwrap());
        assert_eq!(html.matches(">0.01235</td>").count(), 2, "lr and the rate at the best epoch");
    }
}

#[test]
fn runs_that_still_go_are_shown_with_their_status_and_in_no_mean() {
    let folder = tempfile::tempdir().unwrap();
    let mut rows = three_seeds("cosine", [0.8, 0.81, 0.1]);
    rows[2].status = Status::Interrupted;
    comparison(folder.path(), &rows);
    report(folder.path(), &["."]).assert().success();
    let html = fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert!(html.contains("1 interrupted") && html.contains("80.50 ± 0.71"));
    assert!(html.contains("1 of 3 runs has not finished"));
}

#[test]
fn of_a_run_that_was_interrupted_the_page_says_how_far_it_is_and_how_to_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let run = ["--epochs", "2", "--lr", "0.02", "--out", "q"];
    lrsched(&folder).arg("train").args(TINY).args(run).assert().success();
    let file = folder.path().join("q/run.json");
    let mut info: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    info["status"] = "interrupted".into();
    fs::write(&file, info.to_string()).unwrap();
    let said = lrsched(&folder).args(["report", "q", "--md"]).assert().success();
    let said = String::from_utf8(said.get_output().stderr.clone()).unwrap();
    assert!(said.contains("go on with the interrupted run:  ") && said.contains("lrsched resume q"), "{said}");
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    let (html, markdown) = (read("report.html"), read("report.md"));
    let accuracy = info["results"]["val_accuracy"].as_f64().unwrap() * 100.0;
    let begun = format!("Begun: sgd/constant (interrupted, {accuracy:.2} % on validation after its last whole epoch).");
    for page in [&html, &markdown] {
        assert!(page.contains("nothing can be ranked. ") && page.contains(&begun), "{begun} {page}");
        assert!(page.contains("Go on with the interrupted run:") && page.contains("lrsched resume q"), "{page}");
    }
    assert!(!html.contains("Means over seeds"), "of one run there is no mean");
    // One that was killed has no time to say so.
    info["status"] = "running".into();
    fs::write(&file, info.to_string()).unwrap();
    lrsched(&folder).args(["report", "q", "-o", "killed.md"]).assert().success();
    lrsched(&folder).args(["report", "q", "-o", "killed.json"]).assert().success();
    assert_eq!(read("killed.md"), markdown);
    let ranking: serde_json::Value = serde_json::from_str(&read("killed.json")).unwrap();
    let entrant = &ranking["entrants"][0];
    assert_eq!((&entrant["status"], &entrant["place"]), (&"interrupted".into(), &serde_json::Value::Null));
}

#[test]
fn what_another_command_began_in_a_comparison_is_resumed_since_the_last_command_does_not_train_it() {
    let folder = tempfile::tempdir().unwrap();
    let compare = |entrants: &[&str], code: i32| {
        let flags = ["--epochs", "1", "--lr", "0.02", "--out", "cmp", "--entrants"];
        let done = lrsched(&folder).arg("compare").args(TINY).args(flags).args(entrants).assert().code(code);
        String::from_utf8(done.get_output().stdout.clone()).unwrap()
    };
    let report = || {
        let done = lrsched(&folder).args(["report", "cmp"]).assert().success();
        String::from_utf8(done.get_output().stderr.clone()).unwrap()
    };
    compare(&["sgd/constant"], 0);
    let run = "cmp/runs/sgd_constant_lr=0.02_seed=0";
    let set = |file: &str, from: &str, to: &str| {
        let file = folder.path().join(file);
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(file, text.replace(from, to)).unwrap();
    };
    set(&format!("{run}/run.json"), "\"status\": \"finished\"", "\"status\": \"interrupted\"");
    set("cmp/comparison.csv", ",finished", ",interrupted");
    let of_run =
        |said: &str| said.contains("go on with the interrupted run:  ") && said.contains(&format!("resume {run}"));
    let ranked = compare(&["sgd/cosine"], 3);
    for said in [&ranked, &report()] {
        assert!(of_run(said) && !said.contains("go on ("), "{said}");
    }
    // What the last command plans comes by the command.
    set("cmp/runs/sgd_cosine_lr=0.02_seed=0/run.json", "\"status\": \"finished\"", "\"status\": \"interrupted\"");
    set("cmp/comparison.csv", ",finished", ",interrupted");
    let said = report();
    assert!(
        of_run(&said) && said.contains("go on (1 run):  ") && !said.contains("resume cmp/runs/sgd_cosine"),
        "{said}"
    );
}

#[test]
fn of_many_runs_that_were_stopped_some_are_offered_and_none_that_cannot_be_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let stop = |run: &str, status: &str, schedule: &str| {
        let file = folder.path().join(run).join("run.json");
        let mut info: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        (info["status"], info["config"]["schedule"]) = (status.into(), schedule.into());
        fs::write(&file, info.to_string()).unwrap();
    };
    let offered = |folders: &[&str]| {
        let said = lrsched(&folder).arg("report").args(folders).assert().success();
        let said = String::from_utf8(said.get_output().stderr.clone()).unwrap();
        let line = |line: &str| Some(line.strip_prefix("go on with ")?.to_string());
        said.lines().filter_map(line).collect::<Vec<_>>()
    };
    for (seed, run) in ["a", "b", "c", "d"].into_iter().enumerate() {
        let flags = ["--epochs", "1", "--seed", &seed.to_string(), "--out", run];
        lrsched(&folder).arg("train").args(TINY).args(flags).assert().success();
        stop(run, "interrupted", "constant");
    }
    let all = offered(&["a", "b", "c", "d"]);
    assert_eq!(all.len(), 3, "{all:?}");
    assert!(all.iter().all(|line| line.starts_with("one of 4 interrupted runs:  ")), "{all:?}");
    let page = fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert!(page.contains("Begun: 4 runs, "), "{page}");
    // Killed: nobody writes to it.
    stop("a", "running", "constant");
    assert!(offered(&["a"])[0].ends_with("lrsched resume a"));
    let lock = fs::File::create(folder.path().join("a/.lrsched-lock")).unwrap();
    lock.lock().unwrap();
    assert_eq!(offered(&["a"]), [""; 0], "it is being trained");
    drop(lock);
    stop("a", "interrupted", "frobnicate");
    assert_eq!(offered(&["a"]), [""; 0], "of another version");
    stop("a", "interrupted", "constant");
    let runs = folder.path().join("cmp/runs");
    fs::create_dir_all(&runs).unwrap();
    fs::rename(folder.path().join("a"), runs.join("a")).unwrap();
    fs::write(folder.path().join("cmp/comparison.csv"), "run\n").unwrap();
    assert_eq!(offered(&["cmp/runs/a"]), [""; 0], "its comparison goes on as a whole");
}

#[test]
fn every_head_of_the_table_stands_over_its_own_figures() {
    let folder = tempfile::tempdir().unwrap();
    comparison(folder.path(), &[row("a", "cosine", 0, 0.7)]);
    report(folder.path(), &[".", "--target", "0.6", "--md"]).assert().success();
    let markdown = fs::read_to_string(folder.path().join("report.md")).unwrap();
    assert!(markdown.contains("; 60 % after 200 steps, 20s (1 of 1 run)"), "{markdown}");
    report(folder.path(), &[".", "--target", "0.99", "--md", "-o", "far.json"]).assert().success();
    let markdown = fs::read_to_string(folder.path().join("far.md")).unwrap();
    assert!(markdown.contains("; 99 % not reached"), "{markdown}");
    let far: serde_json::Value = serde_json::from_slice(&fs::read(folder.path().join("far.json")).unwrap()).unwrap();
    assert_eq!(far["entrants"][0]["target"]["reached"], 0);
    let html = fs::read_to_string(folder.path().join("report.html")).unwrap();
    let texts = |row: &str, tag: &str| -> Vec<String> {
        let cells = row.split(tag).skip(1).map(|cell| cell.split_once('>').unwrap().1);
        cells.map(|cell| cell.split("</t").next().unwrap().to_string()).collect()
    };
    let (mut heads, mut cells) = (Vec::new(), Vec::new());
    // The claims, and the further figures.
    for table in html.split("<table class=sortable>").skip(1).take(2) {
        let table = table.split("</table>").next().unwrap();
        heads.extend(texts(table.split("</thead>").next().unwrap(), "<th "));
        let body = table.split("<tbody>").nth(1).unwrap().replace("<td", "<th ").replace("<th  ", "<th ");
        cells.extend(texts(&body, "<th "));
        assert_eq!(heads.len(), cells.len(), "{heads:?}\n{cells:?}");
    }
    let of = |head: &str| {
        cells[heads.iter().position(|h| h == head).unwrap_or_else(|| panic!("{head}: {heads:?}"))].as_str()
    };
    for (head, cell) in [
        ("entrant", "sgd/cosine"),
        ("validation %", "70.00"),
        ("n", "1"),
        ("verdict", "the only entrant"),
        ("highest validation % of any epoch", "70.00"),
        ("test %", "69.00"),
        ("lr", "0.1"),
        ("best epoch", "1"),
        ("rate at best", "0.05"),
        ("gap, points", "5.00"),
        ("area %", "57.50"),
        ("steps to 0.6", "200 (1 of 1)"),
        ("time to 0.6", "20s (1 of 1)"),
        ("time", "30s"),
    ] {
        assert_eq!(of(head), cell, "{head}");
    }
}

#[test]
fn nothing_to_report_on_is_an_error_and_a_target_that_is_no_accuracy_is_the_users() {
    let folder = tempfile::tempdir().unwrap();
    report(folder.path(), &["."]).assert().code(1).stderr(predicate::str::contains("nothing to report on"));
    report(folder.path(), &[".", "--target", "80"])
        .assert()
        .code(2)
        .stderr(predicate::str::contains("such as 0.8, got 80"));
    assert!(!folder.path().join("report.html").exists());
}

#[cfg(unix)]
#[test]
fn each_folder_is_read_once_through_whatever_links_and_cycles() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    comparison(&folder.path().join("good"), &three_seeds("cosine", [0.8, 0.81, 0.82]));
    for link in 0..9 {
        symlink(".", folder.path().join(format!("cycle-{link}"))).unwrap();
        symlink("..", folder.path().join(format!("good/up-{link}"))).unwrap();
    }
    // The link sorts before the folder, which is still shown under its own name.
    symlink("good", folder.path().join("a-link")).unwrap();
    std::fs::create_dir(folder.path().join("broken")).unwrap();
    std::fs::write(folder.path().join("broken/metrics.csv"), "").unwrap();
    let loaded = load(&[folder.path().to_path_buf()]);
    assert_eq!((loaded.runs.len(), loaded.complaints.len()), (3, 1), "{:?}", loaded.complaints);
    assert!(loaded.runs.iter().all(|run| run.row.run.contains("/good/runs/")), "{:?}", loaded.runs);
}

#[test]
fn a_run_named_twice_counts_once() {
    let folder = tempfile::tempdir().unwrap();
    comparison(folder.path(), &three_seeds("cosine", [0.8, 0.81, 0.82]));
    let twice: Vec<PathBuf> = vec![folder.path().to_path_buf(), folder.path().join("runs/..")];
    let loaded = load(&twice);
    assert_eq!((loaded.runs.len(), loaded.complaints.len()), (3, 3), "{:?}", loaded.complaints);
}

#[test]
fn the_output_is_what_its_name_ends_in_and_another_ending_is_refused_with_those_that_work() {
    let folder = tempfile::tempdir().unwrap();
    comparison(&folder.path().join("cmp"), &[row("a", "cosine", 0, 0.8)]);
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
    for (name, start) in [
        ("r.png", &b"\x89PNG"[..]),
        ("r.PNG", b"\x89PNG"),
        ("r.svg", b"<svg"),
        ("r.md", b"# "),
        ("r.csv", b"entrant,"),
        ("r.html", b"<!doctype html>"),
        ("page", b"<!doctype html>"),
    ] {
        report(folder.path(), &["cmp", "-o", name]).assert().success().stdout(format!("{name}\n"));
        assert!(read(name).starts_with(start), "{name}");
    }
    let here = folder.path().canonicalize().unwrap().join("report.html");
    report(folder.path(), &["cmp"]).assert().success().stdout(format!("{}\n", here.display()));
    report(folder.path(), &["cmp", "-o", ".csv"]).assert().success();
    assert!(
        fs::read_to_string(folder.path().join(".csv")).unwrap().starts_with("entrant,"),
        "a name that is only an ending"
    );
    report(folder.path(), &["cmp", "-o", "twice.csv", "--csv", "--md"])
        .assert()
        .success()
        .stdout("twice.csv\ntwice.md\n");
    assert!(read("twice.csv").starts_with(b"entrant,"));
    for name in ["r.doc", "r.jpg", "r.txt", "r.html.gz"] {
        let refused = report(folder.path(), &["cmp", "-o", name]).assert().code(2);
        refused.stderr(
            predicate::str::contains(".html, .png, .svg, .pdf, .md, .csv or .json").and(predicate::str::contains(name)),
        );
        assert!(!folder.path().join(name).exists());
    }
}

#[test]
fn no_output_overwrites_what_is_read_or_belongs_to_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    comparison(&at("cmp"), &[row("a", "cosine", 0, 0.8)]);
    for name in ["run.json", "steps.csv", "metrics.csv"] {
        fs::create_dir_all(at("run")).unwrap();
        fs::write(at("run").join(name), "kept").unwrap();
    }
    let metrics = fs::read(at("cmp/runs/a/metrics.csv")).unwrap();
    fs::hard_link(at("cmp/runs/a/metrics.csv"), at("twin.csv")).unwrap();
    let refused = |arguments: &[&str]| {
        let mut command = Command::cargo_bin("lrsched").unwrap();
        let output = command.current_dir(folder.path()).args(arguments).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && said.contains("would be overwritten"), "{arguments:?}: {said}");
        // `report` says first what it cannot read.
        assert!(arguments[0] == "report" || said.lines().count() == 1, "before any note: {said}");
    };
    for output in [
        "cmp/comparison.csv",
        "cmp/runs/a/metrics.csv",
        "./cmp/runs/../runs/a/metrics.csv",
        "twin.csv",
        "run/steps.csv",
    ] {
        refused(&["report", "cmp", "-o", output]);
    }
    for (format, output) in
        [("csv", "cmp/comparison.csv"), ("csv", "run/metrics.csv"), ("csv", "run/steps.csv"), ("json", "run/run.json")]
    {
        refused(&["show", "cosine", "--format", format, "-o", output]);
    }
    refused(&["report", "cmp", "-o", "run/run.json"]);
    refused(&["report", "cmp", "--csv", "-o", "cmp/comparison.html"]);
    refused(&["diff", "cosine", "-o", "run/steps.csv"]);
    refused(&["descend", "-o", "run/steps.csv"]);
    refused(&["show", "plateau", "--metrics", "twin.csv", "-o", "twin.csv"]);
    refused(&["show", "wsd:decay=0", "-o", "run/steps.csv"]);
    assert_eq!(fs::read(at("cmp/runs/a/metrics.csv")).unwrap(), metrics);
    assert_eq!(fs::read(at("run/steps.csv")).unwrap(), b"kept");
    assert!(!at("cmp/comparison.html").exists());
}

#[test]
fn an_output_that_no_file_can_be_written_to_is_refused_before_any_note() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    fs::create_dir(folder.path().join("folder")).unwrap();
    for (output, said) in [
        ("", "the file to write has no name"),
        ("folder", "folder names a folder; name a file"),
        ("new/", "new/ names a folder; name a file"),
        ("file/x.csv", "cannot write file/x.csv: file is not a folder; name another output"),
    ] {
        for arguments in [&["show", "wsd:decay=0"][..], &["diff", "one-cycle"], &["descend", "--lr", "1e300"]] {
            let mut command = Command::cargo_bin("lrsched").unwrap();
            let refused = command.current_dir(folder.path()).args(arguments).args(["-o", output]).assert().code(2);
            refused.stderr(format!("error: {said}\n"));
        }
    }
    assert!(!folder.path().join("new").exists());
}

#[cfg(unix)]
#[test]
fn a_file_is_replaced_with_its_mode_through_links_and_without_a_trace_of_the_way_to_it() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let show = |output: &str| {
        let mut command = Command::cargo_bin("lrsched").unwrap();
        command.current_dir(folder.path()).args(["show", "cosine", "--format", "csv", "-o", output]).assert()
    };
    fs::write(at("private.csv"), "").unwrap();
    fs::set_permissions(at("private.csv"), fs::Permissions::from_mode(0o600)).unwrap();
    show("private.csv").success();
    let replaced = at("private.csv").metadata().unwrap();
    assert!(replaced.len() > 0 && replaced.permissions().mode() & 0o777 == 0o600);
    show("new/../rates.csv").success();
    assert!(at("rates.csv").exists() && !at("new").exists());
    symlink("b", at("a")).unwrap();
    symlink("a", at("b")).unwrap();
    show("a").code(2).stderr("error: cannot write a: its link leads back to itself; name another output\n");
    assert!(at("a").is_symlink());
}

#[cfg(unix)]
#[test]
fn what_goes_to_dev_stdout_follows_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    fs::write(&log, "head\n").unwrap();
    let file = fs::OpenOptions::new().append(true).open(&log).unwrap();
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin("lrsched"));
    command.args(["show", "cosine", "--format", "csv", "-o", "/dev/stdout"]).stdout(file);
    assert!(command.status().unwrap().success());
    assert!(fs::read_to_string(&log).unwrap().starts_with("head\nstep,epoch,"));
    // What lies below /dev otherwise is a file as any other.
    let Ok(memory) = tempfile::tempdir_in("/dev/shm") else { return };
    let file = memory.path().join("rates.csv");
    for _ in 0..2 {
        lrsched(&folder).args(["show", "cosine", "--format", "csv", "-o"]).arg(&file).assert().success();
    }
    assert_eq!(fs::read_to_string(&file).unwrap().matches("step,epoch,").count(), 1);
}

#[test]
fn a_csv_holds_no_formula_and_markdown_no_markup_of_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let mut bad = row("a", "=HYPERLINK(\"http://x\")", 0, 0.8);
    bad.optimizer = "@SUM(A1)".into();
    let html = row("b", "`<img src=x onerror=alert(1)>`|x\u{1b}[2J\n# y", 0, 0.7);
    comparison(folder.path(), &[bad, html]);
    report(folder.path(), &[".", "--md", "--csv"]).assert().success();
    let csv = fs::read(folder.path().join("report.csv")).unwrap();
    let mut reader = csv::Reader::from_reader(csv.as_slice());
    let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!((&records[0][1], &records[0][2]), ("'@SUM(A1)", "'=HYPERLINK(\"http://x\")"));
    assert_eq!(&records[1][17], "0.10000000000000009", "a number stays one");
    for cell in records.iter().flatten().filter(|cell| cell.parse::<f64>().is_err()) {
        assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell}");
    }
    let markdown = fs::read_to_string(folder.path().join("report.md")).unwrap();
    assert!(!markdown.contains("<img") && !markdown.contains('\u{1b}') && !markdown.contains("\n# y"), "{markdown}");
    let rows: Vec<&str> = markdown.lines().filter(|line| line.starts_with('|')).collect();
    let cells = |line: &str| line.replace("\\|", "").matches('|').count();
    assert!(rows.len() == 4 && rows.iter().all(|line| cells(line) == cells(rows[0])), "{markdown}");
}

#[test]
fn two_ways_to_write_an_entrant_are_one_and_the_same_seed_of_both_counts_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut rows =
        [three_seeds("step", [0.8, 0.81, 0.82]), three_seeds("step:factor=0.5,drop-every=10", [0.8, 0.81, 0.9])]
            .concat();
    rows.remove(2);
    rows.iter_mut().enumerate().for_each(|(place, row)| row.run = format!("run{place}"));
    rows[4].optimizer = "sgd:lr=0.1,momentum=0".into();
    comparison(folder.path(), &rows);
    let loaded = load(&[folder.path().to_path_buf()]);
    let entrants = loaded.entrants();
    assert_eq!(entrants.len(), 1, "{entrants:?}");
    let seeds: Vec<u64> = entrants[0].runs.iter().map(|run| run.seed).collect();
    assert_eq!(seeds, [0, 1, 2]);
    assert_eq!(loaded.complaints.iter().filter(|line| line.contains("the same run as")).count(), 2);
}
