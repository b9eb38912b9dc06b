//! docs/RESULTS.md: its tables follow from the published comparison.csv files.

use lrsched::optim::OptimizerSpec;
use lrsched::schedule::{Semantics, Spec};
use lrsched::stats::distribution::student_t_quantile;
use lrsched::stats::tuning::{Trial, rates_within};
use lrsched::stats::{mean, standard_deviation};
use std::collections::BTreeMap;
use std::path::Path;

type Row = BTreeMap<String, String>;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn comparison(name: &str) -> Vec<Row> {
    let path = root().join("results/published").join(name).join("comparison.csv");
    csv::Reader::from_path(path).unwrap().deserialize().map(Result::unwrap).collect()
}

/// Percent; a run that diverged has the accuracy of guessing.
fn accuracy(row: &Row) -> f64 {
    match row["status"].as_str() {
        "finished" => 100.0 * row["val_accuracy"].parse::<f64>().unwrap(),
        "diverged" => 10.0,
        other => panic!("{}: {other}", row["run"]),
    }
}

fn assert_says(table: &str) {
    let page = std::fs::read_to_string(root().join("docs/RESULTS.md")).unwrap();
    assert!(page.contains(&format!("\n\n{table}\n")), "docs/RESULTS.md should have:\n{table}");
}

/// Points below the best rate that still count as good, and as fair.
const MARGINS: [f64; 2] = [2.0, 5.0];

/// `mean ± standard deviation` of a rate's seeds.
fn spread(trial: &Trial) -> String {
    format!("{:.1} ± {:.1}", mean(&trial.looks).unwrap(), standard_deviation(&trial.looks).unwrap())
}

#[test]
fn the_range_of_good_rates_of_each_optimizer_follows_from_the_sweep() {
    let rows = comparison("optimizers");
    let mut optimizers: Vec<&str> = Vec::new();
    for row in &rows {
        if !optimizers.contains(&row["optimizer"].as_str()) {
            optimizers.push(&row["optimizer"]);
        }
    }
    let mut lines = Vec::new();
    for optimizer in optimizers {
        let mut trials: Vec<Trial> = Vec::new();
        for row in rows.iter().filter(|row| row["optimizer"] == optimizer) {
            let rate: f64 = row["lr"].parse().unwrap();
            match trials.iter_mut().find(|trial| trial.rate == rate) {
                Some(trial) => trial.looks.push(accuracy(row)),
                None => trials.push(Trial { number: trials.len() as u64, rate, looks: vec![accuracy(row)] }),
            }
        }
        assert_eq!(trials.len(), 13, "{optimizer}");
        assert!(trials.iter().all(|trial| trial.looks.len() == 3), "{optimizer}");
        let level = |trial: &Trial| trial.accuracy().unwrap();
        let best = trials.iter().max_by(|a, b| level(a).total_cmp(&level(b))).unwrap();
        let [good, fair] = MARGINS.map(|margin| match rates_within(&trials, best, margin) {
            (low, high) if low == high => format!("{low} alone"),
            (low, high) => format!("{low} to {high}"),
        });
        let usual = optimizer.parse::<OptimizerSpec>().unwrap().default_learning_rate(Semantics::Native);
        let at_usual = trials.iter().find(|trial| trial.rate == usual).map_or("not in the grid".to_string(), spread);
        let (rate, accuracy) = (best.rate, spread(best));
        let line = format!("| `{optimizer}` | {rate} | {accuracy} | {good} | {fair} | {usual} | {at_usual} |\n");
        lines.push((level(best), line));
    }
    lines.sort_by(|a, b| b.0.total_cmp(&a.0));
    let head = "| optimizer | best rate | accuracy there, % | within 2 points of it | within 5 points | usual rate | accuracy there, % |\n\
                | --- | ---: | ---: | ---: | ---: | ---: | ---: |\n";
    assert_says(&(head.to_string() + &lines.into_iter().map(|(_, line)| line).collect::<String>()));
}

/// A claim, and the two entrants whose difference it is about, the one that should be better first.
const CLAIMS: [(&str, [&str; 2]); 13] = [
    ("cyclical rates beat a fixed one (Smith 2017)", ["sgd/triangular2", "sgd/constant"]),
    ("one cycle with a high peak beats steps (Smith and Topin 2018)", ["sgd/one-cycle", "sgd/step"]),
    ("linear decay to 0 beats cosine (arXiv:2310.07831)", ["sgd/linear", "sgd/cosine"]),
    ("linear decay to 0 beats steps (arXiv:2310.07831)", ["sgd/linear", "sgd/step"]),
    ("linear decay helps Adam, too (arXiv:2310.07831)", ["adam/linear", "adam/constant"]),
    ("SGD beats adaptive methods (Wilson et al. 2017), at a constant rate: Adam", ["sgd/constant", "adam/constant"]),
    ("… RMSprop", ["sgd/constant", "rmsprop/constant"]),
    ("… Adagrad", ["sgd/constant", "adagrad/constant"]),
    ("… Adadelta", ["sgd/constant", "adadelta/constant"]),
    ("the same with linear decay: Adam", ["sgd/linear", "adam/linear"]),
    ("… RMSprop", ["sgd/linear", "rmsprop/linear"]),
    ("… Adagrad", ["sgd/linear", "adagrad/linear"]),
    ("… Adadelta", ["sgd/linear", "adadelta/linear"]),
];

/// `sgd/cosine`: the names of a row's optimizer and schedule, without their options.
fn short_name(row: &Row) -> String {
    let (optimizer, schedule): (OptimizerSpec, Spec) =
        (row["optimizer"].parse().unwrap(), row["schedule"].parse().unwrap());
    format!("{}/{}", optimizer.name(), schedule.name())
}

/// What becomes of claims in a tuned comparison of so many studies: the plain t-test of the differences within studies.
fn table_of_claims(comparison_name: &str, studies: usize, claims: &[(&str, [&str; 2])]) -> String {
    let rows = comparison(comparison_name);
    let mut finals: BTreeMap<String, BTreeMap<u64, f64>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row["stage"] == "final") {
        let entrant = finals.entry(short_name(row)).or_default();
        assert_eq!(entrant.insert(row["study"].parse().unwrap(), accuracy(row)), None, "{}", row["run"]);
    }
    let mut table = String::from(
        "| claim | difference of | in each study, points | mean (95 % interval), points | here |\n| --- | --- | ---: | ---: | --- |\n",
    );
    for (claim, [a, b]) in claims {
        let differences: Vec<f64> = finals[*a].iter().map(|(study, accuracy)| accuracy - finals[*b][study]).collect();
        assert_eq!(differences.len(), studies, "{a}");
        let mean = mean(&differences).unwrap();
        let half = student_t_quantile(0.975, studies as u32 - 1) * standard_deviation(&differences).unwrap()
            / (studies as f64).sqrt();
        let verdict = match (mean - half, mean + half) {
            (low, _) if low > 0.0 => "holds",
            (_, high) if high < 0.0 => "does not hold",
            _ => "cannot be told",
        };
        let each: Vec<String> = differences.iter().map(|difference| format!("{difference:+.1}")).collect();
        table += &format!(
            "| {claim} | `{a}` and `{b}` | {} | {mean:+.1} ({:+.1} to {:+.1}) | {verdict} |\n",
            each.join(", "),
            mean - half,
            mean + half
        );
    }
    table
}

#[test]
fn what_becomes_of_textbook_claims_follows_from_the_tuned_comparison() {
    assert_says(&table_of_claims("tuned-cifar10-5000", 3, &CLAIMS));
}
