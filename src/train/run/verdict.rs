//! What is said of a run that went wrong, and what to try.

use super::Run;
use crate::number::rate;
use crate::record::EpochRow;
use crate::schedule::Clock;

impl Run<'_> {
    /// Which loss of `row` is no longer a number, and what to try; `None` where both are.
    pub(super) fn diverged(&self, row: &EpochRow) -> Option<String> {
        let losses = [("loss", Some(row.loss)), ("val_loss", row.val_loss)];
        let (name, loss) =
            losses.into_iter().find_map(|(name, loss)| Some((name, loss.filter(|l| !l.is_finite())?)))?;
        Some(format!(
            "{name} is {loss} at epoch {} with rate {} (step {}): the run diverged; its rows are kept. {}",
            row.epoch,
            rate(row.learning_rate),
            row.step,
            self.remedy(row)
        ))
    }

    /// What to try after the loss of `row`.
    fn remedy(&self, row: &EpochRow) -> &'static str {
        // A rate that was lower before it broke the run has been warmed up to, or was set on the way.
        let first = Clock { step: 0, ..self.clock() };
        let constant = self.state.course.rates(&self.schedule, first).learning_rate >= row.learning_rate;
        if constant && self.state.changes.is_empty() {
            "Try a smaller rate (`lrsched find` suggests one), or --warmup"
        } else {
            "Try a smaller rate (`lrsched find` suggests one)"
        }
    }
}

/// What is said of a run that has come to its end with nothing to show.
pub(super) fn lost(weights: String) -> String {
    format!(
        "the run ended with {weights}: its rate was most likely too large. Try a smaller one (`lrsched find` suggests one)"
    )
}
