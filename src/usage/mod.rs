//! [`Usage`], the error behind exit code 2, and the suggestions its message may contain.

#![forbid(unsafe_code)]

mod names;

/// An invalid request by the user: exit code 2, one line on stderr.
///
/// The message names the setting, the value, the rule and, if there is one, the remedy:
/// `step: drop-every must be at least 1 step, got 0`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// `Err` of a formatted [`Usage`], converted into the error type that the context expects.
#[macro_export]
macro_rules! usage {
    ($($argument:tt)*) => { Err($crate::usage::Usage(format!($($argument)*)).into()) };
}

/// Words that framework names end in: `StepLR`, `linear_schedule`, `PolynomialDecay`.
const SUFFIXES: [&str; 5] = ["scheduler", "schedule", "annealing", "decay", "lr"];

/// Longer input is not a mistyped name.
const LONGEST_NAME: usize = 100;

/// Shorter words are a prefix of too many names.
const SHORTEST_PREFIX: usize = 3;

/// The entry of `names` that `typed` most likely means: the same name in another spelling (`batch_size`), another framework's name for it
/// (`StepLR`), a typo, or a prefix. `None` if nothing is close: a wrong guess is worse than none.
///
/// A suggestion may extend a name: `sgd:momentum=0.9` if `sgd` is one of `names`.
pub fn suggestion<'a>(typed: &str, names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    if typed.len() > LONGEST_NAME {
        return None;
    }
    let names: Vec<&str> = names.into_iter().collect();
    // Of a path such as `torch.optim.lr_scheduler.StepLR`, only the last part is a known name.
    let last = typed.rsplit('.').next().filter(|last| last.chars().any(char::is_alphabetic)).unwrap_or(typed);
    suggested(&normalised(typed), &names).or_else(|| suggested(&normalised(last), &names).filter(|_| last != typed))
}

/// [`suggestion`] for a normalised name.
fn suggested(typed: &str, names: &[&str]) -> Option<String> {
    let same = |word: &str| names.iter().find(|name| normalised(name) == word).map(ToString::to_string);
    let known = |word: &str| same(word).or_else(|| alias(word, names));
    let framework = || {
        let mut word = typed;
        // Hugging Face's `get_cosine_schedule_with_warmup`.
        if let Some(rest) = typed.strip_prefix("get") {
            if let Some(found) = known(rest) {
                return Some(found);
            }
            word = rest;
        }
        while let Some(shorter) = SUFFIXES.iter().find_map(|suffix| word.strip_suffix(suffix)) {
            if shorter.len() < SHORTEST_PREFIX {
                return None;
            }
            word = shorter;
            if let Some(found) = known(word) {
                return Some(found);
            }
        }
        None
    };
    if let Some(found) = same(typed) {
        return Some(found);
    }
    if absent(typed).is_some() {
        return None;
    }
    // A single wrong letter is a typo, even if another framework uses that word for something else.
    let slip = |name: &&&str| typed.len() > 5 && strsim::damerau_levenshtein(typed, &normalised(name)) == 1;
    let slipped = names.iter().find(slip).map(ToString::to_string);
    slipped
        .or_else(|| known(typed))
        .or_else(framework)
        .or_else(|| mistyped(typed, names))
        .or_else(|| begun(typed, names))
}

/// `; did you mean `cosine`?`, or the note about a known name that lrsched lacks, or an empty string. A message puts what follows in
/// parentheses, since the hint ends a sentence.
pub fn did_you_mean<'a>(typed: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    match suggestion(typed, names) {
        Some(name) => format!("; did you mean `{name}`?"),
        None => note(typed).map_or(String::new(), |note| format!("; {note}")),
    }
}

/// A note about a known name that lrsched lacks.
pub fn note(typed: &str) -> Option<&'static str> {
    absent(&normalised(typed)).filter(|note| !note.is_empty())
}

/// Lower case, without word separators.
fn normalised(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '-' | '_' | ' ' | '.')).flat_map(char::to_lowercase).collect()
}

fn alias(typed: &str, names: &[&str]) -> Option<String> {
    let on_offer = |target: &&&str| names.contains(&head(target));
    let targets = names::ALIASES.iter().filter(|(aliases, _)| aliases.contains(&typed)).flat_map(|(_, ours)| *ours);
    targets.into_iter().find(on_offer).map(ToString::to_string)
}

/// The name that a suggestion begins with: `sgd` of `sgd:momentum=0.9`.
fn head(target: &str) -> &str {
    target.split([':', ';', '=', ' ']).next().unwrap_or(target)
}

fn absent(typed: &str) -> Option<&'static str> {
    names::ABSENT.iter().find(|(names, _)| names.contains(&typed)).map(|(_, note)| *note)
}

/// The nearest name, if about one letter in four differs at most, or one letter of a name of at least three.
fn mistyped(typed: &str, names: &[&str]) -> Option<String> {
    let near = |(distance, name): &(usize, &str)| {
        let length = typed.chars().count().max(name.chars().count());
        4 * distance <= length + 1 || (*distance == 1 && length >= 3)
    };
    let distances = names.iter().map(|name| (strsim::damerau_levenshtein(typed, &normalised(name)), *name));
    distances.filter(near).min_by_key(|&(distance, _)| distance).map(|(_, name)| name.to_string())
}

/// The shortest name with this prefix.
fn begun(typed: &str, names: &[&str]) -> Option<String> {
    let begins = |name: &&&str| typed.len() >= SHORTEST_PREFIX && normalised(name).starts_with(typed);
    names.iter().filter(begins).min_by_key(|name| name.len()).map(ToString::to_string)
}

/// Every name that an alias may suggest, for the test that they all exist.
#[cfg(test)]
pub(crate) fn suggested_names() -> Vec<&'static str> {
    names::ALIASES.iter().flat_map(|(_, ours)| *ours).map(|target| head(target)).collect()
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
    fn an_input_is_quoted_on_one_line_of_at_most_80_characters() {
        assert_eq!(shortened("co\nsi\u{1b}[2Jne"), "co si [2Jne");
        assert_eq!(shortened("a\u{202e}b\u{2028}c"), "a b c");
        assert_eq!(shortened(&"é".repeat(80)), "é".repeat(80));
        assert_eq!(shortened(&"é".repeat(81)), "é".repeat(79) + "…");
    }

    #[test]
    fn a_huge_message_keeps_its_beginning_and_its_remedy() {
        let text = message(&format!("schedule: {} is wrong; leave it out", "x".repeat(1_000_000)));
        assert!(text.starts_with("schedule: xxx") && text.ends_with("xxx is wrong; leave it out"), "{text}");
        assert!(text.chars().count() < 1600);
        assert_eq!(message("short\ttext"), "short text");
    }
}
