//! The rate that a few short runs at constant rates settle on.

use super::turn::PROPORTIONAL;
use super::{Answer, Combined, Method, show};
use crate::stats::{beats_guessing, quantile};

/// The rates of the first short runs, as multiples of the rate of the range test.
pub const AROUND: [f64; 3] = [0.5, 1.0, 2.0];
/// Each further rate lies beyond the others by this factor.
const APART: f64 = 2.0;
/// At most so many rates are tried besides the first: a factor of 16.
const MOST_BEYOND: usize = 4;
/// A short run is at most this many times as long as the range test.
const MOST_TESTS: u64 = 2;
/// So many neighbouring rates make the mean.
const WINDOW: usize = 3;
/// The odds of a correct answer count to this power.
const SHARPNESS: f64 = 2.0;

/// What a run at a constant rate reached.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ShortResult {
    pub rate: f64,
    pub seed: u64,
    /// Validation accuracy after its last update; `None` if it diverged, which counts as chance.
    pub accuracy: Option<f64>,
    /// Images validated on.
    pub images: u64,
    /// Updates made, or at which it diverged.
    pub updates: u64,
}

/// The length of the short runs, in updates, for a run of `updates` after a test of `steps` iterations: as long as the
/// run, but at most 350 updates, beyond which the best rate hardly grows, and at most twice as long as the test.
pub fn short_run(updates: u64, steps: u64) -> u64 {
    updates.min(*PROPORTIONAL.end()).min(steps.saturating_mul(MOST_TESTS))
}

/// The rate to try next: twice the highest, or half of the lowest, as long as that one did best; `None` if the best lies
/// between others, or if enough were tried. A higher one than `safe` is not tried: it would not be suggested.
///
/// A test can be off by more than the factor of 2 to either side that the first runs span. docs/FIND.md, "Climbing on", has what
/// this wins in simulations. Where no run learned anything, although the test did at rates up to these, the next is lower, too.
pub fn beyond(runs: &[ShortResult], chance: f64, safe: f64) -> Option<f64> {
    let reached = reached(&sound(runs), chance);
    if reached.len() >= AROUND.len() + MOST_BEYOND {
        return None;
    }
    let lower = reached.first()?.rate / APART;
    if !reached.iter().any(|one| one.learned(chance)) {
        return Some(lower);
    }
    match edge(&reached)? {
        Edge::Lowest => Some(lower),
        Edge::Highest => Some(reached.last()?.rate * APART).filter(|higher| *higher <= safe),
    }
}

/// The rate that `runs` settle on; `None` without runs.
///
/// ```text
/// ln rate = Σ wᵢ·ln rateᵢ / Σ wᵢ,   wᵢ = (pᵢ / (1 − pᵢ))²
/// ```
///
/// The sums are over the three neighbouring rates that did best together.
/// pᵢ is the mean accuracy over the seeds at the i-th rate, half an image added to the correct and to the wrong ones, so
/// that the odds are finite; a run that diverged has the accuracy of guessing, `chance`. The best of three rates alone would be off by up to a factor of √2, and by chance more: docs/FIND.md
/// compares both. `safe` is that of [`beyond`], for the reason alone.
pub fn refine(runs: &[ShortResult], chance: f64, safe: f64) -> Option<Combined> {
    let runs = sound(runs);
    let runs = runs.as_slice();
    let updates = runs.iter().map(|run| run.updates).max()?;
    let mut seeds: Vec<u64> = runs.iter().map(|run| run.seed).collect();
    seeds.sort_unstable();
    seeds.dedup();
    let answer = centre(runs, chance).map(|(rate, reached)| {
        let of = if reached.len() > WINDOW { " of the three neighbours that did best" } else { "" };
        let (listed, edge) = (listed(&reached), at_the_edge(&reached, safe));
        let reason = format!(
            "the mean{of}, weighted by the squared odds of a correct answer after {updates} updates: {listed}{edge}"
        );
        Answer { rate, reason }
    });
    let alone = |seed: &u64| {
        let own: Vec<ShortResult> = runs.iter().copied().filter(|run| run.seed == *seed).collect();
        Some(centre(&own, chance).ok()?.0)
    };
    let each: Vec<f64> = seeds.iter().filter_map(alone).collect();
    Some(Combined {
        method: Method::Refined,
        spread: quantile(&each, 0.0).zip(quantile(&each, 1.0)).filter(|_| answer.is_ok()),
        answer,
        answers: each.len(),
        tests: seeds.len(),
    })
}

/// The runs that there can be. They may come from a file: no suggestion is NaN.
fn sound(runs: &[ShortResult]) -> Vec<ShortResult> {
    let is_sound = |run: &&ShortResult| {
        let accuracy = run.accuracy.is_none_or(|accuracy| (0.0..=1.0).contains(&accuracy));
        run.rate > 0.0 && run.rate.is_finite() && accuracy && run.images > 0
    };
    runs.iter().filter(is_sound).copied().collect()
}

/// What was reached at each rate, the lowest first.
fn reached(runs: &[ShortResult], chance: f64) -> Vec<Reached> {
    let mut rates: Vec<f64> = runs.iter().map(|run| run.rate).collect();
    rates.sort_by(f64::total_cmp);
    rates.dedup();
    rates.iter().map(|rate| Reached::at(*rate, runs, chance)).collect()
}

/// What the runs at one rate reached.
struct Reached {
    rate: f64,
    /// Mean over the seeds.
    accuracy: f64,
    /// Images validated on, of all seeds.
    images: f64,
    diverged: usize,
    runs: usize,
}

impl Reached {
    fn at(rate: f64, runs: &[ShortResult], chance: f64) -> Self {
        let runs: Vec<&ShortResult> = runs.iter().filter(|run| run.rate == rate).collect();
        let accuracy = runs.iter().map(|run| run.accuracy.unwrap_or(chance)).sum::<f64>() / runs.len() as f64;
        let diverged = runs.iter().filter(|run| run.accuracy.is_none()).count();
        let images = runs.iter().map(|run| run.images as f64).sum();
        Self { rate, accuracy, images, diverged, runs: runs.len() }
    }

    fn learned(&self, chance: f64) -> bool {
        beats_guessing(self.accuracy, self.images, chance)
    }

    /// Images classified correctly, of all seeds: a whole number, whose sums do not depend on the order.
    fn correct(&self) -> f64 {
        (self.accuracy * self.images).round()
    }

    fn weight(&self) -> f64 {
        let correct = self.accuracy * self.images;
        ((correct + 0.5) / (self.images - correct + 0.5)).powf(SHARPNESS)
    }
}

/// The weighted mean of the rates, and what was reached at each.
///
/// # Errors
/// No run learned anything.
fn centre(runs: &[ShortResult], chance: f64) -> Result<(f64, Vec<Reached>), String> {
    let reached = reached(runs, chance);
    if !reached.iter().any(|one| one.learned(chance)) {
        return Err(format!("no short run learned anything: {}", listed(&reached)));
    }
    // Of equals the lowest, as everywhere.
    let sum = |window: &[Reached]| window.iter().map(Reached::correct).sum::<f64>();
    let best = reached.windows(WINDOW.min(reached.len())).rev().max_by(|a, b| sum(a).total_cmp(&sum(b)));
    let best = best.unwrap_or(&reached);
    let total: f64 = best.iter().map(Reached::weight).sum();
    let ln = best.iter().map(|one| one.weight() * one.rate.ln()).sum::<f64>() / total;
    Ok((ln.exp(), reached))
}

/// An end of the rates that were tried.
enum Edge {
    Lowest,
    Highest,
}

/// The end that did better than all others, if it is one.
fn edge(reached: &[Reached]) -> Option<Edge> {
    let best =
        |one: &&Reached| reached.iter().all(|other| std::ptr::eq(*one, other) || one.correct() > other.correct());
    match reached {
        [first, _, ..] if best(&first) => Some(Edge::Lowest),
        [_, .., last] if best(&last) => Some(Edge::Highest),
        _ => None,
    }
}

/// That the best of them is the lowest or the highest rate: what lies beyond was not tried.
fn at_the_edge(reached: &[Reached], safe: f64) -> &'static str {
    match edge(reached) {
        Some(Edge::Lowest) => "; the lowest of them did best: try a lower rate, too",
        Some(Edge::Highest) if reached.last().is_some_and(|last| last.rate * APART > safe) => {
            "; the highest of them did best, and higher ones are too close to an explosion"
        }
        Some(Edge::Highest) => "; the highest of them did best: try a higher rate, too",
        None => "",
    }
}

/// `93.1 % at 0.000945, 95.6 % at 0.00189, diverged at 0.00378`
fn listed(reached: &[Reached]) -> String {
    let one = |one: &Reached| {
        let (rate, accuracy) = (show(one.rate), one.accuracy * 100.0);
        match one.diverged {
            0 => format!("{accuracy:.1} % at {rate}"),
            all if all == one.runs => format!("diverged at {rate}"),
            some => format!("{accuracy:.1} % at {rate} ({some} of {} diverged)", one.runs),
        }
    };
    reached.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(rate: f64, seed: u64, accuracy: impl Into<Option<f64>>) -> ShortResult {
        ShortResult { rate, seed, accuracy: accuracy.into(), images: 1000, updates: 189 }
    }

    fn rate(runs: &[ShortResult]) -> f64 {
        refined(runs).unwrap().answer.unwrap().rate
    }

    fn refined(runs: &[ShortResult]) -> Option<Combined> {
        refine(runs, 0.1, f64::INFINITY)
    }

    #[test]
    fn the_rate_is_the_mean_of_the_logarithms_by_the_squared_odds() {
        let runs = [run(0.001, 0, 0.6), run(0.002, 0, 0.8), run(0.004, 0, 0.5)];
        let weight = |p: f64| ((p * 1000.0 + 0.5) / ((1.0 - p) * 1000.0 + 0.5)).powi(2);
        let (a, b, c) = (weight(0.6), weight(0.8), weight(0.5));
        let ln = (a * 0.001_f64.ln() + b * 0.002_f64.ln() + c * 0.004_f64.ln()) / (a + b + c);
        assert!((rate(&runs) / ln.exp() - 1.0).abs() < 1e-12);
        // Equal accuracies: the middle. The order of the runs changes nothing.
        assert!((rate(&[run(0.004, 0, 0.7), run(0.001, 0, 0.7), run(0.002, 0, 0.7)]) - 0.002).abs() < 1e-12);
    }

    #[test]
    fn it_is_said_if_the_best_of_them_is_at_the_edge() {
        let reason_below = |safe: f64, accuracies: [f64; 3]| {
            let runs = [0.001, 0.002, 0.004].into_iter().zip(accuracies).map(|(rate, reached)| run(rate, 0, reached));
            refine(&runs.collect::<Vec<_>>(), 0.1, safe).unwrap().answer.unwrap().reason
        };
        let reason = |accuracies| reason_below(f64::INFINITY, accuracies);
        assert!(reason_below(0.007, [0.5, 0.6, 0.7]).ends_with("and higher ones are too close to an explosion"));
        assert!(reason_below(0.008, [0.5, 0.6, 0.7]).ends_with("try a higher rate, too"));
        assert!(reason([0.7, 0.6, 0.5]).ends_with("; the lowest of them did best: try a lower rate, too"));
        assert!(reason([0.5, 0.6, 0.7]).ends_with("; the highest of them did best: try a higher rate, too"));
        assert!(reason([0.5, 0.7, 0.6]).ends_with(" % at 0.004") && reason([0.7, 0.7, 0.5]).ends_with(" % at 0.004"));
    }

    #[test]
    fn while_the_best_is_at_an_end_the_next_rate_lies_beyond_it() {
        let tried = |accuracies: &[f64]| -> Vec<ShortResult> {
            let rates = (0..).map(|place| 0.001 * 2.0_f64.powi(place));
            rates.zip(accuracies).map(|(rate, &reached)| run(rate, 0, reached)).collect()
        };
        let next = |accuracies: &[f64]| beyond(&tried(accuracies), 0.1, f64::INFINITY);
        assert_eq!(next(&[0.5, 0.6, 0.7]), Some(0.008));
        assert_eq!(next(&[0.7, 0.6, 0.5]), Some(0.0005));
        // Where nothing is learned, the rates are too high.
        assert_eq!(next(&[0.1, 0.1, 0.11]), Some(0.0005));
        assert_eq!(next(&[0.1; 7]), None, "seven rates are enough");
        // At a distance from an explosion.
        assert_eq!(beyond(&tried(&[0.5, 0.6, 0.7]), 0.1, 0.008), Some(0.008));
        assert_eq!(beyond(&tried(&[0.5, 0.6, 0.7]), 0.1, 0.0079), None);
        // Between others, or level with another.
        for still in [&[0.5, 0.7, 0.6][..], &[0.5, 0.7, 0.7], &[]] {
            assert_eq!(next(still), None, "{still:?}");
        }
        assert_eq!(next(&[0.2, 0.3, 0.4, 0.5, 0.6, 0.7]), Some(0.064));
        assert_eq!(next(&[0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]), None, "seven rates are enough");
        // What diverged is worse than what learned.
        let diverged = [run(0.001, 0, 0.5), run(0.002, 0, 0.6), run(0.004, 0, None)];
        assert_eq!(beyond(&diverged, 0.1, f64::INFINITY), None);
    }

    #[test]
    fn the_mean_is_that_of_the_three_neighbours_that_did_best() {
        let runs = [0.3, 0.5, 0.62, 0.64, 0.6].into_iter().zip([0.001, 0.002, 0.004, 0.008, 0.016]);
        let runs: Vec<ShortResult> = runs.map(|(reached, rate)| run(rate, 0, reached)).collect();
        assert_eq!(rate(&runs).to_bits(), rate(&runs[2..]).to_bits());
        let reason = refined(&runs).unwrap().answer.unwrap().reason;
        assert!(reason.starts_with("the mean of the three neighbours that did best, weighted by "), "{reason}");
        // Of two windows that are level, the lower one.
        for thousandths in 200..800 {
            let (ends, middle) = (f64::from(thousandths) / 1000.0, f64::from(thousandths + 1) / 1000.0);
            let level = [ends, middle, middle, ends].into_iter().zip([0.001, 0.002, 0.004, 0.008]);
            let level: Vec<ShortResult> = level.map(|(reached, rate)| run(rate, 0, reached)).collect();
            assert_eq!(rate(&level).to_bits(), rate(&level[..3]).to_bits(), "{thousandths}");
        }
    }

    #[test]
    fn what_is_level_does_not_depend_on_the_order_of_the_seeds() {
        let of = |rate: f64, counts: [u32; 3]| {
            (0..).zip(counts).map(move |(seed, count)| run(rate, seed, f64::from(count) / 1000.0))
        };
        let counts =
            [[340, 440, 600], [340, 600, 440], [440, 340, 600], [440, 600, 340], [600, 340, 440], [600, 440, 340]];
        for (first, last) in counts.iter().flat_map(|first| counts.map(|last| (*first, last))) {
            let runs: Vec<ShortResult> =
                of(0.001, [200; 3]).chain(of(0.002, first)).chain(of(0.004, last)).chain(of(0.008, first)).collect();
            assert_eq!(beyond(&runs, 0.1, f64::INFINITY), None, "{first:?} {last:?}");
            let lowest: Vec<ShortResult> = runs.iter().copied().filter(|run| run.rate < 0.008).collect();
            let level: Vec<ShortResult> =
                of(0.0005, last).chain(runs.iter().copied().filter(|run| run.rate > 0.001)).collect();
            let level_lowest: Vec<ShortResult> = level.iter().copied().filter(|run| run.rate < 0.008).collect();
            assert_eq!(rate(&level).to_bits(), rate(&level_lowest).to_bits(), "{first:?} {last:?}");
            assert_eq!(beyond(&lowest, 0.1, f64::INFINITY), None, "{first:?} {last:?}");
        }
    }

    #[test]
    fn all_correct_is_finite_and_a_diverged_run_counts_as_chance() {
        assert!(rate(&[run(0.001, 0, 1.0), run(0.002, 0, 0.5), run(0.004, 0, None)]) < 0.00101);
        let lost = rate(&[run(0.001, 0, 0.7), run(0.002, 0, 0.7), run(0.004, 0, None)]);
        let chance = rate(&[run(0.001, 0, 0.7), run(0.002, 0, 0.7), run(0.004, 0, 0.1)]);
        assert!(lost == chance && lost < 0.00145, "{lost} {chance}");
    }

    #[test]
    fn accuracies_are_means_over_seeds_and_the_spread_is_that_of_each_seed_alone() {
        let seeds = [
            [run(0.001, 4, 0.9), run(0.002, 4, 0.5), run(0.004, 4, 0.5)],
            [run(0.001, 5, 0.5), run(0.002, 5, 0.5), run(0.004, 5, 0.9)],
        ];
        let both = refined(&seeds.concat()).unwrap();
        let (low, high) = both.spread.unwrap();
        assert!((low - rate(&seeds[0])).abs() < 1e-15 && (high - rate(&seeds[1])).abs() < 1e-15);
        assert!((both.answer.unwrap().rate - 0.002).abs() < 1e-12);
        assert_eq!((both.answers, both.tests), (2, 2));
    }

    #[test]
    fn where_no_run_learns_it_says_so_and_without_runs_it_says_nothing() {
        let guesses = [run(0.001, 0, 0.12), run(0.002, 0, 0.1), run(0.004, 0, None)];
        let guessed = refined(&guesses).unwrap();
        assert_eq!(
            guessed.answer.unwrap_err(),
            "no short run learned anything: 12.0 % at 0.001, 10.0 % at 0.002, diverged at 0.004"
        );
        assert_eq!(refined(&[]), None);
        assert!(
            refine(&guesses, 0.01, f64::INFINITY).unwrap().answer.is_ok(),
            "a tenth is ten times what guessing among 100 classes has"
        );
    }

    #[test]
    fn what_no_run_can_have_reached_is_left_out() {
        let good = [run(0.001, 0, 0.6), run(0.002, 0, 0.8), run(0.004, 0, 0.5)];
        let broken = [run(f64::NAN, 0, 0.9), run(-1.0, 0, 0.9), run(0.008, 0, 7.0), run(0.008, 0, f64::NAN)];
        assert_eq!(refined(&[&good[..], &broken].concat()), refined(&good));
        assert_eq!(refined(&broken), None);
    }

    #[test]
    fn a_short_run_is_as_long_as_the_run_within_its_bounds() {
        assert_eq!([short_run(189, 400), short_run(10_000, 400), short_run(10_000, 60)], [189, 350, 120]);
    }
}
