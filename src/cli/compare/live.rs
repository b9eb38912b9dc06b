//! The runs of a comparison while they are trained.

use crate::cli::advice;
use crate::cli::live::{Bars, JsonEvents, Label};
use crate::experiment::{ComparisonObserver, Plan, PlannedRun};
use crate::train::{All, Event, Observer};
use anyhow::Result;
use std::path::Path;

/// Shows the runs of a comparison: bars or lines on stderr, and with `--json` events on stdout.
pub(super) struct LiveComparison<'a> {
    pub bars: &'a Bars,
    pub plan: &'a Plan,
    pub json: bool,
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
    }
}
