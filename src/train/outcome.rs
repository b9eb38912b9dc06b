//! How a run ended.

use super::control::Stop;
use super::state::{LostWeights, TrainState};
use crate::engine::BatchStats;
use crate::model::Parameters;
use crate::number::{counted, rate};
use crate::record::{EpochRow, Results, Status};
use crate::stats::only_guesses;
use std::fmt;

/// How a run ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub status: Status,
    /// Why the run ended the way it did, beyond its results; a finished run may still have collapsed weights.
    pub verdict: Option<Verdict>,
    /// Why an interrupted run was stopped.
    pub stop: Option<Stop>,
    /// Whether the last checkpoint due could be made: it cannot if the weights are not finite.
    pub saved: bool,
    /// Updates made, summed over all processes that worked on the run.
    pub step: u64,
    /// The learning rate of the last update; `None` if no steps are left in which it could be changed.
    pub rate: Option<f64>,
    pub last: Option<EpochRow>,
    pub results: Results,
    pub parameters: Parameters,
}

/// Why a run ended early, or finished without a usable result.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Stopped on request.
    Stopped { epoch: u64, step: u64 },
    /// A loss was no longer finite.
    Diverged {
        /// The column with the loss: `loss` or `val_loss`.
        column: &'static str,
        loss: f64,
        epoch: u64,
        step: u64,
        learning_rate: f64,
        /// Whether the run never had a lower rate than this one, so that a warm-up may help.
        unwarmed: bool,
    },
    /// Finished, but with useless weights.
    Lost(LostWeights),
    /// Finished, and no better than guessing, which has the accuracy `chance`.
    LearnedNothing { accuracy: f64, chance: f64 },
}

/// The facts, without a remedy: that depends on how the program is used.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Stopped { epoch, step } => write!(f, "stopped in epoch {epoch} after {}", counted(*step, "step")),
            Verdict::Diverged { column, loss, epoch, step, learning_rate, .. } => write!(
                f,
                "{column} is {loss} at epoch {epoch} with rate {} (step {step}): the run diverged; its rows are kept",
                rate(*learning_rate)
            ),
            Verdict::Lost(weights) => {
                write!(f, "the run ended with {weights}: its rate was most likely too large")
            }
            Verdict::LearnedNothing { accuracy, chance } => write!(
                f,
                "the run learned nothing: its val_accuracy of {accuracy:.4} is no better than that of guessing, {chance}"
            ),
        }
    }
}

impl Outcome {
    /// The outcome of a run that ended in `state`; `chance` is the accuracy of guessing, `images` are those it is validated
    /// on, `steps` its length.
    pub(super) fn new(
        state: TrainState,
        chance: f64,
        images: usize,
        steps: u64,
        ending: Ending,
        saved: bool,
        parameters: Parameters,
    ) -> Self {
        let (status, verdict, stop, test) = match ending {
            Ending::Complete(test) => {
                let verdict = state.lost(chance).map(Verdict::Lost).or_else(|| learned_nothing(&state, chance, images));
                (Status::Finished, verdict, None, test)
            }
            Ending::Diverged(verdict) => (Status::Diverged, Some(verdict), None, None),
            Ending::Stopped(stop) => {
                let at = Verdict::Stopped { epoch: state.epoch, step: state.step };
                (Status::Interrupted, Some(at), Some(stop), None)
            }
        };
        Self {
            status,
            verdict,
            stop,
            saved,
            step: state.step,
            rate: state.applied.map(|rates| rates.learning_rate).filter(|_| state.step < steps),
            results: Results {
                test_loss: test.as_ref().map(BatchStats::loss),
                test_accuracy: test.as_ref().map(BatchStats::accuracy),
                ..state.results()
            },
            last: state.row,
            parameters,
        }
    }
}

fn learned_nothing(state: &TrainState, chance: f64, images: usize) -> Option<Verdict> {
    let accuracy = state.row.as_ref()?.val_accuracy?;
    only_guesses(accuracy, images as f64, chance).then_some(Verdict::LearnedNothing { accuracy, chance })
}

/// How the last trained epoch ended.
pub(super) enum Ending {
    /// All epochs trained, and the test images evaluated, if the run is tested.
    Complete(Option<BatchStats>),
    Diverged(Verdict),
    Stopped(Stop),
}
