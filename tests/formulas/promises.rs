//! docs/PROMISES.md names the tests that enforce each guarantee; this test fails if one of them, or a file the page names, does not exist.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push((path.with_extension(""), fs::read_to_string(&path).unwrap()));
        }
    }
}

#[test]
fn every_test_and_file_named_in_promises_md_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/PROMISES.md")).unwrap();
    let mut files = Vec::new();
    for folder in ["src", "tests"] {
        sources(&root.join(folder), &mut files);
    }
    assert!(page.matches('`').count().is_multiple_of(2), "unbalanced backticks");
    let mut tests = 0;
    for name in page.split('`').skip(1).step_by(2) {
        let is_path = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | ':');
        if let Some((module, test)) = name.rsplit_once("::").filter(|_| name.chars().all(is_path)) {
            // `lock::tests::of_many_…` is in lock.rs, or in a file of the folder `lock`.
            let module = module.split("::").next().unwrap();
            let declared = if test == "tests" { "mod tests {".to_string() } else { format!("fn {test}(") };
            let exists =
                files.iter().any(|(file, text)| file.iter().any(|part| part == module) && text.contains(&declared));
            assert!(exists, "docs/PROMISES.md names {name}, which does not exist");
            tests += 1;
        } else if ["src/", "tests/", "scripts/"].iter().any(|folder| name.starts_with(folder)) {
            assert!(root.join(name).exists(), "docs/PROMISES.md names {name}, which does not exist");
        }
    }
    assert!(tests > 60, "only {tests} tests are named");
}

#[test]
fn every_file_named_in_architecture_md_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/ARCHITECTURE.md")).unwrap();
    let rooms = ["src/", "crates/", "tests/", "scripts/", "docs/"];
    let named: Vec<&str> =
        page.split('`').skip(1).step_by(2).filter(|name| rooms.iter().any(|room| name.starts_with(room))).collect();
    let missing: Vec<&&str> = named.iter().filter(|name| !root.join(name).exists()).collect();
    assert!(missing.is_empty(), "docs/ARCHITECTURE.md names {missing:?}, which do not exist");
    assert!(named.len() > 30, "only {} files are named", named.len());
}
