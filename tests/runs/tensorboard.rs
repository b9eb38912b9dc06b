//! Event files for TensorBoard: what metrics.csv and steps.csv have, once, whatever interrupts the run.

use crate::resume_common::{SMALL, program, resume, run, stderr, succeed, text, train};
use lrsched::record::tensorboard::{Content, Event, Value, What, records};
use std::fs;
use std::path::Path;

const FLAGS: [&str; 7] = ["--lr", "0.02", "--momentum", "0.9", "--log-steps", "--tensorboard", "--epochs"];

fn events(run: &Path, of: &str) -> Vec<Event> {
    let bytes = fs::read(run.join("tensorboard").join(of).join("events.out.tfevents.lrsched")).unwrap();
    let read: Vec<(Event, usize)> = records(&bytes).collect();
    assert_eq!(read.last().unwrap().1, bytes.len(), "{of}: nothing is torn");
    assert!(matches!(read[0].0.what, Some(What::FileVersion(_))));
    read.into_iter().skip(1).map(|(event, _)| event).collect()
}

fn values(event: &Event) -> &[Value] {
    let Some(What::Summary(summary)) = &event.what else { panic!("{event:?}") };
    &summary.values
}

/// (step, value) of one tag, in order.
fn scalars(run: &Path, of: &str, tag: &str) -> Vec<(i64, f32)> {
    let events = events(run, of);
    let all = events.iter().flat_map(|event| values(event).iter().map(|value| (event.step, value)));
    let of_tag = all.filter(|(_, value)| value.tag == tag);
    of_tag
        .map(|(step, value)| match value.content {
            Some(Content::Simple(number)) => (step, number),
            _ => panic!("{value:?}"),
        })
        .collect()
}

/// The same from a column of a CSV of the run.
fn column(run: &Path, file: &str, place: &str, name: &str) -> Vec<(i64, f32)> {
    let table = text(&run.join(file));
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    let heads = reader.headers().unwrap().clone();
    let at = |name: &str| heads.iter().position(|head| head == name).unwrap();
    let (place, name) = (at(place), at(name));
    let rows = reader.records().map(Result::unwrap);
    rows.map(|row| (row[place].parse().unwrap(), row[name].parse::<f64>().unwrap() as f32)).collect()
}

fn assert_is_the_csv(run: &Path) {
    for (of, tag, name) in [
        ("train", "epoch_loss", "loss"),
        ("train", "epoch_accuracy", "accuracy"),
        ("train", "epoch_learning_rate", "learning_rate"),
        ("train", "epoch_momentum", "momentum"),
        ("validation", "epoch_loss", "val_loss"),
        ("validation", "epoch_accuracy", "val_accuracy"),
    ] {
        assert_eq!(scalars(run, of, tag), column(run, "metrics.csv", "epoch", name), "{of} {tag}");
    }
    for (tag, name) in [
        ("batch_loss", "loss"),
        ("batch_learning_rate", "learning_rate"),
        ("batch_momentum", "momentum"),
        ("batch_learning_rate:*.bias", "learning_rate:*.bias"),
    ] {
        assert_eq!(scalars(run, "train", tag), column(run, "steps.csv", "step", name), "{tag}");
    }
}

const GROUP: [&str; 2] = ["--group", "*.bias=sgd:lr=0.005"];

#[test]
fn the_event_files_have_the_numbers_of_the_csv_files_and_the_test_accuracy() {
    let folder = tempfile::tempdir().unwrap();
    succeed(train(folder.path(), "run", &[&FLAGS[..], &["3"], &GROUP].concat()));
    let run = folder.path().join("run");
    assert_is_the_csv(&run);
    let results = &crate::resume_common::json(&run.join("run.json"))["results"];
    let accuracy = results["test_accuracy"].as_f64().unwrap() as f32;
    assert_eq!(scalars(&run, "test", "epoch_accuracy"), [(2, accuracy)]);
    // A run without the flag has none.
    succeed(train(folder.path(), "plain", &["--lr", "0.02", "--epochs", "1"]));
    assert!(!folder.path().join("plain/tensorboard").exists());
}

#[test]
fn a_resumed_run_goes_on_with_its_event_files_without_repeating_a_step() {
    let folder = tempfile::tempdir().unwrap();
    succeed(train(folder.path(), "run", &[&FLAGS[..], &["2"], &GROUP].concat()));
    let run = folder.path().join("run");
    // As a process leaves it that was killed in its third epoch, in the middle of a record.
    let file = run.join("tensorboard/train/events.out.tfevents.lrsched");
    let mut bytes = fs::read(&file).unwrap();
    for step in 8..10 {
        bytes.extend(Event::scalars(1.0, step, &[("batch_loss", Some(9.0))]).record());
    }
    bytes.extend(Event::scalars(1.0, 2, &[("epoch_loss", Some(9.0))]).record());
    bytes.extend(&Event::scalars(1.0, 10, &[("batch_loss", Some(9.0))]).record()[..11]);
    fs::write(&file, bytes).unwrap();
    // It needs no flag.
    succeed(resume(folder.path(), "run", &["--epochs", "4", "--hold"]));
    assert_is_the_csv(&run);
    let tags: Vec<String> =
        events(&run, "").iter().flat_map(|event| values(event).to_vec()).map(|value| value.tag).collect();
    let (start, end) = ("_hparams_/session_start_info", "_hparams_/session_end_info");
    assert_eq!(tags, [start, end], "one session, with its last end");
    assert_eq!(scalars(&run, "test", "epoch_accuracy").iter().map(|(step, _)| *step).collect::<Vec<_>>(), [3]);
}

#[test]
fn each_run_of_a_comparison_has_its_settings_for_the_hparams_tab() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = program(folder.path());
    command.arg("compare").args(SMALL).args(["--epochs", "1", "--out", "cmp", "--tensorboard"]);
    command.args(["--entrants", "sgd/constant", "--grid", "lr=0.01,0.02"]);
    succeed(command);
    let mut rates = 0;
    for entry in fs::read_dir(folder.path().join("cmp/runs")).unwrap() {
        let start = events(&entry.unwrap().path(), "").remove(0);
        let metadata = values(&start)[0].metadata.clone().unwrap().plugin.unwrap();
        assert_eq!(metadata.name, "hparams");
        // The protocol buffer holds the names and words as they are, and a number in eight bytes.
        let has = |part: &[u8]| metadata.content.windows(part.len()).any(|window| window == part);
        assert!(has(b"schedule") && has(b"constant") && has(b"batch-size") && has(&16_f64.to_le_bytes()));
        rates += usize::from(has(&0.01_f64.to_le_bytes())) + 10 * usize::from(has(&0.02_f64.to_le_bytes()));
    }
    assert_eq!(rates, 11);
}

#[test]
fn force_removes_the_event_files_of_the_earlier_run_and_one_of_somebody_else_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    succeed(train(folder.path(), "run", &[&FLAGS[..], &["1"]].concat()));
    let board = folder.path().join("run/tensorboard");
    fs::write(board.join("test/notes.txt"), "mine").unwrap();
    succeed(train(folder.path(), "run", &["--lr", "0.02", "--epochs", "1", "--force"]));
    assert!(!board.join("train").exists() && !board.join("test/events.out.tfevents.lrsched").exists());
    assert_eq!(fs::read_to_string(board.join("test/notes.txt")).unwrap(), "mine");
    let foreign = board.join("events.out.tfevents.lrsched");
    fs::write(&foreign, "a text that is longer than the first record of a file").unwrap();
    let weights = fs::read(folder.path().join("run/weights.safetensors")).unwrap();
    let refused = run(train(folder.path(), "run", &["--lr", "0.02", "--epochs", "1", "--force", "--tensorboard"]));
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    let said = stderr(&refused);
    assert!(said.contains("events.out.tfevents.lrsched") && said.lines().count() == 1, "{said}");
    assert!(fs::read_to_string(&foreign).unwrap().starts_with("a text"));
    assert_eq!(fs::read(folder.path().join("run/weights.safetensors")).unwrap(), weights, "nothing is removed first");
}

#[test]
fn a_merge_copies_the_event_files_of_its_runs() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = program(folder.path());
    command.arg("compare").args(SMALL).args(["--epochs", "1", "--out", "cmp", "--tensorboard", "--lr", "0.02"]);
    command.args(["--entrants", "sgd/constant", "sgd/cosine"]);
    succeed(command);
    // Twice: into nothing, and over what is there.
    for _ in 0..2 {
        let mut merge = program(folder.path());
        merge.args(["merge", "cmp", "--out", "all", "-q"]);
        succeed(merge);
        for entry in fs::read_dir(folder.path().join("cmp/runs")).unwrap() {
            let path = entry.unwrap().path();
            let copy = folder.path().join("all/runs").join(path.file_name().unwrap());
            let file = "tensorboard/validation/events.out.tfevents.lrsched";
            assert_eq!(fs::read(path.join(file)).unwrap(), fs::read(copy.join(file)).unwrap());
        }
    }
}
