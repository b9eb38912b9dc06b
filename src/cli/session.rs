//! Shared by `train`, `compare` and `resume`: signals, keys, and the closing lines of a run.

use super::advice;
pub use super::live::Keys;
use super::live::{Bars, JsonEvents, Speaker};
use crate::config::{CommandName, MachineConfig, given_variables, variable};
use crate::disk;
use crate::memory;
use crate::number::{exact, rounded};
use crate::record::{PlannedBy, Status, disk_size};
use crate::report::comparison;
use crate::report::export::Report;
use crate::report::load::load;
use crate::run_folder::RunDirectory;
use crate::run_folder::checkpoint::{self, LatestCheckpoint, Wanted};
use crate::shell::{self, quoted};
use crate::train::{All, Control, Observer, Outcome, Run, Verdict};
use anyhow::{Result, bail};
use indicatif::DecimalBytes;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// Exit code of a diverged run.
const DIVERGED: u8 = 4;

/// Controls a command that trains: signals from the start, keys once a run is under way.
pub struct Session {
    pub control: Control,
    speaker: Arc<OnceLock<Speaker>>,
    #[cfg(unix)]
    keyboard: Option<super::live::Keyboard>,
}

impl Session {
    /// Listens for signals from now on: a training command calls this first.
    pub fn listen() -> Result<Self> {
        let (control, speaker) = (Control::default(), Arc::default());
        #[cfg(unix)]
        super::live::listen(&control, &speaker)?;
        Ok(Self {
            control,
            speaker,
            #[cfg(unix)]
            keyboard: None,
        })
    }

    /// Call before writing anything. If a stop was requested by now, returns its exit code and the command should end;
    /// a later stop takes effect between two batches.
    pub fn stopped_early(&self) -> Option<u8> {
        let stop = self.control.attend()?;
        super::tell("stopped before the training began; nothing was written");
        Some(stop.exit_code())
    }

    /// Reports the handling of signals above `bars`.
    pub fn speak(&self, bars: &Bars) {
        // Only the first call takes effect, and there is only one.
        let _ = self.speaker.set(bars.speaker().clone());
    }

    /// As [`Session::speak`], and also reads keys if the bars are on a terminal.
    pub fn begin(&mut self, bars: &Bars, keys: Keys, json: bool) {
        self.speak(bars);
        #[cfg(unix)]
        if bars.are_shown() && !json {
            self.keyboard = super::live::Keyboard::open(keys, &self.control, bars);
        }
        #[cfg(not(unix))]
        let _ = (keys, json);
    }
}

/// Prints the warnings about the schedule of a run about to train.
pub fn warn_of_schedule(run: &Run<'_>, bars: &Bars) -> Result<()> {
    run.schedule_warnings()?.iter().for_each(|line| bars.warn(&format!("warning: {line}")));
    Ok(())
}

/// The bars of one run. Without `--json`, only its lines go to stdout.
pub fn bars(machine: &MachineConfig) -> Bars {
    let bars = Bars::new(machine.progress);
    if machine.json { bars } else { bars.and_stdout() }
}

/// Trains `run` in its folder `path` with progress, prints how to resume it if stopped, and returns the exit code.
pub fn record(
    directory: RunDirectory,
    run: Run<'_>,
    path: &Path,
    mut session: Session,
    bars: &Bars,
    json: bool,
) -> Result<u8> {
    session.begin(bars, Keys::All, json);
    let mut watchers: Vec<Box<dyn Observer + '_>> = vec![Box::new(bars.run(None))];
    if json {
        watchers.push(Box::new(JsonEvents::new(path, run.config().log_steps)));
    }
    // Any rate by hand is a constant one.
    let was_constant = run.config().schedule.name() == "constant";
    let outcome = directory.record(run, &session.control, &mut All(watchers))?;
    drop(session);
    if outcome.last.is_some()
        && let Err(error) = draw(path)
    {
        bars.warn(&format!("warning: the curves are not drawn: {error:#}"));
    }
    Ok(conclude(&outcome, path, bars, was_constant))
}

/// Bytes that must be free for the curves to be drawn: without them the program would end as out of memory, after a run
/// that has finished.
pub const FOR_CURVES: u64 = 200 << 20;

/// Draws the curves of the run beside its rows.
fn draw(path: &Path) -> Result<()> {
    memory::give_back();
    if let Some(free) = memory::available().filter(|free| *free < FOR_CURVES) {
        bail!("only {} of memory are free; `lrsched report` draws them elsewhere", DecimalBytes(free));
    }
    let folders = [path.to_path_buf()];
    let loaded = load(&folders);
    comparison::write_curves(path, &Report::of(&loaded, &folders, None, None)?)
}

/// Prints how the run ended and how to continue; returns the exit code.
fn conclude(outcome: &Outcome, path: &Path, bars: &Bars, was_constant: bool) -> u8 {
    let again = format!("{} resume {}", program(), shell::path(path));
    let sound = || checkpoint::latest(path, Wanted::Sound);
    if let Some(stop) = outcome.stop {
        let message = outcome.verdict.as_ref().map_or("stopped".to_string(), advice::verdict);
        if outcome.saved {
            bars.closing(&format!("{message}; saved"));
            bars.closing(&format!("resume with:        {again}"));
        } else {
            bars.closing(&format!("{message}; not checkpointed: the weights or the optimizer state are not finite"));
        }
        if let Some(rate) = outcome.rate.filter(|rate| *rate > 0.0) {
            let lr = exact(round(rate / 10.0));
            match sound() {
                Ok(Some(_)) if was_constant => bars.closing(&format!("with another rate:  {again} --lr {lr}")),
                Ok(Some(_)) => bars.closing(&format!("at a constant rate: {again} --lr {lr}")),
                Ok(None) => bars.closing(&format!("restart with another rate:  {again} --lr {lr}")),
                Err(error) => bars.closing(&advice::words(&error)),
            }
        }
        return stop.exit_code();
    }
    if outcome.status == Status::Diverged {
        // The progress observer, if enabled, has already said so.
        if let Some(verdict) = outcome.verdict.as_ref().filter(|_| bars.are_silent()) {
            bars.warn(&advice::verdict(verdict));
        }
        bars.line(&format!("results in {}: {}", path.display(), DecimalBytes(disk_size(path))));
        match sound() {
            Ok(Some(found)) => {
                let lr = much_less(&found, outcome).map(|rate| format!("--lr {}", exact(rate)));
                let how = lr.as_deref().unwrap_or("--scale-lr 0.1");
                bars.warn(&format!("resume from the last good checkpoint:  {again} {how}"));
            }
            Ok(None) => bars.warn(&format!("restart at a tenth of the rate:  {again} --scale-lr 0.1")),
            Err(error) => bars.warn(&advice::words(&error)),
        }
        return DIVERGED;
    }
    bars.line(&format!("results in {}: {}", path.display(), DecimalBytes(disk_size(path))));
    // The run finished, but lost what it had learned.
    if let (Some(Verdict::Lost(_)), Some(row)) = (&outcome.verdict, &outcome.last)
        && let Ok(Some(found)) = sound()
        && let Some(worked) = worked(&found)
    {
        let rate = exact(much_less(&found, outcome).unwrap_or(round(worked / 10.0)));
        bars.warn(&format!("resume from the last good checkpoint:  {again} --epochs {} --lr {rate}", row.epoch + 1));
    }
    0
}

/// The rate at which the checkpoint was made.
fn worked(found: &LatestCheckpoint) -> Option<f64> {
    found.checkpoint.state.applied.map(|rates| rates.learning_rate).filter(|rate| *rate > 0.0)
}

/// The rate that worked, if below a tenth of the run's final rate: a tenth of that would again be too high.
fn much_less(found: &LatestCheckpoint, outcome: &Outcome) -> Option<f64> {
    let ended = outcome.last.as_ref()?.learning_rate;
    worked(found).filter(|rate| *rate < ended / 10.0).map(round)
}

/// Two digits are enough for a suggestion.
fn round(rate: f64) -> f64 {
    rounded(rate, 2)
}

/// The program as it was called, if called by path.
pub fn program() -> String {
    let called = std::env::args_os().next().filter(|name| Path::new(name).components().nth(1).is_some());
    called.map_or("lrsched".to_string(), quoted)
}

/// The command line of this process, to continue in `folder`; with its variables, which another shell may not have.
pub fn same_command(folder: &Path) -> String {
    command_of(std::env::args_os().skip(1).collect(), &given_variables(CommandName::Compare), folder)
}

/// The same without the flags `left_out`, and with other values of some.
pub fn same_command_but(folder: &Path, left_out: &[&str], with: &[(&str, &[String])]) -> String {
    let replaced = left_out.iter().chain(with.iter().map(|(name, _)| name));
    let flags: Vec<String> = replaced.map(|name| format!("--{name}")).collect();
    let mut arguments = without(std::env::args_os().skip(1), &flags);
    for (name, values) in with {
        arguments.push(format!("--{name}").into());
        arguments.extend(values.iter().map(OsString::from));
    }
    command_of(arguments, &given_variables(CommandName::Compare), folder)
}

/// Whether a variable or the config file of this command gives `name`, so that it is not left out with its flag.
pub fn is_below_flags(name: &str) -> bool {
    is_given_below_flags(&std::env::args_os().skip(1).collect::<Vec<_>>(), &given_variables(CommandName::Compare), name)
}

/// The same of the command with these arguments and variables.
fn is_given_below_flags(arguments: &[OsString], variables: &BTreeMap<String, String>, name: &str) -> bool {
    let mut typed = arguments.iter().enumerate().filter_map(|(at, argument)| match argument.to_str()? {
        "--config" => arguments.get(at + 1).map(PathBuf::from),
        joined => joined.strip_prefix("--config=").map(PathBuf::from),
    });
    let file = typed.next_back().or_else(|| variables.get(&variable("config")).map(PathBuf::from));
    let table = file.and_then(|file| disk::read_text(&file, disk::MOST_CONFIG).ok()?.parse::<toml::Table>().ok());
    variables.contains_key(&variable(name)) || table.is_some_and(|table| table.contains_key(name))
}

/// The command once more, with its variables, but without what says where and which part, to continue in `folder`.
pub fn command_again(planned_by: &PlannedBy, folder: &Path) -> String {
    let elsewhere = ["--out", "--shard"].map(str::to_string);
    let arguments = without(planned_by.command.iter().skip(1).map(OsString::from), &elsewhere);
    let mut variables = planned_by.variables.clone();
    variables.remove(&variable("shard"));
    command_of(arguments, &variables, folder)
}

/// The arguments without these flags and their values: one or, of a list, all up to the next flag.
fn without(arguments: impl Iterator<Item = OsString>, flags: &[String]) -> Vec<OsString> {
    let mut kept = Vec::new();
    let mut arguments = arguments.peekable();
    while let Some(argument) = arguments.next() {
        let bytes = argument.as_encoded_bytes();
        if flags.iter().any(|flag| bytes == flag.as_bytes()) {
            arguments.next();
            let is_list = argument == "--entrants";
            while is_list && arguments.next_if(|value| !value.as_encoded_bytes().starts_with(b"-")).is_some() {}
        } else if !flags.iter().any(|flag| bytes.starts_with(format!("{flag}=").as_bytes())) {
            kept.push(argument);
        }
    }
    kept
}

/// The command line with these arguments and variables, to continue in `folder`.
fn command_of(mut arguments: Vec<OsString>, variables: &BTreeMap<String, String>, folder: &Path) -> String {
    // The existing run must not be replaced.
    arguments.retain(|argument| argument != "--force" && !argument.as_encoded_bytes().starts_with(b"--force="));
    if is_given_below_flags(&arguments, variables, "force") {
        arguments.push("--force=false".into());
    }
    let is_left_out = |name: &String| ["force", "out"].iter().any(|other| variable(other) == *name);
    let variables = variables.iter().filter(|(name, _)| !is_left_out(name));
    let variables = variables.map(|(name, value)| format!("{name}={}", quoted(value)));
    let is_out = |argument: &OsString| argument == "--out" || argument.as_encoded_bytes().starts_with(b"--out=");
    if !arguments.iter().any(is_out) {
        arguments.extend(["--out".into(), folder.into()]);
    }
    let words = arguments.iter().map(quoted);
    variables.chain(std::iter::once(program())).chain(words).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_is_left_out_with_its_value_and_a_list_with_all_of_them() {
        let given = ["compare", "--seeds", "3", "--entrants", "cosine", "linear", "--out=x", "--epochs", "2"];
        let left = |flags: &[&str]| {
            let flags: Vec<String> = flags.iter().map(ToString::to_string).collect();
            let kept = without(given.iter().map(OsString::from), &flags);
            kept.into_iter().map(|argument| argument.into_string().unwrap()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(left(&["--entrants", "--out"]), "compare --seeds 3 --epochs 2");
        assert_eq!(left(&["--seeds", "--seed"]), "compare --entrants cosine linear --out=x --epochs 2");
    }
}
