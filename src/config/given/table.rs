//! Settings that are tables, and the values of a config file.

use super::super::variables::variable;
use super::{Given, Source};
use crate::config::settings::is_records;
use crate::usage;
use crate::usage::{Usage, shortened};
use std::collections::HashMap;
use std::path::Path;

/// One key of a setting that is a table: `--grid lr=0.1,0.2`, or `lr = [0.1, 0.2]` below `[grid]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableKey {
    pub key: String,
    /// Empty if none were given.
    pub values: Vec<String>,
    pub source: Source,
}

impl TableKey {
    /// `KEY=V1,V2`, as in a flag or a variable. What is missing stays empty: the setting's own parser reports it.
    pub fn parse(text: &str, source: Source) -> Self {
        let (key, values) = text.split_once('=').unwrap_or((text, ""));
        let values = if values.trim().is_empty() { Vec::new() } else { values.split(',').collect() };
        let values = values.into_iter().map(|value| value.trim().to_string()).collect();
        Self { key: key.trim().to_string(), values, source }
    }
}

/// One of a setting that is repeated: `--group TEXT`, or the table below `[[group]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub what: Recorded,
    pub source: Source,
}

/// As given, not yet parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    Text(String),
    /// Each key with its values.
    Keys(Vec<(String, Vec<String>)>),
}

impl Given {
    /// Adds to those of the setting `name`.
    pub fn put_records(&mut self, name: &str, records: impl IntoIterator<Item = Record>) {
        self.records.entry(name.to_string()).or_default().extend(records);
    }

    /// Those of the setting `name`, those of the highest precedence first.
    pub fn records(&self, name: &str) -> Vec<&Record> {
        let mut records: Vec<&Record> = self.records.get(name).into_iter().flatten().collect();
        records.sort_by_key(|record| std::cmp::Reverse(record.source));
        records
    }

    /// Records keys of the table `name`.
    pub fn put_keys(&mut self, name: &str, keys: impl IntoIterator<Item = TableKey>) {
        self.tables.entry(name.to_string()).or_default().extend(keys);
    }

    /// The keys of the table `name`, those of lower precedence first. A key that was given again in a place of higher
    /// precedence stays where it is, with the values of that place.
    ///
    /// # Errors
    /// A key that one place gives twice: neither list of values should be lost in silence.
    pub fn table(&self, name: &str) -> Result<Vec<&TableKey>, Usage> {
        let mut given: Vec<&TableKey> = self.tables.get(name).into_iter().flatten().collect();
        given.sort_by_key(|key| key.source);
        let (mut keys, mut places): (Vec<&TableKey>, HashMap<&str, usize>) = Default::default();
        let mut repeated = Vec::new();
        for key in given {
            match places.get(key.key.as_str()) {
                Some(&place) if keys[place].source == key.source => repeated.push(place),
                Some(&place) => keys[place] = key,
                None => {
                    places.insert(key.key.as_str(), keys.len());
                    keys.push(key);
                }
            }
        }
        match repeated.first() {
            Some(&place) => Err(self.given_twice(name, keys[place])),
            None => Ok(keys),
        }
    }

    fn given_twice(&self, name: &str, TableKey { key, source, .. }: &TableKey) -> Usage {
        let mut values: Vec<&str> = Vec::new();
        for one in self.tables.get(name).into_iter().flatten().filter(|one| one.key == *key && one.source == *source) {
            for value in &one.values {
                if !value.is_empty() && !values.contains(&value.as_str()) {
                    values.push(value);
                }
            }
        }
        let remedy = match name {
            "grid" => format!("write {}", shortened(&format!("{key}={}", values.join(",")))),
            _ => "leave one out".to_string(),
        };
        let error = Usage(format!("{name}: {} is given twice; {remedy}", shortened(key)));
        self.with_source_of_key(name, *source, &error)
    }

    /// The error, prefixed with the flag, the variable or the file that gave a key of the table `name`.
    pub fn with_source_of_key(&self, name: &str, source: Source, error: &Usage) -> Usage {
        match (source, &self.file) {
            (Source::Environment, _) => Usage(format!("{error} (from {})", variable(name))),
            (Source::File, Some(file)) if is_records(name) => {
                Usage(format!("{error} (from [[{name}]] in {})", file.display()))
            }
            (Source::File, Some(file)) => Usage(format!("{error} (from [{name}] in {})", file.display())),
            _ => Usage(format!("{error} (from --{name})")),
        }
    }
}

/// A value of a file, or a list of them.
pub(super) fn list(file: &Path, key: &str, value: &toml::Value) -> Result<Vec<String>, Usage> {
    match value {
        toml::Value::Array(items) if items.is_empty() => {
            usage!("{}: `{key}` must list at least one value, got `[]`", file.display())
        }
        toml::Value::Array(items) => items.iter().map(|item| scalar(file, key, item)).collect(),
        item => Ok(vec![scalar(file, key, item)?]),
    }
}

/// The keys below `[name]` in a file.
pub(super) fn table_keys(file: &Path, name: &str, value: &toml::Value) -> Result<Vec<TableKey>, Usage> {
    let toml::Value::Table(table) = value else {
        return usage!(
            "{}: `{name}` must be a table of lists, such as `lr = [0.01, 0.1]` below `[{name}]`, got {}",
            file.display(),
            kind(value)
        );
    };
    let key = |(key, value): (&String, &toml::Value)| {
        let values = list(file, &format!("{name}.{}", shortened(key)), value)?;
        Ok(TableKey { key: key.clone(), values, source: Source::File })
    };
    table.iter().map(key).collect()
}

/// The tables below each `[[name]]` in a file.
pub(super) fn records(file: &Path, name: &str, value: &toml::Value) -> Result<Vec<Record>, Usage> {
    let tables = value.as_array().filter(|tables| tables.iter().all(toml::Value::is_table));
    let Some(tables) = tables else {
        return usage!("{}: `{name}` must be tables, each below `[[{name}]]`, got {}", file.display(), kind(value));
    };
    let keys = |table: &toml::Value| {
        let entries = table.as_table().into_iter().flatten();
        let key = |(key, value): (&String, &toml::Value)| {
            Ok((key.clone(), list(file, &format!("{name}.{}", shortened(key)), value)?))
        };
        entries.map(key).collect::<Result<Vec<_>, Usage>>()
    };
    let record = |table| Ok(Record { what: Recorded::Keys(keys(table)?), source: Source::File });
    tables.iter().map(record).collect()
}

fn scalar(file: &Path, key: &str, value: &toml::Value) -> Result<String, Usage> {
    match value {
        toml::Value::String(text) => Ok(text.clone()),
        toml::Value::Integer(_) | toml::Value::Float(_) | toml::Value::Boolean(_) => Ok(value.to_string()),
        other => usage!("{}: `{key}` must be text, a number or true/false, got {}", file.display(), kind(other)),
    }
}

/// `a table`, `an array`: what a value of a file is.
fn kind(value: &toml::Value) -> String {
    let kind = value.type_str();
    format!("{} {kind}", if kind.starts_with(['a', 'i']) { "an" } else { "a" })
}
