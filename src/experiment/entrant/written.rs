//! Entrants as written, and what flags and a grid make of them.

use super::{Entrant, Overrides};
use crate::config::{Axis, Grid};
use crate::optim::{self, OptimizerSpec};
use crate::schedule::{self, Spec};
use crate::shell::quoted;
use crate::spec::Values;
use crate::usage::{Usage, did_you_mean, shortened};

/// Commas and spaces of a text that is no entrant, beyond which nobody looks for several in it.
const MOST_ENDS: usize = 40;

/// The origin of an entrant: decides whether its own values or the flags win.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Author {
    /// The values in the spec win.
    User,
    /// The specs of [`default_entrants`] are a starting point: the flags win.
    Program,
}

/// An entrant as written, before the flags apply.
pub(super) struct Written<'a> {
    text: &'a str,
    author: Author,
    pub(super) optimizer: Values,
    /// One for each schedule of a sequence.
    schedules: Vec<Values>,
}

impl<'a> Written<'a> {
    pub(super) fn parse(text: &'a str, author: Author) -> Result<Self, Usage> {
        Self::parse_one(text, author).map_err(|error| match several(text) {
            Some(entrants) => {
                let in_file: Vec<String> = entrants.iter().map(|entrant| format!("{entrant:?}")).collect();
                let typed: Vec<String> = entrants.into_iter().map(quoted).collect();
                let (typed, in_file) = (typed.join(" "), in_file.join(", "));
                about(text, &Usage(format!("these are several; separate them: {typed} (in a file [{in_file}])")))
            }
            None => error,
        })
    }

    fn parse_one(text: &'a str, author: Author) -> Result<Self, Usage> {
        let (optimizer, schedule) = split(text)?;
        let about = |error: Usage| about(text, &error);
        let optimizer = OptimizerSpec::values(optimizer).map_err(about)?;
        let schedules = schedule.parse::<Spec>().map_err(about)?.schedules().cloned().collect();
        Ok(Self { text, author, optimizer, schedules })
    }

    /// The schedule that receives the flags.
    fn schedule(&self) -> &Values {
        &self.schedules[0]
    }

    /// Whether its optimizer or its schedule has this parameter.
    pub(super) fn takes(&self, key: &str) -> bool {
        [&self.optimizer, self.schedule()].into_iter().any(|values| takes(values, key))
    }

    /// Whether it sets `key` itself, which overrides the flag. In a sequence, a rate in every schedule stands in for
    /// `--lr`.
    pub(super) fn keeps(&self, key: &str) -> bool {
        let gives = |values: &Values| values.get(key).is_some();
        let in_schedule = if key == "lr" { self.schedules.iter().all(gives) } else { gives(self.schedule()) };
        self.author == Author::User && (gives(&self.optimizer) || in_schedule)
    }

    /// Those of `flags` that `values` accept.
    fn applicable(&self, values: &Values, flags: &[(String, String)]) -> Vec<(String, String)> {
        let kept = |key: &str| self.author == Author::User && values.get(key).is_some();
        flags.iter().filter(|(key, _)| takes(values, key) && !kept(key)).cloned().collect()
    }

    /// The axes of the grid that apply to it.
    pub(super) fn axes<'g>(&self, grid: &'g Grid) -> Vec<&'g Axis> {
        grid.axes.iter().filter(|axis| self.takes(&axis.key) && !self.keeps(&axis.key)).collect()
    }

    /// The entrant at every point of the grid.
    pub(super) fn points(&self, overrides: &Overrides) -> Result<Vec<Entrant>, Usage> {
        let axes = self.axes(&overrides.grid);
        let mut entrants = Vec::new();
        for point in points(&axes) {
            let entrant = self.enter(overrides, &point)?;
            let of_rate = axes.iter().zip(&point).find(|(axis, _)| axis.key == "lr");
            let Some((axis, (_, value))) = of_rate.filter(|_| !schedule::uses_base_rate(&entrant.schedule)) else {
                entrants.push(entrant);
                continue;
            };
            // A schedule with rates of its own would be the same run at every base rate.
            if *value == axis.values[0] {
                entrants.push(Entrant { lr: None, ..entrant });
            }
        }
        Ok(entrants)
    }

    /// The entrant with the flags and the values of a point applied.
    pub(super) fn enter(&self, overrides: &Overrides, point: &[(String, String)]) -> Result<Entrant, Usage> {
        let (optimizer, schedule) = split(self.text)?;
        let (rates, point_flags): (Vec<_>, Vec<_>) = point.iter().cloned().partition(|(key, _)| key == "lr");
        let optimizer_flags = self.applicable(&self.optimizer, &[&overrides.optimizer, &point_flags[..]].concat());
        let schedule_flags = self.applicable(self.schedule(), &[&overrides.schedule, &point_flags[..]].concat());
        // A flag with an invalid value is an error with every entrant that takes it.
        for (values, flags) in [(&self.optimizer, &optimizer_flags), (self.schedule(), &schedule_flags)] {
            let mut alone = values.clone();
            values.given().for_each(|(parameter, _)| alone.remove(parameter.name));
            for (key, value) in flags {
                alone.set(key, value).map_err(|error| overrides.with_source(key, error))?;
            }
        }
        let about = |error: Usage| about(&format!("{}{}", self.text, with(point)), &error);
        let mut optimizer = OptimizerSpec::from_flags(optimizer, &optimizer_flags)
            .or_else(|error| self.without_nesterov(&optimizer_flags, &point_flags).ok_or(error))
            .map_err(about)?;
        if self.author == Author::Program && (overrides.lr.is_some() || !rates.is_empty()) {
            optimizer = optimizer.without_learning_rate();
        }
        let schedule = Spec::from_flags(schedule, &schedule_flags).map_err(about)?;
        let lr = rates.last().and_then(|(_, rate)| rate.trim().parse().ok());
        Ok(Entrant { optimizer, schedule, lr, of_grid: !point.is_empty() })
    }

    /// The optimizer without its own `nesterov`, where that gives way to what excludes it, such as a momentum of 0: to a
    /// value of the grid, and of a default entrant to a flag.
    fn without_nesterov(&self, flags: &[(String, String)], point: &[(String, String)]) -> Option<OptimizerSpec> {
        let of_point = || point.iter().any(|(key, _)| key == "momentum" || key == "dampening");
        let mut values = self.optimizer.clone();
        values.remove("nesterov");
        let gives_way = self.author == Author::Program || of_point();
        gives_way.then(|| OptimizerSpec::from_flags(&values.to_string(), flags).ok()).flatten()
    }

    /// The entrant with the flags but without the grid, as a config file names it.
    pub(super) fn uncrossed(&self, overrides: &Overrides) -> Result<String, Usage> {
        let mut optimizer = self.optimizer.clone();
        let mut schedules = self.schedules.clone();
        optimizer.replace(&self.applicable(&self.optimizer, &overrides.optimizer))?;
        schedules[0].replace(&self.applicable(self.schedule(), &overrides.schedule))?;
        if self.author == Author::Program && overrides.lr.is_some() {
            optimizer.remove("lr");
        }
        // As above, it gives way to a flag.
        if self.author == Author::Program && OptimizerSpec::from_flags(&optimizer.to_string(), &[]).is_err() {
            optimizer.remove("nesterov");
        }
        for axis in self.axes(&overrides.grid) {
            optimizer.remove(&axis.key);
            schedules[0].remove(&axis.key);
        }
        let schedules: Vec<String> = schedules.iter().map(ToString::to_string).collect();
        Ok(format!("{optimizer}/{}", schedules.join(";")))
    }
}

/// Every combination of a value of each axis, the last axis fastest.
fn points(axes: &[&Axis]) -> Vec<Vec<(String, String)>> {
    axes.iter().fold(vec![Vec::new()], |points: Vec<Vec<(String, String)>>, axis| {
        let with = |point: &Vec<(String, String)>, value: &String| {
            let mut point = point.clone();
            point.push((axis.key.clone(), value.clone()));
            point
        };
        points.iter().flat_map(|point| axis.values.iter().map(move |value| with(point, value))).collect()
    })
}

/// ` with lr=0.1, momentum=0.9`; empty outside a grid.
fn with(point: &[(String, String)]) -> String {
    let values: Vec<String> = point.iter().map(|(key, value)| format!("{key}={value}")).collect();
    if values.is_empty() { String::new() } else { format!(" with {}", values.join(", ")) }
}

fn takes(values: &Values, key: &str) -> bool {
    values.parameters().any(|parameter| parameter.name == key)
}

/// Names the invalid entrant.
fn about(text: &str, error: &Usage) -> Usage {
    Usage(format!("entrant {}: {error}", shortened(text)))
}

/// The entrants in a text that is none, if commas or spaces separate some. A comma separates parameters, too.
fn several(text: &str) -> Option<Vec<&str>> {
    let is_end = |(at, c): (usize, char)| (c == ',' || c.is_whitespace()).then_some(at);
    let ends: Vec<usize> = text.char_indices().filter_map(is_end).chain([text.len()]).collect();
    if ends.len() > MOST_ENDS {
        return None;
    }
    // The entrants from each beginning to the end of the text, the last beginning first.
    let mut from: Vec<(usize, Vec<&str>)> = vec![(text.len(), Vec::new())];
    for begin in ends.iter().rev().skip(1).map(|end| end + 1).chain([0]) {
        let entrants = from.iter().find_map(|(next, rest)| {
            let end = if *next == text.len() { text.len() } else { next - 1 };
            let first = text.get(begin..end)?.trim();
            Written::parse_one(first, Author::User).ok()?;
            Some([&[first], rest.as_slice()].concat())
        });
        from.extend(entrants.map(|entrants| (begin, entrants)));
    }
    from.pop().filter(|(begin, entrants)| *begin == 0 && entrants.len() > 1).map(|(_, entrants)| entrants)
}

/// Splits `optimizer/schedule`; if one part is missing, its default takes its place.
fn split(text: &str) -> Result<(&str, &str), Usage> {
    let is_optimizer = |text: &str| {
        let name = text.split(':').next().unwrap_or_default().trim();
        optim::table().iter().any(|entry| entry.name == name)
    };
    match text.split_once('/') {
        Some((optimizer, schedule)) if is_optimizer(optimizer) => Ok((optimizer, schedule)),
        _ if is_optimizer(text) => Ok((text, "constant")),
        other => {
            let name = text.split([':', ';', '/']).next().unwrap_or_default().trim();
            let is_schedule = schedule::table().iter().any(|entry| entry.name == name);
            if let Some((schedule, optimizer)) = other.filter(|(_, second)| is_schedule && is_optimizer(second)) {
                let meant = format!("{}/{}", optimizer.trim(), schedule.trim());
                // What is cut short cannot be pasted.
                let hint = match shortened(&meant) == meant {
                    true => format!("; did you mean `{meant}`?"),
                    false => String::new(),
                };
                return Err(Usage(format!("entrant {}: an entrant is OPTIMIZER/SCHEDULE{hint}", shortened(text))));
            }
            if !is_schedule {
                let optimizers = optim::table().iter().map(|entry| entry.name);
                let known = optimizers.chain(schedule::table().iter().map(|entry| entry.name));
                return Err(Usage(format!(
                    "entrant {}: `{}` is neither an optimizer nor a schedule{} (an entrant is OPTIMIZER/SCHEDULE, such as sgd/cosine)",
                    shortened(text),
                    shortened(name),
                    did_you_mean(name, known)
                )));
            }
            Ok(("sgd", text))
        }
    }
}
