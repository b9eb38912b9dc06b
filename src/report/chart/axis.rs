//! Axes: mapping values to positions, and choosing ticks.

use super::AxisScale;
use crate::number::significant;

/// One axis: its range in values, mapped to 0..1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Axis {
    pub scale: AxisScale,
    /// In values; low < high.
    pub low: f64,
    pub high: f64,
    /// All values are whole numbers, so ticks must be.
    whole: bool,
    /// Values in [0, `low`) map to the low end, also on a log axis.
    pub edge: bool,
}

/// A tick: its value, and its label (empty for a minor one).
#[derive(Debug, Clone, PartialEq)]
pub struct Tick {
    pub value: f64,
    pub label: String,
}

impl Axis {
    /// The axis that covers all drawable `values`, with `padding` (a fraction of the range) on either side.
    pub fn fit(scale: AxisScale, values: impl Iterator<Item = f64>, padding: f64) -> Self {
        let (mut low, mut high, mut whole) = (f64::INFINITY, f64::NEG_INFINITY, true);
        for value in values.filter(|&v| drawable(scale, v)) {
            low = low.min(value);
            high = high.max(value);
            whole &= value.fract() == 0.0;
        }
        match scale {
            AxisScale::Linear => {
                if low > high {
                    (low, high) = (0.0, 1.0);
                } else if high - low <= (1e-12 * high.abs().max(low.abs())).max(1e-300) {
                    // Centre a flat line.
                    let half = if high.abs() < 1e-290 { 0.5 } else { high.abs() * 0.5 };
                    (low, high) = (low - half, high + half);
                } else {
                    let room = (high - low) * padding;
                    // Padding never extends non-negative values below 0.
                    (low, high) = (if low >= 0.0 { (low - room).max(0.0) } else { low - room }, high + room);
                }
            }
            AxisScale::Log => {
                if low > high {
                    (low, high) = (0.1, 1.0);
                } else if high.ln() - low.ln() < 1e-12 {
                    (low, high) = (low / 3.0, high * 3.0);
                } else {
                    let room = ((high.ln() - low.ln()) * padding).exp();
                    (low, high) = ((low / room).max(1e-304), (high * room).min(1e304));
                }
            }
        }
        Self { scale, low, high, whole, edge: false }
    }

    /// The axis with exactly this range.
    pub fn between(scale: AxisScale, low: f64, high: f64) -> Self {
        Self { whole: false, ..Self::fit(scale, [low, high].into_iter(), 0.0) }
    }

    /// The position of `value`: 0 at the low end, 1 at the high end; `None` if it cannot be drawn on this axis.
    pub fn place(&self, value: f64) -> Option<f64> {
        if self.edge && (0.0..self.low).contains(&value) {
            return Some(0.0);
        }
        drawable(self.scale, value).then(|| match self.scale {
            AxisScale::Linear => (value - self.low) / (self.high - self.low),
            AxisScale::Log => (value.ln() - self.low.ln()) / (self.high.ln() - self.low.ln()),
        })
    }

    /// About `most` labelled ticks at 1, 2 or 5 · 10^k; on a log axis at powers of ten, with unlabelled minor ticks.
    pub fn ticks(&self, most: usize) -> Vec<Tick> {
        match self.scale {
            AxisScale::Linear => self.linear_ticks(most),
            AxisScale::Log => self.log_ticks(most),
        }
    }

    fn linear_ticks(&self, most: usize) -> Vec<Tick> {
        let rough = (self.high - self.low) / most.max(1) as f64;
        let magnitude = 10_f64.powf(rough.log10().floor());
        let mut step =
            [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * magnitude).find(|s| *s >= rough * 0.999).unwrap_or(rough);
        if self.whole && step < 1.0 {
            step = 1.0;
        }
        let (first, last) = ((self.low / step - 1e-9).ceil(), (self.high / step + 1e-9).floor());
        if !(first.is_finite() && last.is_finite()) || last - first > 1000.0 {
            return Vec::new();
        }
        let values: Vec<f64> = (0..=(last - first) as u32).map(|i| (first + f64::from(i)) * step).collect();
        let largest = values.iter().fold(0.0_f64, |a, v| a.max(v.abs()));
        let scientific = largest >= 1e6 || step < 1e-4;
        let decimals = (-step.log10().floor()).max(0.0) as usize;
        let digits = (largest.log10().floor() - step.log10().floor()).max(0.0) as usize;
        values
            .into_iter()
            .map(|value| {
                let label = if value == 0.0 {
                    "0".to_string()
                } else if scientific {
                    // Enough digits to distinguish neighbouring ticks.
                    scientific_label(value, digits)
                } else {
                    minus(format!("{value:.decimals$}"))
                };
                Tick { value, label }
            })
            .collect()
    }

    fn log_ticks(&self, most: usize) -> Vec<Tick> {
        let (low, high) = (self.low.log10(), self.high.log10());
        let (first, last) = ((low - 1e-9).ceil() as i32, (high + 1e-9).floor() as i32);
        if last - first < 1 {
            return self.ticks_within_a_decade(most, first - 1, last + 1);
        }
        let stride = ((last - first + 1) as usize).div_ceil(most.max(2)) as i32;
        let mut ticks = Vec::new();
        for exponent in first - 1..=last {
            for multiple in 1..10 {
                let value = f64::from(multiple) * 10_f64.powi(exponent);
                let inside = value >= self.low * (1.0 - 1e-9) && value <= self.high * (1.0 + 1e-9);
                let labelled = multiple == 1 && exponent.rem_euclid(stride) == 0;
                // With many decades, minor ticks would merge into a grey haze.
                if inside && (multiple == 1 || (stride == 1 && last - first <= 8)) {
                    ticks.push(Tick { value, label: if labelled { plain_label(value) } else { String::new() } });
                }
            }
        }
        ticks
    }

    /// Ticks for a log axis too short for two powers of ten: 1, 2, 5 · 10^k if two of them fit, else linear ticks.
    fn ticks_within_a_decade(&self, most: usize, first: i32, last: i32) -> Vec<Tick> {
        let nice: Vec<f64> = (first..=last)
            .flat_map(|exponent| [1.0, 2.0, 5.0].map(|multiple| multiple * 10_f64.powi(exponent)))
            .filter(|&v| v >= self.low * (1.0 - 1e-9) && v <= self.high * (1.0 + 1e-9))
            .collect();
        if nice.len() < 2 {
            return Axis { scale: AxisScale::Linear, whole: false, ..*self }.linear_ticks(most);
        }
        nice.into_iter().map(|value| Tick { value, label: plain_label(value) }).collect()
    }
}

/// Whether a value can be drawn: not NaN, and not so close to the limits of f64 that a range would overflow.
fn drawable(scale: AxisScale, value: f64) -> bool {
    value.abs() <= 1e300 && (scale == AxisScale::Linear || value >= 1e-300)
}

/// The notation of the tables: 0.001, 1e-5. Rounded to 12 digits, so that 0.30000000000000004 is 0.3.
fn plain_label(value: f64) -> String {
    minus(significant(value, 12))
}

/// Scientific notation such as 2.5e6, with `digits` digits after the point.
fn scientific_label(value: f64, digits: usize) -> String {
    minus(format!("{value:.digits$e}"))
}

/// Replaces a leading hyphen by a minus sign, which is as wide as a digit. An exponent keeps its hyphen, as one types it.
fn minus(text: String) -> String {
    text.strip_prefix('-').map_or(text.clone(), |number| format!("\u{2212}{number}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis, most: usize) -> Vec<String> {
        axis.ticks(most).into_iter().map(|t| t.label).filter(|l| !l.is_empty()).collect()
    }

    #[test]
    fn linear_ticks_are_1_2_or_5_times_a_power_of_ten() {
        assert_eq!(labels(&Axis::between(AxisScale::Linear, 0.0, 1.0), 5), ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(&Axis::between(AxisScale::Linear, -30.0, 75.0), 6), ["−20", "0", "20", "40", "60"]);
        assert_eq!(labels(&Axis::between(AxisScale::Linear, 0.0, 4e6), 4), ["0", "1e6", "2e6", "3e6", "4e6"]);
    }

    #[test]
    fn whole_values_get_whole_ticks() {
        assert_eq!(labels(&Axis::fit(AxisScale::Linear, [0.0, 1.0, 2.0].into_iter(), 0.0), 9), ["0", "1", "2"]);
    }

    #[test]
    fn the_only_epoch_of_a_run_is_the_only_tick() {
        assert_eq!(labels(&Axis::fit(AxisScale::Linear, [0.0].into_iter(), 0.0), 9), ["0"]);
    }

    #[test]
    fn log_ticks_are_powers_of_ten_and_skip_some_when_there_are_many() {
        assert_eq!(
            labels(&Axis::between(AxisScale::Log, 1e-5, 10.0), 9),
            ["1e-5", "0.0001", "0.001", "0.01", "0.1", "1", "10"]
        );
        assert_eq!(labels(&Axis::between(AxisScale::Log, 1e-8, 1.0), 5), ["1e-8", "1e-6", "0.0001", "0.01", "1"]);
        assert_eq!(labels(&Axis::between(AxisScale::Log, 0.15, 0.6), 5), ["0.2", "0.5"]);
        assert_eq!(labels(&Axis::between(AxisScale::Log, 2.1, 2.4), 3), ["2.1", "2.2", "2.3", "2.4"]);
    }

    #[test]
    fn an_axis_without_values_or_with_one_still_has_a_length_and_ticks() {
        for scale in [AxisScale::Linear, AxisScale::Log] {
            for values in [vec![], vec![f64::NAN, f64::INFINITY], vec![0.0], vec![3.0], vec![3.0, 3.0], vec![-1.0]] {
                let axis = Axis::fit(scale, values.iter().copied(), 0.04);
                assert!(axis.low < axis.high, "{scale:?} {values:?}: {axis:?}");
                assert!(!axis.ticks(5).is_empty(), "{scale:?} {values:?}: {axis:?}");
            }
        }
    }

    #[test]
    fn extreme_values_do_not_break_an_axis() {
        for values in [[-f64::MAX, f64::MAX], [f64::MIN_POSITIVE, f64::MAX], [5e-324, 1e-310], [1.0, 1.0 + 1e-15]] {
            for scale in [AxisScale::Linear, AxisScale::Log] {
                let axis = Axis::fit(scale, values.into_iter(), 0.04);
                axis.ticks(6);
                assert!(axis.place(values[1]).is_none_or(f64::is_finite), "{scale:?} {values:?}");
            }
        }
    }

    #[test]
    fn zero_has_no_position_on_a_log_axis_except_at_its_edge() {
        assert_eq!(Axis::between(AxisScale::Log, 0.1, 10.0).place(0.0), None);
        let edge = Axis { edge: true, ..Axis::between(AxisScale::Log, 0.1, 10.0) };
        assert_eq!([0.0, 1e-9, f64::NAN, -1.0].map(|value| edge.place(value)), [Some(0.0), Some(0.0), None, None]);
        assert_eq!(Axis::between(AxisScale::Log, 0.1, 10.0).place(1.0).map(|p| (p * 1e9).round() / 1e9), Some(0.5));
    }
}
