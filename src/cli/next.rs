//! Commands to paste: what to do next.

use super::session::{command_again, program};
use crate::config::settings as table;
use crate::config::{CommandName, RunConfig, SettingValues};
use crate::data::DatasetKind;
pub use crate::record::NextCommand;
use crate::record::{ComparisonRow, RunInfo, Status, files};
use crate::report::analysis::{Analysis, Group};
use crate::report::entrants::EntrantRuns;
use crate::report::load::{Loaded, LoadedRun};
use crate::report::next::{Cost, Leader, NextStep, Purpose};
use crate::schedule;
use crate::shell::quoted;
use crate::stats::verdict::Standing;
use crate::usage::one_line;
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
    // The generated images are in no folder.
    let data_dir = data_dir.filter(|_| dataset != DatasetKind::Synthetic);
    let data_dir = data_dir.into_iter().flat_map(|folder| ["--data-dir".into(), folder.as_os_str().to_owned()]);
    words.into_iter().map(OsString::from).chain(data_dir).collect()
}

/// The command that tells those with these names apart, by so many fresh results of each.
pub type Settle<'a> = dyn Fn(&[String], usize) -> Option<NextStep> + 'a;

/// What a comparison knows of how to go on with it.
#[derive(Default)]
pub struct GoingOn<'a> {
    /// Where its images are, if that is not found by itself.
    pub data_dir: Option<PathBuf>,
    /// How to come by what supports a claim, where its own runs do not.
    pub for_claim: Option<NextStep>,
    /// The command that makes the claim one about schedules, if it is not.
    pub for_schedules: Option<NextStep>,
    /// How to find the winner where all of that is done.
    pub settle: Option<Box<Settle<'a>>>,
}

/// The command line of this program with these arguments, to paste.
pub fn line(arguments: &[OsString]) -> String {
    std::iter::once(program()).chain(arguments.iter().map(quoted)).collect::<Vec<_>>().join(" ")
}

/// What to do after a comparison whose results are these: train the leader, make a claim possible, and export the leader.
pub fn after(groups: &[Group<'_>], going_on: &GoingOn<'_>) -> Vec<NextStep> {
    let Some(group) = groups.first() else { return Vec::new() };
    let mut next = Vec::new();
    let has_learned = |one: &&Analysis<'_>| !one.entrant.only_guesses();
    let first = group.analyses.first().filter(has_learned);
    let leads = first.and_then(|_| leader(groups));
    if let Some((leader, (_, of))) = first.zip(leads.clone())
        && let Some(config) = typical(&leader.entrant).and_then(config_of)
    {
        let arguments = train(&config, CommandName::Train, going_on.data_dir.as_deref());
        next.push(NextStep {
            purpose: Purpose::Train {
                of,
                of_studies: leader.entrant.tuning.as_ref().is_some_and(|tuning| tuning.peaks().len() > 1),
            },
            cost: None,
            line: line(&arguments),
        });
    }
    if group.analyses.len() > 1 {
        next.extend(match &going_on.for_claim {
            // What is missing comes first.
            _ if group.under_way => None,
            _ if group.is_judged => going_on.for_schedules.clone().or_else(|| settled(group, going_on)),
            for_claim => for_claim.clone(),
        });
    }
    if let Some((run, of)) = leads
        && let Some(to) = super::export::possible(&run)
    {
        let arguments = ["export".into(), run.into_os_string(), "--to".into(), to.name().into()];
        next.push(NextStep { purpose: Purpose::Export { of, to }, cost: None, line: line(&arguments) });
    }
    next
}

/// Goes on with the comparison in `folder` as it was planned; if its plan does not say by which command, as its latest run
/// was started.
pub fn unfinished(folder: &Path, loaded: &Loaded) -> Option<NextStep> {
    let left = loaded.unfinished().filter(|_| folder.join(files::COMPARISON_CSV).is_file())?;
    let command = match left.command() {
        [] => {
            let runs = loaded.runs.iter().map(|run| Path::new(&run.row.run).join(files::RUN_JSON));
            let infos = runs.filter_map(|file| RunInfo::read(&file).ok());
            infos.max_by(|a, b| a.provenance.started.cmp(&b.provenance.started))?.provenance.command
        }
        planned => planned.to_vec(),
    };
    let (_, arguments) = command.split_first()?;
    // Of a file that anybody may have written: what is pasted is what is seen.
    if arguments.iter().any(|argument| one_line(argument) != *argument) {
        return None;
    }
    let runs = left.total() - left.done();
    (arguments.first()? == "compare").then(|| NextStep {
        purpose: Purpose::GoOn,
        cost: left.is_exact().then_some(Cost { runs, seconds: None }),
        line: command_again(arguments, folder),
    })
}

/// Goes on with the runs that were interrupted, outside comparisons, which go on as a whole: the first few.
pub fn interrupted(loaded: &Loaded) -> Vec<NextStep> {
    const FEW: usize = 3;
    let is_left =
        |run: &&LoadedRun| run.row.status == Status::Interrupted && !run.is_of_comparison() && !run.command.is_empty();
    let left = loaded.runs.iter().filter(is_left).take(FEW);
    let step = |run: &LoadedRun| NextStep {
        purpose: Purpose::Resume,
        cost: None,
        line: line(&["resume".into(), OsString::from(&run.row.run)]),
    };
    left.map(step).collect()
}

/// Without a winner: the command that finds one among those that may be the best.
fn settled(group: &Group<'_>, going_on: &GoingOn<'_>) -> Option<NextStep> {
    let name = |one: &Analysis<'_>| format!("{}/{}", one.entrant.optimizer, one.entrant.schedule);
    let open: Vec<String> = group.open().map(name).collect();
    going_on.settle.as_ref()?(&open, group.fresh_to_settle()?)
}

/// The folder of the typical run of the leader, and what it is.
pub fn leader(groups: &[Group<'_>]) -> Option<(PathBuf, Leader)> {
    let leader = groups.first()?.analyses.first()?;
    let folder = PathBuf::from(&typical(&leader.entrant)?.run);
    let info = RunInfo::read(&folder.join(files::RUN_JSON)).ok();
    let is_changed = info.is_some_and(|info| !info.changes.is_empty());
    Some((folder, Leader { is_winner: leader.standing == Standing::Winner, is_changed }))
}

/// The first of its results; if it was tuned more than once, of the study whose peak the report names.
fn typical<'a>(entrant: &EntrantRuns<'a>) -> Option<&'a ComparisonRow> {
    entrant.typical().filter(|run| run.status == Status::Finished).min_by_key(|run| run.seed)
}

/// Of a run that a report has loaded, which goes by its folder; `None` if that is gone, or of another version.
fn config_of(run: &ComparisonRow) -> Option<RunConfig> {
    let info = RunInfo::read(&Path::new(&run.run).join(files::RUN_JSON)).ok()?;
    info.config.known().ok()
}
