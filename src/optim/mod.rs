//! Update rules over named slices, one file each. The rate is handed in, not owned.

use crate::schedule::{Rates, Semantics};
use crate::usage::Usage;
use std::fmt;

/// One named array and its gradient, for one update.
pub struct Slice<'a, T> {
    pub name: &'a str,
    pub values: &'a mut [T],
    pub gradient: &'a [T],
}

/// An optimizer and its options, as typed: `sgd:momentum=0.9,nesterov`. `parse(display(s)) == s`.
#[derive(Debug, Clone, PartialEq)]
pub struct OptimizerSpec {
    pub name: String,
}

impl std::str::FromStr for OptimizerSpec {
    type Err = Usage;
    fn from_str(text: &str) -> Result<Self, Usage> {
        Ok(Self { name: text.to_string() })
    }
}

impl fmt::Display for OptimizerSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl OptimizerSpec {
    /// The usual rate of this optimizer under these semantics.
    pub fn default_learning_rate(&self, _semantics: Semantics) -> f64 {
        0.1
    }
}

/// An optimizer with its state.
pub struct Optimizer<T> {
    state: Vec<T>,
}

impl<T: Copy> Optimizer<T> {
    pub fn new(_spec: &OptimizerSpec, _semantics: Semantics) -> Result<Self, Usage> {
        Ok(Self { state: Vec::new() })
    }

    /// One update of every slice, in place. `rates.momentum`, where given, replaces the momentum (Adam's beta1) of the spec.
    pub fn step(&mut self, _slices: &mut [Slice<'_, T>], _rates: Rates) {
        let _ = &self.state;
    }
}
