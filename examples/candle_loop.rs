//! A schedule of `lrsched-schedule` in a training loop of candle's, with candle's own SGD:
//!
//! ```text
//! cargo run --release --example candle_loop -- "one-cycle:max-lr=0.5"
//! ```
//!
//! The network separates two spirals. The only lines that have to do with the schedule are marked.

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::{Linear, Module, Optimizer, SGD, VarBuilder, VarMap, linear, loss, ops};
use lrsched_schedule::schedules::one_cycle::OneCycle;
use lrsched_schedule::{EpochMetrics, RunShape, Spec};

const EPOCHS: u64 = 20;
const BATCHES: u64 = 25;
const BATCH: usize = 64;

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let device = Device::Cpu;
    let variables = VarMap::new();
    let network = Network::new(VarBuilder::from_varmap(&variables, DType::F32, &device))?;

    // (1) The schedule, from a spec on the command line or built in code, and fitted to the length of the run.
    let spec: Spec = match std::env::args().nth(1) {
        Some(text) => text.parse()?,
        None => OneCycle::new(0.2).max_lr(0.8).div_factor(10.0).spec()?,
    };
    let mut schedule = lrsched_schedule::Schedule::build(&spec, &RunShape::new(0.2, EPOCHS, BATCHES))?;
    println!("{spec}");

    let mut optimizer = SGD::new(variables.all_vars(), 0.0)?;
    for epoch in 0..EPOCHS {
        let (mut losses, mut correct) = (0.0, 0.0);
        for batch in 0..BATCHES {
            let (points, labels) = spirals(epoch * BATCHES + batch, &device)?;
            // (2) The rate of this step.
            optimizer.set_learning_rate(schedule.at(epoch * BATCHES + batch).learning_rate);
            let logits = network.forward(&points)?;
            let loss = loss::cross_entropy(&logits, &labels)?;
            optimizer.backward_step(&loss)?;
            losses += f64::from(loss.to_scalar::<f32>()?);
            let hits = logits.argmax(1)?.eq(&labels)?.to_dtype(DType::F32)?.mean_all()?;
            correct += f64::from(hits.to_scalar::<f32>()?);
        }
        let (loss, accuracy) = (losses / BATCHES as f64, correct / BATCHES as f64);
        // (3) Only `plateau` and `halve` listen.
        schedule.observe(&EpochMetrics { epoch, loss, accuracy, val_loss: Some(loss), val_accuracy: Some(accuracy) });
        println!("epoch {epoch:2}  lr {:.5}  loss {loss:.4}  accuracy {accuracy:.3}", optimizer.learning_rate());
    }
    Ok(())
}

struct Network {
    layers: [Linear; 3],
}

impl Network {
    fn new(variables: VarBuilder) -> Result<Self> {
        let layer = |inputs, outputs, name: &str| linear(inputs, outputs, variables.pp(name));
        Ok(Self { layers: [layer(2, 64, "first")?, layer(64, 64, "second")?, layer(64, 2, "last")?] })
    }

    /// points: (B, 2); the logits: (B, 2).
    fn forward(&self, points: &Tensor) -> Result<Tensor> {
        let [first, second, last] = &self.layers;
        let hidden = ops::silu(&first.forward(points)?)?;
        last.forward(&ops::silu(&second.forward(&hidden)?)?)
    }
}

/// A batch of points on two spirals, (B, 2), and which of them each is on, (B).
fn spirals(seed: u64, device: &Device) -> Result<(Tensor, Tensor)> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1_u32 << 24) as f32
    };
    let (mut points, mut labels) = (Vec::with_capacity(2 * BATCH), Vec::with_capacity(BATCH));
    for at in 0..BATCH {
        let (arm, radius) = (at % 2, 0.2 + 1.8 * random());
        let angle = 2.5 * radius + std::f32::consts::PI * arm as f32;
        points.extend([radius * angle.cos() + 0.05 * random(), radius * angle.sin() + 0.05 * random()]);
        labels.push(arm as u32);
    }
    Ok((Tensor::from_vec(points, (BATCH, 2), device)?, Tensor::from_vec(labels, BATCH, device)?))
}
