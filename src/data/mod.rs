//! Where images come from and how they reach the engine.

mod batch;

pub use batch::Batch;
