//! The order of entrants, which need not all have the same seeds.

use super::difference::{Difference, FEWEST, Results};
use crate::stats::{compare_means, mean};
use std::collections::BTreeMap;

/// The entrants, the leader first. With the same seeds for all, by their means; else by how many more of the others each
/// is ahead of than behind, by their levels (means adjusted for seeds), among those with which it shares a seed, and those that share none with
/// anybody after the others. Nobody leads with fewer than three seeds where others have more, nor behind another that may
/// lead on three seeds or more that both have.
pub fn order(results: &[Results]) -> Vec<usize> {
    let mut order = order_so_far(results);
    let most = results.iter().map(BTreeMap::len).max().unwrap_or(0);
    let may_lead: Vec<usize> = order.iter().copied().filter(|&one| results[one].len() >= most.min(FEWEST)).collect();
    let is_behind = |one: usize, other: usize| {
        let difference = Difference::of(&results[one], &results[other], 0.0);
        difference.is_some_and(|difference| difference.n >= FEWEST && compare_means(difference.mean, 0.0).is_lt())
    };
    // In a ring of such pairs, the first leads.
    let first = may_lead.iter().find(|&&one| !may_lead.iter().any(|&other| is_behind(one, other)));
    if let Some(first) = first.or(may_lead.first()).and_then(|first| order.iter().position(|one| one == first)) {
        order[..=first].rotate_right(1);
    }
    order
}

/// The same without the rules on who may lead: of results that more are to come of, nothing is claimed, and who has more of
/// them by now is no better for it.
pub fn order_so_far(results: &[Results]) -> Vec<usize> {
    let known: Vec<usize> = (0..results.len()).filter(|&entrant| !results[entrant].is_empty()).collect();
    let balanced = same_seeds(results);
    let mut levels = if balanced { results.iter().map(own_mean).collect() } else { levels(results) };
    level_out(&mut levels);
    let shared = |a: usize, b: usize| results[a].keys().filter(|seed| results[b].contains_key(seed)).count();
    // A sum and not a share: whoever meets only the weakest does not lead.
    let ahead = |entrant: usize| -> Option<f64> {
        let met = known.iter().filter(|&&other| other != entrant && shared(entrant, other) > 0);
        let gaps = met.map(|&other| levels[entrant] - levels[other]);
        gaps.map(|gap| if gap == 0.0 { 0.0 } else { gap.signum() }).reduce(|a, b| a + b)
    };
    let ahead = |entrant| if balanced { Some(0.0) } else { ahead(entrant) };
    let ahead: Vec<Option<f64>> = (0..results.len()).map(ahead).collect();
    let mut order: Vec<usize> = (0..results.len()).collect();
    order.sort_by(|&a, &b| {
        let class = |entrant: usize| (results[entrant].is_empty(), ahead[entrant].is_none());
        let by_ahead = ahead[b].unwrap_or(0.0).total_cmp(&ahead[a].unwrap_or(0.0));
        class(a).cmp(&class(b)).then(by_ahead).then(levels[b].total_cmp(&levels[a]))
    });
    order
}

/// Sets levels that only rounding tells apart to the lowest of them, so that they sort as equals.
fn level_out(levels: &mut [f64]) {
    let mut ascending: Vec<usize> = (0..levels.len()).collect();
    ascending.sort_by(|&a, &b| levels[a].total_cmp(&levels[b]));
    for pair in ascending.windows(2) {
        if compare_means(levels[pair[0]], levels[pair[1]]).is_eq() {
            levels[pair[1]] = levels[pair[0]];
        }
    }
}

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

/// Whether all that have results have them of the same seeds.
pub(super) fn same_seeds(results: &[Results]) -> bool {
    let mut known = results.iter().filter(|results| !results.is_empty());
    known.next().is_none_or(|first| known.all(|other| other.keys().eq(first.keys())))
}

#[cfg(test)]
mod tests {
    use super::super::difference::entrant;
    use super::*;

    #[test]
    fn with_the_same_seeds_means_decide_and_equals_keep_their_order() {
        let results = [entrant(0, &[0.5, 0.7]), entrant(0, &[0.7, 0.6]), entrant(0, &[]), entrant(0, &[0.6, 0.6])];
        assert_eq!(order(&results), [1, 0, 3, 2]);
        // In floating point the sum of the second is larger.
        let equal = [entrant(0, &[0.3, 0.2, 0.1]), entrant(0, &[0.1, 0.2, 0.3]), entrant(0, &[0.2, 0.2, 0.2])];
        assert_eq!(order(&equal), [0, 1, 2]);
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
}
