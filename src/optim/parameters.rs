//! The options that several optimizers share, once for all of their tables.

use crate::spec::Parameter;

const fn number(name: &'static str, default: &'static str, help: &'static str) -> Parameter {
    Parameter { name, default, help, switch: false }
}

const fn switch(name: &'static str, help: &'static str) -> Parameter {
    Parameter { name, default: "", help, switch: true }
}

pub(super) const fn rho(default: &'static str) -> Parameter {
    number(
        "rho",
        default,
        "share of the old mean square that is kept at each step, 0 to 1 (PyTorch: alpha, optax: decay)",
    )
}

pub(super) const fn eps(default: &'static str) -> Parameter {
    number("eps", default, "keeps the divisor away from 0, > 0")
}

pub(super) const fn weight_decay(default: &'static str) -> Parameter {
    number("weight-decay", default, "pull of the weights towards 0, ≥ 0")
}

pub(super) const MOMENTUM: Parameter = number("momentum", "0", "share of the last step that is kept, 0 to 1");
pub(super) const NESTEROV: Parameter = switch("nesterov", "look ahead along the momentum; needs momentum > 0");
pub(super) const DAMPENING: Parameter =
    number("dampening", "0", "share of the gradient that the momentum leaves out, 0 to 1 (PyTorch only)");
pub(super) const CENTERED: Parameter =
    switch("centered", "divide by the deviation of the gradient, not its mean square");
pub(super) const BETA1: Parameter = number("beta1", "0.9", "share of the old mean that is kept at each step, [0, 1)");
pub(super) const BETA2: Parameter = number("beta2", "0.999", "share of the old mean square that is kept, [0, 1)");
pub(super) const INITIAL_ACCUMULATOR: Parameter =
    number("initial-accumulator", "0", "sum of squares before the first step, ≥ 0");
pub(super) const LR_DECAY: Parameter =
    number("lr-decay", "0", "the rate is divided by 1 + lr-decay·t, ≥ 0 (PyTorch only)");
