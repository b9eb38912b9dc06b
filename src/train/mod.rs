//! The loop, epoch records, observers.
