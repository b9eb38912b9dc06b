//! Escapes text from files for XML, HTML, Markdown and spreadsheets.

use crate::usage::one_line;

/// Escapes text for XML and HTML; control characters, which XML forbids, become spaces.
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

/// Escapes text for a line or table cell of Markdown: no markup, no HTML, no cell separators.
pub fn markdown(text: &str) -> String {
    one_line(text).chars().fold(String::with_capacity(text.len()), |mut out, c| {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\\' | '`' | '*' | '[' | ']' | '|' => out.extend(['\\', c]),
            c => out.push(c),
        }
        out
    })
}

/// A name for Markdown, as code if that is safe: inside code only `|` can be escaped, and old converters may pass HTML through.
pub fn markdown_name(name: &str) -> String {
    let name = one_line(name);
    if name.contains(['<', '&', '`', '\\']) { markdown(&name) } else { format!("`{}`", name.replace('|', "\\|")) }
}

/// Text for a CSV cell that a spreadsheet may open: what would be a formula is marked as text.
pub fn csv_text(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) { format!("'{text}") } else { text.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_break_out_of_the_markup() {
        assert_eq!(escape("<script>&\"\u{0}"), "&lt;script&gt;&amp;&quot; ");
    }

    #[test]
    fn a_name_cannot_break_out_of_markdown() {
        assert_eq!(markdown_name("sgd/halve:when=loss>=0.2|x"), "`sgd/halve:when=loss>=0.2\\|x`");
        assert_eq!(markdown_name("a`<img src=x>`\nb"), "a\\`&lt;img src=x&gt;\\` b");
        assert_eq!(markdown("[x](y) *z* | \\"), "\\[x\\](y) \\*z\\* \\| \\\\");
    }

    #[test]
    fn a_cell_is_never_a_formula() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"] {
            assert_eq!(csv_text(text), format!("'{text}"));
        }
        assert_eq!(csv_text("sgd/cosine"), "sgd/cosine");
    }
}
