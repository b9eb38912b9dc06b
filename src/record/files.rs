//! The names of all files and folders that lrsched writes, and the kind of folder each belongs to.

/// The settings, status and results of a run.
pub const RUN_JSON: &str = "run.json";
/// One row per epoch.
pub const METRICS_CSV: &str = "metrics.csv";
/// The curves of a run.
pub const METRICS_PNG: &str = "metrics.png";
pub const METRICS_SVG: &str = "metrics.svg";
/// One row per step, with `--log-steps`.
pub const STEPS_CSV: &str = "steps.csv";
/// The events of a run, with timestamps.
pub const EVENTS_JSONL: &str = "events.jsonl";
/// The final weights of a run, or those of a checkpoint.
pub const WEIGHTS: &str = "weights.safetensors";

/// The folder of a run's checkpoints.
pub const CHECKPOINTS: &str = "checkpoints";
/// The checkpoints in it: the last, the previous, and the one with the highest validation accuracy.
pub const LAST: &str = "last";
pub const BEFORE_LAST: &str = "last-before";
pub const BEST: &str = "best";
/// The optimizer's arrays.
pub const OPTIMIZER: &str = "optimizer.safetensors";
/// The train state.
pub const STATE_JSON: &str = "state.json";

/// The order of a comparison's runs.
pub const PLAN_JSON: &str = "plan.json";
/// One row per run of a comparison.
pub const COMPARISON_CSV: &str = "comparison.csv";
pub const COMPARISON_PNG: &str = "comparison.png";
pub const COMPARISON_SVG: &str = "comparison.svg";
/// The ranking with intervals.
pub const RANKING_PNG: &str = "ranking.png";
pub const RANKING_SVG: &str = "ranking.svg";
/// Accuracy against rate, where several rates were tried.
pub const TRIALS_PNG: &str = "trials.png";
pub const TRIALS_SVG: &str = "trials.svg";
pub const REPORT_HTML: &str = "report.html";
/// The folder of a run's event files for TensorBoard.
pub const TENSORBOARD: &str = "tensorboard";
/// The folder of a comparison's runs.
pub const RUNS: &str = "runs";

/// The settings and suggestions of a range test.
pub const FIND_JSON: &str = "find.json";
/// One row per iteration.
pub const RANGE_CSV: &str = "range.csv";
/// One row per short run that refines the rate.
pub const REFINE_CSV: &str = "refine.csv";
pub const RANGE_PNG: &str = "range.png";
pub const RANGE_SVG: &str = "range.svg";
/// Prefix of the folder of one seed of a range test; the seed follows.
pub const SEED: &str = "seed-";

/// The folder of one seed in a range test of several.
pub fn of_seed(seed: u64) -> String {
    format!("{SEED}{seed}")
}

/// The files of each kind of folder, in the order in which they are removed. The last one marks the folder: it exists
/// from the start, and is replaced, never removed, when the folder is overwritten.
pub const OF_RUN: [&str; 7] = [METRICS_PNG, METRICS_SVG, STEPS_CSV, EVENTS_JSONL, WEIGHTS, METRICS_CSV, RUN_JSON];
pub const OF_CHECKPOINT: [&str; 3] = [WEIGHTS, OPTIMIZER, STATE_JSON];
pub const OF_COMPARISON: [&str; 9] = [
    RANKING_PNG,
    RANKING_SVG,
    TRIALS_PNG,
    TRIALS_SVG,
    COMPARISON_PNG,
    COMPARISON_SVG,
    REPORT_HTML,
    PLAN_JSON,
    COMPARISON_CSV,
];
pub const OF_RANGE_TEST: [&str; 5] = [RANGE_PNG, RANGE_SVG, REFINE_CSV, RANGE_CSV, FIND_JSON];

const FOLDERS: [&[&str]; 4] = [&OF_RUN, &OF_CHECKPOINT, &OF_COMPARISON, &OF_RANGE_TEST];

/// The endings of charts and reports, which are drawn from the records and can be drawn again at any time.
const DRAWN: [&str; 3] = [".png", ".svg", ".html"];

/// The files of a folder except the one that marks it.
pub fn unmarked<'a>(folder: &'a [&'a str]) -> &'a [&'a str] {
    folder.split_last().map_or(&[], |(_, rest)| rest)
}

/// The files that mark a folder, one per kind.
pub fn marks() -> impl Iterator<Item = &'static str> {
    FOLDERS.into_iter().filter_map(|folder| folder.last().copied())
}

/// Whether lrsched reads files of this name back: no command may overwrite one with an output.
pub fn is_record(name: &str) -> bool {
    FOLDERS.into_iter().flatten().any(|file| *file == name) && !DRAWN.iter().any(|ending| name.ends_with(ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_the_files_that_are_read_again_and_each_folder_has_its_mark() {
        for name in
            ["run.json", "metrics.csv", "steps.csv", "events.jsonl", "weights.safetensors", "state.json", "plan.json"]
        {
            assert!(is_record(name), "{name}");
        }
        for name in ["comparison.png", "trials.svg", "range.svg", "report.html", "notes.csv"] {
            assert!(!is_record(name), "{name}");
        }
        assert_eq!(marks().collect::<Vec<_>>(), ["run.json", "state.json", "comparison.csv", "find.json"]);
        assert_eq!(unmarked(&OF_RANGE_TEST), ["range.png", "range.svg", "refine.csv", "range.csv"]);
    }
}
