//! Text in lines of a limited width, for the terminal.

/// Wraps `text` between words into lines of at most `room` characters.
pub fn words(text: &str, room: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_string()),
        }
    }
    lines
}

/// Splits `name` into lines of at most `room` characters, after a `/`, `:`, `,` or `;` in the second half if there is
/// one; continuation lines are indented.
pub fn name(name: &str, room: usize) -> Vec<String> {
    let mut rest: Vec<char> = name.chars().collect();
    let mut lines = Vec::new();
    while rest.len() > room {
        let good = (room / 2..room).rev().find(|&i| "/:,; ".contains(rest[i])).map_or(room, |i| i + 1);
        let after = rest.split_off(good);
        lines.push(rest.into_iter().collect());
        rest = [' ', ' '].into_iter().chain(after).collect();
    }
    lines.push(rest.into_iter().collect());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_is_cut_after_a_comma() {
        let lines = name("sgd/one-cycle:max-lr=0.4,pct-start=0.3", 26);
        assert_eq!(lines, ["sgd/one-cycle:max-lr=0.4,", "  pct-start=0.3"]);
        assert!(name(&"x".repeat(50), 12).iter().all(|line| line.len() <= 12));
    }
}
