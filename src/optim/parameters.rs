//! The options that several optimizers share, once for all of their tables.

use crate::spec::Parameter;

const fn number(name: &'static str, default: &'static str, help: &'static str) -> Parameter {
    Parameter { name, default, help, switch: false }
}

const fn switch(name: &'static str, help: &'static str) -> Parameter {
    Parameter { name, default: "", help, switch: true }
}

pub(super) const fn rho(default: &'static str) -> Parameter {
    number("rho", default, "decay of the running mean square, 0 to 1 (PyTorch: alpha, optax: decay)")
}

pub(super) const fn eps(default: &'static str) -> Parameter {
    number("eps", default, "added to the divisor to keep it from 0, > 0")
}

pub(super) const fn weight_decay(default: &'static str) -> Parameter {
    number("weight-decay", default, "decay of the weights towards 0, ≥ 0")
}

pub(super) const MOMENTUM: Parameter = number("momentum", "0", "fraction of the previous step that is kept, 0 to 1");
pub(super) const NESTEROV: Parameter = switch("nesterov", "look ahead along the momentum; needs momentum > 0");
pub(super) const DAMPENING: Parameter =
    number("dampening", "0", "fraction of the gradient left out of the momentum, 0 to 1 (PyTorch only)");
pub(super) const CENTERED: Parameter =
    switch("centered", "divide by the standard deviation of the gradient instead of its root mean square");
pub(super) const BETA1: Parameter = number("beta1", "0.9", "decay of the running mean, [0, 1)");
pub(super) const BETA2: Parameter = number("beta2", "0.999", "decay of the running mean square, [0, 1)");
pub(super) const INITIAL_ACCUMULATOR: Parameter =
    number("initial-accumulator", "0", "sum of squares before the first step, ≥ 0");
pub(super) const LR_DECAY: Parameter = number("lr-decay", "0", "divide the rate by 1 + lr-decay·t, ≥ 0 (PyTorch only)");
