//! Exports the initial weights and the first batches of a run, so that another framework can train on the same data:
//!
//! ```text
//! cargo run --release --example export_batches -- synthetic FOLDER STEPS BATCH_SIZE SEED
//! ```
//!
//! Writes `FOLDER/weights.safetensors` (PyTorch's names and shapes) and `FOLDER/batches.safetensors`, which holds normalised `images`
//! (steps, batch, 32, 32, 3) and `labels` (steps, batch).

use anyhow::{Context, Result, ensure};
use lrsched::data::{Augment, BatchSize, Dataset, DatasetOptions, Loader, LoaderOptions, LossReduction, Normalisation};
use lrsched::model::{Model, ModelOptions, initialise};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use std::path::Path;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    ensure!(arguments.len() == 5, "give DATASET FOLDER STEPS BATCH_SIZE SEED");
    let number = |index: usize| arguments[index].parse::<usize>().with_context(|| arguments[index].clone());
    let (folder, steps, batch_size) = (Path::new(&arguments[1]), number(2)?, number(3)?);
    let seed = number(4)? as u64;

    let options = DatasetOptions { kind: arguments[0].parse()?, data_dir: None };
    let dataset = Dataset::open(&options)?;
    let train = dataset.split(options.kind.default_validation(), None)?.train;
    let normalisation = Normalisation::of(&train);
    let loader_options = LoaderOptions {
        batch_size: BatchSize::Images(batch_size),
        micro_batch: batch_size,
        augment: Augment::FLIP_CROP,
        seed,
        drop_last: false,
        loss_reduction: LossReduction::Mean,
    };
    let loader = Loader::new(train, normalisation, loader_options)?;
    let (mut images, mut labels) = (Vec::new(), Vec::new());
    for micro in loader.epoch(0, 0)?.take(steps) {
        images.extend(micro.images.iter().flat_map(|value| value.to_le_bytes()));
        labels.extend_from_slice(&micro.labels);
    }
    ensure!(labels.len() == steps * batch_size, "an epoch has fewer than {steps} full batches");
    let batches = [
        ("images", TensorView::new(Dtype::F32, vec![steps, batch_size, 32, 32, 3], &images)?),
        ("labels", TensorView::new(Dtype::U8, vec![steps, batch_size], &labels)?),
    ];
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("batches.safetensors"), safetensors::serialize(batches, None)?)?;

    let parameters = initialise(&Model::default().architecture(&ModelOptions::default()), seed);
    lrsched::run_folder::save_weights(&parameters, &folder.join("weights.safetensors")).map(drop)
}
