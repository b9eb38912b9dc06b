//! Verdicts in words: a sentence for each entrant, and a few on the whole.
//!
//! No sentence claims more than docs/STATISTICS.md says.

mod beside;
mod runs;
mod tuned;

use super::analysis::{Analysis, Unit, next_in_line};
use super::table::percent;
use crate::number::counted;
use crate::record::Status;
use crate::stats::verdict::{FEWEST, Standing, Verdict};
use crate::usage::{capitalised, listed, shortened};
use std::cmp::Ordering;
use std::fmt::Write as _;
use tuned::is_waiting;

/// So many are named; of more, the ranking has the names.
const FEW: usize = 3;

/// What is said of the entrants of one group.
pub struct Said<'s, 'a> {
    /// In the order of the ranking, without those screened out.
    pub analyses: &'s [Analysis<'a>],
    pub screened: &'s [Analysis<'a>],
    pub verdict: &'s Verdict,
    pub baseline: Option<usize>,
    /// The baseline that other groups have and this one has not.
    pub without: Option<&'s str>,
    /// It is one of those screened out.
    pub is_baseline_out: bool,
    pub unit: Unit,
    /// More runs are planned: no claim is made yet.
    pub under_way: bool,
}

impl Said<'_, '_> {
    fn leader(&self) -> Option<&Analysis<'_>> {
        self.analyses.first().filter(|first| first.standing != Standing::NoResult)
    }

    /// The most seeds of which somebody can be compared with the leader.
    fn most_seeds(&self) -> usize {
        self.verdict.behind.iter().flatten().map(|difference| difference.n).max().unwrap_or(0)
    }

    /// Claims are made of these results.
    pub fn is_judged(&self) -> bool {
        !self.under_way && (self.most_seeds() >= FEWEST || !self.verdict.wins.is_empty())
    }

    /// Which is best, as far as that is known.
    pub fn answer(&self) -> Option<Answer> {
        let leader = self.leader()?;
        let is_open = self.is_judged();
        let (lead, proof) = match leader.standing {
            _ if self.analyses.len() == 1 => (capitalised(&self.only()), String::new()),
            Standing::Winner => ("Winner".into(), format!("It beats every other{} (95 %).", self.finalist())),
            _ if is_open => (capitalised(self.leads()), self.open()),
            _ if self.under_way => (
                capitalised(self.leads()),
                "No claim about which is best is made before all planned runs are there.".into(),
            ),
            _ => (capitalised(self.leads()), self.no_claim(self.most_seeds())),
        };
        let no_winner = is_open && self.analyses.len() > 1 && leader.standing != Standing::Winner;
        Some(Answer { lead: format!("{lead}: {}", named(leader)), figures: self.figures(leader), no_winner, proof })
    }

    /// What else there is to say, a sentence or two at a time.
    pub fn rest(&self) -> Vec<String> {
        let Some(leader) = self.leader() else {
            // That no final has run yet is the answer.
            let nothing = "No finished run has a validation accuracy yet: nothing can be ranked.";
            let nothing = format!("{nothing}{}", self.so_far().map_or(String::new(), |begun| format!(" {begun}")));
            let nothing = Some(nothing).filter(|_| self.waiting().next().is_none());
            return nothing.into_iter().chain(self.of_tuning()).chain(self.by_hand()).collect();
        };
        let mut said: Vec<String> = self.unfinished().into_iter().collect();
        if leader.standing != Standing::Winner && self.is_judged() {
            said.extend(self.to_tell());
        }
        said.extend(self.claim());
        said.extend(self.pairs());
        said.extend(self.unjudged(leader));
        if !self.verdict.same_seeds && self.most_seeds() > 0 {
            let (units, unit) = if self.unit == Unit::Study { ("studies", "study") } else { ("seeds", "seed") };
            said.push(format!(
                "Not all have the same {units}: ranked by accuracies that are adjusted for each {unit}."
            ));
        }
        said.extend(self.against_baseline());
        if let Some(name) = self.without.filter(|_| self.analyses.len() > 1) {
            let why = if self.is_baseline_out { "was screened out" } else { "is not in this group" };
            said.push(format!("The baseline {} {why}: all pairs are judged.", shortened(name)));
        }
        said.extend(self.of_tuning());
        said.extend(self.guessing(leader));
        said.extend(self.alike());
        said.extend(self.by_hand());
        let count = |status| self.analyses.iter().map(|analysis| analysis.entrant.count(status)).sum();
        said.extend(runs::at_chance(count(Status::Diverged), leader.entrant.place.chance()));
        said.extend(runs::failed(count(Status::Failed)));
        if self.analyses.iter().any(|analysis| analysis.entrant.place.on_test) {
            said.push("Validated on the test images: whatever is chosen by these accuracies has seen the test.".into());
        }
        said
    }

    fn of_standing(&self, standing: Standing) -> impl Iterator<Item = &Analysis<'_>> {
        self.analyses.iter().filter(move |analysis| analysis.standing == standing)
    }

    /// What one is called that is alone; others may only have no run yet.
    pub fn only(&self) -> String {
        format!("the only {}{}", self.entrants(), if self.under_way { " with runs so far" } else { "" })
    }

    /// Without a winner, after a colon: who may be the best.
    fn open(&self) -> String {
        let open: Vec<&str> = self.of_standing(Standing::NotRuledOut).map(|analysis| analysis.short.as_str()).collect();
        let out = self.of_standing(Standing::RuledOut).count();
        let all = counted((open.len() + out) as u64, self.entrants());
        let known = if open.len() + out < self.analyses.len() { " with a result" } else { "" };
        match open.len() {
            // With other seeds for each pair, they may beat each other in a ring.
            0 => format!("each of {all} is beaten by another (95 %)."),
            1 => format!("of {all} with a result, only {} may be the best (95 %).", listed(&open)),
            // Their names are in the ranking.
            count if count == self.analyses.len() => format!("none of {all} can be ruled out (95 %)."),
            count => format!("{count} of {all}{known} may be the best (95 %): {}.", listed(&open)),
        }
    }

    /// Without a winner: who is not the best, and what it takes to tell.
    fn to_tell(&self) -> Vec<String> {
        let mut said = Vec::new();
        let out: Vec<&str> = self.of_standing(Standing::RuledOut).map(|one| one.short.as_str()).collect();
        if !out.is_empty() && self.of_standing(Standing::NotRuledOut).next().is_some() {
            let out = if out.len() <= FEW { listed(&out) } else { counted(out.len() as u64, self.entrants()) };
            said.push(format!("Ruled out, because the best is one of the others: {out}."));
        }
        if let Some(next) = next_in_line(self.analyses) {
            said.push(match self.fresh(next.seeds_for_power) {
                Some(fresh) => format!(
                    "If its lead over {} and the spread of it are as observed, {fresh} of each would show it in 80 % of cases, judged without the results so far.",
                    next.short
                ),
                None => format!("Its lead over {} is {}.", next.short, self.never_told()),
            });
        }
        said
    }

    /// With other seeds for each, the mean over all of its own is not what decided.
    pub fn leads(&self) -> &'static str {
        let behind = || self.verdict.behind.iter().flatten().any(|difference| difference.mean < 0.0);
        // By its own mean, or nobody shares a seed with it.
        let is_highest = || {
            let mean = |one: &Analysis<'_>| one.val_accuracy.map(|accuracy| accuracy.mean);
            let highest = self.analyses.iter().filter_map(mean).fold(f64::NEG_INFINITY, f64::max);
            self.most_seeds() == 0 && self.leader().and_then(mean) == Some(highest)
        };
        match self.verdict.same_seeds || is_highest() {
            true => "highest",
            // Somebody with fewer seeds is ahead of it.
            false if behind() || self.most_seeds() == 0 => "leads",
            false if self.unit == Unit::Study => "leads on common studies",
            false => "leads on common seeds",
        }
    }

    const fn entrants(&self) -> &'static str {
        if self.screened.is_empty() { "entrant" } else { "finalist" }
    }

    const fn finalist(&self) -> &'static str {
        if self.screened.is_empty() { "" } else { " finalist" }
    }

    const fn many(&self) -> &'static str {
        match self.unit {
            Unit::Seed => "seeds",
            Unit::Study => "studies",
        }
    }

    /// `14 fresh seeds`; `None` for more than anybody trains.
    fn fresh(&self, count: Option<usize>) -> Option<String> {
        count.map(|count| format!("{count} fresh {}", self.many()))
    }

    /// Of a gap that [`Self::fresh`] has no number for.
    fn never_told(&self) -> String {
        format!("too small: no sensible number of {} can tell the two apart", self.many())
    }

    /// `n = 3`, `3 studies`
    fn n(&self, n: usize) -> String {
        match self.unit {
            Unit::Seed => format!("n = {n}"),
            Unit::Study => self.unit.counted(n),
        }
    }

    /// `81.23 ± 0.42 % on validation (n = 3), 80.50 ± 0.31 % on test`
    fn figures(&self, analysis: &Analysis<'_>) -> String {
        let n = self.n(analysis.val_accuracy.map_or(0, |summary| summary.n));
        let mut text = format!("{} % on validation ({n})", percent(analysis.val_accuracy));
        if analysis.test_accuracy.is_some() {
            let _ = write!(text, ", {} % on test", percent(analysis.test_accuracy));
        }
        text
    }

    /// Why nothing is claimed of so many seeds.
    fn no_claim(&self, seeds: usize) -> String {
        let many = self.many();
        match (seeds, self.unit) {
            (0, _) => format!("No other {} has a result on the same {many}: nothing can be compared.", self.entrants()),
            (1, Unit::Seed) => {
                "One seed says nothing about others: no claim about which is best. Train at least 3.".into()
            }
            (1, Unit::Study) => {
                "One study says nothing about others: no claim about which is best. At least 3 are needed.".into()
            }
            (_, Unit::Seed) => "Two seeds are too few for a claim about which is best. Train at least 3.".into(),
            (_, Unit::Study) => {
                "Two studies are too few for a claim about which is best. At least 3 are needed.".into()
            }
        }
    }

    /// Who could not be compared with the leader.
    fn unjudged(&self, leader: &Analysis<'_>) -> Option<String> {
        // Of those that wait for their finals, more is said elsewhere.
        let others = self.analyses.iter().skip(1).filter(|one| !is_waiting(one));
        let why = |analysis: &Analysis<'_>| match (analysis.standing, analysis.behind_best) {
            (Standing::NoResult, _) => Some(format!("{} (no result: {})", analysis.short, analysis.entrant.status())),
            (_, None) => Some(format!("{} (no {} in common)", analysis.short, self.unit.name())),
            _ => None,
        };
        let unjudged: Vec<String> = others.filter_map(why).collect();
        let names: Vec<&str> = unjudged.iter().map(String::as_str).collect();
        (!names.is_empty()).then(|| format!("Not compared with {}: {}.", leader.short, listed(&names)))
    }

    /// What Holm's procedure says of all pairs. Of two entrants the answer has said it; a winner's test is another; and with
    /// different seeds some pairs cannot be tested.
    fn pairs(&self) -> Option<String> {
        let count = self.analyses.iter().filter(|one| one.standing != Standing::NoResult).count();
        let has_winner = self.of_standing(Standing::Winner).next().is_some();
        let is_told = self.baseline.is_some() || has_winner || !self.verdict.same_seeds || count < 3;
        if is_told || !self.is_judged() {
            return None;
        }
        let pairs = count * (count - 1) / 2;
        let told: usize = self.analyses.iter().map(|one| one.beats.len()).sum();
        let has_ruled_out = self.of_standing(Standing::RuledOut).next().is_some();
        let than = if has_ruled_out { ", a stricter test than the one that rules out" } else { "" };
        Some(match told {
            0 => format!("No two can be told apart (95 %, all {pairs} pairs judged together{than})."),
            1 => format!("1 of the {pairs} pairs is told apart (95 %, all judged together{than})."),
            told => format!("{told} of the {pairs} pairs are told apart (95 %, all judged together{than})."),
        })
    }

    fn against_baseline(&self) -> Option<String> {
        let baseline = &self.analyses[self.baseline?];
        if !self.is_judged() {
            return None;
        }
        let others = self.analyses.len() - 1;
        let count = |wanted: Ordering| {
            let others = self.analyses.iter().filter(|analysis| analysis.place != baseline.place);
            others.filter(|analysis| against(analysis, baseline) == wanted).count()
        };
        let [above, below, told] = [Ordering::Greater, Ordering::Less, Ordering::Equal].map(count);
        Some(format!(
            "Against the baseline {}: {above} of {others} beat it, {below} are beaten by it, {told} cannot be told from it (95 %).",
            baseline.short
        ))
    }

    /// One for each entrant.
    pub fn sentences(&self) -> Vec<String> {
        let most = self.analyses.iter().map(|analysis| analysis.entrant.results().len()).max().unwrap_or(0);
        let sentence = |(place, analysis): (usize, &Analysis<'_>)| {
            let mut sentence = self.standing(place, analysis);
            let known = analysis.val_accuracy.map_or(0, |summary| summary.n);
            if (1..most).contains(&known) {
                let results = counted(known as u64, "result");
                let _ = write!(sentence, "; has {results}, others up to {most}");
            }
            sentence.push_str(&self.beside_tuning(analysis));
            let guessed = analysis.entrant.at_chance();
            if analysis.entrant.judged && guessed > 0 {
                let (runs, verb) = (analysis.entrant.runs.len(), if guessed == 1 { "counts" } else { "count" });
                let _ = match guessed == runs {
                    true if runs > 1 => write!(sentence, "; all {runs} of its runs count as chance"),
                    true => write!(sentence, "; its run counts as chance"),
                    false => write!(sentence, "; {guessed} of its {runs} runs {verb} as chance"),
                };
            }
            if let Some(baseline) = self.baseline {
                sentence.push_str(self.beside_baseline(analysis, &self.analyses[baseline]));
            }
            sentence
        };
        let sentences = self.analyses.iter().enumerate().map(sentence);
        sentences.chain(self.screened.iter().map(|analysis| self.of_screened(analysis))).collect()
    }

    fn standing(&self, place: usize, analysis: &Analysis<'_>) -> String {
        if analysis.entrant.runs.is_empty() && !analysis.entrant.aside.is_empty() {
            return format!("no result yet: {}", analysis.entrant.progress());
        }
        if !analysis.entrant.judged && analysis.entrant.finished().next().is_some() {
            return "no validation accuracy is known".into();
        }
        let leader = match (analysis.standing, self.leader()) {
            (Standing::NoResult, _) | (_, None) => return format!("no result yet: {}", analysis.entrant.status()),
            (_, Some(_)) if self.analyses.len() == 1 => return self.only(),
            (Standing::Winner, _) => return format!("winner: beats every other{}", self.finalist()),
            (_, Some(_)) if place == 0 => return self.of_leader(analysis),
            (_, Some(leader)) => leader,
        };
        if analysis.standing == Standing::RuledOut {
            return self.of_ruled_out(analysis, leader);
        }
        let Some(difference) = analysis.behind_best else {
            return format!("no {} in common with {}", self.unit.name(), leader.short);
        };
        let (apart, n) = (format!("{} {}", apart(difference.mean), leader.short), difference.n);
        match n {
            1 => format!("{apart} on one {}, which says nothing about others", self.unit.name()),
            _ if n < FEWEST => format!("{apart} on {}, too few for a claim", self.unit.counted(n)),
            _ if self.under_way => format!("so far {apart} ({})", self.n(n)),
            _ if difference.mean > 0.0 => {
                let told = match self.fresh(analysis.seeds_for_power) {
                    Some(fresh) => format!("{fresh} show such a gap in 80 % of cases"),
                    None => format!("the gap is {}", self.never_told()),
                };
                format!("may be the best: {apart} ({}); {told}", self.n(n))
            }
            _ => format!("may be the best: {apart} ({})", self.n(n)),
        }
    }

    /// By the leader, or by another that it shares more seeds with.
    fn of_ruled_out(&self, analysis: &Analysis<'_>, leader: &Analysis<'_>) -> String {
        let behind = analysis.behind_best.map(|difference| (difference.mean, difference.n));
        let exceeds = |mean: f64| analysis.margin.is_some_and(|margin| mean > margin);
        match (behind, analysis.beaten_by.iter().min()) {
            (Some((mean, n)), _) if against(leader, analysis) == Ordering::Greater => {
                format!("{} beats it by {} ({})", leader.short, points(mean), self.n(n))
            }
            (Some((mean, n)), _) if exceeds(mean) => {
                format!("ruled out: {} {} ({})", apart(mean), leader.short, self.n(n))
            }
            (_, Some(place)) => format!("ruled out: {} beats it", self.analyses[place - 1].short),
            (_, None) => "ruled out".into(),
        }
    }

    fn beside_baseline(&self, analysis: &Analysis<'_>, baseline: &Analysis<'_>) -> &'static str {
        match against(analysis, baseline) {
            _ if analysis.place == baseline.place => "; the baseline",
            _ if self.under_way => "",
            Ordering::Greater => "; beats the baseline",
            Ordering::Less => "; the baseline beats it",
            Ordering::Equal => "; cannot be told from the baseline",
        }
    }

    /// Of one that leads and has not won.
    fn of_leader(&self, leader: &Analysis<'_>) -> String {
        let leads = self.leads();
        match leader.standing {
            _ if self.under_way => format!("{leads} so far; no claim"),
            Standing::RuledOut => format!("{leads}, but another beats it"),
            _ if self.is_judged() => format!("{leads}; may be the best"),
            _ => format!("{leads}; no claim"),
        }
    }
}

/// Which is best: what a sentence begins with, and what a headline has below it.
pub struct Answer {
    /// Who is ahead, and at which peak: `Winner: sgd/cosine, peak 0.1`
    lead: String,
    /// `81.23 ± 0.42 % on validation (n = 3)`
    figures: String,
    /// There could be a winner, and is none.
    no_winner: bool,
    /// Whether that is proven; empty of one alone.
    proof: String,
}

impl Answer {
    pub fn text(&self) -> String {
        let verdict = if self.no_winner { "No winner: " } else { "" };
        format!("{}, {}. {verdict}{}", self.lead, self.figures, self.proof).trim_end().to_string()
    }

    /// What a headline that names the leader and says whether it won leaves to say.
    pub fn below(&self) -> String {
        format!("{}. {}", self.figures, capitalised(&self.proof)).trim_end().to_string()
    }
}

/// `sgd/cosine, peak 0.1`
fn named(analysis: &Analysis<'_>) -> String {
    match analysis.entrant.tuning {
        Some(_) => format!("{}, peak {}", analysis.short, analysis.entrant.rate_text()),
        None => analysis.short.clone(),
    }
}

/// Whether an entrant beats another, by Holm's procedure or as the winner.
fn against(one: &Analysis<'_>, other: &Analysis<'_>) -> Ordering {
    let beats = |a: &Analysis<'_>, b: &Analysis<'_>| a.standing == Standing::Winner || a.beats.contains(&b.place);
    beats(one, other).cmp(&beats(other, one))
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
