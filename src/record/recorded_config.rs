//! The config in a run.json.

use super::{ComparisonRow, Results, Status};
use crate::config::{RunConfig, SettingValues, bring_up_to_date};
use crate::data::DatasetKind;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

/// The config of a run, as recorded.
#[derive(Debug, Clone, PartialEq)]
pub enum RecordedConfig {
    Known {
        config: Box<RunConfig>,
        /// Settings from another version of lrsched, kept as they are.
        rest: Map<String, Value>,
    },
    /// A config from another version of lrsched: shown as far as possible, and kept as it is.
    Unknown(Map<String, Value>),
}

impl RecordedConfig {
    /// # Errors
    /// The config is from another version and cannot be read by this one.
    pub fn known(&self) -> anyhow::Result<RunConfig> {
        match self {
            Self::Known { config, .. } => Ok((**config).clone()),
            Self::Unknown(config) => Ok(serde_json::from_value(Value::Object(config.clone()))?),
        }
    }

    /// The settings as in the file, sorted by name.
    fn written(&self) -> Map<String, Value> {
        match self {
            Self::Known { config, rest } => match serde_json::to_value(config) {
                Ok(Value::Object(config)) => config.into_iter().chain(rest.clone()).collect(),
                _ => rest.clone(),
            },
            Self::Unknown(config) => config.clone(),
        }
    }

    /// Every setting by its command-line name.
    pub fn settings(&self) -> SettingValues {
        SettingValues::of(&self.written())
    }

    /// The initial length of the run; `None` if another version did not record it.
    pub fn epochs(&self) -> Option<u64> {
        match self {
            Self::Known { config, .. } => Some(config.epochs),
            Self::Unknown(config) => config.get("epochs")?.as_u64(),
        }
    }

    /// What the run learns; `None` if another version knows a dataset that this one does not.
    pub fn dataset(&self) -> Option<DatasetKind> {
        match self {
            Self::Known { config, .. } => Some(config.dataset),
            Self::Unknown(config) => config.get("dataset")?.as_str()?.parse().ok(),
        }
    }

    /// Whether the run writes steps.csv.
    pub fn logs_steps(&self) -> bool {
        match self {
            Self::Known { config, .. } => config.log_steps,
            Self::Unknown(config) => config.get("log-steps") == Some(&Value::Bool(true)),
        }
    }

    /// The row of a run; values that another version did not record are empty, 0 or NaN.
    pub fn row(&self, run: &str, status: Status, results: Results) -> ComparisonRow {
        let config = match self {
            Self::Known { config, .. } => return ComparisonRow::new(run, config, status, results),
            Self::Unknown(config) => config,
        };
        let settings = SettingValues::of(config);
        let text = |name: &str| settings.get(name).unwrap_or_default().to_string();
        let whole = |name: &str| config.get(name).and_then(Value::as_u64).unwrap_or(0);
        let semantics = config.get("semantics").and_then(|name| Deserialize::deserialize(name).ok());
        ComparisonRow {
            run: run.to_string(),
            schedule: text("schedule"),
            optimizer: text("optimizer"),
            semantics: semantics.unwrap_or_default(),
            seed: whole("seed"),
            epochs: whole("epochs"),
            lr: config.get("lr").and_then(Value::as_f64).unwrap_or(f64::NAN),
            results,
            status,
            role: None,
        }
    }
}

impl From<&RunConfig> for RecordedConfig {
    fn from(config: &RunConfig) -> Self {
        Self::Known { config: Box::new(config.clone()), rest: Map::new() }
    }
}

impl<'a> Deserialize<'a> for RecordedConfig {
    fn deserialize<D: Deserializer<'a>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Known {
            #[serde(flatten)]
            config: Box<RunConfig>,
            #[serde(flatten)]
            rest: Map<String, Value>,
        }
        let mut written = Map::deserialize(deserializer)?;
        bring_up_to_date(&mut written);
        Ok(match serde_json::from_value(Value::Object(written.clone())) {
            Ok(Known { config, rest }) => Self::Known { config, rest },
            Err(_) => Self::Unknown(written),
        })
    }
}

impl Serialize for RecordedConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.written().serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_config_of_another_version_is_read_as_far_as_it_goes_and_written_as_it_was() {
        let written = json!({
            "schedule": "cosine", "optimizer": "sgd", "lr": 0.1, "epochs": 3, "seed": 7, "log-steps": true, "future": [1, null],
        });
        let config: RecordedConfig = serde_json::from_value(written.clone()).unwrap();
        assert!(matches!(config, RecordedConfig::Unknown(_)));
        assert_eq!((config.epochs(), config.logs_steps()), (Some(3), true));
        let row = config.row("a", Status::Finished, Results::default());
        assert_eq!((row.schedule.as_str(), row.lr, row.seed, row.epochs), ("cosine", 0.1, 7, 3));
        assert!(config.known().unwrap_err().to_string().contains("missing field"));
        assert_eq!(serde_json::to_value(&config).unwrap(), written);
    }

    #[test]
    fn the_airbench94_of_earlier_versions_is_read_as_the_network_that_it_was() {
        let now = RunConfig { model: "airbench94".parse().unwrap(), ..RunConfig::default() };
        let written = serde_json::to_value(&now).unwrap();
        let model = |written: Value| {
            let config: RecordedConfig = serde_json::from_value(written).unwrap();
            config.settings().get("model").unwrap().to_string()
        };
        assert_eq!(model(written.clone()), "airbench94");
        let mut before = written;
        before.as_object_mut().unwrap().remove("drop-last");
        assert_eq!(model(before.clone()), "airbench94-muon");
        before.as_object_mut().unwrap().remove("lr");
        assert_eq!(model(before), "airbench94-muon", "also where this version cannot read the rest");
    }

    #[test]
    fn a_setting_of_another_version_beside_those_of_this_one_is_shown_counts_and_is_kept() {
        let mut written = serde_json::to_value(RunConfig::default()).unwrap();
        written["future"] = json!([7, null]);
        let config: RecordedConfig = serde_json::from_value(written.clone()).unwrap();
        assert_eq!(config.known().unwrap(), RunConfig::default());
        assert_eq!(config.settings().get("future"), Some("[7,null]"));
        assert_ne!(config, RecordedConfig::from(&RunConfig::default()));
        assert_eq!(serde_json::to_string(&config).unwrap(), written.to_string(), "sorted by name");
    }
}
