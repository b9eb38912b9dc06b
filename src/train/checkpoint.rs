//! A checkpoint in memory: everything that the next step depends on.

use super::state::TrainState;
use crate::config::RunConfig;
use crate::model::{Array, Parameters, Role};
use crate::optim::State;
use anyhow::{Result, bail, ensure};
use std::collections::BTreeMap;

/// Shape and values by name.
pub type Arrays = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// What the name of an array that is trained ends with, where another one is evaluated.
const TRAINED: &str = ".trained";

/// The parameters that are trained, and those to evaluate and to save if they are others.
#[derive(Debug, Clone, Copy)]
pub struct Points<'a> {
    pub trained: &'a Parameters,
    pub evaluated: Option<&'a Parameters>,
}

/// A snapshot of a [`Run`](super::Run), taken between two steps and used to restore it.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    pub config: RunConfig,
    /// Digest of the images; earlier versions did not save it.
    pub dataset: Option<String>,
    pub state: TrainState,
    /// Every array of the network under PyTorch's name, running statistics included.
    pub weights: Arrays,
    /// `conv1.weight.momentum_buffer`, …; also `conv1.weight.trained`, …, where the weights are not those that are trained.
    pub optimizer: Arrays,
}

impl Checkpoint {
    /// `dataset` is the digest of the images.
    pub fn new(
        config: &RunConfig,
        dataset: &str,
        state: TrainState,
        points: Points<'_>,
        buffers: BTreeMap<String, Vec<f32>>,
    ) -> Self {
        let Points { trained: parameters, evaluated } = points;
        let arrays = |parameters: &Parameters, ending: &str| -> Arrays {
            let named = |array: &Array| (array.name.clone() + ending, (array.shape.clone(), array.values.clone()));
            parameters
                .arrays()
                .iter()
                .filter(|array| array.role != Role::Frozen || ending.is_empty())
                .map(named)
                .collect()
        };
        // Each state array has the shape of its parameter, whose name is a prefix of the array's.
        let shape = |name: &str, length: usize| {
            let parameter = name.rsplit_once('.').and_then(|(parameter, _)| parameters.get(parameter));
            parameter.map_or(vec![length], |array| array.shape.clone())
        };
        let mut optimizer: Arrays =
            buffers.into_iter().map(|(name, v)| (name.clone(), (shape(&name, v.len()), v))).collect();
        if evaluated.is_some() {
            optimizer.extend(arrays(parameters, TRAINED));
        }
        Self {
            config: config.clone(),
            dataset: Some(dataset.to_string()),
            state,
            weights: arrays(evaluated.unwrap_or(parameters), ""),
            optimizer,
        }
    }

    /// Whether every weight and all optimizer state is finite. A run cannot be resumed from a checkpoint that is not.
    pub fn is_finite(&self) -> bool {
        let arrays = self.weights.values().chain(self.optimizer.values());
        arrays.flat_map(|(_, values)| values).all(|value| value.is_finite())
    }

    /// Copies the weights that are trained into `parameters`.
    ///
    /// # Errors
    /// The weights belong to another network.
    pub fn fill(&self, parameters: &mut Parameters) -> Result<()> {
        ensure!(self.weights.len() == parameters.arrays().len(), "the checkpoint is of another network");
        for Array { name, shape, values, .. } in parameters.arrays_mut() {
            let trained = self.optimizer.get(&(name.clone() + TRAINED));
            match trained.or_else(|| self.weights.get(name)) {
                Some((saved, from)) if saved == shape => values.copy_from_slice(from),
                Some((saved, _)) => {
                    bail!("the checkpoint is of another network: {name} is {saved:?}, expected {shape:?}")
                }
                None => bail!("the checkpoint is of another network: it has no {name}"),
            }
        }
        Ok(())
    }

    /// The state of each optimizer, that of the base group first, and the arrays of all of them.
    pub fn optimizer_states(&self) -> (Vec<State<f32>>, BTreeMap<String, Vec<f32>>) {
        let state = |&steps: &u64, scalars: &BTreeMap<String, f64>| State {
            steps,
            arrays: BTreeMap::new(),
            scalars: scalars.clone(),
        };
        let base = state(&self.state.optimizer_steps, &self.state.optimizer_scalars);
        let groups = self.state.groups.iter().map(|group| state(&group.optimizer_steps, &group.optimizer_scalars));
        let buffers = self.optimizer.iter().filter(|(name, _)| !name.ends_with(TRAINED));
        let arrays = buffers.map(|(name, (_, values))| (name.clone(), values.clone()));
        (std::iter::once(base).chain(groups).collect(), arrays.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Course;
    use crate::model::{Model, ModelOptions, initialise};

    fn config() -> RunConfig {
        let text = r#"{"dataset": "synthetic", "validation": "30", "augment": "none", "model": "cnn", "dropout": 0.0,
            "label-smoothing": 0.0, "optimizer": "sgd", "lr": 0.1, "schedule": "constant", "semantics": "native", "epochs": 3,
            "batch-size": "16", "seed": 0, "engine": "cpu", "device": "cpu", "log-steps": false}"#;
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_checkpoint_whose_weights_or_optimizer_hold_what_is_no_number_is_told_from_a_good_one() {
        let config = config();
        let finite = |weight: f32, momentum: f32| {
            let mut parameters = initialise(&Model::default().architecture(&ModelOptions::default()), 1);
            let array = &mut parameters.arrays_mut()[3];
            array.values[7] = weight;
            let buffer = (format!("{}.momentum_buffer", array.name), vec![momentum; array.values.len()]);
            let state = TrainState { optimizer_steps: 1, ..TrainState::start(Course::of(&config)) };
            let points = Points { trained: &parameters, evaluated: None };
            Checkpoint::new(&config, "", state, points, [buffer].into()).is_finite()
        };
        assert!(finite(0.5, 0.5));
        for wrong in [f32::NAN, f32::INFINITY] {
            assert!(!finite(wrong, 0.5) && !finite(0.5, wrong), "{wrong}");
        }
    }
}
