//! `lrsched merge`: the shards of a comparison put together, and ranked.

use super::ranking::{self, SOME_FAILED};
use super::{flags, settings};
use crate::config::settings::BASELINE;
use crate::config::{CommandName, SettingDef};
use crate::experiment::{Merged, merge};
use crate::number::counted;
use crate::report::load::subject;
use crate::shell;
use crate::usage;
use crate::usage::listed;
use anyhow::Result;
use clap::{ArgMatches, Command};
use std::path::Path;

const OWN: &[SettingDef] = &[
    SettingDef::path("out", "DIR", "Where to put them together: a new folder, another comparison, or one of these"),
    BASELINE,
    SettingDef::switch("json", "Print the ranking to stdout as JSON, as `lrsched compare` does (docs/JSON.md)"),
];

/// The command line of `lrsched merge`.
pub fn command() -> Command {
    let command = Command::new(CommandName::Merge.name())
        .about("Put the shards of a comparison together and rank them")
        .override_usage("lrsched merge <DIR>... --out <DIR>")
        .after_help(
            "Runs are copied, and the folders they come from stay as they are. If the shards shared a folder, give it as \
             input and as --out: lrsched merge cmp --out cmp\n\nExample: lrsched merge results/shard-1 results/shard-2 --out results/all",
        )
        .arg(flags::folders("Folders of comparisons, such as `lrsched compare --shard I/N` makes"));
    settings::with_flags(command, CommandName::Merge, OWN)
}

/// Runs `lrsched merge …` and returns the exit code.
///
/// # Errors
/// Comparisons that cannot be put together; a file that cannot be read or written; there are no runs.
pub fn run(matches: &ArgMatches, quiet: bool) -> Result<u8> {
    let given = flags::gather(&command(), matches);
    let Some(out) = given.path("out").filter(|out| !out.as_os_str().is_empty()) else {
        return usage!("--out is missing: name the folder to merge into, e.g. lrsched merge a b --out all");
    };
    let baseline = given.text("baseline");
    let merged = merge(given.paths("folders"), &out, baseline)?;
    super::warn(&merged.notes);
    let Merged { rows, missing, config, .. } = &merged;
    let planned = counted((rows.len() + missing.len()) as u64, "run");
    if !missing.is_empty() {
        super::warn(&[told(missing, &planned, &out)]);
        // What there is of them has been put together, for `compare` to go on with.
        if rows.is_empty() {
            return Ok(SOME_FAILED);
        }
    }
    let title = config
        .as_ref()
        .map(|config| subject(config.model, config.dataset, config.train_limit.map(|limit| limit as u64)));
    let title = title.unwrap_or_default();
    let code = ranking::rank(&out, &title, baseline, rows, None, given.switch("json")?, quiet)?;
    Ok(if missing.is_empty() { code } else { SOME_FAILED })
}

/// Names the `missing` runs of those `planned`, and how to train them.
fn told(missing: &[String], planned: &str, out: &Path) -> String {
    format!(
        "{} of {planned} missing: {}; name the folders of the other shards, too, or train with the same `lrsched compare` and --out {}",
        missing.len(),
        listed(missing),
        shell::path(out)
    )
}
