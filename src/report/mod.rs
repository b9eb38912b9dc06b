//! Reports: tables, charts and the page, from the files of runs. Never trains.

#![forbid(unsafe_code)]

pub mod analysis;
mod changes;
pub mod chart;
pub mod comparison;
pub mod confusion;
pub mod entrants;
mod escape;
pub mod export;
mod group_rates;
pub mod html;
pub mod load;
pub mod next;
pub mod range;
pub mod ranking;
pub mod rates;
pub mod summary;
pub mod table;
pub mod trials;
pub mod tuning;
mod words;
pub mod wrap;
