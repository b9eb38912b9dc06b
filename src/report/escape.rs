//! Text from files, made safe for XML and HTML.

/// Text for XML and HTML; control characters, which XML forbids, become spaces.
pub fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_break_out_of_the_markup() {
        assert_eq!(escape("<script>&\"\u{0}"), "&lt;script&gt;&amp;&quot; ");
    }
}
