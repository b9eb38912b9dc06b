//! `unsafe` stands in the kernels and the allocator alone. The compiler holds every room to its `#![forbid(unsafe_code)]`, and clippy every unsafe block to
//! its `// SAFETY:` comment; this holds the attributes in place.

use std::fs;
use std::path::{Path, PathBuf};

/// The files that must forbid it for themselves and what is below them.
fn entrances(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.file_name().unwrap().to_str().unwrap() {
            "engine" => entrances(&path, found),
            // The root of the crate and that of the engine have the kernels below them; the allocator is the other room.
            "lib.rs" | "mod.rs" | "cpu" | "memory.rs" => {}
            _ if path.is_dir() => found.push(path.join("mod.rs")),
            _ => found.push(path),
        }
    }
}

fn holding(folder: &Path, text: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            holding(&path, text, found);
        } else if path.extension().is_some_and(|e| e == "rs") && fs::read_to_string(&path).unwrap().contains(text) {
            found.push(path);
        }
    }
}

#[test]
fn every_room_but_the_kernels_and_the_allocator_forbids_unsafe_code() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut entrances_found = Vec::new();
    entrances(&root, &mut entrances_found);
    assert!(entrances_found.len() > 12, "{entrances_found:?}");
    for file in entrances_found {
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.lines().any(|line| line == "#![forbid(unsafe_code)]"), "{} does not forbid it", file.display());
    }
}

#[test]
fn only_the_kernels_and_the_allocator_allow_unsafe_code_and_each_block_must_say_why_it_is_sound() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let library = fs::read_to_string(root.join("src/lib.rs")).unwrap();
    for lint in ["#![deny(unsafe_code)]", "#![deny(clippy::undocumented_unsafe_blocks)]"] {
        assert!(library.lines().any(|line| line == lint), "src/lib.rs does not say {lint}");
    }
    let mut allowing = Vec::new();
    for folder in ["src", "examples", "benches"] {
        holding(&root.join(folder), "allow(unsafe_code", &mut allowing);
    }
    allowing.sort();
    assert_eq!(allowing, [root.join("src/engine/cpu/mod.rs"), root.join("src/memory.rs")]);
}
