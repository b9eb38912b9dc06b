//! A checkpoint in memory: everything that the next step depends on.

use super::state::TrainState;
use crate::config::RunConfig;
use crate::model::{Array, Parameters};
use crate::optim::State;
use anyhow::{Result, bail, ensure};
use std::collections::BTreeMap;

/// Shape and values by name.
pub type Arrays = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// A snapshot of a [`Run`](super::Run), taken between two steps and used to restore it.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    pub config: RunConfig,
    /// Digest of the images; earlier versions did not save it.
    pub dataset: Option<String>,
    pub state: TrainState,
    /// Every array of the network under PyTorch's name, running statistics included.
    pub weights: Arrays,
    /// `conv1.weight.momentum_buffer`, …
    pub optimizer: Arrays,
}

impl Checkpoint {
    /// `dataset` is the digest of the images.
    pub fn new(
        config: &RunConfig,
        dataset: &str,
        state: TrainState,
        parameters: &Parameters,
        optimizer: State<f32>,
    ) -> Self {
        let weights =
            parameters.arrays().iter().map(|array| (array.name.clone(), (array.shape.clone(), array.values.clone())));
        // Each state array has the shape of its parameter, whose name is a prefix of the array's.
        let shape = |name: &str, length: usize| {
            let parameter = name.rsplit_once('.').and_then(|(parameter, _)| parameters.get(parameter));
            parameter.map_or(vec![length], |array| array.shape.clone())
        };
        let State { steps, arrays } = optimizer;
        Self {
            config: config.clone(),
            dataset: Some(dataset.to_string()),
            state: TrainState { optimizer_steps: steps, ..state },
            weights: weights.collect(),
            optimizer: arrays.into_iter().map(|(name, v)| (name.clone(), (shape(&name, v.len()), v))).collect(),
        }
    }

    /// Whether every weight and all optimizer state is finite. A run cannot be resumed from a checkpoint that is not.
    pub fn is_finite(&self) -> bool {
        let arrays = self.weights.values().chain(self.optimizer.values());
        arrays.flat_map(|(_, values)| values).all(|value| value.is_finite())
    }

    /// Copies the weights into `parameters`.
    ///
    /// # Errors
    /// The weights belong to another network.
    pub fn fill(&self, parameters: &mut Parameters) -> Result<()> {
        ensure!(self.weights.len() == parameters.arrays().len(), "the checkpoint is of another network");
        for Array { name, shape, values, .. } in parameters.arrays_mut() {
            match self.weights.get(name) {
                Some((saved, from)) if saved == shape => values.copy_from_slice(from),
                Some((saved, _)) => {
                    bail!("the checkpoint is of another network: {name} is {saved:?}, expected {shape:?}")
                }
                None => bail!("the checkpoint is of another network: it has no {name}"),
            }
        }
        Ok(())
    }

    /// The state of the optimizer.
    pub fn optimizer_state(&self) -> State<f32> {
        let arrays = self.optimizer.iter().map(|(name, (_, values))| (name.clone(), values.clone())).collect();
        State { steps: self.state.optimizer_steps, arrays }
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
            let state = State { steps: 1, arrays: [buffer].into() };
            Checkpoint::new(&config, "", TrainState::start(Course::of(&config)), &parameters, state).is_finite()
        };
        assert!(finite(0.5, 0.5));
        for wrong in [f32::NAN, f32::INFINITY] {
            assert!(!finite(wrong, 0.5) && !finite(0.5, wrong), "{wrong}");
        }
    }
}
