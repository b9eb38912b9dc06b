//! An optimizer on one small problem under the semantics of each framework: where they part.

use crate::optim::{Optimizer, OptimizerSpec, Slice};
use crate::schedule::{EpochMetrics, RunShape, Schedule, Semantics, Spec};
use crate::usage::Usage;

/// Sides of the weights: a matrix, so that every optimizer takes them.
const SHAPE: [usize; 2] = [2, 3];
const LENGTH: usize = SHAPE[0] * SHAPE[1];
const NAME: &str = "weight";

/// Positions closer than this, relative to their size, are the same: the order of operations rounds differently.
const SAME: f64 = 1e-9;

/// The weights before the first update and after each, and their losses.
///
/// The loss is Σ hₖ·(θₖ − cₖ)²/2 with curvatures from 0.5 to 2, and every gradient has noise, the same for all:
///
/// ```text
/// gₖ = hₖ·(θₖ − cₖ) + 0.3·sin(1.7·t + k)
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Trail {
    pub weights: Vec<[f64; LENGTH]>,
    pub losses: Vec<f64>,
}

fn curvature(k: usize) -> f64 {
    0.5 * (1 + k % 4) as f64
}

fn centre(k: usize) -> f64 {
    (k as f64).sin()
}

fn loss(weights: &[f64; LENGTH]) -> f64 {
    weights.iter().enumerate().map(|(k, w)| curvature(k) * (w - centre(k)).powi(2) / 2.0).sum()
}

fn gradient(weights: &[f64; LENGTH], step: u64) -> [f64; LENGTH] {
    let noise = |k: usize| 0.3 * (1.7 * step as f64 + k as f64).sin();
    std::array::from_fn(|k| curvature(k) * (weights[k] - centre(k)) + noise(k))
}

impl Trail {
    /// A schedule that depends on metrics sees a loss that never improves.
    ///
    /// # Errors
    /// An option or a schedule that does not exist under these semantics.
    pub fn follow(optimizer: &OptimizerSpec, schedule: &Spec, run: &RunShape) -> Result<Self, Usage> {
        Self::follow_as(run.semantics, optimizer, schedule, run)
    }

    /// The same with the optimizer of one framework under the schedule of another, that of the run.
    ///
    /// # Errors
    /// As [`Trail::follow`].
    pub fn follow_as(
        semantics: Semantics,
        optimizer: &OptimizerSpec,
        schedule: &Spec,
        run: &RunShape,
    ) -> Result<Self, Usage> {
        let mut schedule = Schedule::build(schedule, run)?;
        let mut optimizer = Optimizer::new(optimizer, semantics)?;
        let mut weights: [f64; LENGTH] = std::array::from_fn(|k| (k as f64).cos());
        let mut trail = Self { weights: vec![weights], losses: vec![loss(&weights)] };
        for step in 0..run.total_steps() {
            let gradient = gradient(&weights, step);
            let slice = Slice { name: NAME, shape: &SHAPE, values: &mut weights, gradient: &gradient };
            optimizer.step(&mut [slice], schedule.at(step));
            let mut evaluated = weights;
            optimizer.move_to_evaluation_point(NAME, &mut evaluated);
            trail.weights.push(evaluated);
            trail.losses.push(loss(&evaluated));
            if (step + 1) % run.steps_per_epoch == 0 {
                schedule.observe(&EpochMetrics {
                    epoch: step / run.steps_per_epoch,
                    loss: 1.0,
                    accuracy: 0.5,
                    val_loss: Some(1.0),
                    val_accuracy: Some(0.5),
                });
            }
        }
        Ok(trail)
    }

    /// The largest difference of any weight after update `step`.
    fn apart(&self, other: &Self, step: usize) -> f64 {
        let pairs = self.weights[step + 1].iter().zip(&other.weights[step + 1]);
        // What is not finite is the same only if it is so to the bit.
        let apart = |(a, b): (&f64, &f64)| match (a - b).abs() {
            distance if distance.is_nan() => {
                if a.to_bits() == b.to_bits() {
                    0.0
                } else {
                    f64::INFINITY
                }
            }
            distance => distance,
        };
        pairs.map(apart).fold(0.0, f64::max)
    }

    /// Where it leaves `other`; `None` if it never does.
    pub fn parting(&self, other: &Self) -> Option<Parting> {
        let steps = 0..self.weights.len() - 1;
        let size = |step: usize| self.weights[step + 1].iter().fold(1.0, |size: f64, weight| size.max(weight.abs()));
        let first = steps.clone().find(|&step| self.apart(other, step) > SAME * size(step))?;
        let moved = (0..LENGTH).map(|k| (self.weights[first + 1][k] - self.weights[first][k]).abs());
        let widest = steps.max_by(|&a, &b| self.apart(other, a).total_cmp(&self.apart(other, b)).then(b.cmp(&a)))?;
        Some(Parting {
            step: first as u64,
            by: self.apart(other, first),
            moved: moved.fold(0.0, f64::max),
            widest: widest as u64,
            widest_by: self.apart(other, widest),
        })
    }
}

/// How two trails part. Distances are those of the weight that differs most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parting {
    /// The first update after which they differ.
    pub step: u64,
    pub by: f64,
    /// How far that update moved the first one.
    pub moved: f64,
    pub widest: u64,
    pub widest_by: f64,
}

/// Semantics that never part, and their trail.
#[derive(Debug, Clone, PartialEq)]
pub struct Camp {
    pub members: Vec<Semantics>,
    pub trail: Trail,
}

/// The camps of an optimizer, and why some of the semantics are in none.
#[derive(Debug)]
pub struct Camps {
    pub camps: Vec<Camp>,
    pub refused: Vec<Usage>,
}

impl Camps {
    /// Frameworks that do not have the optimizer are left out.
    ///
    /// # Errors
    /// An invalid optimizer or schedule.
    pub fn of(optimizer: &OptimizerSpec, schedule: &Spec, run: &RunShape) -> Result<Self, Usage> {
        let (mut camps, mut refused): (Vec<Camp>, Vec<Usage>) = Default::default();
        for semantics in Semantics::ALL.into_iter().filter(|&semantics| optimizer.exists_in(semantics)) {
            let trail = match Trail::follow(optimizer, schedule, &run.with(semantics)) {
                Ok(trail) => trail,
                Err(error) if semantics == Semantics::Native => return Err(error),
                Err(error) => {
                    refused.push(error);
                    continue;
                }
            };
            match camps.iter_mut().find(|camp| camp.trail.parting(&trail).is_none()) {
                Some(camp) => camp.members.push(semantics),
                None => camps.push(Camp { members: vec![semantics], trail }),
            }
        }
        Ok(Self { camps, refused })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parted(optimizer: &str) -> Vec<Vec<Semantics>> {
        let run = RunShape::new(0.01, 2, 20);
        let camps = Camps::of(&optimizer.parse().unwrap(), &"constant".parse().unwrap(), &run).unwrap().camps;
        camps.into_iter().map(|camp| camp.members).collect()
    }

    #[test]
    fn the_frameworks_part_where_their_formulas_differ_and_nowhere_else() {
        use Semantics::{Keras, Native, Optax, Torch};
        assert_eq!(parted("sgd"), [vec![Native, Torch, Keras, Optax]]);
        assert_eq!(parted("adagrad"), [vec![Native, Torch], vec![Keras, Optax]]);
        assert_eq!(parted("nadam"), [vec![Native, Torch], vec![Keras], vec![Optax]]);
        assert_eq!(parted("muon"), [vec![Native], vec![Torch], vec![Keras], vec![Optax]]);
        assert_eq!(parted("prodigy"), [vec![Native], vec![Optax]]);
    }

    #[test]
    fn the_first_step_apart_is_named_with_its_size() {
        let run = |semantics| RunShape::new(0.1, 1, 3).with(semantics);
        let trail = |semantics| {
            let (optimizer, schedule) = ("sgd:momentum=0.9".parse().unwrap(), "expr:lr*0.1^t".parse().unwrap());
            Trail::follow(&optimizer, &schedule, &run(semantics)).unwrap()
        };
        let parting = trail(Semantics::Torch).parting(&trail(Semantics::Keras)).unwrap();
        // The first update is the same in both: its rate has not changed yet.
        assert_eq!(parting.step, 1);
        assert!(parting.by > 0.0 && parting.widest_by >= parting.by, "{parting:?}");
        assert_eq!(trail(Semantics::Torch).parting(&trail(Semantics::Native)), None);
        let mut broken = trail(Semantics::Native);
        broken.weights[2][0] = f64::NAN;
        assert_eq!(trail(Semantics::Native).parting(&broken).unwrap().step, 1, "NaN is no number's equal");
        assert_eq!(broken.parting(&broken), None);
    }
}
