//! Benchmarks forward plus backward passes of single layers of the fast engine, in the sizes that the networks use:
//! `cargo bench`.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lrsched::data::Batch;
use lrsched::engine::cpu::CpuEngine;
use lrsched::engine::{Engine, Objective};
use lrsched::model::{Architecture, Gradients, Init, Layer, Shape, initialise};
use lrsched::random::{Purpose, keyed, normal};

const IMAGES: usize = 64;

fn conv(name: &str, inputs: usize, outputs: usize) -> Layer {
    let (name, init) = (name.to_string(), Init::He);
    Layer::Conv { name, inputs, outputs, kernel: 3, padding: 1, bias: true, frozen: false, init }
}

fn linear(name: &str, inputs: usize, outputs: usize) -> Layer {
    Layer::Linear { name: name.to_string(), inputs, outputs, bias: true, init: Init::He }
}

/// The measured layers on maps of `channels` x `side` x `side`, followed by an average pool and a small linear layer.
fn network(name: &str, input: Shape, mut layers: Vec<Layer>) -> Architecture {
    let output = layers.iter().try_fold(input, |shape, layer| layer.output(shape)).expect("the layers fit");
    if output != Shape::vector(output.channels) {
        layers.push(Layer::GlobalAveragePool);
    }
    layers.push(linear("head", output.channels, 10));
    Architecture { name: name.to_string(), input, classes: 10, layers }
}

fn steps(criterion: &mut Criterion) {
    let norm = Layer::BatchNorm { name: "norm".to_string(), channels: 64, scale: true, momentum: 0.1, eps: 1e-5 };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut group = criterion.benchmark_group("forward and backward");
    group.throughput(Throughput::Elements(IMAGES as u64)).sample_size(20);
    for architecture in [
        network("first conv 3-32, 32x32", Shape::map(3, 32, 32), vec![conv("a", 3, 32), Layer::Relu]),
        network(
            "conv 32-32 + pool, 32x32",
            Shape::map(32, 32, 32),
            vec![conv("a", 32, 32), Layer::Relu, Layer::MaxPool { size: 2 }],
        ),
        network("conv 64-64, 16x16", Shape::map(64, 16, 16), vec![conv("a", 64, 64), Layer::Relu]),
        network(
            "conv 256-256 + pool, 7x7",
            Shape::map(256, 7, 7),
            vec![conv("a", 256, 256), Layer::MaxPool { size: 2 }],
        ),
        network("batch norm + gelu 64, 15x15", Shape::map(64, 15, 15), vec![norm, Layer::Gelu]),
        network("linear 4096-512", Shape::vector(4096), vec![linear("a", 4096, 512), Layer::Relu]),
    ] {
        let mut rng = keyed(0, Purpose::Synthetic, 0, 0);
        let batch = Batch {
            images: (0..IMAGES * architecture.input.len()).map(|_| normal(&mut rng)).collect(),
            labels: (0..IMAGES).map(|image| (image % 10) as u8).collect(),
            divisor: IMAGES,
            ..Batch::default()
        };
        let mut engine = CpuEngine::new(&architecture, Objective::default(), threads).expect("the network compiles");
        let mut parameters = initialise(&architecture, 0);
        let mut gradients = Gradients::zeros(&parameters);
        group.bench_function(&architecture.name, |bencher| {
            bencher.iter(|| engine.train_batch(&mut parameters, &batch, &mut gradients).expect("the batch fits"));
        });
    }
    group.finish();
}

criterion_group!(benches, steps);
criterion_main!(benches);
