//! The file format of a change, of this version and of earlier ones.

use super::{Applied, Change, Changed, Fit, Origin};
use crate::config::Course;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};

/// A change as stored in a file.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum WrittenChange {
    Known(Box<KnownChange>),
    /// Its setting or one of its values is from another version.
    Other(OtherChange),
}

#[derive(Serialize, Deserialize)]
pub(super) struct OtherChange {
    time: String,
    step: u64,
    epoch: u64,
    setting: String,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct KnownChange {
    time: String,
    step: u64,
    epoch: u64,
    setting: Name,
    from: NumberOrWords,
    to: NumberOrWords,
    from_text: Option<String>,
    to_text: Option<String>,
    /// The course after a change of rates, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    course: Option<String>,
    /// The course without the change and with it.
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

/// The first versions wrote a description in `from` and `to`, beginning with the number.
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

    /// A rate with its course, or with the description in `text` or from an earlier version.
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
        let written = match written {
            WrittenChange::Known(written) => *written,
            WrittenChange::Other(OtherChange { time, step, epoch, setting, rest }) => {
                return Self { time, step, epoch, what: Changed::Other { setting, rest } };
            }
        };
        let KnownChange { time, step, epoch, setting, from, to, from_text, to_text, before, after, fit, .. } = written;
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
        let number = |applied: &Applied| applied.rate.and_then(Number::from_f64);
        let of_rates = |name, from: Applied, to: Applied| {
            (name, (number(&from), number(&to)), Some((from.origin, to.origin)), None)
        };
        let (setting, (from, to), origins, fit) = match what {
            Changed::Rate { from, to } => of_rates(Name::Lr, from, to),
            Changed::Scale { from, to } => of_rates(Name::ScaleLr, from, to),
            Changed::Schedule { from, to } => of_rates(Name::Schedule, from, to),
            Changed::Epochs { from, to, fit } => {
                (Name::Epochs, (from.map(Number::from), to.map(Number::from)), None, Some(fit))
            }
            Changed::Other { setting, rest } => {
                return Self::Other(OtherChange { time, step, epoch, setting, rest });
            }
        };
        let course = |origin| match origin {
            Origin::Course(course) => Some(course),
            Origin::Words(_) => None,
        };
        let words = origins.as_ref().map(|(_, to)| to.to_string());
        let (before, after) = origins.map_or((None, None), |(from, to)| (course(from), course(to)));
        Self::Known(Box::new(KnownChange {
            time,
            step,
            epoch,
            setting,
            from: NumberOrWords::of(from),
            to: NumberOrWords::of(to),
            from_text,
            to_text,
            course: words.filter(|words| !words.is_empty()),
            before,
            after,
            fit,
        }))
    }
}

/// The description in `rest` under the first of two keys that it has.
pub(super) fn words(rest: &Map<String, Value>, text: &str, value: &str) -> String {
    match rest.get(text).filter(|text| !text.is_null()).or_else(|| rest.get(value)) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(words)) => words.clone(),
        Some(value) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

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
    fn a_change_that_this_version_does_not_know_is_shown_in_its_words_and_stays_as_it_is() {
        let change = |setting: &str, after: Value| {
            json!({
                "time": "", "step": 8, "epoch": 2, "setting": setting, "from": 0.9, "to": [0.5], "to_text": "0.5 (held)",
                "after": after,
            })
        };
        let course = json!({ "schedule": "future", "lr": 0.1, "since": 0, "epochs": 3, "until": 3, "scale": 1.0 });
        for (setting, after) in [("momentum", json!(7)), ("lr", course)] {
            let written = change(setting, after);
            let read = read(written.clone());
            assert_eq!(
                (read.setting(), read.from_text().as_str(), read.to_text().as_str()),
                (setting, "0.9", "0.5 (held)")
            );
            assert_eq!(serde_json::to_value(&read).unwrap(), written);
        }
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
}
