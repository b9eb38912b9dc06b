//! Cosine annealing with warm restarts.

use super::curve::Easing;
use crate::builder::{Builder, setters};
use crate::code::{Code, Expression, Known, Scalar};
use crate::spec::{Bounds, Entry, Parameter};
use crate::{Formula, Outline, Rates, ScheduleRow, Semantics, Unit};

/// Cosine annealing with warm restarts: repeated cosines from lr to `end_lr`.
///
/// ```text
/// rate(t) = end_lr + (peakᵢ − end_lr) · (1 + cos(π · u / Pᵢ)) / 2
/// i: cycles completed before t;  u: steps since the last restart;  Pᵢ = period · period_mult^i
/// peak₀ = lr;  peakᵢ = max(lr · lr_mult^i, end_lr)
/// ```
///
/// | parameter     | unit     | range    | default |
/// |---------------|----------|----------|---------|
/// | `period`      | duration | ≥ 1 step | 10 (ep) |
/// | `period-mult` | ratio    | ≥ 1      | 1       |
/// | `lr-mult`     | ratio    | > 0      | 1       |
/// | `end-lr`      | rate     | ≥ 0      | 0       |
///
/// A peak that `lr-mult` would shrink below `end-lr` is clamped to `end-lr`, where the rate then stays, unless lr
/// itself is below `end-lr`. With `--semantics optax` the cycles begin below `end-lr` and rise to it, as those of
/// `sgdr_schedule` do.
/// Loshchilov & Hutter, SGDR (2017); PyTorch's `CosineAnnealingWarmRestarts`, optax's `sgdr_schedule`. Keras's
/// `CosineDecayRestarts` (`--semantics keras`) shrinks the amplitude above `end_lr` instead of the peak, (lr − end_lr)
/// · lr_mult^i, which differs if `end-lr` is not 0 and `lr-mult` is not 1; it also computes the cycle in f32, which may
/// restart a step late.
///
#[doc = include_str!("../../pictures/cosine-restarts.svg")]
///
/// Draw it: `lrsched show --schedule cosine-restarts:period=2,period-mult=2`
///
/// # Errors
/// A `period` of 0, a `period-mult` below 1, a `lr-mult` that is not positive or makes a peak of the run infinite or (with
/// `--semantics keras` and lr below `end-lr`) negative, a negative `end-lr`.
///
/// ```
/// use lrsched_schedule::{Schedule, RunShape};
/// let spec = "cosine-restarts:period=10st,period-mult=2,lr-mult=0.5".parse()?;
/// let schedule = Schedule::build(&spec, &RunShape::new(0.4, 8, 10))?;
/// assert_eq!([0, 5, 10, 20, 30].map(|t| schedule.at(t).learning_rate), [0.4, 0.2, 0.2, 0.1, 0.1]);
/// let floor = Schedule::build(&"cosine-restarts:period=10st,lr-mult=0.5,end-lr=0.15".parse()?, &RunShape::new(0.4, 4, 10))?;
/// assert_eq!([0, 10, 20, 25, 30].map(|t| floor.at(t).learning_rate), [0.4, 0.2, 0.15, 0.15, 0.15]);
/// # Ok::<(), lrsched_schedule::UsageError>(())
/// ```
#[derive(Debug, Clone)]
pub struct CosineRestarts(Builder);

setters!(CosineRestarts, "cosine-restarts", period: duration, period_mult: number, lr_mult: number, end_lr: rate);

#[derive(Debug, Clone)]
struct Curve {
    lr: f64,
    end_lr: f64,
    /// In steps.
    period: u64,
    period_mult: f64,
    lr_mult: f64,
    /// The lower bound of the peaks; 0 for none.
    floor: f64,
    /// Scale the amplitude above `end_lr` instead of the peak, and compute the cycle in f32.
    keras: bool,
    /// T, the cycles before which code lists.
    horizon: u64,
}

pub(super) const ROWS: &[ScheduleRow] = &[ScheduleRow {
    entry: Entry {
        name: "cosine-restarts",
        summary: "repeated cosine cycles from lr to end-lr",
        formula: "rate(t) = end_lr + (peak_i - end_lr) * (1 + cos(pi * u / P_i)) / 2,  i: cycles before, u: steps since the last restart, peak_0 = lr, peak_i = max(lr * lr_mult^i, end_lr), P_i = period * period_mult^i",
        parameters: &[
            Parameter::duration("period", Unit::Epochs, "10", "duration of the first cycle"),
            Parameter::number(
                "period-mult",
                Bounds::at_least(1.0),
                "1",
                "length of each cycle relative to the previous one",
            ),
            Parameter::number("lr-mult", Bounds::above(0.0), "1", "factor of the peak at each restart")
                .only_of(&[Semantics::Keras, Semantics::Optax]),
            Parameter::rate("end-lr", "0", "rate at the end of each cycle"),
        ],
        source: "Loshchilov & Hutter, SGDR; PyTorch CosineAnnealingWarmRestarts; Keras CosineDecayRestarts; optax sgdr_schedule",
        entrant: Some("cosine-restarts:period=40%,period-mult=1.5"),
    },
    frameworks: Semantics::FRAMEWORKS,
    build: |a| {
        let end_lr = a.rate("end-lr")?;
        let kept = a.semantics != Semantics::Optax && a.lr >= end_lr;
        Ok(Box::new(Curve {
            lr: a.lr,
            end_lr,
            period: a.steps("period"),
            period_mult: a.number("period-mult"),
            lr_mult: a.number("lr-mult"),
            floor: if kept { end_lr } else { 0.0 },
            keras: a.semantics == Semantics::Keras,
            horizon: a.horizon,
        }))
    },
}];

/// Relative tolerance for a restart: 10 + 10 · 1.1 steps are 21, whichever way f64 rounds them.
const DUE: f64 = 1e-12;

/// For a period-mult this close to 1, subtracting 1 from its power loses digits.
const NEAR_1: f64 = 1e-3;

impl Curve {
    /// The cycle of `t`, and its completed fraction in [0, 1).
    fn cycle(&self, t: u64) -> (i32, f64) {
        if self.period_mult == 1.0 {
            return (whole(t / self.period), (t % self.period) as f64 / self.period as f64);
        }
        // In units of the first period: cycle i begins at 1 + m + ... + m^(i−1) = (m^i − 1) / (m − 1).
        let (now, grows) = (t as f64 / self.period as f64, self.period_mult - 1.0);
        let start = |cycle: u64| {
            if grows < NEAR_1 {
                (cycle as f64 * grows.ln_1p()).exp_m1() / grows
            } else {
                (self.period_mult.powi(whole(cycle)) - 1.0) / grows
            }
        };
        let due = |cycle| start(cycle) <= now * (1.0 + DUE);
        // Off by one at most.
        let near = ((now * grows).ln_1p() / grows.ln_1p()) as u64;
        let cycle = (near.saturating_sub(1)..=near + 1).rev().find(|&cycle| due(cycle)).unwrap_or(0);
        let over = (now - start(cycle)).max(0.0) / self.period_mult.powi(whole(cycle));
        (whole(cycle), over)
    }

    /// The cycle of step `t` and its completed fraction, under these semantics.
    fn now(&self, t: u64) -> (i32, f64) {
        if self.keras { self.keras_cycle(t) } else { self.cycle(t) }
    }

    /// The rate at the start of a cycle.
    fn peak(&self, cycle: i32) -> f64 {
        let shrink = self.lr_mult.powi(cycle);
        if self.keras { self.end_lr + (self.lr - self.end_lr) * shrink } else { (self.lr * shrink).max(self.floor) }
    }

    /// Keras computes the cycle with a logarithm in f32, so rounding decides where it begins.
    fn keras_cycle(&self, t: u64) -> (i32, f64) {
        let (now, mult) = (t as f32 / self.period as f32, self.period_mult as f32);
        if mult == 1.0 {
            return (now as i32, f64::from(now.fract()));
        }
        // Logarithms correctly rounded to f32, independent of the platform's own.
        let ln = |x: f32| f64::from(x).ln() as f32;
        let cycle = (ln(1.0 - now * (1.0 - mult)) / ln(mult)).floor();
        let start = (1.0 - mult.powf(cycle)) / (1.0 - mult);
        (cycle as i32, f64::from((now - start) / mult.powf(cycle)))
    }
}

/// Code lists at most so many cycles of different lengths.
const MOST_LISTED: i32 = 100;

impl Curve {
    /// The rate as an expression; `None` for Keras's, which is computed in f32, and for too many cycles to list.
    fn expression(&self) -> Option<Expression> {
        if self.keras {
            return None;
        }
        let (t, period) = (Expression::Step, self.period as f64);
        if self.period_mult == 1.0 {
            let x = t.clone().modulo(period) / period;
            if self.lr_mult == 1.0 {
                return Some(Easing::Cosine.between(self.peak(0), self.end_lr, x));
            }
            let shrink = Expression::from(self.lr_mult).power((t / period).floored());
            let peak = shrink * self.lr;
            let peak = if self.floor > 0.0 { peak.maximum(self.floor) } else { peak };
            return Some(Easing::Cosine.between(1.0, 0.0, x) * (peak - self.end_lr) + self.end_lr);
        }
        let (last, _) = self.cycle(self.horizon);
        if last > MOST_LISTED {
            return None;
        }
        let of_cycle = |cycle: i32| {
            let start = (0..cycle).map(|before| period * self.period_mult.powi(before)).sum::<f64>();
            let x = (t.clone() - start) / (period * self.period_mult.powi(cycle));
            (start, Easing::Cosine.between(self.peak(cycle), self.end_lr, x))
        };
        let (mut next, mut code) = of_cycle(last);
        for cycle in (0..last).rev() {
            let (start, curve) = of_cycle(cycle);
            // The first step of the next cycle, whichever way f64 rounds its start.
            let limit = (next * (1.0 - DUE)).ceil();
            code = t.clone().below(limit, |_| curve, |_| code);
            next = start;
        }
        Some(code)
    }
}

/// Converts to an exponent.
fn whole(cycle: u64) -> i32 {
    i32::try_from(cycle).unwrap_or(i32::MAX)
}

impl Formula for Curve {
    fn outline(&self) -> Outline {
        Outline { floor: Some(self.end_lr), cycle: Some(self.period), ..Outline::default() }
    }

    fn rates(&self, t: u64) -> Rates {
        let (cycle, x) = self.now(t);
        Rates::of(Easing::Cosine.between(self.peak(cycle), self.end_lr, x))
    }

    fn code(&self) -> Option<Code> {
        self.expression().map(Code::of)
    }

    fn known(&self) -> Option<Known> {
        let (lr, end, period, period_mult, lr_mult) =
            (self.lr, self.end_lr, self.period, self.period_mult, self.lr_mult);
        Some(Known::Restarts { lr, end, period, period_mult, lr_mult })
    }
}
