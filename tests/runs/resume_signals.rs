//! Ctrl+C, SIGTERM, SIGUSR1 and keys: a run stops after its batch with everything saved, and says how to continue.
#![cfg(unix)]

use crate::common::skipped;
use crate::resume_common::{
    Left, SMALL, first_run, json, program, resume, run, signal, state, stderr, succeed, text, train, wait_for,
    wait_for_lines,
};
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const FLAGS: [&str; 7] = ["--epochs", "60", "--lr", "0.01", "--momentum", "0.9", "--log-steps"];

fn ended(mut child: Child) -> (Option<i32>, String) {
    let status = child.wait().unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    (status.code(), said)
}

/// Whether the tests run under `nohup`, which child processes inherit; reported visibly.
fn hangup_is_ignored(test: &str) -> bool {
    let ignored = lrsched::memory::is_ignored(1);
    if ignored {
        skipped(test, "SIGHUP is ignored here (nohup)");
    }
    ignored
}

#[test]
fn a_hangup_that_nohup_ignores_stays_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("nohup");
    command.arg(env!("CARGO_BIN_EXE_lrsched")).current_dir(&folder).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let flags = ["--epochs", "3", "--lr", "0.01", "--log-steps", "--out", "run"];
    let mut child = command.arg("train").args(SMALL).args(flags).spawn().unwrap();
    let path = folder.path().join("run");
    wait_for_lines(&path.join("steps.csv"), 2, &mut child);
    signal(&child, "HUP");
    let (status, said) = ended(child);
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(json(&path.join("run.json"))["status"], "finished");
}

/// Waits until the program has its handlers, which it installs before loading. That of SIGXCPU is the last: while one
/// is being installed, its signal may be lost.
#[cfg(target_os = "linux")]
fn wait_for_handler(child: &mut Child) {
    let status = format!("/proc/{}/status", child.id());
    let caught = || {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let mask = text.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or("0").trim().to_string();
        u64::from_str_radix(&mask, 16).is_ok_and(|mask| mask & (1 << 23) != 0)
    };
    let start = Instant::now();
    while !caught() {
        assert!(child.try_wait().unwrap().is_none() && start.elapsed() < Duration::from_secs(60), "no handler");
        std::thread::sleep(Duration::from_micros(200));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_signal_while_loading_ends_with_its_exit_code_and_leaves_nothing_false() {
    let folder = tempfile::tempdir().unwrap();
    succeed(train(folder.path(), "done", &["--epochs", "1", "--lr", "0.01"]));
    let done = text(&folder.path().join("done/run.json"));
    let compare = [&["compare"][..], &SMALL, &["--out", "new", "--epochs", "9", "--entrants", "sgd/constant"]].concat();
    let find = [&["find"][..], &SMALL, &["--out", "new"]].concat();
    let train = [&["train"][..], &SMALL, &["--out", "new", "--lr", "0.01"]].concat();
    let resume = vec!["resume", "done", "--epochs", "9", "--progress", "none"];
    for arguments in [train, compare, find, resume, vec!["bench", "--steps", "1000"]] {
        let mut child = program(folder.path()).args(&arguments).spawn().unwrap();
        wait_for_handler(&mut child);
        signal(&child, "USR1");
        let (status, said) = ended(child);
        assert_eq!(status, Some(75), "{arguments:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{arguments:?}: {said}");
        assert!(said.contains("stopped before"), "{arguments:?}: {said}");
        assert!(!folder.path().join("new").exists(), "{arguments:?}");
        assert_eq!(text(&folder.path().join("done/run.json")), done);
        assert!(!folder.path().join("done/.lrsched-lock").exists());
    }
}

#[test]
fn each_signal_saves_says_how_to_go_on_and_has_its_exit_code_and_the_run_is_the_same_in_the_end() {
    let folder = tempfile::tempdir().unwrap();
    succeed(train(folder.path(), "whole", &FLAGS));
    let whole = Left::of(&folder.path().join("whole"));
    let signals = [("INT", 130), ("TERM", 143), ("USR1", 75), ("HUP", 129), ("USR2", 75), ("XCPU", 152)];
    for (at, (name, code)) in signals.into_iter().enumerate() {
        if name == "HUP" && hangup_is_ignored("each_signal_saves (SIGHUP)") {
            continue;
        }
        let path = folder.path().join(name);
        let mut child = train(folder.path(), name, &FLAGS).spawn().unwrap();
        wait_for_lines(&path.join("steps.csv"), 5 + 3 * (at % 4), &mut child);
        signal(&child, name);
        let (status, said) = ended(child);
        assert_eq!(status, Some(code), "{said}");
        assert!(said.contains(&format!("lrsched resume {name}\n")), "{said}");
        assert!(said.contains(&format!("lrsched resume {name} --lr 0.001")), "{said}");
        let info = json(&path.join("run.json"));
        assert_eq!(info["status"], "interrupted");
        assert!(!path.join("weights.safetensors").exists());
        // Saved after the very last step.
        let step = state(&path, "last")["position"]["step"].as_u64().unwrap();
        assert_eq!(text(&path.join("steps.csv")).lines().count() as u64, 1 + step);
        succeed(resume(folder.path(), name, &[]));
        whole.assert_same(&Left::of(&path), name);
        assert!(text(&path.join("events.jsonl")).contains("\"stop\""));
    }
}

#[test]
fn after_the_last_step_ctrl_c_offers_no_other_rate() {
    let folder = tempfile::tempdir().unwrap();
    // Evaluating the 2,000 test images takes this network long enough to send a signal.
    let flags = ["--model", "resnet9", "--epochs", "1", "--train-limit", "16", "--lr", "0.01"];
    let mut child = train(folder.path(), "run", &flags).spawn().unwrap();
    wait_for_lines(&folder.path().join("run/metrics.csv"), 2, &mut child);
    signal(&child, "INT");
    let (status, said) = ended(child);
    assert_eq!(status, Some(130), "{said}");
    assert!(said.contains("lrsched resume run\n") && !said.contains("--lr"), "{said}");
    succeed(resume(folder.path(), "run", &[]));
    assert_eq!(json(&folder.path().join("run/run.json"))["status"], "finished");
}

#[test]
fn a_run_that_is_stopped_with_what_is_no_number_does_not_say_that_it_is_saved() {
    let folder = tempfile::tempdir().unwrap();
    // Adam's squared gradients overflow to infinity; the weights and the loss stay finite.
    let flags = ["--model", "cnn", "--optimizer", "adam", "--lr", "100", "--epochs", "1000", "--progress", "plain"];
    let mut child = train(folder.path(), "run", &flags).spawn().unwrap();
    wait_for_lines(&folder.path().join("run/metrics.csv"), 3, &mut child);
    signal(&child, "INT");
    let output = child.wait_with_output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.contains("stopping after this batch; Ctrl+C again stops at once\n"), "{said}");
    assert!(
        said.contains("; not checkpointed: ") && !said.contains("saved") && !said.contains("resume with:"),
        "{said}"
    );
    assert!(said.ends_with("resume run --lr 10\n"), "{said}");
}

#[test]
fn a_second_ctrl_c_ends_at_once_and_leaves_the_last_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    // One step covers all images, in micro-batches: long enough to send a second signal.
    let flags = ["--model", "cnn", "--train-limit", "5000", "--batch-size", "full", "--epochs", "50", "--lr", "0.01"];
    let mut child = train(folder.path(), "run", &flags).spawn().unwrap();
    wait_for(&path.join("checkpoints/last"), &mut child);
    signal(&child, "INT");
    std::thread::sleep(Duration::from_millis(150));
    let begun = Instant::now();
    signal(&child, "INT");
    let (status, _) = ended(child);
    assert_eq!(status, Some(130));
    assert!(begun.elapsed() < Duration::from_secs(2), "at once, not after {:?}", begun.elapsed());
    assert!(state(&path, "last")["position"]["epoch"].as_u64().unwrap() >= 1);
    let output = run(resume(folder.path(), "run", &["--epochs", "1"]));
    assert!(stderr(&output).lines().count() <= 1, "{}", stderr(&output));
}

#[test]
fn a_signal_that_a_batch_system_repeats_does_not_cut_the_save_short() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    // One step covers all images: the repetition arrives before the step has ended and anything is saved.
    let flags = ["--model", "cnn", "--train-limit", "5000", "--batch-size", "full", "--epochs", "50", "--lr", "0.01"];
    let mut child = train(folder.path(), "run", &flags).spawn().unwrap();
    wait_for(&path.join("checkpoints/last"), &mut child);
    signal(&child, "TERM");
    for repeated in ["TERM", "USR1"] {
        std::thread::sleep(Duration::from_millis(20));
        signal(&child, repeated);
    }
    let (status, said) = ended(child);
    assert_eq!(status, Some(143), "{said}");
    assert!(said.contains("resume with:"), "{said}");
    assert!(text(&path.join("events.jsonl")).contains(r#""by":"SIGTERM""#));
    assert_eq!(json(&path.join("run.json"))["status"], "interrupted");
}

#[test]
fn a_comparison_that_is_stopped_says_how_to_go_on_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let compare = || {
        let mut command = program(folder.path());
        let flags = ["--out", "cmp", "--epochs", "100", "--entrants", "sgd/halve:when=val_loss<=2.2", "sgd/linear"];
        command.arg("compare").args(SMALL).args(flags).args(["--lr", "0.01"]);
        command
    };
    let mut child = compare().arg("--force").spawn().unwrap();
    let first = first_run(&folder.path().join("cmp/runs"), &mut child);
    wait_for_lines(&first.join("metrics.csv"), 2, &mut child);
    signal(&child, "INT");
    let (status, said) = ended(child);
    assert_eq!(status, Some(130), "{said}");
    let line =
        said.lines().find_map(|line| line.strip_prefix("resume with:")).unwrap_or_else(|| panic!("{said}")).trim();
    assert!(line.contains(" compare ") && line.contains("--out cmp") && !line.contains("--force"), "{line}");
    let csv = || text(&folder.path().join("cmp/comparison.csv"));
    assert!(csv().lines().nth(1).unwrap().contains(",interrupted,"), "{}", csv());
    assert_eq!(json(&first.join("run.json"))["status"], "interrupted");
    // Run the printed command verbatim.
    let again = Command::new("sh").args(["-c", line]).current_dir(&folder).output().unwrap();
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
    assert_eq!(csv().matches(",finished").count(), 2, "{}", csv());
}

/// The program on a pseudo-terminal, made by `script` of util-linux.
fn on_a_terminal(folder: &std::path::Path, arguments: &str) -> Option<Child> {
    let line = format!("stty cols 100 rows 30; exec {} {arguments}", env!("CARGO_BIN_EXE_lrsched"));
    let mut command = Command::new("script");
    command.args(["-qefc", &line, "typescript"]).current_dir(folder).env("TERM", "xterm");
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    match command.spawn() {
        Ok(child) => Some(child),
        Err(error) => {
            skipped("keys on a terminal", &format!("no `script` of util-linux ({error})"));
            None
        }
    }
}

#[test]
fn keys_pause_change_the_rate_save_and_stop_and_the_terminal_is_left_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let tiny = SMALL[..10].join(" ");
    let arguments = format!("train {tiny} --out run --epochs 20000 --lr 0.01 --log-steps");
    // The shell that `script` starts prints the terminal's settings before and after.
    let Some(mut child) = on_a_terminal(folder.path(), &arguments) else { return };
    let path = folder.path().join("run");
    let (steps, events) = (path.join("steps.csv"), path.join("events.jsonl"));
    let mut keys = child.stdin.take().unwrap();
    let mut press = |text: &str| keys.write_all(text.as_bytes()).and_then(|()| keys.flush()).unwrap();
    wait_for_lines(&steps, 3, &mut child);
    press("+");
    wait_for_lines(&events, 2, &mut child);
    press("0.002\n");
    wait_for_lines(&events, 3, &mut child);
    press("s");
    wait_for_lines(&events, 4, &mut child);
    press("p");
    // Nothing progresses while paused: compare two looks, well apart.
    let still = Instant::now();
    let lines = || text(&steps).lines().count();
    let mut before = lines();
    loop {
        std::thread::sleep(Duration::from_millis(300));
        let now = lines();
        if now == before {
            break;
        }
        before = now;
        assert!(still.elapsed() < Duration::from_secs(60), "it does not pause");
    }
    press("p");
    wait_for_lines(&steps, before + 3, &mut child);
    press("q");
    let status = child.wait().unwrap();
    let shown = String::from_utf8_lossy(&std::fs::read(folder.path().join("typescript")).unwrap()).into_owned();
    assert_eq!(status.code(), Some(130), "{shown}");
    assert!(shown.contains("lrsched resume run"), "{shown}");
    let changes = json(&path.join("run.json"))["changes"].clone();
    let what: Vec<_> = changes.as_array().unwrap().iter().map(|change| change["setting"].as_str().unwrap()).collect();
    assert_eq!(what, ["scale-lr", "lr"]);
    // steps.csv has these rates from the steps that the changes name.
    let rates: Vec<String> =
        text(&steps).lines().skip(1).map(|row| row.split(',').nth(2).unwrap().to_string()).collect();
    let at = |index: usize| changes[index]["step"].as_u64().unwrap() as usize;
    let expected = |step: usize| {
        if step < at(0) {
            "0.01"
        } else if step < at(1) {
            "0.0125"
        } else {
            "0.002"
        }
    };
    assert!(rates.iter().enumerate().all(|(step, rate)| rate == expected(step)), "{changes} {rates:?}");
    // The run continues at the rate that was set.
    let mut resumed = resume(folder.path(), "run", &[]).spawn().unwrap();
    wait_for_lines(&steps, rates.len() + 4, &mut resumed);
    signal(&resumed, "INT");
    ended(resumed);
    assert!(text(&steps).lines().skip(1 + rates.len()).all(|row| row.split(',').nth(2) == Some("0.002")));
}

#[test]
fn keys_of_a_run_in_a_comparison_do_not_change_rates() {
    let folder = tempfile::tempdir().unwrap();
    let tiny = SMALL[..10].join(" ");
    let arguments = format!("compare {tiny} --out cmp --epochs 20000 --lr 0.01 --entrants sgd/constant --log-steps");
    let Some(mut child) = on_a_terminal(folder.path(), &arguments) else { return };
    let path = folder.path().join("cmp/runs/sgd_constant_lr=0.01_seed=0");
    wait_for_lines(&path.join("steps.csv"), 3, &mut child);
    let mut keys = child.stdin.take().unwrap();
    keys.write_all(b"+0.5\ns").unwrap();
    wait_for_lines(&path.join("events.jsonl"), 2, &mut child);
    keys.write_all(b"q").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(json(&path.join("run.json"))["changes"], serde_json::json!([]));
}

#[test]
fn a_log_that_stdout_is_piped_to_ends_with_how_to_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let mut child = train(folder.path(), "run", &["--epochs", "200", "--lr", "0.01", "--progress", "plain"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for(&path.join("checkpoints/last"), &mut child);
    signal(&child, "INT");
    let output = child.wait_with_output().unwrap();
    let logged = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(130), "{logged}");
    assert!(logged.contains("\nresume with:  ") && logged.contains("; saved\n"), "{logged}");
}
