//! `lrsched resume`: another rate, schedule or length from here on, and the requests it refuses.
#![cfg(unix)]

use crate::resume_common::{
    SMALL, checkpoint, json, program, resume, run, state, stderr, stdout, succeed, text, train, wait_for_lines,
};
use std::fs;
use std::path::Path;

/// (step, rate) of each row of steps.csv.
fn rates(run: &Path) -> Vec<f64> {
    text(&run.join("steps.csv")).lines().skip(1).map(|row| row.split(',').nth(2).unwrap().parse().unwrap()).collect()
}

/// A run in `folder/run`, stopped halfway, at its second checkpoint.
fn stopped(folder: &Path, flags: &[&str]) -> std::path::PathBuf {
    let mut command = train(folder, "run", &[&["--log-steps"], flags].concat());
    command.env("LRSCHED_STOP_AT", "between-renames:3");
    assert_eq!(run(command).status.code(), None);
    folder.join("run")
}

#[test]
fn a_rate_given_on_resume_is_constant_from_there_on_and_a_factor_scales_what_is_left_of_the_schedule() {
    for (given, expected) in [(["--lr", "0.005"], [0.005, 0.005]), (["--scale-lr", "0.1"], [0.002, 0.0015])] {
        let folder = tempfile::tempdir().unwrap();
        // linear from 0.04 over 16 steps: 0.02 at step 8, 0.015 at step 10.
        let path = stopped(folder.path(), &["--schedule", "linear", "--lr", "0.04", "--epochs", "4"]);
        let output = succeed(resume(folder.path(), "run", &given));
        assert!(stderr(&output).contains("changed from step 8 (epoch 2) on"), "{}", stderr(&output));
        let rates = rates(&path);
        assert_eq!((rates[4], rates[7]), (0.03, 0.0225), "what was done stays");
        for (at, expected) in [8, 10].into_iter().zip(expected) {
            assert!((rates[at] - expected).abs() < 1e-12, "step {at}: {} instead of {expected}", rates[at]);
        }
        let report = succeed({
            let mut command = program(folder.path());
            command.args(["report", "run", "-o", "report.html"]);
            command
        });
        assert!(stderr(&report).contains("run was changed by hand"), "{}", stderr(&report));
        let info = json(&path.join("run.json"));
        assert_eq!(info["config"]["schedule"], "linear", "what the run began with");
        let change = &info["changes"][0];
        assert_eq!((change["setting"].as_str(), change["step"].as_u64()), (Some(&given[0][2..]), Some(8)));
        let events = text(&path.join("events.jsonl"));
        let names: Vec<String> = events
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["event"].as_str().unwrap().to_string())
            .collect();
        assert_eq!(names, ["start", "resume", "change", "finish"]);
    }
}

#[test]
fn another_schedule_has_its_own_clock_and_what_is_left_of_the_run_as_its_length() {
    let folder = tempfile::tempdir().unwrap();
    let path = stopped(folder.path(), &["--schedule", "step", "--lr", "0.04", "--epochs", "4"]);
    let flags = ["--schedule", "linear", "--end-lr", "0.008", "--lr", "0.016"];
    succeed(resume(folder.path(), "run", &flags));
    let rates = rates(&path);
    assert_eq!(rates.len(), 16);
    assert!((rates[8] - 0.016).abs() < 1e-12 && (rates[12] - 0.012).abs() < 1e-12, "{rates:?}");
}

#[test]
fn after_a_resume_that_replaces_the_schedule_the_rates_are_those_that_show_has_for_the_rest_of_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let begun = ["--schedule", "constant", "--epochs", "2", "--lr", "0.01", "--log-steps"];
    for (at, schedule) in
        ["linear:warmup=50%", "constant:for=25%,lr=0.01;cosine:warmup=25%", "wsd"].into_iter().enumerate()
    {
        let out = format!("run{at}");
        succeed(train(folder.path(), &out, &begun));
        let output = succeed(resume(folder.path(), &out, &["--epochs", "4", "--schedule", schedule, "--lr", "0.08"]));
        let mut show = program(folder.path());
        show.args(["show", schedule, "--epochs", "2", "--steps-per-epoch", "4", "--lr", "0.08", "--format", "csv"]);
        let shown = stdout(&succeed(show));
        let expected: Vec<f64> =
            shown.lines().skip(1).map(|row| row.split(',').nth(2).unwrap().parse().unwrap()).collect();
        assert_eq!(rates(&folder.path().join(&out))[8..], expected, "{schedule}");
        if at == 0 {
            let rounded: Vec<f64> = expected.iter().map(|rate| (rate * 1e9).round() / 1e9).collect();
            assert_eq!(rounded, [0.0, 0.02, 0.04, 0.06, 0.08, 0.06, 0.04, 0.02]);
            let said = "warning: the rate is 0 at step 8: the next step changes nothing";
            assert_eq!(stderr(&output).matches(said).count(), 1, "{}", stderr(&output));
        }
    }
}

#[test]
fn a_schedule_without_a_rate_of_its_own_begins_at_the_rate_that_an_earlier_resume_has_scaled_to() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    succeed(train(folder.path(), "run", &["--epochs", "1", "--lr", "0.02", "--log-steps"]));
    succeed(resume(folder.path(), "run", &["--epochs", "2", "--scale-lr", "0.1"]));
    let output = succeed(resume(folder.path(), "run", &["--epochs", "3", "--schedule", "constant"]));
    assert!(
        stderr(&output).contains("0.002 (constant at 0.02 × 0.1) -> 0.002 (constant at 0.002)"),
        "{}",
        stderr(&output)
    );
    succeed(resume(folder.path(), "run", &["--epochs", "4", "--schedule", "linear", "--lr", "0.016"]));
    let rates = rates(&path);
    assert_eq!([0, 4, 8, 12, 13].map(|t| (rates[t] * 1e9).round() / 1e9), [0.02, 0.002, 0.002, 0.016, 0.012]);
}

#[test]
fn epochs_at_rate_0_behind_a_schedule_that_is_held_are_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    succeed(train(folder.path(), "run", &["--schedule", "linear", "--lr", "0.01", "--epochs", "2"]));
    let output = succeed(resume(folder.path(), "run", &["--epochs", "4", "--hold"]));
    let line = "warning: the rate is 0 from step 8 (epoch 2) on: the last 8 steps change nothing\n";
    assert_eq!(stderr(&output).matches(line).count(), 1, "{}", stderr(&output));
}

#[test]
fn a_rate_next_to_nothing_that_is_held_behind_its_schedule_is_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let warnings = |out: &str, begun: &[&str], flags: &[&str]| {
        succeed(train(folder.path(), out, &[begun, &["--epochs", "2"]].concat()));
        let said = stderr(&succeed(resume(folder.path(), out, &[&["--epochs", "4"], flags].concat())));
        said.lines().filter_map(|line| line.strip_prefix("warning: ")).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(
        warnings("one-cycle", &["--schedule", "one-cycle", "--lr", "0.02"], &["--hold"]),
        "the rate is held at 8e-8 from step 8 (epoch 2) on, less than a thousandth of its highest, 0.01944: the last 8 steps change next to nothing"
    );
    let exponential = ["--schedule", "exponential:decay-rate=1e-4,decay-steps=100%", "--lr", "0.02"];
    assert_eq!(
        warnings("exponential", &exponential, &["--hold"]),
        "the rate is held at 2e-6 from step 8 (epoch 2) on, less than a thousandth of its highest, 0.02: the last 8 steps change next to nothing"
    );
    let usual = ["--schedule", "linear:end-lr=0.002", "--lr", "0.02"];
    assert_eq!(warnings("linear", &usual, &["--hold"]), "");
    assert_eq!(
        warnings("unused", &["--lr", "0.02"], &["--schedule", "one-cycle:max-lr=0.01", "--lr", "0.03"]),
        "lr 0.03 has no effect: one-cycle:max-lr=0.01 sets its own rates"
    );
}

#[test]
fn a_longer_run_asks_what_becomes_of_a_schedule_that_knows_its_length() {
    let folder = tempfile::tempdir().unwrap();
    succeed(train(folder.path(), "run", &["--schedule", "linear", "--lr", "0.04", "--epochs", "2", "--log-steps"]));
    let asked = run(resume(folder.path(), "run", &["--epochs", "4"]));
    assert_eq!(asked.status.code(), Some(2));
    assert!(stderr(&asked).contains("--stretch") && stderr(&asked).contains("--hold"), "{}", stderr(&asked));
    for (out, flag, at) in [("stretched", "--stretch", [0.02, 0.01]), ("held", "--hold", [0.0, 0.0])] {
        let copied = std::process::Command::new("cp").args(["-r", "run", out]).current_dir(&folder).status().unwrap();
        assert!(copied.success());
        let output = succeed(resume(folder.path(), out, &["--epochs", "4", flag]));
        assert!(stderr(&output).contains(&format!("2 -> 4, schedule {out}")), "{}", stderr(&output));
        let rates = rates(&folder.path().join(out));
        assert!((rates[8] - at[0]).abs() < 1e-12 && (rates[12] - at[1]).abs() < 1e-12, "{out}: {rates:?}");
        assert_eq!(text(&folder.path().join(out).join("metrics.csv")).matches("epoch,").count(), 1, "one header");
    }
}

#[test]
fn what_is_said_of_a_schedule_in_a_run_made_longer_or_shorter_is_what_becomes_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let cases = [
        ("linear", &["--epochs", "5", "--stretch"][..], "5, schedule stretched"),
        ("linear", &["--epochs", "3", "--stretch"], "3, schedule shortened"),
        ("linear", &["--epochs", "3", "--hold"], "3, schedule as it was"),
        ("constant", &["--epochs", "5"], "5"),
        ("step", &["--epochs", "3"], "3"),
    ];
    for (schedule, flags, said) in cases {
        let _ = fs::remove_dir_all(folder.path().join("run"));
        stopped(folder.path(), &["--schedule", schedule, "--lr", "0.01", "--epochs", "4"]);
        let output = succeed(resume(folder.path(), "run", flags));
        let line = format!("changed from step 8 (epoch 2) on: epochs: 4 -> {said}\n");
        assert!(stderr(&output).contains(&line), "{schedule} {flags:?}: {}", stderr(&output));
        assert!(!stderr(&output).contains("has no effect"), "{schedule} {flags:?}: {}", stderr(&output));
    }
    let again = succeed(resume(folder.path(), "run", &["--epochs", "4", "--stretch"]));
    let unused = "warning: --stretch has no effect: the schedule does not depend on the length of the run\n";
    assert!(stderr(&again).contains(unused), "{}", stderr(&again));
}

#[test]
fn keep_none_on_resume_leaves_no_weights_of_an_earlier_end() {
    let folder = tempfile::tempdir().unwrap();
    succeed(train(folder.path(), "run", &["--epochs", "1", "--lr", "0.02", "--schedule", "constant"]));
    let path = folder.path().join("run");
    assert!(path.join("weights.safetensors").exists());
    succeed(resume(folder.path(), "run", &["--epochs", "2", "--keep", "none"]));
    assert!(!path.join("weights.safetensors").exists() && !path.join("checkpoints").exists());
    let info = json(&path.join("run.json"));
    assert!(info["weights"].is_null() && info["keep"] == "none", "{info}");
    let mut eval = program(folder.path());
    eval.args(["eval", "run"]);
    let output = run(eval);
    assert!(!output.status.success() && stderr(&output).contains("trained with --keep none"), "{}", stderr(&output));
}

#[test]
fn a_finished_run_has_nothing_to_do_unless_it_is_made_longer() {
    let folder = tempfile::tempdir().unwrap();
    succeed(train(folder.path(), "run", &["--epochs", "1"]));
    let before = text(&folder.path().join("run/run.json"));
    for flags in [&[][..], &["--epochs", "1"]] {
        let output = succeed(resume(folder.path(), "run", flags));
        assert!(stdout(&output).contains("nothing to do"), "{}", stdout(&output));
    }
    assert_eq!(text(&folder.path().join("run/run.json")), before);
    for (flags, said) in
        [(&["--lr", "0.1"][..], "--epochs"), (&["--epochs", "0"], "more than the 1"), (&["--hold"], "--epochs")]
    {
        let output = run(resume(folder.path(), "run", flags));
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains(said), "{}", stderr(&output));
    }
    assert_eq!(text(&folder.path().join("run/run.json")), before, "what is refused changes nothing");
}

#[test]
fn a_setting_that_cannot_change_is_refused_with_the_reason_and_one_that_stays_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = stopped(folder.path(), &["--momentum", "0.9", "--epochs", "3", "--lr", "0.01"]);
    let before = text(&path.join("metrics.csv"));
    let refused = [
        "--model resnet9",
        "--dataset cifar10",
        "--batch-size 8",
        "--seed 4",
        "--optimizer adam",
        "--momentum 0.5",
        "--train-limit 32",
        "--validation test",
        "--augment flip",
        "--dropout 0.1",
        "--label-smoothing 0.1",
        "--clip-norm 1",
        "--average ema",
        "--clip-value 1",
        "--loss-reduction sum",
        "--tta mirror",
        "--drop-last",
        "--semantics torch",
        "--engine candle",
        "--nesterov",
    ];
    for flags in refused {
        let output = run(resume(folder.path(), "run", &flags.split(' ').collect::<Vec<_>>()));
        assert_eq!(output.status.code(), Some(2), "{flags}");
        let said = stderr(&output);
        let name = flags.split(' ').next().unwrap().trim_start_matches('-');
        assert!(said.contains(name) && said.contains("cannot change within a run: "), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    let scaled = stderr(&run(resume(folder.path(), "run", &["--scale-lr", "1e300"])));
    assert!(scaled.contains("scale-lr 1e300 x lr ") && scaled.lines().count() == 1, "{scaled}");
    for flags in ["--lr 0.1 --scale-lr 2", "--factor 0.5", "--stretch --hold --epochs 9", "--lr -1", "--scale-lr 0"] {
        let output = run(resume(folder.path(), "run", &flags.split(' ').collect::<Vec<_>>()));
        assert_eq!(output.status.code(), Some(2), "{flags}: {}", stderr(&output));
    }
    assert_eq!(text(&path.join("metrics.csv")), before);
    let settings = ["--seed", "0", "--batch-size", "16", "--optimizer", "sgd:momentum=0.9", "--label-smoothing", "0"];
    let mut same = resume(folder.path(), "run", &[&settings[..], &["--train-limit", "64"]].concat());
    same.env("LRSCHED_SEED", "5").env("LRSCHED_LR", "9").env("LRSCHED_SCHEDULE", "cosine");
    same.env("LRSCHED_KEEP", "none").env("LRSCHED_JSON", "true").env("LRSCHED_TENSORBOARD", "true");
    same.env("LRSCHED_MOMENTUM", "0.5").env("LRSCHED_FACTOR", "0.3").env("LRSCHED_NESTEROV", "true");
    let output = succeed(same);
    let record = json(&path.join("run.json"));
    assert_eq!(record["changes"], serde_json::json!([]), "the environment changes no run");
    assert!(!stdout(&output).contains('{') && record["keep"] != "none", "{}", record["keep"]);
    assert!(
        path.join("checkpoints/last").is_dir() && path.join("weights.safetensors").is_file(),
        "nor removes any of it"
    );

    // `all` is what a run without a limit has.
    let whole =
        ["--dataset", "synthetic", "--model", "tiny", "--epochs", "1", "--batch-size", "500", "--out", "whole", "-q"];
    let mut command = program(folder.path());
    command.arg("train").args(whole);
    succeed(command);
    succeed(resume(folder.path(), "whole", &["--train-limit", "all", "--epochs", "2"]));

    // A value is the same however it is written.
    let cropped =
        ["--dataset", "synthetic", "--model", "tiny", "--epochs", "1", "--batch-size", "500", "--out", "cropped", "-q"];
    let mut command = program(folder.path());
    command.arg("train").args(cropped).args(["--augment", "flip-crop:padding=4", "--dropout", "0.10"]);
    succeed(command);
    let again = ["--augment", "flip-crop:padding=4", "--dropout", "1e-1", "--average", "none", "--epochs", "2"];
    succeed(resume(folder.path(), "cropped", &again));
    let output = run(resume(folder.path(), "cropped", &["--augment", "flip-crop:padding=3", "--epochs", "3"]));
    assert!(stderr(&output).contains("augment cannot change within a run: "), "{}", stderr(&output));
}

#[test]
fn the_help_of_resume_lists_no_flag_that_it_refuses() {
    let folder = tempfile::tempdir().unwrap();
    let mut help = program(folder.path());
    help.args(["resume", "--help"]);
    let help = stdout(&succeed(help));
    let flags: Vec<&str> = help
        .split_whitespace()
        .filter_map(|word| word.strip_prefix("--"))
        .map(|word| word.split(|c: char| !(c.is_ascii_lowercase() || c == '-')).next().unwrap())
        .collect();
    assert!(flags.contains(&"scale-lr") && flags.contains(&"no-cycle-momentum") && flags.contains(&"warmup"), "{help}");
    stopped(folder.path(), &["--epochs", "4", "--lr", "0.001", "--optimizer", "sgd:momentum=0.9,nesterov"]);
    for flag in flags {
        // No value, an invalid one, or one that needs --schedule: anything but "cannot change".
        for arguments in [&[&*format!("--{flag}")][..], &[&*format!("--{flag}"), "x"]] {
            let said = stderr(&run(resume(folder.path(), "run", &[arguments, &["--epochs", "0"]].concat())));
            assert!(!said.contains("cannot change within a run"), "{said}");
        }
    }
}

#[test]
fn a_folder_without_a_run_says_so_and_one_in_use_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("empty")).unwrap();
    for (out, why) in [("empty", "is not a run"), ("nowhere", "nowhere: no such folder; give that of a run")] {
        let output = run(resume(folder.path(), out, &[]));
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains(why), "{}", stderr(&output));
    }
    assert_eq!(fs::read_dir(folder.path().join("empty")).unwrap().count(), 0);
    let mut child = train(folder.path(), "run", &["--epochs", "20000"]).spawn().unwrap();
    wait_for_lines(&folder.path().join("run/metrics.csv"), 2, &mut child);
    let output = run(resume(folder.path(), "run", &[]));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("in use"), "{}", stderr(&output));
}

#[test]
fn a_run_that_diverged_goes_on_from_its_last_good_checkpoint_with_a_smaller_rate() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--epochs", "4", "--schedule", "piecewise:milestones=2,values=0.01,1e12", "--log-steps"];
    let output = run(train(folder.path(), "run", &flags));
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    // A tenth of 1e12 would still be too high.
    let said = stderr(&output);
    assert!(
        said.contains("resume from the last good checkpoint:") && said.ends_with("resume run --lr 0.01\n"),
        "{said}"
    );
    let path = folder.path().join("run");
    let again = run(resume(folder.path(), "run", &[]));
    assert_eq!(again.status.code(), Some(2));
    assert!(stderr(&again).contains("--scale-lr"), "{}", stderr(&again));
    succeed(resume(folder.path(), "run", &["--lr", "0.005"]));
    assert_eq!(json(&path.join("run.json"))["status"], "finished");
    let rates = rates(&path);
    assert_eq!((rates.len(), rates[7], rates[8]), (16, 0.01, 0.005));
    assert!(!text(&path.join("metrics.csv")).contains("NaN"));
}

#[test]
fn a_run_that_diverged_goes_on_from_before_its_weights_exploded_or_says_that_there_is_nothing_to_go_on_from() {
    let folder = tempfile::tempdir().unwrap();
    // The last step of an epoch leaves finite weights, but a loss in the thousands: its checkpoint is intact but
    // useless.
    let exploding = |out: &str, step: &str| {
        let schedule = format!("piecewise:milestones={step},values=0.01,10");
        let flags = ["--model", "cnn", "--epochs", "4", "--log-steps", "--schedule", &schedule];
        let output = run(train(folder.path(), out, &flags));
        assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
        assert_eq!(state(&folder.path().join(out), "last")["position"]["sums"]["images"], 0, "after an epoch");
        stderr(&output)
    };
    let said = exploding("later", "7st");
    assert!(said.contains("resume from the last good checkpoint"), "{said}");
    let output = succeed(resume(folder.path(), "later", &["--lr", "0.005"]));
    let said = stderr(&output);
    assert!(
        said.contains("checkpoints/last is of weights that exploded (val_loss ") && said.contains("in epoch 1)"),
        "{said}"
    );
    assert!(said.contains("resuming from checkpoints/last-before (epoch 1, step 4)"), "{said}");
    let path = folder.path().join("later");
    let rates = rates(&path);
    assert_eq!((rates.len(), rates[3], rates[4]), (16, 0.01, 0.005));
    let last: f64 = text(&path.join("metrics.csv")).lines().last().unwrap().split(',').nth(2).unwrap().parse().unwrap();
    assert!(last < 5.0, "it learns again: {last}");

    let said = exploding("at-once", "3st");
    assert!(!said.contains("resume from"), "there is nothing to go on from: {said}");
    assert!(said.contains("every checkpoint of at-once has weights that exploded (val_loss "), "{said}");
    let before = text(&folder.path().join("at-once/run.json"));
    let refused = run(resume(folder.path(), "at-once", &["--lr", "0.005"]));
    let said = stderr(&refused);
    assert_eq!((refused.status.code(), said.lines().count()), (Some(2), 1), "{said}");
    assert!(said.contains("every checkpoint of at-once has weights that exploded (val_loss "), "{said}");
    assert_eq!(text(&folder.path().join("at-once/run.json")), before);
}

#[test]
fn a_run_that_diverged_before_anything_was_saved_says_how_to_start_again_and_a_warm_up_that_it_has_is_no_advice() {
    let folder = tempfile::tempdir().unwrap();
    for (out, flags, advised) in
        [("cold", &["--lr", "1e9"][..], true), ("warm", &["--lr", "1e20", "--warmup", "4st"], false)]
    {
        let said = stderr(&run(train(folder.path(), out, flags)));
        assert_eq!(said.contains(" suggests one), or --warmup\n"), advised, "{said}");
        let line =
            format!("restart at a tenth of the rate:  {} resume {out} --scale-lr 0.1\n", env!("CARGO_BIN_EXE_lrsched"));
        assert!(said.ends_with(&line), "{said}");
        let said = stderr(&run(resume(folder.path(), out, &["--scale-lr", "0.1"])));
        assert!(
            said.contains("no checkpoint yet: starting from the beginning\nchanged from step 0 (epoch 0) on"),
            "{said}"
        );
        assert!(!said.contains("or --warmup"), "the rate was set by hand: {said}");
    }
}

#[test]
fn a_run_that_ends_with_weights_that_are_lost_says_so_and_the_printed_line_goes_on_from_before_that() {
    let folder = tempfile::tempdir().unwrap();
    succeed(train(folder.path(), "run", &["--epochs", "2", "--optimizer", "adam", "--log-steps"]));
    // Adam's steps are as large as its rate: the loss is huge, but finite.
    let output = succeed(resume(folder.path(), "run", &["--epochs", "5", "--lr", "50"]));
    let said = stderr(&output);
    let info = json(&folder.path().join("run/run.json"));
    let message = info["message"].as_str().unwrap();
    assert_eq!(info["status"], "finished");
    assert!(message.starts_with("the run ended with weights that exploded (val_loss "), "{message}");
    assert!(
        message.contains("in epoch 4): its rate was most likely too large")
            && said.contains(&format!("warning: {message}\n")),
        "{said}"
    );

    let line = said.lines().find_map(|line| line.strip_prefix("resume from the last good checkpoint:")).unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(words[1..], ["resume", "run", "--epochs", "5", "--lr", "0.001"]);
    let output = succeed(resume(folder.path(), "run", &words[3..]));
    let said = stderr(&output);
    assert!(said.contains("exploded (val_loss ") && said.contains("; resuming from checkpoints/best"), "{said}");
    let info = json(&folder.path().join("run/run.json"));
    assert!(info["message"].is_null() && info["results"]["val_loss"].as_f64().unwrap() < 10.0, "{info}");
    assert_eq!(*rates(&folder.path().join("run")).last().unwrap(), 0.001);
}

#[test]
fn the_best_checkpoint_is_that_of_the_best_epoch_and_pytorchs_names_are_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--model", "cnn", "--epochs", "6", "--lr", "0.02", "--momentum", "0.9"];
    succeed(train(folder.path(), "run", &flags));
    let path = folder.path().join("run");
    let best = json(&path.join("run.json"))["results"]["best_epoch"].as_u64().unwrap();
    let position = &state(&path, "best")["position"];
    assert_eq!((position["epoch"].as_u64(), position["best_epoch"].as_u64()), (Some(best + 1), Some(best)));
    assert_eq!(state(&path, "last")["position"]["epoch"], 6);
    let names = |file: &str| {
        let bytes = fs::read(checkpoint(&path, "best").join(file)).unwrap();
        let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let shape = |name: &str| tensors.tensor(name).unwrap().shape().to_vec();
        let mut names: Vec<(String, Vec<usize>)> =
            tensors.names().iter().map(|name| (name.to_string(), shape(name))).collect();
        names.sort();
        names
    };
    let weights = names("weights.safetensors");
    assert_eq!((weights.len(), &weights[4]), (12, &("conv3.bias".to_string(), vec![64])));
    let optimizer = names("optimizer.safetensors");
    assert_eq!(optimizer.len(), 12);
    assert_eq!(optimizer[5], ("conv3.weight.momentum_buffer".to_string(), vec![64, 32, 3, 3]));
    // The final weights, beside the run.
    let last = fs::read(checkpoint(&path, "last").join("weights.safetensors")).unwrap();
    assert!(last == fs::read(path.join("weights.safetensors")).unwrap());
}

#[test]
fn a_comparison_started_again_goes_on_with_the_run_that_was_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    let flags =
        ["--entrants", "sgd/cosine", "adam/constant", "--epochs", "4", "--lr", "0.002", "--log-steps", "--jobs", "1"];
    let compare = |out: &str| {
        let mut command = program(folder.path());
        command.arg("compare").args(crate::resume_common::SMALL).args(["--out", out]).args(flags);
        command
    };
    succeed(compare("whole"));
    let mut killed = compare("cut");
    killed.env("LRSCHED_STOP_AT", "between-renames:6");
    assert_eq!(run(killed).status.code(), None);
    let csv = |out: &str| text(&folder.path().join(out).join("comparison.csv"));
    assert_eq!(csv("cut").lines().count(), 2, "the first is done");
    succeed(compare("cut"));
    assert_eq!(crate::common::without_times(&csv("whole")), crate::common::without_times(&csv("cut")));
    for entry in fs::read_dir(folder.path().join("whole/runs")).unwrap() {
        let name = entry.unwrap().file_name();
        let left = |out: &str| crate::resume_common::Left::of(&folder.path().join(out).join("runs").join(&name));
        left("whole").assert_same(&left("cut"), &name.to_string_lossy());
    }
    let adam = fs::read_dir(folder.path().join("cut/runs")).unwrap().map(|entry| entry.unwrap().path());
    let adam = adam.into_iter().find(|path| path.to_string_lossy().contains("adam")).unwrap();
    assert!(text(&adam.join("events.jsonl")).contains("\"resume\""), "it did not start again");
}

#[test]
fn rows_that_a_spreadsheet_saved_are_read_alike_by_report_and_resume_and_other_headers_are_told_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let path = stopped(folder.path(), &["--lr", "0.02", "--epochs", "4"]);
    let untouched = succeed(train(folder.path(), "whole", &["--log-steps", "--lr", "0.02", "--epochs", "4"]));
    assert_eq!(stderr(&untouched), "");
    for name in ["metrics.csv", "steps.csv"] {
        let rows = text(&path.join(name));
        fs::write(path.join(name), format!("\u{feff}{}", rows.replace('\n', "\r\n"))).unwrap();
    }
    let report = || {
        let mut command = program(folder.path());
        command.args(["report", "run"]);
        run(command)
    };
    assert!(report().status.success());
    succeed(resume(folder.path(), "run", &[]));
    assert_eq!(text(&path.join("steps.csv")), text(&folder.path().join("whole/steps.csv")));

    let rows = text(&path.join("metrics.csv"));
    fs::write(path.join("metrics.csv"), rows.replacen("seconds\n", "seconds,note\n", 1)).unwrap();
    for (said, code) in [(stderr(&report()), 1), (stderr(&run(resume(folder.path(), "run", &["--epochs", "5"]))), 1)] {
        assert!(
            said.contains("metrics.csv: row 0, the header, is `epoch,")
                && said.contains("seconds,note`, expected `epoch,"),
            "{code}: {said}"
        );
    }
}

#[test]
fn a_changed_run_of_a_comparison_is_no_longer_its_own_and_both_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let compare = || {
        let mut command = program(folder.path());
        let flags = ["--entrants", "sgd/constant", "sgd/linear", "--epochs", "1", "--keep", "all", "--out", "cmp"];
        command.arg("compare").args(SMALL).args(flags).args(["--lr", "0.01"]);
        run(command)
    };
    assert_eq!(compare().status.code(), Some(0));
    let name = "cmp/runs/sgd_constant_lr=0.01_seed=0";
    let output = run(resume(folder.path(), name, &["--epochs", "2"]));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let said = "this run belongs to the comparison in cmp, which no longer takes it once it is changed";
    assert!(stderr(&output).contains(said), "{}", stderr(&output));
    let output = compare();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("; remove its folder to train it alone again, "), "{}", stderr(&output));
    fs::remove_dir_all(folder.path().join(name)).unwrap();
    let output = compare();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}
