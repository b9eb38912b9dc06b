//! Optimizer paths on small functions of two variables, with the same optimizers and schedules as in training: shows what rate, momentum and
//! decay do.

use crate::optim::{Clipping, Optimizer, OptimizerSpec, Slice};
use crate::schedule::{self, EpochMetrics, RunShape, Schedule, Semantics, Spec};
use crate::usage;
use crate::usage::{Usage, named};
use anyhow::Result;
use std::fmt;
use std::io::Write;

/// A function to minimise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Function {
    /// (x² + y²)/2, minimum 0 at (0, 0): the same in every direction.
    #[default]
    Bowl,
    /// (x² + 50·y²)/2, minimum 0 at (0, 0): steep across, flat along. Plain gradient descent is unstable from a rate of 2/50.
    Ravine,
    /// (1 − x)² + 100·(y − x²)², minimum 0 at (1, 1): a curved valley with a flat floor (Rosenbrock 1960).
    Rosenbrock,
    /// (x² − y²)/2 + y⁴/4, minima −1/4 at (0, ±1): the gradient vanishes at the saddle (0, 0).
    Saddle,
    /// (1.5 − x + xy)² + (2.25 − x + xy²)² + (2.625 − x + xy³)², minimum 0 at (3, 0.5): plateaus and steep walls (Beale 1958).
    Beale,
}

impl Function {
    pub const ALL: [Function; 5] =
        [Function::Bowl, Function::Ravine, Function::Rosenbrock, Function::Saddle, Function::Beale];

    pub const fn name(self) -> &'static str {
        match self {
            Function::Bowl => "bowl",
            Function::Ravine => "ravine",
            Function::Rosenbrock => "rosenbrock",
            Function::Saddle => "saddle",
            Function::Beale => "beale",
        }
    }

    /// A rate at which plain gradient descent from [`start`](Function::start) stays in the valley and makes progress in 100 steps.
    pub const fn usual_rate(self) -> f64 {
        match self {
            Function::Bowl | Function::Saddle => 0.1,
            Function::Ravine => 0.03,
            Function::Rosenbrock => 0.001,
            Function::Beale => 0.005,
        }
    }

    pub const fn formula(self) -> &'static str {
        match self {
            Function::Bowl => "(x² + y²)/2",
            Function::Ravine => "(x² + 50·y²)/2",
            Function::Rosenbrock => "(1 − x)² + 100·(y − x²)²",
            Function::Saddle => "(x² − y²)/2 + y⁴/4",
            Function::Beale => "(1.5 − x + xy)² + (2.25 − x + xy²)² + (2.625 − x + xy³)²",
        }
    }

    pub fn value(self, [x, y]: [f64; 2]) -> f64 {
        match self {
            Function::Bowl => (x * x + y * y) / 2.0,
            Function::Ravine => (x * x + 50.0 * y * y) / 2.0,
            Function::Rosenbrock => (1.0 - x).powi(2) + 100.0 * (y - x * x).powi(2),
            Function::Saddle => (x * x - y * y) / 2.0 + y.powi(4) / 4.0,
            Function::Beale => beale_residuals(x, y).into_iter().map(|residual| residual * residual).sum(),
        }
    }

    /// (∂/∂x, ∂/∂y).
    pub fn gradient(self, [x, y]: [f64; 2]) -> [f64; 2] {
        match self {
            Function::Bowl => [x, y],
            Function::Ravine => [x, 50.0 * y],
            Function::Rosenbrock => {
                let off = y - x * x;
                [-2.0 * (1.0 - x) - 400.0 * x * off, 200.0 * off]
            }
            Function::Saddle => [x, y.powi(3) - y],
            Function::Beale => {
                let [a, b, c] = beale_residuals(x, y);
                let by_x = a * (y - 1.0) + b * (y * y - 1.0) + c * (y.powi(3) - 1.0);
                let by_y = a * x + b * 2.0 * x * y + c * 3.0 * x * y * y;
                [2.0 * by_x, 2.0 * by_y]
            }
        }
    }

    /// The global minimum.
    pub const fn minimum(self) -> f64 {
        if matches!(self, Function::Saddle) { -0.25 } else { 0.0 }
    }

    /// A starting point with an instructive path.
    pub const fn start(self) -> [f64; 2] {
        match self {
            Function::Bowl => [-2.0, 1.5],
            Function::Ravine => [-2.0, 0.8],
            Function::Rosenbrock => [-1.2, 1.0],
            Function::Saddle => [1.2, 0.01],
            Function::Beale => [1.0, 1.5],
        }
    }

    /// The (low, high) ranges of x and y that a picture always shows.
    pub const fn view(self) -> [(f64, f64); 2] {
        match self {
            Function::Bowl => [(-2.5, 2.5), (-2.0, 2.0)],
            Function::Ravine => [(-2.5, 1.0), (-1.0, 1.0)],
            Function::Rosenbrock => [(-1.8, 1.8), (-0.6, 2.2)],
            Function::Saddle => [(-1.6, 1.6), (-1.5, 1.5)],
            Function::Beale => [(-0.5, 4.0), (-1.0, 2.0)],
        }
    }
}

fn beale_residuals(x: f64, y: f64) -> [f64; 3] {
    [1.5 - x + x * y, 2.25 - x + x * y * y, 2.625 - x + x * y * y * y]
}

impl std::str::FromStr for Function {
    type Err = Usage;

    fn from_str(text: &str) -> Result<Self, Usage> {
        named("function", text, Self::ALL, Self::name)
    }
}

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The settings of a walk.
#[derive(Debug, Clone, PartialEq)]
pub struct Walk {
    pub function: Function,
    pub start: [f64; 2],
    /// Updates; also the horizon T of the schedule.
    pub steps: u64,
    /// S: divides `steps`.
    pub steps_per_epoch: u64,
    pub optimizer: OptimizerSpec,
    pub schedule: Spec,
    pub learning_rate: f64,
    pub semantics: Semantics,
    pub clipping: Clipping,
}

/// The state of a walk before an update, and the rate and momentum of that update.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Iterate {
    pub step: u64,
    /// `None` for the final position, which no update follows.
    pub learning_rate: Option<f64>,
    /// The schedule's momentum, else the optimizer's; `None` for an optimizer without momentum, and for the final position.
    pub momentum: Option<f64>,
    pub at: [f64; 2],
    pub value: f64,
}

impl Walk {
    fn setting(&self) -> RunShape {
        let Walk { steps, steps_per_epoch, semantics, learning_rate, .. } = *self;
        RunShape { learning_rate, semantics, steps_per_epoch, epochs: steps / steps_per_epoch }
    }

    /// What looks wrong with the schedule in a walk of this length, one line each.
    ///
    /// # Errors
    /// An invalid schedule.
    pub fn schedule_warnings(&self) -> Result<Vec<String>, Usage> {
        schedule::warnings(&self.schedule, &self.setting())
    }

    /// Whether the schedule sets the momentum at any step.
    pub fn cycles_momentum(&self) -> bool {
        Schedule::build(&self.schedule, &self.setting())
            .is_ok_and(|schedule| (0..self.steps).any(|step| schedule.at(step).momentum.is_some()))
    }

    /// All `steps` + 1 positions from start to end, even if they become infinite or NaN.
    ///
    /// A metric-driven schedule gets the value after the epoch as `val_loss` and the mean value over its steps as `loss`; there is no accuracy.
    ///
    /// # Errors
    /// An invalid optimizer or schedule, zero steps, or a number of steps that is not a whole number of epochs.
    pub fn positions(&self) -> Result<Vec<Iterate>, Usage> {
        let Walk { steps, steps_per_epoch, .. } = *self;
        if steps == 0 || steps_per_epoch == 0 || !steps.is_multiple_of(steps_per_epoch) {
            return usage!(
                "steps must be a multiple of steps-per-epoch, both at least 1, got {steps} steps in epochs of {steps_per_epoch}"
            );
        }
        if !self.optimizer.takes(SHAPE) {
            let name = self.optimizer.name();
            return usage!("{name} updates matrices alone, and x and y are two numbers: take another optimizer");
        }
        let mut schedule = Schedule::build(&self.schedule, &self.setting())?;
        self.optimizer.check_momentum(&schedule, 0)?;
        let mut optimizer = Optimizer::new(&self.optimizer, self.semantics)?;
        let own_momentum = self.optimizer.momentum(self.semantics);
        let mut at = self.start;
        let mut positions: Vec<Iterate> = Vec::new();
        for step in 0..steps {
            let rates = schedule.at(step);
            let shown = evaluated(&optimizer, at);
            positions.push(Iterate {
                step,
                learning_rate: Some(rates.learning_rate),
                momentum: own_momentum.map(|own| rates.momentum.unwrap_or(own)),
                at: shown,
                value: self.function.value(shown),
            });
            let mut gradient = self.function.gradient(at);
            self.clipping.apply(&mut [&mut gradient[..]]);
            let slice = Slice { name: NAME, shape: SHAPE, values: &mut at, gradient: &gradient };
            optimizer.step(&mut [slice], rates);
            if (step + 1) % steps_per_epoch == 0 {
                let values = positions.iter().rev().take(steps_per_epoch as usize).map(|position| position.value);
                schedule.observe(&EpochMetrics {
                    epoch: step / steps_per_epoch,
                    loss: values.sum::<f64>() / steps_per_epoch as f64,
                    accuracy: f64::NAN,
                    val_loss: Some(self.function.value(evaluated(&optimizer, at))),
                    val_accuracy: None,
                });
            }
        }
        let at = evaluated(&optimizer, at);
        let value = self.function.value(at);
        positions.push(Iterate { step: steps, learning_rate: None, momentum: None, at, value });
        Ok(positions)
    }
}

/// The name of x and y together, as the one parameter of the optimizer.
const NAME: &str = "position";
const SHAPE: &[usize] = &[2];

/// The point that evaluation would use while the optimizer trains `at`.
fn evaluated(optimizer: &Optimizer<f64>, mut at: [f64; 2]) -> [f64; 2] {
    optimizer.move_to_evaluation_point(NAME, &mut at);
    at
}

impl fmt::Display for Walk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.optimizer, self.schedule)
    }
}

/// The columns of a walk.
pub const COLUMNS: [&str; 6] = ["step", "learning_rate", "momentum", "x", "y", "value"];

/// Writes `step,learning_rate,momentum,x,y,value`, one row per position, each number as the shortest decimal that parses back to the same f64.
///
/// With several walks, a leading column `walk` names each.
///
/// # Errors
/// `out` cannot be written.
pub fn write_csv(walks: &[(String, Vec<Iterate>)], out: impl Write) -> Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    let several = walks.len() > 1;
    writer.write_record(several.then_some("walk").into_iter().chain(COLUMNS))?;
    for (name, positions) in walks {
        for position in positions {
            let cells = cells(position, shortest);
            writer
                .write_record(several.then_some(name.as_str()).into_iter().chain(cells.iter().map(String::as_str)))?;
        }
    }
    Ok(writer.flush()?)
}

/// One cell for each of [`COLUMNS`]; a missing value is empty.
pub fn cells(position: &Iterate, number: impl Fn(f64) -> String) -> [String; 6] {
    let optional = |value: Option<f64>| value.map_or(String::new(), &number);
    let Iterate { step, learning_rate, momentum, at: [x, y], value } = *position;
    [step.to_string(), optional(learning_rate), optional(momentum), number(x), number(y), number(value)]
}

/// The shortest decimal that parses back to the same f64.
fn shortest(value: f64) -> String {
    format!("{value:?}").trim_end_matches(".0").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_minima_are_where_the_documentation_says() {
        for (function, minimum) in [
            (Function::Bowl, [0.0, 0.0]),
            (Function::Ravine, [0.0, 0.0]),
            (Function::Rosenbrock, [1.0, 1.0]),
            (Function::Saddle, [0.0, 1.0]),
            (Function::Saddle, [0.0, -1.0]),
            (Function::Beale, [3.0, 0.5]),
        ] {
            assert_eq!(function.value(minimum), function.minimum(), "{function}");
            assert_eq!(function.gradient(minimum).map(f64::abs), [0.0, 0.0], "{function}");
            assert!(function.value(function.start()) > function.minimum(), "{function}");
        }
    }

    #[test]
    fn the_gradients_are_those_of_finite_differences() {
        const STEP: f64 = 1e-6;
        for function in Function::ALL {
            for [x, y] in [[0.3, -0.7], [-1.2, 1.0], [2.0, 0.4], function.start()] {
                let by_x = (function.value([x + STEP, y]) - function.value([x - STEP, y])) / (2.0 * STEP);
                let by_y = (function.value([x, y + STEP]) - function.value([x, y - STEP])) / (2.0 * STEP);
                for (got, expected) in function.gradient([x, y]).into_iter().zip([by_x, by_y]) {
                    assert!((got - expected).abs() <= 1e-6 * (1.0 + expected.abs()), "{function}: {got}, {expected}");
                }
            }
        }
    }

    #[test]
    fn the_numbers_of_a_row_parse_back_to_the_same_bits() {
        for value in [0.1 + 0.2, -1e-300, 1e22, 0.0, 5.0, f64::INFINITY, f64::MIN_POSITIVE] {
            assert_eq!(shortest(value).parse::<f64>().unwrap(), value);
        }
        assert_eq!((shortest(5.0), shortest(f64::NAN)), ("5".to_string(), "NaN".to_string()));
    }
}
