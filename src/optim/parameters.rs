//! The options that several optimizers share, defined once for all their tables.

use super::muon::{MomentumForm, Scale};
use crate::schedule::Semantics;
use crate::spec::{Bounds, Parameter, ParameterKind};
use std::ops::Bound;

pub(super) const fn rho(default: &'static str) -> Parameter {
    let meaning = "decay of the running mean square (PyTorch: alpha, optax: decay)";
    Parameter::number("rho", Bounds::UNIT, default, meaning)
}

pub(super) const fn eps(default: &'static str) -> Parameter {
    Parameter::number("eps", Bounds::above(0.0), default, "added to the divisor to keep it from 0")
}

pub(super) const fn weight_decay(default: &'static str) -> Parameter {
    Parameter::number("weight-decay", Bounds::at_least(0.0), default, "decay of the weights towards 0")
}

pub(super) const fn beta2(default: &'static str, meaning: &'static str) -> Parameter {
    Parameter::number("beta2", Bounds::BELOW_ONE, default, meaning)
}

pub(super) const MOMENTUM: Parameter =
    Parameter::number("momentum", Bounds::UNIT, "0", "fraction of the previous step that is kept");
pub(super) const NESTEROV: Parameter =
    Parameter::switch("nesterov", "false", "look ahead along the momentum; needs momentum > 0");
pub(super) const DAMPENING: Parameter = Parameter::number(
    "dampening",
    Bounds::UNIT,
    "0",
    "fraction of the gradient left out of the momentum (PyTorch only)",
);
pub(super) const CENTERED: Parameter = Parameter::switch(
    "centered",
    "false",
    "divide by the standard deviation of the gradient instead of its root mean square",
);
pub(super) const BETA1: Parameter = Parameter::number("beta1", Bounds::BELOW_ONE, "0.9", "decay of the running mean");
pub(super) const BETA2: Parameter = beta2("0.999", "decay of the running mean square");

pub(super) const AMSGRAD: Parameter =
    Parameter::switch("amsgrad", "false", "divide by the highest running mean square so far");
pub(super) const DECOUPLED: Parameter =
    Parameter::switch("decoupled", "false", "decay the weights themselves, as AdamW does, not by the gradient");
pub(super) const MOMENTUM_DECAY: Parameter = Parameter::number(
    "momentum-decay",
    Bounds::at_least(0.0),
    "0.004",
    "how fast the momentum rises to beta1: (1 − 0.96^(t·momentum-decay)/2)·beta1 (Keras: 1)",
)
.only_of(&[Semantics::Torch, Semantics::Keras]);
pub(super) const INITIAL_ACCUMULATOR: Parameter =
    Parameter::number("initial-accumulator", Bounds::at_least(0.0), "0", "sum of squares before the first step");
pub(super) const LR_DECAY: Parameter =
    Parameter::number("lr-decay", Bounds::at_least(0.0), "0", "divide the rate by 1 + lr-decay·t (PyTorch only)");
pub(super) const fn beta3(default: &'static str, meaning: &'static str) -> Parameter {
    Parameter::number("beta3", Bounds::BELOW_ONE, default, meaning)
}
pub(super) const D0: Parameter = Parameter::number("d0", Bounds::above(0.0), "1e-6", "first estimate of the rate");
pub(super) const D_COEF: Parameter =
    Parameter::number("d-coef", Bounds::above(0.0), "1", "multiplies every estimate of the rate");
pub(super) const GROWTH_RATE: Parameter = Parameter::number(
    "growth-rate",
    Bounds { low: Bound::Included(1.0), high: Bound::Included(f64::INFINITY) },
    "inf",
    "the most that the estimate grows by in a step",
);
pub(super) const BIAS_CORRECTION: Parameter =
    Parameter::switch("bias-correction", "false", "correct both means for starting at 0, as Adam does (optax: on)");
pub(super) const SAFEGUARD_WARMUP: Parameter =
    Parameter::switch("safeguard-warmup", "false", "leave lr out of the sum that divides the estimate");
pub(super) const NS_STEPS: Parameter = Parameter::count("ns-steps", "5", "Newton–Schulz steps");
pub(super) const COEFFICIENTS: Parameter = Parameter::new(
    "coefficients",
    ParameterKind::Numbers(3),
    "3.4445,-4.775,2.0315",
    "a, b and c of a Newton–Schulz step",
);
pub(super) const SCALE: Parameter = Parameter::choice(
    "scale",
    &Scale::NAMES,
    "shape",
    "multiplies a step: √max(1, rows/columns), 1, or 0.2·√max(rows, columns)",
);
pub(super) const MOMENTUM_FORM: Parameter =
    Parameter::choice("momentum-form", &MomentumForm::NAMES, "ema", "momentum·m plus (1 − momentum)·g or plus g");
pub(super) const RESCALE_WEIGHTS: Parameter =
    Parameter::switch("rescale-weights", "false", "scale each matrix to the norm √rows before its step");
/// Named `momentum` or `beta1` by the optimizer that takes it.
pub(super) const INTERPOLATION: Parameter =
    Parameter::number("momentum", Bounds::OPEN_UNIT, "0.9", "share of the average in the point that is trained");
pub(super) const R: Parameter =
    Parameter::number("r", Bounds::at_least(0.0), "0", "weight of step t in the average: t^r, later steps more");
pub(super) const WEIGHT_LR_POWER: Parameter = Parameter::number(
    "weight-lr-power",
    Bounds::at_least(0.0),
    "2",
    "weight of a step in the average: the highest rate so far to this power, so that a warm-up counts less",
);
