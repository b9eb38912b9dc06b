//! What a shard says once it has trained its runs: how much of the comparison is done, and what comes next.

use crate::cli::live::Bars;
use crate::cli::session;
use crate::config::Shard;
use crate::experiment::{Comparison, Plan, PlanProgress};
use crate::record::files::COMPARISON_CSV;
use crate::run_folder::InUse;
use crate::shell;
use anyhow::Result;
use std::path::Path;

/// Which chains a process trains.
pub(super) fn is_of(shard: Option<Shard>) -> impl Fn(usize) -> bool {
    move |chain| shard.is_none_or(|shard| shard.has(chain))
}

/// How much of the whole comparison is done after this `shard` of `ours` runs, and what comes next.
pub(super) fn tell_progress(
    shard: Shard,
    ours: usize,
    plan: &Plan,
    comparison: &mut Comparison,
    folder: &Path,
    baseline: Option<&str>,
    bars: &Bars,
) -> Result<()> {
    let so_far = match comparison.progress() {
        Ok(progress) => PlanProgress { planned: plan.total, ..progress },
        // Its runs have their results; a merge finds them there.
        Err(error) if error.is::<InUse>() => {
            bars.warn(&format!(
                "warning: shard {shard} is done, but some of its rows are not in {COMPARISON_CSV} yet: {error}; lrsched merge adds them"
            ));
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    if plan.is_before_finals() {
        // To rank it now would be too early.
        let PlanProgress { done, planned } = so_far;
        bars.line(&format!(
            "shard {shard} is done with its screening ({done} of {planned} planned runs are finished here); the finalists follow from that of all shards: start it again once the others are done (if each shard has a folder of its own, merge them first and go on in the merged one)"
        ));
        return Ok(());
    }
    let out = shell::path(folder);
    let baseline = baseline.map_or(String::new(), |name| format!(" --baseline {}", shell::quoted(name)));
    let ranks = format!("{} merge {out} --out {out}{baseline}", session::program());
    bars.line(&progress(shard, ours, so_far, &ranks));
    Ok(())
}

/// As [`tell_progress`], in words; the command `ranks` all runs.
fn progress(shard: Shard, ours: usize, PlanProgress { done, planned }: PlanProgress, ranks: &str) -> String {
    match (done, planned) {
        (1, 1) => format!("the only planned run is finished; rank it with:  {ranks}"),
        _ if done == planned => format!("all {planned} planned runs are finished; rank them with:  {ranks}"),
        _ if ours == 0 => format!("shard {shard} has no run of this plan of {planned}"),
        _ => {
            let are = if done == 1 { "is" } else { "are" };
            format!(
                "shard {shard} is done: {done} of {planned} planned runs {are} finished here; once all are, rank them (with all folders, if each shard has its own) with:  {ranks}"
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_says_how_much_of_the_plan_is_done_and_an_empty_one_that_it_has_no_run() {
        let shard: Shard = "5/7".parse().unwrap();
        let said = |ours, done, planned| progress(shard, ours, PlanProgress { done, planned }, "merge");
        let then = " here; once all are, rank them (with all folders, if each shard has its own) with:  merge";
        assert_eq!(said(1, 2, 9), format!("shard 5/7 is done: 2 of 9 planned runs are finished{then}"));
        assert_eq!(said(1, 1, 9), format!("shard 5/7 is done: 1 of 9 planned runs is finished{then}"));
        assert_eq!(said(0, 3, 4), "shard 5/7 has no run of this plan of 4");
        assert_eq!(said(0, 4, 4), "all 4 planned runs are finished; rank them with:  merge");
        assert_eq!(said(0, 1, 1), "the only planned run is finished; rank it with:  merge");
    }
}
