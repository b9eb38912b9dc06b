//! The grammar of specs: splits `name:key=value,key=value` into parts, with values still as text.

use crate::error::{UsageError, shortened};
use crate::hint::Glossary;
use crate::usage;

/// `name:key=value,...` split into parts, with values still as text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fields {
    pub name: String,
    /// In the order given; a key may repeat.
    pub values: Vec<(String, String)>,
}

/// Specs appear in tables, legends and folder names, and are evaluated at every step; a longer one is a mistake.
const MOST_CHARACTERS: usize = 10_000;

/// # Errors
/// A text of more than 10,000 characters; `what` names it in the message.
pub fn check_length(what: &str, text: &str) -> Result<(), UsageError> {
    let length = text.len();
    if length > MOST_CHARACTERS {
        return usage!("{what} must have at most {MOST_CHARACTERS} characters, got {length}");
    }
    Ok(())
}

/// Splits `name:key=value,key=value` into parts.
///
/// A comma ends a value unless it is inside brackets or not followed by a `key=`, so that
/// `piecewise:milestones=10,20,factor=0.1` and `expr:expr=max(lr,1e-3)` parse as expected. `bare` is the key for a
/// value without one (`expr:lr*0.5^epoch`). `mistyped` gives the switch that a word most likely means, if it is none.
///
/// # Errors
/// An empty name, unbalanced brackets, a mistyped switch, or a value before any key if `bare` is `None`.
pub fn fields(
    text: &str,
    switches: &[&str],
    bare: Option<&str>,
    mistyped: impl Fn(&str) -> Option<String>,
) -> Result<Fields, UsageError> {
    check_length("a spec", text)?;
    let (name, rest) = match text.split_once(':') {
        Some((name, rest)) => (name.trim(), rest.trim()),
        None => (text.trim(), ""),
    };
    if name.is_empty() {
        return usage!("`{text}` has no name; write `name:key=value,key=value`", text = shortened(text));
    }
    let Some(pieces) = split_outside_brackets(rest) else {
        return usage!("{name}: the brackets in `{text}` do not match", text = shortened(text));
    };
    let mut values: Vec<(String, String)> = Vec::new();
    for piece in pieces {
        let trimmed = piece.trim();
        // A mistyped switch would become a part of the value before it.
        let is_word = is_key(trimmed) && trimmed.starts_with(|c: char| c.is_ascii_alphabetic());
        if let Some(meant) = Some(trimmed).filter(|word| is_word && !switches.contains(word)).and_then(&mistyped) {
            return usage!("{name}: unknown switch `{trimmed}`; did you mean `{meant}`?", trimmed = shortened(trimmed));
        }
        if trimmed.is_empty() {
            return usage!("{name}: nothing between two commas in `{text}`", text = shortened(text));
        }
        match trimmed.split_once('=') {
            Some((key, value)) if is_key(key.trim()) && !value.starts_with('=') => {
                values.push((key.trim().to_string(), value.trim().to_string()))
            }
            _ if switches.contains(&trimmed) => values.push((trimmed.to_string(), "true".to_string())),
            _ => match (values.last_mut(), bare) {
                (Some((_, value)), _) => {
                    value.push(',');
                    value.push_str(trimmed);
                }
                (None, Some(key)) => values.push((key.to_string(), trimmed.to_string())),
                (None, None) => {
                    let lacks = if is_key(trimmed) { "value" } else { "key" };
                    return usage!(
                        "{name}: `{trimmed}` has no {lacks}; write `key=value`",
                        trimmed = shortened(trimmed)
                    );
                }
            },
        }
    }
    Ok(Fields { name: name.to_string(), values })
}

/// The error for a key that `owner` does not take; it names the ones it takes.
pub(super) fn unknown_key(glossary: &Glossary, owner: &str, key: &str, known: &[&str]) -> UsageError {
    let (hint, key) = (glossary.did_you_mean(key, known.iter().copied()), shortened(key));
    if known.is_empty() {
        UsageError(format!("{owner} takes no parameters, got `{key}`"))
    } else {
        UsageError(format!("{owner} does not take `{key}`{hint} (it takes: {})", known.join(", ")))
    }
}

/// Whether `key=` begins a new parameter. Any identifier does, so that a framework's parameter (`T_max=`) is rejected
/// by name.
pub(super) fn is_key(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

/// `None` if the brackets are unbalanced.
fn split_outside_brackets(text: &str) -> Option<Vec<&str>> {
    let (mut pieces, mut depth, mut start) = (Vec::new(), 0_usize, 0);
    if text.is_empty() {
        return Some(pieces);
    }
    for (at, c) in text.char_indices() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.checked_sub(1)?,
            ',' if depth == 0 => {
                pieces.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    pieces.push(&text[start..]);
    (depth == 0).then_some(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meant(word: &str) -> Option<String> {
        crate::hint::SCHEDULES.suggestion(word, ["staircase"])
    }

    fn read(text: &str) -> Vec<(String, String)> {
        fields(text, &["staircase"], Some("expr"), meant).unwrap().values
    }

    #[test]
    fn a_comma_inside_a_list_or_brackets_belongs_to_the_value() {
        assert_eq!(
            read("piecewise:milestones=10,20,factor=0.1"),
            [("milestones".into(), "10,20".into()), ("factor".into(), "0.1".into())]
        );
        assert_eq!(read("expr:expr=max(lr,1e-3)"), [("expr".into(), "max(lr,1e-3)".into())]);
        assert_eq!(read("expr:lr*2"), [("expr".into(), "lr*2".into())]);
    }

    #[test]
    fn a_condition_keeps_its_own_equals_sign() {
        assert_eq!(
            read("halve:when=epoch>=30,val_accuracy>=0.8"),
            [("when".into(), "epoch>=30,val_accuracy>=0.8".into())]
        );
    }

    #[test]
    fn a_switch_needs_no_value() {
        assert_eq!(read("time:staircase"), [("staircase".into(), "true".into())]);
    }

    #[test]
    fn a_mistyped_switch_is_no_part_of_the_value_before_it() {
        for text in ["time:decay=1,staircas", "time:stair_case", "time:decay=1,Staircase"] {
            let error = fields(text, &["staircase"], Some("expr"), meant).unwrap_err().to_string();
            assert!(
                error.starts_with("time: unknown switch `") && error.ends_with("did you mean `staircase`?"),
                "{error}"
            );
        }
        assert_eq!(read("piecewise:values=stair1,2.staircas"), [("values".into(), "stair1,2.staircas".into())]);
    }

    #[test]
    fn a_missing_name_or_key_is_an_error() {
        assert!(fields(":a=1", &[], None, |_| None).is_err());
        assert!(fields("step:0.5", &[], None, |_| None).is_err());
        assert!(fields("step:factor=0.5,,drop-every=2", &[], None, |_| None).is_err());
    }

    #[test]
    fn brackets_that_do_not_match_are_an_error() {
        for text in ["time:decay=(,decay-steps=3", "time:decay=),decay-steps=3", "time:decay=)("] {
            assert!(fields(text, &[], None, |_| None).is_err(), "{text}");
        }
    }
}
