//! Trains what is missing of a comparison, stage by stage, and ranks it.

use super::live::{LiveComparison, ReportSoFar};
use super::request::Request;
use super::shard::{is_of, tell_progress};
use crate::cli::live::Bars;
use crate::cli::session::{self, Keys, Session};
use crate::cli::{advice, ranking, settings};
use crate::config::Keep;
use crate::data::Dataset;
use crate::experiment::{Comparison, Plan, Stages, Training};
use crate::number::{counted, grouped};
use crate::report::load::subject;
use anyhow::Result;
use std::path::Path;

impl Request {
    /// Trains what is missing in `folder`, and ranks it.
    pub(super) fn train(
        &self,
        folder: &Path,
        stages: Option<&Stages>,
        dataset: &Dataset,
        warnings: &[String],
        mut session: Session,
        quiet: bool,
    ) -> Result<u8> {
        let machine = &self.machine;
        let control = session.control.clone();
        let stopping = || control.stopping().is_some();
        let mut plan = stages.map_or_else(|| self.plan.clone(), |stages| stages.plan(&[]));
        let (existing, baseline) = (self.existing(), machine.baseline.as_deref());
        let opened = Comparison::open(folder, plan.clone(), dataset, existing, machine.shard, baseline, &stopping);
        // It waited for other shards.
        if opened.is_err()
            && let Some(code) = session.stopped_early()
        {
            return Ok(code);
        }
        let mut comparison = if machine.shard.is_some() { opened.map_err(advice::of_shard)? } else { opened? };
        // What earlier processes have trained may determine more, which may be done as well.
        while let Some(longer) = longer(stages, &plan, &mut comparison)? {
            comparison.extend(longer.clone(), dataset, &stopping)?;
            plan = longer;
        }
        let to_come = |plan: &Plan| {
            let counts = stages.map(|stages| stages.to_come(plan, is_of(machine.shard)));
            counts.map_or(0, |counts| counts.iter().map(|runs| runs.count).sum::<usize>())
        };
        let missing = comparison.missing();
        let left = missing + if missing == 0 { 0 } else { to_come(&plan) };
        let (mut scheduler, limit) = settings::scheduler(machine, self.config(), left);
        let mut chosen_for = left;
        let longest = plan.runs.iter().map(|run| run.name.chars().count()).max().unwrap_or_default();
        let bars = Bars::of_runs(machine.progress, left as u64, scheduler.at_once, longest);
        self.announce(&comparison, &limit, warnings, &bars);
        if missing == 0 {
            session.speak(&bars);
        } else {
            // An entrant's name fixes its rate, which must not be changed by hand.
            session.begin(&bars, Keys::WithoutRates, machine.json);
        }
        let mut done = 0;
        let so_far = machine.shard.is_none().then(|| ReportSoFar::new(folder, machine.baseline.as_deref()));
        let stopped = loop {
            let training = Training {
                scheduler,
                observer: &LiveComparison { bars: &bars, plan: &plan, json: machine.json, report: so_far.as_ref() },
                control: &control,
                every: machine.every,
                words: advice::verdict,
                keep: machine.keep.unwrap_or(Keep::Best),
                tensorboard: machine.tensorboard,
            };
            let before = comparison.rows_of_plan();
            let stopped = comparison.run(dataset, &training)?;
            if stopped.is_some() {
                break stopped;
            }
            done += comparison.rows_of_plan() - before;
            let more = longer(stages, &plan, &mut comparison)?;
            if more.is_none() && comparison.missing() == 0 {
                break None;
            }
            if let Some(longer) = more {
                if let Err(error) = comparison.extend(longer.clone(), dataset, &stopping) {
                    match control.stopping() {
                        // It waited for other shards.
                        Some(stop) => break Some(stop),
                        None => return Err(error),
                    }
                }
                plan = longer;
            }
            let left = comparison.missing() + to_come(&plan);
            // What other processes train has no row here yet.
            let without_row = comparison.ours() - comparison.rows_of_plan();
            bars.expect((done + without_row + to_come(&plan)) as u64);
            // Results of other shards determine runs that were not expected here.
            if left > chosen_for {
                scheduler = settings::scheduler(machine, self.config(), left).0;
                chosen_for = left;
            }
        };
        drop(session);
        if let Some(stop) = stopped {
            self.tell_stopped(&comparison, &plan, folder, &bars);
            so_far.iter().for_each(|report| report.finish(comparison.rows_of_plan()));
            return Ok(stop.exit_code());
        }
        if let Some(shard) = machine.shard {
            let ours = comparison.ours();
            tell_progress(shard, ours, &plan, &mut comparison, folder, machine.baseline.as_deref(), &bars)?;
        }
        comparison.late_notes().iter().for_each(|note| bars.warn(&format!("warning: {note}")));
        drop(bars);
        self.rank(&comparison, folder, stages, dataset, quiet)
    }

    /// What is to be known before the first run.
    fn announce(&self, comparison: &Comparison, limit: &Option<String>, warnings: &[String], bars: &Bars) {
        comparison.notes().iter().for_each(|note| bars.warn(&format!("warning: {note}")));
        if comparison.ours() == 0 {
            // Said at the end.
        } else if comparison.missing() == 0 {
            let done = counted(comparison.rows_of_plan() as u64, "run");
            bars.line(&format!("nothing left to train: {done} done"));
        } else {
            self.notes().iter().for_each(|note| bars.line(note));
            limit.iter().for_each(|limit| bars.line(limit));
            warnings.iter().for_each(|warning| bars.warn(&format!("warning: {warning}")));
        }
    }

    /// What was saved before it was stopped, and how to go on.
    fn tell_stopped(&self, comparison: &Comparison, plan: &Plan, folder: &Path, bars: &Bars) {
        let (over, of) = (counted(comparison.over() as u64, "run"), grouped(plan.total as u64));
        let how_far = if self.machine.shard.is_some() { String::new() } else { format!(": {over} of {of}") };
        bars.warn(&format!("stopped; finished work is saved in {}{how_far}", folder.display()));
        bars.warn(&format!("resume with:  {}", session::same_command(folder)));
    }

    /// Ranks the comparison, unless this process trained a shard of it, and returns the exit code.
    pub(super) fn rank(
        &self,
        comparison: &Comparison,
        folder: &Path,
        stages: Option<&Stages>,
        dataset: &Dataset,
        quiet: bool,
    ) -> Result<u8> {
        let Self { machine, .. } = self;
        let rows = comparison.rows();
        if rows.is_empty() && comparison.left_to_others() > 0 {
            return Ok(ranking::SOME_FAILED);
        }
        let code = if machine.shard.is_some() {
            let code = ranking::code(&rows);
            if quiet && code != 0 {
                crate::cli::warn(&[format!("{}: {}", ranking::unfinished(&rows), folder.display())]);
            }
            code
        } else {
            let config = self.config();
            let title = subject(config.model, machine.data.kind, config.train_limit.map(|limit| limit as u64));
            let baseline = machine.baseline.as_deref();
            let going_on = self.going_on(folder, stages, dataset, &rows);
            ranking::rank(folder, &title, baseline, &rows, Some(&going_on), machine.json, quiet)?
        };
        Ok(if comparison.left_to_others() > 0 { ranking::SOME_FAILED } else { code })
    }
}

/// The plan after `plan`, if the results so far determine more runs.
fn longer(stages: Option<&Stages>, plan: &Plan, comparison: &mut Comparison) -> Result<Option<Plan>> {
    let Some(stages) = stages else { return Ok(None) };
    let longer = stages.plan(&comparison.known()?);
    Ok((longer.runs.len() > plan.runs.len()).then_some(longer))
}
