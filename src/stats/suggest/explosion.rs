//! Where the loss explodes, and how far a suggestion must keep from it.

use super::loss::usual;
use super::{Answer, Method, RangePoint, climb, show};

/// The loss has exploded above this multiple of its initial value, or of its minimum so far.
const EXPLODED: (f64, f64) = (2.0, 4.0);
/// Minimum factor between a suggested rate and one at which the loss explodes.
const DISTANCE: f64 = 2.0;

/// The point at which the loss explodes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Explosion {
    /// The first rate with an exploded loss.
    pub rate: f64,
    /// The rate tested just before it.
    before: f64,
}

impl Explosion {
    /// The highest rate at a distance from it.
    pub fn highest_safe(&self) -> f64 {
        self.rate / DISTANCE
    }

    /// The answer of `method`, if it keeps its distance from the explosion. The turn of learning, and what is refined from it,
    /// are lowered until they do: where a test explodes while it still learns, the turn is the explosion.
    ///
    /// # Errors
    /// The rate of `answer` is not below the one tested just before the explosion, or is within a factor of 2 of the
    /// explosion.
    pub fn hold(&self, method: Method, answer: Answer) -> Result<Answer, String> {
        if answer.rate < self.before && answer.rate <= self.highest_safe() {
            return Ok(answer);
        }
        let at = show(self.rate);
        if method.is_for_length() {
            let reason = format!("{}; lowered to half of the rate before {at}, where the loss explodes", answer.reason);
            return Ok(Answer { rate: self.before / DISTANCE, reason });
        }
        let rate = show(answer.rate);
        Err(format!(
            "{rate} is too close to {at}, where the loss explodes; take more --steps (or --epochs), or a lower --max-lr"
        ))
    }
}

/// Finds where the loss explodes while the rate increases; `None` if it does not.
///
/// That is the first loss that is not finite, exceeds twice the median of the first few, or exceeds four times the
/// minimum so far. By then the unsmoothed loss has long exploded.
pub fn explosion(points: &[RangePoint]) -> Option<Explosion> {
    let up = climb(points);
    let first = usual(up.iter().map(|point| point.loss)).unwrap_or(f64::INFINITY);
    let mut lowest = f64::INFINITY;
    let place = up.iter().position(|point| {
        let limit = (EXPLODED.0 * first).min(EXPLODED.1 * lowest);
        lowest = lowest.min(point.loss);
        // Multiples of losses at or below 0 are no limits.
        !point.loss.is_finite() || (limit > 0.0 && point.loss > limit)
    })?;
    Some(Explosion { rate: up[place].rate, before: up[place.saturating_sub(1)].rate })
}
