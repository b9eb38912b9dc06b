//! The one error type that the exit code depends on.

#![forbid(unsafe_code)]

/// Something the user asked for that cannot be: exit code 2, one line on stderr.
///
/// The text says what, the value, the rule and, where there is one, the remedy:
/// `step: drop-every must be at least 1 epoch, got 0`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// Builds an `Err(Usage)` of any error type that a [`Usage`] converts into.
#[macro_export]
macro_rules! usage {
    ($($argument:tt)*) => { Err($crate::usage::Usage(format!($($argument)*)).into()) };
}

/// The nearest of `names` to `typed`, where it is near enough to be what was meant.
pub fn nearest<'a>(typed: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
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
}
