//! The modules are layered in floors: a file imports from lower floors and from its own room only. These tests read what the files name.

use std::fs;
use std::path::{Path, PathBuf};

const ROOMS: &[(&str, u8)] = &[
    ("disk", 0),
    ("memory", 0),
    ("number", 0),
    ("random", 0),
    ("schedule", 0),
    ("shell", 0),
    ("spec", 0),
    ("stats", 0),
    ("threads", 0),
    ("usage", 0),
    ("data", 1),
    ("model", 1),
    ("optim", 1),
    ("engine", 2),
    ("config", 3),
    ("export", 3),
    ("record", 4),
    ("report", 5),
    ("train", 5),
    ("run_folder", 6),
    ("experiment", 7),
    ("cli", 8),
    ("lib", 9),
    ("main", 9),
];

fn floor(room: &str) -> u8 {
    ROOMS.iter().find(|(name, _)| *name == room).unwrap_or_else(|| panic!("`{room}` has no floor")).1
}

/// The code of `text`: without comments, and without its tests, which are free to look around.
fn code(text: &str) -> String {
    let lines = text.lines().take_while(|line| !line.starts_with("mod tests"));
    let code =
        lines.map(|line| line.find("//").filter(|at| !line[..*at].ends_with(':')).map_or(line, |at| &line[..at]));
    code.collect::<Vec<_>>().join("\n")
}

/// Every `crate::<room>` that the code of `text` names, in paths and in lists of any depth over any number of lines.
fn rooms_named(text: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for found in code(text).split("crate::").skip(1) {
        let found = found.trim_start();
        match found.strip_prefix('{') {
            Some(list) => rooms.extend(heads(list)),
            None => rooms.push(word(found)),
        }
    }
    rooms
}

/// The first word of each item of a list that has just been opened.
fn heads(list: &str) -> Vec<String> {
    let (mut heads, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                heads.push(word(list[start..at].trim_start()));
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    heads.retain(|head| !head.is_empty());
    heads
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// Whether the code of `text` names a crate anywhere: in a `use`, in a path, in an attribute.
fn names_crate(text: &str, name: &str) -> bool {
    code(text).split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == name)
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
                let neighbours =
                    floor(&other) == 0 && floor(room) == 0 && matches!(other.as_str(), "usage" | "spec" | "number");
                if !neighbours {
                    wrong.push(format!("{} imports from {other}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The most `super::` in a row in the code of `text`.
fn steps_up(text: &str) -> usize {
    let mut most = 0;
    let code = code(text);
    for (at, _) in code.match_indices("super::") {
        let steps = code[at..].split("super::").skip(1).take_while(|rest| rest.is_empty()).count() + 1;
        most = most.max(steps);
    }
    most
}

/// `crate::` is seen by the test above; that many `super::` would lead to the same place.
#[test]
fn no_file_leaves_its_room_by_super() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let depth = |file: &Path| {
        let path = file.strip_prefix(&root).unwrap();
        path.components().count() - usize::from(path.ends_with("mod.rs"))
    };
    let leaves = |file: &&PathBuf| steps_up(&fs::read_to_string(file).unwrap()) >= depth(file);
    let wrong: Vec<&PathBuf> = files.iter().filter(leaves).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_reader_counts_steps_up() {
    assert_eq!(steps_up("use super::super::cli::x;\nuse super::y;"), 2);
    assert_eq!(steps_up("fn f() { super::super::super::cli::x() }"), 3);
    assert_eq!(steps_up("// super::super\nuse crate::data;"), 0);
}

#[test]
fn the_reader_sees_paths_and_lists_over_several_lines_and_skips_comments_and_tests() {
    let text = "use crate::{\n    data,\n    engine::{cpu, candle::{A, B}},\n    model::Layer,\n};\n\
                #[cfg(test)]\nconst SMALL: u8 = crate::stats::SMALL;\n\
                let x = crate::optim::table(); // not crate::record\n    // crate::cli\n\
                #[cfg(test)]\nmod tests {\n    use crate::train;\n}\n";
    assert_eq!(rooms_named(text), ["data", "engine", "model", "stats", "optim"]);
    assert_eq!(rooms_named("use crate::{data, model::Layer};"), ["data", "model"]);
}

#[test]
fn the_reader_sees_crates_that_are_named_without_use() {
    assert!(names_crate("fn device() -> candle_core::Device { todo() }", "candle_core"));
    assert!(names_crate("#[derive(clap::Parser)]", "clap"));
    assert!(names_crate("use clap::Arg;", "clap") && names_crate("use clap;", "clap"));
    assert!(!names_crate("// clap\nlet clapped = 1;\nmod tests {\n    use clap::Arg;", "clap"));
}

#[test]
fn only_the_command_line_uses_clap_and_only_engines_use_candle() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let (mut with_clap, mut with_candle) = (0, 0);
    for file in files {
        let path = file.strip_prefix(&root).unwrap().to_path_buf();
        let text = fs::read_to_string(&file).unwrap();
        let clap = names_crate(&text, "clap");
        let candle = names_crate(&text, "candle_core") || names_crate(&text, "candle_nn");
        assert!(!clap || path.starts_with("cli"), "{} uses clap", path.display());
        // It writes code that uses it.
        let writes = path == Path::new("export/rust.rs");
        assert!(!candle || path.starts_with("engine") || writes, "{} uses candle", path.display());
        with_clap += u32::from(clap);
        with_candle += u32::from(candle);
    }
    assert!(with_clap > 1 && with_candle > 0, "the reader sees {with_clap} files with clap, {with_candle} with candle");
}

/// The string literals of the code of `text`, in the order of their lines.
fn literals(text: &str) -> Vec<String> {
    let text = text.split("\nmod tests {").next().unwrap_or_default();
    let (mut found, mut rest) = (Vec::new(), text);
    while let Some(at) = rest.find(['"', '/', '\'']) {
        let (before, here) = rest.split_at(at);
        // How much of `here` the literal or the comment takes, or the character that begins none.
        let taken = if here.starts_with("//") {
            here.find('\n').unwrap_or(here.len())
        } else if here.starts_with("'\"'") {
            3
        } else if here.starts_with('"') {
            let hashes = before.len() - before.trim_end_matches('#').len();
            let raw = before[..before.len() - hashes].ends_with('r');
            let close = format!("\"{}", "#".repeat(hashes));
            let mut end = 1;
            while !here[end..].starts_with(&close) {
                let escaped = !raw && here[end..].starts_with('\\');
                end += here[end..].chars().take(1 + usize::from(escaped)).map(char::len_utf8).sum::<usize>();
            }
            found.push(here[1..end].to_string());
            end + 1
        } else {
            1
        };
        rest = &here[taken..];
    }
    found
}

/// Whether a text names a flag (`--out`, `--{key}`) or a command of the program (`lrsched resume`).
fn is_advice(text: &str) -> bool {
    let names = |mark: &str, also: char| {
        text.split(mark).skip(1).any(|after| after.starts_with(|c: char| c.is_ascii_lowercase() || c == also))
    };
    names("--", '{') || names("`lrsched ", '…')
}

#[test]
fn only_the_command_line_says_which_flag_or_command_helps() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = vec![root.join("cli/advice.rs")];
    ["train", "run_folder", "experiment"].iter().for_each(|room| sources(&root.join(room), &mut files));
    let (mut seen, mut wrong) = (0, Vec::new());
    for file in files {
        let found = literals(&fs::read_to_string(&file).unwrap()).into_iter().filter(|text| is_advice(text));
        match file.ends_with("cli/advice.rs") {
            true => seen = found.count(),
            false => wrong.extend(found.map(|text| format!("{}: {text}", file.display()))),
        }
    }
    assert!(wrong.is_empty(), "to be worded in cli/advice.rs: {wrong:#?}");
    assert!(seen > 15, "the reader sees {seen} pieces of advice where they belong");
}

#[test]
fn the_reader_of_literals_skips_comments_and_tests_and_knows_where_a_literal_ends() {
    let text = "// \"--no\"\nlet a = ('\"', \"--out \\\" // x\"); let b = r#\"a\"b\"#; // --no\nlet c: &'static str = \"two\n lines\";\n\
                #[cfg(test)]\nmod tests {\n    \"--no\" }\n";
    assert_eq!(literals(text), ["--out \\\" // x", "a\"b", "two\n lines"]);
    assert!(is_advice("choose another --out") && is_advice("--{key} 1") && is_advice("run `lrsched find`"));
    assert!(!is_advice("1 -- 2, a---- b, lrsched 1.2"));
}
