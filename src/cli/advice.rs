//! Turns library errors and findings into advice that names flags and commands.

use crate::config::{Given, Grid};
use crate::experiment::eval::SubjectError;
use crate::experiment::{
    ComparisonError, DamagedRun, EntrantError, EntrantNote, Maker, MergeError, ResumeError, Setting, StageMismatch,
    TuneError, Varied,
};
use crate::record::files::{COMPARISON_CSV, RUNS, WEIGHTS};
use crate::record::{Holds, OrderError, Status};
use crate::run_folder::{InUse, Refusal};
use crate::train::Verdict;
use crate::usage::{Usage, listed, shortened};
use anyhow::{Error, anyhow};

/// Advice for how a run ended.
pub fn verdict(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Stopped { .. } => verdict.to_string(),
        Verdict::Diverged { unwarmed: true, .. } => {
            format!("{verdict}. Try a smaller rate (`lrsched find` suggests one), or --warmup")
        }
        Verdict::Diverged { .. } => format!("{verdict}. Try a smaller rate (`lrsched find` suggests one)"),
        Verdict::Lost(_) => format!("{verdict}. Try a smaller one (`lrsched find` suggests one)"),
        Verdict::LearnedNothing { .. } => {
            format!("{verdict}. Try another rate (`lrsched find` suggests one), or more epochs")
        }
    }
}

/// Advice for a refused folder.
fn refusal(refusal: &Refusal) -> String {
    match refusal {
        Refusal::NotAFolder(_) => format!("--out {refusal}"),
        Refusal::Taken { path, holds, status } => {
            let (out, name) = (path.display(), holds.name());
            let resume = match status {
                Some(Status::Finished) if *holds == Holds::Run => {
                    format!("`lrsched resume {out} --epochs N` to train it longer, ")
                }
                Some(_) if *holds == Holds::Run => format!("`lrsched resume {out}` to resume it, "),
                _ => String::new(),
            };
            format!("--out {refusal}; choose another folder, {resume}or --force to replace the {name}")
        }
        Refusal::HoldsOther { path, holds, wanted } => format!(
            "--out {} is not empty: it holds a {}, and even --force replaces only a {}; choose another folder",
            path.display(),
            holds.name(),
            wanted.name()
        ),
        Refusal::Foreign { wanted, .. } => {
            format!("--out {refusal}; even --force replaces only a {}: choose another folder", wanted.name())
        }
        Refusal::ForeignFile(_) => {
            format!("{refusal}, and --force would remove it; move it away, or choose another folder")
        }
        Refusal::UnknownSetting { name, .. } => format!("{refusal}; set it with --{name}"),
        Refusal::NoSoundCheckpoint { .. } => {
            format!("{refusal}; restart with `lrsched train … --force` and a smaller rate")
        }
    }
}

/// Advice for a run that cannot be resumed as requested.
fn resume(error: &ResumeError) -> String {
    match error {
        ResumeError::NotARun { is_comparison: false, .. } => error.to_string(),
        ResumeError::NotARun { is_comparison: true, .. } => {
            format!("{error}; it is a comparison: run `lrsched compare` again with the same --out")
        }
        ResumeError::OtherImages { .. } => format!("{error}; point --data-dir to its own images"),
        ResumeError::ScaledAndReplaced => {
            "--scale-lr scales the current schedule; it cannot be combined with --lr or --schedule".to_string()
        }
        ResumeError::SameLength { epochs } => {
            format!("--stretch and --hold need --epochs with another number than the current {epochs}")
        }
        ResumeError::Finished { .. } => format!("{error}; set a longer run with --epochs"),
        ResumeError::Diverged => format!("{error}; resume at a smaller rate: --scale-lr 0.1, or --lr"),
        ResumeError::DependsOnLength { epochs, last, .. } if epochs <= last => {
            format!(
                "{error}: --stretch shortens it to {epochs} epochs, --hold keeps it as it is, and the run ends before it does"
            )
        }
        ResumeError::DependsOnLength { epochs, last, .. } => format!(
            "{error}: --stretch stretches it to {epochs} epochs, --hold keeps it and holds its last rate after epoch {last}"
        ),
    }
}

/// Advice for a run with damaged files.
fn damaged(DamagedRun { run, error, maker }: &DamagedRun) -> String {
    let run = run.display();
    match maker {
        Maker::Train => {
            format!("{error:#}; restore the file, or start again with `lrsched train … --out {run} --force`")
        }
        Maker::Comparison => format!("{error:#}; restore the file, or remove {run} to train it again"),
    }
}

/// Advice for a comparison folder with runs that do not fit.
fn comparison(error: &ComparisonError) -> String {
    let first = match error {
        ComparisonError::SameRun { .. } => "write it so, ",
        ComparisonError::OtherStages { mismatch, .. } => stages(mismatch),
        ComparisonError::OtherRole { .. } => "ask for what it was made with, ",
        ComparisonError::Changed { .. } => "remove its folder to train it alone again, ",
        _ => "",
    };
    format!("{error}; {first}choose another --out, or --force to start over, which removes all runs in --out")
}

/// What would go on with the stages that are there.
fn stages(mismatch: &StageMismatch) -> &'static str {
    match mismatch {
        StageMismatch::Plain => "leave --tune and --finalists out, ",
        StageMismatch::Staged => "give its --tune or --finalists, ",
        StageMismatch::Untuned => "leave --tune out, ",
        StageMismatch::Tuned => "give its --tune, ",
        StageMismatch::FewerTrials { .. }
        | StageMismatch::FewerStudies { .. }
        | StageMismatch::FewerFinalists { .. } => "ask for as many, ",
        StageMismatch::OtherPoints { .. } => "give its --tune-range and --tune-seed, ",
        StageMismatch::OtherSeeds { .. } => "give its --seed, --seeds and --finalists, ",
    }
}

/// The error of opening a comparison for a shard, which cannot start all runs over.
pub fn of_shard(error: Error) -> Error {
    match error.downcast::<ComparisonError>() {
        Ok(error) => Usage(format!("{error}; choose another --out")).into(),
        Err(error) => error,
    }
}

/// Where a merge can go. It has no --force.
const ELSEWHERE: &str = "choose a new folder, or one that holds a comparison";

/// Advice for comparisons that cannot be put together.
fn merge(error: &MergeError) -> String {
    match error {
        MergeError::OtherResults { .. } => {
            format!("{error}: kernels of other machines round differently; leave one of the two out")
        }
        MergeError::Inside { .. } => format!("--out {error}; choose a folder outside it"),
        MergeError::NotAComparison(_) => format!("{error}; name the folder that has {COMPARISON_CSV} and {RUNS}/"),
        MergeError::Target(Refusal::Foreign { path, entry, .. }) => {
            format!("--out {} holds other files ({}); {ELSEWHERE}", path.display(), entry.escape_debug())
        }
        MergeError::Target(Refusal::ForeignFile(_)) => {
            format!("{error}, and the merge would remove it; move it away, or choose another folder")
        }
        MergeError::Target(_) => format!("--out {error}; {ELSEWHERE}"),
        _ => error.to_string(),
    }
}

/// Advice for a comparison whose plan.json this version cannot use.
fn order(error: &OrderError) -> String {
    format!("{error}; use that version, or another folder")
}

/// Advice for a path without the requested weights.
fn subject(error: &SubjectError) -> String {
    match error {
        SubjectError::OfAFile { .. } | SubjectError::OtherFile(_) => format!("{error}: name the run's folder"),
        SubjectError::OfACheckpoint(_) => format!("{error}: evaluate it without --checkpoint"),
        SubjectError::NoCheckpoint { keep: Some(keep), .. } => {
            format!("{error}: it was trained with --keep {}", keep.name())
        }
        SubjectError::NotKept(run) => {
            format!("{} has no {WEIGHTS}: it was trained with --keep none", run.display())
        }
        SubjectError::Missing(_)
        | SubjectError::NoCheckpoint { keep: None, .. }
        | SubjectError::Moved(_)
        | SubjectError::NotYet { .. }
        | SubjectError::Comparison(_)
        | SubjectError::NotARun(_) => error.to_string(),
    }
}

/// Advice for invalid entrants, or a flag that applies to none.
pub fn entrant(error: &EntrantError) -> String {
    match error {
        EntrantError::Invalid(usage) => usage.to_string(),
        EntrantError::Untaken { setting: Setting { key, value: Some(_) } } => {
            format!("{error}; leave --{key} out, or name an entrant that takes it")
        }
        EntrantError::Untaken { setting: Setting { key, value: None } } => {
            format!("grid: {error}; leave {key} out of the grid, or name an entrant that takes it")
        }
        EntrantError::AllSetTheirOwn { setting: Setting { key, value: None } } => {
            format!("grid: {error} {key}; leave {key} out of the grid, or the `{key}=` of an entrant")
        }
        EntrantError::AllSetTheirOwn { setting } => format!(
            "no entrant takes {}: each that could sets its own {key}; leave the flag out, or the `{key}=` of an entrant",
            flag(setting),
            key = setting.key
        ),
        EntrantError::NothingVaries { key, takers } => {
            let own = if takers.len() == 1 { "sets its own rates" } else { "set their own rates" };
            format!("grid: {error}: {} {own}; leave {key} out of the grid", list(takers))
        }
    }
}

/// Advice for entrants that cannot be tuned as requested.
fn tuning(error: &TuneError) -> String {
    match error {
        TuneError::Invalid(usage) => usage.to_string(),
        TuneError::OwnRates { .. } => format!("{error}; write them so (`lr*…`, `6x`), or leave it out"),
        TuneError::NoRate { .. } => format!("{error}; leave it out"),
        TuneError::Same { .. } => format!("{error}; leave one out"),
        TuneError::Untaken { key } => {
            format!("tune-range: {error}; leave {key} out, or name an entrant that takes it")
        }
        TuneError::OnlyScales { key, entrants } => format!(
            "tune-range: {key} only scales the rates of {}, as lr does; leave {key} out, or give lr=LOW:HIGH",
            list(entrants)
        ),
        TuneError::NotNumeric { .. }
        | TuneError::RateOfZero { .. }
        | TuneError::OutOfRange { .. }
        | TuneError::AtEnd { .. } => format!("tune-range: {error}"),
    }
}

/// Advice for invalid entrants of a comparison; of what its grid causes, with the place that gave it.
pub fn crossed(error: &EntrantError, grid: &Grid, given: &Given) -> Usage {
    let words = Usage(entrant(error));
    let key = match error {
        EntrantError::Untaken { setting: Setting { key, value: None } }
        | EntrantError::AllSetTheirOwn { setting: Setting { key, value: None } }
        | EntrantError::NothingVaries { key, .. } => key,
        _ => return words,
    };
    grid.with_source(given, key, &words).unwrap_or(words)
}

/// The same, with the place that gave the range.
pub fn tuned(error: TuneError, given: &Given) -> Error {
    let (TuneError::Untaken { key }
    | TuneError::OnlyScales { key, .. }
    | TuneError::NotNumeric { key, .. }
    | TuneError::OutOfRange { key, .. }
    | TuneError::AtEnd { key, .. }) = &error
    else {
        return error.into();
    };
    let ranges = given.table("tune-range").unwrap_or_default();
    let source = ranges.iter().find(|range| range.key == *key).map(|range| range.source);
    let words = Usage(tuning(&error));
    source.map_or(words.clone(), |source| given.with_source_of_key("tune-range", source, &words)).into()
}

/// Notes on values without effect on some entrants, one per line.
pub fn notes(notes: &[EntrantNote], is_tuned: bool) -> Vec<String> {
    notes.iter().map(|of| note(of, is_tuned)).collect()
}

fn note(note: &EntrantNote, is_tuned: bool) -> String {
    match note {
        EntrantNote::OwnRates { setting, entrants } => {
            let own = if entrants.len() == 1 { "whose schedule sets its" } else { "whose schedules set their" };
            format!("{} does not apply to {}, {own} own rates", flag(setting), list(entrants))
        }
        EntrantNote::OwnValue { setting, entrants } => {
            let own = if entrants.len() == 1 { "which sets its own" } else { "which set their own" };
            format!("{} does not apply to {}, {own} {}", flag(setting), list(entrants), setting.key)
        }
        EntrantNote::NotTaken { by, key, entrants } => {
            let takes = if entrants.len() == 1 { "which does not take it" } else { "which do not take it" };
            let setting = match by {
                Varied::Grid => "grid",
                Varied::Tuning => "tune-range",
            };
            format!("{setting}: {key} does not apply to {}, {takes}", list(entrants))
        }
        EntrantNote::OnlyScaled { key, entrants } => {
            format!("tune-range: {key} does not apply to {}: it only scales the rates, as lr does", list(entrants))
        }
        EntrantNote::UnusedRate { entrant, rate } if is_tuned => {
            format!("{}: lr={rate} is dropped: --tune varies the rate", shortened(entrant))
        }
        EntrantNote::UnusedRate { entrant, rate } => {
            format!("{}: lr={rate} has no effect: its schedule sets its own rates", shortened(entrant))
        }
    }
}

/// A line about optimizers that are other ones than the default entrants of their short names.
pub fn bare(optimizers: &[(String, &str)]) -> String {
    let (names, usual): (Vec<_>, Vec<_>) =
        optimizers.iter().map(|(name, usual)| (name.clone(), format!("`{usual}`"))).unzip();
    let is = if names.len() == 1 { "is" } else { "are" };
    format!("{} {is} written without options; the default entrants have {}", listed(&names), listed(&usual))
}

/// Each name as short as a message needs it.
fn list(names: &[String]) -> String {
    listed(&names.iter().map(|name| shortened(name)).collect::<Vec<_>>())
}

/// A flag as it is typed, or an axis of the grid.
fn flag(Setting { key, value }: &Setting) -> String {
    match value.as_deref() {
        Some("true") => format!("--{key}"),
        Some("false") => format!("--no-{key}"),
        Some(value) => format!("--{key} {}", shortened(value)),
        None => format!("grid: {key}"),
    }
}

/// Advice for errors that the user can fix with other flags or another folder.
fn usage(error: &Error) -> Option<String> {
    let refused = error.downcast_ref().map(refusal);
    let in_use = |error: &InUse| format!("{error}; wait for it, or take another folder");
    let refused = refused.or_else(|| error.downcast_ref().map(in_use));
    let refused = refused.or_else(|| error.downcast_ref().map(merge));
    let refused = refused.or_else(|| error.downcast_ref().map(order));
    let refused = refused.or_else(|| error.downcast_ref().map(resume));
    let refused = refused.or_else(|| error.downcast_ref().map(comparison));
    let refused = refused.or_else(|| error.downcast_ref().map(subject));
    let refused = refused.or_else(|| error.downcast_ref().map(tuning));
    refused.or_else(|| error.downcast_ref().map(entrant))
}

/// The error as text, with advice if the command line has any.
pub fn words(error: &Error) -> String {
    let words = usage(error).or_else(|| error.downcast_ref().map(damaged));
    words.unwrap_or_else(|| format!("{error:#}"))
}

/// The error as the command line reports it: one that the user can fix becomes a [`Usage`].
pub fn worded(error: Error) -> Error {
    match (usage(&error), error.downcast_ref().map(damaged)) {
        (Some(words), _) => Usage(words).into(),
        (None, Some(words)) => anyhow!(words),
        (None, None) => error,
    }
}
