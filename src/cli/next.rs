//! Commands to paste: what to do next.

use super::session::{command_again, program};
use crate::config::settings as table;
use crate::config::{CommandName, PREFIX, RunConfig, SettingValues, typed, variable, variables_of_results};
use crate::data::DatasetKind;
pub use crate::record::NextCommand;
use crate::record::{ComparisonRow, PlannedBy, RunInfo, Status, files};
use crate::report::analysis::{Analysis, Group, Unit};
use crate::report::entrants::EntrantRuns;
use crate::report::load::{Loaded, LoadedRun, Planned};
use crate::report::next::{Cost, NextStep, Purpose};
use crate::report::tuning::Tuning;
use crate::schedule;
use crate::shell::{path, quoted};
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
    let mut add = |name: &str, value: &str| words.extend(typed(name, value));
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
    /// The command that tries rates closer to the ends of the range.
    pub closer: Option<NextStep>,
    /// How to find the winner where all of that is done.
    pub settle: Option<Box<Settle<'a>>>,
}

/// The command line of this program with these arguments, to record.
pub fn line(arguments: &[OsString]) -> String {
    std::iter::once(program()).chain(arguments.iter().map(quoted)).collect::<Vec<_>>().join(" ")
}

/// The command line of a `train`, to paste here and now: it unsets the variables that would change the run, since they are
/// still set then. An empty one counts as unset.
pub fn pasted(line: &str) -> String {
    let unset = variables_of_results().into_keys().map(|name| format!("{name}= "));
    unset.chain([line.to_string()]).collect()
}

/// What to do after a comparison whose results are these: train the leader, make a claim possible, and export the leader.
pub fn after(groups: &[Group<'_>], going_on: &GoingOn<'_>) -> Vec<NextStep> {
    let Some(group) = groups.first() else { return Vec::new() };
    let mut next = Vec::new();
    let has_learned = |one: &&Analysis<'_>| !one.entrant.only_guesses();
    // No command repeats what was changed by hand: without that, nobody knows what its settings lead to.
    let is_as_begun = |one: &&Analysis<'_>| one.entrant.place.by_hand.is_none();
    let first = group.analyses.first().filter(has_learned).filter(is_as_begun);
    if let Some(leader) = first
        && let Some(config) = typical(&leader.entrant).and_then(config_of)
    {
        let arguments = train(&config, CommandName::Train, going_on.data_dir.as_deref());
        next.push(NextStep {
            purpose: Purpose::Train {
                is_winner: leader.standing == Standing::Winner,
                of_studies: leader.entrant.tuning.as_ref().is_some_and(|tuning| tuning.peaks().len() > 1),
            },
            cost: None,
            line: pasted(&line(&arguments)),
        });
    }
    // What is missing comes first.
    if group.is_judged && is_at_edge(group) {
        next.extend(going_on.closer.clone());
    }
    if group.analyses.len() > 1 {
        next.extend(match &going_on.for_claim {
            _ if group.under_way => None,
            _ if group.is_judged => going_on.for_schedules.clone().or_else(|| settled(group, going_on)),
            for_claim => for_claim.clone(),
        });
    }
    if let Some((run, is_winner)) = first.and_then(|_| leader(groups))
        && is_as_seen(&run)
        && let Some(to) = super::export::possible(&run)
    {
        let line = format!("{} export {} --to {}", program(), path(&run), to.name());
        next.push(NextStep { purpose: Purpose::Export { is_winner, to }, cost: None, line });
    }
    next
}

/// The same where it is not known how to go on, with the command that says it if the comparison is complete.
pub fn after_all(groups: &[Group<'_>], folder: &Path, loaded: &Loaded) -> Vec<NextStep> {
    after(groups, &GoingOn::default()).into_iter().chain(again(groups, folder, loaded)).collect()
}

/// Once more the command of a comparison that is complete, to be seen by a person. `None` where nothing is left to tell, of
/// a single entrant and of a winner that several studies tuned; and where that command would train a run again, or refuse
/// one that was changed by hand.
fn again(groups: &[Group<'_>], folder: &Path, loaded: &Loaded) -> Option<NextStep> {
    let ([group], [planned]) = (groups, &loaded.planned[..]) else { return None };
    let is_settled = group.unit == Unit::Study && group.analyses.first()?.standing == Standing::Winner;
    let is_whole = |run: &LoadedRun| run.changed.is_none() && Path::new(&run.row.run).join(files::RUN_JSON).is_file();
    if !planned.is_complete() || is_settled || group.analyses.len() < 2 || !loaded.runs.iter().all(is_whole) {
        return None;
    }
    let mut planned_by = planned_by(planned, folder, loaded)?;
    let is_silent =
        |argument: &String| ["-q", "--quiet", "--json"].contains(&argument.as_str()) || argument.starts_with("--json=");
    planned_by.command.retain(|argument| !is_silent(argument));
    ["quiet", "json"].into_iter().for_each(|name| drop(planned_by.variables.remove(&variable(name))));
    Some(NextStep { purpose: Purpose::Again, cost: None, line: command_again(&planned_by, folder) })
}

/// Goes on with the comparison in `folder` as it was planned last.
pub fn unfinished(folder: &Path, loaded: &Loaded) -> Option<NextStep> {
    let left = loaded.unfinished()?;
    // The command trains only these: `interrupted` has what other commands began.
    if left.left() > 0 {
        let line = command_again(&planned_by(left, folder, loaded)?, folder);
        let cost = left.is_exact().then_some(Cost { runs: left.left(), seconds: None });
        return Some(NextStep { purpose: Purpose::GoOn, cost, line });
    }
    // A stage of theirs is no run to resume by itself.
    let is_stage = |run: &&LoadedRun| {
        let path = Path::new(&run.row.run);
        run.row.role.is_some() && !run.row.status.is_over() && left.leaves_alone(path)
    };
    let stage = loaded.runs.iter().find(is_stage)?;
    let info = RunInfo::read(&Path::new(&stage.row.run).join(files::RUN_JSON)).ok()?;
    let begun_by = PlannedBy { command: info.provenance.command, ..PlannedBy::default() };
    let line = can_be_typed(&begun_by).then(|| command_again(&begun_by, folder))?;
    Some(NextStep { purpose: Purpose::GoOn, cost: None, line })
}

/// The command that planned the comparison in `folder`; if its plan does not say it, that of its latest run. `None` if it
/// cannot be typed again.
fn planned_by(planned: &Planned, folder: &Path, loaded: &Loaded) -> Option<PlannedBy> {
    if !folder.join(files::COMPARISON_CSV).is_file() {
        return None;
    }
    let mut planned_by = planned.planned_by().clone();
    if planned_by.command.is_empty() {
        let runs = loaded.runs.iter().map(|run| Path::new(&run.row.run).join(files::RUN_JSON));
        let infos = runs.filter_map(|file| RunInfo::read(&file).ok());
        planned_by.command = infos.max_by(|a, b| a.provenance.started.cmp(&b.provenance.started))?.provenance.command;
    }
    can_be_typed(&planned_by).then_some(planned_by)
}

/// Whether a recorded command can be typed again, and is one that plans a comparison.
fn can_be_typed(planned_by: &PlannedBy) -> bool {
    let Some((_, arguments)) = planned_by.command.split_first() else { return false };
    // Of a file that anybody may have written: what is pasted is what is seen.
    let is_as_seen = |text: &String| one_line(text) == *text;
    let is_ours = |name: &String| {
        name.strip_prefix(PREFIX).is_some_and(|rest| rest.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
    };
    let is_clean = arguments.iter().chain(planned_by.variables.values()).all(is_as_seen)
        && planned_by.variables.keys().all(is_ours);
    // What stdin had is gone.
    let is_of_stdin = arguments.windows(2).any(|two| two == ["--config", "-"])
        || arguments.contains(&"--config=-".into())
        || planned_by.variables.get(&variable("config")).is_some_and(|file| file == "-");
    is_clean && !is_of_stdin && arguments.first().is_some_and(|command| command == "compare")
}

/// Goes on with the first few of the interrupted runs. Those of a comparison are left to its command, unless another
/// command began them. A tuned or screened run is never offered: resuming it would not train the stages after it.
pub fn interrupted(loaded: &Loaded) -> Vec<NextStep> {
    const FEW: usize = 3;
    let is_by_itself = |run: &LoadedRun| {
        let is_left_alone = |folder: &Path| loaded.planned.iter().any(|plan| plan.leaves_alone(folder));
        let folder = Path::new(&run.row.run);
        comparison_of(folder).is_none() || (run.row.role.is_none() && is_left_alone(folder))
    };
    let is_left = |run: &&LoadedRun| {
        run.row.status == Status::Interrupted
            && is_as_seen(Path::new(&run.row.run))
            && is_by_itself(run)
            && config_of(&run.row).is_some()
    };
    let left: Vec<&LoadedRun> = loaded.runs.iter().filter(is_left).collect();
    let step = |run: &&LoadedRun| NextStep {
        purpose: Purpose::Resume { of: left.len() },
        cost: None,
        line: format!("{} resume {}", program(), path(Path::new(&run.row.run))),
    };
    left.iter().take(FEW).map(step).collect()
}

/// Whether what is pasted of a path that anybody may have named is what is seen.
fn is_as_seen(path: &Path) -> bool {
    path.to_str().is_some_and(|text| one_line(text) == text)
}

/// The comparison that the run in `path` is of, if it lies in one.
pub fn comparison_of(path: &Path) -> Option<PathBuf> {
    // As typed, if that names both folders.
    let whole = path.canonicalize().ok()?;
    [path, whole.as_path()].into_iter().find_map(|path| {
        let runs = path.parent()?;
        let comparison = runs.parent()?;
        let is_one = runs.ends_with(files::RUNS) && comparison.join(files::COMPARISON_CSV).is_file();
        is_one.then(|| comparison.to_path_buf())
    })
}

/// Without a winner: the command that finds one among those that may be the best.
fn settled(group: &Group<'_>, going_on: &GoingOn<'_>) -> Option<NextStep> {
    let name = |one: &Analysis<'_>| format!("{}/{}", one.entrant.optimizer, one.entrant.schedule);
    let open: Vec<String> = group.open().map(name).collect();
    going_on.settle.as_ref()?(&open, group.fresh_to_settle()?)
}

/// The folder of the typical run of the leader, and whether that is the winner.
pub fn leader(groups: &[Group<'_>]) -> Option<(PathBuf, bool)> {
    let leader = groups.first()?.analyses.first()?;
    let run = typical(&leader.entrant)?;
    Some((PathBuf::from(&run.run), leader.standing == Standing::Winner))
}

/// Whether what was chosen of the winner, or of one that may be the best, lies at the edge of what was tried: fresh studies of
/// the same trials would only show how much better the others were tuned.
fn is_at_edge(group: &Group<'_>) -> bool {
    let may_win = |one: &&Analysis<'_>| matches!(one.standing, Standing::Winner | Standing::NotRuledOut);
    group.analyses.iter().filter(may_win).filter_map(|one| one.entrant.tuning.as_ref()).any(Tuning::is_at_edge)
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
