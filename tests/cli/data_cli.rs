//! `lrsched data`, as a user runs it.

use assert_cmd::Command;
use lrsched::data::cifar::{CIFAR10, CIFAR100, Layout};
use predicates::prelude::*;
use predicates::str::contains;
use std::path::Path;

/// The program in its own folder, with an empty home and no outside settings.
fn lrsched(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::cargo_bin("lrsched").unwrap();
    command
        .current_dir(folder)
        .env("HOME", folder.join("home"))
        .env_remove("XDG_CACHE_HOME")
        .env_remove("KERAS_HOME")
        .env_remove("LRSCHED_DATA");
    command.args(arguments);
    command
}

/// Valid files of black images, with the right number of each label.
fn write_files(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    for name in CIFAR10.files(Layout::Binary) {
        let mut bytes = vec![0; CIFAR10.file_bytes(0) as usize];
        bytes.chunks_exact_mut(3073).enumerate().for_each(|(record, bytes)| bytes[0] = (record % 10) as u8);
        std::fs::write(folder.join(name), bytes).unwrap();
    }
}

#[test]
fn info_describes_the_synthetic_dataset_and_draws_a_sheet_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let output =
        lrsched(folder.path(), &["data", "info", "--dataset", "synthetic", "--sheet", "sheet.png"]).assert().success();
    output.stdout(
        contains("train      6,000 images, 600 of each class").and(contains("disc, ring")).and(contains("digest")),
    );
    let sheet = std::fs::read(folder.path().join("sheet.png")).unwrap();
    assert_eq!(&sheet[..8], b"\x89PNG\r\n\x1a\n");
    let refused = lrsched(folder.path(), &["data", "info", "--dataset", "synthetic", "--sheet", "sheet.jpg"]).assert();
    refused.code(2).stdout("").stderr("error: --sheet must end in .png, got `sheet.jpg`\n");
    assert!(!folder.path().join("sheet.jpg").exists());
    let output = lrsched(folder.path(), &["data", "info", "--dataset", "synthetic", "--json"]).output().unwrap();
    let info: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&info["dataset"], &info["classes"][0], &info["validation"]),
        (&"synthetic".into(), &"disc".into(), &1000.into())
    );
    assert_eq!(info["test"], serde_json::json!({ "images": 2000, "images_of_each_class": vec![200; 10] }));
    assert!(info["mean"][2].as_f64().unwrap() > 0.0 && info["digest"].as_str().unwrap().len() == 64);
}

#[test]
fn without_cifar10_info_and_verify_fail_with_both_ways_on() {
    let folder = tempfile::tempdir().unwrap();
    for command in ["info", "verify"] {
        let output = lrsched(folder.path(), &["data", command]).assert().code(1);
        output.stderr(
            contains("lrsched data fetch")
                .and(contains("--dataset synthetic"))
                .and(contains("home/.cache/lrsched"))
                .and(contains("home/.keras/datasets")),
        );
    }
}

#[test]
fn files_are_found_in_the_flag_the_environment_data_and_the_cache_in_this_order() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let found = |command: &mut Command, name: &str| {
        command.assert().success().stdout(contains(format!("from       {}\n", name)));
    };
    write_files(&at("home/.cache/lrsched"));
    found(&mut lrsched(folder.path(), &["data", "info"]), &at("home/.cache/lrsched").display().to_string());
    std::fs::rename(at("home/.cache/lrsched"), at("data")).unwrap();
    found(&mut lrsched(folder.path(), &["data", "info"]), "data");
    std::fs::rename(at("data"), at("mine")).unwrap();
    found(lrsched(folder.path(), &["data", "info"]).env("LRSCHED_DATA", "mine"), "mine");
    found(lrsched(folder.path(), &["data", "info", "--data-dir", "mine"]).env("LRSCHED_DATA", "other"), "mine");
    // An explicit folder is the only one searched.
    std::fs::rename(at("mine"), at("data")).unwrap();
    lrsched(folder.path(), &["data", "info", "--data-dir", "mine"])
        .assert()
        .code(1)
        .stderr(contains("mine: no such folder"));
    std::fs::create_dir(at("mine")).unwrap();
    lrsched(folder.path(), &["data", "info", "--data-dir", "mine"]).assert().code(1).stderr(contains("is not in mine"));
}

/// What Python 2 pickled: the images of [`write_files`].
fn pickled_batch() -> Vec<u8> {
    let labels: Vec<u8> = (0..10_000).flat_map(|record| [b'K', (record % 10) as u8]).collect();
    let pixels = vec![0; 30_720_000];
    [
        b"\x80\x02}(U\x06labels](",
        &labels[..],
        b"eU\x04datacnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01M\x10'M\x00\x0c\x86",
        b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T",
        &30_720_000_u32.to_le_bytes(),
        &pixels,
        b"tbu.",
    ]
    .concat()
}

#[test]
fn the_pickles_of_torchvision_and_keras_have_the_digest_of_the_binary_files_packed_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let digest = |arguments: &[&str], from: &str| {
        let output = lrsched(folder.path(), &[&["data", "info"], arguments].concat()).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains(&format!("from       {from}\n")), "{text}{}", String::from_utf8_lossy(&output.stderr));
        text.lines().find(|line| line.starts_with("digest")).unwrap().to_string()
    };
    write_files(&at("binary"));
    let expected = digest(&["--data-dir", "binary"], "binary");

    // Of Keras 3, and of torchvision, whose folder comes first.
    let keras = at("home/.keras/datasets/cifar-10-batches-py-target/cifar-10-batches-py");
    std::fs::create_dir_all(&keras).unwrap();
    let batch = pickled_batch();
    for name in CIFAR10.files(Layout::Python) {
        std::fs::write(keras.join(name), &batch).unwrap();
    }
    assert_eq!(digest(&[], &keras.display().to_string()), expected);
    std::fs::create_dir(at("data")).unwrap();
    std::fs::rename(&keras, at("data/cifar-10-batches-py")).unwrap();
    assert_eq!(digest(&[], "data/cifar-10-batches-py"), expected);
    lrsched(folder.path(), &["data", "fetch"])
        .assert()
        .success()
        .stdout(contains("already in data/cifar-10-batches-py"));
    let verify = lrsched(folder.path(), &["data", "verify"]).assert().success();
    verify.stdout(
        contains("6c881b4e1b24a0425183cffaa1431a8965c9eac84859dec3e2d3d9c30c9eddfe  test_batch.bin\n")
            .and(contains("the sums are those of the same images in the binary layout")),
    );

    let encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut tar = tar::Builder::new(encoder);
    tar.append_dir_all("cifar-10-batches-py", at("data/cifar-10-batches-py")).unwrap();
    std::fs::remove_dir_all(at("data/cifar-10-batches-py")).unwrap();
    std::fs::write(at("data/cifar-10-python.tar.gz"), tar.into_inner().unwrap().finish().unwrap()).unwrap();
    assert_eq!(digest(&[], "data/cifar-10-python.tar.gz"), expected);
    assert_eq!(digest(&["--data-dir", "data/cifar-10-python.tar.gz"], "data/cifar-10-python.tar.gz"), expected);
}

#[test]
fn verify_prints_what_sha256sum_prints_and_names_a_wrong_class_count() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    write_files(&data);
    let output = lrsched(folder.path(), &["data", "verify"]).assert().success();
    // sha256sum data/test_batch.bin
    output.stdout(contains("6c881b4e1b24a0425183cffaa1431a8965c9eac84859dec3e2d3d9c30c9eddfe  data/test_batch.bin\n"));

    let mut bytes = std::fs::read(data.join("data_batch_1.bin")).unwrap();
    bytes[0] = 7;
    std::fs::write(data.join("data_batch_1.bin"), bytes).unwrap();
    let output = lrsched(folder.path(), &["data", "verify"]).assert().code(1);
    output.stderr(contains("4,999 training images are labelled airplane, expected 5,000"));
}

#[test]
fn fetch_has_nothing_to_do_where_the_files_are_whole() {
    let folder = tempfile::tempdir().unwrap();
    write_files(&folder.path().join("data"));
    let output = lrsched(folder.path(), &["data", "fetch"]).assert().success();
    output.stdout(contains("CIFAR-10 is already in data and intact"));
}

#[test]
fn fetch_refuses_a_mirror_that_is_no_url() {
    let folder = tempfile::tempdir().unwrap();
    let output = lrsched(folder.path(), &["data", "fetch", "--mirror", "archive.tar.gz"]).assert().code(2);
    output.stderr("error: mirror must begin with https://, http:// or file://, got `archive.tar.gz`\n");
}

#[test]
fn on_cifar_100_networks_have_100_outputs_and_are_evaluated_class_by_class() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data/cifar-100-binary");
    std::fs::create_dir_all(&data).unwrap();
    for (place, name) in CIFAR100.files(Layout::Binary).enumerate() {
        std::fs::File::create(data.join(name)).unwrap().set_len(CIFAR100.file_bytes(place)).unwrap();
    }
    let train = ["train", "--dataset", "cifar100", "--model", "tiny", "--epochs", "1", "--train-limit", "64"];
    let rest = ["--batch-size", "32", "--validation", "100", "--augment", "none", "--out", "run"];
    lrsched(folder.path(), &[&train[..], &rest].concat()).assert().success();
    let weights = std::fs::read(folder.path().join("run/weights.safetensors")).unwrap();
    let weights = safetensors::SafeTensors::deserialize(&weights).unwrap();
    assert_eq!(weights.tensor("fc.weight").unwrap().shape(), [100, 64]);
    let eval = lrsched(folder.path(), &["eval", "run", "--split", "validation"]).assert().success();
    eval.stdout(contains("Correct, by true class:").and(contains("aquarium_fish")));
    let eval = lrsched(folder.path(), &["eval", "run", "--dataset", "synthetic"]).assert().code(1);
    eval.stderr(contains(
        "not the weights of tiny with 10 classes: the tensor `fc.weight` is [100, 64], expected [10, 64]",
    ));
}
