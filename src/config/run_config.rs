//! The resolved config of a run: everything that decides what it computes, defaults filled in.

use super::SettingValues;
use super::settings::{Check, SETTINGS};
use crate::data::{Augment, BatchSize, DatasetKind, LossReduction, Tta, Validation};
use crate::engine::{DeviceChoice, EngineKind};
use crate::model::{Architecture, Model, ModelOptions, Role, slots};
use crate::optim::{Average, AverageSpec, Clipping, Grouping, OptimizerSpec, ParamGroup};
use crate::schedule::{RunShape, Schedule, Semantics, Spec, total_steps};
use crate::usage;
use crate::usage::Usage;
use anyhow::Result;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

/// One run. Serialised, it is a config file with the names of the command line, and the `config` of `run.json`.
///
/// The default has the defaults of its types: `lr` and `epochs` are 0 until they are resolved. A field added in a later
/// version needs `#[serde(default)]`, so that run folders of earlier versions can still be read.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RunConfig {
    #[serde(serialize_with = "as_text", deserialize_with = "from_text")]
    pub dataset: DatasetKind,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub train_limit: Option<usize>,
    #[serde(serialize_with = "as_number_or_text", deserialize_with = "from_number_or_text")]
    pub validation: Validation,
    #[serde(serialize_with = "as_text", deserialize_with = "from_text")]
    pub augment: Augment,
    #[serde(serialize_with = "as_text", deserialize_with = "from_text")]
    pub model: Model,
    pub dropout: f64,
    pub label_smoothing: f64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub clip_norm: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub clip_value: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub average: Option<AverageSpec>,
    #[serde(serialize_with = "as_text", deserialize_with = "from_text")]
    pub optimizer: OptimizerSpec,
    pub lr: f64,
    #[serde(serialize_with = "as_text", deserialize_with = "from_text")]
    pub schedule: Spec,
    pub semantics: Semantics,
    pub epochs: u64,
    #[serde(serialize_with = "as_number_or_text", deserialize_with = "from_number_or_text")]
    pub batch_size: BatchSize,
    #[serde(default)]
    pub drop_last: bool,
    #[serde(serialize_with = "as_text", deserialize_with = "from_text", default)]
    pub loss_reduction: LossReduction,
    pub seed: u64,
    #[serde(serialize_with = "as_text", deserialize_with = "from_text", default)]
    pub tta: Tta,
    #[serde(serialize_with = "as_text", deserialize_with = "from_text")]
    pub engine: EngineKind,
    #[serde(serialize_with = "as_text", deserialize_with = "from_text")]
    pub device: DeviceChoice,
    pub log_steps: bool,
    /// The first that matches a parameter has it. Last, as TOML wants tables to be.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub group: Vec<ParamGroup>,
}

fn as_text<T: std::fmt::Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

fn from_text<'a, T: std::str::FromStr<Err: std::fmt::Display>, D: Deserializer<'a>>(
    deserializer: D,
) -> Result<T, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

/// `128` as a number, `full` as text.
fn as_number_or_text<T: std::fmt::Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    let text = value.to_string();
    match text.parse() {
        Ok(number) => serializer.serialize_u64(number),
        Err(_) => serializer.serialize_str(&text),
    }
}

/// Earlier versions wrote numbers as text too.
fn from_number_or_text<'a, T: std::str::FromStr<Err: std::fmt::Display>, D: Deserializer<'a>>(
    deserializer: D,
) -> Result<T, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum NumberOrText {
        Number(u64),
        Text(String),
    }
    let text = match NumberOrText::deserialize(deserializer)? {
        NumberOrText::Number(number) => number.to_string(),
        NumberOrText::Text(text) => text,
    };
    text.parse().map_err(D::Error::custom)
}

/// Brings a config as an earlier version wrote it up to date, which the settings that it lacks show.
///
/// Before there was `drop-last`, `airbench94` was the network that is `airbench94-muon` today, but for initial weights.
pub fn bring_up_to_date(config: &mut Map<String, Value>) {
    let model = config.get("model").and_then(Value::as_str);
    if model == Some("airbench94") && !config.contains_key("drop-last") {
        config.insert("model".to_string(), "airbench94-muon".into());
    }
}

impl RunConfig {
    /// Reads a config that any version wrote, for `#[serde(deserialize_with)]`.
    ///
    /// # Errors
    /// A setting is missing, or this version cannot read its value.
    pub fn of_any_version<'a, D: Deserializer<'a>>(deserializer: D) -> Result<Self, D::Error> {
        let mut config = Map::deserialize(deserializer)?;
        bring_up_to_date(&mut config);
        serde_json::from_value(Value::Object(config)).map_err(D::Error::custom)
    }

    /// The number of epochs if no length was given.
    pub const USUAL_EPOCHS: u64 = 30;

    /// Every setting by its command-line name.
    pub fn settings(&self) -> SettingValues {
        SettingValues::of_config(self)
    }

    /// The schedule, built for epochs of `steps_per_epoch` steps.
    pub fn schedule(&self, steps_per_epoch: u64) -> Result<Schedule, Usage> {
        let setting =
            RunShape { learning_rate: self.lr, semantics: self.semantics, steps_per_epoch, epochs: self.epochs };
        Schedule::build(&self.schedule, &setting)
    }

    /// The training images of its dataset that validation and `train-limit` leave.
    pub fn train_images(&self) -> usize {
        let held_out = match self.validation {
            Validation::Holdout(images) => images,
            Validation::Test => 0,
        };
        let left = self.dataset.train_images().saturating_sub(held_out);
        self.train_limit.map_or(left, |limit| limit.min(left))
    }

    /// Updates per epoch of `images` training images.
    ///
    /// # Errors
    /// The batch is larger than that.
    pub fn steps_per_epoch(&self, images: usize) -> Result<u64, Usage> {
        self.batch_size.steps_per_epoch(images, self.drop_last)
    }

    /// How many of `images` training images an epoch shows.
    ///
    /// # Errors
    /// As [`RunConfig::steps_per_epoch`].
    pub fn images_per_epoch(&self, images: usize) -> Result<u64, Usage> {
        let batch = self.batch_size.images(images)? as u64;
        Ok((self.steps_per_epoch(images)? * batch).min(images as u64))
    }

    /// The range check of each setting that has one, with the setting's name.
    pub fn checks(&self) -> impl Iterator<Item = (&'static str, Result<(), Usage>)> {
        SETTINGS.iter().filter_map(|setting| match setting.check? {
            Check::Run(check) => Some((setting.name, check(self))),
            Check::RangeTest(_) => None,
        })
    }

    /// Checks that `count` consecutive seeds, starting at this run's, fit in an i64, the largest integer that other
    /// TOML and JSON readers accept.
    ///
    /// # Errors
    /// They do not.
    pub fn check_seeds(&self, count: u64) -> Result<(), Usage> {
        let (first, most) = (self.seed, i64::MAX.cast_unsigned());
        if first > most {
            return usage!("seed must be a whole number from 0 to {most}, got {first}");
        }
        match first.checked_add(count.saturating_sub(1)) {
            Some(last) if last <= most => Ok(()),
            _ => usage!("{count} seeds from {first} on go beyond {most}, the largest; take a smaller --seed"),
        }
    }

    /// The average that is evaluated and saved, for epochs of `steps_per_epoch` steps.
    ///
    /// # Errors
    /// One that does not fit the run.
    pub fn average(&self, steps_per_epoch: u64) -> Result<Option<Average>, Usage> {
        let Some(spec) = &self.average else { return Ok(None) };
        Ok(Some(spec.in_run(steps_per_epoch, total_steps(self.epochs, steps_per_epoch)?)?))
    }

    pub fn clipping(&self) -> Clipping {
        Clipping { norm: self.clip_norm, value: self.clip_value }
    }

    /// The trainable parameters of a network, divided into groups.
    ///
    /// # Errors
    /// As [`Grouping::new`].
    pub fn grouping(&self, architecture: &Architecture) -> Result<Grouping, Usage> {
        let slots = slots(architecture);
        let trainable = slots.iter().filter(|slot| slot.role == Role::Trainable);
        let named = trainable.map(|slot| (slot.name.as_str(), slot.shape.as_slice()));
        Grouping::new(&self.group, &self.optimizer, self.semantics, named)
    }

    pub fn architecture(&self) -> Architecture {
        self.model.architecture(&ModelOptions { dropout: self.dropout as f32, classes: self.dataset.classes() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn written(batch_size: serde_json::Value, validation: serde_json::Value) -> serde_json::Value {
        json!({
            "dataset": "synthetic", "validation": validation, "augment": "none", "model": "cnn", "dropout": 0.0,
            "label-smoothing": 0.0, "optimizer": "sgd", "lr": 0.1, "schedule": "constant", "semantics": "native", "epochs": 3,
            "batch-size": batch_size, "drop-last": false, "loss-reduction": "mean", "seed": 0, "tta": "none", "engine": "cpu", "device": "cpu", "log-steps": false,
        })
    }

    #[test]
    fn sizes_are_numbers_in_a_file_words_stay_words_and_earlier_files_with_numbers_as_text_are_the_same() {
        let now = written(json!(16), json!(50));
        for old in [now.clone(), written(json!("16"), json!("50"))] {
            let config: RunConfig = serde_json::from_value(old).unwrap();
            assert_eq!(serde_json::to_value(&config).unwrap(), now);
            assert_eq!((config.batch_size, config.validation), (BatchSize::Images(16), Validation::Holdout(50)));
        }
        let words = written(json!("full"), json!("test"));
        let config: RunConfig = serde_json::from_value(words.clone()).unwrap();
        assert_eq!(serde_json::to_value(&config).unwrap(), words);
        for wrong in [json!(0), json!(-1), json!(1.5), json!("many")] {
            assert!(serde_json::from_value::<RunConfig>(written(wrong.clone(), json!(50))).is_err(), "{wrong}");
        }
    }
}
