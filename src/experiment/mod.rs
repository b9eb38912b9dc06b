//! What is built from runs: compare.
