//! Any bytes, unpacked as an archive of CIFAR-10: all six files of the right size and nothing else, or an error. Never a panic, never a
//! file outside the folder, never more memory or disk than the files take.

#![no_main]

use flate2::Compression;
use flate2::write::GzEncoder;
use libfuzzer_sys::fuzz_target;
use lrsched::data::cifar::{CIFAR10, Layout};
use lrsched::data::unpack_files;
use std::io::Write as _;

/// Of a file: the fuzzer would not get past 30 MB.
const BYTES: u64 = 12;

// The first byte: whether the rest is the archive as it is, or is packed first, since hardly a mutation survives the checksum of gzip.
fuzz_target!(|bytes: &[u8]| {
    let Some((&packed, bytes)) = bytes.split_first() else { return };
    let outside = tempfile::tempdir().unwrap();
    let folder = outside.path().join("inside");
    std::fs::create_dir(&folder).unwrap();
    let unpacked = if packed % 2 == 1 {
        unpack_files(bytes, &folder, BYTES)
    } else {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
        encoder.write_all(bytes).unwrap();
        unpack_files(&encoder.finish().unwrap()[..], &folder, BYTES)
    };
    let names = |folder: &std::path::Path| -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort_unstable();
        names
    };
    assert_eq!(names(outside.path()), ["inside"]);
    let found = names(&folder);
    assert!(found.iter().all(|name| CIFAR10.files(Layout::Binary).any(|file| file == name)), "{found:?}");
    assert!(found.iter().all(|name| folder.join(name).metadata().unwrap().len() <= BYTES));
    if unpacked.is_ok() {
        assert_eq!(found.len(), 6, "{found:?}");
        assert!(found.iter().all(|name| folder.join(name).metadata().unwrap().len() == BYTES));
    }
});
