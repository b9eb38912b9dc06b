//! The comparison on all of CIFAR-10: the finals of the studies that are complete, and whether rankings carry over.

use super::{Row, accuracy, comparison, judged, page, root};
use lrsched::stats::distribution::normal_quantile;
use lrsched::stats::tuning::SECOND_LOOKS;
use lrsched::stats::{mean, standard_deviation};
use std::collections::{BTreeMap, BTreeSet};

const NAME: &str = "cifar10";

/// Its entrants and studies, by its configuration.
fn planned() -> (usize, u64) {
    let text = std::fs::read_to_string(root().join("configs/published/cifar10.toml")).unwrap();
    let config: toml::Table = text.parse().unwrap();
    (config["entrants"].as_array().unwrap().len(), config["studies"].as_integer().unwrap() as u64)
}

/// A study of an entrant: five trials, two more looks at three of them, and the final.
const RUNS: u64 = 5 + 3 * SECOND_LOOKS + 1;

/// The finals of the studies in which every entrant has one.
fn complete() -> BTreeMap<String, Vec<Row>> {
    let (finals, (entrants, _)) = (judged(NAME), planned());
    let units: BTreeSet<u64> = finals.values().flat_map(|of| of.keys().copied()).collect();
    let complete: Vec<u64> = units
        .into_iter()
        .filter(|unit| finals.values().filter(|of| of.contains_key(unit)).count() == entrants)
        .collect();
    finals
        .into_iter()
        .map(|(entrant, mut of)| (entrant, complete.iter().map(|unit| of.remove(unit).unwrap()).collect::<Vec<_>>()))
        .filter(|(_, of)| !of.is_empty())
        .collect()
}

/// `72.3 ± 0.4` percent, of one study without the deviation.
fn spread(values: &[f64]) -> String {
    let deviation = standard_deviation(values).map_or(String::new(), |deviation| format!(" ± {deviation:.1}"));
    format!("{:.1}{deviation}", mean(values).unwrap())
}

#[test]
fn the_finals_on_all_of_cifar10_follow_from_the_comparison() {
    let (done, (entrants, studies)) = (comparison(NAME).len(), planned());
    let (finals, runs) = (complete(), entrants as u64 * studies * RUNS);
    let n = finals.values().next().map_or(0, Vec::len);
    let mut text = format!("{done} of {runs} runs have finished; {n} of {studies} studies are complete.\n");
    if n > 0 {
        let mut lines: Vec<(f64, String)> = finals
            .iter()
            .map(|(entrant, of)| {
                let validation: Vec<f64> = of.iter().map(accuracy).collect();
                let test: Option<Vec<f64>> =
                    of.iter().map(|row| Some(100.0 * row["test_accuracy"].parse::<f64>().ok()?)).collect();
                let rates: Vec<&str> = of.iter().map(|row| row["lr"].as_str()).collect();
                let test = test.map_or("diverged".to_string(), |test| spread(&test));
                let line = format!("| `{entrant}` | {} | {} | {test} |\n", rates.join(", "), spread(&validation));
                (mean(&validation).unwrap(), line)
            })
            .collect();
        lines.sort_by(|a, b| b.0.total_cmp(&a.0));
        text += &format!(
            "\n| entrant | rate chosen in each study | validation accuracy, % (n = {n}) | test accuracy, % |\n| --- | ---: | ---: | ---: |\n"
        );
        text.extend(lines.into_iter().map(|(_, line)| line));
    }
    page::check("finals on all of CIFAR-10", &text);
}

/// The ranks of `values`, from 1; equal values share the mean of theirs.
fn ranks(values: &[f64]) -> Vec<f64> {
    let rank = |value: &f64| {
        let below = values.iter().filter(|other| *other < value).count() as f64;
        let equal = values.iter().filter(|other| *other == value).count() as f64;
        below + (equal + 1.0) / 2.0
    };
    values.iter().map(rank).collect()
}

/// Spearman's rank correlation of pairs, and its 95 % interval: Fisher's z with the standard error √((1 + ρ²/2) / (n − 3)) of Bonett and Wright (2000).
fn spearman(pairs: &[(f64, f64)]) -> (f64, f64, f64) {
    let (a, b): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
    let centred = |ranks: Vec<f64>| {
        let middle = mean(&ranks).unwrap();
        ranks.into_iter().map(|rank| rank - middle).collect::<Vec<f64>>()
    };
    let [a, b] = [a, b].map(|values| centred(ranks(&values)));
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let rho = product(&a, &b) / (product(&a, &a) * product(&b, &b)).sqrt();
    let half = normal_quantile(0.975) * ((1.0 + rho * rho / 2.0) / (pairs.len() as f64 - 3.0)).sqrt();
    (rho, (rho.atanh() - half).tanh(), (rho.atanh() + half).tanh())
}

/// By hand: ranks 1 2 3 4 5 and 1 3 2 5 4 have 1 − 6 · 4 / (5 · 24) = 0.8; z = 1.0986, its error √(1.32 / 2) = 0.8124.
#[test]
fn spearmans_rank_correlation_is_that_of_the_textbook() {
    let (rho, low, high) = spearman(&[(0.1, 7.0), (0.2, 9.0), (0.4, 8.0), (0.5, 20.0), (9.0, 10.0)]);
    for (value, right) in [(rho, 0.8), (low, (1.0986_f64 - 1.5923).tanh()), (high, (1.0986_f64 + 1.5923).tanh())] {
        assert!((value - right).abs() < 1e-4, "{value} is not {right}");
    }
    assert_eq!(ranks(&[3.0, 1.0, 3.0, 2.0]), [3.5, 1.0, 3.5, 2.0]);
}

#[test]
fn how_rankings_carry_over_follows_from_the_comparisons() {
    let here = complete();
    let mut text = String::new();
    for (name, what) in
        [("tuned-cifar10-5000", "`cnn` on 5,000 images, 3 epochs"), ("resnet9", "`resnet9` on 5,000 images, 3 epochs")]
    {
        let there = judged(name);
        let level = |rows: &mut dyn Iterator<Item = &Row>| mean(&rows.map(accuracy).collect::<Vec<_>>()).unwrap();
        let pairs: Vec<(f64, f64)> = here
            .iter()
            .filter_map(|(entrant, of)| Some((level(&mut of.iter()), level(&mut there.get(entrant)?.values()))))
            .collect();
        text += &match pairs.len() {
            0 => format!("- {what}: not run yet, or no study here is complete.\n"),
            n => {
                let (rho, low, high) = spearman(&pairs);
                format!("- {what}: Spearman's ρ = {rho:.2} (95 % interval {low:.2} to {high:.2}), {n} entrants.\n")
            }
        };
    }
    page::check("do rankings carry over", &text);
}
