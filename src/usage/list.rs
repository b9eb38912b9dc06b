//! Sentences, and names in them.

/// A sentence names this many at most.
const NAMED: usize = 4;

/// `A, B and C`; of more than four the first three, and how many more there are: `A, B, C and 3 more`.
pub fn listed(names: &[impl AsRef<str>]) -> String {
    match names.split_at_checked(NAMED - 1) {
        Some((named, more)) if more.len() > 1 => {
            let named: Vec<&str> = named.iter().map(AsRef::as_ref).collect();
            format!("{} and {} more", named.join(", "), more.len())
        }
        _ => all_listed(names),
    }
}

/// As a sentence begins.
pub fn capitalised(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map_or(String::new(), |first| first.to_uppercase().chain(rest).collect())
}

/// All of them, however many: `A, B, C and D`.
pub fn all_listed(names: &[impl AsRef<str>]) -> String {
    match names {
        [] => String::new(),
        [one] => one.as_ref().to_string(),
        [others @ .., last] => {
            let others: Vec<&str> = others.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", others.join(", "), last.as_ref())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn up_to_four_are_named_and_of_more_the_first_three() {
        assert_eq!(listed(&[] as &[&str]), "");
        assert_eq!(listed(&["a"]), "a");
        assert_eq!(listed(&["a", "b"]), "a and b");
        assert_eq!(listed(&["a", "b", "c", "d"]), "a, b, c and d");
        assert_eq!(listed(&["a", "b", "c", "d", "e"]), "a, b, c and 2 more");
        assert_eq!(all_listed(&["a", "b", "c", "d", "e"]), "a, b, c, d and e");
    }
}
