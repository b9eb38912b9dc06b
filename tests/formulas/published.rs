//! The published comparisons: their tables follow from their records.

use assert_cmd::Command;
use lrsched::stats::distribution::{student_t_quantile, student_t_tail};
use lrsched::stats::{mean, standard_deviation};
use std::collections::{BTreeMap, BTreeSet};
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

fn records(folder: &Path) -> Vec<serde_json::Value> {
    let runs = std::fs::read_dir(folder.join("runs")).unwrap().map(|run| run.unwrap().path().join("run.json"));
    runs.map(|file| serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()).collect()
}

/// Whether `lrsched compare` made the runs, not `lrsched train`.
fn is_comparison(folder: &Path) -> bool {
    let compares =
        |record: &serde_json::Value| record["command"].as_array().unwrap().iter().any(|word| word == "compare");
    records(folder).iter().any(compares)
}

#[test]
fn the_published_tables_follow_from_the_published_records() {
    let work = tempfile::tempdir().unwrap();
    let lrsched = || Command::cargo_bin("lrsched").unwrap();
    assert!(with_records().iter().any(|folder| is_comparison(folder)));
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
        if !is_comparison(&folder) {
            continue;
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

/// `93.92 % (95 % interval 93.86 to 93.99 %, n = 10)`, of numbers of the 10,000 test images.
fn interval(images: &[f64]) -> String {
    let (mean, deviation) = (mean(images).unwrap() / 100.0, standard_deviation(images).unwrap() / 100.0);
    let n = images.len();
    let half = student_t_quantile(0.975, n as u32 - 1) * deviation / (n as f64).sqrt();
    format!("{mean:.2} % (95 % interval {:.2} to {:.2} %, n = {n})", mean - half, mean + half)
}

#[test]
fn the_accuracy_of_the_same_recipe_in_pytorch_is_that_of_its_log() {
    let log = published().join("airbench94/pytorch.csv");
    let rows: Vec<BTreeMap<String, String>> =
        csv::Reader::from_path(log).unwrap().deserialize().map(Result::unwrap).collect();
    let last: Vec<_> = rows.iter().filter(|row| row["epoch"] == "7").collect();
    let seeds: Vec<u64> = last.iter().map(|row| row["seed"].parse().unwrap()).collect();
    assert_eq!(seeds, (0..last.len() as u64).collect::<Vec<_>>(), "all seeds from 0, none left out");
    let images = last.iter().map(|row| (1e4 * row["test_accuracy"].parse::<f64>().unwrap()).round());
    let interval = interval(&images.collect::<Vec<_>>());
    let said = std::fs::read_to_string(root().join("docs/RECIPES.md")).unwrap();
    assert!(said.contains(&interval), "docs/RECIPES.md should say: {interval}");
}

/// The trainings of the recipe in PyTorch on a GPU, and lrsched's own.
struct Trainings {
    rows: Vec<BTreeMap<String, String>>,
    lrsched: Vec<serde_json::Value>,
}

impl Trainings {
    fn read() -> Self {
        let table = published().join("airbench94/gpu.csv");
        let rows = csv::Reader::from_path(table).unwrap().deserialize().map(Result::unwrap).collect();
        Self { rows, lrsched: records(&published().join("airbench94")) }
    }

    /// Correct images of 10,000 by seed, with PyTorch's random numbers (`f32`) or lrsched's (`f32-lrsched`).
    fn in_pytorch(&self, way: &str) -> BTreeMap<u64, f64> {
        let rows = self.rows.iter().filter(|row| row["way"] == way);
        let images = |row: &BTreeMap<String, String>| (1e4 * row["test_accuracy"].parse::<f64>().unwrap()).round();
        rows.map(|row| (row["seed"].parse().unwrap(), images(row))).collect()
    }

    fn all_in_pytorch(&self) -> Vec<f64> {
        ["f32", "f32-lrsched"].iter().flat_map(|way| self.in_pytorch(way).into_values()).collect()
    }

    /// The same for lrsched's runs.
    fn in_lrsched(&self) -> BTreeMap<u64, f64> {
        let images = |run: &serde_json::Value| (1e4 * run["results"]["test_accuracy"].as_f64().unwrap()).round();
        self.lrsched.iter().map(|run| (run["config"]["seed"].as_u64().unwrap(), images(run))).collect()
    }
}

fn recipes_say(text: &str) {
    let said = std::fs::read_to_string(root().join("docs/RECIPES.md")).unwrap().replace('−', "-");
    assert!(said.contains(text), "docs/RECIPES.md should say: {text}");
}

fn readers_say(text: &str) {
    for file in ["README.md", "docs/RESULTS.md"] {
        assert!(std::fs::read_to_string(root().join(file)).unwrap().contains(text), "{file} should say: {text}");
    }
}

#[test]
fn the_accuracy_of_the_recipe_in_pytorch_on_a_gpu_is_that_of_its_table() {
    let trainings = Trainings::read();
    let ways = ["f32", "f32-lrsched"].map(|way| trainings.in_pytorch(way));
    assert_eq!(ways[0].len() + ways[1].len(), trainings.rows.len());
    for way in &ways {
        assert!(way.keys().copied().eq(0..way.len() as u64), "all seeds from 0, none left out");
        let images: Vec<f64> = way.values().copied().collect();
        let deviation = standard_deviation(&images).unwrap() / 100.0;
        recipes_say(&format!("| 0 to {} | {} | {deviation:.2} |", way.len() - 1, interval(&images)));
    }
    let all = trainings.all_in_pytorch();
    let scatter = standard_deviation(&all).unwrap() / 100.0;
    recipes_say(&format!("| {} | {scatter:.2} |", interval(&all)));
    recipes_say(&format!("Runs of one recipe have a standard deviation of {scatter:.2} points"));
    readers_say(&interval(&all));
}

#[test]
fn the_recipe_in_pytorch_and_here_on_the_same_seeds_is_as_the_texts_say() {
    let trainings = Trainings::read();
    let (here, there) = (trainings.in_lrsched(), trainings.in_pytorch("f32-lrsched"));
    let ours = |key: &str| {
        mean(&trainings.lrsched.iter().map(|run| run["results"][key].as_f64().unwrap()).collect::<Vec<_>>()).unwrap()
    };
    let theirs = |key: &str| {
        let same = |row: &&BTreeMap<String, String>| {
            row["way"] == "f32-lrsched" && here.contains_key(&row["seed"].parse().unwrap())
        };
        mean(&trainings.rows.iter().filter(same).map(|row| row[key].parse().unwrap()).collect::<Vec<f64>>()).unwrap()
    };
    recipes_say(&format!(
        "the mean test loss is {:.4} here and {:.4} in PyTorch, and the accuracy without further views {:.2} and {:.2} %.",
        ours("test_loss"),
        theirs("test_loss"),
        100.0 * ours("val_accuracy"),
        100.0 * theirs("val_accuracy")
    ));
    let same_seeds = mean(&here.keys().map(|seed| there[seed]).collect::<Vec<_>>()).unwrap() / 100.0;
    recipes_say(&format!("PyTorch reaches {same_seeds:.2} % in the mean"));
    readers_say(&format!("{same_seeds:.2} %"));
    let gaps: Vec<f64> = here.iter().map(|(seed, images)| (images - there[seed]) / 100.0).collect();
    let gap = mean(&gaps).unwrap();
    let half = student_t_quantile(0.975, gaps.len() as u32 - 1) * standard_deviation(&gaps).unwrap()
        / (gaps.len() as f64).sqrt();
    let limits = format!("{:.2} to {:.2}", -gap - half, half - gap);
    recipes_say(&format!("is {:.2} points below it (95 % interval {limits}, paired t-test)", -gap));
}

#[test]
fn the_recipe_here_and_in_all_trainings_in_pytorch_is_as_the_texts_say() {
    let trainings = Trainings::read();
    let here: Vec<f64> = trainings.in_lrsched().into_values().collect();
    let there = trainings.all_in_pytorch();
    // Welch's t-test, its degrees of freedom rounded down.
    let share = |values: &[f64]| (standard_deviation(values).unwrap() / 100.0).powi(2) / values.len() as f64;
    let (a, b) = (share(&here), share(&there));
    let degrees = (a + b).powi(2) / (a * a / (here.len() - 1) as f64 + b * b / (there.len() - 1) as f64);
    let (gap, error) = ((mean(&here).unwrap() - mean(&there).unwrap()) / 100.0, (a + b).sqrt());
    let half = student_t_quantile(0.975, degrees as u32) * error;
    let p = 2.0 * student_t_tail((gap / error).abs(), degrees as u32);
    recipes_say(&format!("loses up to {:.2} points or had ten unlucky seeds", half - gap));
    let limits = format!("{:.2} to {:.2}", -gap - half, half - gap);
    recipes_say(&format!("{:.2} points below all {} ({limits}, Welch's t-test, p = {p:.2})", -gap, there.len()));
}

/// The mean, its 95 % interval and the range of times in the texts are those of the records.
#[test]
fn the_accuracy_of_airbench94_is_that_of_its_published_runs() {
    let runs = records(&published().join("airbench94"));
    let seeds: BTreeSet<u64> = runs.iter().map(|run| run["config"]["seed"].as_u64().unwrap()).collect();
    assert_eq!(seeds, (0..runs.len() as u64).collect(), "all seeds from 0, none left out");
    let of = |key: &str| -> Vec<f64> { runs.iter().map(|run| run["results"][key].as_f64().unwrap()).collect() };
    // Images of the 10,000: whole numbers, whose sum does not depend on the order in which a file system lists the runs.
    let images: Vec<f64> = of("test_accuracy").iter().map(|accuracy| (1e4 * accuracy).round()).collect();
    let interval = interval(&images);
    for text in ["README.md", "docs/RECIPES.md", "docs/RESULTS.md", "results/published/README.md"] {
        let said = std::fs::read_to_string(root().join(text)).unwrap();
        assert!(said.contains(&interval), "{text} should say: {interval}");
    }
    // Against the mean that its author reports, by the t-test.
    let (mean, deviation) = (mean(&images).unwrap() / 100.0, standard_deviation(&images).unwrap() / 100.0);
    let below = 94.01 - mean;
    let p = 2.0 * student_t_tail(below / (deviation / (images.len() as f64).sqrt()), images.len() as u32 - 1);
    let said = std::fs::read_to_string(root().join("docs/RECIPES.md")).unwrap();
    let gap = format!("is {below:.3} points below the author's 94.01 % (p = {p:.3},");
    assert!(said.contains(&gap), "docs/RECIPES.md should say: {gap}");
    assert!(
        std::fs::read_to_string(root().join("docs/RESULTS.md")).unwrap().contains(&format!("(n = 200; p = {p:.3},"))
    );
    let minutes = |pick: fn(f64, f64) -> f64| of("seconds").into_iter().reduce(pick).unwrap() / 60.0;
    let times = format!("{:.1} to {:.1} minutes", minutes(f64::min), minutes(f64::max));
    let said = std::fs::read_to_string(published().join("README.md")).unwrap();
    assert!(said.contains(&times), "results/published/README.md should say: {times}");
}
