//! The fast engine against a naive reference in f64: layers of odd sizes, partial batches, every instruction set.

use crate::engine_cpu_common::{batch, check, conv, linear, network, norm};
use lrsched::engine::cpu::{CpuEngine, Isa};
use lrsched::engine::{Engine, Objective};
use lrsched::model::{Architecture, Layer, Shape, initialise};

const TOLERANCE: f64 = 1e-4;

fn check_all(architecture: &Architecture, batches: &[usize]) {
    let objective = Objective { label_smoothing: 0.1 };
    for isa in Isa::available() {
        let mut engine = CpuEngine::on(isa, architecture, objective, 2).unwrap();
        for &images in batches {
            check(&mut engine, architecture, objective, images, TOLERANCE);
        }
    }
}

#[test]
fn convolutions_of_odd_sizes_equal_the_reference() {
    for (height, width, inputs, middle, outputs) in
        [(5, 7, 3, 5, 4), (8, 8, 3, 24, 17), (13, 9, 1, 8, 40), (3, 3, 12, 20, 33), (1, 2, 2, 3, 3), (7, 7, 5, 16, 16)]
    {
        let layers = vec![
            conv("a", inputs, middle, 3, 1, true),
            Layer::Relu,
            conv("b", middle, outputs, 3, 1, true),
            Layer::Relu,
            conv("c", outputs, outputs + 3, 3, 1, false),
            Layer::Gelu,
            Layer::GlobalAveragePool,
            linear("head", outputs + 3, 5),
        ];
        check_all(&network(Shape::map(inputs, height, width), 5, layers), &[3, 1]);
    }
}

#[test]
fn convolutions_with_pools_of_every_kind_of_tile_equal_the_reference() {
    for (side, relu) in [(4, true), (7, true), (7, false), (5, true), (10, false), (2, true), (15, false), (6, true)] {
        let mut layers = vec![conv("a", 3, 8, 3, 1, true), Layer::Relu, conv("b", 8, 12, 3, 1, relu)];
        if relu {
            layers.push(Layer::Relu);
        }
        layers.extend([Layer::MaxPool { size: 2 }, Layer::Flatten, linear("head", 12 * (side / 2) * (side / 2), 4)]);
        check_all(&network(Shape::map(3, side, side), 4, layers), &[2, 5]);
    }
}

#[test]
fn every_kernel_size_and_padding_equals_the_reference() {
    for (kernel, padding) in [(1, 0), (2, 0), (2, 1), (3, 0), (3, 2), (3, 3), (4, 2), (5, 2), (5, 0)] {
        let side = 9_usize;
        let inner = side + 2 * padding + 1 - kernel;
        let second = inner + 2 * padding + 1 - kernel;
        let layers = vec![
            conv("a", 3, 10, kernel, padding, true),
            Layer::Gelu,
            conv("b", 10, 18, kernel, padding, true),
            Layer::Gelu,
            Layer::Flatten,
            linear("head", 18 * second * second, 3),
        ];
        check_all(&network(Shape::map(3, side, side), 3, layers), &[2]);
    }
}

#[test]
fn linear_layers_of_odd_sizes_equal_the_reference() {
    for (inputs, hidden, classes) in [(1, 1, 2), (17, 70, 10), (300, 65, 3), (16, 16, 16), (40, 130, 100)] {
        let layers = vec![linear("a", inputs, hidden), Layer::Relu, linear("b", hidden, classes)];
        check_all(&network(Shape::vector(inputs), classes, layers), &[1, 7, 16, 33]);
    }
}

#[test]
fn batch_norm_with_and_without_scale_equals_the_reference_statistics_included() {
    for (channels, scale) in [(6, true), (16, false), (9, true)] {
        let layers = vec![
            conv("a", 3, channels, 3, 1, false),
            norm("n1", channels, scale),
            Layer::Relu,
            conv("b", channels, channels, 3, 1, false),
            Layer::MaxPool { size: 2 },
            norm("n2", channels, scale),
            Layer::Gelu,
            norm("n3", channels, scale),
            Layer::Flatten,
            linear("head", channels * 9, 4),
        ];
        check_all(&network(Shape::map(3, 7, 7), 4, layers), &[6, 3]);
    }
}

#[test]
fn pools_residuals_dropout_and_scales_equal_the_reference() {
    let layers = vec![
        conv("a", 3, 12, 3, 1, true),
        Layer::Relu,
        Layer::Residual {
            layers: vec![
                conv("b", 12, 12, 3, 1, true),
                Layer::Relu,
                Layer::Residual { layers: vec![norm("n", 12, true), Layer::Gelu] },
                Layer::Dropout { probability: 0.25 },
            ],
        },
        Layer::MaxPool { size: 3 },
        Layer::Relu,
        Layer::Dropout { probability: 0.5 },
        Layer::Flatten,
        linear("c", 12 * 9, 20),
        Layer::Relu,
        Layer::Scale { factor: 0.5 },
        linear("head", 20, 4),
        Layer::Scale { factor: 2.0 },
    ];
    check_all(&network(Shape::map(3, 11, 10), 4, layers), &[4, 1]);
}

/// Asserts that one NaN in the second of three images, at each of `pixels` in turn, makes the logits of that image NaN, and of no other.
fn check_nan_at(architecture: &Architecture, pixels: &[(usize, usize)]) {
    let (learned, clean) = (initialise(architecture, 3), batch(architecture, 3, 2));
    let (input, classes) = (architecture.input, architecture.classes);
    for isa in Isa::available() {
        let mut engine = CpuEngine::on(isa, architecture, Objective::default(), 2).unwrap();
        for &(y, x) in pixels {
            let mut images = clean.clone();
            images.images[input.len() + (y * input.width + x) * input.channels] = f32::NAN;
            let mut logits = Vec::new();
            let stats = engine.eval_batch(&learned, &images, Some(&mut logits)).unwrap();
            let nan: Vec<bool> = logits.chunks(classes).map(|row| row.iter().all(|logit| logit.is_nan())).collect();
            assert_eq!(nan, [false, true, false], "{} at row {y}, column {x}: {logits:?}", engine.kernels());
            assert!(stats.loss_sum.is_nan());
        }
    }
}

#[test]
fn a_max_pool_passes_a_nan_on_from_every_place_of_its_window() {
    for size in [2, 3] {
        let layers = vec![Layer::MaxPool { size }, Layer::Flatten, linear("head", 5 * 4, 3)];
        let architecture = network(Shape::map(5, 2 * size, 2 * size), 3, layers);
        let pixels: Vec<_> = (0..2 * size).flat_map(|y| (0..2 * size).map(move |x| (y, x))).collect();
        check_nan_at(&architecture, &pixels);
    }
}

#[test]
fn a_pool_that_a_convolution_took_along_passes_a_nan_on_from_every_place_of_its_window() {
    // Both kinds of tile. The corner of a map that fills its tiles reaches one output only, the same corner: one NaN in a window.
    for side in [6, 8] {
        for relu in [true, false] {
            let mut layers = vec![conv("a", 8, 16, 3, 0, true)];
            layers.extend(relu.then_some(Layer::Relu));
            let pooled = (side - 2) / 2;
            layers.extend([Layer::MaxPool { size: 2 }, Layer::Flatten, linear("head", 16 * pooled * pooled, 3)]);
            let architecture = network(Shape::map(8, side, side), 3, layers);
            let last = side - 1;
            check_nan_at(&architecture, &[(0, 0), (0, last), (last, 0), (last, last)]);
        }
    }
}
