//! Which entrant won, which may be the best, which beats which: from the results of each by seed.
//!
//! Three claims are made at 95 %, for any number of entrants: who wins, who beats whom, and a set that the best is in.
//! `tests/formulas/calibration.rs` measures how often they are false, and docs/STATISTICS.md explains them.

use super::distribution::{clopper_pearson, holm, pairs_for_power, student_t_quantile, student_t_tail};
use super::{mean, median, standard_deviation};
use std::collections::BTreeMap;

/// The results of one entrant by seed. A run that diverged has the accuracy of guessing.
pub type Results = BTreeMap<u64, f64>;

/// The share of comparisons in which a claim may be false.
const LEVEL: f64 = 0.05;

/// A claim needs this many seeds. Two differences that agree prove little: with noise of two modes they agree, and are
/// not 0, in one of eight comparisons of equals.
pub const FEWEST: usize = 3;

/// Accuracies are multiples of 1 / images; without any evidence, assume this many images.
const FEWEST_IMAGES: f64 = 1000.0;

/// Sums of the same images in another order differ by less: that is no difference.
const EQUAL: f64 = 1e-12;

/// The difference between two entrants over the seeds that both have.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// The mean of aᵢ − bᵢ.
    pub mean: f64,
    pub n: usize,
    /// The sample standard deviation of aᵢ − bᵢ, but no less than what rounding to whole images causes; `None` for
    /// n = 1.
    pub deviation: Option<f64>,
    /// On how many seeds a is ahead; a tie is half of one.
    pub ahead: f64,
}

impl Difference {
    /// a − b; `None` if they have no seed in common. `grain` is the smallest step between two results.
    pub fn of(a: &Results, b: &Results, grain: f64) -> Option<Self> {
        let clear = |difference: f64| if difference.abs() < EQUAL { 0.0 } else { difference };
        let differences: Vec<f64> = a.iter().filter_map(|(seed, a)| Some(clear(a - b.get(seed)?))).collect();
        let ahead = |d: &f64| match *d {
            d if d > 0.0 => 1.0,
            d if d < 0.0 => 0.0,
            _ => 0.5,
        };
        Some(Self {
            mean: clear(mean(&differences)?),
            n: differences.len(),
            // Each of two rounded numbers has the variance grain² / 12.
            deviation: standard_deviation(&differences).map(|deviation| deviation.max(grain / 6.0_f64.sqrt())),
            ahead: differences.iter().map(ahead).sum(),
        })
    }

    /// Student's t, x̄ √n / s; `None` with fewer than [`FEWEST`] seeds.
    fn t(&self) -> Option<f64> {
        let deviation = self.deviation.filter(|_| self.n >= FEWEST)?;
        Some(if self.mean == 0.0 { 0.0 } else { self.mean * (self.n as f64).sqrt() / deviation })
    }

    /// The same with a deviation of at least `least`.
    fn with_deviation_of(self, least: f64) -> Self {
        Self { deviation: self.deviation.map(|deviation| deviation.max(least)), ..self }
    }

    fn degrees(&self) -> u32 {
        self.n as u32 - 1
    }

    /// The mean with which t is the `p`-quantile; `None` with fewer than [`FEWEST`] seeds.
    fn margin(&self, p: f64) -> Option<f64> {
        let deviation = self.deviation.filter(|_| self.n >= FEWEST)?;
        Some(student_t_quantile(p, self.degrees()) * deviation / (self.n as f64).sqrt())
    }

    /// Whether t is above the `p`-quantile.
    fn exceeds(&self, p: f64) -> bool {
        self.margin(p).is_some_and(|margin| self.mean > margin)
    }

    /// The two-sided p-value of the paired t-test; `None` with fewer than [`FEWEST`] seeds.
    pub fn p_value(&self) -> Option<f64> {
        Some(2.0 * student_t_tail(self.t()?.abs(), self.degrees()))
    }

    /// The probability that a is ahead on a new seed, with its 95 % limits: of this pair by itself, and too favourable to
    /// an a that was chosen because it is ahead.
    pub fn share_ahead(&self) -> (f64, f64, f64) {
        let (lower, upper) = clopper_pearson(self.ahead, self.n, 1.0 - LEVEL);
        (self.ahead / self.n as f64, lower, upper)
    }

    /// How many fresh seeds find a gap as wide as this one with a probability of 80 %, if it is real; `None` beyond
    /// 10,000, or if the deviation is unknown.
    pub fn seeds_for_power(&self) -> Option<usize> {
        pairs_for_power(self.mean.abs() / self.deviation?).map(|n| n.max(FEWEST))
    }
}

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

    /// The same without a winner, for results that are not complete: whoever wins so far may still be beaten. Ruled out
    /// remains what is so without the winner's claim.
    #[must_use]
    pub fn without_winner(mut self) -> Self {
        let Some(winner) = self.winner() else { return self };
        for one in 0..self.standings.len() {
            let beaten = self.wins.iter().any(|win| win.loser == one);
            let exceeds = self.behind[one].zip(self.margins[one]).is_some_and(|(gap, margin)| gap.mean > margin);
            if one == winner || (self.standings[one] == Standing::RuledOut && !beaten && !exceeds) {
                self.standings[one] = Standing::NotRuledOut;
            }
        }
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
    let grain = images.map_or_else(|| grain(results), |images| 1.0 / images.max(1) as f64);
    let order = order(results);
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
    // Two sums of the same images may differ in their last bits.
    steps.filter(|step| *step > 1e-9).fold(1.0 / FEWEST_IMAGES, f64::min)
}

/// Whether all that have results have them of the same seeds.
fn same_seeds(results: &[Results]) -> bool {
    let mut known = results.iter().filter(|results| !results.is_empty());
    known.next().is_none_or(|first| known.all(|other| other.keys().eq(first.keys())))
}

/// The entrants, the leader first. With the same seeds for all, by their means; else by how many more of the others each
/// is ahead of than behind, by their levels (means adjusted for seeds), among those with which it shares a seed, and those that share none with
/// anybody after the others. Nobody leads with fewer than three seeds where others have more, nor behind another that may
/// lead on three seeds or more that both have.
pub fn order(results: &[Results]) -> Vec<usize> {
    let known: Vec<usize> = (0..results.len()).filter(|&entrant| !results[entrant].is_empty()).collect();
    let balanced = same_seeds(results);
    let levels = if balanced { results.iter().map(own_mean).collect() } else { levels(results) };
    let shared = |a: usize, b: usize| results[a].keys().filter(|seed| results[b].contains_key(seed)).count();
    // A sum and not a share: whoever meets only the weakest does not lead.
    let ahead = |entrant: usize| -> Option<f64> {
        let met = known.iter().filter(|&&other| other != entrant && shared(entrant, other) > 0);
        let gaps = met.map(|&other| levels[entrant] - levels[other]);
        gaps.map(|gap| if gap.abs() < SAME_LEVEL { 0.0 } else { gap.signum() }).reduce(|a, b| a + b)
    };
    let ahead = |entrant| if balanced { Some(0.0) } else { ahead(entrant) };
    let ahead: Vec<Option<f64>> = (0..results.len()).map(ahead).collect();
    let mut order: Vec<usize> = (0..results.len()).collect();
    order.sort_by(|&a, &b| {
        let class = |entrant: usize| (results[entrant].is_empty(), ahead[entrant].is_none());
        let by_ahead = ahead[b].unwrap_or(0.0).total_cmp(&ahead[a].unwrap_or(0.0));
        class(a).cmp(&class(b)).then(by_ahead).then(levels[b].total_cmp(&levels[a]))
    });
    let most = results.iter().map(BTreeMap::len).max().unwrap_or(0);
    let may_lead: Vec<usize> = order.iter().copied().filter(|&one| results[one].len() >= most.min(FEWEST)).collect();
    let is_behind = |one: usize, other: usize| {
        let difference = Difference::of(&results[one], &results[other], 0.0);
        difference.is_some_and(|difference| difference.n >= FEWEST && difference.mean < 0.0)
    };
    // In a ring of such pairs, the first leads.
    let first = may_lead.iter().find(|&&one| !may_lead.iter().any(|&other| is_behind(one, other)));
    if let Some(first) = first.or(may_lead.first()).and_then(|first| order.iter().position(|one| one == first)) {
        order[..=first].rotate_right(1);
    }
    order
}

/// Levels that differ by less are equal: they are sums of the same numbers in another order.
const SAME_LEVEL: f64 = 1e-9;

fn own_mean(results: &Results) -> f64 {
    mean(&results.values().copied().collect::<Vec<_>>()).unwrap_or(f64::NEG_INFINITY)
}

/// The mean of each entrant, adjusted for its seeds: the a of the least-squares fit of a (entrant) + s (seed) to all
/// results, with a mean of 0 over the s of an entrant that has all seeds. −∞ without results. Only those that share seeds,
/// with each other or through others, can be compared.
fn levels(results: &[Results]) -> Vec<f64> {
    /// Each sweep brings it nearer by a factor; in sparse designs by a small one.
    const MOST_SWEEPS: usize = 10_000;
    const CLOSE: f64 = 1e-14;
    let mut levels: Vec<f64> = results.iter().map(own_mean).collect();
    let mut of_seed: BTreeMap<u64, Vec<(usize, f64)>> = BTreeMap::new();
    for (entrant, results) in results.iter().enumerate() {
        results.iter().for_each(|(&seed, &result)| of_seed.entry(seed).or_default().push((entrant, result)));
    }
    for _ in 0..MOST_SWEEPS {
        let residual = |(entrant, result): &(usize, f64)| result - levels[*entrant];
        let effect = |found: &Vec<(usize, f64)>| mean(&found.iter().map(residual).collect::<Vec<_>>()).unwrap_or(0.0);
        let effects: BTreeMap<u64, f64> = of_seed.iter().map(|(&seed, found)| (seed, effect(found))).collect();
        let level =
            |results: &Results| mean(&results.iter().map(|(seed, result)| result - effects[seed]).collect::<Vec<_>>());
        let next: Vec<f64> = results.iter().map(|results| level(results).unwrap_or(f64::NEG_INFINITY)).collect();
        let moved = next.iter().zip(&levels).filter(|(next, _)| next.is_finite()).map(|(a, b)| (a - b).abs());
        let farthest = moved.fold(0.0, f64::max);
        levels = next;
        if farthest < CLOSE {
            break;
        }
    }
    levels
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
    use super::*;

    fn entrant(first: u64, results: &[f64]) -> Results {
        (first..).zip(results.iter().copied()).collect()
    }

    #[test]
    fn without_its_winner_a_verdict_rules_out_only_what_the_margin_does() {
        let runs = |mean: f64, noise: [f64; 3]| entrant(0, &noise.map(|noise| mean + 0.01 * noise));
        // The leader wins over each by the plain t-test; the margin over four others is wider.
        let mut results = vec![runs(0.8, [0.0, 0.0, 0.0])];
        results.extend([[1.0, -0.5, -0.5], [-0.5, 1.0, -0.5], [-0.5, -0.5, 1.0]].map(|noise| runs(0.775, noise)));
        results.push(runs(0.5, [1.0, 0.0, -1.0]));
        let verdict = judge(&results, None, None);
        assert_eq!(verdict.winner(), Some(0));
        use Standing::{NotRuledOut, RuledOut};
        let standings = verdict.without_winner().standings;
        assert_eq!(standings, [NotRuledOut, NotRuledOut, NotRuledOut, NotRuledOut, RuledOut]);
    }

    #[test]
    fn with_the_same_seeds_means_decide_and_equals_keep_their_order() {
        let results = [entrant(0, &[0.5, 0.7]), entrant(0, &[0.7, 0.6]), entrant(0, &[]), entrant(0, &[0.6, 0.6])];
        assert_eq!(order(&results), [1, 0, 3, 2]);
    }

    #[test]
    fn with_other_seeds_the_common_ones_decide_and_fewer_than_three_do_not_lead_several() {
        let long = entrant(0, &[0.50, 0.51, 0.52, 0.90, 0.90]);
        assert_eq!(order(&[long.clone(), entrant(0, &[0.60, 0.612, 0.61])]), [1, 0]);
        assert_eq!(order(&[long.clone(), entrant(0, &[0.60, 0.612])]), [0, 1]);
        assert_eq!(order(&[entrant(0, &[0.5, 0.9]), entrant(0, &[0.6])]), [0, 1]);
        assert_eq!(order(&[long, entrant(9, &[0.95; 3]), entrant(0, &[0.1, 0.1])]), [0, 2, 1]);
        assert_eq!(order(&[entrant(0, &[0.5]), entrant(1, &[0.6])]), [1, 0]);
    }

    #[test]
    fn one_that_meets_only_the_weakest_does_not_lead() {
        let weakest = entrant(0, &[0.1; 6]);
        let [first, second, third] = [0.9, 0.8, 0.7].map(|accuracy| entrant(0, &[accuracy; 3]));
        let aside = entrant(3, &[0.95; 3]);
        // The first is ahead of three, the one aside of one: of all that it meets.
        assert_eq!(order(&[weakest, first, second, third, aside])[0], 1);
    }

    #[test]
    fn one_seed_of_another_entrant_does_not_turn_the_order_of_those_with_three() {
        // Seed 0 is the worst of the first. On it alone, a newcomer is ahead of the first and behind the second.
        let first = entrant(0, &[0.096, 0.152, 0.165]);
        let second = entrant(0, &[0.153, 0.087, 0.117]);
        let third = entrant(0, &[0.151, 0.091, 0.111]);
        let ahead = entrant(1, &[0.156, 0.198]);
        let newcomer = entrant(0, &[0.104]);
        assert_eq!(order(&[third, newcomer, second, ahead, first]), [4, 3, 2, 0, 1]);
    }

    #[test]
    fn a_level_is_the_mean_adjusted_for_the_seeds() {
        // The second has the seeds on which the first has 0.1 more than on the other.
        let results = [entrant(0, &[0.5, 0.6, 0.6]), entrant(1, &[0.58, 0.58]), entrant(7, &[0.9]), entrant(0, &[])];
        let levels = levels(&results);
        assert!((levels[0] - levels[1] - 0.02).abs() < 1e-9, "{levels:?}");
        assert_eq!((levels[2], levels[3]), (0.9, f64::NEG_INFINITY));
    }

    #[test]
    fn nobody_leads_behind_another_on_three_seeds_that_both_have() {
        // By all of its seeds the third is the best, on those of the second it is not.
        let first = entrant(0, &[0.50, 0.50, 0.50, 0.50, 0.50, 0.50]);
        let second = entrant(0, &[0.62, 0.62, 0.62]);
        let third = entrant(0, &[0.60, 0.60, 0.60, 0.70, 0.70, 0.70]);
        let results = [first, second, third];
        let levels = levels(&results);
        assert!(levels[2] > levels[1] + 0.004, "{levels:?}");
        assert_eq!(order(&results)[0], 1);
    }

    #[test]
    fn a_difference_in_the_last_bits_is_none() {
        let (a, b) = (entrant(0, &[0.1 + 0.2, 0.3, 0.1 + 0.2]), entrant(0, &[0.3; 3]));
        let difference = Difference::of(&a, &b, 0.0).unwrap();
        assert_eq!((difference.mean, difference.ahead, difference.p_value()), (0.0, 1.5, Some(1.0)));
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
