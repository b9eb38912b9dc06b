//! The fast engine against the candle engine on whole networks: the same losses, gradients and running statistics.

use crate::engine_cpu_common::{batch, parameters, seed_without_ties};
use lrsched::engine::candle::CandleEngine;
use lrsched::engine::cpu::CpuEngine;
use lrsched::engine::{Engine, Objective};
use lrsched::model::{Architecture, Gradients, Layer, Model, ModelOptions, Shape};

/// ‖a − b‖ / ‖b‖.
fn distance(a: &[f32], b: &[f32]) -> f64 {
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>().sqrt();
    let difference = norm(&mut a.iter().zip(b).map(|(a, b)| f64::from(a - b)));
    difference / norm(&mut b.iter().map(|&b| f64::from(b))).max(1e-30)
}

/// Holds a step of training on both engines against each other; `tolerance` is for the gradients and running statistics.
fn check_agreement(architecture: &Architecture, images: usize, tolerance: f64) {
    let (name, objective) = (&architecture.name, Objective { label_smoothing: 0.2 });
    let mut fast = CpuEngine::new(architecture, objective, 2).unwrap();
    let mut reference = CandleEngine::new(architecture, objective, candle_core::Device::Cpu, 2).unwrap();
    let batch = batch(architecture, images, seed_without_ties(architecture));
    let run = |engine: &mut dyn Engine| {
        let mut learned = parameters(architecture, 3);
        let mut gradients = Gradients::zeros(&learned);
        let stats = engine.train_batch(&mut learned, &batch, &mut gradients).unwrap();
        (stats, learned, gradients)
    };
    let (stats, learned, gradients) = run(&mut fast);
    let (wanted_stats, wanted_learned, wanted_gradients) = run(&mut reference);
    assert!((stats.loss_sum - wanted_stats.loss_sum).abs() < 1e-4 * wanted_stats.loss_sum, "{name}: {stats:?}");
    assert_eq!((stats.correct, stats.images), (wanted_stats.correct, images), "{name}");
    let pairs = learned.arrays().iter().zip(wanted_learned.arrays());
    for ((array, wanted), (gradient, wanted_gradient)) in
        pairs.zip(gradients.arrays.iter().zip(&wanted_gradients.arrays))
    {
        for (what, got, wanted) in [("values", &array.values, &wanted.values), ("gradient", gradient, wanted_gradient)]
        {
            let error = distance(got, wanted);
            assert!(error < tolerance, "{name}: {what} of {} are {error:.1e} apart", array.name);
        }
    }
}

#[test]
fn both_engines_agree_on_loss_gradients_and_statistics_of_every_network() {
    // Where a value is within rounding of zero, or of another in its pooling window, each engine may send the gradient its own way. These
    // three images have no such place: `engine_cpu_networks.rs` holds the same batch to 2e-4 against f64.
    for model in Model::ALL {
        check_agreement(&model.architecture(&ModelOptions { dropout: 0.3, classes: 10 }), 3, 1e-4);
    }
}

/// The same layers without a kink: GELU for ReLU, no max-pool (on images that are smaller from the start), but the average where one leaves
/// a single pixel.
fn smooth(layers: Vec<Layer>, mut shape: Shape) -> Vec<Layer> {
    let change = |layer: Layer| {
        let before = shape;
        shape = layer.output(before).unwrap();
        match layer {
            Layer::Relu => Some(Layer::Gelu),
            Layer::MaxPool { .. } if shape.height == 1 => Some(Layer::GlobalAveragePool),
            Layer::MaxPool { .. } => None,
            Layer::Residual { layers } => Some(Layer::Residual { layers: smooth(layers, before) }),
            other => Some(other),
        }
    };
    layers.into_iter().filter_map(change).collect()
}

#[test]
fn without_kinks_both_engines_agree_on_any_batch() {
    for model in Model::ALL {
        let mut architecture = model.architecture(&ModelOptions { dropout: 0.25, classes: 10 });
        architecture.layers = smooth(architecture.layers, architecture.input);
        // The pools of `tiny` leave 2 pixels a side, those of the others 8, or one average of any number.
        let side = if model.name() == "tiny" { 2 } else { 8 };
        (architecture.input.height, architecture.input.width) = (side, side);
        architecture.check().unwrap();
        check_agreement(&architecture, 29, 1e-4);
    }
}
