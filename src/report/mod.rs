//! Reads the files of runs, never trains: tables, charts.

pub mod chart;
