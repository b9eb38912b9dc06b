//! [`Usage`], the error behind exit code 2, and the suggestions its message may contain.

#![forbid(unsafe_code)]

mod list;
mod names;

pub use list::{all_listed, capitalised, listed};

/// An invalid request by the user: exit code 2, one line on stderr.
pub use lrsched_schedule::UsageError as Usage;
pub use lrsched_schedule::{one_line, shortened};

use lrsched_schedule::hint::{self, Glossary};

/// The names that other programs use for what lrsched has.
pub static GLOSSARY: Glossary =
    Glossary { aliases: names::ALIASES, absent: names::ABSENT, fallback: Some(&hint::SCHEDULES) };

/// [`Glossary::suggestion`] of [`GLOSSARY`].
pub fn suggestion<'a>(typed: &str, names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    GLOSSARY.suggestion(typed, names)
}

/// [`Glossary::did_you_mean`] of [`GLOSSARY`].
pub fn did_you_mean<'a>(typed: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    GLOSSARY.did_you_mean(typed, names)
}

/// [`Glossary::note`] of [`GLOSSARY`].
pub fn note(typed: &str) -> Option<&'static str> {
    GLOSSARY.note(typed)
}

/// The one of `all` that is called `text`; `what` is the word for one of them: `unknown mode `x` (modes: …)`.
///
/// # Errors
/// None is.
pub fn named<T: Copy, const N: usize>(
    what: &str,
    text: &str,
    all: [T; N],
    name: impl Fn(T) -> &'static str,
) -> Result<T, Usage> {
    find_named(text, all, name, |text, hint, names| format!("unknown {what} `{text}`{hint} ({what}s: {names})"))
}

/// The one of `all` that is called `text`, as the value of `setting`: `keep must be one of none, best, all; got `x``.
///
/// # Errors
/// None is.
pub fn one_of<T: Copy, const N: usize>(
    setting: &str,
    text: &str,
    all: [T; N],
    name: impl Fn(T) -> &'static str,
) -> Result<T, Usage> {
    find_named(text, all, name, |text, hint, names| format!("{setting} must be one of {names}; got `{text}`{hint}"))
}

/// The one of `all` that is called `text`; `refusal` makes the message of the text, a hint at a similar name, and all names.
fn find_named<T: Copy, const N: usize>(
    text: &str,
    all: [T; N],
    name: impl Fn(T) -> &'static str,
    refusal: impl Fn(&str, &str, &str) -> String,
) -> Result<T, Usage> {
    all.into_iter().find(|one| name(*one) == text).ok_or_else(|| {
        let names = all.map(&name);
        Usage(refusal(&shortened(text), &did_you_mean(text, names), &names.join(", ")))
    })
}

/// The most characters of an error message that is shown whole. Messages are short unless they quote something long.
const LONGEST_MESSAGE: usize = 2000;

/// An error message as one line. If it quotes a huge input, the middle is cut: the subject and the remedy remain.
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
    fn a_typo_suggests_the_nearest_name_and_an_unrelated_word_nothing() {
        let names = ["cosine", "step", "constant", "triangular", "triangular2", "sgd", "lr"];
        for (typed, meant) in [
            ("cosin", "cosine"),
            ("setp", "step"),
            ("COSINE", "cosine"),
            ("sdg", "sgd"),
            ("lrr", "lr"),
            ("tria", "triangular"),
            ("trangular2", "triangular2"),
        ] {
            assert_eq!(suggestion(typed, names).as_deref(), Some(meant), "{typed}");
        }
        for typed in ["zzzzzzzz", "compare", "br", "constellation", "st", ""] {
            assert_eq!(suggestion(typed, names), None, "{typed}");
        }
    }

    #[test]
    fn the_nearest_name_is_not_suggested_if_it_is_too_far() {
        assert_eq!(suggestion("early-stopping", ["label-smoothing", "epochs"]), None);
        assert_eq!(suggestion("completions", ["compare", "find"]), None);
        assert_eq!(suggestion("schedule", ["seed", "seeds", "semantics"]), None);
        assert_eq!(suggestion("nadam", ["adam", "adamw"]), None, "another optimizer, not a typo");
    }

    #[test]
    fn a_name_of_another_framework_suggests_ours_only_if_it_is_among_the_choices() {
        assert_eq!(suggestion("StepLR", ["step", "cosine"]).as_deref(), Some("step"));
        assert_eq!(suggestion("StepLR", ["cosine"]), None);
        assert_eq!(suggestion("gamma", ["decay-rate", "lr"]).as_deref(), Some("decay-rate"));
        assert_eq!(suggestion("Nesterov", ["sgd", "adam"]).as_deref(), Some("sgd:momentum=0.9,nesterov"));
        assert_eq!(
            suggestion("triangular_schedule", ["triangular"]).as_deref(),
            Some("triangular"),
            "a family of names"
        );
        assert_eq!(
            did_you_mean("early_stopping", ["epochs"]),
            "; lrsched has no early stopping; `checkpoints/best` keeps the best epoch"
        );
    }

    #[test]
    fn a_huge_message_keeps_its_beginning_and_its_remedy() {
        let text = message(&format!("schedule: {} is wrong; leave it out", "x".repeat(1_000_000)));
        assert!(text.starts_with("schedule: xxx") && text.ends_with("xxx is wrong; leave it out"), "{text}");
        assert!(text.chars().count() < 1600);
        assert_eq!(message("short\ttext"), "short text");
    }
}
