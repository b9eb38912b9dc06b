//! Everything that decides what a run computes, resolved: nothing here is optional because nobody typed it.

use crate::data::{Augment, BatchSize, DatasetKind, Validation};
use crate::engine::{self, DeviceChoice, EngineKind};
use crate::model::{Architecture, Model, ModelOptions};
use crate::optim::{Optimizer, OptimizerSpec};
use crate::schedule::{Schedule, Semantics, Setting, Spec};
use crate::usage::Usage;
use anyhow::Result;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One run. Serialised it is a config file of the same names as the command line, and the `config` of `run.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RunConfig {
    #[serde(serialize_with = "as_text", deserialize_with = "from_text")]
    pub dataset: DatasetKind,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub train_limit: Option<usize>,
    #[serde(serialize_with = "as_text", deserialize_with = "from_text")]
    pub validation: Validation,
    #[serde(serialize_with = "as_text", deserialize_with = "from_text")]
    pub augment: Augment,
    #[serde(serialize_with = "as_text", deserialize_with = "from_text")]
    pub model: Model,
    pub dropout: f64,
    pub label_smoothing: f64,
    #[serde(serialize_with = "as_text", deserialize_with = "from_text")]
    pub optimizer: OptimizerSpec,
    pub lr: f64,
    #[serde(serialize_with = "as_text", deserialize_with = "from_text")]
    pub schedule: Spec,
    pub semantics: Semantics,
    pub epochs: u64,
    #[serde(serialize_with = "as_text", deserialize_with = "from_text")]
    pub batch_size: BatchSize,
    pub seed: u64,
    #[serde(serialize_with = "as_text", deserialize_with = "from_text")]
    pub engine: EngineKind,
    #[serde(serialize_with = "as_text", deserialize_with = "from_text")]
    pub device: DeviceChoice,
    pub log_steps: bool,
}

fn as_text<T: std::fmt::Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

fn from_text<'a, T: std::str::FromStr<Err: std::fmt::Display>, D: Deserializer<'a>>(
    deserializer: D,
) -> Result<T, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

impl RunConfig {
    /// The schedule, for epochs of `steps_per_epoch` steps.
    pub fn schedule(&self, steps_per_epoch: u64) -> Result<Schedule, Usage> {
        let setting =
            Setting { learning_rate: self.lr, semantics: self.semantics, steps_per_epoch, epochs: self.epochs };
        Schedule::build(&self.schedule, &setting)
    }

    /// Finds what is wrong whatever the images are.
    ///
    /// # Errors
    /// A schedule or an optimizer that cannot be; a device that this build is without or that does not answer.
    pub fn check(&self, steps_per_epoch: u64) -> Result<()> {
        self.schedule(steps_per_epoch)?;
        Optimizer::<f32>::new(&self.optimizer, self.semantics)?;
        engine::check(self.engine, self.device)
    }

    pub fn architecture(&self) -> Architecture {
        self.model.architecture(&ModelOptions { dropout: self.dropout as f32, ..ModelOptions::default() })
    }
}
