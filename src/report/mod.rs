//! Reads the files of runs, never trains: tables, charts.

pub mod chart;
pub mod comparison;
pub mod entrants;
pub mod table;
