//! `lrsched diff` of an optimizer: where the frameworks disagree about its updates.

use super::drawn_run;
use crate::experiment::parting::{Camp, Camps};
use crate::number::{counted, exact, significant};
use crate::optim::{self, OptimizerSpec};
use crate::report::chart::{AxisScale, Figure, Panel, Series};
use crate::schedule::{RunShape, Semantics, Spec};
use crate::usage::Usage;
use std::fmt::Write as _;

/// Whether `text` is about an optimizer, with or without options and a schedule.
pub fn names_one(text: &str) -> bool {
    let name = text.split([':', '/']).next().unwrap_or_default().trim();
    optim::table().iter().any(|entry| entry.name == name)
}

/// An optimizer under each of the semantics.
pub struct Disagreement {
    optimizer: OptimizerSpec,
    schedule: Spec,
    run: RunShape,
    camps: Vec<Camp>,
    refused: Vec<Usage>,
}

impl Disagreement {
    /// `text`: `OPTIMIZER[/SCHEDULE]`, constant without one. `lr` is that of `--lr`.
    ///
    /// # Errors
    /// An invalid optimizer, schedule or rate.
    pub fn of(text: &str, lr: Option<f64>, run: &RunShape) -> Result<Self, Usage> {
        let (optimizer, schedule) = text.split_once('/').unwrap_or((text, "constant"));
        let (optimizer, schedule): (OptimizerSpec, Spec) = (optimizer.parse()?, schedule.parse()?);
        let usual = || optimizer.default_learning_rate(Semantics::Native);
        let learning_rate = lr.or(optimizer.learning_rate()).unwrap_or_else(usual);
        optim::check_rate::<f64>("lr", learning_rate)?;
        let run = RunShape { learning_rate, ..*run };
        let Camps { camps, refused } = Camps::of(&optimizer, &schedule, &run)?;
        Ok(Self { optimizer, schedule, run, camps, refused })
    }

    /// The partings of each two groups, and what differs by default.
    pub fn words(&self) -> String {
        let Self { optimizer, schedule, run, camps, refused } = self;
        let mut text = format!(
            "{optimizer}/{schedule} over {} of {} on a small noisy problem, lr {} for all\n",
            counted(run.epochs, "epoch"),
            counted(run.steps_per_epoch, "step"),
            exact(run.learning_rate)
        );
        if let [Camp { members, .. }] = camps.as_slice() {
            let _ = writeln!(text, "\n{}: the same weights at every step", name(members));
        }
        for (at, Camp { members: one, trail }) in camps.iter().enumerate() {
            for Camp { members: other, trail: theirs } in &camps[at + 1..] {
                let Some(parting) = trail.parting(theirs) else { continue };
                // A step that moved nothing has no share.
                let share = Some(100.0 * parting.by / parting.moved).filter(|share| share.is_finite());
                let share = share.map_or(String::new(), |share| format!(", {} % of that step", significant(share, 3)));
                let _ = writeln!(
                    text,
                    "\n{} / {}: part at step {} by {}{share}\n  largest difference: {} at step {}",
                    name(one),
                    name(other),
                    parting.step,
                    significant(parting.by, 3),
                    significant(parting.widest_by, 3),
                    parting.widest
                );
            }
        }
        for semantics in Semantics::ALL.into_iter().filter(|&semantics| optimizer.exists_in(semantics)) {
            let (apart, missing): (Vec<_>, Vec<_>) = optimizer
                .defaults_apart(semantics)
                .into_iter()
                .partition(|(parameter, _)| parameter.frameworks.contains(&semantics));
            if !apart.is_empty() {
                let list: Vec<String> =
                    apart.iter().map(|(parameter, value)| format!("{} {value}", parameter.name)).collect();
                let _ = writeln!(text, "\n{semantics} has other defaults: {}", list.join(", "));
            }
            if !missing.is_empty() {
                let list: Vec<&str> = missing.iter().map(|(parameter, _)| parameter.name).collect();
                let _ = writeln!(text, "\n{semantics} has no {}", list.join(", "));
            }
        }
        let is_constant = schedule.to_string() == "constant";
        for (semantics, note) in optimizer.notes().iter().filter(|_| !is_constant) {
            let _ = writeln!(text, "\n{semantics} {note}");
        }
        for error in refused {
            let _ = writeln!(text, "\n{error}");
        }
        for semantics in Semantics::ALL.into_iter().filter(|&semantics| !optimizer.exists_in(semantics)) {
            let name = optimizer.name();
            let _ = writeln!(text, "\n{semantics} has no {name}: `--semantics {semantics}` falls back to native");
        }
        text
    }

    /// The loss under each of the semantics after each update; empty where there is none.
    pub fn csv(&self) -> String {
        let mut text = String::from("step,epoch,native,torch,keras,optax\n");
        for t in 0..self.run.total_steps() {
            let _ = write!(text, "{t},{}", t / self.run.steps_per_epoch);
            for semantics in Semantics::ALL {
                text.push(',');
                if let Some(camp) = self.camps.iter().find(|camp| camp.members.contains(&semantics)) {
                    let _ = write!(text, "{:?}", camp.trail.losses[t as usize + 1]);
                }
            }
            text.push('\n');
        }
        text
    }

    pub fn figure(&self, scale: AxisScale) -> Figure {
        let mut panel = Panel::new("", "step", "loss");
        for (at, Camp { members, trail }) in self.camps.iter().enumerate() {
            let points = trail.losses.iter().enumerate().map(|(step, &loss)| (step as f64, loss)).collect();
            let mut series = Series::new(name(members), points);
            series.dashed = at > 0;
            panel.series.push(series);
        }
        drawn_run::rescale(&mut panel, scale);
        Figure::new(format!("{}/{}", self.optimizer, self.schedule), vec![panel])
    }
}

fn name(members: &[Semantics]) -> String {
    members.iter().map(|member| member.name()).collect::<Vec<_>>().join(" = ")
}
