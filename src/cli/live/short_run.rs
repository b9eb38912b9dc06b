//! Shows a short run of `find` at a constant rate: a bar on a terminal, one plain line at its end, and with `--json` an
//! event on stdout.

use super::bars::Bars;
use super::json::JsonEvents;
use super::lines::decimals;
use crate::config::FindConfig;
use crate::experiment::find::{ShortRun, ShortRunObserver};
use crate::record::RefineRow;
use crate::record::files::of_seed;
use crate::stats::suggest::show;
use anyhow::Result;
use indicatif::ProgressBar;
use std::path::Path;

/// Shows one run. Several may train at once, on threads of their own.
pub struct LiveShortRun<'a> {
    bars: &'a Bars,
    /// Names the rate, and the seed if there are several.
    label: String,
    run: ShortRun,
    made: u64,
    bar: ProgressBar,
    events: Option<JsonEvents>,
}

impl<'a> LiveShortRun<'a> {
    /// `run` begins. `json`: the folder that its event names.
    pub fn start(bars: &'a Bars, config: &FindConfig, run: ShortRun, json: Option<&Path>) -> Self {
        let seed = if config.seeds > 1 { format!("{}, ", of_seed(run.seed)) } else { String::new() };
        let label = format!("{seed}lr {}", show(run.rate));
        let bar = bars.add(run.updates, "{prefix} {pos:>5}/{len:<5} {wide_bar:.blue/dim} {msg}");
        bar.set_prefix(label.clone());
        bars.begin(&label, 0.0);
        Self { bars, label, run, made: 0, bar, events: json.map(|path| JsonEvents::new(path, false)) }
    }
}

impl ShortRunObserver for LiveShortRun<'_> {
    fn see(&mut self, loss: f64) -> Result<()> {
        self.made += 1;
        self.bars.advance(&self.label, self.made as f64 / self.run.updates.max(1) as f64);
        self.bar.inc(1);
        self.bar.set_message(format!("loss {}", decimals(loss)));
        Ok(())
    }

    fn end(self: Box<Self>, row: Option<&RefineRow>) -> Result<()> {
        let Some(row) = row else { return Ok(()) };
        self.bars.remove(&self.bar);
        self.bars.run_done(&self.label);
        let said = match row.val_accuracy {
            Some(accuracy) => format!("val_accuracy {accuracy:.3} after {} updates", row.updates),
            None => format!("diverged at update {}", row.updates),
        };
        self.bars.line(&format!("{}: {said}", self.label));
        self.events.as_ref().map_or(Ok(()), |events| events.write("refine", row))
    }
}

impl Drop for LiveShortRun<'_> {
    fn drop(&mut self) {
        // A run that fails or is stopped leaves no bar behind.
        self.bars.remove(&self.bar);
        self.bars.leave(&self.label);
    }
}
