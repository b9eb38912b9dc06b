//! Faults around a run: each is provoked for real, ends in one clear line, and loses nothing.
#![cfg(unix)]

use crate::common::skipped;
use crate::resume_common::{
    Left, SMALL, checkpoint, first_run, json, program, resume, run, state, stderr, succeed, text, train, wait_for_lines,
};
use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::process::{Command, Output};

/// The only line on stderr, from a run that failed without a panic.
fn one_line(output: &Output, code: i32) -> String {
    let said = stderr(output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    said
}

/// A temporary file system of `size`, unmounted on drop.
struct Small<'a>(&'a Path);

impl<'a> Small<'a> {
    /// `None`, reported visibly, if mounting is not allowed.
    fn mount(at: &'a Path, size: &str, test: &str) -> Option<Self> {
        let options = format!("size={size}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "lrsched-test"]).arg(at).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(at));
        }
        skipped(test, "only root may mount a small file system");
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
    // One checkpoint of adam and cnn is 26 MB.
    let Some(small) = Small::mount(&disk, "40m", "a_full_disk_is_one_line") else { return };
    let flags = ["--model", "cnn", "--optimizer", "adam", "--lr", "3e-4", "--epochs", "4", "--log-steps"];
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

/// A run killed after its third checkpoint, and the result it must reach once resumed.
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
            assert!(said.contains("resuming from checkpoints/last-before (epoch 2, step 8)"), "{said}");
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
    assert!(said.contains("no checkpoint is intact") && said.contains("state.json is damaged"), "{said}");
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

/// Every file of a run with its contents, except the lock that a killed process leaves.
fn files(folder: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if !path.ends_with(".lrsched-lock") {
            found.push((path.clone(), fs::read(&path).unwrap()));
        }
    }
    found.sort();
    found
}

/// `row` with the value of one cell replaced.
fn cell(row: &str, column: usize, value: &str) -> String {
    let mut cells: Vec<&str> = row.split(',').collect();
    cells[column] = value;
    cells.join(",")
}

#[test]
fn rows_that_were_removed_changed_or_damaged_are_noticed_by_resume_which_names_them_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    killed(folder.path(), "run");
    let path = folder.path().join("run");
    assert_eq!(state(&path, "last")["position"]["step"], 12);
    // Line 0 is the header: row 1 is step 0, or epoch 0.
    type Edit = fn(&mut Vec<String>);
    let cases: [(&str, Edit, &str); 23] = [
        ("steps.csv", |rows| drop(rows.remove(2)), "row 2: `step` is 2, expected 1"),
        ("steps.csv", |rows| rows.swap(5, 6), "row 5: `step` is 5, expected 4"),
        ("steps.csv", |rows| rows.insert(5, rows[4].clone()), "row 5: `step` is 3, expected 4"),
        ("steps.csv", |rows| rows[4] = rows[4].replacen(",0,", ",1,", 1), "row 4: `epoch` is 1, expected 0"),
        ("steps.csv", |rows| rows[7] = rows[7].replacen("6,1,", "6,1,x", 1), "row 7: `learning_rate` is `x"),
        ("steps.csv", |rows| rows[7] = rows[7].replacen("6,1,", "6,1,NaN,,", 1), "row 7 has"),
        ("steps.csv", |rows| rows[3] = "2,0,0.0003,0.9,inf".to_string(), "row 3: `loss` is inf, expected a number"),
        ("steps.csv", |rows| rows[12] = "11,2,0.0003,0.9,1.5".to_string(), "row 12: is not the step"),
        ("steps.csv", |rows| rows.truncate(10), "steps.csv has 9 whole rows, but the checkpoint was made after 12"),
        ("metrics.csv", |rows| drop(rows.remove(1)), "row 1: `epoch` is 1, expected 0"),
        ("metrics.csv", |rows| rows[2] = rows[2].replace(",8,", ",9,"), "row 2: `step` is 9, expected 8"),
        ("metrics.csv", |rows| rows[3] = rows[3].replacen("2,0.0003,", "2,0.0003,9", 1), "row 3: is not the row"),
        ("events.jsonl", |rows| rows[0] = "{\"time\": 1".to_string(), "line 1 is not an event"),
        // Values that no run writes, in any row.
        ("metrics.csv", |rows| rows[1] = cell(&rows[1], 9, "NaN"), "row 1: `seconds` is NaN, expected a number"),
        ("metrics.csv", |rows| rows[1] = cell(&rows[1], 9, "-3"), "row 1: `seconds` is -3, expected a number of at"),
        ("metrics.csv", |rows| rows[2] = cell(&rows[2], 8, "inf"), "row 2: `images_per_second` is inf"),
        ("metrics.csv", |rows| rows[2] = cell(&rows[2], 3, "7"), "row 2: `accuracy` is 7, expected 0 to 1"),
        ("steps.csv", |rows| rows[5] = cell(&rows[5], 4, "-4"), "row 5: `loss` is -4, expected a number of at least 0"),
        // Values that a run might write, but did not: the last row is checked cell by cell, the others by their digest.
        ("metrics.csv", |rows| rows[3] = cell(&rows[3], 5, "0.5"), "row 3: is not the row of its epoch"),
        ("metrics.csv", |rows| rows[3] = cell(&rows[3], 9, "0.5"), "row 3: is not the row of its epoch"),
        ("metrics.csv", |rows| rows[1] = cell(&rows[1], 1, "5"), "metrics.csv: rows were changed"),
        ("metrics.csv", |rows| rows[2] = cell(&rows[2], 9, "0.5"), "metrics.csv: rows were changed"),
        ("steps.csv", |rows| rows[5] = cell(&rows[5], 2, "5"), "steps.csv: rows were changed"),
    ];
    for (file, edit, expected) in cases {
        let good = text(&path.join(file));
        let mut lines: Vec<String> = good.lines().map(String::from).collect();
        edit(&mut lines);
        fs::write(path.join(file), lines.join("\n") + "\n").unwrap();
        let before = files(&path);
        let said = one_line(&run(resume(folder.path(), "run", &[])), 1);
        assert!(said.contains(file) && said.contains(expected), "{expected}: {said}");
        assert!(files(&path) == before, "{expected}: something was changed on disk");
        fs::write(path.join(file), good).unwrap();
    }
    // Data beyond the checkpoint, a line truncated by a power cut, and another system's line endings are not damage.
    for (file, more) in [("steps.csv", "junk\n"), ("metrics.csv", "9,"), ("events.jsonl", "{\"ti")] {
        let mut written = fs::File::options().append(true).open(path.join(file)).unwrap();
        written.write_all(more.as_bytes()).unwrap();
    }
    succeed(resume(folder.path(), "run", &[]));
    let steps = text(&path.join("steps.csv"));
    let numbers: Vec<&str> = steps.lines().skip(1).map(|row| row.split(',').next().unwrap()).collect();
    assert_eq!(numbers, (0..20).map(|step| step.to_string()).collect::<Vec<_>>());
}

#[test]
fn a_comparison_takes_over_no_run_whose_rows_were_removed_and_a_report_says_which_are_missing() {
    let folder = tempfile::tempdir().unwrap();
    let compare = |entrant: &str| {
        let mut command = program(folder.path());
        command.arg("compare").args(SMALL).args(["--out", "cmp", "--epochs", "3", "--log-steps", "--lr", "0.01"]);
        command.args(["--entrants", entrant]);
        command
    };
    succeed(compare("sgd/cosine"));
    let run_path = fs::read_dir(folder.path().join("cmp/runs")).unwrap().next().unwrap().unwrap().path();
    let cases: [(&str, usize, &str); 4] = [
        ("metrics.csv", 2, "row 2: `epoch` is 2, expected 1"),
        ("metrics.csv", 3, "row 2, the last: `loss` is "),
        ("steps.csv", 1, "row 1: `step` is 1, expected 0"),
        ("steps.csv", 12, "has 11 rows, but metrics.csv ends after step 12"),
    ];
    for (file, line, expected) in cases {
        let good = text(&run_path.join(file));
        let mut lines: Vec<&str> = good.lines().collect();
        lines.remove(line);
        fs::write(run_path.join(file), lines.join("\n") + "\n").unwrap();
        let before = files(&folder.path().join("cmp"));
        // The run itself, and one that stays in the table.
        for entrant in ["sgd/cosine", "sgd/linear"] {
            let said = one_line(&run(compare(entrant)), 1);
            assert!(said.contains(file) && said.contains(expected), "{expected}: {said}");
        }
        assert!(files(&folder.path().join("cmp")) == before, "{expected}: something was changed on disk");
        if file == "metrics.csv" {
            let mut report = program(folder.path());
            report.args(["report", "cmp", "-o", "report.html"]);
            let said = stderr(&succeed(report));
            assert!(said.contains(expected), "{expected}: {said}");
        }
        fs::write(run_path.join(file), good).unwrap();
    }
    for (file, line, column, value, expected) in [
        ("metrics.csv", 1, 1, "NaN", "row 1: `learning_rate` is NaN, expected a number"),
        ("steps.csv", 3, 4, "NaN", "row 3: `loss` is NaN, expected a number"),
        ("metrics.csv", 1, 5, "0.5", "rows were changed"),
        ("steps.csv", 3, 4, "0.5", "rows were changed"),
    ] {
        let good = text(&run_path.join(file));
        let mut lines: Vec<String> = good.lines().map(String::from).collect();
        lines[line] = cell(&lines[line], column, value);
        fs::write(run_path.join(file), lines.join("\n") + "\n").unwrap();
        let said = one_line(&run(compare("sgd/cosine")), 1);
        assert!(said.contains(file) && said.contains(expected), "{expected}: {said}");
        fs::write(run_path.join(file), good).unwrap();
    }
    succeed(compare("sgd/cosine"));
    let table = folder.path().join("cmp/comparison.csv");
    let row = text(&table).lines().nth(1).unwrap().to_string();
    let mut twice = fs::File::options().append(true).open(&table).unwrap();
    writeln!(twice, "{row}").unwrap();
    let said = one_line(&run(compare("sgd/linear")), 1);
    assert!(said.contains("comparison.csv: row 2: the run ") && said.contains("has a row already"), "{said}");
}

#[test]
fn a_folder_or_file_that_is_moved_or_deleted_while_it_is_written_stops_the_run_and_nothing_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let small = &SMALL[..10];
    let at = |name: &str| folder.path().join(name);
    type Act = fn(&Path);
    let cases: [(&str, Act, &str); 4] = [
        // A checkpoint may be written meanwhile, so move the folder aside first; `rm -rf` then sees no new files.
        (
            "deleted",
            |out| {
                let aside = out.with_file_name("aside");
                fs::rename(out, &aside).unwrap();
                while aside.exists() {
                    let _ = fs::remove_dir_all(&aside);
                }
            },
            "out was ",
        ),
        ("moved", |out| fs::rename(out, out.with_file_name("elsewhere")).unwrap(), "out was moved to "),
        ("row file", |out| fs::remove_file(out.join("metrics.csv")).unwrap(), "out/metrics.csv was deleted"),
        (
            "replaced",
            |out| {
                fs::rename(out, out.with_file_name("elsewhere")).unwrap();
                fs::create_dir(out).unwrap();
            },
            "out was moved to ",
        ),
    ];
    for (name, act, expected) in cases {
        let mut command = program(folder.path());
        let flags = ["--progress", "plain", "--epochs", "20000", "--lr", "0.01", "--out", "out"];
        let mut child = command.arg("train").args(small).args(flags).spawn().unwrap();
        wait_for_lines(&at("out/metrics.csv"), 3, &mut child);
        act(&at("out"));
        let output = child.wait_with_output().unwrap();
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{name}: {said}");
        let last = said.lines().last().unwrap();
        assert!(last.starts_with("error: stopped: ") && last.contains(expected), "{name}: {said}");
        for wrong in ["results in", "resume out", "saved"] {
            assert!(!said.contains(wrong), "{name}: {said}");
        }
        match name {
            "row file" => assert!(!at("out/metrics.csv").exists()),
            "replaced" => assert_eq!(fs::read_dir(at("out")).unwrap().count(), 0, "another's folder stays as it is"),
            _ => assert!(!at("out").exists(), "{name}"),
        }
        if at("elsewhere").exists() {
            let info = json(&at("elsewhere/run.json"));
            let message = info["message"].as_str().unwrap_or_default();
            assert!(info["status"] == "failed" && message.contains("was moved to "), "{name}: {info}");
            assert!(!at("elsewhere/.lrsched-lock").exists(), "{name}");
            // It continues at its new location until a test aid kills it.
            let mut again = resume(folder.path(), "elsewhere", &[]);
            again.env("LRSCHED_STOP_AT", "mid-row:2");
            let output = run(again);
            assert_eq!(output.status.code(), None, "{}", stderr(&output));
        }
        for left in ["out", "elsewhere"] {
            let _ = fs::remove_dir_all(at(left));
        }
    }
}

#[test]
fn a_comparison_and_a_range_test_that_are_moved_stop_and_make_no_folder_anew() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let comparison: &[&str] = &["compare", "--entrants", "sgd/cosine", "sgd/linear", "--epochs", "20000"];
    let test: &[&str] = &["find", "--steps", "1000000", "--eval-every", "500000", "--max-lr", "0.01"];
    for (command, sign) in [(comparison, "out/comparison.csv"), (test, "out/range.csv")] {
        let mut child = program(folder.path()).args(command).args(SMALL).args(["--out", "out"]).spawn().unwrap();
        if sign == "out/comparison.csv" {
            let run = first_run(&at("out/runs"), &mut child);
            wait_for_lines(&run.join("metrics.csv"), 2, &mut child);
        } else {
            wait_for_lines(&at(sign), 2, &mut child);
        }
        fs::rename(at("out"), at("elsewhere")).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = one_line(&output, 1);
        assert!(said.starts_with("error: stopped: out") && said.contains("was moved to "), "{said}");
        assert!(!at("out").exists());
        let info = match sign {
            "out/range.csv" => json(&at("elsewhere/find.json")),
            _ => {
                let run = fs::read_dir(at("elsewhere/runs")).unwrap().next().unwrap().unwrap().path();
                assert!(!run.join(".lrsched-lock").exists());
                json(&run.join("run.json"))
            }
        };
        assert_eq!(info["status"], "failed", "{sign}");
        assert!(!at("elsewhere/.lrsched-lock").exists(), "{sign}");
        fs::remove_dir_all(at("elsewhere")).unwrap();
    }
}

#[test]
fn nothing_is_written_through_a_symbolic_link_in_a_run() {
    let folder = tempfile::tempdir().unwrap();
    succeed(train(folder.path(), "run", &["--epochs", "1", "--log-steps", "--lr", "0.01"]));
    let path = folder.path().join("run");
    fs::create_dir(folder.path().join("new")).unwrap();
    fs::write(folder.path().join("thesis"), "mine").unwrap();
    std::os::unix::fs::symlink("../thesis", folder.path().join("new/.lrsched-lock")).unwrap();
    let said = one_line(&run(train(folder.path(), "new", &["--epochs", "1"])), 1);
    assert!(said.contains("new/.lrsched-lock") && said.contains("symbolic link"), "{said}");
    for name in [".lrsched-lock", "metrics.csv", "steps.csv", "events.jsonl"] {
        let good = fs::read(path.join(name)).ok();
        let target = good.clone().unwrap_or(b"mine".to_vec());
        fs::write(folder.path().join("target"), &target).unwrap();
        let _ = fs::remove_file(path.join(name));
        std::os::unix::fs::symlink("../target", path.join(name)).unwrap();
        let said = one_line(&run(resume(folder.path(), "run", &["--epochs", "2"])), 1);
        assert!(said.contains(&format!("run/{name}")) && said.contains("symbolic link"), "{said}");
        assert!(fs::read(folder.path().join("target")).unwrap() == target, "{name}");
        fs::remove_file(path.join(name)).unwrap();
        if let Some(good) = good {
            fs::write(path.join(name), good).unwrap();
        }
    }
    assert_eq!(text(&folder.path().join("thesis")), "mine");
    succeed(resume(folder.path(), "run", &["--epochs", "2"]));
}

/// Rewrites state.json with `edit` applied, and a matching digest.
fn edit_state(run: &Path, name: &str, edit: impl Fn(&mut serde_json::Value)) {
    let mut value = state(run, name);
    edit(&mut value);
    let body = serde_json::to_string_pretty(&value).unwrap();
    let digest = lrsched::run_folder::sha256(body.as_bytes());
    let whole = format!("{{\"sha256\": \"{digest}\",\n\"state\": {body}}}\n");
    fs::write(checkpoint(run, name).join("state.json"), whole).unwrap();
}

#[test]
fn a_checkpoint_of_another_run_is_not_taken_up_and_the_one_before_takes_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--epochs", "3", "--lr", "0.01", "--log-steps"];
    succeed(train(folder.path(), "other", &[&flags[..], &["--seed", "7"]].concat()));
    succeed(train(folder.path(), "whole", &[&flags[..], &["--epochs", "4"]].concat()));
    let copy = |from: &str, to: &str| {
        assert!(Command::new("cp").args(["-r", from, to]).current_dir(&folder).status().unwrap().success());
    };
    let cases = [("seed", "its seed is 7, this run's is 0"), ("images", "its run was trained on other images")];
    for (name, why) in cases {
        succeed(train(folder.path(), name, &flags));
        let path = folder.path().join(name);
        let digest = json(&path.join("run.json"))["dataset"]["digest"].clone();
        assert_eq!(state(&path, "last")["dataset"], digest);
        if name == "seed" {
            fs::remove_dir_all(checkpoint(&path, "last")).unwrap();
            copy("other/checkpoints/last", "seed/checkpoints/last");
        } else {
            edit_state(&path, "last", |state| state["dataset"] = "0".repeat(64).into());
        }
        let mut eval = program(folder.path());
        eval.args(["eval", name, "--checkpoint", "last"]);
        let said = one_line(&run(eval), 1);
        let instead = format!("evaluate {name}/checkpoints/last-before/weights.safetensors instead");
        assert!(said.contains(why) && said.contains(&instead), "{said}");
        let said = stderr(&succeed(resume(folder.path(), name, &["--epochs", "4"])));
        assert!(said.contains(&format!("checkpoints/last is a checkpoint of another run: {why}")), "{said}");
        assert!(said.contains("resuming from checkpoints/last-before (epoch 2, step 8)"), "{said}");
        Left::of(&folder.path().join("whole")).assert_same(&Left::of(&path), name);
    }
    // If no checkpoint is the run's own, nothing is overwritten.
    let path = folder.path().join("seed");
    for name in ["last", "last-before", "best"] {
        edit_state(&path, name, |state| state["config"]["seed"] = 9.into());
    }
    let before = files(&path);
    let said = one_line(&run(resume(folder.path(), "seed", &["--epochs", "5"])), 1);
    assert!(said.contains("no checkpoint is intact and of this run") && said.contains("its seed is 9"), "{said}");
    assert!(files(&path) == before);
    // Checkpoints of earlier versions do not record their images.
    let path = folder.path().join("images");
    edit_state(&path, "last", |state| drop(state.as_object_mut().unwrap().remove("dataset")));
    succeed(resume(folder.path(), "images", &["--epochs", "5"]));
}

#[test]
fn a_checkpoint_of_a_copy_that_was_changed_by_hand_in_another_way_is_told_from_the_runs_own() {
    let folder = tempfile::tempdir().unwrap();
    succeed(train(folder.path(), "a", &["--epochs", "2", "--lr", "0.02", "--schedule", "constant"]));
    let copy = |from: &str, to: &str| {
        assert!(Command::new("cp").args(["-a", from, to]).current_dir(&folder).status().unwrap().success());
    };
    copy("a", "b");
    succeed(resume(folder.path(), "b", &["--lr", "0.03", "--epochs", "4"]));
    succeed(resume(folder.path(), "a", &["--lr", "0.001", "--epochs", "4"]));
    fs::remove_dir_all(folder.path().join("a/checkpoints/last")).unwrap();
    copy("b/checkpoints/last", "a/checkpoints/");
    let mut eval = program(folder.path());
    eval.args(["eval", "a", "--checkpoint", "last"]);
    let said = one_line(&run(eval), 1);
    assert!(said.contains("is a checkpoint of another run: its lr was changed to 0.03"), "{said}");
    let said = stderr(&succeed(resume(folder.path(), "a", &["--epochs", "5"])));
    assert!(said.contains("another run") && said.contains("resuming from checkpoints/last-before"), "{said}");
}

#[test]
fn a_file_beside_a_checkpoint_stays_there_however_often_the_checkpoint_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    succeed(train(folder.path(), "run", &["--epochs", "2", "--lr", "0.02"]));
    let path = folder.path().join("run");
    let names = ["last", "last-before", "best"];
    let check = |after: &str| {
        for name in names {
            assert_eq!(text(&checkpoint(&path, name).join("notes.txt")), name, "after {after}");
        }
        for name in [".new", ".old"] {
            assert!(!checkpoint(&path, name).exists(), "{name} after {after}");
        }
    };
    for name in names {
        fs::write(checkpoint(&path, name).join("notes.txt"), name).unwrap();
    }
    // Sooner or later there is a new best epoch.
    succeed(resume(folder.path(), "run", &["--epochs", "6", "--stretch"]));
    check("resume");
    succeed(train(folder.path(), "run", &["--epochs", "3", "--lr", "0.02", "--force"]));
    check("--force");
    // A checkpoint folder with files missing is not a checkpoint.
    for name in names {
        for file in ["weights.safetensors", "optimizer.safetensors", "state.json"] {
            fs::remove_file(checkpoint(&path, name).join(file)).unwrap();
        }
    }
    let said = one_line(&run(resume(folder.path(), "run", &["--epochs", "9"])), 2);
    assert!(said.contains("no intact checkpoint"), "{said}");
    check("removal");
}

#[test]
fn a_checkpoint_that_cannot_be_removed_after_the_end_is_a_warning_and_the_results_stay() {
    let folder = tempfile::tempdir().unwrap();
    // No epoch is better than the first, so no new best checkpoint is made meanwhile.
    succeed(train(folder.path(), "run", &["--epochs", "1", "--lr", "1e-9", "--schedule", "constant"]));
    let path = folder.path().join("run");
    // A folder in place of one of our files.
    let place = checkpoint(&path, ".old").join("state.json");
    let mut command = program(folder.path());
    command.args(["resume", "run", "--epochs", "150", "--keep", "none", "--progress", "plain"]);
    let mut child = command.spawn().unwrap();
    wait_for_lines(&path.join("metrics.csv"), 3, &mut child);
    fs::create_dir_all(&place).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = stderr(&output);
    assert!(output.status.success() && said.contains("warning: cannot remove"), "{said}");
    let info = json(&path.join("run.json"));
    assert!(info["status"] == "finished" && info["results"]["test_accuracy"].is_number(), "{info}");
}

/// Six files in CIFAR-10's layout, with stripes that distinguish the classes.
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
    let flags = "--data-dir images --train-limit 64 --validation 30 --batch-size 16 --model tiny --epochs 3 --lr 0.01 \
                 --out run -q";
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
        skipped("a_clock_that_jumps_back", "not Linux, or no C compiler");
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
    let small = SMALL[..10].join(" ");
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
    // In kB: from too little for generating the images up to enough.
    for limit in [60_000, 90_000, 120_000, 150_000, 200_000, 203_000, 215_000, 250_000, 300_000, 400_000, 2_000_000] {
        let line = format!(
            "ulimit -v {limit}; exec '{program}' train {small} --model cnn --threads 2 --epochs 1 --lr 0.01 --out run{limit}"
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
                let info = folder.path().join(format!("run{limit}/run.json"));
                assert!(!info.exists() || json(&info)["status"] == "failed", "{limit} kB: {said}");
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
    let flags = ["--model", "cnn", "--epochs", "1", "--lr", "0.01", "--log-steps"];
    let line = format!("ulimit -f 100; exec '{program}' train {} {} --out run", SMALL.join(" "), flags.join(" "));
    let output = Command::new("sh").args(["-c", &line]).current_dir(&folder).output().unwrap();
    let said = one_line(&output, 1);
    assert!(said.contains("cannot save a checkpoint in run/checkpoints") && said.contains("File too large"), "{said}");
    let line = format!("ulimit -f 1; exec '{program}' show step -o shown.svg");
    let shown = Command::new("sh").args(["-c", &line]).current_dir(&folder).output().unwrap();
    assert_eq!(one_line(&shown, 1), "error: cannot write shown.svg: File too large (os error 27)\n");
    let path = folder.path().join("run");
    assert_eq!(json(&path.join("run.json"))["status"], "failed");
    succeed(resume(folder.path(), "run", &[]));
    succeed(train(folder.path(), "whole", &flags));
    Left::of(&folder.path().join("whole")).assert_same(&Left::of(&path), "after the limit was lifted");
}

#[test]
fn threads_that_the_system_refuses_are_one_line_and_a_failed_run() {
    let folder = tempfile::tempdir().unwrap();
    // Root has no process limit, so run as nobody, who must be able to reach the program and to write here.
    let program = folder.path().join("lrsched");
    fs::copy(env!("CARGO_BIN_EXE_lrsched"), &program).unwrap();
    fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let start = |line: &str| {
        let mut command = Command::new("setpriv");
        // A dedicated user id: processes that others run as nobody would count too.
        let id = 200_000 + std::process::id() % 100_000;
        command.args([&format!("--reuid={id}"), "--clear-groups", "bash", "-c", line]).current_dir(&folder);
        command.env_remove("RUST_BACKTRACE").output()
    };
    if !start("true").is_ok_and(|output| output.status.success()) {
        skipped("threads_that_the_system_refuses", "only root may start a program as another user");
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
        assert!(said.contains("thread") && !said.contains("internal error"), "{limit}: {said}");
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
    let says = |line: &str, why: &str| {
        let line = format!("exec timeout 60 {line}");
        let output = Command::new("sh").args(["-c", &line]).current_dir(&folder).output().unwrap();
        let said = stderr(&output);
        // A report names what it could not read, and shows the rest.
        let expected = if line.contains(" report ") { [0, 0] } else { [1, 2] };
        let code = output.status.code();
        assert!(code.is_some_and(|code| expected.contains(&code)), "{line}: {code:?} {said}");
        assert!(said.contains(why), "{line}: {said}");
        said
    };
    for (file, what) in [("pipe", "a named pipe"), ("/dev/zero", "a device")] {
        let what = &format!("it is {what}, not a regular file");
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
                // The previous one takes its place.
                let said = stderr(&succeed(resume(folder.path(), "copy", &[])));
                assert!(said.contains(what.as_str()), "{said}");
            } else {
                // Rows are not even read through a link.
                says(&format!("'{program}' resume copy"), "it is a symbolic link");
            }
        }
    }
}

fn link(target: &str, path: &Path) {
    std::os::unix::fs::symlink(target, path).unwrap();
}

/// `lrsched compare` of these entrants into `out`, one epoch each.
fn compare_into(folder: &Path, out: &str, entrants: &[&str], flags: &[&str]) -> Command {
    let mut command = program(folder);
    command.arg("compare").args(SMALL).args(["--out", out, "--epochs", "1", "--lr", "0.01", "--entrants"]);
    command.args(entrants).args(flags);
    command
}

#[test]
fn no_command_writes_to_or_removes_from_a_folder_that_is_a_symbolic_link() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let refused = |command: Command, name: &str| {
        let said = one_line(&run(command), 1);
        assert!(said.contains(&format!("{name}: it is a symbolic link")), "{name}: {said}");
    };
    // The checkpoints of one run, or a single one, link to those of another.
    let flags = ["--epochs", "1", "--lr", "0.01"];
    for out in ["other", "run"] {
        succeed(train(folder.path(), out, &flags));
    }
    let other = files(&at("other"));
    for (name, target) in
        [("checkpoints", "../other/checkpoints"), ("checkpoints/last", "../../other/checkpoints/last")]
    {
        let place = at("run").join(name);
        fs::rename(&place, at("aside")).unwrap();
        link(target, &place);
        let rows = text(&at("run/metrics.csv"));
        refused(train(folder.path(), "run", &[&flags[..], &["--force"]].concat()), &format!("run/{name}"));
        refused(resume(folder.path(), "run", &["--epochs", "2"]), &format!("run/{name}"));
        assert!(files(&at("other")) == other && text(&at("run/metrics.csv")) == rows, "{name}");
        fs::remove_file(&place).unwrap();
        fs::rename(at("aside"), &place).unwrap();
    }
    // The runs of one comparison, or a single one, link to those of another; or its run's checkpoints link to those of
    // an unrelated run.
    succeed(compare_into(folder.path(), "cmp-other", &["constant"], &[]));
    succeed(compare_into(folder.path(), "cmp", &["constant"], &[]));
    let kept = files(&at("cmp-other"));
    let name = fs::read_dir(at("cmp/runs")).unwrap().next().unwrap().unwrap().file_name().into_string().unwrap();
    for (place, target) in [
        ("cmp/runs".to_string(), "../cmp-other/runs".to_string()),
        (format!("cmp/runs/{name}"), format!("../../cmp-other/runs/{name}")),
        (format!("cmp/runs/{name}/checkpoints"), "../../../other/checkpoints".to_string()),
    ] {
        fs::rename(at(&place), at("aside")).unwrap();
        link(&target, &at(&place));
        let before = files(&at("cmp"));
        refused(compare_into(folder.path(), "cmp", &["constant"], &["--force"]), &place);
        if !place.ends_with("checkpoints") {
            refused(compare_into(folder.path(), "cmp", &["constant"], &[]), &place);
        }
        assert!(files(&at("cmp-other")) == kept && files(&at("other")) == other, "{place}");
        assert!(files(&at("cmp")) == before, "{place}");
        fs::remove_file(at(&place)).unwrap();
        fs::rename(at("aside"), at(&place)).unwrap();
    }
    // One seed of a range test links to that of another.
    let find = |out: &str, flags: &[&str]| {
        let mut command = program(folder.path());
        command.arg("find").args(SMALL).args(["--seeds", "2", "--steps", "4", "--out", out]).args(flags);
        command
    };
    // So short a test suggests no rate, which has its own exit code.
    let done = |command: Command| assert!(matches!(run(command).status.code(), Some(0 | 4)));
    done(find("find-other", &[]));
    done(find("find", &[]));
    let kept = files(&at("find-other"));
    fs::remove_dir_all(at("find/seed-1")).unwrap();
    link("../find-other/seed-1", &at("find/seed-1"));
    refused(find("find", &["--force"]), "find/seed-1");
    assert!(files(&at("find-other")) == kept);
    // A link that the new test does not use is left alone.
    let mut one = program(folder.path());
    one.arg("find").args(SMALL).args(["--steps", "4", "--out", "find", "--force"]);
    done(one);
    assert!(at("find/seed-1").is_symlink() && files(&at("find-other")) == kept);
}

#[test]
fn a_folder_or_record_within_a_run_or_comparison_that_is_moved_stops_it_and_is_not_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (command, sign, moved) in [
        ("train", "out/checkpoints/last/state.json", "out/checkpoints"),
        ("train", "out/checkpoints/last/state.json", "out/run.json"),
        ("compare", "out/comparison.csv", "out/runs"),
    ] {
        let mut started = program(folder.path());
        // A missing run.json is noticed when the run ends.
        let epochs = if moved.ends_with("run.json") { "200" } else { "20000" };
        started.arg(command).args(SMALL).args(["--epochs", epochs, "--lr", "0.01", "--out", "out"]);
        if command == "compare" {
            started.args(["--entrants", "constant", "linear"]);
        }
        let mut child = started.spawn().unwrap();
        crate::resume_common::wait_for(&at(sign), &mut child);
        if command == "compare" {
            crate::resume_common::wait_for(&at("out/runs"), &mut child);
        }
        fs::rename(at(moved), at("elsewhere")).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{moved}: {said}");
        let last = said.lines().last().unwrap();
        assert!(last.starts_with(&format!("error: stopped: {moved} was moved")), "{moved}: {said}");
        assert!(!at(moved).exists(), "{moved} was made anew");
        if moved == "out/checkpoints" {
            assert_eq!(json(&at("out/run.json"))["status"], "failed");
            fs::rename(at("elsewhere"), at(moved)).unwrap();
            let mut again = resume(folder.path(), "out", &[]);
            again.env("LRSCHED_STOP_AT", "mid-row:2");
            assert_eq!(run(again).status.code(), None, "it goes on once they are back");
        } else if at("elsewhere").is_dir() {
            fs::remove_dir_all(at("elsewhere")).unwrap();
        }
        fs::remove_dir_all(at("out")).unwrap();
        let _ = fs::remove_file(at("elsewhere"));
    }
}

#[test]
fn a_find_json_that_is_too_large_to_be_one_is_not_read_into_memory() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("out")).unwrap();
    let sparse = fs::File::create(folder.path().join("out/find.json")).unwrap();
    if sparse.set_len(3 << 30).is_err() {
        skipped("a_find_json_that_is_too_large", "this file system has no sparse files");
        return;
    }
    let program = env!("CARGO_BIN_EXE_lrsched");
    let line = format!("ulimit -v 1500000; exec '{program}' train {} --out out --threads 2", SMALL.join(" "));
    let output = Command::new("sh").args(["-c", &line]).current_dir(&folder).output().unwrap();
    let said = one_line(&output, 2);
    assert!(said.contains("--out out is not empty and holds no run") && said.contains("find.json"), "{said}");
}

#[test]
fn a_run_of_a_comparison_whose_files_are_damaged_is_not_started_again_and_the_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let compare = || {
        compare_into(folder.path(), "cmp", &["constant", "linear"], &["--epochs", "3", "--log-steps", "--jobs", "1"])
    };
    let mut killed = compare();
    killed.env("LRSCHED_STOP_AT", "mid-checkpoint:3");
    assert_eq!(run(killed).status.code(), None);
    let path = fs::read_dir(at("cmp/runs")).unwrap().next().unwrap().unwrap().path();
    let name = format!("cmp/runs/{}", path.file_name().unwrap().to_str().unwrap());
    let remedy = format!("or remove {name} to train it again");
    // A row that does not match the checkpoint; then, no intact checkpoint.
    let good = text(&path.join("steps.csv"));
    fs::write(path.join("steps.csv"), good.lines().take(3).collect::<Vec<_>>().join("\n") + "\n").unwrap();
    let before = files(&path);
    let output = run(compare());
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("steps.csv has 2 whole rows") && said.contains(&remedy), "{said}");
    assert!(!said.contains("--force") && files(&path) == before, "{said}");
    let status = |row: usize| {
        let table = text(&at("cmp/comparison.csv"));
        let column = table.lines().next().unwrap().split(',').rev().position(|name| name == "status").unwrap();
        table.lines().nth(row).unwrap().rsplit(',').nth(column).map(String::from)
    };
    assert_eq!((status(1).as_deref(), status(2).as_deref()), (Some("failed"), Some("finished")));
    fs::write(path.join("steps.csv"), good).unwrap();
    for name in ["last", "last-before", "best"] {
        fs::write(checkpoint(&path, name).join("state.json"), "{}").unwrap();
    }
    let before = files(&path);
    let said = stderr(&run(compare()));
    assert!(said.contains("no checkpoint is intact") && said.contains(&remedy), "{said}");
    assert!(!said.contains("--force") && files(&path) == before, "{said}");
    fs::remove_dir_all(&path).unwrap();
    succeed(compare());
    assert_eq!(status(1).as_deref(), Some("finished"));
}

#[test]
fn a_comparison_whose_table_was_lost_or_damaged_is_rebuilt_from_its_runs() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    succeed(compare_into(folder.path(), "cmp", &["constant", "linear"], &[]));
    let whole = text(&at("cmp/comparison.csv"));
    let sorted = |text: &str| {
        let mut rows: Vec<String> = text.lines().map(String::from).collect();
        rows.sort();
        rows
    };
    // All runs are named again, plus some: the others keep their rows.
    for (number, entrants) in [(1, &["constant", "linear"][..]), (2, &["linear"])] {
        for damage in ["removed", "emptied", "cut"] {
            match damage {
                "removed" => fs::remove_file(at("cmp/comparison.csv")).unwrap(),
                "emptied" => fs::write(at("cmp/comparison.csv"), "").unwrap(),
                _ => fs::write(at("cmp/comparison.csv"), &whole[..whole.len() - 30]).unwrap(),
            }
            let said = stderr(&succeed(compare_into(folder.path(), "cmp", entrants, &[])));
            assert!(said.contains("rebuilt from the runs in cmp/runs"), "{damage}: {said}");
            assert_eq!(sorted(&text(&at("cmp/comparison.csv"))), sorted(&whole), "{damage}, {number}");
        }
        assert_eq!(text(&at("cmp").join(format!("comparison.csv.damaged-{}", 2 * number))), whole[..whole.len() - 30]);
    }
    fs::remove_file(at("cmp/comparison.csv")).unwrap();
    succeed(compare_into(folder.path(), "cmp", &["cosine"], &["--force"]));
    assert_eq!(fs::read_dir(at("cmp/runs")).unwrap().count(), 1);
    // Runs of `train` do not form a comparison, wherever they lie.
    succeed(train(folder.path(), "project/runs/mine", &["--epochs", "1", "--lr", "0.01"]));
    fs::write(at("project/notes.txt"), "mine").unwrap();
    let said = one_line(&run(compare_into(folder.path(), "project", &["cosine"], &["--force"])), 2);
    assert!(said.contains("holds no comparison"), "{said}");
}
