//! The checkpoints of the room of the training, without the training.

#[path = "../../src/train/checkpoint.rs"]
pub mod checkpoint;
#[path = "../../src/train/position.rs"]
mod position;

