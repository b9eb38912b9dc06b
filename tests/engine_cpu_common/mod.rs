//! A network computed naively in f64, layer by layer in PyTorch's order (channels, height, width): what the engine is tested against.
#![allow(dead_code, reason = "each test file uses its part")]

use lrsched::data::Batch;
use lrsched::engine::{BatchStats, Engine, Objective};
use lrsched::model::{Architecture, Gradients, Init, Layer, Parameters, Shape, initialise};
use lrsched::random::{Purpose, dropout_mask, keyed, normal};
use std::collections::HashMap;

/// One value per image, channel, row and column.
#[derive(Clone)]
struct Maps {
    images: usize,
    shape: Shape,
    values: Vec<f64>,
}

impl Maps {
    fn zeros(images: usize, shape: Shape) -> Self {
        Self { images, shape, values: vec![0.0; images * shape.len()] }
    }
    fn at(&self, n: usize, c: usize, y: usize, x: usize) -> usize {
        ((n * self.shape.channels + c) * self.shape.height + y) * self.shape.width + x
    }
}

/// What the reference computes.
pub struct Expected {
    pub loss_sum: f64,
    pub gradients: HashMap<String, Vec<f64>>,
    pub statistics: HashMap<String, Vec<f64>>,
    pub logits: Vec<f64>,
}

struct Reference<'a> {
    parameters: &'a Parameters,
    batch: &'a Batch,
    training: bool,
    dropouts: u64,
    gradients: HashMap<String, Vec<f64>>,
    statistics: HashMap<String, Vec<f64>>,
}

type Backward<'a> = Box<dyn FnOnce(&mut Reference<'_>, Maps) -> Maps + 'a>;

pub fn expected(
    architecture: &Architecture,
    objective: Objective,
    parameters: &Parameters,
    batch: &Batch,
    training: bool,
) -> Expected {
    let mut reference =
        Reference { parameters, batch, training, dropouts: 0, gradients: HashMap::new(), statistics: HashMap::new() };
    let (images, shape) = (batch.len(), architecture.input);
    let mut x = Maps::zeros(images, shape);
    for n in 0..images {
        for (place, &value) in batch.images[n * shape.len()..(n + 1) * shape.len()].iter().enumerate() {
            let (pixel, c) = (place / shape.channels, place % shape.channels);
            let at = x.at(n, c, pixel / shape.width, pixel % shape.width);
            x.values[at] = f64::from(value);
        }
    }
    let (logits, backward) = reference.layers(&architecture.layers, x);
    let smoothing = if training { f64::from(objective.label_smoothing) } else { 0.0 };
    let classes = architecture.classes;
    let mut d_logits = Maps::zeros(images, Shape::vector(classes));
    let mut loss_sum = 0.0;
    for n in 0..images {
        let row = &logits.values[n * classes..(n + 1) * classes];
        // Less the largest, so that no exponential overflows.
        let largest = row.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
        let sum: f64 = row.iter().map(|z| (z - largest).exp()).sum();
        for (class, z) in row.iter().enumerate() {
            let hit = if usize::from(batch.labels[n]) == class { 1.0 - smoothing } else { 0.0 };
            let target = hit + smoothing / classes as f64;
            loss_sum -= target * (z - largest - sum.ln());
            d_logits.values[n * classes + class] = ((z - largest).exp() / sum - target) / batch.divisor as f64;
        }
    }
    if training {
        backward(&mut reference, d_logits);
    }
    Expected { loss_sum, gradients: reference.gradients, statistics: reference.statistics, logits: logits.values }
}

impl Reference<'_> {
    fn parameter(&self, name: &str, part: &str) -> Vec<f64> {
        self.parameters
            .get(&format!("{name}.{part}"))
            .map_or(Vec::new(), |array| array.values.iter().map(|&v| f64::from(v)).collect())
    }

    fn layers<'b>(&mut self, layers: &'b [Layer], mut x: Maps) -> (Maps, Backward<'b>) {
        let mut backwards = Vec::new();
        for layer in layers {
            let (y, backward) = self.layer(layer, x);
            x = y;
            backwards.push(backward);
        }
        let backward = move |reference: &mut Reference<'_>, mut d: Maps| {
            for backward in backwards.into_iter().rev() {
                d = backward(reference, d);
            }
            d
        };
        (x, Box::new(backward))
    }

    fn layer<'b>(&mut self, layer: &'b Layer, x: Maps) -> (Maps, Backward<'b>) {
        let shape = layer.output(x.shape).unwrap();
        match layer {
            Layer::Conv { name, kernel, padding, .. } => {
                let (weight, bias) = (self.parameter(name, "weight"), self.parameter(name, "bias"));
                let (kernel, padding) = (*kernel, *padding);
                let mut y = Maps::zeros(x.images, shape);
                let frame = y.clone();
                each_product(kernel, padding, &x, &frame, |o, i, w| y.values[o] += x.values[i] * weight[w]);
                let area = shape.height * shape.width;
                if !bias.is_empty() {
                    for (place, value) in y.values.iter_mut().enumerate() {
                        *value += bias[place / area % shape.channels];
                    }
                }
                let backward = move |reference: &mut Reference<'_>, d: Maps| {
                    let (mut dw, mut dx) = (vec![0.0; weight.len()], Maps::zeros(x.images, x.shape));
                    each_product(kernel, padding, &x, &d, |o, i, w| {
                        dw[w] += d.values[o] * x.values[i];
                        dx.values[i] += d.values[o] * weight[w];
                    });
                    reference.gradients.insert(format!("{name}.weight"), dw);
                    if !bias.is_empty() {
                        let mut db = vec![0.0; bias.len()];
                        d.values.iter().enumerate().for_each(|(p, v)| db[p / area % shape.channels] += v);
                        reference.gradients.insert(format!("{name}.bias"), db);
                    }
                    dx
                };
                (y, Box::new(backward))
            }
            Layer::Linear { name, inputs, outputs, .. } => {
                let (weight, bias) = (self.parameter(name, "weight"), self.parameter(name, "bias"));
                let (inputs, outputs) = (*inputs, *outputs);
                let mut y = Maps::zeros(x.images, shape);
                for (n, o) in (0..x.images).flat_map(|n| (0..outputs).map(move |o| (n, o))) {
                    let dot: f64 = (0..inputs).map(|i| x.values[n * inputs + i] * weight[o * inputs + i]).sum();
                    y.values[n * outputs + o] = dot + bias.get(o).copied().unwrap_or(0.0);
                }
                let backward = move |reference: &mut Reference<'_>, d: Maps| {
                    let (mut dw, mut db) = (vec![0.0; weight.len()], vec![0.0; outputs]);
                    let mut dx = Maps::zeros(x.images, x.shape);
                    for (n, o) in (0..x.images).flat_map(|n| (0..outputs).map(move |o| (n, o))) {
                        let g = d.values[n * outputs + o];
                        db[o] += g;
                        for i in 0..inputs {
                            dw[o * inputs + i] += g * x.values[n * inputs + i];
                            dx.values[n * inputs + i] += g * weight[o * inputs + i];
                        }
                    }
                    reference.gradients.insert(format!("{name}.weight"), dw);
                    reference.gradients.insert(format!("{name}.bias"), db);
                    dx
                };
                (y, Box::new(backward))
            }
            Layer::BatchNorm { name, channels, momentum, eps, .. } => {
                let (weight, bias) = (self.parameter(name, "weight"), self.parameter(name, "bias"));
                let (mut mean, mut var) = (self.parameter(name, "running_mean"), self.parameter(name, "running_var"));
                let area = shape.height * shape.width;
                let count = (x.images * area) as f64;
                let channel = move |place: usize| place / area % shape.channels;
                if self.training {
                    let (running_mean, running_var) = (mean, var);
                    (mean, var) = (vec![0.0; *channels], vec![0.0; *channels]);
                    x.values.iter().enumerate().for_each(|(p, v)| mean[channel(p)] += v / count);
                    x.values
                        .iter()
                        .enumerate()
                        .for_each(|(p, v)| var[channel(p)] += (v - mean[channel(p)]).powi(2) / count);
                    let m = f64::from(*momentum);
                    let blend = |old: &[f64], new: &[f64], factor: f64| {
                        old.iter().zip(new).map(|(old, new)| (1.0 - m) * old + m * factor * new).collect::<Vec<f64>>()
                    };
                    self.statistics.insert(format!("{name}.running_mean"), blend(&running_mean, &mean, 1.0));
                    let unbiased = count / (count - 1.0).max(1.0);
                    self.statistics.insert(format!("{name}.running_var"), blend(&running_var, &var, unbiased));
                }
                let inverse: Vec<f64> = var.iter().map(|var| 1.0 / (var + f64::from(*eps)).sqrt()).collect();
                let mut normal = x.clone();
                for (p, value) in normal.values.iter_mut().enumerate() {
                    *value = (*value - mean[channel(p)]) * inverse[channel(p)];
                }
                let mut y = normal.clone();
                y.values.iter_mut().enumerate().for_each(|(p, v)| *v = *v * weight[channel(p)] + bias[channel(p)]);
                let backward = move |reference: &mut Reference<'_>, mut d: Maps| {
                    let (mut dw, mut db) = (vec![0.0; weight.len()], vec![0.0; weight.len()]);
                    for (p, g) in d.values.iter().enumerate() {
                        dw[channel(p)] += g * normal.values[p];
                        db[channel(p)] += g;
                    }
                    for (p, g) in d.values.iter_mut().enumerate() {
                        let c = channel(p);
                        *g = weight[c] * inverse[c] * (*g - db[c] / count - normal.values[p] * dw[c] / count);
                    }
                    reference.gradients.insert(format!("{name}.weight"), dw);
                    reference.gradients.insert(format!("{name}.bias"), db);
                    d
                };
                (y, Box::new(backward))
            }
            Layer::Relu => pointwise(x, |v| (v.max(0.0), if v > 0.0 { 1.0 } else { 0.0 })),
            Layer::Gelu => pointwise(x, |v| {
                let distribution = normal_distribution(v);
                (v * distribution, distribution + v * (-v * v / 2.0).exp() / std::f64::consts::TAU.sqrt())
            }),
            Layer::Scale { factor } => pointwise(x, |v| (v * f64::from(*factor), f64::from(*factor))),
            Layer::Dropout { probability } => {
                let layer = self.dropouts;
                self.dropouts += 1;
                let mut factors = Maps { values: vec![1.0; x.values.len()], ..x.clone() };
                if self.training {
                    let mut mask = vec![0.0; shape.len()];
                    for n in 0..x.images {
                        let Batch { seed, epoch, position, .. } = *self.batch;
                        dropout_mask(seed, epoch, position + n as u64, layer, *probability, &mut mask);
                        for (place, &value) in mask.iter().enumerate() {
                            let (pixel, c) = (place / shape.channels, place % shape.channels);
                            let at = factors.at(n, c, pixel / shape.width, pixel % shape.width);
                            factors.values[at] = f64::from(value);
                        }
                    }
                }
                let times = |mut maps: Maps, factors: &Maps| {
                    maps.values.iter_mut().zip(&factors.values).for_each(|(v, f)| *v *= f);
                    maps
                };
                (times(x, &factors), Box::new(move |_, d| times(d, &factors)))
            }
            Layer::MaxPool { size } => {
                let mut y = Maps::zeros(x.images, shape);
                let mut from = vec![0; y.values.len()];
                for (n, c) in (0..x.images).flat_map(|n| (0..shape.channels).map(move |c| (n, c))) {
                    for (oy, ox) in (0..shape.height).flat_map(|a| (0..shape.width).map(move |b| (a, b))) {
                        let window = (0..size * size).map(|k| x.at(n, c, oy * size + k / size, ox * size + k % size));
                        let best = window.reduce(|a, b| if x.values[b] > x.values[a] { b } else { a }).unwrap();
                        let to = y.at(n, c, oy, ox);
                        (y.values[to], from[to]) = (x.values[best], best);
                    }
                }
                let frame = Maps::zeros(x.images, x.shape);
                let backward = move |_: &mut Reference<'_>, d: Maps| {
                    let mut dx = frame;
                    d.values.iter().zip(from).for_each(|(g, place)| dx.values[place] += g);
                    dx
                };
                (y, Box::new(backward))
            }
            Layer::GlobalAveragePool => {
                let area = x.shape.height * x.shape.width;
                let means = x.values.chunks(area).map(|map| map.iter().sum::<f64>() / area as f64).collect();
                let frame = Maps::zeros(x.images, x.shape);
                let backward = move |_: &mut Reference<'_>, d: Maps| {
                    let mut dx = frame;
                    dx.values.iter_mut().enumerate().for_each(|(p, v)| *v = d.values[p / area] / area as f64);
                    dx
                };
                (Maps { images: x.images, shape, values: means }, Box::new(backward))
            }
            Layer::Flatten => {
                let before = x.shape;
                (Maps { shape, ..x }, Box::new(move |_, d| Maps { shape: before, ..d }))
            }
            Layer::Residual { layers } => {
                let (mut y, backward) = self.layers(layers, x.clone());
                y.values.iter_mut().zip(&x.values).for_each(|(y, x)| *y += x);
                let both = move |reference: &mut Reference<'_>, d: Maps| {
                    let mut dx = backward(reference, d.clone());
                    dx.values.iter_mut().zip(&d.values).for_each(|(dx, d)| *dx += d);
                    dx
                };
                (y, Box::new(both))
            }
        }
    }
}

/// Calls with (output place, input place, weight place) for every product of a convolution.
fn each_product(kernel: usize, padding: usize, x: &Maps, y: &Maps, mut with: impl FnMut(usize, usize, usize)) {
    let inputs = x.shape.channels;
    for (n, o) in (0..x.images).flat_map(|n| (0..y.shape.channels).map(move |o| (n, o))) {
        for (oy, ox) in (0..y.shape.height).flat_map(|a| (0..y.shape.width).map(move |b| (a, b))) {
            let to = y.at(n, o, oy, ox);
            for (ky, kx) in (0..kernel).flat_map(|a| (0..kernel).map(move |b| (a, b))) {
                let (iy, ix) = ((oy + ky).wrapping_sub(padding), (ox + kx).wrapping_sub(padding));
                if iy >= x.shape.height || ix >= x.shape.width {
                    continue;
                }
                for i in 0..inputs {
                    with(to, x.at(n, i, iy, ix), ((o * inputs + i) * kernel + ky) * kernel + kx);
                }
            }
        }
    }
}

fn pointwise<'a>(x: Maps, f: impl Fn(f64) -> (f64, f64)) -> (Maps, Backward<'a>) {
    let (values, slopes): (Vec<f64>, Vec<f64>) = x.values.iter().map(|&v| f(v)).unzip();
    let backward = move |_: &mut Reference<'_>, mut d: Maps| {
        d.values.iter_mut().zip(slopes).for_each(|(d, slope)| *d *= slope);
        d
    };
    (Maps { values, ..x }, Box::new(backward))
}

/// Φ, from the series of erf (|x| < 5) in f64.
fn normal_distribution(x: f64) -> f64 {
    if x.abs() > 6.0 {
        return if x > 0.0 { 1.0 } else { 0.0 };
    }
    let (mut term, mut sum, mut n) = (x, x, 1.0);
    while term.abs() > 1e-17 * sum.abs() {
        term *= x * x / (2.0 * n + 1.0);
        sum += term;
        n += 1.0;
    }
    0.5 + sum * (-x * x / 2.0).exp() / std::f64::consts::TAU.sqrt()
}

pub fn conv(name: &str, inputs: usize, outputs: usize, kernel: usize, padding: usize, bias: bool) -> Layer {
    let (name, frozen, init) = (name.to_string(), false, Init::TorchDefault);
    Layer::Conv { name, inputs, outputs, kernel, padding, bias, frozen, init }
}

pub fn linear(name: &str, inputs: usize, outputs: usize) -> Layer {
    Layer::Linear { name: name.to_string(), inputs, outputs, bias: true, init: Init::TorchDefault }
}

pub fn norm(name: &str, channels: usize, scale: bool) -> Layer {
    Layer::BatchNorm { name: name.to_string(), channels, scale, momentum: 0.4, eps: 1e-5 }
}

pub fn network(input: Shape, classes: usize, layers: Vec<Layer>) -> Architecture {
    let architecture = Architecture { name: "test".to_string(), input, classes, layers };
    architecture.check().unwrap();
    architecture
}

/// Images of standard normal values and labels that go round.
pub fn batch(architecture: &Architecture, images: usize, seed: u64) -> Batch {
    let mut rng = keyed(seed, Purpose::Synthetic, 0, 0);
    Batch {
        images: (0..images * architecture.input.len()).map(|_| normal(&mut rng)).collect(),
        labels: (0..images).map(|n| ((n * 7 + seed as usize) % architecture.classes) as u8).collect(),
        divisor: images,
        seed,
        epoch: 2,
        position: 5,
    }
}

/// Initial parameters in which nothing is at a special value: biases, scales and running statistics too.
pub fn parameters(architecture: &Architecture, seed: u64) -> Parameters {
    let mut parameters = initialise(architecture, seed);
    let mut rng = keyed(seed, Purpose::Synthetic, 1, 1);
    for array in parameters.arrays_mut() {
        for value in &mut array.values {
            let noise = normal(&mut rng);
            match array.name.rsplit('.').next() {
                Some("running_var") => *value = 1.0 + 0.2 * noise.abs(),
                Some("running_mean" | "bias") => *value += 0.1 * noise,
                _ if array.shape.len() == 1 && array.role == lrsched::model::Role::Trainable => *value += 0.2 * noise,
                _ if *value == 0.0 => *value = 0.3 * noise,
                _ => {}
            }
        }
    }
    parameters
}

/// The largest difference relative to the largest expected value.
pub fn relative_error(got: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(got.len(), expected.len());
    let largest = expected.iter().fold(1e-30_f64, |a, b| a.max(b.abs()));
    got.iter().zip(expected).map(|(&g, e)| (f64::from(g) - e).abs()).fold(0.0, f64::max) / largest
}

/// The seed of three images none of which has two values within rounding in a pooling window of this network, whose gradient each engine
/// may send its own way. `airbench94-muon` has such a place with the seeds 10 and 11, and variances so large that rounding shows with 12.
pub fn seed_without_ties(architecture: &Architecture) -> u64 {
    if architecture.name == "airbench94-muon" { 13 } else { 11 }
}

/// Runs a step of training and an evaluation on the engine and holds everything against the reference.
pub fn check(
    engine: &mut dyn Engine,
    architecture: &Architecture,
    objective: Objective,
    images: usize,
    tolerance: f64,
) {
    let (batch, mut learned) =
        (batch(architecture, images, seed_without_ties(architecture)), parameters(architecture, 3));
    let start = learned.clone();
    let mut gradients = Gradients::zeros(&learned);
    gradients.arrays.iter_mut().flatten().for_each(|value| *value = 99.0);
    let stats = engine.train_batch(&mut learned, &batch, &mut gradients).unwrap();
    let wanted = expected(architecture, objective, &start, &batch, true);
    check_stats(stats, wanted.loss_sum, images);
    for (array, gradient) in learned.arrays().iter().zip(&gradients.arrays) {
        if !gradient.is_empty() {
            let error = relative_error(gradient, &wanted.gradients[&array.name]);
            assert!(error < tolerance, "gradient of {} is off by {error:.2e} ({images} images)", array.name);
        }
        match wanted.statistics.get(&array.name) {
            Some(statistic) => {
                let error = relative_error(&array.values, statistic);
                assert!(error < 1e-5, "{} is off by {error:.2e}", array.name);
            }
            None => assert_eq!(array.values, start.get(&array.name).unwrap().values, "{} changed", array.name),
        }
    }
    let mut logits = Vec::new();
    let stats = engine.eval_batch(&start, &batch, Some(&mut logits)).unwrap();
    let wanted = expected(architecture, objective, &start, &batch, false);
    check_stats(stats, wanted.loss_sum, images);
    let error = relative_error(&logits, &wanted.logits);
    assert!(error < tolerance, "logits are off by {error:.2e} ({images} images)");
}

fn check_stats(stats: BatchStats, loss_sum: f64, images: usize) {
    assert_eq!(stats.images, images);
    assert!((stats.loss_sum - loss_sum).abs() < 1e-4 * loss_sum.abs(), "loss {}, expected {loss_sum}", stats.loss_sum);
}
