//! The run whose rates are drawn without training, from flags: its length, its rate, and the axis.

use crate::config::settings::COUNT;
use crate::config::{Given, MOST_STEPS, SettingDef};
use crate::report::chart::{AxisScale, Panel};
use crate::report::rates;
use crate::schedule::{RunShape, Semantics};
use crate::usage;
use crate::usage::{Usage, did_you_mean};

/// The settings of the run whose schedule `show` and `diff` draw.
pub const RUN: &[SettingDef] = &[
    STEPS,
    SettingDef::value("y-scale", "KIND", "The axis of the rates in a picture: linear or log [default: linear]"),
];

/// `--steps-per-epoch`, of `show`, `diff` and `export`.
pub const STEPS: SettingDef = SettingDef::value(
    "steps-per-epoch",
    "N",
    "Steps per epoch [default: 352, as in `train`: 45,000 images in batches of 128]",
);

/// The default of `train` on CIFAR-10: 5,000 of the 50,000 images are held out.
const STEPS_PER_EPOCH: u64 = 45_000_u64.div_ceil(128);

/// The run described by the flags.
pub fn of(given: &Given) -> Result<RunShape, Usage> {
    checked(of_any_length(given)?)
}

/// The same, whatever its length.
pub fn of_any_length(given: &Given) -> Result<RunShape, Usage> {
    let count = |name, default: u64| match given.parse::<u64>(name, COUNT)?.unwrap_or(default) {
        0 => usage!("{name} must be {COUNT}, got 0"),
        count => Ok::<u64, Usage>(count),
    };
    Ok(RunShape {
        learning_rate: given.parse("lr", "a number of at least 0")?.unwrap_or(0.1),
        semantics: given.parse_own("semantics")?.unwrap_or(Semantics::Native),
        epochs: count("epochs", 30)?,
        steps_per_epoch: count("steps-per-epoch", STEPS_PER_EPOCH)?,
    })
}

/// # Errors
/// The run is too long for a table of its steps.
pub fn checked(run: RunShape) -> Result<RunShape, Usage> {
    match run.epochs.checked_mul(run.steps_per_epoch) {
        Some(steps) if steps <= MOST_STEPS => Ok(run),
        _ => usage!(
            "epochs x steps-per-epoch must be at most {MOST_STEPS}, got {} x {}",
            run.epochs,
            run.steps_per_epoch
        ),
    }
}

/// `--y-scale`.
pub fn y_scale(given: &Given) -> Result<AxisScale, Usage> {
    match given.text("y-scale").unwrap_or("linear") {
        "linear" => Ok(AxisScale::Linear),
        "log" => Ok(AxisScale::Log),
        other => usage!("y-scale must be linear or log, got `{other}`{}", did_you_mean(other, ["linear", "log"])),
    }
}

/// Switches a panel of rates to a log axis if requested, and notes which rates cannot be shown on it.
pub fn rescale(panel: &mut Panel, scale: AxisScale) {
    if scale == AxisScale::Log && rates::to_log(panel) {
        super::tell("note: rates of 0, and those far below the others, are drawn on the lower edge of the log axis");
    }
}
