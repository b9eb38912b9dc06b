//! `lrsched compare --dry-run`.

use super::request::Request;
use super::shard::is_of;
use crate::cli::advice;
use crate::cli::dry_run::{DryRun, Listed};
use crate::cli::session::Session;
use crate::config::ProgressMode;
use crate::data::Dataset;
use crate::experiment::{Remaining, Stages, ToCome};
use anyhow::Result;
use std::path::Path;

impl Request {
    /// `--dry-run`.
    pub(super) fn print_plan(
        &self,
        folder: &Path,
        stages: Option<&Stages>,
        dataset: &Dataset,
        warnings: &[String],
        session: &Session,
    ) -> Result<u8> {
        let Self { machine, .. } = self;
        let determined = stages.map(|stages| stages.plan_in(folder, self.existing())).transpose()?;
        let (plan, here) = determined.as_ref().map_or((&self.plan, 0), |(plan, here)| (plan, *here));
        let found = plan.survey(folder, dataset, self.existing(), machine.shard);
        let runs = if machine.shard.is_some() { found.map_err(advice::of_shard)? } else { found? };
        crate::cli::warn(warnings);
        if machine.progress != ProgressMode::None {
            self.notes().iter().for_each(|note| crate::cli::tell(note));
        }
        let listed = |(place, remaining): (usize, Remaining)| {
            let name = Some(plan.runs[place].name.clone());
            Listed { number: Some(plan.place(place).number), name, remaining }
        };
        let mut runs: Vec<Listed> = runs.into_iter().map(listed).collect();
        runs.sort_by_key(|run| run.number);
        let named = runs.len();
        if let Some(stages) = stages {
            let to_come = stages.to_come(plan, is_of(machine.shard));
            let split = dataset.split(self.config().validation, self.config().train_limit)?;
            for ToCome { count, config, is_result } in to_come {
                let remaining = Remaining::whole(config, is_result, &split);
                runs.extend((0..count).map(|_| Listed { number: None, name: None, remaining: remaining.clone() }));
            }
        }
        let follow = runs.len() - named;
        let dry = DryRun {
            folder,
            config: self.config(),
            planned: plan.total,
            runs,
            may_differ: false,
            here: here.min(follow),
        };
        dry.print(dataset, machine, session)
    }
}
