//! The fast engine against the candle engine on whole networks: the same losses, gradients and running statistics.

mod engine_cpu_common;

use engine_cpu_common::{batch, parameters};
use lrsched::engine::candle::CandleEngine;
use lrsched::engine::cpu::CpuEngine;
use lrsched::engine::{Engine, Objective};
use lrsched::model::{Gradients, Model, ModelOptions};

/// ‖a − b‖ / ‖b‖. Wide tolerances are for whole networks only: where two values of a pooling window, or a value and zero, are equal to within
/// rounding, the engines may send a gradient two ways, and each is right. What a layer computes is held to 1e-4 in `engine_cpu_layers.rs`.
fn distance(a: &[f32], b: &[f32]) -> f64 {
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>().sqrt();
    let difference = norm(&mut a.iter().zip(b).map(|(a, b)| f64::from(a - b)));
    difference / norm(&mut b.iter().map(|&b| f64::from(b))).max(1e-30)
}

#[test]
fn both_engines_agree_on_loss_gradients_and_statistics_of_every_network() {
    for model in Model::ALL {
        let architecture = model.architecture(&ModelOptions { dropout: 0.25, classes: 10 });
        let objective = Objective { label_smoothing: 0.2 };
        let mut fast = CpuEngine::new(&architecture, objective, 2).unwrap();
        let mut reference = CandleEngine::new(&architecture, objective, candle_core::Device::Cpu, 2).unwrap();
        let images = batch(&architecture, 11, 7);
        let run = |engine: &mut dyn Engine| {
            let mut learned = parameters(&architecture, 2);
            let mut gradients = Gradients::zeros(&learned);
            let stats = engine.train_batch(&mut learned, &images, &mut gradients).unwrap();
            (stats, learned, gradients)
        };
        let (stats, learned, gradients) = run(&mut fast);
        let (wanted_stats, wanted_learned, wanted_gradients) = run(&mut reference);
        assert!((stats.loss_sum - wanted_stats.loss_sum).abs() < 1e-4 * wanted_stats.loss_sum, "{model}: {stats:?}");
        assert_eq!((stats.correct, stats.images), (wanted_stats.correct, 11), "{model}");
        let pairs = learned.arrays().iter().zip(wanted_learned.arrays());
        for ((array, wanted), (gradient, wanted_gradient)) in
            pairs.zip(gradients.arrays.iter().zip(&wanted_gradients.arrays))
        {
            for (what, got, wanted) in
                [("values", &array.values, &wanted.values), ("gradient", gradient, wanted_gradient)]
            {
                let error = distance(got, wanted);
                assert!(error < 3e-2, "{model}: {what} of {} are {error:.1e} apart", array.name);
            }
        }
    }
}
