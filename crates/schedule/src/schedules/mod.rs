//! The schedules, one file each, and their table.

mod curve;

use crate::ScheduleRow;
use crate::spec::Entry;
use std::sync::LazyLock;

/// Declares the modules of the schedules and the table of their rows, in help order.
macro_rules! schedules {
    (if #[cfg(all())] { $(pub mod $module:ident;)+ }) => {
        $(pub mod $module;)+
        pub(crate) static ROWS: LazyLock<Vec<ScheduleRow>> = LazyLock::new(|| [$($module::ROWS),+].concat());
    };
}

/// rustfmt follows `mod` lines only within a macro of this name.
mod cfg_if {
    pub(super) use schedules;
}

cfg_if::schedules! {
    if #[cfg(all())] {
        pub mod constant;
        pub mod step;
        pub mod time;
        pub mod exponential;
        pub mod natural_exp;
        pub mod linear;
        pub mod polynomial;
        pub mod piecewise;
        pub mod halve;
        pub mod plateau;
        pub mod cosine;
        pub mod cosine_restarts;
        pub mod triangular;
        pub mod one_cycle;
        pub mod wsd;
        pub mod inverse_sqrt;
        pub mod expr;
    }
}

/// Every schedule: what the parser accepts, the command line offers and the help prints.
pub fn table() -> &'static [Entry] {
    static TABLE: LazyLock<Vec<Entry>> = LazyLock::new(|| ROWS.iter().map(|row| row.entry).collect());
    &TABLE
}
