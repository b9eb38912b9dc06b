//! What a report says first, in paragraphs.

use super::analysis::Group;

/// Something that a report says first.
#[derive(Debug, Clone, PartialEq)]
pub struct Paragraph {
    /// What it is about, where there are several: `epochs=30`.
    pub about: String,
    /// The answer to what the report is asked; of a note, all of it.
    pub answer: String,
    /// What else there is to say, a sentence or two at a time.
    pub rest: Vec<String>,
    pub of: Subject,
}

/// What a paragraph is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// The report as a whole.
    Note,
    /// The group at this place.
    Group(usize),
    RangeTest,
}

impl Paragraph {
    pub fn note(text: String) -> Self {
        Self { about: String::new(), answer: text, rest: Vec::new(), of: Subject::Note }
    }

    /// Each of its parts by itself, what it is about before the first.
    pub fn parts(&self) -> Vec<String> {
        let parts = std::iter::once(&self.answer).filter(|answer| !answer.is_empty()).chain(&self.rest);
        let mut parts: Vec<String> = parts.cloned().collect();
        if let Some(first) = parts.first_mut().filter(|_| !self.about.is_empty()) {
            *first = format!("{}: {first}", self.about);
        }
        parts
    }
}

/// What is said of all groups: a paragraph each.
pub fn of(groups: &[Group<'_>]) -> Vec<Paragraph> {
    if groups.is_empty() {
        return vec![Paragraph::note("No run was found.".into())];
    }
    let first = (groups.len() > 1).then(|| {
        Paragraph::note(format!(
            "The runs form {} groups, which differ in what they were trained on, for how long or how they were chosen. Only runs of one group are compared.",
            groups.len()
        ))
    });
    let of_group = |(place, group): (usize, &Group<'_>)| Paragraph {
        about: if groups.len() > 1 { group.label.to_string() } else { String::new() },
        answer: group.answer.clone(),
        rest: group.rest.clone(),
        of: Subject::Group(place),
    };
    first.into_iter().chain(groups.iter().enumerate().map(of_group)).collect()
}
