//! Verdicts in words: a sentence for each entrant, and a few on the whole.
//!
//! No sentence claims more than docs/STATISTICS.md says.

use super::analysis::{Analysis, gap};
use super::table::percent;
use crate::number::counted;
use crate::record::Status;
use crate::stats::verdict::{CHANCE, FEWEST, Standing, Verdict};
use crate::usage::shortened;
use std::cmp::Ordering;
use std::fmt::Write as _;

/// A sentence names this many entrants at most.
const NAMED: usize = 4;

/// What is said of the entrants of one group.
pub struct Said<'s, 'a> {
    /// In the order of the ranking.
    pub analyses: &'s [Analysis<'a>],
    pub verdict: &'s Verdict,
    pub baseline: Option<usize>,
    /// The baseline that other groups have and this one has not.
    pub without: Option<&'s str>,
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
            _ if !self.verdict.wins.is_empty() => self.candidates(leader),
            (_, seeds) => vec![self.first(leader), no_claim(seeds).into()],
        };
        said.extend(self.unjudged(leader));
        said.extend(self.against_baseline());
        if let Some(name) = self.without.filter(|_| self.analyses.len() > 1) {
            said.push(format!("The baseline {} is not in this group: all pairs are judged.", shortened(name)));
        }
        let count = |status| self.analyses.iter().map(|analysis| analysis.entrant.count(status)).sum();
        said.extend(at_chance(count(Status::Diverged)));
        said.extend(failed(count(Status::Failed)));
        if self.analyses.iter().any(|analysis| analysis.entrant.place.on_test) {
            said.push("Validated on the test images: whatever is chosen by these accuracies has seen the test.".into());
        }
        said.join(" ")
    }

    /// Without a winner: who may be the best, and what it takes to tell.
    fn candidates(&self, leader: &Analysis<'_>) -> Vec<String> {
        let of = |standing: Standing| self.analyses.iter().filter(move |analysis| analysis.standing == standing);
        let open: Vec<&str> = of(Standing::NotRuledOut).map(|analysis| analysis.name.as_str()).collect();
        let out = of(Standing::RuledOut).count();
        let all = counted((open.len() + out) as u64, "entrant");
        let mut said = vec![match open.len() {
            // With other seeds for each pair, they may beat each other in a ring.
            0 => format!("No winner: each of {all} is beaten by another (95 %)."),
            1 => format!("No winner: of {all} with a result, only {} may be the best (95 %).", listed(&open)),
            count => format!("No winner: {count} of {all} may be the best (95 %): {}.", listed(&open)),
        }];
        said.push(self.first(leader));
        if out > 0 && !open.is_empty() {
            said.push(format!("Ruled out, because the best is one of the others: {out}."));
        }
        let next = self.analyses.iter().skip(1).find(|analysis| analysis.standing == Standing::NotRuledOut);
        if let Some(next) = next.filter(|next| gap(next.behind_best).is_some()) {
            said.push(format!(
                "If its lead over {} is real, {} of both show it with a probability of 80 %; count only those: adding \
                 seeds until a winner appears makes false winners.",
                next.name,
                fresh(next.seeds_for_power)
            ));
        }
        said
    }

    /// `Highest: sgd/cosine, …`; with other seeds for each, the mean over all of its own is not what decided.
    fn first(&self, leader: &Analysis<'_>) -> String {
        let mut text = self.leads().to_string();
        text[..1].make_ascii_uppercase();
        format!("{text}: {}.", with_accuracy(leader))
    }

    fn leads(&self) -> &'static str {
        let behind = || self.verdict.behind.iter().flatten().any(|difference| difference.mean < 0.0);
        match self.verdict.same_seeds {
            true => "highest",
            // Somebody with fewer seeds is ahead of it.
            false if behind() => "leads",
            false => "leads on common seeds",
        }
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
        let count = |wanted: Ordering| {
            let others = self.analyses.iter().filter(|analysis| analysis.place != baseline.place);
            others.filter(|analysis| against(analysis, baseline) == wanted).count()
        };
        let [above, below, told] = [Ordering::Greater, Ordering::Less, Ordering::Equal].map(count);
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
                sentence.push_str(beside_baseline(analysis, &self.analyses[baseline]));
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
        if analysis.standing == Standing::RuledOut {
            return self.of_ruled_out(analysis, leader);
        }
        let Some(difference) = analysis.behind_best else { return format!("no seed in common with {}", leader.name) };
        let (apart, n) = (format!("{} {}", apart(difference.mean), leader.name), difference.n);
        match n {
            1 => format!("{apart} on one seed, which says nothing about others"),
            _ if n < FEWEST => format!("{apart} on {n} seeds, too few for a claim"),
            _ if difference.mean > 0.0 => {
                let fresh = fresh(analysis.seeds_for_power);
                format!("may be the best: {apart} (n = {n}); {fresh} show such a gap in 80 % of cases")
            }
            _ => format!("may be the best: {apart} (n = {n})"),
        }
    }

    /// By the leader, or by another that it shares more seeds with.
    fn of_ruled_out(&self, analysis: &Analysis<'_>, leader: &Analysis<'_>) -> String {
        let behind = analysis.behind_best.map(|difference| (difference.mean, difference.n));
        let exceeds = |mean: f64| analysis.margin.is_some_and(|margin| mean > margin);
        match (behind, analysis.beaten_by.iter().min()) {
            (Some((mean, n)), _) if against(leader, analysis) == Ordering::Greater => {
                format!("{} beats it by {} (n = {n})", leader.name, points(mean))
            }
            (Some((mean, n)), _) if exceeds(mean) => format!("ruled out: {} {} (n = {n})", apart(mean), leader.name),
            (_, Some(place)) => format!("ruled out: {} beats it", self.analyses[place - 1].name),
            (_, None) => "ruled out".into(),
        }
    }

    /// Of one that leads and has not won.
    fn of_leader(&self, leader: &Analysis<'_>) -> String {
        let leads = self.leads();
        match (leader.standing, self.most_seeds()) {
            (Standing::RuledOut, _) => format!("{leads}, but another beats it"),
            (_, FEWEST..) => format!("{leads}; may be the best"),
            _ => format!("{leads}; no claim"),
        }
    }
}

/// Whether an entrant beats another, by Holm's procedure or as the winner.
fn against(one: &Analysis<'_>, other: &Analysis<'_>) -> Ordering {
    let beats = |a: &Analysis<'_>, b: &Analysis<'_>| a.standing == Standing::Winner || a.beats.contains(&b.place);
    beats(one, other).cmp(&beats(other, one))
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

fn beside_baseline(analysis: &Analysis<'_>, baseline: &Analysis<'_>) -> &'static str {
    match against(analysis, baseline) {
        _ if analysis.place == baseline.place => "; the baseline",
        Ordering::Greater => "; beats the baseline",
        Ordering::Less => "; the baseline beats it",
        Ordering::Equal => "; not told from the baseline",
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
    let verb = if runs == 1 { "counts" } else { "count" };
    let which = counted(runs as u64, "run");
    (runs > 0).then(|| format!("{which} that {} {verb} as chance ({:.0} %).", Status::Diverged, CHANCE * 100.0))
}

/// What stopped them, such as a full disk, says nothing about their entrants.
fn failed(runs: usize) -> Option<String> {
    let (verb, they) = if runs == 1 { ("has", "it is") } else { ("have", "they are") };
    (runs > 0).then(|| {
        format!("{} that {} {verb} no result until {they} trained again.", counted(runs as u64, "run"), Status::Failed)
    })
}

/// `14 fresh seeds`.
fn fresh(seeds: Option<usize>) -> String {
    seeds.map_or("more than 10,000 fresh seeds".into(), |seeds| format!("{seeds} fresh seeds"))
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
