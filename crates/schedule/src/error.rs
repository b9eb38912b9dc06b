//! [`UsageError`], and how its message quotes an input.

/// An invalid request: a schedule, parameter or value that is not allowed.
///
/// The message names the setting, the value, the rule and, if there is one, the remedy:
/// `step: drop-every must be at least 1 step, got 0`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

/// `Err` of a formatted [`UsageError`], converted into the error type that the context expects.
#[macro_export]
macro_rules! usage {
    ($($argument:tt)*) => { Err($crate::UsageError(format!($($argument)*)).into()) };
}

/// The most characters of an input that a message quotes.
const LONGEST_QUOTE: usize = 80;

/// An input as a message quotes it: one line of at most 80 characters, the last of them `…` if it was cut.
pub fn shortened(text: &str) -> String {
    if text.chars().nth(LONGEST_QUOTE).is_none() {
        return one_line(text);
    }
    text.chars().take(LONGEST_QUOTE - 1).map(printable).chain(['…']).collect()
}

/// `text` as one line, safe to print to a terminal: control characters, bidirectional controls and line separators become spaces.
pub fn one_line(text: &str) -> String {
    text.chars().map(printable).collect()
}

fn printable(c: char) -> char {
    let reorders = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let breaks_line = matches!(c, '\u{2028}' | '\u{2029}');
    if c.is_control() || reorders || breaks_line { ' ' } else { c }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_is_quoted_on_one_line_of_at_most_80_characters() {
        assert_eq!(shortened("co\nsi\u{1b}[2Jne"), "co si [2Jne");
        assert_eq!(shortened("a\u{202e}b\u{2028}c"), "a b c");
        assert_eq!(shortened(&"é".repeat(80)), "é".repeat(80));
        assert_eq!(shortened(&"é".repeat(81)), "é".repeat(79) + "…");
    }
}
