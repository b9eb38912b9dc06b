//! Manual changes during a run.
//!
//! In memory a change is typed. A file holds numbers plus a description for human readers; the description is only
//! parsed if an earlier version of lrsched wrote nothing else.

mod written;

use crate::config::{Course, Reach};
use crate::number::rate;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;
use written::WrittenChange;

/// A change of a run's rates or of its length.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "WrittenChange", into = "WrittenChange")]
pub struct Change {
    /// RFC 3339, UTC.
    pub time: String,
    /// The first step that it applies to, 0-based.
    pub step: u64,
    /// The epoch of that step, 0-based.
    pub epoch: u64,
    pub what: Changed,
}

/// What was changed: `from` is the value without the change, `to` the value with it.
#[derive(Debug, Clone, PartialEq)]
pub enum Changed {
    /// A constant rate from here on.
    Rate { from: Applied, to: Applied },
    /// Every rate from here on times a factor.
    Scale { from: Applied, to: Applied },
    /// Another schedule from here on, on its own clock.
    Schedule { from: Applied, to: Applied },
    /// Another number of epochs; `None` if the file lacks it.
    Epochs { from: Option<u64>, to: Option<u64>, fit: Fit },
    /// A change from another version of lrsched: shown in its words, and kept as it is in the file.
    Other { setting: String, rest: Map<String, Value> },
}

/// The learning rate of the step, and its origin: `0.02 (linear at 0.04)`.
#[derive(Debug, Clone, PartialEq)]
pub struct Applied {
    /// `None` if the file lacks it.
    pub rate: Option<f64>,
    pub origin: Origin,
}

/// Where rates come from: `linear at 0.04`.
#[derive(Debug, Clone, PartialEq)]
pub enum Origin {
    Course(Course),
    /// An earlier version of lrsched wrote only this description.
    Words(String),
}

/// How the schedule adapts to a new length of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fit {
    /// It keeps its length, and its last rate is held to the end of the run.
    Held,
    /// It keeps its length, and the run does not outlast it.
    Kept,
    /// It takes the new, greater length.
    Stretched,
    /// It takes the new, smaller length.
    Shortened,
    /// It does not depend on the length of the run.
    Independent,
}

impl Change {
    /// The name of the changed setting in files: `lr`, `scale-lr`, `schedule` or `epochs`.
    pub fn setting(&self) -> &str {
        match &self.what {
            Changed::Rate { .. } => "lr",
            Changed::Scale { .. } => "scale-lr",
            Changed::Schedule { .. } => "schedule",
            Changed::Epochs { .. } => "epochs",
            Changed::Other { setting, .. } => setting,
        }
    }

    /// The old value, in words: `0.02 (linear at 0.04)`.
    pub fn from_text(&self) -> String {
        match &self.what {
            Changed::Rate { from, .. } | Changed::Scale { from, .. } | Changed::Schedule { from, .. } => {
                from.to_string()
            }
            Changed::Epochs { from, .. } => from.map(|epochs| epochs.to_string()).unwrap_or_default(),
            Changed::Other { rest, .. } => written::words(rest, "from_text", "from"),
        }
    }

    /// The new value, in words: `0.01 (constant at 0.01)`; `4, schedule stretched`.
    pub fn to_text(&self) -> String {
        match &self.what {
            Changed::Rate { to, .. } | Changed::Scale { to, .. } | Changed::Schedule { to, .. } => to.to_string(),
            Changed::Epochs { to, fit, .. } => {
                format!("{}{}", to.map(|epochs| epochs.to_string()).unwrap_or_default(), fit.words())
            }
            Changed::Other { rest, .. } => written::words(rest, "to_text", "to"),
        }
    }

    /// The course after the change, in a run that followed `before`; `None` if the file describes it in words only.
    pub fn course_after(&self, before: &Course) -> Option<Course> {
        match &self.what {
            Changed::Rate { to, .. } | Changed::Scale { to, .. } | Changed::Schedule { to, .. } => match &to.origin {
                Origin::Course(course) => Some(course.clone()),
                Origin::Words(_) => None,
            },
            Changed::Epochs { to, fit, .. } => Some(before.with_epochs((*to)?, fit.reach())),
            Changed::Other { .. } => None,
        }
    }
}

impl Fit {
    const ALL: [Fit; 5] = [Fit::Held, Fit::Kept, Fit::Stretched, Fit::Shortened, Fit::Independent];

    /// Appended to the new number of epochs.
    const fn words(self) -> &'static str {
        match self {
            Fit::Held => ", schedule held",
            Fit::Kept => ", schedule as it was",
            Fit::Stretched => ", schedule stretched",
            Fit::Shortened => ", schedule shortened",
            Fit::Independent => "",
        }
    }

    const fn reach(self) -> Reach {
        match self {
            Fit::Held | Fit::Kept => Reach::Hold,
            Fit::Stretched | Fit::Shortened | Fit::Independent => Reach::Stretch,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Course(course) => course.fmt(f),
            Origin::Words(words) => words.fmt(f),
        }
    }
}

impl fmt::Display for Applied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.rate, &self.origin) {
            (Some(value), Origin::Words(words)) if words.is_empty() => f.write_str(&rate(value)),
            (Some(value), origin) => write!(f, "{} ({origin})", rate(value)),
            (None, origin) => origin.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course(epochs: u64) -> Course {
        Course { schedule: "linear".parse().unwrap(), lr: 0.1, since: 0, epochs, until: epochs, scale: 1.0 }
    }

    fn change(what: Changed) -> Change {
        Change { time: String::new(), step: 8, epoch: 2, what }
    }

    #[test]
    fn the_course_after_a_change_is_the_recorded_one_or_follows_from_the_new_length() {
        let longer =
            |fit| change(Changed::Epochs { from: Some(3), to: Some(5), fit }).course_after(&course(3)).unwrap();
        assert_eq!((longer(Fit::Held).epochs, longer(Fit::Held).until), (5, 3));
        assert_eq!(longer(Fit::Stretched), course(5));
        let applied = |origin| Applied { rate: Some(0.1), origin };
        let half = course(3).with_scale(0.5).unwrap();
        let scaled = |origin| change(Changed::Scale { from: applied(Origin::Course(course(3))), to: applied(origin) });
        assert_eq!(scaled(Origin::Course(half.clone())).course_after(&course(3)), Some(half));
        assert_eq!(scaled(Origin::Words("linear at 0.1 × 0.5".into())).course_after(&course(3)), None);
    }
}
