//! Which entrant won, which may be the best, which beats which: from the results of each by seed.
//!
//! Three claims are made at 95 %, for any number of entrants: who wins, who beats whom, and a set that the best is in.
//! `tests/formulas/calibration.rs` measures how often they are false, and docs/STATISTICS.md explains them.

mod difference;
mod ranking;

pub use difference::{Difference, FEWEST, Results};
pub use ranking::{order, order_so_far};

use super::ROUNDING;
use super::distribution::holm;
use super::median;
use ranking::same_seeds;
use std::collections::BTreeMap;

/// The share of comparisons in which a claim may be false.
const LEVEL: f64 = 0.05;

/// Accuracies are multiples of 1 / images; without any evidence, assume this many images.
const FEWEST_IMAGES: f64 = 1000.0;

/// What is known of an entrant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Beats every other.
    Winner,
    /// The best is one of these.
    NotRuledOut,
    /// The best is one of the others. That is said of the set: of many equals, some are ruled out more often than in 5 %.
    RuledOut,
    /// Has no result yet.
    NoResult,
}

/// `winner` beats `loser`, with Holm's adjusted p-value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Win {
    pub winner: usize,
    pub loser: usize,
    pub p: f64,
}

/// The verdict on a comparison. Entrants are numbered as given to [`judge`].
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// The leader first; entrants without a result last.
    pub order: Vec<usize>,
    pub standings: Vec<Standing>,
    /// Leader − entrant; `None` for the leader, and where they share no seed.
    pub behind: Vec<Option<Difference>>,
    /// What the mean of `behind` must exceed to rule an entrant out.
    pub margins: Vec<Option<f64>>,
    /// Every pair of which one beats the other, or with a baseline every such pair with it.
    pub wins: Vec<Win>,
    /// All entrants with results have the same seeds.
    pub same_seeds: bool,
}

impl Verdict {
    /// The entrant that is ahead of the others on the seeds in common; `None` if there are no results.
    pub fn leader(&self) -> Option<usize> {
        self.order.first().copied().filter(|&first| self.standings[first] != Standing::NoResult)
    }

    /// The same without its claims, for results that are not complete: each look at them would be another chance of a false
    /// one.
    #[must_use]
    fn without_claims(mut self) -> Self {
        for standing in self.standings.iter_mut().filter(|standing| **standing != Standing::NoResult) {
            *standing = Standing::NotRuledOut;
        }
        self.margins.fill(None);
        self.wins.clear();
        self
    }

    /// The winner, if there is one.
    pub fn winner(&self) -> Option<usize> {
        self.leader().filter(|&leader| self.standings[leader] == Standing::Winner)
    }
}

/// Judges entrants by their results, the shares of so many `images` that are classified correctly (estimated if unknown).
/// With a `baseline`, wins are those of and over it alone.
pub fn judge(results: &[Results], baseline: Option<usize>, images: Option<u64>) -> Verdict {
    judged(order(results), results, baseline, images)
}

/// Orders entrants by the results that are known of them, and claims nothing: more are to come.
pub fn so_far(results: &[Results], images: Option<u64>) -> Verdict {
    judged(order_so_far(results), results, None, images).without_claims()
}

/// The verdict on entrants in this order.
fn judged(order: Vec<usize>, results: &[Results], baseline: Option<usize>, images: Option<u64>) -> Verdict {
    let grain = images.map_or_else(|| grain(results), |images| 1.0 / images.max(1) as f64);
    let known = results.iter().filter(|results| !results.is_empty()).count();
    let leader = order.first().copied().filter(|_| known > 0);
    let behind: Vec<Option<Difference>> = (0..results.len())
        .map(|other| Difference::of(&results[leader.filter(|&leader| leader != other)?], &results[other], grain))
        .collect();
    let (pairs, usual_deviation) = pairs(results, grain);
    // Of many pairs with few seeds, some agree by chance far better than the others.
    let least = usual_deviation / 2.0;
    let wins = wins(pairs, baseline, least, known);

    let others = || (0..results.len()).filter(|&other| Some(other) != leader);
    let wins_all = others().count() > 0
        && others().all(|other| behind[other].is_some_and(|difference| difference.exceeds(1.0 - LEVEL / 2.0)));
    // One-sided: of the others, only the k − 1 that the best could lose to can mislead. Of two, it says what the winner says.
    let below = 1.0 - LEVEL / known.saturating_sub(1).max(2) as f64;
    let margins: Vec<Option<f64>> =
        behind.iter().map(|behind| behind.as_ref()?.with_deviation_of(least).margin(below)).collect();
    let exceeds = |entrant: usize| {
        behind[entrant].zip(margins[entrant]).is_some_and(|(difference, margin)| difference.mean > margin)
    };
    let standing = |entrant: usize| match leader {
        _ if results[entrant].is_empty() => Standing::NoResult,
        Some(leader) if leader == entrant && wins_all => Standing::Winner,
        Some(leader) if leader != entrant && (wins_all || exceeds(entrant)) => Standing::RuledOut,
        _ => Standing::NotRuledOut,
    };
    let mut standings: Vec<Standing> = (0..results.len()).map(standing).collect();
    // Who is beaten is not the best.
    for win in &wins {
        standings[win.loser] = Standing::RuledOut;
    }
    Verdict { order, standings, behind, margins, wins, same_seeds: same_seeds(results) }
}

/// Two entrants, and their difference.
struct Pair {
    a: usize,
    b: usize,
    difference: Difference,
}

/// The pairs that differ by a test of their own, of all with enough seeds in common for a claim, and the median of the
/// deviations of those.
fn pairs(results: &[Results], grain: f64) -> (Vec<Pair>, f64) {
    let (mut pairs, mut deviations) = (Vec::new(), Vec::new());
    for (a, first) in results.iter().enumerate().filter(|(_, results)| results.len() >= FEWEST) {
        for (b, second) in results.iter().enumerate().skip(a + 1) {
            let Some(difference) = Difference::of(first, second, grain) else { continue };
            let Some(margin) = difference.margin(1.0 - LEVEL / 2.0) else { continue };
            deviations.extend(difference.deviation);
            // No procedure over all pairs rejects what a single test does not.
            if difference.mean.abs() > margin {
                pairs.push(Pair { a, b, difference });
            }
        }
    }
    (pairs, median(&deviations).unwrap_or(0.0))
}

/// The smallest step between two results: accuracies are multiples of 1 / images.
fn grain(results: &[Results]) -> f64 {
    let mut values: Vec<f64> = results.iter().flat_map(BTreeMap::values).copied().collect();
    values.sort_by(f64::total_cmp);
    let steps = values.windows(2).map(|pair| pair[1] - pair[0]);
    steps.filter(|step| *step > ROUNDING).fold(1.0 / FEWEST_IMAGES, f64::min)
}

/// Holm's procedure over all pairs of the `known` entrants that have results, or over those with the baseline.
fn wins(pairs: Vec<Pair>, baseline: Option<usize>, least: f64, known: usize) -> Vec<Win> {
    let tests = known.saturating_sub(1) * if baseline.is_some() { 2 } else { known } / 2;
    let asked = pairs.into_iter().filter(|pair| baseline.is_none_or(|baseline| [pair.a, pair.b].contains(&baseline)));
    let win = |Pair { a, b, difference }: Pair| {
        let (winner, loser) = if difference.mean > 0.0 { (a, b) } else { (b, a) };
        Some(Win { winner, loser, p: difference.with_deviation_of(least).p_value()? })
    };
    let mut found: Vec<Win> = asked.filter_map(win).collect();
    let adjusted = holm(&found.iter().map(|win| win.p).collect::<Vec<_>>(), tests);
    found.iter_mut().zip(adjusted).for_each(|(win, p)| win.p = p);
    found.retain(|win| win.p <= LEVEL);
    found
}

#[cfg(test)]
mod tests {
    use super::difference::entrant;
    use super::*;

    #[test]
    fn without_its_claims_a_verdict_keeps_the_order_and_the_differences_alone() {
        let results = [entrant(0, &[0.8, 0.812, 0.806]), entrant(0, &[0.6, 0.61, 0.605]), Results::new()];
        let verdict = judge(&results, None, None);
        assert!(verdict.wins.len() == 1 && verdict.margins[1].is_some());
        let without = verdict.clone().without_claims();
        use Standing::{NoResult, NotRuledOut};
        assert_eq!(without.standings, [NotRuledOut, NotRuledOut, NoResult]);
        assert!(without.wins.is_empty() && without.margins.iter().all(Option::is_none));
        assert_eq!((without.order, without.behind), (verdict.order, verdict.behind));
    }

    #[test]
    fn who_has_more_results_by_now_leads_no_comparison_under_way() {
        let results = [entrant(0, &[0.7, 0.71, 0.66]), entrant(0, &[0.77, 0.78]), entrant(0, &[0.6, 0.61])];
        assert_eq!(judge(&results, None, None).order, [0, 1, 2], "of three seeds a claim can be made");
        let so_far = so_far(&results, None);
        assert_eq!(so_far.order, [1, 0, 2]);
        assert!(so_far.wins.is_empty() && so_far.winner().is_none());
        let ahead = so_far.behind[0].unwrap();
        assert!(ahead.n == 2 && (ahead.mean - 0.07).abs() < 1e-12, "{ahead:?}");
    }

    #[test]
    fn the_deviation_is_no_less_than_that_of_rounding_to_images() {
        let (a, b) = (entrant(0, &[0.7002; 4]), entrant(0, &[0.7; 4]));
        assert!((grain(&[a.clone(), b.clone()]) - 0.0002).abs() < 1e-12);
        let deviation = Difference::of(&a, &b, 0.0002).unwrap().deviation.unwrap();
        assert!((deviation - 0.0002 / 6.0_f64.sqrt()).abs() < 1e-12);
        assert_eq!(grain(&[entrant(0, &[0.9, 0.5])]), 0.001, "two results are no evidence of ten images");
        // With so few images, nothing says so but their number.
        let few = [entrant(0, &[0.72, 0.74, 0.72]), entrant(0, &[0.7, 0.72, 0.7])];
        let deviation = |images| judge(&few, None, images).behind[1].unwrap().deviation.unwrap();
        assert!((deviation(Some(50)) - 0.02 / 6.0_f64.sqrt()).abs() < 1e-12);
        assert!((deviation(None) - 0.001 / 6.0_f64.sqrt()).abs() < 1e-12);
        assert!(judge(&few, None, Some(50)).winner().is_none() && judge(&few, None, None).winner().is_some());
    }

    #[test]
    fn a_margin_rules_out_what_is_behind_by_more() {
        let results = [entrant(0, &[0.80, 0.812, 0.806]), entrant(0, &[0.781, 0.795, 0.789])];
        let verdict = judge(&results, None, None);
        // SciPy: differences 0.019, 0.017, 0.017: half the width of their 95 % t-interval.
        let margin = verdict.margins[1].unwrap();
        assert!((margin - 0.002_868_435_153).abs() < 1e-9, "{margin}");
        assert_eq!(verdict.standings, [Standing::Winner, Standing::RuledOut]);
        assert_eq!(verdict.behind[1].unwrap().share_ahead().0, 1.0);
    }

    #[test]
    fn with_a_baseline_only_its_pairs_are_wins() {
        let far = |mean: f64| entrant(0, &[mean, mean + 0.011, mean + 0.004, mean + 0.007, mean - 0.002]);
        let near = entrant(0, &[0.62, 0.615, 0.625, 0.611, 0.618]);
        let results = [far(0.6), near, far(0.5), far(0.4)];
        assert!(judge(&results, None, None).wins.len() > 3);
        let wins = judge(&results, Some(2), None).wins;
        assert!(wins.iter().all(|win| win.winner == 2 || win.loser == 2) && wins.len() == 3, "{wins:?}");
    }

    #[test]
    fn holm_counts_the_pairs_with_the_baseline_or_all_pairs() {
        let results = [
            entrant(0, &[0.5, 0.498, 0.503, 0.505, 0.499]),
            entrant(0, &[0.55, 0.561, 0.543, 0.548, 0.552]),
            entrant(0, &[0.6, 0.592, 0.604, 0.611, 0.597]),
            entrant(0, &[0.9, 0.903, 0.907, 0.901, 0.895]),
        ];
        // The most significant of all: it is multiplied by the number of tests.
        let own = Difference::of(&results[3], &results[0], 0.0).unwrap().p_value().unwrap();
        for (baseline, tests) in [(Some(0), 3.0), (None, 6.0)] {
            let wins = judge(&results, baseline, None).wins;
            let win = wins.iter().find(|win| (win.winner, win.loser) == (3, 0)).unwrap();
            assert!((win.p / (tests * own) - 1.0).abs() < 1e-9, "{}, alone {own}", win.p);
        }
    }
}
