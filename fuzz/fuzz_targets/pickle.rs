//! Any bytes, read as a batch of CIFAR-10 that Python pickled: as many images as are asked for, with labels that are classes; or an error
//! of one line. Never a panic, never more memory than the file accounts for.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lrsched::data::cifar::{CIFAR10, read_batch, read_records};
use lrsched::data::{IMAGE_BYTES, Images};
use std::path::Path;

// The first byte: how many images are asked for.
fuzz_target!(|bytes: &[u8]| {
    let Some((&count, bytes)) = bytes.split_first() else { return };
    let count = usize::from(count) % 4;
    let blank = || Images { pixels: vec![0; count * IMAGE_BYTES], labels: vec![0; count] };
    let mut images = blank();
    if let Err(error) = read_batch(Path::new("any"), bytes, &CIFAR10, &mut images.pixels, &mut images.labels) {
        let text = format!("{error:#}");
        assert!(!text.chars().any(char::is_control) && text.chars().count() < 300, "{text:?}");
        return;
    }
    // The file holds every pixel, in protocol 2 as text of at most two bytes each.
    assert!(bytes.len() > images.pixels.len());
    let records: Vec<u8> =
        (0..count).flat_map(|index| [&images.labels[index..=index], images.image(index)].concat()).collect();
    let mut again = blank();
    read_records(Path::new("any.bin"), &records[..], &CIFAR10, &mut again.pixels, &mut again.labels).unwrap();
    assert_eq!(again, images);
});
