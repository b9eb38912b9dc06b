//! `lrsched train`, as a user runs it.

use crate::common::{TINY, cifar10, lrsched, without_times};
use std::fs;

fn read(folder: &tempfile::TempDir, file: &str) -> String {
    fs::read_to_string(folder.path().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

#[test]
fn a_run_leaves_metrics_steps_weights_and_everything_needed_to_run_it_again() {
    let folder = tempfile::tempdir().unwrap();
    let flags = "--schedule step --factor 0.5 --drop-every 2 --epochs 3 --log-steps --out run --momentum 0.9 --lr 0.01";
    lrsched(&folder).arg("train").args(TINY).args(flags.split(' ')).assert().success();

    let metrics = read(&folder, "run/metrics.csv");
    let rows: Vec<Vec<&str>> = metrics.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows[0][..3], ["epoch", "learning_rate", "loss"]);
    // The rate drops at epoch drop-every − 1, and the logged rate is that of the epoch itself.
    let rates: Vec<_> = rows[1..].iter().map(|row| (row[0], row[1], row[6], row[7])).collect();
    assert_eq!(rates, [("0", "0.01", "0.9", "3"), ("1", "0.005", "0.9", "6"), ("2", "0.005", "0.9", "9")]);

    let steps = read(&folder, "run/steps.csv");
    assert_eq!(steps.lines().count(), 1 + 9);
    assert!(steps.lines().nth(4).unwrap().starts_with("3,1,0.005,0.9,"), "{steps}");

    let info: serde_json::Value = serde_json::from_str(&read(&folder, "run/run.json")).unwrap();
    assert_eq!(info["status"], "finished");
    assert!(["avx512", "avx2+fma", "portable"].contains(&info["kernels"].as_str().unwrap()));
    assert_eq!(info["config"]["schedule"], "step:factor=0.5,drop-every=2");
    assert!(info["results"]["test_accuracy"].as_f64().unwrap() > 0.0);
    assert_eq!(info["dataset"]["digest"].as_str().unwrap().len(), 64);
    assert!(folder.path().join("run/weights.safetensors").is_file());
}

#[test]
fn a_run_that_learned_nothing_says_so_and_one_of_few_images_does_not() {
    for (held_out, warns) in [("1000", true), ("50", false)] {
        let folder = tempfile::tempdir().unwrap();
        let flags = ["--dataset", "synthetic", "--model", "tiny", "--train-limit", "32", "--validation", held_out];
        let flags = [&flags[..], &["--batch-size", "32", "--epochs", "1", "--lr", "1e-9", "--out", "run"]].concat();
        let output = lrsched(&folder).arg("train").args(flags).args(["--progress", "none"]).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        let warning = "warning: the run learned nothing: its val_accuracy of ";
        assert_eq!((output.status.code(), said.contains(warning)), (Some(0), warns), "{held_out}: {said}");
        assert!(!said.contains("resume from the last good checkpoint"), "{said}");
    }
}

#[test]
fn what_show_says_looks_wrong_with_a_schedule_is_said_once_before_training() {
    let folder = tempfile::tempdir().unwrap();
    for flags in [
        "--schedule cosine --warmup 10 --epochs 2 --lr 0.02",
        "--schedule exponential:decay-rate=0.01,decay-steps=1 --epochs 3 --lr 0.02",
        "--schedule cosine:end-lr=0.001 --epochs 1 --lr 0.02",
    ] {
        let said = |command: &str, more: &[&str]| {
            let output = lrsched(&folder).arg(command).args(flags.split(' ')).args(more).output().unwrap();
            assert!(output.status.success());
            String::from_utf8(output.stderr).unwrap()
        };
        let shown = said("show", &["--steps-per-epoch", "3", "--format", "table"]);
        assert_eq!(said("train", &[&TINY[..], &["--out", "run", "--force"]].concat()), shown, "{flags}");
        assert_eq!(shown.is_empty(), flags.contains("end-lr"), "{shown}");
    }
}

#[test]
fn the_same_seed_gives_the_same_bits_on_any_number_of_threads_and_another_seed_others() {
    let folder = tempfile::tempdir().unwrap();
    let mut metrics = Vec::new();
    for (out, seed, threads) in [("a", "1", "2"), ("b", "1", "2"), ("c", "1", "1"), ("d", "1", "3"), ("e", "2", "2")] {
        let flags = ["--epochs", "2", "--augment", "flip-crop", "--dropout", "0.2", "--lr", "0.05"];
        let own = ["--seed", seed, "--threads", threads, "--out", out, "--log-steps"];
        lrsched(&folder).arg("train").args(TINY).args(flags).args(own).assert().success();
        let steps = read(&folder, &format!("{out}/steps.csv"));
        let weights = fs::read(folder.path().join(out).join("weights.safetensors")).unwrap();
        metrics.push((without_times(&read(&folder, &format!("{out}/metrics.csv"))), steps, weights));
    }
    assert!(metrics[0] == metrics[1] && metrics[0] == metrics[2] && metrics[0] == metrics[3]);
    assert!(metrics[0].0 != metrics[4].0);
}

#[test]
fn more_threads_than_cores_are_capped_and_said_once() {
    let folder = tempfile::tempdir().unwrap();
    let cores = std::thread::available_parallelism().unwrap().get();
    let train = [&["train"][..], &TINY, &["--epochs", "1", "--lr", "0.01", "--out", "run"]].concat();
    let bench = vec!["bench", "--batch-size", "4", "--steps", "1"];
    let eval = vec!["eval", "run", "--split", "train"];
    for arguments in [train, bench, eval] {
        let output = lrsched(&folder).args(&arguments).args(["--threads", "1024"]).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        let line =
            format!("warning: --threads 1024 is more than the {cores} cores of this process; computing with {cores}");
        assert_eq!(said.matches(&line).count(), 1, "{arguments:?}: {said}");
    }
    let info: serde_json::Value = serde_json::from_str(&read(&folder, "run/run.json")).unwrap();
    assert_eq!(info["threads"], cores);
}

#[test]
fn the_printed_config_runs_the_same_again() {
    let folder = tempfile::tempdir().unwrap();
    let flags = [
        "--optimizer",
        "adam",
        "--beta2",
        "0.99",
        "--schedule",
        "one-cycle",
        "--max-lr",
        "0.002",
        "--epochs",
        "2",
        "--label-smoothing",
        "0.1",
        "--clip-norm",
        "0.5",
        "--clip-value",
        "0.1",
    ];
    let printed = lrsched(&folder).arg("train").args(TINY).args(flags).arg("--print-config").output().unwrap();
    assert!(printed.status.success() && !folder.path().join("results").exists());
    fs::write(folder.path().join("again.toml"), printed.stdout).unwrap();
    lrsched(&folder).arg("train").args(TINY).args(flags).args(["--out", "a"]).assert().success();
    let from_file = ["train", "--config", "again.toml", "--out", "b", "--progress", "none"];
    lrsched(&folder).args(from_file).assert().success();
    assert_eq!(without_times(&read(&folder, "a/metrics.csv")), without_times(&read(&folder, "b/metrics.csv")));
}

#[test]
fn a_config_can_come_from_stdin() {
    let folder = tempfile::tempdir().unwrap();
    let run = |config: &str| {
        let mut command = lrsched(&folder);
        let output = command.args(["train", "--config", "-", "--print-config"]).write_stdin(config).output().unwrap();
        let (out, said) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        (out, said, output.status.code())
    };
    let (printed, said, code) = run("dataset = \"synthetic\"\nepochs = 3\n");
    assert_eq!(code, Some(0), "{said}");
    assert!(printed.contains("\nepochs = 3\n"), "{printed}");
    let (_, said, code) = run("\n");
    assert!(code == Some(2) && said.contains("config: stdin (`-`) is empty"), "{said}");
    let (_, said, code) = run("epoch = 3\n");
    assert!(code == Some(2) && said.contains("stdin: unknown key `epoch`; did you mean `epochs`?"), "{said}");
    let (_, said, code) = run("seeds = 3\n");
    let elsewhere = "stdin: `seeds` is a key of `lrsched compare` and `lrsched find` only; leave it out";
    assert!(code == Some(2) && said.contains(elsewhere), "{said}");
}

#[test]
fn a_rate_that_the_schedule_does_not_use_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let run = |flags: &[&str]| {
        let output =
            lrsched(&folder).args(["train", "--dataset", "synthetic", "--print-config"]).args(flags).output().unwrap();
        let (config, said) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert!(output.status.success(), "{said}");
        (config, said)
    };
    let one_cycle = ["--schedule", "one-cycle:max-lr=0.1"];
    let line = |lr: &str| format!("warning: lr {lr} has no effect: one-cycle:max-lr=0.1 sets its own rates\n");
    let (config, said) = run(&[&one_cycle[..], &["--lr", "0.5"]].concat());
    assert_eq!(said, line("0.5"));
    assert_eq!(run(&[&one_cycle[..], &["--optimizer", "sgd:lr=1e-5"]].concat()).1, line("1e-5"));
    assert_eq!(run(&one_cycle).1, "");
    assert_eq!(run(&["--schedule", "one-cycle:max-lr=2x", "--lr", "0.5"]).1, "");
    // A printed config holds every setting, used or not.
    std::fs::write(folder.path().join("run.toml"), config).unwrap();
    assert_eq!(run(&["--config", "run.toml"]).1, "");
}

#[test]
fn the_command_line_goes_before_the_environment_and_that_before_the_file() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("c.toml"), "lr = 0.3\nepochs = 7\nseed = 3\nschedule = \"step\"\ndrop-every = 4\n")
        .unwrap();
    let config = |flags: &[&str], lr: Option<&str>| {
        let mut command = lrsched(&folder);
        command.args(["train", "--config", "c.toml", "--print-config"]).args(flags);
        if let Some(lr) = lr {
            command.env("LRSCHED_LR", lr);
        }
        let table: toml::Table = String::from_utf8(command.output().unwrap().stdout).unwrap().parse().unwrap();
        table
    };
    assert_eq!(config(&[], None)["lr"].as_float(), Some(0.3));
    assert_eq!(config(&[], Some("0.2"))["lr"].as_float(), Some(0.2));
    let all = config(&["--lr", "0.1", "--schedule", "cosine"], Some("0.2"));
    assert_eq!(all["lr"].as_float(), Some(0.1));
    // If the schedule differs from the file's, it does not inherit the file's parameters.
    assert_eq!(all["schedule"].as_str(), Some("cosine"));
    assert_eq!(all["epochs"].as_integer(), Some(7));
}

#[test]
fn a_pipe_gets_one_plain_line_an_epoch_and_json_one_object_an_event() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--epochs", "2", "--progress", "auto", "--json", "--out", "run"];
    let tiny: Vec<&str> = TINY.iter().copied().filter(|flag| !["--progress", "none"].contains(flag)).collect();
    let output = lrsched(&folder).arg("train").args(tiny).args(flags).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{stderr}");
    assert!(!stderr.contains(['\u{1b}', '\r']), "{stderr:?}");
    assert_eq!(stderr.lines().filter(|line| line.starts_with("epoch ")).count(), 2, "{stderr}");
    let events: Vec<serde_json::Value> =
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(names, ["start", "epoch", "epoch", "finish"]);
}

#[cfg(unix)]
#[test]
fn a_log_by_tee_or_of_stdout_has_the_lines_of_the_epochs_once() {
    let folder = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_lrsched");
    let lines = |out: &str, rest: &str| {
        let train = format!("'{program}' train {} --epochs 2 --lr 0.02 --out {out}", TINY[..10].join(" "));
        let script = format!("{train} {rest}");
        let status = std::process::Command::new("sh").args(["-c", &script]).current_dir(&folder).status().unwrap();
        assert!(status.success(), "{script}");
        let log = read(&folder, "log");
        (log.lines().filter(|line| line.starts_with("epoch ")).count(), log.contains("results in"))
    };
    assert_eq!(lines("a", "2>/dev/null | tee log >/dev/null"), (2, true));
    assert_eq!(lines("b", "2>/dev/null > log"), (2, true));
    assert_eq!(lines("c", "2>&1 | tee log >/dev/null"), (2, true), "not twice");
    assert_eq!(lines("d", "> log 2>&1"), (2, true), "not twice");
    assert_eq!(lines("e", "2> log > /dev/null"), (2, true));
    assert_eq!(lines("f", "-q > log"), (0, false));
    assert_eq!(lines("g", "--json 2>/dev/null > log"), (0, false), "only events");
    assert_eq!(lines("h", "2> log | head -n 1 > /dev/null"), (2, true), "a reader that leaves ends no run");
}

#[test]
fn a_reader_of_the_events_that_leaves_does_not_end_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_lrsched");
    let script = format!("'{program}' train {} --json --out run | head -n 1 > /dev/null", TINY.join(" "));
    std::process::Command::new("sh").args(["-c", &script]).current_dir(&folder).status().unwrap();
    assert!(read(&folder, "run/run.json").contains("\"finished\""));
}

#[test]
fn two_runs_cannot_write_to_one_folder() {
    let folder = tempfile::tempdir().unwrap();
    let start = |epochs: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_lrsched"));
        command.arg("train").args(TINY).args(["--epochs", epochs, "--out", "run", "--force"]).current_dir(&folder);
        command.stderr(std::process::Stdio::piped());
        command
    };
    let mut first = start("20000").spawn().unwrap();
    while !folder.path().join("run/metrics.csv").exists() {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let second = start("1").output().unwrap();
    first.kill().unwrap();
    first.wait().unwrap();
    assert_eq!(second.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&second.stderr).contains("in use"));
    assert!(start("1").output().unwrap().status.success(), "the folder is free once the first run is gone");
}

#[test]
fn a_run_that_diverges_keeps_its_rows_says_so_and_exits_4() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--lr", "1e9", "--epochs", "3", "--out", "run"];
    let output = lrsched(&folder).arg("train").args(TINY).args(flags).output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    let last = read(&folder, "run/metrics.csv").lines().last().unwrap().to_string();
    assert_eq!(last.split(',').nth(4), Some("NaN"), "{last}");
    assert!(read(&folder, "run/run.json").contains("\"diverged\""));
}

#[test]
fn all_three_kinds_of_gradient_descent_run() {
    let folder = tempfile::tempdir().unwrap();
    for (size, steps) in [("1", 20), ("8", 3), ("full", 1)] {
        let flags =
            ["--train-limit", "20", "--validation", "10", "--batch-size", size, "--epochs", "1", "--lr", "0.001"];
        let out = ["--dataset", "synthetic", "--model", "tiny", "--out", size, "--log-steps", "-q"];
        lrsched(&folder).arg("train").args(flags).args(out).assert().success();
        assert_eq!(read(&folder, &format!("{size}/steps.csv")).lines().count(), 1 + steps);
    }
}

#[test]
fn what_a_user_may_not_expect_is_said_once() {
    let folder = tempfile::tempdir().unwrap();
    let said = |flags: &[&str], out: &str| {
        let plain = &["--epochs", "2", "--progress", "plain", "--out", out];
        let all = [
            &["train", "--dataset", "synthetic", "--model", "tiny", "--train-limit", "96"][..],
            &["--batch-size", "32"],
            &plain[..],
            flags,
        ]
        .concat();
        let output = lrsched(&folder).args(all).output().unwrap();
        String::from_utf8(output.stderr).unwrap().lines().filter(|line| line.starts_with("note: ")).count()
    };
    assert_eq!(said(&["--schedule", "one-cycle", "--lr", "0.01"], "a"), 1);
    assert_eq!(said(&["--schedule", "one-cycle", "--lr", "0.01", "--momentum", "0.9"], "b"), 0);
    assert_eq!(said(&["--lr", "0.01", "--validation", "test"], "c"), 1);
}

#[test]
fn real_cifar10_is_learned() {
    let Some(data) = cifar10("real_cifar10_is_learned") else { return };
    let folder = tempfile::tempdir().unwrap();
    let flags = "--schedule step --factor 0.5 --drop-every 10 --train-limit 2000 --validation 500 --epochs 3 --lr 0.03 \
                 --momentum 0.9 --out run -q";
    lrsched(&folder).arg("train").args(flags.split_whitespace()).env("LRSCHED_DATA", data).assert().success();
    let accuracy: f64 =
        read(&folder, "run/metrics.csv").lines().last().unwrap().split(',').nth(5).unwrap().parse().unwrap();
    assert!(accuracy > 0.25, "validation accuracy {accuracy} after 3 epochs of 2,000 images; guessing gives 0.1");
}

#[test]
fn a_rate_of_any_number_of_digits_makes_a_folder_without_out() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--epochs", "1", "--lr", "1e-30", "--schedule", "constant"];
    lrsched(&folder).arg("train").args(TINY).args(flags).assert().success();
    let folders: Vec<_> = fs::read_dir(folder.path().join("results")).unwrap().collect();
    assert_eq!(folders.len(), 1);
    for lr in ["1e-230", "1e-300"] {
        let output = lrsched(&folder).arg("train").args(TINY).args(["--epochs", "1", "--lr", lr]).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!said.contains("too long"), "{said}");
    }
}

#[test]
fn where_the_schedule_sets_its_own_rates_the_first_lines_and_the_folder_say_its_peak() {
    let folder = tempfile::tempdir().unwrap();
    let tiny: Vec<&str> = TINY.iter().copied().filter(|flag| !["--progress", "none"].contains(flag)).collect();
    for (schedule, said, name) in [
        ("expr:0.4*(1-t/T)", "sgd at peak rate 0.4, expr:expr=0.4*(1-t/T); 1 epoch", "sgd-expr-peak0.4-seed0-"),
        // The steps of so short a run miss the peak by a little: cos(π·0.1/2.1) of the first of three.
        ("one-cycle:max-lr=0.4", "sgd at peak rate 0.398, one-cycle:max-lr=0.4; 1 epoch", "sgd-one-cycle-peak0.398-"),
        ("one-cycle", "sgd at 0.1, one-cycle; 1 epoch", "sgd-one-cycle-lr0.1-seed0-"),
    ] {
        let flags = ["--schedule", schedule, "--epochs", "1", "--progress", "plain"];
        let output = lrsched(&folder).arg("train").args(&tiny).args(flags).output().unwrap();
        let lines = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(lines.lines().any(|line| line.starts_with(said)), "{schedule}: {lines}");
        let mut folders = fs::read_dir(folder.path().join("results")).unwrap();
        let is_named =
            |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().to_string_lossy().starts_with(name);
        assert!(folders.any(is_named), "{schedule}");
    }
}
