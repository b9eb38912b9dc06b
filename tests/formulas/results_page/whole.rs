//! The comparison on all of CIFAR-10: the finals of the studies that are complete, and whether rankings carry over.

use super::{Row, accuracy, comparison, complete, config, page, percent, planned};
use lrsched::schedule::{RunShape, Schedule};
use lrsched::stats::distribution::normal_quantile;
use lrsched::stats::suggest::show;
use lrsched::stats::tuning::{LOOKED_AT_AGAIN, SECOND_LOOKS};
use lrsched::stats::{mean, standard_deviation};
use std::collections::BTreeMap;

const NAME: &str = "cifar10";

/// The runs of an entrant in a study: its trials, further looks at the best of them, and the final.
fn runs_of_a_study() -> u64 {
    let trials = config(NAME)["tune"].as_integer().unwrap() as u64;
    trials + SECOND_LOOKS * trials.min(LOOKED_AT_AGAIN as u64) + 1
}

/// `72.3 ± 0.4` percent, of one study without the deviation.
fn spread(values: &[f64]) -> String {
    let deviation = standard_deviation(values).map_or(String::new(), |deviation| format!(" ± {deviation:.1}"));
    format!("{:.1}{deviation}", mean(values).unwrap())
}

/// The highest rate of a run, which an entrant's schedule takes from its base rate.
fn peak(row: &Row) -> String {
    const STEPS_PER_EPOCH: u64 = 352;
    let shape = RunShape::new(row["lr"].parse().unwrap(), row["epochs"].parse().unwrap(), STEPS_PER_EPOCH);
    let schedule = Schedule::build(&row["schedule"].parse().unwrap(), &shape).unwrap();
    let rates = (0..shape.total_steps()).map(|step| schedule.at(step).learning_rate);
    show(rates.fold(0.0, f64::max))
}

#[test]
fn the_finals_on_all_of_cifar10_follow_from_the_comparison() {
    let (rows, (entrants, studies)) = (comparison(NAME), planned(NAME));
    let (done, diverged) = (rows.len(), rows.iter().filter(|row| row["status"] == "diverged").count());
    let (finals, runs) = (complete(NAME), (entrants * studies) as u64 * runs_of_a_study());
    let n = finals.values().next().map_or(0, BTreeMap::len);
    let are = if n == 1 { "is" } else { "are" };
    let mut text = format!(
        "{done} of {runs} runs have finished ({diverged} diverged); {n} of {studies} studies {are} complete.\n"
    );
    if n > 0 {
        let mut lines: Vec<(f64, String)> = finals
            .iter()
            .map(|(entrant, of)| {
                let validation: Vec<f64> = of.values().map(accuracy).collect();
                let test: Vec<f64> = of.values().map(|row| percent(row, "test_accuracy")).collect();
                let rates: Vec<String> = of.values().map(peak).collect();
                let (rates, spreads) = (rates.join(", "), [validation.as_slice(), &test].map(spread));
                let line = format!("| `{entrant}` | {rates} | {} | {} |\n", spreads[0], spreads[1]);
                (mean(&validation).unwrap(), line)
            })
            .collect();
        lines.sort_by(|a, b| b.0.total_cmp(&a.0));
        text += &format!(
            "\n| entrant | peak rate chosen in each study | validation accuracy, % (n = {n}) | test accuracy, % |\n| --- | ---: | ---: | ---: |\n"
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
    let level = |rows: &BTreeMap<u64, Row>| mean(&rows.values().map(accuracy).collect::<Vec<_>>()).unwrap();
    let mut text = String::new();
    for (what, one, other) in [
        (
            "From 5,000 images and 3 epochs (`tuned-cifar10-5000`) to all images and 5 epochs (`cifar10`), both `cnn`",
            "tuned-cifar10-5000",
            NAME,
        ),
        (
            "From `cnn` (`tuned-cifar10-5000`) to `resnet9` (`resnet9`), both 5,000 images and 3 epochs",
            "tuned-cifar10-5000",
            "resnet9",
        ),
    ] {
        let studies = |name: &str| (complete(name).values().next().map_or(0, BTreeMap::len), planned(name).1);
        let (done, all) = studies(other);
        let (one, other) = (complete(one), complete(other));
        let pairs: Vec<(f64, f64)> =
            one.iter().filter_map(|(entrant, rows)| Some((level(rows), level(other.get(entrant)?)))).collect();
        text += &match pairs.len() {
            0 => format!("- {what}: not run yet.\n"),
            n => {
                let (rho, low, high) = spearman(&pairs);
                let how_far = if done == all {
                    format!("95 % interval {low:.2} to {high:.2}")
                } else {
                    format!("after {done} of {all} studies, no interval yet")
                };
                // How far chance moves it: the same order of the first, and single studies of the second.
                let seeds =
                    other.values().next().map(|rows| rows.keys().copied().collect::<Vec<_>>()).unwrap_or_default();
                let of_study = |seed: &u64| {
                    let both = |(entrant, rows)| Some((level(rows), accuracy(other.get(entrant)?.get(seed)?)));
                    format!("{:.2}", spearman(&one.iter().filter_map(both).collect::<Vec<_>>()).0)
                };
                let studies: Vec<String> = seeds.iter().map(of_study).collect();
                let studies = studies.join(", ");
                format!(
                    "- {what}: Spearman's ρ = {rho:.2} ({how_far}), {n} entrants; with each study of the second comparison alone {studies}.\n"
                )
            }
        };
    }
    page::check("do rankings carry over", &text);
}
