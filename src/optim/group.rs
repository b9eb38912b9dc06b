//! Parameter groups as written: which parameters, and what is theirs instead of the run's.

use super::{OptimizerSpec, check_rate};
use crate::number::exact;
use crate::schedule::{Duration, Semantics, Spec, Unit};
use crate::usage;
use crate::usage::{Usage, did_you_mean, one_line, shortened, suggestion};
use glob::Pattern;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The keys of a group, as a config file writes them.
const KEYS: [&str; 6] = ["name", "parameters", "optimizer", "lr", "schedule", "freeze-after"];
/// The keys that follow the optimizer and the schedule in the form of the command line: `…/freeze-after=3ep`.
const TRAILING: [&str; 3] = ["lr", "freeze-after", "name"];
/// The form of the command line, for error messages.
const FORM: &str = "PATTERN[,PATTERN]=OPTIMIZER[/SCHEDULE], such as '*.bias=sgd:lr=0.05/linear'";
/// A name is the end of a column's name.
const LONGEST_NAME: usize = 64;

/// A parameter group: globs on PyTorch's names, and what replaces the run's optimizer, rate and schedule.
///
/// `parse(display(g)) == g`, in the form of the command line: `*.bias=sgd:lr=0.05,momentum=0.9/linear/freeze-after=3ep`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct ParamGroup {
    /// `None`: named after its patterns.
    name: Option<String>,
    parameters: Vec<Pattern>,
    /// Without a rate; `None`: the run's.
    pub optimizer: Option<OptimizerSpec>,
    /// `None`: the run's, or under another optimizer than the run's the usual one of that.
    pub lr: Option<f64>,
    /// `None`: follows the run's.
    pub schedule: Option<Spec>,
    /// The time from which on its parameters stay as they are.
    pub freeze_after: Option<Duration>,
}

/// A group in a config file or run.json.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Written {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    name: Option<String>,
    parameters: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    optimizer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    lr: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    schedule: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    freeze_after: Option<String>,
}

impl TryFrom<Written> for ParamGroup {
    type Error = Usage;

    fn try_from(written: Written) -> Result<Self, Usage> {
        let Written { name, parameters, optimizer, lr, schedule, freeze_after } = written;
        if parameters.is_empty() {
            return usage!("group: parameters must list at least one pattern, such as `*.bias`");
        }
        if let Some(name) = &name {
            check_name(name)?;
        }
        let label = shortened(&label(name.as_deref(), &parameters));
        let of_group = |error: Usage| Usage(format!("group {label}: {error}"));
        if optimizer.is_none() && lr.is_none() && schedule.is_none() && freeze_after.is_none() {
            return usage!("group {label} is like all others; give it an optimizer, lr, schedule or freeze-after");
        }
        let optimizer = optimizer.map(|spec| spec.parse::<OptimizerSpec>()).transpose().map_err(of_group)?;
        let of_optimizer = optimizer.as_ref().and_then(OptimizerSpec::learning_rate);
        if lr.is_some() && of_optimizer.is_some() {
            return usage!("group {label}: lr is given twice, of its own and with the optimizer; leave one out");
        }
        let lr = lr.or(of_optimizer);
        if let Some(lr) = lr {
            check_rate::<f32>("lr", lr).map_err(of_group)?;
        }
        let parse = |text: String| match Duration::parse(&text, Unit::Epochs) {
            Ok(duration) => Ok(duration),
            Err(error) => Err(of_group(Usage(format!("freeze-after {error}")))),
        };
        Ok(Self {
            parameters: parameters.iter().map(|text| pattern(text)).collect::<Result<_, _>>().map_err(of_group)?,
            optimizer: optimizer.map(OptimizerSpec::without_learning_rate),
            schedule: schedule.map(|spec| without_blanks(&spec)).transpose().map_err(of_group)?,
            freeze_after: freeze_after.map(parse).transpose()?,
            name,
            lr,
        })
    }
}

impl From<ParamGroup> for Written {
    fn from(group: ParamGroup) -> Self {
        Self {
            parameters: group.parameters.iter().map(|pattern| pattern.as_str().to_string()).collect(),
            optimizer: group.optimizer.map(|spec| spec.to_string()),
            schedule: group.schedule.map(|spec| spec.to_string()),
            freeze_after: group.freeze_after.map(|duration| duration.to_string()),
            name: group.name,
            lr: group.lr,
        }
    }
}

/// A pattern fits in a column's name and on the command line.
fn pattern(text: &str) -> Result<Pattern, Usage> {
    if text.is_empty() || !is_plain(text) {
        return usage!("a pattern such as `*.bias` has no blanks and none of , = / \", got `{}`", shortened(text));
    }
    Pattern::new(text).map_err(|error| Usage(format!("`{}` is not a pattern: {}", shortened(text), error.msg)))
}

/// Whether it can be a part of a column's name, of a variable with several groups, and of a line on a terminal.
fn is_plain(text: &str) -> bool {
    one_line(text) == text && !text.contains(|c: char| c.is_whitespace() || ",=/\"".contains(c))
}

fn check_name(name: &str) -> Result<(), Usage> {
    if name.is_empty() || name.chars().count() > LONGEST_NAME || !is_plain(name) {
        return usage!(
            "group: a name has 1 to {LONGEST_NAME} characters, no blanks and none of , = / \", got `{}`",
            shortened(name)
        );
    }
    Ok(())
}

/// A schedule that several groups in one variable can have: its blanks, which only an expression has, mean nothing.
fn without_blanks(text: &str) -> Result<Spec, Usage> {
    let spec: Spec = text.parse()?;
    let blank = |c: char| c.is_whitespace();
    let shown = spec.to_string();
    if shown.contains(blank) { shown.replace(blank, "").parse() } else { Ok(spec) }
}

fn label(name: Option<&str>, patterns: &[String]) -> String {
    name.map_or_else(|| patterns.join("+"), str::to_string)
}

impl ParamGroup {
    /// Its optimizer, without a rate, in a run with the optimizer `base`.
    pub fn optimizer_under(&self, base: &OptimizerSpec) -> OptimizerSpec {
        self.optimizer.as_ref().unwrap_or(base).clone().without_learning_rate()
    }

    /// The rate of its own: the one that it gives, or the usual one of another optimizer than `base`. `None`: the run's.
    pub fn own_rate(&self, base: &OptimizerSpec, semantics: Semantics) -> Option<f64> {
        let other = self.optimizer.as_ref().filter(|optimizer| optimizer.name() != base.name());
        self.lr.or_else(|| other.map(|optimizer| optimizer.default_learning_rate(semantics)))
    }

    /// From the keys of a config file and their values.
    ///
    /// # Errors
    /// A key that is unknown or given twice, more than one value for a key that takes one, a value that is wrong.
    pub fn from_keys(keys: &[(String, Vec<String>)]) -> Result<Self, Usage> {
        let mut written = Written::default();
        for (key, values) in keys {
            if key == "parameters" {
                written.parameters = values.clone();
                continue;
            }
            let [value] = values.as_slice() else {
                return usage!("group: {key} takes one value, got {}", values.len());
            };
            written.set(key, value.clone())?;
        }
        written.try_into()
    }

    /// Its name: the given one, or its patterns.
    pub fn name(&self) -> String {
        self.name.clone().unwrap_or_else(|| {
            let patterns: Vec<&str> = self.parameters.iter().map(Pattern::as_str).collect();
            patterns.join("+")
        })
    }

    /// Globs on the names of parameters.
    pub fn patterns(&self) -> &[Pattern] {
        &self.parameters
    }

    /// Whether a parameter of this name is in it.
    pub fn matches(&self, parameter: &str) -> bool {
        self.parameters.iter().any(|pattern| pattern.matches(parameter))
    }
}

impl Written {
    fn set(&mut self, key: &str, value: String) -> Result<(), Usage> {
        let twice = match key {
            "name" => self.name.replace(value).is_some(),
            "optimizer" => self.optimizer.replace(value).is_some(),
            "schedule" => self.schedule.replace(value).is_some(),
            "freeze-after" => self.freeze_after.replace(value).is_some(),
            "lr" => match value.trim().parse() {
                Ok(lr) => self.lr.replace(lr).is_some(),
                Err(_) => return usage!("group: lr must be a number above 0, got `{}`", shortened(&value)),
            },
            _ => {
                let hint = did_you_mean(key, KEYS);
                return usage!("group: unknown key `{}`{hint} (keys: {})", shortened(key), KEYS.join(", "));
            }
        };
        if twice {
            return usage!("group: {key} is given twice; leave one out");
        }
        Ok(())
    }
}

impl std::str::FromStr for ParamGroup {
    type Err = Usage;

    /// The form of the command line.
    fn from_str(text: &str) -> Result<Self, Usage> {
        let Some((patterns, rest)) = text.split_once('=') else {
            return usage!("group must be {FORM}, or none; got `{}`", shortened(text));
        };
        let parameters = patterns.split(',').map(|pattern| pattern.trim().to_string()).collect();
        let mut written = Written { parameters, ..Written::default() };
        let mut rest = rest;
        while let Some((before, last)) = rest.rsplit_once('/')
            && let Some((key, value)) = key_value(last)
            && TRAILING.contains(&key)
        {
            written.set(key, value.to_string())?;
            rest = before;
        }
        // A key that is mistyped or not at the end would be taken for a schedule or an optimizer.
        for (key, value) in rest.split('/').filter_map(key_value) {
            if ["optimizer", "schedule"].contains(&key) {
                return usage!("group {}: leave out `{key}=`: it is {FORM}", shortened(patterns));
            }
            if let Some(meant) = suggestion(key, TRAILING) {
                let (patterns, value) = (shortened(patterns), shortened(value));
                return usage!(
                    "group {patterns}: `{key}` is no schedule and no optimizer; did you mean `/{meant}={value}`, at the end?"
                );
            }
        }
        let (optimizer, schedule) = rest.split_once('/').unwrap_or((rest, ""));
        let given = |text: &str| Some(text.trim().to_string()).filter(|text| !text.is_empty());
        (written.optimizer, written.schedule) = (given(optimizer), given(schedule));
        written.try_into()
    }
}

/// `freeze-after=3ep`; not `lr>=1` or `lr==1` behind a slash in an expression.
fn key_value(part: &str) -> Option<(&str, &str)> {
    let (key, value) = part.split_once('=')?;
    let is_key = key.chars().all(|letter| letter.is_ascii_alphabetic() || letter == '-' || letter == '_');
    (is_key && !value.starts_with('=')).then_some((key, value))
}

impl fmt::Display for ParamGroup {
    /// Without blanks, so that several groups fit in one variable.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let patterns: Vec<&str> = self.parameters.iter().map(Pattern::as_str).collect();
        let mut text = patterns.join(",") + "=";
        if let Some(optimizer) = &self.optimizer {
            text += &self.lr.map_or(optimizer.clone(), |lr| optimizer.with_learning_rate(lr)).to_string();
        }
        if let Some(schedule) = &self.schedule {
            text += &format!("/{schedule}");
        }
        let lr = self.lr.filter(|_| self.optimizer.is_none()).map(exact);
        let freeze_after = self.freeze_after.map(|duration| duration.to_string());
        for (key, value) in [("lr", lr), ("freeze-after", freeze_after), ("name", self.name.clone())] {
            text += &value.map_or(String::new(), |value| format!("/{key}={value}"));
        }
        f.write_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_reads_back_from_the_form_of_the_command_line_and_from_json() {
        for text in [
            "*.bias=sgd",
            "norm*.bias,*.norm*.bias=sgd:lr=0.053,momentum=0.85,nesterov/linear",
            "fc?.weight=/cosine",
            "fc.weight=/lr=0.05",
            "whiten.bias=sgd:lr=0.053/linear:over=3/freeze-after=3ep/name=whitening",
            "fc.weight=adam/expr:expr=lr*0.5^floor((1+epoch)/10)/freeze-after=50%",
        ] {
            let group: ParamGroup = text.parse().unwrap();
            assert_eq!(group.to_string(), text);
            let json = serde_json::to_string(&group).unwrap();
            assert_eq!(serde_json::from_str::<ParamGroup>(&json).unwrap(), group, "{json}");
        }
    }

    #[test]
    fn a_schedule_is_written_without_blanks_so_that_a_variable_can_have_several_groups() {
        for expression in ["t/lr>=1", "t/lr!=1", "t/lr==1", "lr*(t/lr<=1)"] {
            let text = format!("*.bias=sgd/expr:expr={expression}");
            assert_eq!(text.parse::<ParamGroup>().unwrap().to_string(), text);
        }
        let group: ParamGroup = "*.bias=sgd/expr:lr * (1 - t / T)".parse().unwrap();
        assert_eq!(group.to_string(), "*.bias=sgd/expr:expr=lr*(1-t/T)");
        assert_eq!(group.to_string().parse(), Ok(group));
    }

    #[test]
    fn a_group_is_named_after_its_patterns_and_matches_any_of_them() {
        let group: ParamGroup = "norm*.bias,*.norm*.bias=sgd".parse().unwrap();
        assert_eq!(group.name(), "norm*.bias+*.norm*.bias");
        for (name, is_in) in
            [("norm1.bias", true), ("group1.norm2.bias", true), ("norm1.weight", false), ("fc.bias", false)]
        {
            assert_eq!(group.matches(name), is_in, "{name}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_group_is_said_in_one_line() {
        for (text, said) in [
            (
                "*.bias",
                "group must be PATTERN[,PATTERN]=OPTIMIZER[/SCHEDULE], such as '*.bias=sgd:lr=0.05/linear', or none; got `*.bias`",
            ),
            ("*.bias=/name=a", "group a is like all others; give it an optimizer, lr, schedule or freeze-after"),
            ("=sgd", "group : a pattern such as `*.bias` has no blanks"),
            ("[a=sgd", "group [a: `[a` is not a pattern"),
            ("*.bias=sdg", "group *.bias: unknown optimizer `sdg`"),
            ("*.bias=sgd,lr=0.05", "group *.bias: unknown optimizer `sgd,lr=0.05`; did you mean `sgd:lr=0.05`?"),
            ("*.bias=sdg,lr=0.05", "group *.bias: unknown optimizer `sdg,lr=0.05`; did you mean `sgd`?"),
            ("*.bias=sgd,adam", "group *.bias: unknown optimizer `sgd,adam` (optimizers:"),
            ("*.bias=sgd/cosin", "group *.bias: unknown schedule `cosin`"),
            (
                "*.bias=sgd/schedule=cosine",
                "group *.bias: leave out `schedule=`: it is PATTERN[,PATTERN]=OPTIMIZER[/SCHEDULE]",
            ),
            (
                "*.bias=optimizer=sgd",
                "group *.bias: leave out `optimizer=`: it is PATTERN[,PATTERN]=OPTIMIZER[/SCHEDULE]",
            ),
            (
                "*.bias=/frezze-after=50%",
                "group *.bias: `frezze-after` is no schedule and no optimizer; did you mean `/freeze-after=50%`, at the end?",
            ),
            (
                "*.bias=sgd/nam=a",
                "group *.bias: `nam` is no schedule and no optimizer; did you mean `/name=a`, at the end?",
            ),
            (
                "*.bias=lr=0.1",
                "group *.bias: `lr` is no schedule and no optimizer; did you mean `/lr=0.1`, at the end?",
            ),
            (
                "*.bias=sgd/lr=0.1/cosine",
                "group *.bias: `lr` is no schedule and no optimizer; did you mean `/lr=0.1`, at the end?",
            ),
            ("*.bias=sgd:lr=0", "group *.bias: sgd: lr must be "),
            ("*.bias=/lr=-1", "group *.bias: lr must be a number above 0, got -1"),
            ("*.bias=sgd/freeze-after=soon", "group *.bias: freeze-after must be a duration"),
            ("*.bias=sgd/name=", "group: a name has 1 to 64 characters"),
        ] {
            let error = text.parse::<ParamGroup>().unwrap_err().to_string();
            assert!(error.starts_with(said), "{text}: {error}");
        }
        let keys =
            |key: &str| [("parameters".to_string(), vec!["*".to_string()]), (key.to_string(), vec!["1".to_string()])];
        let error = ParamGroup::from_keys(&keys("freeze-afte")).unwrap_err().to_string();
        assert!(error.starts_with("group: unknown key `freeze-afte`; did you mean `freeze-after`?"), "{error}");
        let error = ParamGroup::from_keys(&[]).unwrap_err().to_string();
        assert_eq!(error, "group: parameters must list at least one pattern, such as `*.bias`");
    }
}
