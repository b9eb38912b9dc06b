//! The one error type that the exit code depends on.

#![forbid(unsafe_code)]

/// Something the user asked for that cannot be: exit code 2, one line on stderr.
///
/// The text says what, the value, the rule and, where there is one, the remedy:
/// `step: drop-every must be at least 1 step, got 0`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// Builds an `Err(Usage)` of any error type that a [`Usage`] converts into.
#[macro_export]
macro_rules! usage {
    ($($argument:tt)*) => { Err($crate::usage::Usage(format!($($argument)*)).into()) };
}

/// Longer input is no mistyped name.
const LONGEST_NAME: usize = 100;

/// The nearest of `names` to `typed`, where it is near enough to be what was meant.
pub fn nearest<'a>(typed: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if typed.len() > LONGEST_NAME {
        return None;
    }
    names
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(typed, name), name))
        .filter(|&(distance, name)| distance <= 1 + name.len() / 3)
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, name)| name)
}

/// `; did you mean "cosine"?`, or nothing.
pub fn did_you_mean<'a>(typed: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    nearest(typed, names).map_or(String::new(), |name| format!("; did you mean `{name}`?"))
}

/// The most characters of an input that a message repeats.
const LONGEST_QUOTE: usize = 80;

/// An input as a message repeats it: one line of at most 80 characters, the last of them `…` where there was more.
pub fn shortened(text: &str) -> String {
    if text.chars().nth(LONGEST_QUOTE).is_none() {
        return one_line(text);
    }
    text.chars().take(LONGEST_QUOTE - 1).map(printable).chain(['…']).collect()
}

/// `text` as one line that a terminal takes literally: control characters, and those that reorder what follows them, become spaces.
pub fn one_line(text: &str) -> String {
    text.chars().map(printable).collect()
}

fn printable(c: char) -> char {
    let reorders = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let breaks_line = matches!(c, '\u{2028}' | '\u{2029}');
    if c.is_control() || reorders || breaks_line { ' ' } else { c }
}

/// The most characters of an error message that is shown whole. Messages are short unless they repeat something that is not.
const LONGEST_MESSAGE: usize = 2000;

/// An error message as one line. Of one that repeats a huge input, the middle is left out: what it is about and the remedy stay.
pub fn message(text: &str) -> String {
    let line: Vec<char> = one_line(text).chars().collect();
    if line.len() <= LONGEST_MESSAGE {
        return line.into_iter().collect();
    }
    let (head, tail) = (&line[..LONGEST_MESSAGE / 2], &line[line.len() - LONGEST_MESSAGE / 4..]);
    head.iter().chain(&[' ', '…', ' ']).chain(tail).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_name_suggests_the_nearest_and_a_far_one_nothing() {
        let names = ["cosine", "step", "constant"];
        assert_eq!(nearest("cosin", names), Some("cosine"));
        assert_eq!(nearest("setp", names), Some("step"));
        assert_eq!(nearest("zzzzzzzz", names), None);
    }

    #[test]
    fn an_input_is_repeated_on_one_line_of_at_most_80_characters() {
        assert_eq!(shortened("co\nsi\u{1b}[2Jne"), "co si [2Jne");
        assert_eq!(shortened("a\u{202e}b\u{2028}c"), "a b c");
        assert_eq!(shortened(&"é".repeat(80)), "é".repeat(80));
        assert_eq!(shortened(&"é".repeat(81)), "é".repeat(79) + "…");
    }

    #[test]
    fn of_a_huge_message_the_beginning_and_the_remedy_stay() {
        let text = message(&format!("schedule: {} is wrong; leave it out", "x".repeat(1_000_000)));
        assert!(text.starts_with("schedule: xxx") && text.ends_with("xxx is wrong; leave it out"), "{text}");
        assert!(text.chars().count() < 1600);
        assert_eq!(message("short\ttext"), "short text");
    }
}
