//! Shows a learning rate range test: a bar on a terminal, otherwise ten plain lines, and with `--json` events on stdout.

use super::bars::Bars;
use super::json::JsonEvents;
use super::lines::decimals;
use crate::config::FindConfig;
use crate::experiment::find::{Ended, RangeTestObserver};
use crate::record::RangeRow;
use crate::record::files::of_seed;
use crate::stats::suggest::show;
use anyhow::Result;
use indicatif::ProgressBar;
use serde::Serialize;
use serde_json::json;
use std::path::Path;

/// Plain lines per test.
const LINES: u64 = 10;

/// Shows the test of one seed. Tests of several seeds may run at once, on threads of their own.
pub struct LiveRangeTest<'a> {
    bars: &'a Bars,
    seed: u64,
    /// Names the seed, if there are several.
    label: String,
    steps: u64,
    bar: ProgressBar,
    /// The last evaluated accuracy.
    accuracy: Option<f64>,
    rate: f64,
    events: Option<JsonEvents>,
}

impl<'a> LiveRangeTest<'a> {
    /// The test of `seed` begins. `title` says what it tests; `json`: the folder that events name.
    ///
    /// # Errors
    /// The event cannot be written.
    pub fn start(
        bars: &'a Bars,
        config: &FindConfig,
        title: &str,
        seed: u64,
        steps: u64,
        json: Option<&Path>,
    ) -> Result<Self> {
        let label = if config.seeds > 1 { of_seed(seed) } else { String::new() };
        let bar = if bars.are_shared() {
            let bar = bars.add(steps, "{prefix} {pos:>5}/{len:<5} {wide_bar:.blue/dim} {msg}");
            bar.set_prefix(label.clone());
            bar
        } else {
            bars.add(steps, "{pos:>5}/{len:<5} {wide_bar:.blue/dim} {msg} {left} left")
        };
        bars.begin(&label, 0.0);
        let events = json.map(|path| JsonEvents::new(path, false));
        let test = Self { bars, seed, label, steps, bar, accuracy: None, rate: 0.0, events };
        if !bars.are_of_runs() {
            test.line(&format!("{title}, {steps} iterations"));
        }
        if let Some(events) = &test.events {
            events.write("start", json!({ "config": config, "seed": seed, "iterations": steps }))?;
        }
        Ok(test)
    }

    fn line(&self, text: &str) {
        let label = if self.label.is_empty() { String::new() } else { format!("{}: ", self.label) };
        self.bars.line(&format!("{label}{text}"));
    }
}

impl RangeTestObserver for LiveRangeTest<'_> {
    fn see(&mut self, row: &RangeRow) -> Result<()> {
        self.accuracy = row.val_accuracy.or(self.accuracy);
        self.rate = row.learning_rate;
        let made = row.iteration + 1;
        self.bars.advance(&self.label, made as f64 / self.steps.max(1) as f64);
        self.bar.inc(1);
        let seen = self.accuracy.map_or("-".to_string(), |accuracy| format!("{accuracy:.3}"));
        let (lr, loss) = (show(row.learning_rate), row.smoothed_loss);
        let line = format!("lr {lr}  loss {}  val_accuracy {seen}", decimals(loss));
        if self.bar.is_hidden() && !self.bars.are_of_runs() && made.is_multiple_of(self.steps.div_ceil(LINES)) {
            self.line(&format!("iteration {made}/{}  {line}", self.steps));
        }
        // Several bars are aligned, and name their seed.
        let narrow = || format!("lr {lr:<8} loss {} val_acc {seen:<5}", decimals(loss));
        self.bar.set_message(if self.bars.are_shared() { narrow() } else { line });
        match &self.events {
            Some(events) => events.write("iteration", Iteration { seed: self.seed, row }),
            None => Ok(()),
        }
    }

    fn end(self: Box<Self>, how: Ended) {
        self.bars.remove(&self.bar);
        self.bars.run_done(&self.label);
        self.line(&ended(how, self.rate));
    }
}

impl Drop for LiveRangeTest<'_> {
    fn drop(&mut self) {
        // A failed test leaves no bar behind.
        self.bars.remove(&self.bar);
        self.bars.leave(&self.label);
    }
}

/// The JSON event of an iteration.
#[derive(Serialize)]
struct Iteration<'a> {
    seed: u64,
    #[serde(flatten)]
    row: &'a RangeRow,
}

fn ended(how: Ended, rate: f64) -> String {
    let rate = show(rate);
    match how {
        Ended::Diverged => {
            format!("stopped at {rate}: the smoothed loss reached four times its best; its rows are kept")
        }
        Ended::NotANumber => format!("stopped at {rate}: the loss is not finite; its rows are kept"),
        Ended::Stopped => {
            format!("interrupted at {rate}; its rows are kept, but find cannot resume and starts over")
        }
        Ended::Whole => format!("completed, at {rate}"),
    }
}
