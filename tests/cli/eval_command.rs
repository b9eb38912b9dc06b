//! `lrsched eval`: results for a run's weights, and errors for files that are not weights.

use crate::common::{TINY, cifar10, lrsched, skipped};
use serde_json::Value;
use std::path::Path;

fn train(folder: &tempfile::TempDir, flags: &[&str]) {
    lrsched(folder).arg("train").args(TINY).args(["--epochs", "1", "--lr", "0.02"]).args(flags).assert().success();
}

fn json(folder: &tempfile::TempDir, arguments: &[&str]) -> Value {
    let output = lrsched(folder).arg("eval").args(arguments).arg("--json").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The one line on stderr, and the exit code.
fn error(folder: &tempfile::TempDir, arguments: &[&str]) -> (i32, String) {
    let output = lrsched(folder).arg("eval").args(arguments).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said.lines().count(), 1, "{said}");
    (output.status.code().unwrap(), said.trim_end().to_string())
}

fn results(folder: &Path) -> Value {
    let info: Value = serde_json::from_slice(&std::fs::read(folder.join("run.json")).unwrap()).unwrap();
    info["results"].clone()
}

#[test]
fn eval_of_each_network_repeats_the_figures_of_its_run_bit_for_bit_and_knows_its_weights_alone() {
    let folder = tempfile::tempdir().unwrap();
    for model in ["cnn", "resnet9", "airbench94-muon", "tiny"] {
        train(&folder, &["--model", model, "--out", model]);
        let results = results(&folder.path().join(model));
        let test = json(&folder, &[model]);
        assert_eq!(test["accuracy"], results["test_accuracy"], "{model}");
        assert_eq!(test["loss"], results["test_loss"], "{model}");
        assert_eq!((&test["model"], &test["images"]), (&Value::from(model), &Value::from(2000)));
        let validation = json(&folder, &[model, "--split", "validation"]);
        assert_eq!(validation["accuracy"], results["val_accuracy"], "{model}");
        assert_eq!(validation["loss"], results["val_loss"], "{model}");
        assert_eq!(validation["images"], 50);
        // Without its run.json, the file is identified by its tensors alone. Its images are normalised by all training images then, so
        // only weights that saw all of them would give the same loss.
        let alone = format!("{model}.safetensors");
        std::fs::copy(folder.path().join(model).join("weights.safetensors"), folder.path().join(&alone)).unwrap();
        let mut arguments = vec![alone.as_str(), "--dataset", "synthetic"];
        if model == "airbench94-muon" {
            let (code, said) = error(&folder, &arguments);
            assert!(code == 1 && said.contains("fit airbench94 and airbench94-muon alike"), "{said}");
            arguments.extend(["--model", model]);
        }
        let alone = json(&folder, &arguments);
        assert_eq!((&alone["model"], &alone["images"]), (&test["model"], &test["images"]));
        let (alone, test) = (alone["loss"].as_f64().unwrap(), test["loss"].as_f64().unwrap());
        assert!((alone - test).abs() < 0.05 * test, "{model}: {alone} and {test}");
    }
}

#[test]
fn test_time_augmentation_is_that_of_the_run_on_its_test_images_alone_and_may_be_another() {
    let folder = tempfile::tempdir().unwrap();
    let spec = "--tta mirror-translate --augment alternating-flip-crop:padding=2,padding-mode=reflect --drop-last --loss-reduction sum";
    let flags: Vec<&str> = spec.split(' ').chain(["--lr", "0.001", "--out", "run"]).collect();
    train(&folder, &flags);
    let info: Value = serde_json::from_slice(&std::fs::read(folder.path().join("run/run.json")).unwrap()).unwrap();
    assert_eq!(info["config"]["tta"], "mirror-translate");
    assert_eq!(info["config"]["augment"], "alternating-flip-crop:padding=2,padding-mode=reflect");
    assert_eq!((&info["config"]["drop-last"], &info["config"]["loss-reduction"]), (&true.into(), &"sum".into()));
    let results = results(&folder.path().join("run"));
    let test = json(&folder, &["run"]);
    assert_eq!((&test["tta"], &test["loss"]), (&"mirror-translate".into(), &results["test_loss"]));
    assert_eq!(test["accuracy"], results["test_accuracy"]);
    let odd = json(&folder, &["run", "--batch-size", "33"]);
    assert_eq!(odd["confusion"], test["confusion"], "no view crosses into another image");
    // A run is validated without it.
    let validation = json(&folder, &["run", "--split", "validation"]);
    assert_eq!((&validation["tta"], &validation["loss"]), (&"none".into(), &results["val_loss"]));
    let losses =
        ["none", "mirror", "mirror-translate"].map(|tta| json(&folder, &["run", "--tta", tta])["loss"].clone());
    assert!(losses[0] != losses[1] && losses[1] != losses[2] && losses[2] == test["loss"], "{losses:?}");
    for (page, said) in [
        ("run.md", "test % with test-time augmentation (mirror-translate: 6 views); val % without."),
        (
            "run.html",
            "Test images are evaluated with test-time augmentation (mirror-translate: 6 views); validation images without.",
        ),
    ] {
        lrsched(&folder).args(["report", "run", "-o", page]).assert().success();
        let report = std::fs::read_to_string(folder.path().join(page)).unwrap();
        assert!(report.contains(said), "{report}");
    }
    let (code, said) = error(&folder, &["run", "--tta", "mirrored"]);
    assert_eq!(code, 2);
    assert!(
        said.contains("did you mean `mirror`? (test-time augmentations: none, mirror, mirror-translate)"),
        "{said}"
    );
}

#[test]
fn eval_of_a_run_on_cifar10_repeats_its_test_accuracy_bit_for_bit() {
    let Some(data) = cifar10("eval_of_a_run_on_cifar10_repeats_its_test_accuracy_bit_for_bit") else { return };
    let folder = tempfile::tempdir().unwrap();
    let data = data.to_str().unwrap();
    let flags = ["--train-limit", "500", "--validation", "100", "--epochs", "1", "--lr", "0.02", "--data-dir", data];
    lrsched(&folder).args(["train", "--model", "tiny", "--out", "run", "-q"]).args(flags).assert().success();
    let results = results(&folder.path().join("run"));
    let evaluated = json(&folder, &["run", "--data-dir", data]);
    assert_eq!(evaluated["accuracy"], results["test_accuracy"]);
    assert_eq!(evaluated["loss"], results["test_loss"]);
    assert_eq!(evaluated["classes"][3]["class"], "cat");
    assert_eq!(evaluated["classes"][3]["images"], 1000);
}

#[test]
fn accuracy_is_the_diagonal_of_the_confusion_matrix_and_the_same_in_any_batches_and_on_both_engines() {
    let folder = tempfile::tempdir().unwrap();
    train(&folder, &["--epochs", "2", "--out", "run"]);
    let whole = json(&folder, &["run"]);
    let counts = |row: usize, column: usize| whole["confusion"][row][column].as_u64().unwrap();
    let correct: u64 = (0..10).map(|class| counts(class, class)).sum();
    assert_eq!(whole["accuracy"].as_f64().unwrap(), correct as f64 / 2000.0);
    for class in 0..10 {
        let row: u64 = (0..10).map(|column| counts(class, column)).sum();
        let told = &whole["classes"][class];
        assert_eq!((row, counts(class, class)), (told["images"].as_u64().unwrap(), told["correct"].as_u64().unwrap()));
    }
    let odd = json(&folder, &["run", "--batch-size", "33", "--threads", "1"]);
    assert_eq!((&odd["confusion"], &odd["accuracy"]), (&whole["confusion"], &whole["accuracy"]));
    // Sums round differently; an image on the boundary between two classes may switch sides.
    if !cfg!(feature = "candle") {
        skipped(
            "accuracy_is_the_diagonal_of_the_confusion_matrix_and_the_same_in_any_batches_and_on_both_engines",
            "a build without candle: one engine",
        );
        return;
    }
    let candle = json(&folder, &["run", "--engine", "candle"]);
    let difference = candle["accuracy"].as_f64().unwrap() - whole["accuracy"].as_f64().unwrap();
    assert!(difference.abs() < 0.002, "{difference}");
    let loss = |told: &Value| told["loss"].as_f64().unwrap();
    assert!((loss(&candle) - loss(&whole)).abs() < 1e-4);
}

#[test]
fn the_table_fits_80_columns_and_the_matrix_goes_to_png_svg_and_csv() {
    let folder = tempfile::tempdir().unwrap();
    train(&folder, &["--out", "run"]);
    let output = lrsched(&folder)
        .args(["eval", "run", "-o", "a.png", "--out", "b/a.svg", "--output", "a.csv"])
        .output()
        .unwrap();
    assert!(output.status.success());
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.lines().all(|line| line.chars().count() <= 80) && said.is_ascii(), "{said}");
    assert!(said.starts_with("run/weights.safetensors: tiny on the 2000 test images of synthetic\nloss "), "{said}");
    assert!(said.ends_with("a.png\nb/a.svg\na.csv\n"), "{said}");
    let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    assert!(read("a.png").starts_with(b"\x89PNG"));
    assert!(String::from_utf8(read("b/a.svg")).unwrap().contains("triangle"));
    let csv = String::from_utf8(read("a.csv")).unwrap();
    assert_eq!(csv.lines().next(), Some("class,disc,ring,square,frame,triangle,cross,bars,checks,dots,waves"));
    assert_eq!(csv.lines().count(), 11);
}

#[test]
fn a_file_far_from_its_run_json_is_known_by_its_tensors_and_a_note_says_what_was_assumed() {
    let folder = tempfile::tempdir().unwrap();
    train(&folder, &["--out", "run"]);
    std::fs::rename(folder.path().join("run/weights.safetensors"), folder.path().join("alone.safetensors")).unwrap();
    let output = lrsched(&folder)
        .args(["eval", "alone.safetensors", "--dataset", "synthetic", "--split", "train", "--json"])
        .output()
        .unwrap();
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&told["model"], &told["images"]), (&Value::from("tiny"), &Value::from(5000)));
    let note = String::from_utf8(output.stderr).unwrap();
    assert!(
        note.contains("no run.json next to alone.safetensors") && note.contains("1000 validation images"),
        "{note}"
    );

    std::fs::remove_dir_all(folder.path().join("run/checkpoints")).unwrap();
    let (code, moved) = error(&folder, &["run"]);
    assert!(code == 2 && moved.contains("has no weights.safetensors, though its run is over"), "{moved}");
}

#[test]
fn a_checkpoint_is_evaluated_by_its_name_by_its_path_and_where_the_run_has_no_end() {
    let folder = tempfile::tempdir().unwrap();
    train(&folder, &["--out", "run"]);
    let run = folder.path().join("run");
    let test = &results(&run)["test_accuracy"];
    // With one epoch, the best is the last.
    let best = "run/checkpoints/best/weights.safetensors";
    for arguments in [&["run", "--checkpoint", "best"][..], &["run", "--checkpoint", "last"], &[best]] {
        assert_eq!(&json(&folder, arguments)["accuracy"], test, "{arguments:?}");
    }
    let (_, file) = error(&folder, &[best, "--checkpoint", "last"]);
    assert!(file.contains("name the run's folder"), "{file}");
    std::fs::remove_file(run.join("weights.safetensors")).unwrap();
    assert_eq!(&json(&folder, &["run"])["accuracy"], test);
    std::fs::remove_dir_all(run.join("checkpoints/best")).unwrap();
    let (code, none) = error(&folder, &["run", "--checkpoint", "best"]);
    assert!(code == 2 && none.ends_with("run has no best checkpoint"), "{none}");
}

/// Flips one bit of the last weight in the file.
fn flip(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn damaged_weights_of_a_run_are_refused_and_of_one_without_an_end_the_checkpoint_before_is_evaluated() {
    let folder = tempfile::tempdir().unwrap();
    lrsched(&folder).arg("train").args(TINY).args(["--epochs", "2", "--lr", "0.02", "--out", "run"]).assert().success();
    let path = |name: &str| folder.path().join("run").join(name);
    let test = &results(&path(""))["test_accuracy"];
    flip(&path("weights.safetensors"));
    for weights in ["run", "run/weights.safetensors"] {
        let (code, said) = error(&folder, &[weights]);
        assert!(code == 1 && said.contains("run/weights.safetensors is damaged: its SHA-256"), "exit {code}, {said}");
        assert!(said.ends_with("; evaluate run/checkpoints/last/weights.safetensors instead"), "{said}");
    }
    assert_eq!(&json(&folder, &["run", "--checkpoint", "last"])["accuracy"], test);
    // Outside its run it is an ordinary file.
    std::fs::rename(path("weights.safetensors"), folder.path().join("alone.safetensors")).unwrap();
    json(&folder, &["alone.safetensors", "--dataset", "synthetic"]);

    let last = "run/checkpoints/last/weights.safetensors";
    flip(&folder.path().join(last));
    for arguments in [&["run", "--checkpoint", "last"][..], &[last]] {
        let (code, said) = error(&folder, arguments);
        assert!(code == 1 && said.contains(&format!("{last} is damaged: its SHA-256")), "exit {code}, {said}");
        assert!(said.ends_with("; evaluate run/checkpoints/last-before/weights.safetensors instead"), "{said}");
    }
    // The run has no final weights: like `resume`, this falls back to the previous checkpoint.
    let output = lrsched(&folder).args(["eval", "run"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.contains(&format!("{last} is damaged")), "{said}");
    assert!(said.contains("evaluating checkpoints/last-before (epoch 1, step 3)"), "{said}");
    assert!(
        String::from_utf8(output.stdout).unwrap().starts_with("run/checkpoints/last-before/weights.safetensors: tiny")
    );
}

#[test]
fn where_every_checkpoint_is_damaged_none_is_named_in_place_of_another() {
    let folder = tempfile::tempdir().unwrap();
    lrsched(&folder).arg("train").args(TINY).args(["--epochs", "2", "--lr", "0.02", "--out", "run"]).assert().success();
    for name in ["last", "last-before", "best"] {
        // The best checkpoint shares its files with another.
        let weights = folder.path().join("run/checkpoints").join(name).join("weights.safetensors");
        std::fs::write(weights, "cut").unwrap();
    }
    for name in ["last", "best"] {
        let (code, said) = error(&folder, &["run", "--checkpoint", name]);
        assert!(code == 1 && said.ends_with("; no checkpoint of its run would do either"), "exit {code}, {said}");
    }
}

#[test]
fn weights_of_a_run_that_diverged_are_evaluated_with_a_warning_that_names_its_last_good_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let diverges = ["--epochs", "3", "--schedule", "piecewise:milestones=1,values=0.02,1e12", "--out", "run"];
    lrsched(&folder).arg("train").args(TINY).args(diverges).assert().code(4);
    let output = lrsched(&folder).args(["eval", "run", "--json"]).output().unwrap();
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(output.status.success() && told["loss"].is_null(), "{told}");
    let said = String::from_utf8(output.stderr).unwrap();
    let instead = "run/checkpoints/last/weights.safetensors";
    assert!(said.starts_with("warning: the loss is not finite"), "{said}");
    assert!(said.ends_with(&format!("; evaluate {instead} instead\n")), "{said}");
    assert!(json(&folder, &[instead])["loss"].as_f64().unwrap() < 10.0);
}

#[test]
fn weights_of_an_earlier_end_do_not_count_in_a_run_that_was_made_longer_and_stopped() {
    let folder = tempfile::tempdir().unwrap();
    train(&folder, &["--out", "run"]);
    let longer = ["resume", "run", "--epochs", "3", "--progress", "none"];
    lrsched(&folder).args(longer).env("LRSCHED_STOP_AT", "mid-row:2").assert().failure();
    assert!(folder.path().join("run/weights.safetensors").exists());
    let evaluated = json(&folder, &["run"]);
    assert_eq!(evaluated["weights"], "run/checkpoints/last/weights.safetensors");
}

#[test]
fn what_cannot_be_evaluated_is_one_line_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    train(&folder, &["--out", "run"]);
    let path = |name: &str| folder.path().join(name);
    let weights = std::fs::read(path("run/weights.safetensors")).unwrap();
    std::fs::write(path("cut.safetensors"), &weights[..weights.len() / 2]).unwrap();
    std::fs::write(path("text.safetensors"), "no tensors here, only words").unwrap();
    std::fs::create_dir(path("empty")).unwrap();
    let cases: [(&[&str], i32, &str); 10] = [
        (&["nowhere"], 2, "error: nowhere: no such file or folder"),
        (&["empty"], 2, "error: empty is not the folder of a run: it has no weights.safetensors"),
        (&["cut.safetensors"], 1, "error: cut.safetensors: a safetensors file that is truncated"),
        (&["text.safetensors"], 1, "error: text.safetensors: not a safetensors file"),
        (
            &["run", "--model", "resnet9"],
            1,
            "not the weights of resnet9 with 10 classes: the tensor `prep.conv.weight` [32, 3, 3, 3] is missing",
        ),
        (&["run", "--split", "tset"], 2, "did you mean `test`?"),
        (&["run", "--batch-size", "0"], 2, "batch-size must be at least 1 image, got 0"),
        (&["run", "--threads", "0"], 2, "threads must be at least 1"),
        (&["run", "-o", "matrix.bmp"], 2, "must end in .png, .svg or .csv"),
        (&["run", "--dataset", "cifar10", "--data-dir", "empty"], 1, "CIFAR-10 is not in empty"),
    ];
    for (arguments, expected, text) in cases {
        let (code, said) = error(&folder, arguments);
        assert!(code == expected && said.contains(text), "{arguments:?}: exit {code}, {said}");
    }
}

#[test]
fn a_dataset_that_was_assumed_is_not_blamed_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    train(&folder, &["--out", "run"]);
    std::fs::remove_file(folder.path().join("run/run.json")).unwrap();
    let (code, said) = error(&folder, &["run", "--data-dir", "nowhere"]);
    let assumed = "no run.json beside run/weights.safetensors names its dataset, so cifar10 is taken: ";
    assert!(code != 0 && said.contains(assumed), "{code} {said}");
}

#[test]
fn other_images_than_the_run_had_are_said() {
    let folder = tempfile::tempdir().unwrap();
    train(&folder, &["--out", "run"]);
    let info = folder.path().join("run/run.json");
    let text = std::fs::read_to_string(&info).unwrap();
    let digest = serde_json::from_str::<Value>(&text).unwrap()["dataset"]["digest"].as_str().unwrap().to_string();
    std::fs::write(&info, text.replace(&digest, "0123abcd")).unwrap();
    let output = lrsched(&folder).args(["eval", "run"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.starts_with("warning: these are not the images the run was trained on") && said.contains("0123abcd"),
        "{said}"
    );
}

#[test]
fn a_checkpoint_is_evaluated_by_its_folder_or_from_within_it_of_an_unfinished_run_too() {
    let folder = tempfile::tempdir().unwrap();
    train(&folder, &["--epochs", "2", "--out", "run"]);
    let expected = json(&folder, &["run", "--checkpoint", "last"]);
    let same = |found: &Value, how: &str| {
        assert_eq!((&found["loss"], &found["images"]), (&expected["loss"], &expected["images"]), "{how}");
    };
    let file = folder.path().join("run/run.json");
    let unfinished = std::fs::read_to_string(&file).unwrap().replace("\"finished\"", "\"interrupted\"");
    std::fs::write(&file, unfinished).unwrap();
    same(&json(&folder, &["run/checkpoints/last"]), "by its folder");
    for (place, path) in [
        ("run/checkpoints/last", "weights.safetensors"),
        ("run/checkpoints/last", "."),
        ("run/checkpoints", "last/weights.safetensors"),
        ("run/checkpoints", "last"),
    ] {
        let place = folder.path().join(place);
        let output = lrsched(&folder).current_dir(place).args(["eval", path, "--json"]).output().unwrap();
        // Without the run.json it would expect CIFAR-10 images.
        assert!(output.status.success(), "{path}: {}", String::from_utf8_lossy(&output.stderr));
        same(&serde_json::from_slice(&output.stdout).unwrap(), path);
    }
    let (code, said) = error(&folder, &["run/checkpoints/last", "--checkpoint", "best"]);
    assert!(code == 2 && said.contains("evaluate it without --checkpoint"), "{said}");
    std::fs::write(folder.path().join("run/checkpoints/last/state.json"), "{}").unwrap();
    let (code, said) = error(&folder, &["run/checkpoints/last"]);
    assert!(code == 1 && said.contains("is damaged") && said.contains("last-before/weights.safetensors"), "{said}");
}
