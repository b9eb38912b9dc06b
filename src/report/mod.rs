//! Reads the files of runs, never trains: tables, charts.

#![forbid(unsafe_code)]

pub mod analysis;
pub mod chart;
pub mod comparison;
pub mod confusion;
pub mod entrants;
mod escape;
pub mod export;
pub mod html;
pub mod load;
pub mod range;
pub mod rates;
pub mod table;
