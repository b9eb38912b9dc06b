//! How to go on with a comparison: the command that makes a claim possible, and the one that makes it about schedules.

use super::request::Request;
use crate::cli::next::GoingOn;
use crate::cli::session::same_command_but;
use crate::config::Tuning;
use crate::config::tuning::STUDIES;
use crate::data::Dataset;
use crate::record::ComparisonRow;
use crate::report::entrants::entrants;
use crate::stats::verdict::FEWEST;
use std::path::Path;

/// The trials of a tuning that is suggested.
const TRIALS: u64 = 8;

impl Request {
    /// How to go on with the comparison in `folder`, which has these `rows`.
    pub(super) fn going_on(&self, folder: &Path, dataset: &Dataset, rows: &[ComparisonRow]) -> GoingOn {
        let data_dir = self.machine.data.data_dir.clone();
        // This command again would leave those behind that others have put into the folder.
        if entrants(rows).len() > self.entrants.len() {
            return GoingOn { data_dir, ..GoingOn::default() };
        }
        let again = |what| (format!("{FEWEST} {what}"), same_command_but(folder, &[], &[(what, &FEWEST.to_string())]));
        GoingOn { data_dir, for_claim: self.lacking().map(again), for_schedules: self.tuned(folder, dataset) }
    }

    /// What there are too few of for a claim.
    fn lacking(&self) -> Option<&'static str> {
        let fewest = FEWEST as u64;
        match &self.tuning {
            // Several finals of one tuning support a claim about its settings.
            Some(Tuning { studies: 1, .. }) if self.seeds >= fewest => None,
            Some(Tuning { studies, .. }) => (*studies < fewest).then_some("studies"),
            None => (self.seeds < fewest).then_some("seeds"),
        }
    }

    /// The command that tunes the entrants of an untuned comparison, if they can be tuned as they are.
    fn tuned(&self, folder: &Path, dataset: &Dataset) -> Option<String> {
        let has_rate = self.shared_lr || self.grid.axis("lr").is_some();
        // The baseline would have another name.
        if self.tuning.is_some() || has_rate || self.machine.baseline.is_some() {
            return None;
        }
        let tuning = Tuning { trials: TRIALS, ranges: Vec::new(), seed: 0, studies: STUDIES };
        self.stages_of(Some(&tuning), dataset).ok()?;
        let mut name = folder.file_name()?.to_owned();
        name.push("-tuned");
        Some(same_command_but(&folder.with_file_name(name), &["seeds", "out"], &[("tune", &TRIALS.to_string())]))
    }
}
