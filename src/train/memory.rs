//! How much memory a run takes, estimated before it starts.

use super::prepared::{EVALUATION_BATCH, loader_options};
use crate::config::RunConfig;
use crate::data::BatchSize;
use crate::model::{Architecture, Layer, Role, Shape, slots};

/// The engine's maps hold at least this many images, those of an evaluation.
const LEAST_IMAGES: usize = 128;
/// Batches that the loader and the engine hold.
const LOADED: usize = 5;
/// Copies of the parameters: weights, gradients, their transforms, the optimizer's state, and the checkpoint that is
/// being written.
const COPIES: usize = 17;
/// Threads, files, tables.
const FIXED: usize = 16 << 20;

/// The memory of one run in training, in bytes, without the images, which all runs share. An estimate that errs on the
/// high side; measured in docs/SCALING.md.
pub fn estimated_memory(config: &RunConfig) -> u64 {
    let most = loader_options(config).micro_batch;
    let batch = match config.batch_size {
        BatchSize::Images(images) => images.min(most),
        BatchSize::Full => most,
    };
    of_network(&config.architecture(), batch)
}

fn of_network(architecture: &Architecture, batch: usize) -> u64 {
    let mut maps = Maps::default();
    maps.add(&architecture.layers, architecture.input);
    // Besides the output of each layer, the gradients of two.
    let per_image = maps.total + 2 * maps.largest;
    let input = architecture.input.len();
    let loaded = LOADED * (batch + EVALUATION_BATCH) * input;
    let parameters: usize =
        slots(architecture).iter().filter(|slot| slot.role == Role::Trainable).map(|slot| slot.len()).sum();
    let floats = batch.max(LEAST_IMAGES) * per_image + loaded + COPIES * parameters;
    (size_of::<f32>() * floats + FIXED) as u64
}

/// Floats per image of the outputs of all layers.
#[derive(Debug, Default)]
struct Maps {
    total: usize,
    largest: usize,
}

impl Maps {
    fn add(&mut self, layers: &[Layer], input: Shape) {
        let mut shape = input;
        for layer in layers {
            if let Layer::Residual { layers } = layer {
                self.add(layers, shape);
            }
            // Layers that do not fit are refused before a run starts.
            let Ok(output) = layer.output(shape) else { return };
            // Activations are fused into the layer before them.
            if !matches!(layer, Layer::Relu | Layer::Gelu | Layer::Flatten | Layer::Scale { .. }) {
                self.total += output.len();
            }
            self.largest = self.largest.max(output.len());
            shape = output;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Model, ModelOptions};

    /// Peak of a whole process that trains on generated images, on x86-64 with AVX2, in MiB.
    const MEASURED: [(&str, usize, f64); 10] = [
        ("tiny", 100, 93.0),
        ("tiny", 1000, 291.0),
        ("cnn", 16, 149.0),
        ("cnn", 128, 246.0),
        ("cnn", 512, 419.0),
        ("cnn", 1000, 703.0),
        ("resnet9", 16, 395.0),
        ("resnet9", 128, 533.0),
        ("airbench94", 128, 406.0),
        ("airbench94", 500, 716.0),
    ];
    /// What such a process takes besides the run: the program and the images.
    const PROCESS: f64 = 70.0;

    #[test]
    fn the_estimate_is_near_what_was_measured_and_rather_above_it() {
        for (name, batch, measured) in MEASURED {
            let model: Model = name.parse().unwrap();
            let estimate = of_network(&model.architecture(&ModelOptions::default()), batch) as f64 / f64::from(1 << 20);
            let run = measured - PROCESS;
            println!("{name} {batch}: estimated {estimate:.0}, measured {run:.0}");
            assert!(
                (0.9 * run..3.0 * run + 60.0).contains(&estimate),
                "{name} {batch}: {estimate:.0} MiB, measured {run:.0} MiB"
            );
        }
    }
}
