//! The CSVs of runs: written row by row, each row whole; read strictly, with one clear line for any error.

use lrsched::record::{
    ChannelStatistics, ComparisonRow, DatasetId, EpochRow, GitState, GroupInfo, Provenance, Results, Role, Row,
    RowWriter, RunInfo, Stage, Standing, Status, StepRow, read_good_rows, read_rows, write_rows,
};
use lrsched::schedule::Semantics;
use std::path::Path;

fn epoch_row(epoch: u64) -> EpochRow {
    EpochRow {
        epoch,
        learning_rate: 0.1 * 0.3,
        loss: 2.25,
        accuracy: 0.1,
        val_loss: Some(f64::NAN),
        step: 391,
        images_per_second: 1750.25,
        seconds: 1e-7,
        ..EpochRow::default()
    }
}

fn comparison_row() -> ComparisonRow {
    ComparisonRow {
        run: "sgd-step-0".into(),
        schedule: "step:factor=0.5,drop-every=10".into(),
        optimizer: "sgd".into(),
        semantics: Semantics::Native,
        seed: u64::MAX,
        epochs: 10,
        lr: 0.1,
        results: Results {
            loss: Some(0.5),
            accuracy: Some(0.8),
            val_loss: None,
            val_accuracy: Some(0.7),
            best_val_accuracy: Some(0.71),
            best_epoch: Some(8),
            test_loss: None,
            test_accuracy: None,
            seconds: Some(12.5),
        },
        status: Status::Interrupted,
        role: None,
    }
}

/// The error from reading this text as metrics.csv, without the path.
fn complaint(text: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metrics.csv");
    std::fs::write(&path, text).unwrap();
    let error = format!("{:#}", read_rows::<EpochRow>(&path).unwrap_err());
    assert!(!error.contains('\n'), "one line: {error}");
    error.strip_prefix(&format!("{}: ", path.display())).expect("the file is named").to_string()
}

const HEADER: &str =
    "epoch,learning_rate,loss,accuracy,val_loss,val_accuracy,momentum,step,images_per_second,seconds\n";
const GOOD: &str = "0,0.1,2.3,0.1,,,,391,1750,22\n";

#[test]
fn the_headers_are_the_fields_of_the_rows_in_order() {
    fn header<T: Row>(row: &T) -> String {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.serialize(row).unwrap();
        String::from_utf8(writer.into_inner().unwrap()).unwrap().lines().next().unwrap().to_string()
    }
    let step = StepRow { step: 0, epoch: 0, learning_rate: 0.1, momentum: None, loss: 1.0, groups: Vec::new() };
    assert_eq!(header(&epoch_row(0)), EpochRow::header().join(","));
    assert_eq!(header(&epoch_row(0)), HEADER.trim_end());
    assert_eq!(header(&step), "step,epoch,learning_rate,momentum,loss");
    assert_eq!(header(&step), StepRow::header().join(","));
    assert_eq!(
        ComparisonRow::header().join(","),
        "run,schedule,optimizer,semantics,seed,epochs,lr,loss,accuracy,val_loss,val_accuracy,best_val_accuracy,best_epoch,\
         test_loss,test_accuracy,seconds,status,entrant,stage,study,trial,finalists"
    );
}

#[test]
fn rows_are_in_the_file_as_soon_as_they_are_written_with_empty_and_nan_cells() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metrics.csv");
    let text = || std::fs::read_to_string(&path).unwrap();
    let mut writer = RowWriter::create(&path).unwrap();
    assert_eq!(text(), HEADER);
    writer.write(&epoch_row(0)).unwrap();
    assert_eq!(text(), format!("{HEADER}0,0.03,2.25,0.1,NaN,,,391,1750.25,1e-7\n"));
    writer.write(&epoch_row(1)).unwrap();
    let rows: Vec<EpochRow> = read_rows(&path).unwrap();
    assert_eq!(rows.len(), 2);
    assert!(rows[1].val_loss.unwrap().is_nan() && rows[1].val_accuracy.is_none());
    assert_eq!(rows[1].learning_rate.to_bits(), (0.1_f64 * 0.3).to_bits());
}

#[test]
fn a_comparison_reads_back_as_it_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("comparison.csv");
    write_rows(&path, &[comparison_row(), comparison_row()]).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(
        text.contains("sgd-step-0,\"step:factor=0.5,drop-every=10\",sgd,native,18446744073709551615,10,0.1,"),
        "{text}"
    );
    assert_eq!(read_rows::<ComparisonRow>(&path).unwrap(), [comparison_row(), comparison_row()]);
}

#[test]
fn the_roles_of_a_tuned_comparison_are_the_last_columns_and_a_table_without_them_has_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("comparison.csv");
    let of = |stage, study, trial, finalists| {
        let role = Role { entrant: "sgd:momentum=0.9,nesterov/cosine".into(), stage, study, trial, finalists };
        ComparisonRow { role: Some(role), ..comparison_row() }
    };
    let rows = [
        comparison_row(),
        of(Stage::SecondLook, Some(2), Some(7), None),
        of(Stage::Screening, None, None, Some(4)),
        of(Stage::Final, Some(0), Some(0), Some(4)),
    ];
    write_rows(&path, &rows).unwrap();
    assert_eq!(read_rows::<ComparisonRow>(&path).unwrap(), rows);
    let text = std::fs::read_to_string(&path).unwrap();
    let ends: Vec<&str> = text.lines().skip(1).map(|line| line.split_once(",interrupted,").unwrap().1).collect();
    let entrant = "\"sgd:momentum=0.9,nesterov/cosine\"";
    assert_eq!(
        ends,
        [
            ",,,,",
            &format!("{entrant},second-look,2,7,"),
            &format!("{entrant},screening,,,4"),
            &format!("{entrant},final,0,0,4")
        ]
    );

    let earlier = text
        .lines()
        .take(2)
        .map(|line| line.strip_suffix(",entrant,stage,study,trial,finalists").or(line.strip_suffix(",,,,,")));
    let earlier: Vec<&str> = earlier.map(Option::unwrap).collect();
    std::fs::write(&path, earlier.join("\n") + "\n").unwrap();
    assert_eq!(read_rows::<ComparisonRow>(&path).unwrap(), [comparison_row()]);

    std::fs::write(&path, text.replace(",final,", ",,")).unwrap();
    let error = format!("{:#}", read_rows::<ComparisonRow>(&path).unwrap_err());
    assert!(error.contains("row 4") && error.contains("a role has an entrant and a stage"), "{error}");
}

#[test]
fn a_damaged_file_is_named_with_its_row_and_cell() {
    let missing = read_rows::<EpochRow>(Path::new("no/such/metrics.csv")).unwrap_err();
    assert!(format!("{missing:#}").starts_with("no/such/metrics.csv: "), "{missing:#}");
    assert!(complaint(b"").starts_with("the file is empty"));
    assert!(complaint(b"date,price\n1,2\n").starts_with("row 0, the header, is `date,price`, expected `epoch,"));
    let bad_cell = format!("{HEADER}{GOOD}1,0.1x,2.3,0.1,,,,391,1750,22\n");
    assert_eq!(complaint(bad_cell.as_bytes()), "row 2: `learning_rate` is `0.1x`: invalid float literal");
    assert_eq!(complaint(format!("{HEADER}1,0.1,2.3\n").as_bytes()), "row 1 has 3 cells, expected 10");
    assert_eq!(complaint(format!("{HEADER}{GOOD}1,0.1,2").as_bytes()), "row 2 is cut: the file ends inside it");
    assert_eq!(complaint(format!("{HEADER}{}", GOOD.trim_end()).as_bytes()), "row 1 is cut: the file ends inside it");
    assert_eq!(complaint(&[HEADER.as_bytes(), b"\xff\xfe,1\n"].concat()), "row 1 is not text");
    assert!(complaint(b"\x89PNG\r\n\x1a\n\0\0").starts_with("row 0, the header, is"));
}

#[test]
fn the_rows_before_the_damage_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metrics.csv");
    std::fs::write(&path, format!("{HEADER}{GOOD}{GOOD}2,0.1,")).unwrap();
    let (rows, error) = read_good_rows::<EpochRow>(&path);
    assert_eq!(rows.len(), 2);
    assert!(error.unwrap().to_string().contains("metrics.csv"));
}

#[test]
fn run_json_reads_back_as_it_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.json");
    let info = RunInfo {
        provenance: Provenance {
            version: "0.1.0".into(),
            command: vec!["lrsched".into(), "train".into()],
            git: None,
            program: Some(GitState { commit: "abc".into(), dirty: true }),
            kernels: None,
            threads: 2,
            dataset: DatasetId { name: "synthetic".into(), digest: "00".into() },
            started: lrsched::record::now(),
        },
        device: "cpu".into(),
        engine: "cpu".into(),
        config: serde_json::from_value(serde_json::json!({ "lr": 0.1, "schedule": "cosine" })).unwrap(),
        normalisation: Some(ChannelStatistics { mean: vec![0.5; 3], standard_deviation: vec![0.25; 3] }),
        groups: vec![GroupInfo {
            name: "biases".into(),
            optimizer: "adam".into(),
            lr: 0.01,
            schedule: None,
            freeze_after: Some("3ep".into()),
            parameters: vec!["fc.bias".into()],
        }],
        role: Some(Role {
            entrant: "sgd/cosine".into(),
            stage: Stage::Trial,
            study: Some(1),
            trial: Some(3),
            finalists: None,
        }),
        checkpoint_every: None,
        keep: None,
        standing: Standing { status: Status::Running, finished: None, message: None },
        changes: Vec::new(),
        results: Results { best_epoch: Some(3), ..Results::default() },
        weights: None,
        rows: None,
    };
    info.write(&path).unwrap();
    assert_eq!(RunInfo::read(&path).unwrap(), info);
    assert!(
        info.provenance.started.ends_with('Z') && info.provenance.started.len() == 20,
        "{}",
        info.provenance.started
    );
    std::fs::write(&path, "{\"version\": 1}").unwrap();
    assert!(format!("{:#}", RunInfo::read(&path).unwrap_err()).contains("run.json: "));
}

/// A run that was extended and had its rate set, as written by the previous release.
fn before(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/before").join(name)
}

#[test]
fn a_run_of_the_release_before_is_read_with_its_changes_and_stays_the_same_when_it_is_written_anew() {
    let info = RunInfo::read(&before("run.json")).unwrap();
    assert_eq!(info.config.known().unwrap().epochs, 3);
    assert_eq!((info.config.epochs(), info.config.logs_steps()), (Some(3), true));
    assert_eq!((info.standing.status, info.provenance.threads, info.known_keep()), (Status::Finished, 2, None));
    assert_eq!(info.results.best_epoch, Some(3));
    let told: Vec<_> =
        info.changes.iter().map(|change| (change.setting(), change.from_text(), change.to_text())).collect();
    let expected = [("epochs", "3", "5"), ("lr", "0.02 (step at 0.02)", "0.01 (constant at 0.01)")];
    assert_eq!(told, expected.map(|(setting, from, to)| (setting, from.to_string(), to.to_string())));

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.json");
    info.write(&path).unwrap();
    assert_eq!(RunInfo::read(&path).unwrap(), info);
    let names = |path: &Path| -> Vec<String> {
        let object: serde_json::Map<_, _> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        object.keys().cloned().collect()
    };
    let written = names(&path);
    assert!(
        names(&before("run.json")).iter().all(|name| written.contains(name)),
        "no field has another place: {written:?}"
    );
}

#[test]
fn the_checkpoint_of_the_release_before_knows_the_same_changes_as_its_run() {
    let file: serde_json::Value = serde_json::from_slice(&std::fs::read(before("state.json")).unwrap()).unwrap();
    let state: lrsched::train::TrainState = serde_json::from_value(file["state"]["position"].clone()).unwrap();
    assert_eq!((state.step, state.course.since, state.course.epochs), (20, 12, 5));
    assert_eq!(state.changes, RunInfo::read(&before("run.json")).unwrap().changes);
    let written = serde_json::to_value(&state).unwrap();
    let again: lrsched::train::TrainState = serde_json::from_value(written).unwrap();
    assert_eq!(again.changes, state.changes);
}

#[test]
fn the_report_on_a_run_of_the_release_before_names_what_was_changed_by_hand() {
    let loaded = lrsched::report::load::load(&[before("")]);
    let [run] = &loaded.runs[..] else { panic!("{loaded:?}") };
    let changed = "epochs 5 from epoch 3, lr 0.01 (constant at 0.01) from epoch 3";
    assert_eq!((run.changed.as_deref(), run.row.epochs), (Some(changed), 5));
    assert!(run.command.starts_with("lrsched train --dataset synthetic"), "{}", run.command);
    assert!(loaded.complaints.iter().any(|line| line.contains(changed)), "{:?}", loaded.complaints);
}
