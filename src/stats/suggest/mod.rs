//! Suggests learning rates from the curve of a learning rate range test, and from short runs at constant rates.
//!
//! Every method but the first is a pure function of the curve. A method without an answer says why; no suggestion is NaN.
//!
//! | method | suggestion | source |
//! |--------|------------|--------|
//! | [`Method::Refined`]   | of short runs at rates around the turn, and beyond it while the best is at an end, the mean of the three neighbouring rates that did best, by the odds of a correct answer | this program |
//! | [`Method::Turn`]      | the middle of the rates with the best loss and accuracy, set back by the memory of the momentum, for the length of the run | this program |
//! | [`Method::Plateau`]   | the middle of the range of rates with the best accuracy | Smith (2017), reduced to one rate |
//! | [`Method::Valley`]    | halfway through the longest fall of the loss           | fastai 2, `valley` |
//! | [`Method::Steepest`]  | the lowest d loss / d ln(rate) before the minimum       | Smith; fastai `steep`, pytorch-lr-finder |
//! | [`Method::Minimum`]   | a tenth of the rate with the lowest loss                | fastai `minimum` |
//! | [`Method::Base`]      | where the accuracy starts to rise                       | Smith (2017), section 3.3 |
//! | [`Method::Max`]       | 0.9 times the rate where it stops rising, gets ragged or falls | Smith (2017), section 3.3 |
//! | [`Method::Floor`]     | a quarter of that                                       | Smith (2017); Smith and Topin (2018) |
//!
//! The turn uses the loss of each batch, the other methods the smoothed one. Its first tenth is dropped because smoothing
//! has only just started, and its last five values because the network may have diverged (as in fastai; of 100
//! iterations these are the 10 and 5 that pytorch-lr-finder skips).

mod accuracy;
mod combine;
mod explosion;
mod loss;
mod refine;
mod turn;

pub use accuracy::smoothed_accuracy;
pub use combine::{Combined, combine, headline, range};
pub use explosion::{Explosion, explosion};
pub use loss::{Valley, steepest, valley};
pub use refine::{AROUND, ShortResult, beyond, refine, short_run};
pub use turn::{is_for_just, run_length};

use crate::number::{rounded, significant};
use crate::stats::RATE_DIGITS;
use accuracy::Accuracy;
use loss::{learned, minimum_answer, rises_after, steepest_answer, trimmed, usual, valley_answer};
use turn::turn_answer;

/// Curves with fewer values are not evaluated.
const FEWEST: usize = 8;
/// A fall of the smoothed loss by this share is learning, even if the accuracy does not show it.
const CLEAR: f64 = 0.1;
/// Upper bound on the probability of detecting a rise that is only noise.
const FALSE_ALARMS: f64 = 0.01;
/// The length of a run, in updates, whose best rate is the turn itself: three epochs of 2,000 images in batches of 32, on
/// which it was measured.
pub const MEASURED: u64 = 189;

/// One iteration of a range test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RangePoint {
    pub rate: f64,
    /// The loss of the batch.
    pub batch_loss: f64,
    /// Smoothed.
    pub loss: f64,
    /// Of the optimizer; `None` if it has none.
    pub momentum: Option<f64>,
    /// `None` if this iteration was not validated.
    pub accuracy: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Refined,
    Turn,
    Plateau,
    Valley,
    Steepest,
    Minimum,
    Base,
    Max,
    Floor,
}

impl Method {
    /// Those that read the curve, in table order. The first five suggest a rate to train with, the others bounds for a
    /// cyclical schedule.
    pub const OF_CURVE: [Method; 8] = [
        Method::Turn,
        Method::Plateau,
        Method::Valley,
        Method::Steepest,
        Method::Minimum,
        Method::Base,
        Method::Max,
        Method::Floor,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Method::Refined => "refined",
            Method::Turn => "turn",
            Method::Plateau => "plateau",
            Method::Valley => "valley",
            Method::Steepest => "steepest",
            Method::Minimum => "minimum/10",
            Method::Base => "Smith's base",
            Method::Max => "Smith's max",
            Method::Floor => "max/4",
        }
    }

    /// Whether its rate is for a run of some length. The others know no length.
    pub const fn is_for_length(self) -> bool {
        matches!(self, Method::Refined | Method::Turn)
    }

    /// Whether it suggests a rate to train with, rather than a bound.
    pub const fn is_rate(self) -> bool {
        !matches!(self, Method::Base | Method::Max | Method::Floor)
    }
}

/// A suggested rate, and the reason for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub rate: f64,
    pub reason: String,
}

/// The answer of one method, or why it has none.
#[derive(Debug, Clone, PartialEq)]
pub struct Suggestion {
    pub method: Method,
    pub answer: Result<Answer, String>,
}

/// The answers of the methods that read the curve, for one test, in the order of [`Method::OF_CURVE`]. `updates` is the length of the run that the
/// turn is for.
pub fn suggest(points: &[RangePoint], updates: u64) -> Vec<Suggestion> {
    // The points may come from a file. Drop invalid rates so that no suggestion is invalid.
    let points: Vec<RangePoint> = points.iter().copied().filter(|p| p.rate > 0.0 && p.rate.is_finite()).collect();
    let up = climb(&points);
    let (rates, losses) = trimmed(up);
    let usable = learned(&rates, &losses);
    let rises = rises_after(up, &rates, &losses);
    let accuracy = Accuracy::of(up);
    if let Some(why) = nothing_learned(up, &losses, &usable, &accuracy) {
        return Method::OF_CURVE.into_iter().map(|method| Suggestion { method, answer: Err(why.clone()) }).collect();
    }
    let of = |answer: fn(&Accuracy) -> Result<Answer, String>| accuracy.as_ref().map_err(Clone::clone).and_then(answer);
    let max = of(Accuracy::max);
    let floor = max.clone().map(|max| Answer {
        rate: max.rate / 4.0,
        reason: "a quarter of Smith's max: the lower bound of one-cycle".to_string(),
    });
    let explosion = explosion(&points);
    let answers = [
        turn_answer(
            up,
            updates,
            usable.clone(),
            accuracy.as_ref().map(|_| ()).map_err(Clone::clone),
            explosion.is_some(),
        ),
        of(Accuracy::plateau),
        usable.clone().and_then(|()| valley_answer(&rates, &losses, rises)),
        usable.clone().and_then(|()| steepest_answer(&rates, &losses)),
        usable.and_then(|()| minimum_answer(&rates, &losses, rises)),
        of(Accuracy::base),
        max,
        floor,
    ];
    let hold = |method, answer| match explosion {
        Some(explosion) => explosion.hold(method, answer),
        None => Ok(answer),
    };
    let said = Method::OF_CURVE.into_iter().zip(answers);
    said.map(|(method, answer)| Suggestion { method, answer: answer.and_then(|answer| hold(method, answer)) }).collect()
}

/// Why no method may suggest a rate: the accuracy stays at chance, and the loss falls too little to prove it wrong.
///
/// A fall of a few per cent is that of a network that merely stops being confidently wrong; the rate at which it falls
/// does not train.
fn nothing_learned(
    points: &[RangePoint],
    losses: &[f64],
    usable: &Result<(), String>,
    accuracy: &Result<Accuracy, String>,
) -> Option<String> {
    let validations = points.iter().filter(|point| point.accuracy.is_some()).count();
    let why = accuracy.as_ref().err().filter(|_| validations >= FEWEST)?;
    let clear = usual(losses.iter().copied()).is_some_and(|first| first - lowest(losses) >= CLEAR * first.abs());
    (!clear || usable.is_err()).then(|| why.clone())
}

/// The part in which the rate increases: the whole test, or the first half of a cycle.
fn climb(points: &[RangePoint]) -> &[RangePoint] {
    let end = points.windows(2).position(|pair| pair[1].rate <= pair[0].rate).map_or(points.len(), |top| top + 1);
    &points[..end]
}

fn lowest(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

/// Formats a rate to three significant digits: `0.00123`, `1.23e-5`.
pub fn show(rate: f64) -> String {
    significant(rate, RATE_DIGITS)
}

/// The rate that [`show`] formats: what is recorded and trained at is what is printed for copying.
pub fn as_printed(rate: f64) -> f64 {
    rounded(rate, RATE_DIGITS)
}
