//! Commands to paste: what to do next.

use super::session::program;
use crate::config::settings as table;
use crate::config::{CommandName, RunConfig, SettingValues};
use crate::data::DatasetKind;
pub use crate::record::NextCommand;
use crate::record::{ComparisonRow, RunInfo, files};
use crate::report::analysis::Group;
use crate::report::entrants::EntrantRuns;
use crate::report::tuning::Tuning;
use crate::schedule;
use crate::shell::quoted;
use crate::stats::verdict::{FEWEST, Standing};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What a run is known by: said even where it is usual.
const FIRST: [&str; 4] = ["optimizer", "schedule", "lr", "epochs"];

/// The arguments of `lrsched train` with the settings of `config` that `command` takes, as far as they are not the usual
/// ones.
pub fn train(config: &RunConfig, command: CommandName, data_dir: Option<&Path>) -> Vec<OsString> {
    let dataset = config.dataset;
    let (validation, augment) = (dataset.default_validation(), dataset.default_augment());
    let usual = RunConfig { dataset, validation, augment, ..RunConfig::default() }.settings();
    let settings = config.settings();
    let mut words = vec!["train".to_string()];
    let mut add = |name: &str, value: &str| words.extend([format!("--{name}"), value.to_string()]);
    if dataset != DatasetKind::default() {
        add("dataset", dataset.name());
    }
    if command == CommandName::Train {
        let has_rate = config.optimizer.learning_rate().is_some() || !schedule::uses_base_rate(&config.schedule);
        for name in FIRST.into_iter().filter(|name| *name != "lr" || !has_rate) {
            settings.get(name).into_iter().for_each(|value| add(name, value));
        }
    }
    for setting in SettingValues::differences(&usual, &settings) {
        if table::takes_of_run(command, setting.name)
            && (command != CommandName::Train || !FIRST.contains(&setting.name))
        {
            add(setting.name, setting.second);
        }
    }
    let data_dir = data_dir.into_iter().flat_map(|folder| ["--data-dir".into(), folder.as_os_str().to_owned()]);
    words.into_iter().map(OsString::from).chain(data_dir).collect()
}

/// What a comparison knows of how to go on with it.
#[derive(Debug, Default)]
pub struct GoingOn {
    /// Where its images are, if that is not found by itself.
    pub data_dir: Option<PathBuf>,
    /// What supports a claim, where its own runs do not, and how to come by it: `3 seeds`, and a command.
    pub for_claim: Option<(String, String)>,
    /// The command that tunes its entrants, if they are not.
    pub for_schedules: Option<String>,
}

/// The command line of this program with these arguments, to paste.
pub fn line(arguments: &[OsString]) -> String {
    std::iter::once(program()).chain(arguments.iter().map(quoted)).collect::<Vec<_>>().join(" ")
}

/// What to do after a comparison whose results are these: train the leader, and make a claim possible.
pub fn after(groups: &[Group<'_>], going_on: &GoingOn) -> Vec<NextCommand> {
    let Some(group) = groups.first() else { return Vec::new() };
    let mut next = Vec::new();
    if let Some(leader) = group.analyses.first()
        && let Some(config) = typical(&leader.entrant).and_then(config_of)
    {
        let arguments = train(&config, CommandName::Train, going_on.data_dir.as_deref());
        let is_winner = leader.standing == Standing::Winner;
        next.push(NextCommand {
            purpose: format!("train {}", if is_winner { "the winner" } else { "the best so far" }),
            line: line(&arguments),
        });
    }
    let has_claim = group.most_in_common() >= FEWEST;
    let more = match (&going_on.for_claim, &going_on.for_schedules) {
        (Some((what, line)), _) if !has_claim => Some((format!("for a claim, {what}"), line)),
        (_, Some(line)) if has_claim => Some(("for a claim about schedules, tuned".to_string(), line)),
        _ => None,
    };
    if let Some((purpose, line)) = more.filter(|_| group.analyses.len() > 1) {
        next.push(NextCommand { purpose, line: line.clone() });
    }
    next
}

/// The first of its results; if it was tuned more than once, of the study whose peak the report names.
fn typical<'a>(entrant: &EntrantRuns<'a>) -> Option<&'a ComparisonRow> {
    let study = entrant.tuning.as_ref().and_then(Tuning::typical).map(|study| study.number);
    let of_study = |run: &&ComparisonRow| study.is_none() || run.role.as_ref().and_then(|role| role.study) == study;
    entrant.finished().filter(of_study).min_by_key(|run| run.seed)
}

/// Of a run that a report has loaded, which goes by its folder; `None` if that is gone, or of another version.
fn config_of(run: &ComparisonRow) -> Option<RunConfig> {
    let info = RunInfo::read(&Path::new(&run.run).join(files::RUN_JSON)).ok()?;
    info.config.known().ok()
}
