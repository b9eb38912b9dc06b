//! Verdicts in words: a sentence for each entrant, and a few on the whole.
//!
//! No sentence claims more than docs/STATISTICS.md says.

use super::analysis::Analysis;
use super::table::percent;
use crate::number::counted;
use crate::record::Status;
use crate::stats::verdict::{CHANCE, Difference, FEWEST, Standing, Verdict};
use std::fmt::Write as _;

/// A sentence names this many entrants at most.
const NAMED: usize = 4;

/// What is said of the entrants of one group.
pub struct Said<'s, 'a> {
    /// In the order of the ranking.
    pub analyses: &'s [Analysis<'a>],
    pub verdict: &'s Verdict,
    pub baseline: Option<usize>,
}

impl Said<'_, '_> {
    fn leader(&self) -> Option<&Analysis<'_>> {
        self.analyses.first().filter(|first| first.standing != Standing::NoResult)
    }

    /// The most seeds of which somebody can be compared with the leader.
    fn most_seeds(&self) -> usize {
        self.verdict.behind.iter().flatten().map(|difference| difference.n).max().unwrap_or(0)
    }

    /// The whole in a few sentences.
    pub fn summary(&self) -> String {
        let Some(leader) = self.leader() else {
            return "No finished run has a validation accuracy yet: nothing can be ranked.".into();
        };
        let mut said = match (self.analyses.len(), self.most_seeds()) {
            (1, _) => vec![format!("The only entrant: {}.", with_accuracy(leader))],
            _ if leader.standing == Standing::Winner => {
                vec![format!("Winner: {}. It beats every other (95 %).", with_accuracy(leader))]
            }
            (_, FEWEST..) => self.candidates(leader),
            (_, seeds) => vec![format!("Highest: {}.", with_accuracy(leader)), no_claim(seeds).into()],
        };
        said.extend(self.unjudged(leader));
        said.extend(self.against_baseline());
        said.extend(at_chance(self.analyses.iter().map(|analysis| analysis.entrant.at_chance()).sum()));
        if self.analyses.iter().any(|analysis| analysis.entrant.place.on_test) {
            said.push("Validated on the test images: whatever is chosen by these accuracies has seen the test.".into());
        }
        said.join(" ")
    }

    /// Without a winner: who may be the best, and what it takes to tell.
    fn candidates(&self, leader: &Analysis<'_>) -> Vec<String> {
        let is_out = |analysis: &&Analysis<'_>| analysis.standing == Standing::RuledOut;
        let open: Vec<&str> = self.analyses.iter().filter(|a| !is_out(a)).map(|a| a.name.as_str()).collect();
        let mut said = vec![format!(
            "No winner: {} of {} may be the best (95 %): {}.",
            open.len(),
            counted(self.analyses.len() as u64, "entrant"),
            listed(&open)
        )];
        said.push(format!("Highest: {}.", with_accuracy(leader)));
        let out = self.analyses.len() - open.len();
        if out > 0 {
            said.push(format!("Ruled out: {out}."));
        }
        let next = self.analyses.iter().skip(1).find(|analysis| analysis.standing == Standing::NotRuledOut);
        if let Some((next, difference)) = next.and_then(|next| Some((next, next.behind_best?)))
            && difference.n >= FEWEST
            && difference.mean > 0.0
        {
            said.push(format!(
                "If its lead over {} is real, {} of both show it with a probability of 80 %; count only those: adding \
                 seeds until a winner appears makes false winners.",
                next.name,
                fresh(difference)
            ));
        }
        said
    }

    /// Who could not be compared with the leader.
    fn unjudged(&self, leader: &Analysis<'_>) -> Option<String> {
        let others = self.analyses.iter().skip(1);
        let why = |analysis: &Analysis<'_>| match (analysis.standing, analysis.behind_best) {
            (Standing::NoResult, _) => Some(format!("{} (no result: {})", analysis.name, analysis.entrant.status())),
            (_, None) => Some(format!("{} (no seed in common)", analysis.name)),
            _ => None,
        };
        let unjudged: Vec<String> = others.filter_map(why).collect();
        let names: Vec<&str> = unjudged.iter().map(String::as_str).collect();
        (!names.is_empty()).then(|| format!("Not compared with {}: {}.", leader.name, listed(&names)))
    }

    fn against_baseline(&self) -> Option<String> {
        let baseline = &self.analyses[self.baseline?];
        let others = self.analyses.len() - 1;
        let (above, below) = (baseline.beaten_by.len(), baseline.beats.len());
        let told = others - above - below;
        Some(format!(
            "Against the baseline {}: {above} of {others} beat it, {below} are beaten by it, {told} cannot be told from it (95 %).",
            baseline.name
        ))
    }

    /// One for each entrant.
    pub fn sentences(&self) -> Vec<String> {
        let most = self.analyses.iter().map(|analysis| analysis.entrant.results().len()).max().unwrap_or(0);
        let sentence = |(place, analysis): (usize, &Analysis<'_>)| {
            let mut sentence = self.standing(place, analysis);
            let known = analysis.val_accuracy.map_or(0, |summary| summary.n);
            if (1..most).contains(&known) {
                let _ = write!(sentence, "; has {known} of {most} results");
            }
            let guessed = analysis.entrant.at_chance();
            if analysis.entrant.judged && guessed > 0 {
                let (runs, verb) = (analysis.entrant.runs.len(), if guessed == 1 { "counts" } else { "count" });
                let _ = write!(sentence, "; {guessed} of its {runs} runs {verb} as chance");
            }
            if let Some(baseline) = self.baseline {
                sentence.push_str(beside_baseline(place, analysis, baseline));
            }
            sentence
        };
        self.analyses.iter().enumerate().map(sentence).collect()
    }

    fn standing(&self, place: usize, analysis: &Analysis<'_>) -> String {
        if !analysis.entrant.judged {
            return "no validation accuracy is known".into();
        }
        let leader = match (analysis.standing, self.leader()) {
            (Standing::NoResult, _) | (_, None) => return format!("no result yet: {}", analysis.entrant.status()),
            (_, Some(_)) if self.analyses.len() == 1 => return "the only entrant".into(),
            (Standing::Winner, _) => return "winner: beats every other".into(),
            (_, Some(_)) if place == 0 => return self.of_leader(analysis),
            (_, Some(leader)) => leader,
        };
        let Some(difference) = analysis.behind_best else { return format!("no seed in common with {}", leader.name) };
        let (apart, n) = (format!("{} {}", apart(difference.mean), leader.name), difference.n);
        match analysis.standing {
            _ if n == 1 => format!("{apart} on one seed, which says nothing about others"),
            _ if n < FEWEST => format!("{apart} on {n} seeds, too few for a claim"),
            Standing::RuledOut if leader.beats.contains(&analysis.place) => {
                format!("{} beats it by {} (n = {n})", leader.name, points(difference.mean))
            }
            Standing::RuledOut => format!("not the best: {apart} (n = {n})"),
            _ if difference.mean > 0.0 => {
                format!("may be the best: {apart} (n = {n}); {} show such a gap in 80 % of cases", fresh(difference))
            }
            _ => format!("may be the best: {apart} (n = {n})"),
        }
    }

    /// Of one that leads and has not won.
    fn of_leader(&self, leader: &Analysis<'_>) -> String {
        match (leader.standing, self.most_seeds()) {
            (Standing::RuledOut, _) => "highest of those that share its seeds, but another beats it".into(),
            (_, FEWEST..) => "highest; may be the best".into(),
            _ => "highest; no claim".into(),
        }
    }
}

/// `sgd/cosine, 81.23 ± 0.42 % on validation (n = 3), 80.50 ± 0.31 % on test`.
fn with_accuracy(analysis: &Analysis<'_>) -> String {
    let n = analysis.val_accuracy.map_or(0, |summary| summary.n);
    let mut text = format!("{}, {} % on validation (n = {n})", analysis.name, percent(analysis.val_accuracy));
    if analysis.test_accuracy.is_some() {
        let _ = write!(text, ", {} % on test", percent(analysis.test_accuracy));
    }
    text
}

fn beside_baseline(place: usize, analysis: &Analysis<'_>, baseline: usize) -> &'static str {
    match place {
        _ if place == baseline => "; the baseline",
        _ if analysis.beats.contains(&(baseline + 1)) => "; beats the baseline",
        _ if analysis.beaten_by.contains(&(baseline + 1)) => "; the baseline beats it",
        _ => "; not told from the baseline",
    }
}

/// Why nothing is claimed of `seeds` seeds.
fn no_claim(seeds: usize) -> &'static str {
    match seeds {
        0 => "No other entrant has a result on the same seeds: nothing can be compared.",
        1 => "One seed says nothing about others: no claim about which is best. Train at least 3.",
        _ => "Two seeds are too few for a claim about which is best. Train at least 3.",
    }
}

fn at_chance(runs: usize) -> Option<String> {
    let which =
        |verb: &str| format!("{} that {} or {} {verb}", counted(runs as u64, "run"), Status::Diverged, Status::Failed);
    let chance = CHANCE * 100.0;
    match runs {
        0 => None,
        1 => Some(format!("{} as chance ({chance:.0} %).", which("counts"))),
        _ => Some(format!("{} as chance ({chance:.0} %).", which("count"))),
    }
}

/// `14 fresh seeds`.
fn fresh(difference: Difference) -> String {
    difference.seeds_for_power().map_or("more than 10,000 fresh seeds".into(), |seeds| format!("{seeds} fresh seeds"))
}

/// `A, B and 3 more`.
fn listed(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_string(),
        [all @ .., last] if names.len() <= NAMED => format!("{} and {last}", all.join(", ")),
        _ => format!("{} and {} more", names[..NAMED - 1].join(", "), names.len() + 1 - NAMED),
    }
}

/// `1.8 points`; two digits where one would be 0.
fn points(difference: f64) -> String {
    let points = difference.abs() * 100.0;
    if points < 0.095 { format!("{points:.2} points") } else { format!("{points:.1} points") }
}

/// `0.3 points behind`, for an entrant that the leader is ahead of by `difference`.
fn apart(difference: f64) -> String {
    match points(difference) {
        shown if shown == "0.00 points" => "level with".into(),
        shown if difference < 0.0 => format!("{shown} ahead of"),
        shown => format!("{shown} behind"),
    }
}
