//! MNIST and Fashion-MNIST: IDX files with made-up images.

use flate2::{Compression, write::GzEncoder};
use lrsched::data::idx::{FASHION_MNIST, MNIST, read_images, read_labels};
use lrsched::data::{Dataset, DatasetKind, DatasetOptions, IMAGE_BYTES, SIDE};
use std::io::Write as _;
use std::path::Path;

const NAMES: [&str; 4] =
    ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];

fn idx(shape: &[u32], content: &[u8]) -> Vec<u8> {
    let sizes: Vec<u8> = shape.iter().flat_map(|size| size.to_be_bytes()).collect();
    [&[0, 0, 8, shape.len() as u8], &sizes[..], content].concat()
}

/// Images whose pixels are all the label, of each class as many.
fn write_files(folder: &Path, compressed: bool) {
    std::fs::create_dir_all(folder).unwrap();
    for (name, count) in NAMES.into_iter().zip([60_000_u32, 60_000, 10_000, 10_000]) {
        let label = |index: u32| (index % 10) as u8;
        let content = match name.contains("images") {
            true => idx(&[count, 28, 28], &(0..count).flat_map(|index| [label(index); 784]).collect::<Vec<u8>>()),
            false => idx(&[count], &(0..count).map(label).collect::<Vec<u8>>()),
        };
        if compressed {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(&content).unwrap();
            std::fs::write(folder.join(format!("{name}.gz")), encoder.finish().unwrap()).unwrap();
        } else {
            std::fs::write(folder.join(name), content).unwrap();
        }
    }
}

fn open(kind: DatasetKind, folder: &Path) -> Result<Dataset, String> {
    Dataset::open(&DatasetOptions { kind, data_dir: Some(folder.to_path_buf()) }).map_err(|error| format!("{error:#}"))
}

fn images(bytes: &[u8], count: usize) -> Result<Vec<u8>, String> {
    let mut pixels = vec![7; count * IMAGE_BYTES];
    let read = read_images(Path::new("images"), bytes, &mut pixels);
    read.map(|()| pixels).map_err(|error| format!("{error:#}"))
}

#[test]
fn a_grey_image_is_in_the_middle_of_black_in_each_of_three_channels() {
    let grey: Vec<u8> = (0..2 * 784).map(|index| (index % 251 + 1) as u8).collect();
    let pixels = images(&idx(&[2, 28, 28], &grey), 2).unwrap();
    for (index, &pixel) in pixels.iter().enumerate() {
        let (image, y, x) = (index / IMAGE_BYTES, index / SIDE % SIDE, index % SIDE);
        let inside = (2..30).contains(&y) && (2..30).contains(&x);
        let expected = if inside { grey[image * 784 + (y - 2) * 28 + x - 2] } else { 0 };
        assert_eq!(pixel, expected, "image {image}, row {y}, column {x}");
    }
}

#[test]
fn the_files_of_torchvision_and_keras_are_found_plain_or_compressed_and_never_those_of_the_other_dataset() {
    let folder = tempfile::tempdir().unwrap();
    write_files(&folder.path().join("FashionMNIST/raw"), false);
    let error = open(DatasetKind::Mnist, folder.path()).unwrap_err();
    assert!(error.starts_with("MNIST is not in ") && error.contains("`--dataset synthetic`"), "{error}");
    let fashion = open(DatasetKind::FashionMnist, folder.path()).unwrap();
    assert_eq!((fashion.train.class_counts(10), fashion.test.class_counts(10)), (vec![6000; 10], vec![1000; 10]));
    assert_eq!((fashion.name.as_str(), fashion.classes[9].as_str()), ("fashion-mnist", "ankle boot"));

    write_files(&folder.path().join("mnist"), true);
    let mnist = open(DatasetKind::Mnist, folder.path()).unwrap();
    assert_eq!((mnist.name.as_str(), mnist.classes[9].as_str()), ("mnist", "9"));
    assert!(mnist.train == fashion.train && mnist.test == fashion.test);
    // The folder itself may be given, too.
    let below = folder.path().join("mnist");
    assert_eq!(MNIST.locate(Some(&below)).unwrap(), below);
    assert_eq!(FASHION_MNIST.locate(Some(&below)).unwrap(), below);

    std::fs::remove_file(below.join("t10k-labels-idx1-ubyte.gz")).unwrap();
    let error = open(DatasetKind::Mnist, folder.path()).unwrap_err();
    assert!(error.contains("t10k-labels-idx1-ubyte.gz is there, other files of MNIST are"), "{error}");
}

#[test]
fn the_files_of_the_other_dataset_are_told_by_their_first_labels() {
    let folder = tempfile::tempdir().unwrap();
    write_files(folder.path(), false);
    let path = folder.path().join(NAMES[1]);
    let mut labels = std::fs::read(&path).unwrap();
    labels[8..18].copy_from_slice(&[5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
    std::fs::write(&path, labels).unwrap();
    assert!(open(DatasetKind::Mnist, folder.path()).is_ok());
    let error = open(DatasetKind::FashionMnist, folder.path()).unwrap_err();
    let name = folder.path().display();
    let said = "holds MNIST, not Fashion-MNIST; train on it with `--dataset mnist`, or name another folder";
    assert_eq!(error, format!("{name} {said}"));
}

#[test]
fn what_is_wrong_with_a_file_is_said_in_one_line() {
    let one = idx(&[1, 28, 28], &[9; 784]);
    assert!(images(&one, 1).is_ok());
    let longer = [&one[..], b"x"].concat();
    for (bytes, expected) in [
        (&one[..one.len() - 1], "images ends early or is damaged"),
        (b"", "images ends early or is damaged"),
        (&longer, "images is longer than its header says"),
        (&idx(&[2, 28, 28], &[9; 784]), "images has a dimension of 2, expected 1"),
        (&idx(&[1, 32, 32], &[9; 1024]), "images has a dimension of 32, expected 28"),
        (&idx(&[1], &[9]), "images begins with [00, 00, 08, 01], an IDX file of its kind with [00, 00, 08, 03]"),
    ] {
        let error = images(bytes, 1).unwrap_err();
        assert!(error.contains(expected), "`{expected}` is not in: {error}");
    }
    let mut labels = [0; 3];
    read_labels(Path::new("labels"), &idx(&[3], &[0, 9, 5])[..], &mut labels).unwrap();
    assert_eq!(labels, [0, 9, 5]);
    let error = read_labels(Path::new("labels"), &idx(&[3], &[0, 10, 5])[..], &mut labels).unwrap_err().to_string();
    assert_eq!(error, "labels: label 1, counted from 0, is 10, expected 0 to 9");
}
