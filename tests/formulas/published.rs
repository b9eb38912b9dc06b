//! The published comparisons: their tables follow from their records.

use assert_cmd::Command;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn published() -> PathBuf {
    root().join("results/published")
}

/// The folders that have the records of their runs.
fn with_records() -> Vec<PathBuf> {
    let folders = std::fs::read_dir(published()).unwrap().map(|entry| entry.unwrap().path());
    folders.filter(|folder| folder.join("runs").is_dir()).collect()
}

#[test]
fn the_published_tables_follow_from_the_published_records() {
    let work = tempfile::tempdir().unwrap();
    let lrsched = || Command::cargo_bin("lrsched").unwrap();
    assert!(!with_records().is_empty());
    for folder in with_records() {
        for file in ["report.json", "report.md"] {
            let made = work.path().join(file);
            lrsched().arg("report").arg(&folder).arg("-o").arg(&made).assert().success();
            let [made, kept] = [made, folder.join(file)].map(|path| std::fs::read_to_string(path).unwrap());
            // Its commands name the program as it was called, and the folder as it was given.
            let called = assert_cmd::cargo::cargo_bin("lrsched").display().to_string();
            let made = made.replace(&called, "lrsched").replace(&format!("{}/", root().display()), "");
            assert!(made == kept, "{}: {file} is out of date; make it again with scripts/publish.sh", folder.display());
        }
        let merged = work.path().join(folder.file_name().unwrap());
        // 3: some of its runs diverged, or are missing.
        let status =
            lrsched().arg("merge").arg(&folder).arg("--out").arg(&merged).arg("--quiet").output().unwrap().status;
        assert!(matches!(status.code(), Some(0 | 3)), "{status}");
        let [made, kept] =
            [merged, folder.clone()].map(|of| std::fs::read_to_string(of.join("comparison.csv")).unwrap());
        assert!(made == kept, "{}: comparison.csv is out of date", folder.display());
    }
}

/// The published runs name no path of the machine that made them.
#[test]
fn the_published_records_name_no_absolute_path() {
    for folder in with_records() {
        for run in std::fs::read_dir(folder.join("runs")).unwrap() {
            let file = run.unwrap().path().join("run.json");
            let text = std::fs::read_to_string(&file).unwrap();
            let absolute = ["\"/", "=/", ":/home"].into_iter().find(|mark| text.contains(mark));
            assert_eq!(absolute, None, "{}", file.display());
        }
    }
}
