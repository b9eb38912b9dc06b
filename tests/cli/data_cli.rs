//! `lrsched data`, as a user runs it.

use assert_cmd::Command;
use lrsched::data::cifar10;
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
        .env_remove("LRSCHED_DATA");
    command.args(arguments);
    command
}

/// Valid files of black images, with the right number of each label.
fn write_files(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    for name in cifar10::files() {
        let mut bytes = vec![0; cifar10::FILE_BYTES as usize];
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
}

#[test]
fn without_cifar10_info_and_verify_fail_with_both_ways_on() {
    let folder = tempfile::tempdir().unwrap();
    for command in ["info", "verify"] {
        let output = lrsched(folder.path(), &["data", command]).assert().code(1);
        output.stderr(
            contains("lrsched data fetch").and(contains("--dataset synthetic")).and(contains("home/.cache/lrsched")),
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
    lrsched(folder.path(), &["data", "info", "--data-dir", "mine"]).assert().code(1).stderr(contains("is not in mine"));
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
