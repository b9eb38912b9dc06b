//! Tuning: which points of its range an entrant is tried at, and which of them is chosen.
//!
//! Every entrant gets the same number of trials, at the same places of its own range; the best are looked at again, and
//! the best mean wins. docs/STATISTICS.md says how good that is.

use super::{ROUNDING, compare_means, mean, median_rate};

/// So many of the best trials get second looks.
pub const LOOKED_AT_AGAIN: usize = 3;

/// So many more results each of them gets, with other seeds.
pub const SECOND_LOOKS: u64 = 2;

/// The seeds, or studies, of a screening.
pub const SCREENING: u64 = 3;

/// One trial of an entrant in a study.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// Its place in [`points`].
    pub number: u64,
    /// The base rate that it was trained with, which decides between equals; the report puts its peak here, which is another
    /// multiple of it at each trial if a rate of the schedule is tuned.
    pub rate: f64,
    /// The accuracies: of the first look, and of each second one. One that diverged has that of guessing.
    pub looks: Vec<f64>,
}

impl Trial {
    fn first(&self) -> f64 {
        self.looks.first().copied().unwrap_or(f64::NEG_INFINITY)
    }

    /// The mean over all looks.
    pub fn accuracy(&self) -> Option<f64> {
        mean(&self.looks)
    }
}

/// The first `count` points of a low-discrepancy sequence in [0, 1)ᵈ, where d is the number of `shifts`, each in [0, 1).
///
/// ```text
/// u_b = frac(s + b · φ⁻ʲ)        j = 1 … d, φᵈ⁺¹ = φ + 1
/// ```
///
/// More points begin with the fewer. For d = 1 the step is the golden ratio, 0.618034; for more it is Roberts' sequence.
pub fn points(shifts: &[f64], count: u64) -> Vec<Vec<f64>> {
    let root = root(shifts.len());
    let step = |axis: usize| root.powi(-(axis as i32 + 1));
    let place =
        |b: u64| shifts.iter().enumerate().map(|(axis, shift)| (shift + b as f64 * step(axis)).fract()).collect();
    (0..count).map(place).collect()
}

/// The positive root of φᵈ⁺¹ = φ + 1.
fn root(axes: usize) -> f64 {
    let degree = axes as f64 + 1.0;
    // A contraction: 1 / degree of any error is left at most.
    (0..64).fold(2.0_f64, |x, _| (1.0 + x).powf(1.0 / degree))
}

/// The numbers of the trials to look at again, the best first; of equals, the lower rate. None of a single trial: nothing
/// is to be chosen.
pub fn second_looks(trials: &[Trial]) -> Vec<u64> {
    if trials.len() < 2 {
        return Vec::new();
    }
    let mut best: Vec<&Trial> = trials.iter().collect();
    best.sort_by(|a, b| b.first().total_cmp(&a.first()).then(a.rate.total_cmp(&b.rate)).then(a.number.cmp(&b.number)));
    best.iter().take(LOOKED_AT_AGAIN).map(|trial| trial.number).collect()
}

/// The trial with the highest mean among those looked at again; of equals, the lower rate. `None` until each of them has
/// all its looks.
///
/// A trial that was looked at again while there were fewer trials, and is no longer among the best, is not chosen: more
/// trials lead where they would have led at once.
pub fn choose(trials: &[Trial]) -> Option<&Trial> {
    if let [only] = trials {
        return (!only.looks.is_empty()).then_some(only);
    }
    let again = second_looks(trials);
    let mut chosen: Option<(&Trial, f64)> = None;
    for trial in trials.iter().filter(|trial| again.contains(&trial.number)) {
        if (trial.looks.len() as u64) < 1 + SECOND_LOOKS {
            return None;
        }
        let accuracy = trial.accuracy()?;
        let is_better =
            |(best, most): (&Trial, f64)| compare_means(accuracy, most).then(best.rate.total_cmp(&trial.rate)).is_gt();
        if chosen.is_none_or(is_better) {
            chosen = Some((trial, accuracy));
        }
    }
    chosen.map(|(trial, _)| trial)
}

/// The lowest and the highest rate of the trials around the `chosen` one whose accuracy is at most `margin` below its
/// own: neighbours in the order of rates, as far as none is worse.
pub fn rates_within(trials: &[Trial], chosen: &Trial, margin: f64) -> (f64, f64) {
    let Some(best) = chosen.accuracy() else { return (chosen.rate, chosen.rate) };
    let near = |trial: &&&Trial| trial.accuracy().is_some_and(|accuracy| best - accuracy < margin + ROUNDING);
    let mut sorted: Vec<&Trial> = trials.iter().collect();
    sorted.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    let at = sorted.iter().position(|trial| trial.number == chosen.number).unwrap_or_default();
    let low = sorted[..at].iter().rev().take_while(near).last().map_or(chosen.rate, |trial| trial.rate);
    let high = sorted[at..].iter().skip(1).take_while(near).last().map_or(chosen.rate, |trial| trial.rate);
    (low, high)
}

/// One range for several studies, each with its chosen rate and the ends of its [`rates_within`]: the medians of the ends,
/// moved out as far as it takes to hold the chosen rate of every study.
pub fn range_of_studies(studies: &[(f64, (f64, f64))]) -> Option<(f64, f64)> {
    let chosen = || studies.iter().map(|study| study.0);
    let (lows, highs): (Vec<f64>, Vec<f64>) = studies.iter().map(|study| study.1).unzip();
    Some((chosen().fold(median_rate(&lows)?, f64::min), chosen().fold(median_rate(&highs)?, f64::max)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial(number: u64, rate: f64, looks: &[f64]) -> Trial {
        Trial { number, rate, looks: looks.to_vec() }
    }

    #[test]
    fn points_follow_the_golden_ratio_on_one_axis_and_roberts_sequence_on_more() {
        let golden = (5.0_f64.sqrt() - 1.0) / 2.0;
        let one = points(&[0.25], 4);
        for (b, point) in one.iter().enumerate() {
            assert!((point[0] - (0.25 + b as f64 * golden).fract()).abs() < 1e-12, "{point:?}");
        }
        // 1 / the plastic number, and its square.
        let two = points(&[0.0, 0.0], 2);
        assert!((two[1][0] - 0.754_877_666_246_692_8).abs() < 1e-12, "{two:?}");
        assert!((two[1][1] - 0.569_840_290_998_053_3).abs() < 1e-12, "{two:?}");
        assert_eq!(points(&[], 2), vec![Vec::<f64>::new(); 2]);
    }

    #[test]
    fn more_points_begin_with_the_fewer_and_leave_no_wide_gap() {
        let eight = points(&[0.7], 8);
        assert_eq!(points(&[0.7], 12)[..8], eight);
        let mut places: Vec<f64> = eight.into_iter().map(|point| point[0]).collect();
        places.sort_by(f64::total_cmp);
        assert!(places.windows(2).all(|pair| pair[1] - pair[0] < 0.2), "{places:?}");
    }

    #[test]
    fn the_best_three_are_looked_at_again_and_of_equals_those_with_the_lower_rates() {
        let trials = [0.5, 0.7, 0.7, 0.7, 0.7].iter().enumerate();
        let rates = [0.1, 0.4, 0.2, 0.3, 0.5];
        let trials: Vec<Trial> = trials.map(|(b, looks)| trial(b as u64, rates[b], &[*looks])).collect();
        assert_eq!(second_looks(&trials), [2, 3, 1]);
        assert_eq!(second_looks(&trials[..2]), [1, 0]);
        assert!(second_looks(&trials[..1]).is_empty());
    }

    #[test]
    fn the_best_mean_of_three_looks_is_chosen_and_of_equals_the_lower_rate() {
        let mut trials = vec![
            trial(0, 0.1, &[0.80, 0.60, 0.60]),
            trial(1, 0.3, &[0.75, 0.75, 0.75]),
            trial(2, 0.2, &[0.75, 0.75, 0.75]),
            trial(3, 0.4, &[0.10]),
        ];
        assert_eq!(choose(&trials).unwrap().number, 2);
        trials[0].looks.pop();
        assert_eq!(choose(&trials), None, "one look is missing");
        assert_eq!(choose(&trials[3..]).unwrap().number, 3, "a single trial");
        assert_eq!(choose(&[]), None);
        // The sum of one is larger by its last bit.
        let same = [trial(0, 0.022, &[0.1, 0.2, 0.3]), trial(1, 0.000_112, &[0.3, 0.2, 0.1])];
        assert_eq!(choose(&same).unwrap().number, 1);
    }

    #[test]
    fn a_trial_that_more_trials_displaced_is_not_chosen_for_the_looks_it_had() {
        let trials = [
            trial(0, 0.1, &[0.70, 0.99, 0.99]),
            trial(1, 0.2, &[0.71, 0.71, 0.71]),
            trial(2, 0.3, &[0.72, 0.72, 0.72]),
            trial(3, 0.4, &[0.73, 0.73, 0.73]),
        ];
        assert_eq!(choose(&trials).unwrap().number, 3);
    }

    #[test]
    fn the_rates_within_a_point_reach_from_the_chosen_one_to_the_first_that_is_worse() {
        let trials = [
            trial(0, 0.01, &[0.699]),
            trial(1, 0.02, &[0.5]),
            trial(2, 0.05, &[0.695]),
            trial(3, 0.1, &[0.7, 0.7, 0.7]),
            trial(4, 0.2, &[0.69]),
            trial(5, 0.4, &[0.1]),
        ];
        let chosen = choose(&trials[3..4]).unwrap();
        assert_eq!(rates_within(&trials, chosen, 0.01), (0.05, 0.2));
        assert_eq!(rates_within(&trials, chosen, 0.001), (0.1, 0.1));
    }

    #[test]
    fn the_range_of_several_studies_reaches_to_the_medians_of_their_ends_and_holds_every_chosen_rate() {
        let alike = [(0.1, (0.05, 0.2)), (0.1, (0.06, 0.4)), (0.1, (0.01, 0.3))];
        assert_eq!(range_of_studies(&alike), Some((0.05, 0.3)));
        // The medians alone, 0.04 to 0.06, leave two chosen rates out.
        let apart = [(0.02, (0.02, 0.02)), (0.05, (0.04, 0.06)), (0.2, (0.1, 0.3))];
        assert_eq!(range_of_studies(&apart), Some((0.02, 0.2)));
        assert_eq!(range_of_studies(&[(0.1, (0.05, 0.2))]), Some((0.05, 0.2)));
        assert_eq!(range_of_studies(&[(0.1, (0.1, 0.1)); 2]), Some((0.1, 0.1)), "no range");
        assert_eq!(range_of_studies(&[]), None);
    }
}
