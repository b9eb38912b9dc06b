//! Any bytes as metrics.csv, comparison.csv, range.csv and run.json: the good rows are read, the damage is one line that names the file,
//! and a report is made of what there is. Never a panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lrsched::record::{ComparisonRow, EpochRow, RangeRow, Row, StepRow, read_good_rows, write_rows};
use lrsched::report::export::{ExtraFormats, Report};
use lrsched::report::load::load;
use std::fs;
use std::path::Path;

/// A line of these between two parts of the input begins the next file.
const SEPARATOR: &[u8] = b"\n====\n";

/// metrics.csv and run.json of one run, and metrics.csv of another, which comparison.csv may name.
const FILES: [&str; 5] = ["runs/a/metrics.csv", "runs/a/run.json", "comparison.csv", "range.csv", "runs/b/metrics.csv"];

fuzz_target!(|bytes: &[u8]| {
    let folder = tempfile::tempdir().unwrap();
    for name in ["runs/a", "runs/b"] {
        fs::create_dir_all(folder.path().join(name)).unwrap();
    }
    for (name, part) in FILES.iter().zip(parts(bytes)) {
        fs::write(folder.path().join(name), part).unwrap();
    }
    rows_read_back::<EpochRow>(&folder.path().join(FILES[0]));
    rows_read_back::<StepRow>(&folder.path().join(FILES[0]));
    rows_read_back::<ComparisonRow>(&folder.path().join(FILES[2]));
    rows_read_back::<RangeRow>(&folder.path().join(FILES[3]));

    let folders = [folder.path().to_path_buf()];
    let loaded = load(&folders);
    for complaint in &loaded.complaints {
        assert!(complaint.starts_with(folder.path().to_str().unwrap()), "{complaint}");
    }
    if loaded.runs.is_empty() && loaded.ranges.is_empty() {
        return;
    }
    let extra = ExtraFormats { png: false, svg: true, pdf: true, md: true, csv: true };
    let report = Report::of(&loaded, &folders, Some(0.5), None).unwrap();
    report.write(&folder.path().join("report.html"), extra).unwrap();
});

fn parts(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    while let Some(at) = bytes.windows(SEPARATOR.len()).position(|window| window == SEPARATOR) {
        // The line's end belongs to the part before it.
        parts.push(&bytes[..=at]);
        bytes = &bytes[at + SEPARATOR.len()..];
    }
    parts.push(bytes);
    parts
}

/// What was read, written and read again is the same text.
fn rows_read_back<T: Row>(path: &Path) {
    let (rows, complaint) = read_good_rows::<T>(path);
    if let Some(error) = complaint {
        let text = format!("{error:#}");
        assert!(text.starts_with(path.to_str().unwrap()) && !text.contains('\n'), "{text}");
    }
    let copy = path.with_file_name("copy.csv");
    write_rows(&copy, &rows).unwrap();
    let first = fs::read(&copy).unwrap();
    write_rows(&copy, &read_good_rows::<T>(&copy).0).unwrap();
    assert_eq!(first, fs::read(&copy).unwrap());
    fs::remove_file(copy).unwrap();
}
