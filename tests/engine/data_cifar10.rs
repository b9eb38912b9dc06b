//! Reading CIFAR-10's files: the real ones, and wrong ones made here.

use lrsched::data::cifar::{CIFAR10, CIFAR100, Layout, Place};
use lrsched::data::{Dataset, DatasetKind, DatasetOptions, Normalisation, Subset};
use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;

fn open(folder: &Path) -> anyhow::Result<Dataset> {
    Dataset::open(&DatasetOptions { kind: DatasetKind::Cifar10, data_dir: Some(folder.to_path_buf()) })
}

/// Files of the right size, all bytes 0: valid, black airplanes. They take no space on disk.
fn black_airplanes(folder: &Path) {
    for (place, name) in CIFAR10.files(Layout::Binary).enumerate() {
        File::create(folder.join(name)).unwrap().set_len(CIFAR10.file_bytes(place)).unwrap();
    }
}

#[test]
fn the_real_images_have_the_published_counts_means_and_deviations() {
    let Some(folder) = crate::common::cifar10("the_real_images_have_the_published_counts_means_and_deviations") else {
        return;
    };
    let dataset = open(&folder).unwrap();
    assert_eq!(dataset.train.class_counts(10), [5000; 10]);
    assert_eq!(dataset.test.class_counts(10), [1000; 10]);
    let normalisation = Normalisation::of(&Subset::all(Arc::clone(&dataset.train)));
    let close = |got: [f64; 3], want: [f64; 3]| got.iter().zip(want).all(|(got, want)| (got - want).abs() < 1e-5);
    assert!(close(normalisation.mean, [0.49140, 0.48216, 0.44653]), "{:?}", normalisation.mean);
    assert!(
        close(normalisation.standard_deviation, [0.24703, 0.24349, 0.26159]),
        "{:?}",
        normalisation.standard_deviation
    );
}

#[test]
fn the_default_split_of_the_real_images_is_45000_5000_10000_and_balanced() {
    let Some(folder) = crate::common::cifar10("the_default_split_of_the_real_images_is_45000_5000_10000_and_balanced")
    else {
        return;
    };
    let dataset = open(&folder).unwrap();
    let split = dataset.split(DatasetKind::Cifar10.default_validation(), None).unwrap();
    assert_eq!((split.train.len(), split.validation.len(), split.test.len()), (45_000, 5_000, 10_000));
    for class in 0..10 {
        let of_class = |index: &&u32| dataset.train.labels[**index as usize] == class;
        assert_eq!(split.validation.indices.iter().filter(of_class).count(), 500);
    }
}

#[test]
fn a_test_that_is_skipped_says_so_although_it_passes() {
    let test = "the_default_split_of_the_real_images_is_45000_5000_10000_and_balanced";
    let nothing = tempfile::tempdir().unwrap();
    let mut alone = std::process::Command::new(std::env::current_exe().unwrap());
    let output =
        alone.args(["--exact", &format!("data_cifar10::{test}")]).env("LRSCHED_DATA", nothing.path()).output().unwrap();
    assert!(output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains(&format!("SKIPPED {test}")), "{said}");
}

#[test]
fn files_are_also_found_in_the_folder_that_the_archive_unpacks_to() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join(CIFAR10.folder(Layout::Binary));
    std::fs::create_dir(&inner).unwrap();
    black_airplanes(&inner);
    assert_eq!(CIFAR10.locate(Some(folder.path())).unwrap(), Place::binary(&CIFAR10, &inner));
    assert_eq!(open(folder.path()).unwrap().train.class_counts(10)[0], 50_000);
}

#[test]
fn the_folders_and_archives_of_torchvision_and_keras_are_found_unpacked_ones_and_binary_ones_first() {
    let folder = tempfile::tempdir().unwrap();
    let located = |path: &Path| CIFAR10.locate(Some(path)).unwrap();
    let keras_3 = "cifar-10-batches-py-target/cifar-10-batches-py";
    // From the last to the first.
    for (name, layout, packed) in [
        ("cifar-10-batches-py-target_archive", Layout::Python, true),
        ("cifar-10-batches-py.tar.gz", Layout::Python, true),
        ("cifar-10-python.tar.gz", Layout::Python, true),
        ("cifar-10-binary.tar.gz", Layout::Binary, true),
        (keras_3, Layout::Python, false),
        ("cifar-10-batches-py", Layout::Python, false),
        ("cifar-10-batches-bin", Layout::Binary, false),
    ] {
        let path = folder.path().join(name);
        let file = match (packed, layout) {
            (true, _) => path.clone(),
            (false, Layout::Python) => path.join("data_batch_3"),
            (false, Layout::Binary) => path.join("data_batch_3.bin"),
        };
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, "").unwrap();
        let place = Place { dataset: &CIFAR10, path: path.clone(), layout, packed };
        assert_eq!(located(folder.path()), place);
        // The folder or archive itself may be given, too.
        assert_eq!(located(&path), place);
    }
}

#[test]
fn what_is_wrong_with_a_pickled_batch_is_said_with_its_name_and_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("test_batch"), "").unwrap();
    let error = open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("holds 1 of the 6 files of CIFAR-10: data_batch_1, data_batch_2"), "{error}");
    for number in 1..=5 {
        std::fs::write(path(&format!("data_batch_{number}")), "\u{80}no pickle").unwrap();
    }
    let error = open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("it does not begin as a pickle") && error.ends_with("`lrsched data fetch`"), "{error}");
    File::create(path("data_batch_4")).unwrap().set_len(1 << 40).unwrap();
    let error = open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("data_batch_4 is 1,099,511,627,776 bytes, expected at most 67,000,000"), "{error}");
}

#[test]
fn a_damaged_archive_is_named_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("cifar-10-python.tar.gz");
    std::fs::write(&archive, "cut").unwrap();
    let error = open(folder.path()).unwrap_err().to_string();
    let (name, damaged) = (archive.display(), "the archive is damaged or ends early");
    assert!(error.starts_with(&format!("{name}: {damaged}")) && error.ends_with("`lrsched data fetch`"), "{error}");
}

#[test]
fn a_folder_without_files_stops_at_once_and_says_both_ways_on() {
    let folder = tempfile::tempdir().unwrap();
    let error = open(folder.path()).unwrap_err().to_string();
    let name = folder.path().display();
    assert_eq!(
        error,
        format!(
            "CIFAR-10 is not in {name}; get it with `lrsched data fetch`, or train without it: `--dataset synthetic`"
        )
    );
}

#[test]
fn a_file_of_the_wrong_size_is_named_with_what_was_expected() {
    let folder = tempfile::tempdir().unwrap();
    black_airplanes(folder.path());
    std::fs::write(folder.path().join("test_batch.bin"), "not a batch!").unwrap();
    let error = open(folder.path()).unwrap_err().to_string();
    let name = folder.path().join("test_batch.bin");
    let name = name.display();
    assert_eq!(
        error,
        format!("{name} is 12 bytes, expected 30,730,000; fetch the dataset again with `lrsched data fetch`")
    );
}

#[test]
fn a_missing_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    black_airplanes(folder.path());
    std::fs::remove_file(folder.path().join("data_batch_4.bin")).unwrap();
    let error = open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("data_batch_4.bin is missing, the other files are there"), "{error}");
}

#[test]
fn where_several_files_are_missing_each_is_named_and_none_is_said_to_be_there() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("data_batch_1.bin"), "").unwrap();
    let error = open(folder.path()).unwrap_err().to_string();
    let expected = format!(
        "{} holds 1 of the 6 files of CIFAR-10: data_batch_2.bin, data_batch_3.bin, data_batch_4.bin, data_batch_5.bin, \
         test_batch.bin are missing; fetch the dataset again with `lrsched data fetch`",
        folder.path().display()
    );
    assert_eq!(error, expected);
}

#[test]
fn a_label_above_9_is_named_by_file_and_record() {
    let folder = tempfile::tempdir().unwrap();
    black_airplanes(folder.path());
    let mut file = OpenOptions::new().write(true).open(folder.path().join("data_batch_2.bin")).unwrap();
    file.seek(SeekFrom::Start(3073 * 7134)).unwrap();
    file.write_all(&[10]).unwrap();
    let error = open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("data_batch_2.bin: record 7134, counted from 0, has label 10, expected 0 to 9"), "{error}");
}

/// Sparse files of CIFAR-100: all black apples of the superclass 0, but for one training image.
fn black_apples(folder: &Path) {
    for (place, name) in CIFAR100.files(Layout::Binary).enumerate() {
        File::create(folder.join(name)).unwrap().set_len(CIFAR100.file_bytes(place)).unwrap();
    }
    let mut file = OpenOptions::new().write(true).open(folder.join("train.bin")).unwrap();
    file.seek(SeekFrom::Start(3074 * 41_003)).unwrap();
    // Its superclass, its class, and two pixels.
    file.write_all(&[3, 77, 200, 201]).unwrap();
}

fn open_100(folder: &Path) -> anyhow::Result<Dataset> {
    Dataset::open(&DatasetOptions { kind: DatasetKind::Cifar100, data_dir: Some(folder.to_path_buf()) })
}

#[test]
fn of_cifar_100_the_fine_labels_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("cifar-100-binary");
    std::fs::create_dir(&inner).unwrap();
    black_apples(&inner);
    let dataset = open_100(folder.path()).unwrap();
    assert_eq!((dataset.train.len(), dataset.test.len(), dataset.classes.len()), (50_000, 10_000, 100));
    assert_eq!((dataset.name.as_str(), dataset.classes[77].as_str()), ("cifar100", "snail"));
    assert_eq!(dataset.train.class_counts(100)[77], 1);
    assert_eq!((dataset.train.labels[41_003], &dataset.train.image(41_003)[..3]), (77, &[200, 201, 0][..]));
    let error = open(folder.path()).unwrap_err().to_string();
    assert!(error.starts_with("CIFAR-10 is not in "), "{error}");

    let mut file = OpenOptions::new().write(true).open(inner.join("test.bin")).unwrap();
    file.seek(SeekFrom::Start(1)).unwrap();
    file.write_all(&[100]).unwrap();
    let error = open_100(folder.path()).unwrap_err().to_string();
    assert!(error.contains("test.bin: record 0, counted from 0, has label 100, expected 0 to 99"), "{error}");
    std::fs::remove_file(inner.join("test.bin")).unwrap();
    let error = open_100(folder.path()).unwrap_err().to_string();
    assert!(
        error.contains("test.bin is missing, the other file is there; download the dataset again from https://"),
        "{error}"
    );
}

#[test]
fn the_folders_and_archives_of_cifar_100_are_found_and_said_where_there_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let located = || CIFAR100.locate(Some(folder.path()));
    // A folder that happens to be called `train` holds no images.
    std::fs::create_dir(folder.path().join("train")).unwrap();
    let error = located().unwrap_err().to_string();
    assert!(error.starts_with("CIFAR-100 is not in ") && error.contains("put cifar-100-binary.tar.gz or"), "{error}");
    for (name, layout, packed) in [
        ("cifar-100-python-target_archive", Layout::Python, true),
        ("cifar-100-python.tar.gz", Layout::Python, true),
        ("cifar-100-python-target/cifar-100-python", Layout::Python, false),
        ("cifar-100-python", Layout::Python, false),
    ] {
        let path = folder.path().join(name);
        let file = if packed { path.clone() } else { path.join("train") };
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, "").unwrap();
        assert_eq!(located().unwrap(), Place { dataset: &CIFAR100, path, layout, packed });
    }
}

#[test]
fn the_digest_is_that_of_what_sha256sum_prints_for_the_files() {
    let folder = tempfile::tempdir().unwrap();
    black_airplanes(folder.path());
    // cd folder && sha256sum data_batch_*.bin test_batch.bin | sha256sum
    let expected = "81b508f1e849e60f7aef025eedaa3908eeccae00b2d4724bd2d884bd2e6248d5";
    assert_eq!(open(folder.path()).unwrap().digest(), expected);
}
