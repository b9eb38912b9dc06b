//! Update rules over named slices, one file each. The rate is passed in at each step, not owned.
//!
//! A new optimizer is one file with a `Definition` and a `Rule` (see `rule.rs`), and one `mod` line in `optimizers!` below.

#![forbid(unsafe_code)]

mod average;
mod averaging;
mod clip;
mod group;
mod grouped;
mod optimizer;
mod parameters;
mod products;
mod rule;
mod spec;

pub use average::{Average, AverageSpec, Statistics, averages};
pub use clip::Clipping;
pub use group::ParamGroup;
pub use grouped::{Group, Grouped, Grouping, Named, StepRates};
pub use optimizer::{Optimizer, Slice, State};
pub use products::{PlainProducts, Products, Right, Sides};
pub use rule::Float;
pub use spec::{OptimizerSpec, universal};

use crate::number::exact;
use crate::schedule::Semantics;
use crate::spec::{Entry, ParameterValue};
use crate::usage;
use crate::usage::Usage;
use rule::{Definition, Rule};
use spec::Options;

/// A row of the table of optimizers, which extends its [`Entry`].
struct Defined {
    name: &'static str,
    rate: f64,
    tuned: (f64, f64),
    tuned_scale: fn(&Options<'_>) -> f64,
    defaults: &'static [(Semantics, &'static str, f64)],
    missing: &'static [Semantics],
    notes: &'static [(Semantics, &'static str)],
    has_momentum: fn(&Options<'_>) -> bool,
    matrices_only: bool,
    averages: bool,
    derived: fn(&Options<'_>, &str) -> Option<ParameterValue>,
    advice: fn(f64, bool) -> Option<String>,
}

/// Declares the modules of the optimizers, their table in help order, and the lookup of a rule in it.
macro_rules! optimizers {
    (if #[cfg(all())] { $(mod $file:ident;)+ }) => {
        $(mod $file;)+

        static TABLE: &[Entry] = &[$($file::Row::ENTRY),+];

        static DEFINED: &[Defined] = &[$(Defined {
            name: $file::Row::ENTRY.name,
            rate: $file::Row::RATE,
            tuned: $file::Row::TUNED,
            tuned_scale: $file::Row::tuned_scale,
            defaults: $file::Row::DEFAULTS,
            missing: $file::Row::MISSING,
            notes: $file::Row::NOTES,
            has_momentum: $file::Row::has_momentum,
            matrices_only: $file::Row::MATRICES_ONLY,
            averages: $file::Row::AVERAGES,
            derived: $file::Row::derived,
            advice: $file::Row::advice,
        }),+];

        fn rule<T: Float>(name: &str, options: &Options<'_>) -> Result<Box<dyn Rule<T>>, Usage> {
            $(if name == $file::Row::ENTRY.name {
                return Ok(Box::new($file::Row::new(options)?));
            })+
            unreachable!("a spec names an optimizer of the table, got `{name}`")
        }
    };
}

/// rustfmt follows `mod` lines only within a macro of this name.
mod cfg_if {
    pub(super) use optimizers;
}

cfg_if::optimizers! {
    if #[cfg(all())] {
        mod sgd;
        mod rmsprop;
        mod adam;
        mod adamw;
        mod adagrad;
        mod adadelta;
        mod nadam;
        mod radam;
        mod adamax;
        mod lion;
        mod schedule_free_sgd;
        mod schedule_free_adamw;
        mod prodigy;
        mod muon;
    }
}

/// Every optimizer: what the parser accepts, the command line offers and the help prints. Defaults are those of
/// `native`. Each takes `lr` besides its parameters.
pub fn table() -> &'static [Entry] {
    TABLE
}

fn find(name: &str) -> &'static Defined {
    DEFINED.iter().find(|row| row.name == name).expect("a spec names an optimizer of the table")
}

/// Checks that `rate`, the value of the setting `name`, is a positive normal number in `T`: a smaller one moves no
/// weight, a larger one is infinite.
///
/// Only the requested rate is checked: a schedule may decay below it.
///
/// # Errors
/// It is not.
pub fn check_rate<T: Float>(name: &str, rate: f64) -> Result<(), Usage> {
    if !(rate > 0.0 && rate.is_finite()) {
        let finite = if rate == f64::INFINITY { "finite " } else { "" };
        return usage!("{name} must be a {finite}number above 0, got {}", exact(rate));
    }
    if !T::holds(rate) {
        return usage!("{name} must be {}, got {}", T::rule(), exact(rate));
    }
    Ok(())
}
