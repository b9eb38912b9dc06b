//! Piecewise-constant rates, and the line through them.

use super::simplify::{simplified, thinned};

/// With more pieces than this, draw a line through their starts: a step is then no wider than the line.
const MOST_STAIRS: usize = 400;

/// Piecewise-constant rates: the position (such as the step) at which each piece begins and its rate, in order; and
/// where the last one ends.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Stretches {
    pub(super) begins: Vec<(f64, f64)>,
    end: f64,
}

impl Stretches {
    /// `rate` holds from `begin` to `end`, where the next piece begins.
    pub fn push(&mut self, begin: f64, end: f64, rate: f64) {
        if self.begins.last().is_none_or(|&(_, last)| last.to_bits() != rate.to_bits()) {
            self.begins.push((begin, rate));
        }
        self.end = end;
    }

    /// From rates that hold for one step each.
    pub fn of(rates: impl Iterator<Item = f64>, steps_per_epoch: u64) -> Self {
        let mut stretches = Self::default();
        let place = |t: u64| t as f64 / steps_per_epoch as f64;
        (0_u64..).zip(rates).for_each(|(t, rate)| stretches.push(place(t), place(t + 1), rate));
        stretches
    }

    /// The points of a line: a staircase, so that drops appear where they happen; for very many pieces, a line through
    /// their starts.
    pub fn points(&self) -> Vec<(f64, f64)> {
        if self.begins.len() > MOST_STAIRS {
            let last = self.begins.last().map(|&(_, rate)| (self.end, rate));
            let line: Vec<_> = self.begins.iter().copied().chain(last).collect();
            return simplified(&thinned(&line));
        }
        let ends = self.begins.iter().skip(1).map(|next| next.0).chain([self.end]);
        self.begins.iter().zip(ends).flat_map(|(&(begin, rate), end)| [(begin, rate), (end, rate)]).collect()
    }

    /// The highest finite rate.
    pub fn highest(&self) -> Option<f64> {
        self.begins.iter().map(|&(_, rate)| rate).filter(|rate| rate.is_finite()).reduce(f64::max)
    }

    pub(super) fn at(&self, place: f64) -> Option<f64> {
        let after = self.begins.partition_point(|&(begin, _)| begin <= place);
        (place < self.end && after > 0).then(|| self.begins[after - 1].1)
    }

    /// The mean over several runs; once some have ended, over the remaining ones.
    pub fn mean(all: &[Self]) -> Self {
        if let [first, rest @ ..] = all
            && rest.iter().all(|other| other == first)
        {
            return first.clone();
        }
        let places = all.iter().flat_map(|one| one.begins.iter().map(|&(begin, _)| begin).chain([one.end]));
        let mut places: Vec<f64> = places.collect();
        places.sort_by(f64::total_cmp);
        places.dedup();
        let mut mean = Self::default();
        for pair in places.windows(2) {
            let rates: Vec<f64> = all.iter().filter_map(|one| one.at(pair[0])).collect();
            // The mean of equal rates is that rate, bit for bit.
            let same = rates.first().copied().filter(|first| rates.iter().all(|rate| rate == first));
            let rate = same.or_else(|| crate::stats::mean(&rates)).unwrap_or(f64::NAN);
            mean.push(pair[0], pair[1], rate);
        }
        mean
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_of_seeds_that_drop_at_different_epochs_lies_between_them() {
        let of = |rates: &[f64]| Stretches::of(rates.iter().copied(), 1);
        let mean = Stretches::mean(&[of(&[0.1, 0.1, 0.05]), of(&[0.1, 0.05, 0.05])]);
        assert_eq!(mean.begins, [(0.0, 0.1), (1.0, (0.1 + 0.05) / 2.0), (2.0, 0.05)]);
    }
}
