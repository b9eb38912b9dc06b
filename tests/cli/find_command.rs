//! `lrsched find`, as a user runs it.

use crate::common::{TINY, cifar10, lrsched};
use lrsched::shell::quoted;
use lrsched::stats::suggest::show;
use std::collections::HashMap;
use std::fs;
use std::process::Output;

/// A quick test that finds a rate: the embedded images are learned within 60 small batches.
const QUICK: [&str; 8] = ["--steps", "60", "--min-lr", "1e-4", "--eval-images", "50", "--eval-every", "2"];

fn find(folder: &tempfile::TempDir, flags: &[&str]) -> Output {
    lrsched(folder).arg("find").args(TINY).args(["--out", "test"]).args(flags).output().unwrap()
}

fn read(folder: &tempfile::TempDir, file: &str) -> String {
    fs::read_to_string(folder.path().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn rows(folder: &tempfile::TempDir, file: &str) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_path(folder.path().join(file)).unwrap();
    reader.records().map(|record| record.unwrap().iter().map(String::from).collect()).collect()
}

fn rows_by_name(folder: &tempfile::TempDir, file: &str) -> Vec<HashMap<String, String>> {
    let mut reader = csv::Reader::from_path(folder.path().join(file)).unwrap();
    reader.deserialize().map(Result::unwrap).collect()
}

fn column(rows: &[Vec<String>], place: usize) -> Vec<f64> {
    rows.iter().map(|row| row[place].parse().unwrap()).collect()
}

/// The commands at the end of the output, each after what it is for. They call the program as it was called.
fn commands(stdout: &str) -> Vec<(&str, &str)> {
    let program = format!("{} ", quoted(env!("CARGO_BIN_EXE_lrsched")));
    let lines: Vec<&str> = stdout.lines().collect();
    let commands = lines.windows(2).filter_map(|pair| Some((pair[0], pair[1].strip_prefix("  ")?)));
    commands.filter(|(_, command)| command.starts_with(&program)).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What find.json has on one method.
fn suggestion(info: &serde_json::Value, method: &str) -> serde_json::Value {
    let all = info["suggestions"].as_array().unwrap();
    all.iter().find(|one| one["method"] == method).unwrap_or_else(|| panic!("{method}: {info}")).clone()
}

#[test]
fn a_test_leaves_its_table_pictures_and_everything_needed_to_do_it_again() {
    let folder = tempfile::tempdir().unwrap();
    let output = find(&folder, &[&QUICK[..], &["--max-lr", "0.1", "--momentum", "0.9"]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let table = read(&folder, "test/range.csv");
    assert_eq!(table.lines().next(), Some("iteration,learning_rate,momentum,loss,smoothed_loss,val_accuracy"));
    let rows = rows(&folder, "test/range.csv");
    let iterations: Vec<String> = rows.iter().map(|row| row[0].clone()).collect();
    assert_eq!(iterations, (0..60).map(|i| i.to_string()).collect::<Vec<_>>());
    assert!(rows.iter().all(|row| row[2] == "0.9"));
    // min · (max / min)^(i/n), n the last iteration.
    for (i, rate) in column(&rows, 1).into_iter().enumerate() {
        assert!((rate / (1e-4 * 1000_f64.powf(i as f64 / 59.0)) - 1.0).abs() < 1e-12, "{i}: {rate}");
    }
    // The accuracy is evaluated every second iteration, and after the last one.
    let looked: Vec<bool> = rows.iter().map(|row| !row[5].is_empty()).collect();
    assert_eq!(looked, (0..60).map(|i| i % 2 == 0 || i == 59).collect::<Vec<_>>());
    // Bias-corrected: mₜ = 0.9 mₜ₋₁ + 0.1 xₜ, over 1 − 0.9ᵗ.
    let (losses, smoothed) = (column(&rows, 3), column(&rows, 4));
    let mut average = 0.0;
    for (t, (loss, smoothed)) in losses.iter().zip(&smoothed).enumerate() {
        average = 0.9 * average + 0.1 * loss;
        let expected = average / (1.0 - 0.9_f64.powi(t as i32 + 1));
        assert!((smoothed / expected - 1.0).abs() < 1e-9, "{t}: {smoothed}, expected {expected}");
    }
    for picture in ["range.png", "range.svg"] {
        assert!(fs::metadata(folder.path().join("test").join(picture)).unwrap().len() > 1000);
    }
    let info: serde_json::Value = serde_json::from_str(&read(&folder, "test/find.json")).unwrap();
    assert_eq!((&info["status"], &info["config"]["mode"]), (&"finished".into(), &"exponential".into()));
    assert!(info["suggested_lr"].as_f64().unwrap() > 0.0);
    assert_eq!(info["tests"][0]["iterations"], 60);
    assert!(!folder.path().join("test/weights.safetensors").exists());
}

#[test]
fn it_ends_with_commands_that_run_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let output = find(&folder, &[&QUICK[..], &["--max-lr", "3", "--momentum", "0.9", "--nesterov"]].concat());
    let stdout = text(&output.stdout);
    assert!(output.status.success(), "{stdout}{}", text(&output.stderr));
    assert!(!stdout.contains("NaN") && !stdout.contains("None"), "{stdout}");
    for method in
        ["refined", "turn", "plateau", "valley", "steepest", "minimum/10", "Smith's base", "Smith's max", "max/4"]
    {
        assert!(stdout.contains(method), "{method}: {stdout}");
    }
    let info: serde_json::Value = serde_json::from_str(&read(&folder, "test/find.json")).unwrap();
    let commands = commands(&stdout);
    assert_eq!(commands.len(), 2, "{stdout}");
    let suggested = info["suggested_lr"].as_f64().unwrap();
    let base = format!("--lr {}", show(suggested));
    for (place, ((purpose, command), (said, parts))) in commands
        .iter()
        .zip([("30 epochs at this rate", &[base.as_str()][..]), ("one cycle", &["one-cycle", "--div-factor 4"])])
        .enumerate()
    {
        assert!(purpose.contains(said) && purpose.ends_with(':'), "{purpose}");
        assert!(parts.iter().all(|part| command.contains(part)), "{command}: {parts:?}");
        if let Some((_, peak)) = command.split_once("--max-lr ") {
            let peak: f64 = peak.split(' ').next().unwrap().parse().unwrap();
            assert!((0.99..2.01).contains(&(peak / suggested)), "{command}: up to twice {suggested}");
        }
        for setting in
            ["--optimizer sgd:momentum=0.9,nesterov", "--train-limit 96", "--batch-size 32", "--dataset synthetic"]
        {
            assert!(command.contains(setting), "{command}");
        }
        let script = format!("{command} --epochs 2 -q --out run{place}");
        let status = std::process::Command::new("sh").args(["-c", &script]).current_dir(&folder).status().unwrap();
        assert!([Some(0), Some(4)].contains(&status.code()), "{script}: {status}");
        assert!(read(&folder, &format!("run{place}/run.json")).contains("sgd:momentum=0.9,nesterov"));
    }
}

#[test]
fn the_rate_is_for_a_run_of_the_epochs_that_are_given_in_the_record_the_commands_and_the_report() {
    let folder = tempfile::tempdir().unwrap();
    let suggested = |epochs: &str| {
        let flags = [&QUICK[..], &["--max-lr", "0.3", "--momentum", "0.9", "--force", "--for-epochs", epochs]].concat();
        let stdout = text(&find(&folder, &flags).stdout);
        assert!(stdout.contains(&format!("--epochs {epochs}")), "{stdout}");
        let info: serde_json::Value = serde_json::from_str(&read(&folder, "test/find.json")).unwrap();
        // 96 images in batches of 32: 3 updates per epoch.
        let updates = epochs.parse::<u64>().unwrap() * 3;
        assert_eq!(info["run_updates"], updates);
        assert!(
            stdout
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
                .contains(&format!("a run of {updates} updates ({epochs} epochs)"))
        );
        lrsched(&folder).args(["report", "test", "--md"]).assert().success();
        let markdown = read(&folder, "report.md");
        for method in ["refined", "turn"] {
            assert!(markdown.contains(suggestion(&info, method)["reason"].as_str().unwrap()), "{markdown}");
        }
        suggestion(&info, "turn")["rate"].as_f64().unwrap()
    };
    let grown = suggested("60") / suggested("40");
    assert!((grown - 1.5).abs() < 1e-9, "{grown}");
}

#[test]
fn the_length_that_the_rate_is_for_is_said_if_it_is_the_usual_one_too() {
    let folder = tempfile::tempdir().unwrap();
    // 30 epochs of 3 updates: fewer than a test tells apart; the short runs are as long as the run.
    for (refine, told) in [
        (&["--refine", "0"][..], "for a run of at most 100 updates (30 epochs take 90)"),
        (&["--force"], "for a run of 90 updates (30 epochs)"),
    ] {
        let flags = [&QUICK[..], &["--max-lr", "0.3", "--momentum", "0.9"], refine].concat();
        let stdout = text(&find(&folder, &flags).stdout);
        let words: Vec<&str> = stdout.split_whitespace().collect();
        assert!(words.join(" ").contains(told), "{stdout}");
    }
}

#[test]
fn short_runs_around_the_rate_of_the_test_and_beyond_it_settle_the_rate() {
    let folder = tempfile::tempdir().unwrap();
    let flags = [&QUICK[..], &["--max-lr", "1", "--momentum", "0.9", "--seeds", "2", "--seed", "5"]].concat();
    let output = find(&folder, &flags);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let info: serde_json::Value = serde_json::from_str(&read(&folder, "test/find.json")).unwrap();
    let turn = suggestion(&info, "turn")["rate"].as_f64().unwrap();
    assert_eq!(
        read(&folder, "test/refine.csv").lines().next(),
        Some("learning_rate,seed,updates,val_loss,val_accuracy,val_images")
    );
    let rows = rows(&folder, "test/refine.csv");
    let runs: Vec<(String, &str)> = rows.iter().map(|row| (row[0].clone(), row[1].as_str())).collect();
    let tried: Vec<f64> = column(&rows, 0).chunks(2).map(|both| both[0]).collect();
    let expected: Vec<(String, &str)> =
        tried.iter().flat_map(|rate| [(show(*rate), "5"), (show(*rate), "6")]).collect();
    assert_eq!(runs, expected);
    assert!([0.5, 1.0, 2.0].iter().all(|times| tried.contains(&show(turn * times).parse().unwrap())), "{tried:?}");
    assert!(tried.windows(2).all(|pair| (pair[1] / pair[0] / 2.0 - 1.0).abs() < 0.01), "{tried:?}");
    // 30 epochs of 3 updates: fewer than 350, and than twice the test.
    assert!(rows.iter().all(|row| row[2] == "90" && row[5] == "50"), "{rows:?}");
    // As long as the best is at an end, there is another beyond it.
    let accuracies: Vec<f64> = column(&rows, 4).chunks(2).map(|both| f64::midpoint(both[0], both[1])).collect();
    let highest = accuracies.iter().copied().fold(0.0, f64::max);
    let best: Vec<usize> = (0..tried.len()).filter(|&place| accuracies[place] == highest).collect();
    assert!(tried.len() == 7 || best.len() > 1 || (1..tried.len() - 1).contains(&best[0]), "{accuracies:?}");
    // ln rate = Σ w·ln rate / Σ w over the three neighbours that did best, w the squared odds of the mean accuracy of both seeds.
    let start = (0..=tried.len() - 3).rev().max_by(|&a, &b| {
        let sum = |start: usize| accuracies[start..start + 3].iter().sum::<f64>();
        sum(a).total_cmp(&sum(b))
    });
    let (mut total, mut sum) = (0.0, 0.0);
    for place in start.unwrap()..start.unwrap() + 3 {
        let correct = 100.0 * accuracies[place];
        let weight = ((correct + 0.5) / (100.0 - correct + 0.5)).powi(2);
        total += weight;
        sum += weight * tried[place].ln();
    }
    let refined = suggestion(&info, "refined");
    assert!((refined["rate"].as_f64().unwrap() / (sum / total).exp() - 1.0).abs() < 1e-9, "{refined}");
    assert_eq!(
        (&info["suggested_lr"], &refined["seeds"]),
        (&show((sum / total).exp()).parse::<f64>().unwrap().into(), &2.into())
    );
    // The report has it from the table, and from the rows of one seed if only that is asked for.
    lrsched(&folder).args(["report", "test", "--md"]).assert().success();
    let markdown = read(&folder, "report.md");
    assert!(markdown.contains(refined["reason"].as_str().unwrap()));
    assert_eq!(markdown.matches("Suggested rate").count(), 1, "{markdown}");
    lrsched(&folder).args(["report", "test/seed-6", "--md"]).assert().success();
    let one = read(&folder, "report.md");
    assert!(one.contains("| refined |") && !one.contains(refined["reason"].as_str().unwrap()), "{one}");
}

#[test]
fn a_short_run_is_the_run_of_train_at_that_rate() {
    let folder = tempfile::tempdir().unwrap();
    let output = find(&folder, &[&QUICK[..], &["--max-lr", "1", "--momentum", "0.9", "--refine", "6"]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    for (place, row) in rows(&folder, "test/refine.csv").into_iter().enumerate() {
        let out = format!("run{place}");
        let flags = ["--momentum", "0.9", "--epochs", "2", "--lr", &row[0], "--out", &out];
        lrsched(&folder).arg("train").args(TINY).args(flags).assert().success();
        let epochs = rows_by_name(&folder, &format!("{out}/metrics.csv"));
        let last = epochs.last().unwrap();
        assert_eq!((&row[3], &row[4]), (&last["val_loss"], &last["val_accuracy"]), "{row:?}");
    }
}

#[test]
fn without_short_runs_the_curves_decide_and_no_table_of_earlier_ones_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let flags = [&QUICK[..], &["--max-lr", "1", "--momentum", "0.9"]].concat();
    assert!(find(&folder, &flags).status.success());
    assert!(folder.path().join("test/refine.csv").exists());
    let stdout = text(&find(&folder, &[&flags[..], &["--refine", "0", "--force"]].concat()).stdout);
    assert!(stdout.contains("(turn)") && !stdout.contains("refine"), "{stdout}");
    assert!(!folder.path().join("test/refine.csv").exists());
    // A file of that name that is not ours stays, and says so.
    fs::write(folder.path().join("test/refine.csv"), "mine\n").unwrap();
    let refused = find(&folder, &[&flags[..], &["--force"]].concat());
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("refine.csv"), "{}", text(&refused.stderr));
}

#[cfg(unix)]
#[test]
fn ctrl_c_during_the_short_runs_leaves_no_suggestion() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_lrsched"));
    command.arg("find").args(TINY).args(QUICK).args(["--max-lr", "1", "--momentum", "0.9", "--refine", "9000000"]);
    command.args(["--out", "test", "--json"]);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let running = command.current_dir(&folder).spawn().unwrap();
    let record = folder.path().join("test/find.json");
    let tested = || {
        let info: Option<serde_json::Value> =
            fs::read(&record).ok().and_then(|json| serde_json::from_slice(&json).ok());
        info.is_some_and(|info| info["tests"][0]["iterations"] == 60)
    };
    while !tested() {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let kill = std::process::Command::new("kill").args(["-INT", &running.id().to_string()]).status().unwrap();
    assert!(kill.success());
    let output = running.wait_with_output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.contains("stopped before its end: there is no suggestion"), "{said}");
    let info: serde_json::Value = serde_json::from_str(&read(&folder, "test/find.json")).unwrap();
    assert_eq!((&info["status"], &info["suggested_lr"]), (&"interrupted".into(), &serde_json::Value::Null));
    assert!(!folder.path().join("test/refine.csv").exists());
    let last: serde_json::Value = serde_json::from_str(text(&output.stdout).lines().last().unwrap()).unwrap();
    assert_eq!((&last["event"], &last["status"]), (&"finish".into(), &"interrupted".into()));
    // A report does not suggest what the test did not.
    lrsched(&folder).args(["report", "test", "-o", "r.json"]).assert().success();
    let report: serde_json::Value = serde_json::from_str(&read(&folder, "r.json")).unwrap();
    assert_eq!(report["range_tests"][0]["suggested_lr"], serde_json::Value::Null);
    let said = "No rate is suggested: the range test is not finished (it was stopped before its end).";
    assert!(report["summary"].to_string().contains(said), "{report}");
}

#[cfg(unix)]
#[test]
fn short_runs_that_have_ended_are_kept_whatever_stops_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_lrsched"));
    command.arg("find").args(TINY).args(QUICK).args(["--max-lr", "1", "--momentum", "0.9", "--refine", "500"]);
    let mut running = command.args(["--out", "test"]).current_dir(&folder).spawn().unwrap();
    let table = folder.path().join("test/refine.csv");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(120);
    while !table.exists() {
        assert!(std::time::Instant::now() < deadline, "no short run ended");
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    running.kill().unwrap();
    running.wait().unwrap();
    let kept = rows(&folder, "test/refine.csv");
    assert!((1..3).contains(&kept.len()) && kept.iter().all(|row| row[2] == "500"), "{kept:?}");
}

#[test]
fn an_optimizer_that_takes_the_place_of_a_decay_is_not_sent_into_one_cycle() {
    let folder = tempfile::tempdir().unwrap();
    let flags = [&QUICK[..], &["--max-lr", "10", "--optimizer", "schedule-free-sgd", "--refine", "0"]].concat();
    let stdout = text(&find(&folder, &flags).stdout);
    assert_eq!(commands(&stdout).len(), 1, "{stdout}");
    assert!(!stdout.contains("one-cycle"), "{stdout}");
}

#[test]
fn a_rate_that_every_short_run_refutes_is_said_to_be_one() {
    let folder = tempfile::tempdir().unwrap();
    // So short that nothing is learned, at a rate as high as the test found it.
    let flags = [&QUICK[..], &["--max-lr", "1", "--momentum", "0.9", "--refine", "1"]].concat();
    let stdout = text(&find(&folder, &flags).stdout);
    let told: String = stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("(turn)") && told.contains("But no short run learned anything: "), "{stdout}");
    assert!(told.contains("this rate may be too high, or the runs too short"), "{stdout}");
}

#[test]
fn a_report_with_rows_missing_does_not_put_the_commands_under_another_rate() {
    let folder = tempfile::tempdir().unwrap();
    find(&folder, &[&QUICK[..], &["--momentum", "0.9", "--max-lr", "1"]].concat());
    let recorded: serde_json::Value = serde_json::from_str(&read(&folder, "test/find.json")).unwrap();
    let reported = || {
        lrsched(&folder).args(["report", "test", "-o", "r.json"]).assert().success();
        lrsched(&folder).args(["report", "test", "--md"]).assert().success();
        let report: serde_json::Value = serde_json::from_str(&read(&folder, "r.json")).unwrap();
        (report["range_tests"][0]["suggested_lr"].clone(), read(&folder, "report.md"))
    };
    let (rate, page) = reported();
    assert_eq!(rate, recorded["suggested_lr"], "under one key, one value");
    assert!(page.contains("lrsched train ") && !page.contains("find.json has"), "{page}");
    fs::remove_file(folder.path().join("test/refine.csv")).unwrap();
    let (rate, page) = reported();
    assert_ne!(rate, recorded["suggested_lr"]);
    let said = format!(
        "find.json has {}: rows are missing here, or another version suggested it.",
        show(recorded["suggested_lr"].as_f64().unwrap())
    );
    assert!(page.contains(&said) && !page.contains("lrsched train "), "{page}");
}

#[test]
fn linear_and_triangular_tests_go_by_their_formulas() {
    let folder = tempfile::tempdir().unwrap();
    let rates = |mode: &str| {
        let flags = ["--mode", mode, "--min-lr", "0.001", "--max-lr", "0.005", "--steps", "9", "--force"];
        find(&folder, &flags);
        column(&rows(&folder, "test/range.csv"), 1)
    };
    let near = |found: &[f64], expected: &[f64]| {
        assert_eq!(found.len(), expected.len());
        assert!(found.iter().zip(expected).all(|(a, b)| (a / b - 1.0).abs() < 1e-12), "{found:?}");
    };
    near(&rates("linear"), &[0.001, 0.0015, 0.002, 0.0025, 0.003, 0.0035, 0.004, 0.0045, 0.005]);
    near(&rates("triangular"), &[0.001, 0.002, 0.003, 0.004, 0.005, 0.004, 0.003, 0.002, 0.001]);
}

#[test]
fn a_test_that_blows_up_stops_there_keeps_its_rows_and_still_suggests() {
    let folder = tempfile::tempdir().unwrap();
    let output = find(&folder, &["--steps", "120", "--min-lr", "1e-4", "--max-lr", "1e6", "--eval-images", "50"]);
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    let rows = rows(&folder, "test/range.csv");
    assert!(rows.len() < 120, "it went on to the end");
    let smoothed = column(&rows, 4);
    let mut best = f64::INFINITY;
    for (i, loss) in smoothed.iter().enumerate() {
        let over = !loss.is_finite() || *loss > 4.0 * best;
        assert_eq!(over, i + 1 == smoothed.len(), "iteration {i}: {loss} after {best}");
        best = best.min(*loss);
    }
    assert!(!stdout.contains("NaN"), "{stdout}{stderr}");
    assert!(read(&folder, "test/find.json").contains("\"finished\""));
}

#[test]
fn where_nothing_is_learned_every_method_says_why_and_the_exit_code_is_4() {
    let folder = tempfile::tempdir().unwrap();
    let output = find(&folder, &["--steps", "40", "--min-lr", "1e-9", "--max-lr", "1e-8", "--eval-images", "50"]);
    let stdout = text(&output.stdout);
    assert_eq!(output.status.code(), Some(4), "{stdout}");
    assert!(stdout.contains("nothing was learned") && stdout.contains("No method can suggest a rate"), "{stdout}");
    assert!(stdout.contains("–  as turn"), "one reason is given once: {stdout}");
    let info: serde_json::Value = serde_json::from_str(&read(&folder, "test/find.json")).unwrap();
    assert!(info["suggested_lr"].is_null());
    // Diverges at once at this rate: two rows, the second of them NaN.
    let output = find(&folder, &["--steps", "40", "--min-lr", "1e30", "--max-lr", "1e31", "--force"]);
    assert_eq!(output.status.code(), Some(4));
    assert!(read(&folder, "test/range.csv").lines().count() < 6);
}

#[test]
fn guessing_is_not_learning_for_any_seed_and_leaves_no_command_to_paste() {
    let folder = tempfile::tempdir().unwrap();
    let flags =
        ["--train-limit", "64", "--validation", "60", "--batch-size", "16", "--eval-images", "50", "--steps", "14"];
    for seeds in [&["--seed", "0"][..], &["--seed", "1"], &["--seeds", "2"]] {
        let command =
            [&["find", "--dataset", "synthetic", "--out", "test", "--force", "--progress", "none"], &flags[..], seeds];
        let output = lrsched(&folder).args(command.concat()).output().unwrap();
        let stdout = text(&output.stdout);
        assert_eq!(output.status.code(), Some(4), "{seeds:?}: {stdout}");
        assert!(commands(&stdout).is_empty() && stdout.contains("No method can suggest a rate"), "{stdout}");
        let info: serde_json::Value = serde_json::from_str(&read(&folder, "test/find.json")).unwrap();
        assert!(info["suggested_lr"].is_null());
        let output = lrsched(&folder).args(command.concat()).arg("--json").output().unwrap();
        let last: serde_json::Value = serde_json::from_str(text(&output.stdout).lines().last().unwrap()).unwrap();
        assert_eq!((&last["commands"], &last["suggested_lr"]), (&serde_json::json!([]), &serde_json::Value::Null));
        lrsched(&folder).args(["report", "test", "--md"]).assert().success();
        assert!(read(&folder, "report.md").contains("No method can suggest a rate"));
    }
}

#[test]
fn no_rate_at_which_the_loss_explodes_is_suggested() {
    let folder = tempfile::tempdir().unwrap();
    for seeds in ["1", "2"] {
        let flags = ["--steps", "40", "--max-lr", "1e30", "--seeds", seeds, "--force"];
        find(&folder, &flags);
        let info: serde_json::Value = serde_json::from_str(&read(&folder, "test/find.json")).unwrap();
        let files =
            if seeds == "1" { vec!["test/range.csv"] } else { vec!["test/seed-0/range.csv", "test/seed-1/range.csv"] };
        for file in files {
            let rows = rows(&folder, file);
            let (rates, losses) = (column(&rows, 1), column(&rows, 4));
            let place = losses.iter().position(|loss| loss.is_nan() || *loss >= 2.0 * losses[0]).unwrap();
            for one in info["suggestions"].as_array().unwrap().iter().filter_map(|one| one["rate"].as_f64()) {
                assert!(one < rates[place - 1], "{one} is next to {}, with a loss of {}", rates[place], losses[place]);
            }
        }
    }
}

#[test]
fn the_curve_that_the_reasons_speak_of_is_the_one_that_is_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let output = find(&folder, &[&QUICK[..], &["--max-lr", "0.1", "--momentum", "0.9"]].concat());
    assert!(output.status.success());
    let rows = rows(&folder, "test/range.csv");
    let looks: Vec<f64> = rows.iter().filter_map(|row| row[5].parse().ok()).collect();
    let median = |i: usize| {
        let mut around = looks[i.saturating_sub(2)..(i + 3).min(looks.len())].to_vec();
        around.sort_by(f64::total_cmp);
        f64::midpoint(around[(around.len() - 1) / 2], around[around.len() / 2])
    };
    lrsched(&folder).args(["report", "test"]).assert().success();
    let html = read(&folder, "report.html");
    let data = html.split("id=data>").nth(1).unwrap().split("</script>").next().unwrap();
    let data: serde_json::Value = serde_json::from_str(data).unwrap();
    let chart = data["charts"].as_array().unwrap().iter().find(|chart| chart["ylabel"] == "accuracy").unwrap();
    let line =
        |name: &str| chart["series"].as_array().unwrap().iter().find(|line| line["name"] == name).unwrap().clone();
    let drawn: Vec<f64> = line("running median")["y"].as_array().unwrap().iter().map(|y| y.as_f64().unwrap()).collect();
    assert_eq!(drawn.len(), looks.len());
    assert!(drawn.iter().enumerate().all(|(i, y)| (y - median(i)).abs() < 1e-4), "{drawn:?}");
    assert_eq!(line("each validation")["y"].as_array().unwrap().len(), looks.len());
    // `0.9 of 0.0086, where the accuracy starts to fall, at 41.0 %`: the height of the curve there.
    let info: serde_json::Value = serde_json::from_str(&read(&folder, "test/find.json")).unwrap();
    let max = info["suggestions"].as_array().unwrap().iter().find(|one| one["method"] == "Smith's max").unwrap();
    if let Some(rate) = max["rate"].as_f64() {
        let x = line("running median")["x"].clone();
        let place = x.as_array().unwrap().iter().position(|x| (x.as_f64().unwrap() / (rate / 0.9) - 1.0).abs() < 1e-3);
        let height = format!("at {:.1} %", median(place.unwrap()) * 100.0);
        assert!(max["reason"].as_str().unwrap().ends_with(&height), "{max} {height}");
    }
}

#[test]
fn several_seeds_have_a_table_each_and_the_median_and_the_spread_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let output =
        find(&folder, &[&QUICK[..], &["--seeds", "2", "--seed", "5", "--momentum", "0.9", "--max-lr", "1"]].concat());
    let stdout = text(&output.stdout);
    assert!(output.status.success(), "{stdout}");
    let first = column(&rows(&folder, "test/seed-5/range.csv"), 3);
    let second = column(&rows(&folder, "test/seed-6/range.csv"), 3);
    assert_ne!(first, second);
    assert!(stdout.contains("of 2 seeds") && stdout.contains("Over 2 seeds") && stdout.contains("spread"), "{stdout}");
    // A later single-seed test removes all of them.
    assert!(find(&folder, &[&QUICK[..], &["--force", "--momentum", "0.9", "--max-lr", "1"]].concat()).status.success());
    assert!(!folder.path().join("test/seed-5").exists() && folder.path().join("test/range.csv").exists());
}

#[test]
fn the_same_seed_finds_the_same_on_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let table = |threads: &str| {
        find(&folder, &["--steps", "12", "--max-lr", "0.1", "--threads", threads, "--dropout", "0.2", "--force"]);
        read(&folder, "test/range.csv")
    };
    let one = table("1");
    assert_eq!(one.lines().count(), 13);
    assert_eq!(one, table("3"));
}

#[test]
fn the_printed_config_finds_the_same_again() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--steps", "15", "--max-lr", "0.5", "--mode", "linear", "--optimizer", "adam", "--beta2", "0.99"];
    let printed = find(&folder, &[&flags[..], &["--smoothing", "0.5", "--print-config"]].concat());
    assert!(printed.status.success() && !folder.path().join("test").exists());
    fs::write(folder.path().join("again.toml"), &printed.stdout).unwrap();
    find(&folder, &[&flags[..], &["--smoothing", "0.5"]].concat());
    let again = ["find", "--config", "again.toml", "--out", "again", "-q"];
    let output = lrsched(&folder).args(again).output().unwrap();
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
    assert_eq!(read(&folder, "test/range.csv"), read(&folder, "again/range.csv"));
}

#[test]
fn a_test_takes_the_recipe_of_a_run_and_says_what_of_it_it_does_not_use() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = "optimizer = \"adam\"\nschedule = \"cosine\"\ntta = \"mirror\"\nepochs = 7\n";
    fs::write(folder.path().join("recipe.toml"), recipe).unwrap();
    let output = find(&folder, &["--config", "recipe.toml", "--steps", "6", "--max-lr", "0.01", "--refine", "0"]);
    let said = text(&output.stderr);
    assert!(said.contains("`find` does not use schedule, tta of recipe.toml\n"), "{said}");
    let info: serde_json::Value = serde_json::from_str(&read(&folder, "test/find.json")).unwrap();
    assert_eq!((&info["config"]["optimizer"], &info["config"]["for-epochs"]), (&"adam".into(), &7.into()));
}

#[test]
fn a_range_test_of_epochs_takes_them_whole_and_an_update_of_several_micro_batches_is_one_iteration() {
    let folder = tempfile::tempdir().unwrap();
    // 96 images in batches of 32: 3 iterations per epoch.
    find(&folder, &["--epochs", "4", "--max-lr", "0.01"]);
    assert_eq!(rows(&folder, "test/range.csv").len(), 12);
    let full = ["find", "--dataset", "synthetic", "--train-limit", "600", "--batch-size", "full", "--steps", "3", "-q"];
    let rest = ["--model", "tiny", "--max-lr", "0.01", "--eval-images", "20", "--out", "full"];
    let output = lrsched(&folder).args(full).args(rest).output();
    assert_eq!(output.unwrap().status.code(), Some(4), "three iterations are too few to suggest anything");
    assert_eq!(rows(&folder, "full/range.csv").len(), 3);
}

#[test]
fn its_first_losses_are_those_of_a_run_at_the_same_rate() {
    let folder = tempfile::tempdir().unwrap();
    // The rates are so close that the two networks stay identical in f32.
    find(&folder, &["--min-lr", "0.01", "--max-lr", "0.010000000001", "--steps", "6", "--seed", "3"]);
    let flags = ["--lr", "0.01", "--epochs", "2", "--seed", "3", "--log-steps", "--out", "run"];
    lrsched(&folder).arg("train").args(TINY).args(flags).assert().success();
    let (found, trained) = (column(&rows(&folder, "test/range.csv"), 3), column(&rows(&folder, "run/steps.csv"), 4));
    assert_eq!(found, trained);
}

#[test]
fn events_are_one_json_object_a_line_and_plain_progress_is_lines_without_control_characters() {
    let folder = tempfile::tempdir().unwrap();
    let tiny: Vec<&str> = TINY.iter().copied().filter(|flag| !["--progress", "none"].contains(flag)).collect();
    let flags = ["--steps", "20", "--max-lr", "0.5", "--json", "--out", "test"];
    let output = lrsched(&folder).arg("find").args(tiny).args(flags).output().unwrap();
    let stderr = text(&output.stderr);
    assert!(!stderr.contains(['\u{1b}', '\r']), "{stderr:?}");
    assert_eq!(stderr.lines().filter(|line| line.starts_with("iteration ")).count(), 10, "{stderr}");
    let events: Vec<serde_json::Value> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((events[0]["event"].as_str(), events.len()), (Some("start"), 22));
    assert!(events[1..21].iter().all(|event| event["event"] == "iteration" && event["learning_rate"].is_number()));
    assert_eq!(events[21]["event"], "finish");
    assert_eq!(events[21]["suggestions"].as_array().unwrap().len(), 8);
}

#[test]
fn a_quiet_test_that_finds_nothing_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let output = find(&folder, &["--min-lr", "100", "--max-lr", "1000", "--steps", "20", "--quiet"]);
    let said = text(&output.stderr);
    assert_eq!((output.status.code(), said.lines().count(), text(&output.stdout).as_str()), (Some(4), 1, ""), "{said}");
}

#[test]
fn progress_runs_prints_one_line_for_each_test_and_each_short_run() {
    let folder = tempfile::tempdir().unwrap();
    let output = find(
        &folder,
        &[&QUICK[..], &["--max-lr", "1", "--momentum", "0.9", "--refine", "6", "--progress", "runs"]].concat(),
    );
    let said = text(&output.stderr);
    let runs = rows_by_name(&folder, "test/refine.csv").len();
    assert!(runs >= 3, "{said}");
    assert_eq!(said.lines().filter(|line| line.starts_with("lr ") && line.contains(": ")).count(), runs, "{said}");
    assert_eq!(said.lines().count(), runs + 1, "{said}");
    assert!(!said.contains("iteration ") && !said.contains("iterations"), "{said}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_a_test_after_its_iteration_and_keeps_the_rows() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_lrsched"));
    command
        .arg("find")
        .args(TINY)
        .args(["--steps", "1000000", "--max-lr", "1e-4", "--out", "test", "--progress", "plain"])
        .stderr(std::process::Stdio::piped())
        .current_dir(&folder);
    let running = command.spawn().unwrap();
    let table = folder.path().join("test/range.csv");
    while fs::read_to_string(&table).map_or(0, |text| text.lines().count()) < 4 {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let kill = std::process::Command::new("kill").args(["-INT", &running.id().to_string()]).status().unwrap();
    assert!(kill.success());
    let output = running.wait_with_output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(
        said.contains("its rows are kept, but find cannot resume and starts over") && !said.contains("saved"),
        "{said}"
    );
    assert!(fs::read_to_string(&table).unwrap().ends_with('\n'));
    let info: serde_json::Value = serde_json::from_str(&read(&folder, "test/find.json")).unwrap();
    assert_eq!((&info["status"], &info["tests"][0]["ended"]), (&"interrupted".into(), &"stopped".into()));
}

#[test]
fn a_folder_with_something_in_it_is_refused_and_force_removes_only_what_a_test_left() {
    let folder = tempfile::tempdir().unwrap();
    find(&folder, &["--steps", "5", "--seeds", "2"]);
    fs::write(folder.path().join("test/seed-1/notes.txt"), "mine").unwrap();
    fs::create_dir(folder.path().join("test/seed-5")).unwrap();
    fs::write(folder.path().join("test/seed-5/range.csv"), "mine, too").unwrap();
    let refused = find(&folder, &["--steps", "5"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("--force") && text(&refused.stderr).lines().count() == 1);
    find(&folder, &["--steps", "5", "--force"]);
    assert!(folder.path().join("test/seed-1/notes.txt").exists());
    assert!(!folder.path().join("test/seed-1/range.csv").exists() && folder.path().join("test/range.csv").exists());
    assert_eq!(read(&folder, "test/seed-5/range.csv"), "mine, too");
}

#[test]
fn mistakes_are_one_line_with_the_value_and_the_rule_and_leave_nothing_behind() {
    let cases: [(&[&str], &[&str]); 21] = [
        (&["--min-lr", "1", "--max-lr", "0.1"], &["min-lr must be below max-lr", "1 and 0.1"]),
        (&["--min-lr", "0.1", "--max-lr", "0.1"], &["min-lr must be below max-lr"]),
        (&["--min-lr", "0"], &["min-lr must be a number above 0, got 0"]),
        (&["--min-lr", "-1e-3"], &["min-lr", "-0.001"]),
        (&["--max-lr", "inf"], &["max-lr", "inf"]),
        (&["--max-lr", "NaN"], &["max-lr", "NaN"]),
        (&["--steps", "0"], &["steps must be from 2", "got 0"]),
        (&["--steps", "1"], &["steps must be from 2", "got 1"]),
        (&["--epochs", "0"], &["epochs must be at least 1"]),
        (&["--epochs", "2", "--steps", "10"], &["--epochs", "--steps", "drop one of them"]),
        (&["--mode", "exponental"], &["unknown mode", "did you mean `exponential`?"]),
        (&["--eval-every", "0"], &["eval-every", "got 0"]),
        (&["--eval-images", "0"], &["eval-images", "got 0"]),
        (&["--smoothing", "1"], &["smoothing", "got 1"]),
        (&["--seeds", "0"], &["seeds must be from 1", "got 0"]),
        (&["--refine", "10000001"], &["refine must be from 0 to 10000000 updates", "got 10000001"]),
        (&["--refine", "-1"], &["refine must be a whole number from 0 to 10000000", "-1"]),
        (&["--optimizer", "adam:lr=0.1"], &["drop lr", "adam:lr=0.1"]),
        (&["--lr", "0.1"], &["--lr", "`find` searches for the rate, between --min-lr and --max-lr"]),
        (&["--schedule", "cosine"], &["--schedule", "rises from --min-lr to --max-lr by --mode"]),
        (&["--max-lr", "1e400"], &["max-lr must be a finite number above 0, got inf"]),
    ];
    for (flags, parts) in cases {
        let folder = tempfile::tempdir().unwrap();
        let output = find(&folder, flags);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{flags:?}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(parts.iter().all(|part| stderr.contains(part)), "{flags:?}: {stderr}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{flags:?} left something");
    }
}

#[test]
fn the_length_on_the_command_line_goes_before_the_other_one_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("c.toml"), "epochs = 3\n").unwrap();
    let output = find(&folder, &["--config", "c.toml", "--steps", "7", "--print-config"]);
    let table: toml::Table = text(&output.stdout).parse().unwrap();
    assert_eq!((table.get("steps").and_then(toml::Value::as_integer), table.get("epochs")), (Some(7), None));
}

#[test]
fn a_report_shows_the_tests_with_what_they_suggest_and_the_seeds_of_one_test_together() {
    let folder = tempfile::tempdir().unwrap();
    let quick = [&QUICK[..], &["--momentum", "0.9", "--max-lr", "1", "--seeds", "2"]].concat();
    find(&folder, &quick);
    lrsched(&folder).args(["report", "test", "--md", "--png", "--svg"]).assert().success();
    let page = read(&folder, "report.html");
    assert!(page.contains("Suggested rates: test") && page.contains("Suggested rate: "), "no suggestions");
    assert_eq!(page.matches("<figcaption>Training loss: test</figcaption>").count(), 1);
    assert!(page.contains("\"seed-0\"") && page.contains("\"seed-1\""));
    let markdown = read(&folder, "report.md");
    assert!(markdown.contains("## Range test test") && markdown.contains("| plateau |"), "{markdown}");
    assert!(fs::metadata(folder.path().join("report.png")).unwrap().len() > 5000);
}

#[test]
fn a_report_on_one_seed_of_a_test_has_no_commands_for_the_rate_of_all() {
    let folder = tempfile::tempdir().unwrap();
    find(&folder, &[&QUICK[..], &["--momentum", "0.9", "--max-lr", "1", "--seeds", "2"]].concat());
    for (shown, all) in [("test", true), ("test/seed-0", false)] {
        lrsched(&folder).args(["report", shown, "--md"]).assert().success();
        for file in ["report.html", "report.md"] {
            let text = read(&folder, file);
            let told = text.contains("This is from 1 of 2 seeds: test/find.json has the rate of all, ");
            assert_eq!((text.contains("lrsched train "), told), (all, !all), "{shown}: {file}: {text}");
        }
    }
}

#[test]
fn a_report_on_a_test_says_what_was_tested_and_has_the_commands_that_train_at_what_was_found() {
    let folder = tempfile::tempdir().unwrap();
    let output = find(&folder, &[&QUICK[..], &["--max-lr", "3", "--momentum", "0.9"]].concat());
    let stdout = text(&output.stdout);
    let commands = commands(&stdout);
    assert_eq!(commands.len(), 2, "{stdout}");
    lrsched(&folder).args(["report", "test", "--md"]).assert().success();
    let (page, markdown) = (read(&folder, "report.html"), read(&folder, "report.md"));
    for (purpose, command) in commands {
        assert!(
            page.contains(&format!("<p>{purpose}</p>")) && markdown.lines().any(|line| line == purpose),
            "{purpose}"
        );
        assert!(page.contains(&format!("<code>{command}</code>")), "{command}");
        assert!(markdown.lines().any(|line| line == command), "{command}");
    }
    let title = "<h1>Range test of sgd:momentum=0.9: tiny on synthetic, exponential from ";
    assert!(page.contains(title), "{}", page.lines().find(|line| line.contains("<h1>")).unwrap());
    assert!(page.contains("<b>Suggested rate: "), "the answer is bold");
    // Without its record it is still a test.
    fs::remove_file(folder.path().join("test/find.json")).unwrap();
    let missing = "test/find.json is missing: the rate is taken to be for a run of 189 updates";
    lrsched(&folder).args(["report", "test"]).assert().success().stderr(predicates::str::contains(missing));
    assert!(read(&folder, "report.html").contains("<h1>test</h1>"));
}

#[test]
fn on_real_images_a_rate_within_reason_is_suggested() {
    let Some(data) = cifar10("on_real_images_a_rate_within_reason_is_suggested") else { return };
    let folder = tempfile::tempdir().unwrap();
    let flags =
        ["--optimizer", "adam", "--steps", "80", "--batch-size", "64", "--train-limit", "5000", "--eval-images", "200"];
    let flags = [&flags[..], &["--refine", "40", "--validation", "1000"]].concat();
    let output = lrsched(&folder).args(["find", "-q", "--out", "test"]).args(flags).env("LRSCHED_DATA", data).output();
    assert!(output.unwrap().status.success());
    let info: serde_json::Value = serde_json::from_str(&read(&folder, "test/find.json")).unwrap();
    let rate = info["suggested_lr"].as_f64().unwrap();
    assert!((1e-4..2e-2).contains(&rate), "{rate}; Adam's usual rate is 0.001");
}

/// The test images are in the order of their files: of the embedded ones, every tenth is of one class.
#[test]
fn the_test_images_that_are_looked_at_are_of_all_classes() {
    let folder = tempfile::tempdir().unwrap();
    let flags =
        ["--validation", "test", "--eval-images", "200", "--steps", "20", "--min-lr", "1e-9", "--max-lr", "1e-8"];
    let output = find(&folder, &[&flags[..], &["--refine", "0", "--eval-every", "1"]].concat());
    assert!(output.status.code().is_some_and(|code| code == 0 || code == 4), "{}", text(&output.stderr));
    let looks: Vec<f64> = column(&rows(&folder, "test/range.csv"), 5);
    assert!(looks.len() == 20 && looks.iter().all(|look| (0.02..0.25).contains(look)), "that of guessing: {looks:?}");
}
