//! What goes wrong around a run: each fault is made for real, ends in one clear line, and loses nothing.
#![cfg(unix)]

use crate::resume_common::{
    Left, SMALL, checkpoint, json, program, resume, run, state, stderr, succeed, text, train, wait_for_lines,
};
use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::process::{Command, Output};

/// The only line on stderr, of a run that failed without a panic.
fn one_line(output: &Output, code: i32) -> String {
    let said = stderr(output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    said
}

/// A file system of its own, of `size`; gone with this.
struct Small<'a>(&'a Path);

impl<'a> Small<'a> {
    /// `None`, said loudly, where mounting is not allowed.
    fn mount(at: &'a Path, size: &str, test: &str) -> Option<Self> {
        let options = format!("size={size}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "lrsched-test"]).arg(at).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(at));
        }
        let line = format!("SKIPPED {test}: only root may mount a small file system\n");
        std::io::stderr().write_all(line.as_bytes()).unwrap();
        None
    }

    fn remount(&self, option: &str) {
        let options = format!("remount,{option}");
        assert!(Command::new("mount").args(["-o", &options]).arg(self.0).status().unwrap().success());
    }
}

impl Drop for Small<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}

#[test]
fn a_full_disk_is_one_line_and_the_run_goes_on_from_the_last_checkpoint_once_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("disk");
    fs::create_dir(&disk).unwrap();
    // One checkpoint of adam is 26 MB.
    let Some(small) = Small::mount(&disk, "40m", "a_full_disk_is_one_line") else { return };
    let flags = ["--optimizer", "adam", "--lr", "3e-4", "--epochs", "4", "--log-steps"];
    let said = one_line(&run(train(folder.path(), "disk/run", &flags)), 1);
    assert!(
        said.contains("cannot save a checkpoint in disk/run/checkpoints") && said.contains("No space left"),
        "{said}"
    );
    let path = disk.join("run");
    assert_eq!(state(&path, "last")["position"]["epoch"], 1, "the first is whole");
    assert!(!checkpoint(&path, ".new").exists(), "what is half written takes up no room");
    small.remount("size=200m");
    succeed(resume(folder.path(), "disk/run", &[]));
    succeed(train(folder.path(), "whole", &flags));
    Left::of(&folder.path().join("whole")).assert_same(&Left::of(&path), "after the disk was full");
}

#[test]
fn a_folder_that_cannot_be_written_is_one_line_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let said = one_line(&run(train(folder.path(), "file/run", &["--epochs", "1"])), 1);
    assert!(said.contains("file/run"), "{said}");
    let disk = folder.path().join("disk");
    fs::create_dir(&disk).unwrap();
    let Some(small) = Small::mount(&disk, "200m", "a_folder_that_cannot_be_written") else { return };
    small.remount("ro");
    let said = one_line(&run(train(folder.path(), "disk/run", &["--epochs", "1"])), 1);
    assert!(said.contains("disk/run") && said.contains("Read-only"), "{said}");
}

/// A run that was killed after its third checkpoint, and what it must come to.
fn killed(folder: &Path, out: &str) -> [&'static str; 9] {
    let flags =
        ["--optimizer", "adam", "--lr", "3e-4", "--epochs", "5", "--log-steps", "--schedule", "plateau:patience=0"];
    let mut command = train(folder, out, &flags);
    command.env("LRSCHED_STOP_AT", "mid-checkpoint:4");
    assert_eq!(run(command).status.code(), None);
    flags
}

fn damage(path: &Path, how: &str) {
    let mut file = fs::File::options().read(true).write(true).open(path).unwrap();
    let length = file.metadata().unwrap().len();
    let middle = length / 2;
    match how {
        "cut" => file.set_len(length - 5).unwrap(),
        "emptied" => file.set_len(0).unwrap(),
        _ => {
            let mut byte = [0];
            file.seek(SeekFrom::Start(middle)).unwrap();
            file.read_exact(&mut byte).unwrap();
            file.seek(SeekFrom::Start(middle)).unwrap();
            file.write_all(&[byte[0] ^ 0x10]).unwrap();
        }
    }
}

#[test]
fn a_damaged_checkpoint_is_noticed_and_the_one_before_takes_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let flags = killed(folder.path(), "killed");
    succeed(train(folder.path(), "whole", &flags));
    let whole = Left::of(&folder.path().join("whole"));
    for file in ["weights.safetensors", "optimizer.safetensors", "state.json"] {
        for how in ["cut", "emptied", "flipped"] {
            let out = format!("{file}-{how}");
            assert!(Command::new("cp").args(["-r", "killed", &out]).current_dir(&folder).status().unwrap().success());
            let path = folder.path().join(&out);
            damage(&checkpoint(&path, "last").join(file), how);
            let output = succeed(resume(folder.path(), &out, &[]));
            let said = stderr(&output);
            assert!(said.contains(&format!("checkpoints/last/{file} is damaged")), "{said}");
            assert!(said.contains("going on from checkpoints/last-before (epoch 2, step 8)"), "{said}");
            whole.assert_same(&Left::of(&path), &out);
        }
    }
}

#[test]
fn a_run_whose_checkpoints_are_all_damaged_is_refused_and_its_rows_stay() {
    let folder = tempfile::tempdir().unwrap();
    killed(folder.path(), "run");
    let path = folder.path().join("run");
    for name in ["last", "last-before", "best"] {
        fs::write(checkpoint(&path, name).join("state.json"), "{}").unwrap();
    }
    let before = text(&path.join("metrics.csv"));
    let said = one_line(&run(resume(folder.path(), "run", &[])), 1);
    assert!(said.contains("no checkpoint is whole") && said.contains("state.json is damaged"), "{said}");
    assert_eq!(text(&path.join("metrics.csv")), before);
}

#[test]
fn rows_that_are_missing_are_noticed() {
    let folder = tempfile::tempdir().unwrap();
    killed(folder.path(), "run");
    fs::write(folder.path().join("run/metrics.csv"), "epoch,learning_rate\n").unwrap();
    let said = one_line(&run(resume(folder.path(), "run", &[])), 1);
    assert!(said.contains("metrics.csv"), "{said}");
}

/// Six files in CIFAR-10's layout, of stripes that tell the classes apart.
fn fake_cifar10(folder: &Path, offset: usize) {
    fs::create_dir_all(folder).unwrap();
    let mut bytes = Vec::with_capacity(30_730_000);
    for record in 0..10_000_usize {
        bytes.push((record % 10) as u8);
        bytes.extend((0..3072).map(|at| ((at * (record % 10 + 1) + record / 10 + offset) % 256) as u8));
    }
    let names = (1..=5).map(|number| format!("data_batch_{number}.bin")).chain(["test_batch.bin".to_string()]);
    names.for_each(|name| fs::write(folder.join(name), &bytes).unwrap());
}

#[test]
fn images_that_vanish_while_training_are_not_missed_and_resume_asks_for_the_same_ones() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("images");
    fake_cifar10(&data, 0);
    let mut command = program(folder.path());
    let flags = "--data-dir images --train-limit 64 --validation 30 --batch-size 16 --epochs 3 --lr 0.01 --out run -q";
    let mut child = command.arg("train").args(flags.split(' ')).spawn().unwrap();
    wait_for_lines(&folder.path().join("run/metrics.csv"), 1, &mut child);
    fs::remove_dir_all(&data).unwrap();
    let status = child.wait().unwrap();
    assert!(status.success());
    let gone = run(resume(folder.path(), "run", &["--epochs", "4", "--data-dir", "images"]));
    assert!(one_line(&gone, gone.status.code().unwrap()).contains("images"));
    assert!(!gone.status.success());
    fake_cifar10(&data, 1);
    let said = one_line(&run(resume(folder.path(), "run", &["--epochs", "4", "--data-dir", "images"])), 2);
    assert!(said.contains("other images"), "{said}");
}

#[test]
fn a_clock_that_jumps_back_makes_no_time_negative() {
    let folder = tempfile::tempdir().unwrap();
    let source = "#define _GNU_SOURCE\n#include <time.h>\n#include <sys/syscall.h>\n#include <unistd.h>\n\
                  int clock_gettime(clockid_t id, struct timespec *now) {\n\
                  static int calls; int failed = syscall(SYS_clock_gettime, id, now);\n\
                  if (id == CLOCK_REALTIME) now->tv_sec -= 3600L * ++calls;\n  return failed; }\n";
    fs::write(folder.path().join("jump.c"), source).unwrap();
    let compiled =
        Command::new("cc").args(["-shared", "-fPIC", "-o", "jump.so", "jump.c"]).current_dir(&folder).status();
    if !cfg!(target_os = "linux") || !compiled.is_ok_and(|status| status.success()) {
        std::io::stderr().write_all(b"SKIPPED a_clock_that_jumps_back: no C compiler\n").unwrap();
        return;
    }
    let mut command = train(folder.path(), "run", &["--epochs", "3", "--checkpoint-every", "0.01s"]);
    command.env("LD_PRELOAD", folder.path().join("jump.so"));
    succeed(command);
    let path = folder.path().join("run");
    let info = json(&path.join("run.json"));
    assert!(info["finished"].as_str() < info["started"].as_str(), "the clock did jump: {info}");
    assert!(info["results"]["seconds"].as_f64().unwrap() > 0.0);
    let metrics = text(&path.join("metrics.csv"));
    for row in metrics.lines().skip(1) {
        let times: Vec<f64> = row.split(',').skip(8).map(|cell| cell.parse().unwrap()).collect();
        assert!(times.iter().all(|time| *time > 0.0 && *time < 1e6), "{row}");
    }
}

#[test]
fn a_closed_stdout_or_stderr_or_a_reader_that_leaves_ends_no_run() {
    let folder = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_lrsched");
    let small = SMALL[..8].join(" ");
    for (out, behind) in
        [("closed", ">&- 2>&-"), ("left", "--json 2>&1 | head -n 1"), ("stderr", "2>&1 >/dev/null | true")]
    {
        let line = format!("'{program}' train {small} --epochs 3 --lr 0.01 --progress plain --out {out} {behind}");
        Command::new("sh").args(["-c", &line]).current_dir(&folder).output().unwrap();
        assert_eq!(json(&folder.path().join(out).join("run.json"))["status"], "finished", "{out}");
    }
}

#[test]
fn a_limit_of_memory_is_one_line_and_never_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_lrsched");
    let small = SMALL.join(" ");
    let (mut refused, mut done) = (0, 0);
    // In kB: from too little to draw the images to enough.
    for limit in [60_000, 90_000, 120_000, 150_000, 200_000, 250_000, 300_000, 400_000, 2_000_000] {
        let line = format!(
            "ulimit -v {limit}; exec '{program}' train {small} --threads 2 --epochs 1 --lr 0.01 --out run{limit}"
        );
        let output =
            Command::new("sh").args(["-c", &line]).current_dir(&folder).env_remove("RUST_BACKTRACE").output().unwrap();
        match output.status.code() {
            Some(0) => done += 1,
            code => {
                let said = stderr(&output);
                assert_eq!(code, Some(1), "{limit} kB: {said}");
                assert_eq!(said.lines().count(), 1, "{limit} kB: {said}");
                assert!(said.contains("memory") || said.contains("thread"), "{limit} kB: {said}");
                assert!(!said.contains("panicked"), "{limit} kB: {said}");
                refused += 1;
            }
        }
    }
    assert!(refused >= 2 && done >= 1, "{refused} refused, {done} done");
}

#[test]
fn a_file_that_may_not_grow_is_one_line_like_a_full_disk() {
    let folder = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_lrsched");
    let flags = ["--epochs", "1", "--lr", "0.01", "--log-steps"];
    let line = format!("ulimit -f 100; exec '{program}' train {} {} --out run", SMALL.join(" "), flags.join(" "));
    let output = Command::new("sh").args(["-c", &line]).current_dir(&folder).output().unwrap();
    let said = one_line(&output, 1);
    assert!(said.contains("cannot save a checkpoint in run/checkpoints") && said.contains("File too large"), "{said}");
    let path = folder.path().join("run");
    assert_eq!(json(&path.join("run.json"))["status"], "failed");
    succeed(resume(folder.path(), "run", &[]));
    succeed(train(folder.path(), "whole", &flags));
    Left::of(&folder.path().join("whole")).assert_same(&Left::of(&path), "after the limit was lifted");
}

#[test]
fn threads_that_the_system_refuses_are_one_line_and_a_failed_run() {
    let folder = tempfile::tempdir().unwrap();
    // Root has no limit of processes, so this is nobody, who must be able to reach the program and to write here.
    let program = folder.path().join("lrsched");
    fs::copy(env!("CARGO_BIN_EXE_lrsched"), &program).unwrap();
    fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let start = |line: &str| {
        let mut command = Command::new("setpriv");
        // A user of its own: what others run as nobody counts, too.
        let id = 200_000 + std::process::id() % 100_000;
        command.args([&format!("--reuid={id}"), "--clear-groups", "sh", "-c", line]).current_dir(&folder);
        command.env_remove("RUST_BACKTRACE").output()
    };
    if !start("true").is_ok_and(|output| output.status.success()) {
        std::io::stderr()
            .write_all(b"SKIPPED threads_that_the_system_refuses: only root may be somebody else\n")
            .unwrap();
        return;
    }
    let small = SMALL.join(" ");
    let (mut refused, mut done) = (0, 0);
    for limit in [1, 2, 3, 4, 5, 6, 7, 8, 50] {
        let line = format!(
            "ulimit -u {limit}; exec ./lrsched train {small} --threads 2 --epochs 1 --lr 0.01 --out run{limit}"
        );
        let output = start(&line).unwrap();
        let info = folder.path().join(format!("run{limit}/run.json"));
        if output.status.success() {
            done += 1;
            continue;
        }
        let said = one_line(&output, 1);
        assert!(said.contains("thread") && !said.contains("broke down"), "{limit}: {said}");
        assert!(!info.exists() || json(&info)["status"] == "failed", "{limit}: {said}");
        refused += 1;
    }
    assert!(refused >= 4 && done >= 1, "{refused} refused, {done} done");
}

#[test]
fn pipes_and_devices_in_place_of_files_are_refused_and_nothing_waits_for_them() {
    let folder = tempfile::tempdir().unwrap();
    killed(folder.path(), "run");
    let program = env!("CARGO_BIN_EXE_lrsched");
    assert!(Command::new("mkfifo").arg("pipe").current_dir(&folder).status().unwrap().success());
    let says = |line: &str, what: &str| {
        let line = format!("exec timeout 60 {line}");
        let output = Command::new("sh").args(["-c", &line]).current_dir(&folder).output().unwrap();
        let said = stderr(&output);
        assert!(!output.status.success() && output.status.code() != Some(124), "{line}: {:?} {said}", output.status);
        assert!(said.contains(&format!("it is a {what}, not a regular file")), "{line}: {said}");
        said
    };
    for (file, what) in [("pipe", "named pipe"), ("/dev/zero", "device")] {
        let said = says(&format!("'{program}' train --print-config --config {file}"), what);
        assert!(said.contains(&format!("cannot read the config {file}")) && said.lines().count() == 1, "{said}");
        says(&format!("'{program}' eval {file} --dataset synthetic"), what);
        let name = if file == "pipe" { folder.path().join("pipe").display().to_string() } else { file.to_string() };
        says(&format!("'{program}' data fetch --data-dir images --mirror file://{name} --mirror file:///none"), what);
        for place in ["metrics.csv", "steps.csv", "events.jsonl", "checkpoints/last/state.json"] {
            let copy = folder.path().join("copy");
            let _ = fs::remove_dir_all(&copy);
            assert!(Command::new("cp").args(["-r", "run", "copy"]).current_dir(&folder).status().unwrap().success());
            fs::remove_file(copy.join(place)).unwrap();
            let target = if file == "pipe" { folder.path().join("pipe") } else { file.into() };
            std::os::unix::fs::symlink(target, copy.join(place)).unwrap();
            if place == "metrics.csv" {
                says(&format!("'{program}' report copy"), what);
            }
            if place.starts_with("checkpoints") {
                // The one before takes its place.
                let said = stderr(&succeed(resume(folder.path(), "copy", &[])));
                assert!(said.contains(&format!("it is a {what}, not a regular file")), "{said}");
            } else {
                says(&format!("'{program}' resume copy"), what);
            }
        }
    }
}
