//! docs/SCHEDULES.md and its pictures are generated from the schedule table by scripts/schedule_page.sh; this test fails if they are out of
//! date.

use lrsched::schedule::{table, universal};
use lrsched::spec::Parameter;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// What each picture draws, where the defaults would show little.
const DRAWN: &[(&str, &str)] = &[
    ("time", "time:decay=0.01"),
    ("exponential", "exponential:decay-rate=0.9"),
    ("natural-exp", "natural-exp:k=0.1,decay-steps=1ep"),
    ("plateau", "plateau:factor=0.5,patience=4"),
    ("halve", "halve:when=epoch>=10,epoch>=20"),
    ("cosine-restarts", "cosine-restarts:period=4,period-mult=2"),
    ("triangular", "triangular:step-size=5ep"),
    ("triangular2", "triangular2:step-size=5ep"),
    ("exp-range", "exp-range:step-size=5ep,gamma=0.997"),
    ("wsd", "wsd:warmup=10%"),
    ("inverse-sqrt", "inverse-sqrt:warmup=10%,warmup-from=0"),
    ("expr", "expr:lr*0.5^floor((1+epoch)/10)*(1+0.2*cos(t))"),
];

fn drawn(name: &'static str) -> &'static str {
    DRAWN.iter().find(|(drawn, _)| *drawn == name).map_or(name, |(_, spec)| spec)
}

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")
}

/// Part of the library's crate, whose pages have them too.
fn pictures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/schedule/pictures")
}

/// Makes a picture half as large, and without blank lines, at which Markdown would end it: rustdoc shows it as it is.
fn in_pages(picture: &Path) {
    let drawn = std::fs::read_to_string(picture).unwrap();
    let (first, rest) = drawn.split_once('>').unwrap();
    let halved = |word: &str| match word.split_once("=\"") {
        Some((name @ ("width" | "height"), size)) => {
            format!("{name}=\"{}\"", size.trim_end_matches('"').parse::<u32>().unwrap() / 2)
        }
        _ => word.to_string(),
    };
    let first: Vec<String> = first.split(' ').map(halved).collect();
    let text = format!("{}>{rest}", first.join(" "));
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    std::fs::write(picture, lines.join("\n") + "\n").unwrap();
}

/// The metrics of 30 epochs in which the validation loss falls until epoch 8.
fn stuck_metrics() -> String {
    let mut text = String::from(
        "epoch,learning_rate,loss,accuracy,val_loss,val_accuracy,momentum,step,images_per_second,seconds\n",
    );
    for epoch in 0..30_i32 {
        let (loss, step) = (0.9_f64.powi(epoch.min(8)), 20 * (epoch + 1));
        let _ = writeln!(text, "{epoch},0.1,{loss:?},0.5,{loss:?},0.5,,{step},1000.0,1.0");
    }
    text
}

fn page() -> String {
    let mut page = String::from(
        "# Schedules\n\n\
         Specify a schedule by flags (`--schedule step --factor 0.5 --drop-every 10`) or as one spec (`--schedule step:factor=0.5,drop-every=10`).\n\
         `t` is the step, `e` the epoch, both 0-based; `T` is the number of steps of the run, `lr` the base learning rate. Durations are `10` (epochs,\n\
         or steps if the parameter says so), `10ep`, `400st` or `30%` of the run (after a warm-up or in a sequence, of the part that belongs to the schedule; `warmup` and\n\
         `for` themselves are of the whole run), rounded to whole steps; rates are `0.1`, or `3x` for three times lr. The pictures show 30 epochs at lr 0.1. `scripts/schedule_page.sh` generates this page.\n",
    );
    for entry in table() {
        let spec = drawn(entry.name);
        let _ = write!(page, "\n## {}\n\n{}.\n\n```text\n{}\n```\n\n", entry.name, entry.summary, entry.formula);
        let (seen, more) = match entry.name {
            "plateau" => {
                (" --metrics RUN", ", here of a run whose `val_loss` falls until epoch 8 and then stays where it is")
            }
            _ => ("", ""),
        };
        let _ = writeln!(
            page,
            "<img src=\"../crates/schedule/pictures/{}.svg\" width=\"400\" alt=\"{spec}\">\n\n`lrsched show --schedule '{spec}'{seen}`{more}\n",
            entry.name
        );
        parameters(&mut page, entry.parameters);
        let _ = writeln!(page, "From: {}.", entry.source);
    }
    page.push_str("\n## Any schedule\n\n");
    parameters(&mut page, universal());
    page.push_str("Specs joined by `;` run one after the other, each with its own clock, and all but the last with `for=DURATION`:\n`constant:for=5ep;cosine`.\n");
    page
}

fn parameters(page: &mut String, parameters: &[Parameter]) {
    if parameters.is_empty() {
        return;
    }
    page.push_str("| parameter | default | meaning |\n| --- | --- | --- |\n");
    for parameter in parameters {
        let default = match parameter.shown_default() {
            "" => String::new(),
            default if parameter.is_switch() => default.to_string(),
            default => format!("`{default}`"),
        };
        let _ = writeln!(page, "| `{}` | {default} | {} |", parameter.name, parameter.help());
    }
    page.push('\n');
}

#[test]
fn the_page_of_schedules_says_what_the_table_says() {
    let path = docs().join("SCHEDULES.md");
    if std::env::var_os("LRSCHED_WRITE_DOCS").is_some() {
        std::fs::create_dir_all(pictures()).unwrap();
        let metrics = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(metrics.path(), stuck_metrics()).unwrap();
        for entry in table() {
            let picture = pictures().join(format!("{}.svg", entry.name));
            let mut arguments = vec![
                "show",
                "--schedule",
                drawn(entry.name),
                "--steps-per-epoch",
                "20",
                "-o",
                picture.to_str().unwrap(),
            ];
            if entry.name == "plateau" {
                arguments.extend(["--metrics", metrics.path().to_str().unwrap()]);
            }
            assert_cmd::Command::cargo_bin("lrsched").unwrap().args(arguments).assert().success();
            in_pages(&picture);
        }
        std::fs::write(&path, page()).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page(), "docs/SCHEDULES.md is out of date; write it again with scripts/schedule_page.sh");
    for entry in table() {
        let picture = pictures().join(format!("{}.svg", entry.name));
        assert!(picture.exists(), "{} has no picture; draw it with scripts/schedule_page.sh", entry.name);
    }
}
