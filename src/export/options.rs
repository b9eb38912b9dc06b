//! The options of an optimizer as arguments of another framework's constructor.

use super::number;
use crate::optim::OptimizerSpec;
use crate::schedule::Semantics;

/// The options of an optimizer, given or by default.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    pub optimizer: &'a OptimizerSpec,
    pub semantics: Semantics,
}

impl Options<'_> {
    /// The value of an option; 1 for a switch that is on, 0 for one that the optimizer does not have.
    pub fn get(&self, key: &str) -> f64 {
        self.optimizer.option(key, self.semantics).unwrap_or(0.0)
    }

    pub fn is_on(&self, key: &str) -> bool {
        self.get(key) != 0.0
    }

    /// `name=value`.
    pub fn set(&self, name: &str, key: &str) -> String {
        format!("{name}={}", number(self.get(key)))
    }

    /// `name=value`, unless it is 0, the framework's default.
    pub fn unless_0(&self, name: &str, key: &str) -> Option<String> {
        (self.get(key) != 0.0).then(|| self.set(name, key))
    }

    /// `name=True`, if it is on.
    pub fn switch(&self, name: &str, key: &str) -> Option<String> {
        self.is_on(key).then(|| format!("{name}=True"))
    }

    /// `betas=(0.9, 0.999)`.
    pub fn betas(&self, name: &str) -> String {
        format!("{name}=({}, {})", number(self.get("beta1")), number(self.get("beta2")))
    }
}
