//! The house has floors: a file imports from lower floors and from its own room only. The `use` lines are read and held to it.

use std::fs;
use std::path::{Path, PathBuf};

const ROOMS: [(&str, u8); 16] = [
    ("random", 0),
    ("schedule", 0),
    ("spec", 0),
    ("stats", 0),
    ("usage", 0),
    ("data", 1),
    ("model", 1),
    ("optim", 1),
    ("record", 1),
    ("engine", 2),
    ("report", 3),
    ("train", 3),
    ("experiment", 4),
    ("cli", 5),
    ("lib", 6),
    ("main", 6),
];

fn floor(room: &str) -> u8 {
    ROOMS.iter().find(|(name, _)| *name == room).unwrap_or_else(|| panic!("`{room}` has no floor")).1
}

/// Every `crate::<room>` that the code of `text` names (its tests are free to look around).
fn rooms_named(text: &str) -> Vec<String> {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let mut rooms = Vec::new();
    for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
        for found in line.split("crate::").skip(1) {
            let list = found.strip_prefix('{').map_or(found, |list| list.split('}').next().unwrap_or_default());
            let items = if found.starts_with('{') { list.split(',').collect() } else { vec![list] };
            for item in items {
                let room: String = item.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                if !room.is_empty() {
                    rooms.push(room);
                }
            }
        }
    }
    rooms
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn a_file_imports_from_lower_floors_and_from_its_own_room_only() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.len() > 30, "only {} files found", files.len());
    let mut wrong = Vec::new();
    for file in files {
        let path = file.strip_prefix(&root).unwrap();
        let room = path.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs");
        for other in rooms_named(&fs::read_to_string(&file).unwrap()) {
            if other != room && floor(&other) >= floor(room) {
                // Floor 0 is one room of small files that may know each other, except for the schedules.
                let neighbours = floor(&other) == 0 && floor(room) == 0 && matches!(other.as_str(), "usage" | "spec");
                if !neighbours {
                    wrong.push(format!("{} imports from {other}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_reader_of_use_lines_sees_lists_paths_and_skips_comments_and_tests() {
    let text = "use crate::{data, model::Layer};\nlet x = crate::optim::table();\n// crate::cli\n#[cfg(test)]\nuse crate::train;";
    assert_eq!(rooms_named(text), ["data", "model", "optim"]);
}

#[test]
fn only_the_command_line_uses_clap_and_only_engines_use_candle() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    for file in files {
        let path = file.strip_prefix(&root).unwrap().to_path_buf();
        let text = fs::read_to_string(&file).unwrap();
        let imports = |name: &str| text.lines().any(|line| line.trim_start().starts_with(&format!("use {name}")));
        assert!(!imports("clap") || path.starts_with("cli"), "{} uses clap", path.display());
        assert!(!imports("candle") || path.starts_with("engine"), "{} uses candle", path.display());
    }
}
