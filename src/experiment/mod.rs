//! What is built from runs: compare; and walks down small functions.

pub mod contour;
pub mod descend;
