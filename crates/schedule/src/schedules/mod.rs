//! The schedules, one file each, and the table of them.

mod curve;
mod cycle;

use crate::Kind;
use crate::spec::Entry;

/// Declares the files of the schedules and the table of all of them, in the order of the help.
macro_rules! schedules {
    ($($module:ident),* $(,)?) => {
        $(pub mod $module;)*
        pub(crate) static KINDS: &[Kind] = &[$($module::KIND),*];
    };
}

schedules![
    constant,
    step,
    time,
    exponential,
    natural_exp,
    linear,
    polynomial,
    piecewise,
    halve,
    plateau,
    cosine,
    cosine_restarts,
    triangular,
    triangular2,
    exp_range,
    one_cycle,
    wsd,
    inverse_sqrt,
    expr,
];

/// Every schedule: what the parser accepts, what the command line offers, what the help prints.
pub fn table() -> &'static [Entry] {
    static TABLE: [Entry; KINDS.len()] = {
        let mut entries = [KINDS[0].entry; KINDS.len()];
        let mut at = 1;
        while at < KINDS.len() {
            entries[at] = KINDS[at].entry;
            at += 1;
        }
        entries
    };
    &TABLE
}
