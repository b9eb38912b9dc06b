//! "Did you mean": suggestions for unknown names.

mod names;

/// Words that framework names end in: `StepLR`, `linear_schedule`, `PolynomialDecay`.
const SUFFIXES: [&str; 5] = ["scheduler", "schedule", "annealing", "decay", "lr"];

/// Longer input is not a mistyped name.
const LONGEST_NAME: usize = 100;

/// Shorter words are a prefix of too many names.
const SHORTEST_PREFIX: usize = 3;

/// Names that other programs use for ours. They serve suggestions only; nothing is parsed by them.
#[derive(Debug)]
pub struct Glossary {
    /// (other programs' names, lower case without `-` and `_`; ours). The first of ours that is among the choices is suggested.
    pub aliases: &'static [(&'static [&'static str], &'static [&'static str])],
    /// Known names of what does not exist here, with a note in place of a suggestion: a name that is merely spelt alike would mislead.
    pub absent: &'static [(&'static [&'static str], &'static str)],
    /// The glossary to consult next.
    pub fallback: Option<&'static Glossary>,
}

/// The schedules of PyTorch, Keras, optax, Hugging Face, fastai, timm and PaddlePaddle, and their parameters.
pub static SCHEDULES: Glossary = Glossary { aliases: names::ALIASES, absent: &[], fallback: None };

/// [`Glossary::did_you_mean`] of [`SCHEDULES`].
pub(crate) fn did_you_mean<'a>(typed: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    SCHEDULES.did_you_mean(typed, names)
}

impl Glossary {
    /// The entry of `names` that `typed` most likely means: the same name in another spelling (`batch_size`), another framework's name for it
    /// (`StepLR`), a typo, or a prefix. `None` if nothing is close: a wrong guess is worse than none.
    ///
    /// A suggestion may extend a name: `sgd:momentum=0.9` if `sgd` is one of `names`.
    pub fn suggestion<'a>(&self, typed: &str, names: impl IntoIterator<Item = &'a str>) -> Option<String> {
        if typed.len() > LONGEST_NAME {
            return None;
        }
        let names: Vec<&str> = names.into_iter().collect();
        // Of a path such as `torch.optim.lr_scheduler.StepLR`, only the last part is a known name.
        let last = typed.rsplit('.').next().filter(|last| last.chars().any(char::is_alphabetic)).unwrap_or(typed);
        self.suggested(&normalised(typed), &names)
            .or_else(|| self.suggested(&normalised(last), &names).filter(|_| last != typed))
    }

    /// [`Glossary::suggestion`] for a normalised name.
    fn suggested(&self, typed: &str, names: &[&str]) -> Option<String> {
        let same = |word: &str| names.iter().find(|name| normalised(name) == word).map(ToString::to_string);
        let known = |word: &str| same(word).or_else(|| self.alias(word, names));
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
        if self.absent(typed).is_some() {
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

    /// `; did you mean `cosine`?`, or the note about a known name that is absent here, or an empty string. A message puts what follows in
    /// parentheses, since the hint ends a sentence.
    pub fn did_you_mean<'a>(&self, typed: &str, names: impl IntoIterator<Item = &'a str>) -> String {
        match self.suggestion(typed, names) {
            Some(name) => format!("; did you mean `{name}`?"),
            None => self.note(typed).map_or(String::new(), |note| format!("; {note}")),
        }
    }

    /// A note about a known name that is absent here.
    pub fn note(&self, typed: &str) -> Option<&'static str> {
        self.absent(&normalised(typed)).filter(|note| !note.is_empty())
    }

    /// Its own rows, then those of the fallback.
    fn chain(&self) -> impl Iterator<Item = &Glossary> {
        std::iter::successors(Some(self), |glossary| glossary.fallback)
    }

    fn alias(&self, typed: &str, names: &[&str]) -> Option<String> {
        let on_offer = |target: &&&str| names.contains(&head(target));
        let rows = self.chain().flat_map(|glossary| glossary.aliases);
        let targets = rows.filter(|(aliases, _)| aliases.contains(&typed)).flat_map(|(_, ours)| *ours);
        targets.into_iter().find(on_offer).map(ToString::to_string)
    }

    fn absent(&self, typed: &str) -> Option<&'static str> {
        let mut rows = self.chain().flat_map(|glossary| glossary.absent);
        rows.find(|(names, _)| names.contains(&typed)).map(|(_, note)| *note)
    }

    /// Every name that a suggestion may begin with, for a test that they all exist.
    pub fn suggested_names(&self) -> Vec<&'static str> {
        let rows = self.chain().flat_map(|glossary| glossary.aliases);
        rows.flat_map(|(_, ours)| *ours).map(|target| head(target)).collect()
    }
}

/// Lower case, without word separators.
fn normalised(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '-' | '_' | ' ' | '.')).flat_map(char::to_lowercase).collect()
}

/// The name that a suggestion begins with: `sgd` of `sgd:momentum=0.9`.
fn head(target: &str) -> &str {
    target.split([':', ';', '=', ' ']).next().unwrap_or(target)
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
