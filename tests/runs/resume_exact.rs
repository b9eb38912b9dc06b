//! A run that is interrupted anywhere, any number of times, and resumed equals the uninterrupted run bit for bit.
#![cfg(unix)]

use crate::resume_common::{Left, resume, run, stderr, succeed, train};
use lrsched::random::{Purpose, keyed, uniform};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// SIGKILLs for each of the runs in [`RUNS`].
const KILLS: usize = 5;

/// Every kind of optimizer, both metric-driven schedules, mid-epoch checkpoints by steps and by time, and everything else with
/// state or random draws: running statistics, dropout, augmentation, micro-batches.
const RUNS: [(&str, &str); 19] = [
    (
        "sgd",
        "--model cnn --momentum 0.9 --nesterov --lr 0.02 --schedule cosine --augment flip-crop --checkpoint-every 3st",
    ),
    ("rmsprop", "--optimizer rmsprop --centered --momentum 0.5 --lr 1e-4 --schedule one-cycle --checkpoint-every 1st"),
    ("adam", "--optimizer adam --lr 3e-4 --schedule step:drop-every=2 --warmup 1"),
    (
        "adamw",
        "--optimizer adamw --lr 3e-4 --weight-decay 0.1 --dropout 0.3 --clip-norm 0.1 --clip-value 0.02 --checkpoint-every 0.05s",
    ),
    ("adagrad", "--optimizer adagrad --lr 2e-3 --label-smoothing 0.1 --checkpoint-every 3st"),
    (
        "adadelta",
        "--optimizer adadelta --lr 0.5 --augment alternating-flip-crop:padding=2,padding-mode=reflect --batch-size 20 --drop-last \
         --loss-reduction sum --tta mirror --schedule triangular:max-lr=0.9,step-size=5st --checkpoint-every 2st",
    ),
    (
        "schedule-free",
        "--model resnet9 --optimizer schedule-free-adamw --lr 2e-3 --warmup 1 --epochs 3 --checkpoint-every 2st",
    ),
    ("schedule-free-sgd", "--optimizer schedule-free-sgd --lr 0.05 --weight-decay 1e-4 --checkpoint-every 3st"),
    ("radam", "--optimizer radam --lr 1e-3 --schedule cosine --checkpoint-every 2st"),
    (
        "amsgrad, adamax and lion",
        "--optimizer adam --amsgrad --lr 1e-3 --group *.bias=adamax conv*.weight=lion:lr=1e-4 --checkpoint-every 3st",
    ),
    ("prodigy", "--optimizer prodigy --d0 1e-4 --checkpoint-every 3st"),
    ("muon", "--optimizer muon --schedule one-cycle:max-lr=0.05 --lr 0.02 --augment flip --checkpoint-every 2st"),
    ("nadam", "--optimizer nadam --schedule one-cycle:max-lr=0.005 --lr 0.002 --checkpoint-every 1st"),
    ("halve", "--lr 0.02 --schedule halve:when=epoch>=1,when=loss<=2.3,when=val_accuracy>=0.1 --checkpoint-every 2st"),
    ("plateau", "--lr 0.02 --schedule plateau:patience=0,factor=0.5,threshold=0.05,cooldown=1 --momentum 0.5"),
    (
        "groups",
        "--momentum 0.9 --lr 0.02 --schedule cosine --group *.bias=adam/plateau:patience=0 fc*.weight=rmsprop/freeze-after=9st --checkpoint-every 2st",
    ),
    ("ema", "--momentum 0.9 --lr 0.02 --average ema:decay=0.9 --checkpoint-every 2st"),
    ("lookahead", "--optimizer adam --lr 3e-4 --average lookahead:every=3st --checkpoint-every 2st"),
    ("resnet9", "--model resnet9 --lr 0.01 --momentum 0.9 --epochs 3 --average swa:from=1 --checkpoint-every 2st"),
];

fn flags(text: &str) -> Vec<&str> {
    ["--epochs", "6", "--seed", "11", "--log-steps"].into_iter().chain(text.split_whitespace()).collect()
}

/// Trains without interruption.
fn reference(folder: &Path, flags: &[&str]) -> Left {
    succeed(train(folder, "whole", flags));
    Left::of(&folder.join("whole"))
}

/// Trains without interruption, and returns how long the epochs took.
fn timed_reference(folder: &Path, flags: &[&str]) -> (Left, Duration) {
    let whole = reference(folder, flags);
    let metrics = crate::resume_common::text(&folder.join("whole/metrics.csv"));
    let seconds = metrics.lines().skip(1).map(|row| row.rsplit(',').next().unwrap().parse::<f64>().unwrap());
    (whole, Duration::from_secs_f64(seconds.sum()))
}

/// Waits until the program writes its first event after those of earlier starts, or ends: from then on it is training.
fn wait_for_training(run: &Path, written: Option<SystemTime>, child: &mut Child) {
    while changed(run) == written && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// When the events of a run were last written.
fn changed(run: &Path) -> Option<SystemTime> {
    std::fs::metadata(run.join("events.jsonl")).and_then(|events| events.modified()).ok()
}

#[test]
fn a_run_killed_at_random_moments_and_resumed_is_the_same_bit_for_bit() {
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let seed = std::env::var("LRSCHED_TEST_SEED").map_or(clock, |text| text.parse().unwrap());
    println!("seed {seed}: run again with LRSCHED_TEST_SEED={seed}");
    let mut random = keyed(seed, Purpose::Shuffle, 0, 0);
    let (mut kills, mut resumed_from_the_middle) = (0, 0);
    for (name, own) in RUNS {
        let folder = tempfile::tempdir().unwrap();
        let flags = flags(own);
        let (whole, usual) = timed_reference(folder.path(), &flags);
        let mut killed = 0;
        for attempt in 0.. {
            let out = format!("run{attempt}");
            let path = folder.path().join(&out);
            loop {
                let begun = path.join("run.json").exists();
                let command = if begun {
                    resume(folder.path(), &out, &[])
                } else {
                    train(folder.path(), &out, &[&flags[..], &["--force"]].concat())
                };
                if killed >= KILLS {
                    succeed(command);
                    break;
                }
                let mut command = command;
                let written = changed(&path);
                let mut child = command.stderr(Stdio::null()).spawn().unwrap();
                // Up to one kill in five may hit while the program is still loading.
                if killed % 5 != 4 {
                    wait_for_training(&path, written, &mut child);
                }
                std::thread::sleep(usual.mul_f32(uniform(&mut random)));
                child.kill().unwrap();
                let status = child.wait().unwrap();
                if status.success() {
                    break;
                }
                assert_eq!(status.code(), None, "{name}: only the kill ends it");
                killed += 1;
                let state = path.join("checkpoints/last/state.json");
                if state.exists() && crate::resume_common::json(&state)["state"]["position"]["sums"]["images"] != 0 {
                    resumed_from_the_middle += 1;
                }
            }
            whole.assert_same(&Left::of(&path), &format!("{name}, {killed} kills, seed {seed}"));
            if killed >= KILLS {
                break;
            }
        }
        kills += killed;
    }
    println!("{kills} kills, {resumed_from_the_middle} of them resumed from the middle of an epoch");
    // A run with mid-epoch checkpoints must have been killed within an epoch: otherwise that case is untested.
    assert!(resumed_from_the_middle > 0, "no kill left a checkpoint from the middle of an epoch");
}

#[test]
fn a_process_that_dies_while_it_writes_a_row_or_a_checkpoint_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let flags = flags("--optimizer adam --lr 3e-4 --schedule plateau:patience=0 --checkpoint-every 3st");
    let whole = reference(folder.path(), &flags);
    // A row of metrics.csv is the fifth of all rows in each epoch.
    let points = [
        "mid-row:1",
        "mid-row:7",
        "mid-row:5",
        "mid-row:10",
        "mid-checkpoint:1",
        "mid-checkpoint:2",
        "mid-checkpoint:5",
    ];
    let renames = ["between-renames:1", "between-renames:2", "between-renames:6", "mid-best:1", "mid-best:2"];
    for point in points.iter().chain(&renames) {
        let out = point.replace(':', "-");
        let mut command = train(folder.path(), &out, &flags);
        command.env("LRSCHED_STOP_AT", point);
        let output = run(command);
        assert_eq!(output.status.code(), None, "{point} was not reached: {}", stderr(&output));
        let path = folder.path().join(&out);
        if point.starts_with("mid-row") {
            let half =
                ["metrics.csv", "steps.csv"].map(|file| !crate::resume_common::text(&path.join(file)).ends_with('\n'));
            assert!(half.contains(&true), "{point}: no half row");
        }
        succeed(resume(folder.path(), &out, &[]));
        whole.assert_same(&Left::of(&path), point);
        let mut left: Vec<_> =
            std::fs::read_dir(path.join("checkpoints")).unwrap().map(|e| e.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["best", "last", "last-before"], "{point}: nothing half-written stays");
    }
}

#[test]
fn a_process_that_dies_again_and_again_at_the_same_point_still_comes_to_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let flags = flags("--lr 0.02 --momentum 0.9 --schedule halve:when=loss<=2.3");
    let whole = reference(folder.path(), &flags);
    let mut command = train(folder.path(), "run", &flags);
    command.env("LRSCHED_STOP_AT", "between-renames:2");
    let mut died = 0;
    while run(command).status.code().is_none() {
        died += 1;
        assert!(died < 20, "it gets nowhere");
        command = resume(folder.path(), "run", &[]);
        command.env("LRSCHED_STOP_AT", "between-renames:2");
    }
    assert!(died >= 3, "died only {died} times");
    whole.assert_same(&Left::of(&folder.path().join("run")), "between-renames each time");
}

#[test]
fn a_longer_run_is_the_run_that_was_meant_so_from_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let flags =
        ["--epochs", "5", "--log-steps", "--optimizer", "adam", "--schedule", "step:drop-every=2", "--lr", "3e-4"];
    let whole = reference(folder.path(), &flags);
    let mut short = flags;
    short[1] = "2";
    succeed(train(folder.path(), "run", &short));
    succeed(resume(folder.path(), "run", &["--epochs", "5"]));
    whole.assert_same(&Left::of(&folder.path().join("run")), "2 epochs, then 3 more");
}

#[test]
fn a_run_that_dies_within_every_epoch_keeps_its_interval_of_checkpoints_and_comes_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let flags = flags("--lr 0.02 --checkpoint-every 1st");
    let whole = reference(folder.path(), &flags);
    // Three rows are written, the fourth is not: without mid-epoch checkpoints, an epoch of 4 steps would never end.
    // With them, the second-to-last is on disk by then, since each checkpoint waits for the one before.
    let killed = |mut command: std::process::Command| {
        command.env("LRSCHED_STOP_AT", "mid-row:4");
        run(command).status.code().is_none()
    };
    assert!(killed(train(folder.path(), "run", &flags)));
    let info = crate::resume_common::json(&folder.path().join("run/run.json"));
    assert_eq!(info["checkpoint_every"], "1st", "{info}");
    assert!(info["kernels"].is_string(), "{info}");
    let deaths = (0..60).take_while(|_| killed(resume(folder.path(), "run", &[]))).count();
    assert!((2..60).contains(&deaths), "{deaths}");
    whole.assert_same(&Left::of(&folder.path().join("run")), "after many deaths");
    // Settings given on resume also apply to later resumes.
    let mut command = resume(folder.path(), "run", &["--epochs", "8", "--checkpoint-every", "3st", "--threads", "1"]);
    command.env("LRSCHED_STOP_AT", "mid-row:1");
    assert!(run(command).status.code().is_none());
    let info = crate::resume_common::json(&folder.path().join("run/run.json"));
    assert_eq!((&info["checkpoint_every"], &info["threads"]), (&"3st".into(), &1.into()), "{info}");
    assert_eq!(info["changes"][0]["setting"], "epochs", "{info}");
}
