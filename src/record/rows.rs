//! The rows of metrics.csv, steps.csv, comparison.csv, range.csv and refine.csv. Each field is a column of the same name.

use super::check::{ANYTHING, FINITE, FRACTION, LOSS, POSITIVE, within};
use super::role::RoleCells;
use super::{Results, Role, Status, files};
use crate::config::RunConfig;
use crate::schedule::{EpochMetrics, Semantics};
use crate::stats::suggest::ShortResult;
use serde::de::value::Error;
use serde::de::{DeserializeOwned, Deserializer, Error as _, Visitor};
use serde::{Deserialize, Serialize, forward_to_deserialize_any};
use std::path::{Component, Path, PathBuf};

/// A row of a CSV with a fixed header.
///
/// Floats are the shortest decimals that round-trip; an unknown value (`None`) is an empty cell; diverged is `NaN`.
pub trait Row: Serialize + DeserializeOwned {
    /// The last columns, as far as files of earlier versions lack them, in the order in which they were added. Their fields are `Option`s:
    /// they are read as `None` where they are missing. A run that was begun without them is continued without them.
    const ADDED: &'static [&'static str] = &[];

    /// The prefix of columns that some tables have besides, one for each name of theirs. They come last.
    const NAMED: Option<&'static str> = None;

    /// The values in the columns of [`Row::NAMED`].
    fn named(&self) -> &[f64] {
        &[]
    }

    /// Takes the values in the columns of [`Row::NAMED`].
    fn set_named(&mut self, _values: Vec<f64>) {}

    /// The column names, which are the field names.
    fn header() -> Vec<&'static str> {
        columns::<Self>()
    }

    /// The column that numbers the rows from 0, and its value in this row, if the table has one.
    fn place(&self) -> Option<(&'static str, u64)> {
        None
    }

    /// The first cell with a value that no run writes, and why it is invalid. In the row in which a run `diverged`,
    /// losses may have any value.
    fn wrong(&self, _diverged: bool) -> Option<String> {
        None
    }
}

/// The names of the fields of a struct, in order.
fn columns<T: DeserializeOwned>() -> Vec<&'static str> {
    let mut names = Names(&[]);
    // Records the names that the struct requests; nothing is deserialised.
    let _ = T::deserialize(&mut names);
    names.0.to_vec()
}

/// A deserialiser that records the field names a struct requests.
struct Names(&'static [&'static str]);

impl<'de> Deserializer<'de> for &mut Names {
    type Error = Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, Error> {
        self.0 = fields;
        Err(Error::custom("only the names are wanted"))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Error> {
        Err(Error::custom("not a struct"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct seq tuple
        tuple_struct map enum identifier ignored_any
    }
}

/// metrics.csv: one row per epoch.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct EpochRow {
    /// 0-based.
    pub epoch: u64,
    /// The rate at the epoch's last step.
    pub learning_rate: f64,
    /// Mean training loss over the epoch's images.
    pub loss: f64,
    /// Training accuracy, as a fraction.
    pub accuracy: f64,
    pub val_loss: Option<f64>,
    pub val_accuracy: Option<f64>,
    /// The momentum at the epoch's last step; `None` for an optimizer without momentum.
    pub momentum: Option<f64>,
    /// Updates made so far.
    pub step: u64,
    pub images_per_second: f64,
    /// Wall time of the epoch, validation included.
    pub seconds: f64,
}

impl EpochRow {
    /// Whether its epoch came to its end: a loss that is no number ends a run within one.
    pub fn is_whole(&self) -> bool {
        self.loss.is_finite()
    }
}

impl Row for EpochRow {
    fn place(&self) -> Option<(&'static str, u64)> {
        Some(("epoch", self.epoch))
    }

    fn wrong(&self, diverged: bool) -> Option<String> {
        let loss = if diverged { ANYTHING } else { LOSS };
        [
            within("learning_rate", Some(self.learning_rate), FINITE),
            within("loss", Some(self.loss), loss),
            within("accuracy", Some(self.accuracy), if diverged { ANYTHING } else { FRACTION }),
            within("val_loss", self.val_loss, loss),
            within("val_accuracy", self.val_accuracy, if diverged { ANYTHING } else { FRACTION }),
            within("momentum", self.momentum, POSITIVE),
            within("images_per_second", Some(self.images_per_second), POSITIVE),
            within("seconds", Some(self.seconds), POSITIVE),
        ]
        .into_iter()
        .find_map(Result::err)
    }
}

/// The metrics of the epoch, for schedules that listen to them.
impl From<&EpochRow> for EpochMetrics {
    fn from(row: &EpochRow) -> Self {
        let EpochRow { epoch, loss, accuracy, val_loss, val_accuracy, .. } = *row;
        Self { epoch, loss, accuracy, val_loss, val_accuracy }
    }
}

/// steps.csv: the values applied at each step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepRow {
    /// 0-based.
    pub step: u64,
    pub epoch: u64,
    pub learning_rate: f64,
    pub momentum: Option<f64>,
    pub loss: f64,
    /// The rates of the other parameter groups, in columns of their names; 0 in a frozen one.
    #[serde(skip)]
    pub groups: Vec<f64>,
}

impl Row for StepRow {
    const NAMED: Option<&'static str> = Some("learning_rate:");

    fn named(&self) -> &[f64] {
        &self.groups
    }

    fn set_named(&mut self, values: Vec<f64>) {
        self.groups = values;
    }

    fn place(&self) -> Option<(&'static str, u64)> {
        Some(("step", self.step))
    }

    fn wrong(&self, diverged: bool) -> Option<String> {
        [
            within("learning_rate", Some(self.learning_rate), FINITE),
            within("momentum", self.momentum, POSITIVE),
            within("loss", Some(self.loss), if diverged { ANYTHING } else { LOSS }),
        ]
        .into_iter()
        .find_map(Result::err)
    }
}

/// comparison.csv: one row per run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComparisonRow {
    /// The run's folder below `runs/`.
    pub run: String,
    pub schedule: String,
    pub optimizer: String,
    pub semantics: Semantics,
    pub seed: u64,
    pub epochs: u64,
    pub lr: f64,
    pub results: Results,
    pub status: Status,
    /// Its columns are those of [`Role`]; `None` where nothing is tuned or screened.
    #[serde(with = "RoleCells")]
    pub role: Option<Role>,
}

impl ComparisonRow {
    pub fn new(run: &str, config: &RunConfig, status: Status, results: Results) -> Self {
        Self {
            run: run.to_string(),
            schedule: config.schedule.to_string(),
            optimizer: config.optimizer.to_string(),
            semantics: config.semantics,
            seed: config.seed,
            epochs: config.epochs,
            lr: config.lr,
            results,
            status,
            role: None,
        }
    }

    /// The validation accuracy after the last epoch: of a run that diverged, that of guessing, `chance`. `None` for one that failed (a
    /// full disk, a damaged file), which says nothing about its entrant, and for one that has yet to end.
    pub fn accuracy_or_chance(&self, chance: f64) -> Option<f64> {
        match self.status {
            Status::Finished => self.results.val_accuracy.filter(|accuracy| accuracy.is_finite()),
            Status::Diverged => Some(chance),
            Status::Running | Status::Interrupted | Status::Failed => None,
        }
    }

    /// The run's folder within that of its comparison; `None` if its name would escape it.
    pub fn folder(&self, comparison: &Path) -> Option<PathBuf> {
        is_folder_name(&self.run).then(|| comparison.join(files::RUNS).join(&self.run))
    }
}

/// Whether it is the name of an entry of a folder, rather than a path that leads elsewhere.
pub(super) fn is_folder_name(name: &str) -> bool {
    let name = Path::new(name);
    let mut parts = name.components();
    matches!((parts.next(), parts.next()), (Some(Component::Normal(part)), None) if part == name.as_os_str())
}

impl Row for ComparisonRow {
    const ADDED: &'static [&'static str] = &RoleCells::NAMES;

    fn header() -> Vec<&'static str> {
        // Each result has a column, and each part of a role.
        let flat = |name: &'static str| match name {
            "results" => columns::<Results>(),
            "role" => columns::<RoleCells>(),
            name => vec![name],
        };
        columns::<Self>().into_iter().flat_map(flat).collect()
    }

    fn wrong(&self, _diverged: bool) -> Option<String> {
        let Results {
            loss,
            accuracy,
            val_loss,
            val_accuracy,
            best_val_accuracy,
            test_loss,
            test_accuracy,
            seconds,
            ..
        } = self.results;
        let of_run = |range| if self.status == Status::Diverged { ANYTHING } else { range };
        [
            within("lr", Some(self.lr), FINITE),
            within("loss", loss, of_run(LOSS)),
            within("accuracy", accuracy, of_run(FRACTION)),
            within("val_loss", val_loss, of_run(LOSS)),
            within("val_accuracy", val_accuracy, of_run(FRACTION)),
            within("best_val_accuracy", best_val_accuracy, FRACTION),
            within("test_loss", test_loss, of_run(LOSS)),
            within("test_accuracy", test_accuracy, of_run(FRACTION)),
            within("seconds", seconds, POSITIVE),
        ]
        .into_iter()
        .find_map(Result::err)
    }
}

/// range.csv: one row per iteration of a learning rate range test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RangeRow {
    /// 0-based.
    pub iteration: u64,
    pub learning_rate: f64,
    pub momentum: Option<f64>,
    pub loss: f64,
    /// With bias correction.
    pub smoothed_loss: f64,
    /// `None` at iterations without an evaluation.
    pub val_accuracy: Option<f64>,
}

impl Row for RangeRow {
    fn place(&self) -> Option<(&'static str, u64)> {
        Some(("iteration", self.iteration))
    }

    /// Its losses may have any value: the test goes on until they explode.
    fn wrong(&self, _diverged: bool) -> Option<String> {
        [
            within("learning_rate", Some(self.learning_rate), POSITIVE),
            within("momentum", self.momentum, POSITIVE),
            within("val_accuracy", self.val_accuracy, FRACTION),
        ]
        .into_iter()
        .find_map(Result::err)
    }
}

/// refine.csv: one row per short run at a constant rate that refines the one of a range test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RefineRow {
    pub learning_rate: f64,
    pub seed: u64,
    /// Updates made, or at which it diverged.
    pub updates: u64,
    /// After the last update; `None` if the run diverged.
    pub val_loss: Option<f64>,
    pub val_accuracy: Option<f64>,
    /// Images validated on.
    pub val_images: u64,
}

impl RefineRow {
    /// What the run reached.
    pub fn result(&self) -> ShortResult {
        ShortResult {
            rate: self.learning_rate,
            seed: self.seed,
            accuracy: self.val_accuracy,
            images: self.val_images,
            updates: self.updates,
        }
    }
}

impl Row for RefineRow {
    fn wrong(&self, _diverged: bool) -> Option<String> {
        [
            within("learning_rate", Some(self.learning_rate), POSITIVE),
            within("val_loss", self.val_loss, LOSS),
            within("val_accuracy", self.val_accuracy, FRACTION),
        ]
        .into_iter()
        .find_map(Result::err)
    }
}
