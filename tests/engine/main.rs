//! The engines, the images they are fed with, and their agreement with PyTorch and with each other.

#[path = "../common/mod.rs"]
mod common;
#[path = "../engine_cpu_common/mod.rs"]
mod engine_cpu_common;

mod batch_kinds;
mod data_cifar10;
mod data_idx;
mod data_pickles;
mod data_synthetic;
#[cfg(feature = "candle")]
mod engine_cpu_candle;
mod engine_cpu_layers;
mod engine_cpu_networks;
mod golden_torch;
