//! The figures and the verdict for each entrant.

use super::entrants::{EntrantRuns, Summary, entrants, names, short_names};
use super::words;
use crate::number::counted;
use crate::record::{ComparisonRow, EpochRow};
use crate::stats::verdict::{Difference, FEWEST, Results, Standing, Verdict, judge, so_far};
use crate::stats::{mean, median};
use crate::usage;
use crate::usage::{Usage, did_you_mean, shortened};
use std::collections::HashMap;

/// One entrant with its figures; accuracies are fractions.
#[derive(Debug, Clone, PartialEq)]
pub struct Analysis<'a> {
    pub name: String,
    /// The name that sentences, rankings and a terminal use, unlike any other of its group: see [`short_names`].
    pub short: String,
    /// The same among all groups, for curves.
    pub unique: String,
    pub entrant: EntrantRuns<'a>,
    /// From 1, within its group.
    pub place: usize,
    /// Over all runs that have a result: see [`EntrantRuns::results`].
    pub val_accuracy: Option<Summary>,
    /// The highest of any epoch; its weights were not tested.
    pub best_val_accuracy: Option<Summary>,
    /// The median over the seeds; 0-based.
    pub best_epoch: Option<f64>,
    /// The learning rate of the best epoch: the median over the seeds.
    pub rate_at_best: Option<f64>,
    /// Of the weights after the last epoch, as `val_accuracy`.
    pub test_accuracy: Option<Summary>,
    /// Training accuracy − validation accuracy, both of the last epoch.
    pub gap: Option<Summary>,
    /// The mean validation accuracy over the epochs, by the trapezoidal rule: the area under the curve, scaled to a run of length 1.
    pub area: Option<Summary>,
    pub target: Option<Target>,
    pub seconds: Option<Summary>,
    pub standing: Standing,
    /// Leader − this one, over the seeds that have a result of both; `None` for the leader itself, and if they share
    /// none.
    pub behind_best: Option<Difference>,
    /// What `behind_best` must exceed to rule this one out; `None` where no claim is possible.
    pub margin: Option<f64>,
    /// How many fresh seeds show the gap to the leader with a probability of 80 %, if it is real; `None` beyond 10,000, and
    /// without a gap.
    pub seeds_for_power: Option<usize>,
    /// The places of those that it beats, and that beat it, by Holm's procedure: a winner's own test is another. With a
    /// baseline, only that one.
    pub beats: Vec<usize>,
    pub beaten_by: Vec<usize>,
    /// The accuracies that decided who is a finalist: no result.
    pub screening: Option<Summary>,
    /// In words, so that nobody has to interpret a number.
    pub verdict: String,
}

/// The cost of reaching the target accuracy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Target {
    /// How many of the finished runs reached it.
    pub reached: usize,
    /// Means over those runs.
    pub steps: Option<f64>,
    pub seconds: Option<f64>,
}

/// The entrants of one group with the verdict on them.
#[derive(Debug, Clone, PartialEq)]
pub struct Group<'a> {
    /// What sets it apart from other groups, such as `epochs=30`; empty if it is the only one.
    pub label: &'a str,
    /// In the order of the ranking.
    pub analyses: Vec<Analysis<'a>>,
    /// All entrants with results have the same seeds: the order is that of their accuracies.
    pub same_seeds: bool,
    /// What the first of them is, if it has not won: `highest`, `leads on common seeds`.
    pub leads: &'static str,
    /// What it is, if it is alone: `the only entrant`.
    pub only: String,
    /// What a result is of, and so what the claims are about.
    pub unit: Unit,
    /// More runs are planned.
    pub under_way: bool,
    /// Claims are made: no run is missing, and somebody can be compared with the leader on seeds enough, or beats another.
    pub is_judged: bool,
    /// In a few sentences: which entrant is best, and how certain that is.
    pub summary: String,
    /// The first of them: which is best; before that is known, how far it is. Empty if nothing can be ranked.
    pub answer: String,
    /// The same without who is best and at which rate; empty before that is known.
    pub below: String,
    /// The others, in paragraphs of a sentence or two.
    pub rest: Vec<String>,
}

impl Group<'_> {
    /// The accuracy of guessing.
    pub fn chance(&self) -> f64 {
        self.analyses.first().map_or(0.0, |one| one.entrant.place.chance())
    }

    /// Those of which one may be the best.
    pub fn open(&self) -> impl Iterator<Item = &Analysis<'_>> {
        self.analyses.iter().filter(|one| one.standing == Standing::NotRuledOut)
    }

    /// How many fresh results of each tell the leader from the next one that may be the best, if that can be said.
    pub fn fresh_to_settle(&self) -> Option<usize> {
        next_in_line(&self.analyses)?.seeds_for_power
    }
}

/// Without a winner, the first behind the leader that may be the best, if it is known how far behind.
pub fn next_in_line<'s, 'a>(analyses: &'s [Analysis<'a>]) -> Option<&'s Analysis<'a>> {
    let next = analyses.iter().skip(1).find(|analysis| analysis.standing == Standing::NotRuledOut);
    next.filter(|next| gap(next.behind_best).is_some())
}

/// What the results of a group are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Runs: claims are about the settings.
    Seed,
    /// Studies, each with a tuning of its own: claims are about entrants tuned this way.
    Study,
}

impl Unit {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Seed => "seed",
            Self::Study => "study",
        }
    }

    /// `3 seeds`, `1 study`, `3 studies`
    pub fn counted(self, count: usize) -> String {
        match (self, count) {
            (Self::Study, 2.. | 0) => format!("{count} studies"),
            _ => counted(count as u64, self.name()),
        }
    }
}

/// What is asked of an analysis.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Asked<'b> {
    /// The validation accuracy to which steps and time are measured.
    pub target: Option<f64>,
    /// The name of the entrant that the others are compared with, instead of each with each.
    pub baseline: Option<&'b str>,
}

/// Analyses the entrants, which are in the order of [`super::entrants::entrants_of`], group by group.
///
/// # Errors
/// No entrant, or several of one group, go by the name of the baseline.
pub fn analyse<'a>(
    entrants: &[EntrantRuns<'a>],
    metrics: &HashMap<String, Vec<EpochRow>>,
    asked: &Asked<'_>,
) -> Result<Vec<Group<'a>>, Usage> {
    let baseline = asked.baseline;
    let names = names(entrants);
    let mut found = false;
    let shorts = short_names(entrants, &names);
    let (mut names_left, mut shorts_left) = (&names[..], &shorts[..]);
    let mut groups = Vec::new();
    for group in entrants.chunk_by(|a, b| a.place.group == b.place.group) {
        let (names, rest) = names_left.split_at(group.len());
        names_left = rest;
        let (shorts, rest) = shorts_left.split_at(group.len());
        shorts_left = rest;
        let own = short_names(group, &self::names(group));
        let place = baseline.map(|wanted| named(wanted, group, names, &own)).transpose()?.flatten();
        found |= place.is_some();
        let names = names.iter().zip(&own).zip(shorts).map(|((name, short), unique)| [name, short, unique]).collect();
        groups.push(analyse_group(group, names, place, metrics, asked));
    }
    match baseline {
        Some(wanted) if !found => no_baseline(wanted, entrants, &names, &shorts),
        _ => Ok(groups),
    }
}

/// The entrants of one group with their `names`, in full, short in the group and short among all; `place` is that of the baseline.
fn analyse_group<'a>(
    group: &[EntrantRuns<'a>],
    names: Vec<[&String; 3]>,
    place: Option<usize>,
    metrics: &HashMap<String, Vec<EpochRow>>,
    asked: &Asked<'_>,
) -> Group<'a> {
    // Those screened out come last, and are not judged.
    let judged = group.iter().position(|entrant| entrant.is_screened_out).unwrap_or(group.len());
    let is_baseline_out = place.is_some_and(|place| place >= judged);
    let place = place.filter(|&place| place < judged);
    let results: Vec<Results> = group[..judged].iter().map(EntrantRuns::results).collect();
    let images = group.iter().find_map(|entrant| entrant.place.images);
    // A claim is made once, when all planned runs are there.
    let under_way = group.iter().any(|entrant| entrant.place.under_way);
    let verdict = if under_way { so_far(&results, images) } else { judge(&results, place, images) };
    let numbered = group.iter().zip(names).enumerate();
    let mut analyses: Vec<Analysis<'a>> = numbered
        .map(|(place, (entrant, names))| figures(entrant, names, place, &verdict, metrics, asked.target))
        .collect();
    for win in &verdict.wins {
        analyses[win.winner].beats.push(win.loser + 1);
        analyses[win.loser].beaten_by.push(win.winner + 1);
    }
    let unit = if group[0].by_study { Unit::Study } else { Unit::Seed };
    let without = asked.baseline.filter(|_| place.is_none());
    let (finalists, screened) = analyses.split_at(judged);
    let said = words::Said {
        analyses: finalists,
        screened,
        verdict: &verdict,
        baseline: place,
        without,
        is_baseline_out,
        unit,
        under_way,
    };
    let (answer, rest, sentences) = (said.answer(), said.rest(), said.sentences());
    let (leads, only, is_judged) = (said.leads(), said.only(), said.is_judged());
    let below = answer.as_ref().map(words::Answer::below).unwrap_or_default();
    let answer = answer.map(|answer| answer.text()).or_else(|| said.unfinished()).unwrap_or_default();
    analyses.iter_mut().zip(sentences).for_each(|(analysis, sentence)| analysis.verdict = sentence);
    Group {
        label: group[0].place.group,
        analyses,
        same_seeds: verdict.same_seeds,
        leads,
        only,
        unit,
        under_way,
        is_judged,
        summary: std::iter::once(&answer)
            .chain(&rest)
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(" ")
            .trim_start()
            .into(),
        answer,
        below,
        rest,
    }
}

/// The one entrant in the `rows` of a comparison that goes by the name `wanted`.
///
/// # Errors
/// None does, or several do.
pub fn find_baseline<'a>(wanted: &str, rows: &'a [ComparisonRow]) -> Result<EntrantRuns<'a>, Usage> {
    let mut entrants = entrants(rows);
    let names = names(&entrants);
    let shorts = short_names(&entrants, &names);
    match named(wanted, &entrants, &names, &shorts)? {
        Some(place) => Ok(entrants.swap_remove(place)),
        None => no_baseline(wanted, &entrants, &names, &shorts),
    }
}

fn no_baseline<T>(wanted: &str, entrants: &[EntrantRuns<'_>], names: &[String], shorts: &[String]) -> Result<T, Usage> {
    let Some(first) = names.first() else {
        return usage!("baseline must be one of the entrants, and there are none; got `{}`", shortened(wanted));
    };
    let others = entrants.iter().flat_map(|entrant| [entrant.schedule.to_string(), without_rate(entrant)]);
    let other: Vec<String> = others.collect();
    let known = shorts.iter().chain(names).chain(&other).map(String::as_str);
    let hint = did_you_mean(wanted, known);
    usage!("baseline must be one of the entrants, such as `{first}`; got `{}`{hint}", shortened(wanted))
}

/// The optimizer and the schedule, without what tells the entrant from others of these.
fn without_rate(entrant: &EntrantRuns<'_>) -> String {
    format!("{}/{}", entrant.optimizer, entrant.schedule)
}

/// The entrant that goes by the name `wanted`: in full, as short as the report has it, or without what tells it from
/// others.
fn named(wanted: &str, group: &[EntrantRuns<'_>], names: &[String], shorts: &[String]) -> Result<Option<usize>, Usage> {
    let place = |names: &[String]| names.iter().position(|name| name == wanted);
    if let Some(exact) = place(names).or_else(|| place(shorts)) {
        return Ok(Some(exact));
    }
    let goes_by = |entrant: &EntrantRuns<'_>| without_rate(entrant) == wanted || entrant.schedule == wanted;
    let mut found = (0..group.len()).filter(|&place| goes_by(&group[place]));
    match (found.next(), found.next()) {
        (Some(first), Some(second)) => {
            usage!(
                "baseline `{wanted}` is the name of several entrants, such as `{}` and `{}`; give one in full",
                names[first],
                names[second]
            )
        }
        (first, _) => Ok(first),
    }
}

fn figures<'a>(
    entrant: &EntrantRuns<'a>,
    [name, short, unique]: [&String; 3],
    place: usize,
    verdict: &Verdict,
    metrics: &HashMap<String, Vec<EpochRow>>,
    target: Option<f64>,
) -> Analysis<'a> {
    let rows = |run: &ComparisonRow| metrics.get(&run.run).map_or(&[][..], Vec::as_slice);
    let behind = verdict.behind.get(place).copied().flatten();
    let rates: Vec<f64> = entrant.finished().filter_map(|run| rate_at_best(run, rows(run))).collect();
    Analysis {
        name: name.clone(),
        short: short.clone(),
        unique: unique.clone(),
        place: place + 1,
        val_accuracy: entrant.val_accuracy(),
        best_val_accuracy: entrant.summary(|run| run.best_val_accuracy),
        best_epoch: entrant.best_epoch(),
        rate_at_best: median(&rates),
        test_accuracy: entrant.test_accuracy(),
        gap: entrant.summary(|run| Some(run.accuracy? - run.val_accuracy?)),
        area: Summary::of(entrant.finished().map(|run| area(rows(run)))),
        target: target.map(|target| to_target(entrant, rows, target)),
        seconds: entrant.summary(|run| run.seconds),
        standing: verdict.standings.get(place).copied().unwrap_or(Standing::NoResult),
        behind_best: behind,
        margin: verdict.margins.get(place).copied().flatten(),
        seeds_for_power: gap(behind).and_then(|gap| gap.seeds_for_power()),
        screening: entrant.screened(),
        beats: Vec::new(),
        beaten_by: Vec::new(),
        verdict: String::new(),
        entrant: entrant.clone(),
    }
}

/// What an entrant is `behind`, if it is and there are seeds enough to say how far.
pub fn gap(behind: Option<Difference>) -> Option<Difference> {
    behind.filter(|difference| difference.n >= FEWEST && difference.mean > 0.0)
}

fn rate_at_best(run: &ComparisonRow, rows: &[EpochRow]) -> Option<f64> {
    rows.iter().find(|row| Some(row.epoch) == run.results.best_epoch).map(|row| row.learning_rate)
}

fn area(rows: &[EpochRow]) -> Option<f64> {
    let values: Vec<f64> = rows.iter().map(|row| row.val_accuracy).collect::<Option<_>>()?;
    match values[..] {
        [] => None,
        [only] => Some(only),
        _ => mean(&values.windows(2).map(|pair| (pair[0] + pair[1]) / 2.0).collect::<Vec<_>>()),
    }
}

fn to_target<'r>(entrant: &EntrantRuns<'_>, rows: impl Fn(&ComparisonRow) -> &'r [EpochRow], target: f64) -> Target {
    let mut steps = Vec::new();
    let mut seconds = Vec::new();
    for run in entrant.finished() {
        let rows = rows(run);
        if let Some(place) = rows.iter().position(|row| row.val_accuracy.is_some_and(|accuracy| accuracy >= target)) {
            steps.push(rows[place].step as f64);
            seconds.push(rows[..=place].iter().map(|row| row.seconds).sum());
        }
    }
    Target { reached: steps.len(), steps: mean(&steps), seconds: mean(&seconds) }
}
