//! What is said of entrants that were tuned or screened: which claim the results support, and what the trials cost.
//!
//! The accuracy of a trial is never said: it is that of the run that was chosen because it is high.

use super::Said;
use crate::number::{counted, grouped};
use crate::record::Stage;
use crate::report::analysis::{Analysis, Unit};
use crate::report::entrants::stages_over;
use crate::report::table::percent;
use crate::report::tuning::{Edge, Tuning, peak};
use crate::stats::tuning::SCREENING;
use crate::usage::listed;
use std::fmt::Write as _;

impl Said<'_, '_> {
    fn tunings(&self) -> impl Iterator<Item = (&Analysis<'_>, &Tuning)> {
        self.analyses.iter().chain(self.screened).filter_map(|one| Some((one, one.entrant.tuning.as_ref()?)))
    }

    /// Which claim the results support.
    pub(super) fn claim(&self) -> Option<String> {
        let tuned = self.tunings().next().is_some();
        match self.unit {
            _ if !self.is_judged() => None,
            Unit::Study => Some("The claim is about each entrant, tuned this way.".into()),
            Unit::Seed if tuned => Some(
                "The claim is about these settings, on fresh seeds: another tuning may rank them otherwise.".into(),
            ),
            Unit::Seed => Some("The claim is about these settings, not about each schedule at its best rate.".into()),
        }
    }

    /// What was screened, tuned and left out.
    pub(super) fn of_tuning(&self) -> Vec<String> {
        let mut said = Vec::new();
        if !self.screened.is_empty() {
            let (out, finalists) = (self.screened.len(), counted(self.analyses.len() as u64, "finalist"));
            said.push(format!("Screened out: {out}; {finalists} judged on fresh {}.", self.many()));
        }
        said.extend(self.edges());
        // Finalists cost more than those screened out, by design.
        let judged = if self.screened.is_empty() { ("Each", "all") } else { ("Each finalist", "all finalists") };
        said.extend(self.cost(judged, self.analyses).filter(|_| self.waiting().next().is_none()));
        said.extend(self.cost(("Each of the others", "all of the others"), self.screened));
        let stale: usize = self.analyses.iter().chain(self.screened).map(|one| one.entrant.stale).sum();
        if stale > 0 {
            let verb = if stale == 1 { "is" } else { "are" };
            said.push(format!(
                "{} of rates that are no longer the chosen ones {verb} left out.",
                counted(stale as u64, "final run")
            ));
        }
        let dropped: usize = self.screened.iter().map(|one| one.entrant.dropped).sum();
        if dropped > 0 {
            let runs = counted(dropped as u64, "final run");
            said.push(match self.screened.iter().filter(|one| one.entrant.dropped > 0).count() {
                1 => format!("Left out: {runs} of an entrant that is no longer a finalist."),
                _ => format!("Left out: {runs} of entrants that are no longer finalists."),
            });
        }
        let early: usize = self.analyses.iter().map(|one| one.entrant.dropped).sum();
        if early > 0 {
            let runs = counted(early as u64, "final run");
            said.push(format!("Left out until the screening is complete and says who is a finalist: {runs}."));
        }
        let failed = |analysis: &Analysis<'_>| {
            let aside = analysis.entrant.aside.iter();
            aside.filter(|run| run.status == crate::record::Status::Failed).count()
        };
        let failed: Vec<&str> = self
            .analyses
            .iter()
            .chain(self.screened)
            .filter(|one| failed(one) > 0)
            .map(|one| one.short.as_str())
            .collect();
        if !failed.is_empty() {
            said.push(format!(
                "Stopped by a run that failed, until it is trained again: the tuning or screening of {}.",
                listed(&failed)
            ));
        }
        said
    }

    /// Entrants without finals.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &Analysis<'_>> {
        self.analyses.iter().filter(|one| is_waiting(one))
    }

    /// Those, and how far they are.
    pub fn unfinished(&self) -> Option<String> {
        let waiting: Vec<&Analysis<'_>> = self.waiting().collect();
        let told = stages_over(waiting.iter().flat_map(|one| &one.entrant.aside).copied());
        let who = if waiting.len() == 1 && self.analyses.len() == 1 {
            self.only()
        } else if waiting.len() == self.analyses.len() {
            format!("all {} so far", counted(waiting.len() as u64, self.entrants()))
        } else {
            listed(&waiting.iter().map(|one| one.short.as_str()).collect::<Vec<_>>())
        };
        (!waiting.is_empty()).then(|| {
            let done = if told.is_empty() { "nothing yet".into() } else { told.join(", ") };
            // Of entrants and studies that have not begun, nothing says what they lack.
            // What goes on with a plan is said as a command.
            let to_come = match self.under_way {
                true => String::new(),
                false => {
                    let stages = listed(&self.to_come(&waiting));
                    format!("; still to come: {stages}. To go on, repeat the command that began this comparison")
                }
            };
            format!("Before the finals: {who}; done: {done}{to_come}.")
        })
    }

    /// The stages that some of these have not completed. That trials are to come is known where others have more of them.
    fn to_come(&self, waiting: &[&Analysis<'_>]) -> Vec<&'static str> {
        let tunings: Vec<&Tuning> = waiting.iter().filter_map(|one| one.entrant.tuning.as_ref()).collect();
        let all: Vec<&Tuning> = self.analyses.iter().filter_map(|one| one.entrant.tuning.as_ref()).collect();
        let trials = all.iter().flat_map(|tuning| &tuning.studies).map(|study| study.trials.len()).max().unwrap_or(0);
        let studies = all.iter().map(|tuning| tuning.studies.len()).max().unwrap_or(0);
        let lacks_trials = |tuning: &&Tuning| {
            tuning.studies.len() < studies || tuning.studies.iter().any(|study| study.trials.len() < trials)
        };
        let is_open = |tuning: &&Tuning| tuning.studies.iter().any(|study| study.chosen.is_none());
        let tries = tunings.iter().any(lacks_trials);
        let looks = trials > 1 && (tries || tunings.iter().any(is_open));
        let stages = [
            (tries, "trials"),
            (looks, "second looks"),
            (waiting.iter().any(|one| is_screening(one)), "the screening"),
            (true, "finals"),
        ];
        stages.into_iter().filter(|stage| stage.0).map(|stage| stage.1).collect()
    }

    /// Loud, because a better rate may lie beyond.
    fn edges(&self) -> Option<String> {
        let at = |(one, tuning): (&Analysis<'_>, &Tuning)| {
            let studies = tuning.studies.len();
            let told = move |count: usize, name: String| match (count, studies) {
                (0, _) => None,
                (_, 1) => Some(format!("the {name}")),
                _ => Some(format!("the {name} in {count} of {studies} studies")),
            };
            let both = [(Edge::Lowest, "lowest"), (Edge::Highest, "highest")];
            let of_rate = both.into_iter().filter_map(|(edge, name)| told(tuning.at_edge(edge), name.to_string()));
            let of_others = both.into_iter().flat_map(|(edge, name)| {
                let others = tuning.others_at_edge(edge).into_iter();
                others.filter_map(move |(parameter, count)| told(count, format!("{name} {parameter}")))
            });
            let ends: Vec<String> = of_rate.chain(of_others).collect();
            (!ends.is_empty()).then(|| format!("{} ({})", one.short, ends.join(", ")))
        };
        let found: Vec<String> = self.tunings().filter_map(at).collect();
        let names: Vec<&str> = found.iter().map(String::as_str).collect();
        (!names.is_empty()).then(|| {
            format!(
                "AT THE EDGE of what was tried lies what was chosen for {}: better may lie beyond. More trials (--tune) reach closer to the ends of the range; a wider range (--tune-range) needs another --out.",
                listed(&names)
            )
        })
    }

    /// Behind the verdict on one entrant: its rates.
    pub(super) fn beside_tuning(&self, analysis: &Analysis<'_>) -> String {
        let mut text = String::new();
        let Some(tuning) = &analysis.entrant.tuning else { return text };
        let peaks: Vec<String> = tuning.peaks().into_iter().map(peak).collect();
        if !peaks.is_empty() {
            let _ = write!(text, "; chosen peak {}", peaks.join(", "));
        }
        for (parameter, chosen) in tuning.chosen_settings() {
            let _ = write!(text, "; chosen {parameter} {}", chosen.join(", "));
        }
        if let Some((low, high)) = tuning.within_a_point().filter(|(low, high)| low < high) {
            let _ = write!(text, ", within one point from {} to {}", peak(low), peak(high));
        }
        if tuning.diverged() > 0 {
            let _ = write!(text, "; {} of {} diverged", tuning.diverged(), counted(tuning.trials() as u64, "trial"));
        }
        text
    }

    /// Of one that is no finalist.
    pub(super) fn of_screened(&self, analysis: &Analysis<'_>) -> String {
        let n = analysis.screening.map_or(0, |summary| summary.n);
        let text = format!("screened out with {} % ({}), which is no result", percent(analysis.screening), self.n(n));
        text + &self.beside_tuning(analysis)
    }

    /// What the tuning of these cost: the same for all, or said where it is not.
    fn cost(&self, (each, all): (&str, &str), analyses: &[Analysis<'_>]) -> Option<String> {
        let tunings = analyses.iter().filter_map(|one| one.entrant.tuning.as_ref());
        let spent: Vec<(usize, usize, usize)> =
            tunings.map(|tuning| (tuning.trials(), tuning.runs, tuning.epochs)).collect();
        let (low, high) = (spent.iter().min()?, spent.iter().max()?);
        let told = |(trials, runs, epochs): &(usize, usize, usize)| {
            let (runs, epochs) = (counted(*runs as u64, "run"), grouped(*epochs as u64));
            format!("{}, {runs}, {epochs} epochs in all", counted(*trials as u64, "trial"))
        };
        let trials = counted(low.0 as u64, "trial");
        Some(match (low.0 == high.0, low.1 == high.1) {
            (true, true) if low == high => format!("{each} had the same budget: {}.", told(low)),
            _ if self.under_way => format!("So far the budgets differ, from {} to {}.", told(low), told(high)),
            // What diverged ended early: that is no smaller budget.
            (true, true) => format!(
                "{each} had the same budget: {trials}, {} of at most {} epochs in all.",
                counted(low.1 as u64, "run"),
                grouped(high.2 as u64)
            ),
            // Nor do second looks from before there were more trials buy anything: only the best of all are chosen from.
            (true, false) => format!(
                "{each} had the same budget: {trials}, {} to {} runs (some took second looks, or finals, before more trials were added).",
                low.1, high.1
            ),
            _ => format!("NOT the same budget for {all}: from {} to {}.", told(low), told(high)),
        })
    }
}

/// It has runs, and no final yet.
pub(super) fn is_waiting(analysis: &Analysis<'_>) -> bool {
    analysis.entrant.runs.is_empty() && !analysis.entrant.aside.is_empty()
}

/// Its screening is not complete.
fn is_screening(analysis: &Analysis<'_>) -> bool {
    let roles = || analysis.entrant.aside.iter().filter_map(|run| Some((run, run.role.as_ref()?)));
    let done = roles().filter(|(run, role)| role.stage == Stage::Screening && run.status.is_over()).count();
    roles().any(|(_, role)| role.finalists.is_some()) && (done as u64) < SCREENING
}
