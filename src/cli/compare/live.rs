//! The runs of a comparison while they are trained.

use crate::cli::live::{Bars, JsonEvents, Label};
use crate::cli::ranking::Stage;
use crate::cli::{advice, ranking};
use crate::experiment::{ComparisonObserver, Plan, PlannedRun};
use crate::train::{All, Event, Observer};
use anyhow::Result;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Shows the runs of a comparison: bars or lines on stderr, with `--json` events on stdout, and the report so far.
pub(super) struct LiveComparison<'a> {
    pub bars: &'a Bars,
    pub plan: &'a Plan,
    pub json: bool,
    /// `None` for a shard, whose folder others write to.
    pub report: Option<&'a ReportSoFar<'a>>,
}

/// Rewrites the report of a comparison under way.
pub(super) struct ReportSoFar<'a> {
    pub folder: &'a Path,
    pub baseline: Option<&'a str>,
    /// When it was last written, and how long that took.
    last: Mutex<Option<(Instant, Duration)>>,
}

/// The report may take this share of the time: that of thousands of runs takes seconds.
const SHARE: u32 = 20;

/// A report on so many takes a second at most.
const FEW: usize = 500;

/// A cluster that stops a job kills it some seconds later.
const LONGEST: Duration = Duration::from_secs(3);

impl<'a> ReportSoFar<'a> {
    pub fn new(folder: &'a Path, baseline: Option<&'a str>) -> Self {
        Self { folder, baseline, last: Mutex::new(None) }
    }

    /// Rewrites it, unless it was written a short time ago. A report that cannot be written is no reason to stop training:
    /// the last one says why.
    fn rewrite(&self) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_some_and(|(at, took)| at.elapsed() < SHARE * took) {
            return;
        }
        let started = Instant::now();
        let _ = ranking::so_far(self.folder, self.baseline, Stage::UnderWay);
        *last = Some((Instant::now(), started.elapsed()));
    }
}

impl ReportSoFar<'_> {
    /// Rewrites it for the last time, since the comparison stopped, unless that takes longer than who stops it may wait.
    /// `runs`: how many it is about.
    pub fn finish(&self, runs: usize) {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.map_or(runs <= FEW, |(_, took)| took < LONGEST) {
            let _ = ranking::so_far(self.folder, self.baseline, Stage::Stopped);
        }
    }
}

impl LiveComparison<'_> {
    /// Names `run` by its place in the plan, which is the same in every process and in a dry run.
    fn label(&self, run: &PlannedRun) -> Label {
        let runs = &self.plan.runs;
        let place = runs.iter().position(|planned| planned.name == run.name).unwrap_or_default();
        Label {
            name: run.name.clone(),
            number: self.plan.place(place).number,
            of: self.plan.total,
            role: run.role.clone(),
        }
    }
}

impl ComparisonObserver for LiveComparison<'_> {
    fn observe<'a>(&'a self, run: &'a PlannedRun, path: &'a Path) -> Box<dyn Observer + 'a> {
        let mut observers: Vec<Box<dyn Observer + 'a>> = vec![Box::new(self.bars.run(Some(self.label(run))))];
        if self.json {
            observers.push(Box::new(JsonEvents::new(path, run.config.log_steps)));
        }
        Box::new(All(observers))
    }

    fn warn(&self, run: &PlannedRun, message: &str) {
        self.bars.warn(&format!("{}: {message}", run.name));
    }

    fn failed(&self, run: &PlannedRun, path: &Path, error: &anyhow::Error) -> Result<()> {
        let message = advice::words(error);
        self.bars.warn(&format!("{}: failed: {message}", run.name));
        if self.json { JsonEvents::new(path, false).observe(&Event::Failed(&message)) } else { Ok(()) }
    }

    fn completed(&self, run: &PlannedRun) {
        self.bars.run_done(&run.name);
        self.report.into_iter().for_each(ReportSoFar::rewrite);
    }
}
