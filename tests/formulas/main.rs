//! Everything that needs no training: schedules, optimizers and their golden traces, suggestions, charts, and the layout of the sources.

mod average_golden;
mod calibration;
mod descend_golden;
mod entrants;
mod find_published;
mod find_suggest;
mod floors;
mod optim_by_hand;
mod optim_golden;
mod optim_matrices;
mod optim_modern;
mod optim_spec;
mod optim_state;
mod promises;
mod published;
mod report_chart;
mod schedule_docs;
mod schedule_golden;
mod schedule_peers;
mod schedule_properties;
mod schedule_spec;
mod stages;
mod statistics_golden;
mod tunable;
mod tuning_claims;
mod unsafe_code;
