//! `--grid`: the values that a comparison crosses its entrants with.

use super::Given;
use super::axis_key::{AxisKey, RATE};
use super::given::{Source, TableKey, boolean, negated};
use super::settings::POSITIVE;
use crate::number::grouped;
use crate::optim::check_rate;
use crate::usage;
use crate::usage::{Usage, shortened};
use std::collections::HashMap;

/// The most runs of a comparison: a mistyped grid or number of seeds should fill neither memory nor a disk.
pub const MOST_RUNS: u64 = 10_000;

/// The setting.
const NAME: &str = "grid";

/// One key of a grid and its values, as typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Axis {
    pub key: String,
    /// At least one, no two alike.
    pub values: Vec<String>,
    source: Source,
}

/// The keys in the order given. Every combination of their values is a point; the last key varies fastest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grid {
    pub axes: Vec<Axis>,
}

impl Grid {
    /// The grid that was given. Of a key that is also a flag, the place of higher precedence counts: either the key is
    /// left out of the grid, or the flag is removed from `given`.
    ///
    /// # Errors
    /// A key that is no setting or cannot vary, is given twice in one place, or is a flag of the same place; a value that is missing, given twice, or
    /// wrong whatever the entrant.
    pub fn of(given: &mut Given) -> Result<Self, Usage> {
        let mut axes = Vec::new();
        let mut overridden = Vec::new();
        for key in given.table(NAME)? {
            let sourced = |error: Usage| given.with_source_of_key(NAME, key.source, &error);
            let axis = Axis::of(key).map_err(sourced)?;
            let flags = [axis.key.clone(), negated(&axis.key)];
            let flag = flags.iter().filter_map(|flag| Some((given.source(flag)?, flag))).max();
            if let Some((source, flag)) = flag
                && source == axis.source
            {
                let what = format!("{flag} is given both by itself and in the grid; leave one out");
                return Err(sourced(Usage(what)));
            }
            if flag.is_none_or(|(source, _)| source < axis.source) {
                overridden.extend(flags);
                axes.push(axis);
            }
        }
        overridden.iter().for_each(|flag| given.forget(flag));
        Ok(Self { axes })
    }

    /// The axis of this key.
    pub fn axis(&self, key: &str) -> Option<&Axis> {
        self.axes.iter().find(|axis| axis.key == key)
    }

    /// The error, prefixed with the place that gave the axis of `key`; `None` if the grid has none.
    pub fn with_source(&self, given: &Given, key: &str, error: &Usage) -> Option<Usage> {
        self.axis(key).map(|axis| given.with_source_of_key(NAME, axis.source, error))
    }

    /// As the `[grid]` of a config file.
    pub fn to_toml(&self) -> toml::Table {
        let values = |axis: &Axis| axis.values.iter().map(|value| value_of(value)).collect();
        self.axes.iter().map(|axis| (axis.key.clone(), toml::Value::Array(values(axis)))).collect()
    }
}

impl Axis {
    fn of(given: &TableKey) -> Result<Self, Usage> {
        let TableKey { key, values, source } = given;
        let is_switch = switch(key)?;
        if values.is_empty() {
            return usage!("grid: {key} has no values; write {key}=V1,V2");
        }
        if values.iter().any(|value| value.trim().is_empty()) {
            return usage!("grid: a value of {key} is empty; write {key}=V1,V2, without spaces");
        }
        if values.len() as u64 > MOST_RUNS {
            return usage!("grid: {key} has {} values; {}", grouped(values.len() as u64), rule());
        }
        let read = |value: &String| match key.as_str() {
            RATE => rate(value).map(|()| value.clone()),
            _ if is_switch => boolean(value).map(|on| on.to_string()).map_err(|error| Usage(format!("{key}: {error}"))),
            _ => Ok(value.clone()),
        };
        let values: Vec<String> = values.iter().map(read).collect::<Result<_, _>>()?;
        check_unlike(key, &values)?;
        Ok(Self { key: key.clone(), values, source: *source })
    }
}

/// `a comparison has at most 10,000 runs`.
pub fn rule() -> String {
    format!("a comparison has at most {} runs", grouped(MOST_RUNS))
}

/// Whether `key` is a switch.
///
/// # Errors
/// A comparison cannot vary it.
fn switch(key: &str) -> Result<bool, Usage> {
    match AxisKey::of(NAME, key, ["KEY=V1,V2", "lr=0.01,0.1"])? {
        AxisKey::Value => Ok(false),
        AxisKey::Switch => Ok(true),
        AxisKey::Off(name) => usage!("grid: write {name}=true,false instead of {key}"),
    }
}

fn rate(text: &str) -> Result<(), Usage> {
    let rate: f64 =
        text.trim().parse().map_err(|_| Usage(format!("{RATE} must be {POSITIVE}, got `{}`", shortened(text))))?;
    check_rate::<f32>(RATE, rate)
}

/// # Errors
/// Two values are the same text or the same number.
fn check_unlike(key: &str, values: &[String]) -> Result<(), Usage> {
    let mut seen: HashMap<String, &str> = HashMap::new();
    for value in values {
        let same = value.trim().parse::<f64>().map_or_else(|_| value.clone(), |number| number.to_string());
        match seen.insert(same, value) {
            Some(other) if other == value => {
                return usage!("grid: {key} has the value {} twice; leave one out", shortened(value));
            }
            Some(other) => {
                let (first, second) = (shortened(other), shortened(value));
                return usage!("grid: {key} has the same value twice, as {first} and {second}; leave one out");
            }
            None => {}
        }
    }
    Ok(())
}

/// The TOML value that reads back as `text`.
fn value_of(text: &str) -> toml::Value {
    let is_float = |value: &f64| value.is_finite() && text.contains(['.', 'e', 'E']);
    let boolean = || text.parse().ok().map(toml::Value::Boolean);
    let number = || text.parse().ok().map(toml::Value::Integer);
    let float = || text.parse().ok().filter(is_float).map(toml::Value::Float);
    number().or_else(float).or_else(boolean).unwrap_or_else(|| text.into())
}
