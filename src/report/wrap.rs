//! Text in lines of a limited width, for the terminal.

/// Wraps `text` between words into lines of at most `room` characters.
pub fn words(text: &str, room: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in joined(text, room) {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= room => {
                line.push(' ');
                line.push_str(&word);
            }
            _ => lines.push(word),
        }
    }
    lines
}

/// The words of `text`, with a number and its sign, spread or unit as one, if a line has room for that.
fn joined(text: &str, room: usize) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split(' ') {
        let binds = |word: &str| matches!(word, "±" | "=");
        let belongs =
            |before: &String| binds(word) || word.starts_with('%') || before.split(' ').next_back().is_some_and(binds);
        match words.last_mut() {
            Some(before) if belongs(before) && before.chars().count() + 1 + word.chars().count() <= room => {
                before.push(' ');
                before.push_str(word);
            }
            _ => words.push(word.to_string()),
        }
    }
    words
}

/// The least characters of a line besides its indentation, however narrow the terminal.
const LEAST_ROOM: usize = 20;

/// `before` and `text` in lines of at most `width` characters, those after the first from the column `under` on.
pub fn under(before: &str, under: usize, text: &str, width: usize) -> String {
    let mut lines = String::new();
    for (place, line) in words(text, width.saturating_sub(under).max(LEAST_ROOM)).iter().enumerate() {
        lines.push_str(&if place == 0 { before.to_string() } else { " ".repeat(under) });
        // Where there are two spaces between its words, a line may begin with one.
        lines.push_str(line.trim());
        lines.push('\n');
    }
    lines
}

/// The lines of `text`, each in lines of at most `width` characters, those after the first two columns further in.
pub fn lines(text: &str, width: usize) -> String {
    let wrapped = |line: &str| {
        let sentence = line.trim_start();
        let indent = line.len() - sentence.len();
        match line.chars().count() <= width {
            true => format!("{line}\n"),
            false => under(&line[..indent], indent + 2, sentence, width),
        }
    };
    text.lines().map(wrapped).collect()
}

/// Splits `name` into lines of at most `room` characters, after a space, `/`, `:`, `,` or `;` in the second half if there
/// is one; continuation lines are indented.
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
    fn lines_that_fit_stay_and_others_go_on_two_columns_further_in() {
        let text = "it fits\n  step 1 (epoch 0):  a longer line\n\nthat  stays";
        assert_eq!(lines(text, 24), "it fits\n  step 1 (epoch 0):  a\n    longer line\n\nthat  stays\n");
        assert_eq!(lines(text, usize::MAX), format!("{text}\n"));
        assert_eq!(
            under("mean    ", 8, "0.1 0.2 0.3 of all images", 8 + 20),
            "mean    0.1 0.2 0.3 of all\n        images\n"
        );
    }

    #[test]
    fn a_number_keeps_its_sign_its_spread_and_its_unit() {
        assert_eq!(
            words("on validation (n = 3), 11.37 ± 1.69 % on test", 20),
            ["on validation", "(n = 3),", "11.37 ± 1.69 % on", "test"]
        );
        assert_eq!(words("m = beta1·m", 6), ["m =", "beta1·m"]);
    }

    #[test]
    fn a_long_name_is_cut_after_a_comma() {
        let lines = name("sgd/one-cycle:max-lr=0.4,pct-start=0.3", 26);
        assert_eq!(lines, ["sgd/one-cycle:max-lr=0.4,", "  pct-start=0.3"]);
        assert!(name(&"x".repeat(50), 12).iter().all(|line| line.len() <= 12));
    }
}
