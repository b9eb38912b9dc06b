//! What was changed by hand while a run was under way.
//!
//! In memory a change is typed. In a file it is numbers and, for whoever reads the file, words; the words are read back only where an earlier
//! version wrote nothing else.

use crate::config::{Course, Reach};
use crate::number::rate;
use serde::{Deserialize, Serialize};
use serde_json::Number;
use std::fmt;

/// A change of what the rates or the length of a run follow from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "WrittenChange", into = "WrittenChange")]
pub struct Change {
    /// RFC 3339, UTC.
    pub time: String,
    /// The first step that it counts for, 0-based.
    pub step: u64,
    /// The epoch of that step, 0-based.
    pub epoch: u64,
    pub what: Changed,
}

/// What was changed, without the change and with it.
#[derive(Debug, Clone, PartialEq)]
pub enum Changed {
    /// A constant rate from here on.
    Rate { from: Applied, to: Applied },
    /// Every rate from here on times a factor.
    Scale { from: Applied, to: Applied },
    /// Another schedule from here on, on its own clock.
    Schedule { from: Applied, to: Applied },
    /// Another number of epochs; `None` where a file does not say.
    Epochs { from: Option<u64>, to: Option<u64>, fit: Fit },
}

/// The learning rate of the step, and what it follows from: `0.02 (linear at 0.04)`.
#[derive(Debug, Clone, PartialEq)]
pub struct Applied {
    /// `None` where a file does not say.
    pub rate: Option<f64>,
    pub origin: Origin,
}

/// What rates follow from: `linear at 0.04`.
#[derive(Debug, Clone, PartialEq)]
pub enum Origin {
    Course(Course),
    /// An earlier version of lrsched wrote these words and no more.
    Words(String),
}

/// What becomes of the schedule of a run that is made longer or shorter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fit {
    /// It keeps its length, and its last rate holds to the end of the run.
    Held,
    /// It keeps its length, and the run does not go beyond it.
    Kept,
    /// It takes the new, greater length.
    Stretched,
    /// It takes the new, smaller length.
    Shortened,
    /// It does not depend on the length of the run.
    Independent,
}

impl Change {
    /// The setting that was changed, as it is called in files: `lr`, `scale-lr`, `schedule` or `epochs`.
    pub fn setting(&self) -> &'static str {
        self.what.name().name()
    }

    /// What it was, in words: `0.02 (linear at 0.04)`.
    pub fn from_text(&self) -> String {
        match &self.what {
            Changed::Rate { from, .. } | Changed::Scale { from, .. } | Changed::Schedule { from, .. } => {
                from.to_string()
            }
            Changed::Epochs { from, .. } => from.map(|epochs| epochs.to_string()).unwrap_or_default(),
        }
    }

    /// What it was changed to, in words: `0.01 (constant at 0.01)`; `4, schedule stretched`.
    pub fn to_text(&self) -> String {
        match &self.what {
            Changed::Rate { to, .. } | Changed::Scale { to, .. } | Changed::Schedule { to, .. } => to.to_string(),
            Changed::Epochs { to, fit, .. } => {
                format!("{}{}", to.map(|epochs| epochs.to_string()).unwrap_or_default(), fit.words())
            }
        }
    }

    /// What the rates follow from after the change of a run that followed `before`; `None` where the file tells it in words only.
    pub fn course_after(&self, before: &Course) -> Option<Course> {
        match &self.what {
            Changed::Rate { to, .. } | Changed::Scale { to, .. } | Changed::Schedule { to, .. } => match &to.origin {
                Origin::Course(course) => Some(course.clone()),
                Origin::Words(_) => None,
            },
            Changed::Epochs { to, fit, .. } => Some(before.with_epochs((*to)?, fit.reach())),
        }
    }
}

impl Changed {
    const fn name(&self) -> Name {
        match self {
            Changed::Rate { .. } => Name::Lr,
            Changed::Scale { .. } => Name::ScaleLr,
            Changed::Schedule { .. } => Name::Schedule,
            Changed::Epochs { .. } => Name::Epochs,
        }
    }
}

impl Fit {
    const ALL: [Fit; 5] = [Fit::Held, Fit::Kept, Fit::Stretched, Fit::Shortened, Fit::Independent];

    /// Behind the new number of epochs.
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

/// A change as it is in a file.
#[derive(Serialize, Deserialize)]
struct WrittenChange {
    time: String,
    step: u64,
    epoch: u64,
    setting: Name,
    from: NumberOrWords,
    to: NumberOrWords,
    from_text: Option<String>,
    to_text: Option<String>,
    /// What the rates follow from after a change of them, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    course: Option<String>,
    /// What they follow from, without the change and with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<Course>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<Course>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fit: Option<Fit>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Name {
    Lr,
    ScaleLr,
    Schedule,
    Epochs,
}

impl Name {
    const fn name(self) -> &'static str {
        match self {
            Name::Lr => "lr",
            Name::ScaleLr => "scale-lr",
            Name::Schedule => "schedule",
            Name::Epochs => "epochs",
        }
    }
}

/// The first versions had words in `from` and `to`, which begin with the number.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum NumberOrWords {
    Number(Number),
    Words(String),
    Unknown(()),
}

impl NumberOrWords {
    fn of(number: Option<Number>) -> Self {
        number.map_or(Self::Unknown(()), Self::Number)
    }

    fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => number.as_f64(),
            Self::Words(words) => words.split(' ').next()?.parse().ok(),
            Self::Unknown(()) => None,
        }
    }

    fn whole(&self) -> Option<u64> {
        match self {
            Self::Number(number) => number.as_u64(),
            Self::Words(words) => words.split([' ', ',']).next()?.parse().ok(),
            Self::Unknown(()) => None,
        }
    }

    /// A rate with its course, or with what `text` or an earlier version says of it.
    fn applied(&self, text: Option<&str>, course: Option<Course>) -> Applied {
        let rate = self.number();
        let words = match (self, text) {
            (Self::Words(words), _) => words,
            (_, text) => text.unwrap_or_default(),
        };
        let words = match (rate, words.split_once(" (")) {
            (Some(_), Some((_, origin))) => origin.strip_suffix(')').unwrap_or(origin),
            (Some(_), None) => "",
            (None, _) => words,
        };
        Applied { rate, origin: course.map_or_else(|| Origin::Words(words.to_string()), Origin::Course) }
    }

    fn fit(&self, text: Option<&str>) -> Fit {
        let words = match self {
            Self::Words(words) => words,
            _ => text.unwrap_or_default(),
        };
        let said = words.find(',').map_or("", |comma| &words[comma..]);
        Fit::ALL.into_iter().find(|fit| fit.words() == said).unwrap_or(Fit::Independent)
    }
}

impl From<WrittenChange> for Change {
    fn from(written: WrittenChange) -> Self {
        let WrittenChange { time, step, epoch, setting, from, to, from_text, to_text, before, after, fit, .. } =
            written;
        let rates = || (from.applied(from_text.as_deref(), before), to.applied(to_text.as_deref(), after));
        let what = match setting {
            Name::Epochs => Changed::Epochs {
                from: from.whole(),
                to: to.whole(),
                fit: fit.unwrap_or_else(|| to.fit(to_text.as_deref())),
            },
            Name::Lr => {
                let (from, to) = rates();
                Changed::Rate { from, to }
            }
            Name::ScaleLr => {
                let (from, to) = rates();
                Changed::Scale { from, to }
            }
            Name::Schedule => {
                let (from, to) = rates();
                Changed::Schedule { from, to }
            }
        };
        Self { time, step, epoch, what }
    }
}

impl From<Change> for WrittenChange {
    fn from(change: Change) -> Self {
        let (from_text, to_text) = (Some(change.from_text()), Some(change.to_text()));
        let Change { time, step, epoch, what } = change;
        let setting = what.name();
        let blank = |from, to| Self {
            time,
            step,
            epoch,
            setting,
            from: NumberOrWords::of(from),
            to: NumberOrWords::of(to),
            from_text,
            to_text,
            course: None,
            before: None,
            after: None,
            fit: None,
        };
        match what {
            Changed::Epochs { from, to, fit } => {
                Self { fit: Some(fit), ..blank(from.map(Number::from), to.map(Number::from)) }
            }
            Changed::Rate { from, to } | Changed::Scale { from, to } | Changed::Schedule { from, to } => {
                let number = |applied: &Applied| applied.rate.and_then(Number::from_f64);
                let written = blank(number(&from), number(&to));
                let course = |origin| match origin {
                    Origin::Course(course) => Some(course),
                    Origin::Words(_) => None,
                };
                let words = to.origin.to_string();
                Self {
                    course: Some(words).filter(|words| !words.is_empty()),
                    before: course(from.origin),
                    after: course(to.origin),
                    ..written
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(written: Value) -> Change {
        serde_json::from_value(written).unwrap()
    }

    fn old(setting: &str, from: &str, to: &str) -> Change {
        read(json!({ "time": "", "step": 8, "epoch": 2, "setting": setting, "from": from, "to": to }))
    }

    fn words(rate: f64, words: &str) -> Applied {
        Applied { rate: Some(rate), origin: Origin::Words(words.into()) }
    }

    #[test]
    fn a_change_written_in_words_by_an_earlier_version_is_typed_and_says_the_same() {
        let rate = old("lr", "0.02 (linear at 0.04)", "5e-5 (constant at 5e-5)");
        let (from, to) = (words(0.02, "linear at 0.04"), words(5e-5, "constant at 5e-5"));
        assert_eq!(rate.what, Changed::Rate { from, to });
        assert_eq!(
            (rate.from_text().as_str(), rate.to_text().as_str()),
            ("0.02 (linear at 0.04)", "5e-5 (constant at 5e-5)")
        );
        let epochs = old("epochs", "2", "4, schedule held");
        assert_eq!(epochs.what, Changed::Epochs { from: Some(2), to: Some(4), fit: Fit::Held });
        assert_eq!(epochs.to_text(), "4, schedule held");
        let odd = old("lr", "soon", "");
        assert_eq!((odd.from_text().as_str(), odd.to_text().as_str()), ("soon", ""));
    }

    #[test]
    fn a_change_of_an_earlier_version_stays_what_it_is_when_it_is_written_anew() {
        let numbers = json!({
            "time": "", "step": 8, "epoch": 2, "setting": "scale-lr", "from": 0.0123456, "to": 0.00123456,
            "from_text": "0.01235 (cosine at 0.1)", "to_text": "0.001235 (cosine at 0.1 × 0.1)", "course": "cosine at 0.1 × 0.1",
        });
        for change in [
            old("lr", "0.02 (linear at 0.04)", "5e-5 (constant at 5e-5)"),
            old("schedule", "0.1 (cosine at 0.1)", "0.1 (linear:warmup=1 at 0.1)"),
            old("epochs", "3", "5"),
            old("epochs", "3", "2, schedule shortened"),
            old("lr", "soon", ""),
            read(numbers.clone()),
        ] {
            let written = serde_json::to_value(&change).unwrap();
            assert_eq!(read(written.clone()), change, "{written}");
        }
        let again = serde_json::to_value(read(numbers.clone())).unwrap();
        assert_eq!(again, numbers);
    }

    #[test]
    fn a_change_is_numbers_words_and_courses_in_the_file_and_reads_back() {
        let course = |schedule: &str, lr| Course {
            schedule: schedule.parse().unwrap(),
            lr,
            since: 8,
            epochs: 4,
            until: 4,
            scale: 1.0,
        };
        let change = Change {
            time: "2026-01-02T03:04:05Z".into(),
            step: 8,
            epoch: 2,
            what: Changed::Rate {
                from: Applied { rate: Some(0.02), origin: Origin::Course(course("linear", 0.04)) },
                to: Applied { rate: Some(0.01), origin: Origin::Course(course("constant", 0.01)) },
            },
        };
        let written = serde_json::to_value(&change).unwrap();
        let expected = json!({
            "time": "2026-01-02T03:04:05Z", "step": 8, "epoch": 2, "setting": "lr", "from": 0.02, "to": 0.01,
            "from_text": "0.02 (linear at 0.04)", "to_text": "0.01 (constant at 0.01)", "course": "constant at 0.01",
            "before": { "schedule": "linear", "lr": 0.04, "since": 8, "epochs": 4, "until": 4, "scale": 1.0 },
            "after": { "schedule": "constant", "lr": 0.01, "since": 8, "epochs": 4, "until": 4, "scale": 1.0 },
        });
        assert_eq!(written, expected);
        assert_eq!(read(written), change);
        let epochs = Change { what: Changed::Epochs { from: Some(2), to: Some(4), fit: Fit::Stretched }, ..change };
        let written = serde_json::to_value(&epochs).unwrap();
        assert_eq!((&written["to"], &written["to_text"]), (&json!(4), &json!("4, schedule stretched")));
        assert_eq!(read(written), epochs);
    }

    #[test]
    fn the_course_after_a_change_is_the_recorded_one_or_follows_from_the_new_length() {
        let before = Course { schedule: "linear".parse().unwrap(), lr: 0.1, since: 0, epochs: 3, until: 3, scale: 1.0 };
        let held = old("epochs", "3", "5, schedule held").course_after(&before).unwrap();
        assert_eq!((held.epochs, held.until), (5, 3));
        let stretched = old("epochs", "3", "5, schedule stretched").course_after(&before).unwrap();
        assert_eq!((stretched.epochs, stretched.until), (5, 5));
        assert_eq!(old("lr", "0.1 (linear at 0.1)", "0.05 (constant at 0.05)").course_after(&before), None);
    }
}
