//! Any bytes, read as the IDX files of MNIST: as many images and labels as are asked for, whole, with labels that are classes and nothing
//! behind them; or an error of one line. Never a panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lrsched::data::IMAGE_BYTES;
use lrsched::data::idx::{read_images, read_labels};
use std::path::Path;

// The first byte: how many are asked for.
fuzz_target!(|bytes: &[u8]| {
    let Some((&count, bytes)) = bytes.split_first() else { return };
    let count = usize::from(count) % 4;
    let header = |shape: &[u32]| -> Vec<u8> {
        let sizes = shape.iter().flat_map(|size| size.to_be_bytes());
        [0, 0, 8, shape.len() as u8].into_iter().chain(sizes).collect()
    };
    let one_line = |error: anyhow::Error| {
        let text = format!("{error:#}");
        assert!(!text.chars().any(char::is_control) && text.chars().count() < 300, "{text:?}");
    };

    let mut labels = vec![0; count];
    let read = read_labels(Path::new("labels"), bytes, &mut labels);
    let expected = bytes.strip_prefix(&header(&[count as u32])[..]);
    let whole = expected.is_some_and(|found| found.len() == count && found.iter().all(|&label| label < 10));
    assert_eq!(read.is_ok(), whole, "{read:?}");
    assert!(!whole || expected == Some(&labels[..]));
    let _ = read.map_err(one_line);

    let mut pixels = vec![7; count * IMAGE_BYTES];
    let read = read_images(Path::new("images"), bytes, &mut pixels);
    let expected = bytes.strip_prefix(&header(&[count as u32, 28, 28])[..]).filter(|found| found.len() == count * 784);
    assert_eq!(read.is_ok(), expected.is_some(), "{read:?}");
    let _ = read.map_err(one_line);
    if let Some(grey) = expected {
        let sum = |bytes: &[u8]| bytes.iter().map(|&byte| u64::from(byte)).sum::<u64>();
        assert_eq!(sum(&pixels), 3 * sum(grey));
    }
});
