//! The portable reference engine: candle-nn layers and candle's autograd, on any device that candle supports.
//!
//! Slow but trusted: the fast engine is tested against it. Two operations of candle 0.11 are avoided because their
//! derivatives differ from PyTorch's: `max_pool2d` (its backward pass scales the gradient by the fraction of maxima in
//! the window: a quarter of the correct value for 2x2) and `relu` (derivative 1 at 0; PyTorch's is 0).

#![forbid(unsafe_code)]

use super::{BatchStats, Contract, DeviceChoice, Engine, Objective};
use crate::data::Batch;
use crate::model::{Architecture, Gradients, Layer, Parameters, Role};
use crate::random::dropout_mask;
use crate::threads::refused;
use anyhow::{Context, Result, anyhow};
use candle_core::{D, DType, Device, IndexOp, Tensor, Var};
use candle_nn::{Conv2d, Conv2dConfig, Linear, Module, ops};

/// # Errors
/// The device does not respond.
pub(super) fn open(device: DeviceChoice) -> Result<Device> {
    let opened = match device {
        DeviceChoice::Cpu => return Ok(Device::Cpu),
        DeviceChoice::Cuda(number) => Device::new_cuda(number),
        DeviceChoice::Metal => Device::new_metal(0),
    };
    opened.with_context(|| format!("device {device} does not respond"))
}

/// The reference engine on one device.
pub struct CandleEngine {
    architecture: Architecture,
    contract: Contract,
    objective: Objective,
    device: Device,
    /// candle's CPU kernels run on the rayon pool that calls them.
    pool: rayon::ThreadPool,
}

impl CandleEngine {
    /// # Errors
    /// The layers do not fit together, or the thread pool cannot be started.
    pub fn new(architecture: &Architecture, objective: Objective, device: Device, threads: usize) -> Result<Self> {
        architecture.check().map_err(|error| anyhow!(error))?;
        let pool = pool(threads)?;
        let (architecture, contract) = (architecture.clone(), Contract::of(architecture));
        Ok(Self { architecture, contract, objective, device, pool })
    }
}

fn pool(threads: usize) -> Result<rayon::ThreadPool> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.max(1)).build();
    pool.map_err(|error| refused("the engine's threads", error))
}

impl Engine for CandleEngine {
    fn kernels(&self) -> &'static str {
        "candle"
    }

    fn enter(&self, work: &mut (dyn FnMut() + Send)) {
        self.pool.install(work);
    }

    fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }

    fn set_threads(&mut self, threads: usize) -> Result<()> {
        self.pool = pool(threads)?;
        Ok(())
    }

    fn train_batch(
        &mut self,
        parameters: &mut Parameters,
        batch: &Batch,
        gradients: &mut Gradients,
    ) -> Result<BatchStats> {
        let Self { architecture, contract, objective, device, pool } = self;
        contract.check_step(parameters, batch, gradients)?;
        pool.install(|| {
            let mut pass = Pass::new(parameters, batch, device, Mode::Training)?;
            let logits = pass.run(architecture)?;
            let losses = cross_entropy(&logits, batch, objective.label_smoothing)?;
            let stats = stats(&logits, &losses, batch)?;
            let computed = (losses.sum_all()? / batch.divisor as f64)?.backward()?;
            let Pass { variables, statistics, .. } = pass;
            for (variable, gradient) in variables.iter().zip(&mut gradients.arrays) {
                if gradient.is_empty() {
                    continue;
                }
                match computed.get(variable) {
                    Some(values) => {
                        gradient.copy_from_slice(&values.flatten_all()?.to_device(&Device::Cpu)?.to_vec1::<f32>()?)
                    }
                    None => gradient.fill(0.0),
                }
            }
            for (index, values) in statistics {
                parameters.arrays_mut()[index].values = values;
            }
            Ok(stats)
        })
    }

    fn observe_batch(&mut self, parameters: &mut Parameters, batch: &Batch, share: f32) -> Result<()> {
        let Self { architecture, contract, device, pool, .. } = self;
        contract.check(parameters, batch)?;
        pool.install(|| {
            let mut pass = Pass::new(parameters, batch, device, Mode::Observing { share })?;
            pass.run(architecture)?;
            for (index, values) in pass.statistics {
                parameters.arrays_mut()[index].values = values;
            }
            Ok(())
        })
    }

    fn eval_batch(
        &mut self,
        parameters: &Parameters,
        batch: &Batch,
        logits: Option<&mut Vec<f32>>,
    ) -> Result<BatchStats> {
        let Self { architecture, contract, device, pool, .. } = self;
        contract.check(parameters, batch)?;
        pool.install(|| {
            let computed = Pass::new(parameters, batch, device, Mode::Evaluation)?.run(architecture)?.detach();
            if let Some(logits) = logits {
                *logits = computed.flatten_all()?.to_vec1::<f32>()?;
            }
            let losses = cross_entropy(&computed, batch, 0.0)?;
            stats(&computed, &losses, batch)
        })
    }
}

/// What a forward pass is for.
#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Training,
    /// As training, but the running statistics move by this share.
    Observing {
        share: f32,
    },
    Evaluation,
}

/// One forward pass over one batch.
struct Pass<'a> {
    parameters: &'a Parameters,
    /// In parameter order.
    variables: Vec<Var>,
    batch: &'a Batch,
    device: &'a Device,
    mode: Mode,
    dropouts: u64,
    /// (parameter index, running statistics after this batch).
    statistics: Vec<(usize, Vec<f32>)>,
}

impl<'a> Pass<'a> {
    fn new(parameters: &'a Parameters, batch: &'a Batch, device: &'a Device, mode: Mode) -> Result<Self> {
        let variables = parameters
            .arrays()
            .iter()
            .map(|array| Var::from_slice(&array.values, array.shape.as_slice(), device))
            .collect::<Result<_, _>>()?;
        Ok(Self { parameters, variables, batch, device, mode, dropouts: 0, statistics: Vec::new() })
    }

    /// (images, classes)
    fn run(&mut self, architecture: &Architecture) -> Result<Tensor> {
        let input = architecture.input;
        let images = Tensor::from_slice(
            &self.batch.images,
            (self.batch.len(), input.height, input.width, input.channels),
            self.device,
        )?;
        self.layers(&architecture.layers, images.permute((0, 3, 1, 2))?.contiguous()?)
    }

    fn layers(&mut self, layers: &[Layer], x: Tensor) -> Result<Tensor> {
        layers.iter().try_fold(x, |x, layer| self.layer(layer, x))
    }

    /// `x`: (N, C, H, W), or (N, C) after flatten.
    fn layer(&mut self, layer: &Layer, x: Tensor) -> Result<Tensor> {
        Ok(match layer {
            Layer::Conv { name, padding, bias, .. } => {
                let config = Conv2dConfig { padding: *padding, ..Default::default() };
                let bias = bias.then(|| self.tensor(name, "bias")).transpose()?;
                Conv2d::new(self.tensor(name, "weight")?, bias, config).forward(&x)?
            }
            Layer::Linear { name, bias, .. } => {
                let bias = bias.then(|| self.tensor(name, "bias")).transpose()?;
                Linear::new(self.tensor(name, "weight")?, bias).forward(&x)?
            }
            Layer::BatchNorm { name, momentum, eps, .. } => self.batch_norm(name, *momentum, *eps, &x)?,
            Layer::Relu => (&x * x.gt(0_f32)?.to_dtype(DType::F32)?)?,
            Layer::Gelu => x.gelu_erf()?,
            Layer::MaxPool { size } => max_pool(&x, *size)?,
            Layer::GlobalAveragePool => x.mean(D::Minus1)?.mean(D::Minus1)?,
            Layer::Dropout { probability } if self.mode != Mode::Evaluation => self.dropout(*probability, &x)?,
            Layer::Dropout { .. } => x,
            Layer::Flatten => x.flatten_from(1)?,
            Layer::Scale { factor } => (x * f64::from(*factor))?,
            Layer::Residual { layers } => (self.layers(layers, x.clone())? + x)?,
        })
    }

    fn index(&self, layer: &str, part: &str) -> Result<usize> {
        let name = format!("{layer}.{part}");
        self.parameters.index(&name).with_context(|| format!("the parameters have no `{name}`"))
    }

    /// Frozen arrays are detached so that candle does not compute their gradients.
    fn tensor(&self, layer: &str, part: &str) -> Result<Tensor> {
        let index = self.index(layer, part)?;
        let tensor = self.variables[index].as_tensor();
        let trainable = self.parameters.arrays()[index].role == Role::Trainable;
        Ok(if trainable { tensor.clone() } else { tensor.detach() })
    }

    fn batch_norm(&mut self, name: &str, momentum: f32, eps: f32, x: &Tensor) -> Result<Tensor> {
        let by_channel = |values: &Tensor| values.reshape((1, values.elem_count(), 1, 1));
        let (images, _, height, width) = x.dims4()?;
        let momentum = if let Mode::Observing { share } = self.mode { share } else { momentum };
        let (mean, variance) = if self.mode != Mode::Evaluation {
            let over_images = |x: &Tensor| x.mean_keepdim(3)?.mean_keepdim(2)?.mean_keepdim(0);
            let mean = over_images(x)?;
            let variance = over_images(&x.broadcast_sub(&mean)?.sqr()?)?;
            let count = (images * height * width) as f32;
            self.keep_statistics(name, "running_mean", momentum, &mean, 1.0)?;
            // The unbiased variance of one value is undefined. PyTorch raises an error; we fall back to the biased one.
            self.keep_statistics(name, "running_var", momentum, &variance, count / (count - 1.0).max(1.0))?;
            (mean, variance)
        } else {
            (by_channel(&self.tensor(name, "running_mean")?)?, by_channel(&self.tensor(name, "running_var")?)?)
        };
        let normalised = x.broadcast_sub(&mean)?.broadcast_div(&(variance + f64::from(eps))?.sqrt()?)?;
        Ok(normalised
            .broadcast_mul(&by_channel(&self.tensor(name, "weight")?)?)?
            .broadcast_add(&by_channel(&self.tensor(name, "bias")?)?)?)
    }

    fn keep_statistics(&mut self, layer: &str, part: &str, momentum: f32, batch: &Tensor, factor: f32) -> Result<()> {
        let index = self.index(layer, part)?;
        let batch = batch.flatten_all()?.to_vec1::<f32>()?;
        let running = &self.parameters.arrays()[index].values;
        let updated = running.iter().zip(batch).map(|(old, new)| (1.0 - momentum) * old + momentum * factor * new);
        self.statistics.push((index, updated.collect()));
        Ok(())
    }

    fn dropout(&mut self, probability: f32, x: &Tensor) -> Result<Tensor> {
        let layer = self.dropouts;
        self.dropouts += 1;
        let length = x.elem_count() / self.batch.len();
        let mut mask = vec![0.0; x.elem_count()]; // (N, H, W, C), or (N, C)
        for (index, mask) in mask.chunks_exact_mut(length).enumerate() {
            let position = self.batch.position + index as u64;
            dropout_mask(self.batch.seed, self.batch.epoch, position, layer, probability, mask);
        }
        let mask = match *x.dims() {
            [n, c, h, w] => Tensor::from_vec(mask, (n, h, w, c), self.device)?.permute((0, 3, 1, 2))?,
            _ => Tensor::from_vec(mask, x.shape(), self.device)?,
        };
        Ok((x * mask)?)
    }
}

/// The first maximum of each window takes the whole gradient, as in PyTorch.
fn max_pool(x: &Tensor, size: usize) -> Result<Tensor> {
    let (n, c, height, width) = x.dims4()?;
    let (rows, columns) = (height / size, width / size);
    let windows = x
        .i((.., .., ..rows * size, ..columns * size))?
        .contiguous()?
        .reshape(vec![n, c, rows, size, columns, size])?
        .permute(vec![0, 1, 2, 4, 3, 5])?
        .contiguous()?
        .reshape((n * c * rows * columns, size * size))?;
    let first_maximum = windows.detach().argmax_keepdim(1)?;
    Ok(windows.gather(&first_maximum, 1)?.reshape((n, c, rows, columns))?)
}

/// The loss of each image: −Σ target·log softmax(logits), target = (1 − ε)·one-hot + ε / classes.
fn cross_entropy(logits: &Tensor, batch: &Batch, smoothing: f32) -> Result<Tensor> {
    let log_probabilities = ops::log_softmax(logits, 1)?;
    let labels: Vec<u32> = batch.labels.iter().map(|&label| u32::from(label)).collect();
    let labels = Tensor::from_vec(labels, (batch.len(), 1), logits.device())?;
    let of_label = log_probabilities.gather(&labels, 1)?.squeeze(1)?.neg()?;
    if smoothing == 0.0 {
        return Ok(of_label);
    }
    let uniform = log_probabilities.mean(1)?.neg()?;
    Ok(((of_label * f64::from(1.0 - smoothing))? + (uniform * f64::from(smoothing))?)?)
}

fn stats(logits: &Tensor, losses: &Tensor, batch: &Batch) -> Result<BatchStats> {
    let losses = losses.to_vec1::<f32>()?;
    let predictions = logits.argmax(1)?.to_vec1::<u32>()?;
    Ok(BatchStats {
        loss_sum: losses.iter().map(|&loss| f64::from(loss)).sum(),
        correct: predictions.iter().zip(&batch.labels).filter(|(p, l)| **p == u32::from(**l)).count(),
        images: batch.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Init, Shape, initialise};
    use crate::random::{Purpose, keyed, normal};

    fn engine(architecture: &Architecture, label_smoothing: f32) -> CandleEngine {
        CandleEngine::new(architecture, Objective { label_smoothing }, Device::Cpu, 1).unwrap()
    }

    fn batch(input: Shape, images: usize, classes: u8) -> Batch {
        let mut rng = keyed(5, Purpose::Synthetic, 0, 0);
        Batch {
            images: (0..images * input.len()).map(|_| normal(&mut rng)).collect(),
            labels: (0..images).map(|i| i as u8 % classes).collect(),
            divisor: images,
            ..Batch::default()
        }
    }

    /// Every kind of layer, on a map with odd sides.
    fn small_network() -> Architecture {
        let conv = |name: &str, inputs, outputs, kernel, padding, bias| Layer::Conv {
            name: name.to_string(),
            inputs,
            outputs,
            kernel,
            padding,
            bias,
            frozen: false,
            init: Init::He,
        };
        let norm = |name: &str, channels| Layer::BatchNorm {
            name: name.to_string(),
            channels,
            scale: true,
            momentum: 0.1,
            eps: 1e-5,
        };
        let linear = |name: &str, inputs, outputs| Layer::Linear {
            name: name.to_string(),
            inputs,
            outputs,
            bias: true,
            init: Init::TorchDefault,
        };
        Architecture {
            name: "small".to_string(),
            input: Shape::map(3, 9, 7),
            classes: 4,
            layers: vec![
                conv("conv1", 3, 5, 2, 0, true),
                Layer::Gelu,
                Layer::MaxPool { size: 2 },
                Layer::Residual { layers: vec![conv("conv2", 5, 5, 3, 1, false), norm("norm", 5), Layer::Relu] },
                Layer::Flatten,
                linear("fc1", 60, 6),
                Layer::Dropout { probability: 0.3 },
                linear("fc2", 6, 4),
                Layer::Scale { factor: 0.5 },
            ],
        }
    }

    #[test]
    fn gradients_equal_finite_differences_in_every_kind_of_layer() {
        let architecture = small_network();
        let mut engine = engine(&architecture, 0.1);
        let batch = batch(architecture.input, 6, 4);
        let mut parameters = initialise(&architecture, 2);
        let mut gradients = Gradients::zeros(&parameters);
        engine.train_batch(&mut parameters, &batch, &mut gradients).unwrap();
        let mut loss_at = |place: usize, index: usize, shift: f32| {
            let mut moved = parameters.clone();
            moved.arrays_mut()[place].values[index] += shift;
            let mut unused = Gradients::zeros(&moved);
            engine.train_batch(&mut moved, &batch, &mut unused).unwrap().loss_sum / 6.0
        };
        let mut checked = 0;
        for (place, gradient) in gradients.arrays.iter().enumerate() {
            for index in (0..gradient.len()).step_by(7) {
                let h = 1e-2;
                let numeric = (loss_at(place, index, h) - loss_at(place, index, -h)) / f64::from(2.0 * h);
                let exact = f64::from(gradient[index]);
                let name = &parameters.arrays()[place].name;
                assert!((numeric - exact).abs() < 2e-3 + 0.03 * exact.abs(), "{name}[{index}]: {numeric} {exact}");
                checked += 1;
            }
        }
        assert!(checked > 50, "{checked}");
    }

    #[test]
    fn equal_maxima_in_a_window_send_the_gradient_to_the_first_as_pytorch_does() {
        let x = Var::from_slice(&[1_f32, 3.0, 3.0, 2.0], (1, 1, 2, 2), &Device::Cpu).unwrap();
        let gradients = max_pool(x.as_tensor(), 2).unwrap().sum_all().unwrap().backward().unwrap();
        let gradient = gradients.get(&x).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(gradient, [0.0, 1.0, 0.0, 0.0]);
    }

    #[test]
    fn running_statistics_move_towards_the_batch_and_evaluation_uses_them() {
        let architecture = Architecture {
            name: "norm".to_string(),
            input: Shape::map(1, 2, 2),
            classes: 1,
            layers: vec![
                Layer::BatchNorm { name: "norm".to_string(), channels: 1, scale: true, momentum: 0.1, eps: 0.0 },
                Layer::GlobalAveragePool,
            ],
        };
        let mut engine = engine(&architecture, 0.0);
        let mut parameters = initialise(&architecture, 0);
        let mut gradients = Gradients::zeros(&parameters);
        let batch = Batch { images: vec![1.0, 2.0, 3.0, 6.0], labels: vec![0], divisor: 1, ..Batch::default() };
        engine.train_batch(&mut parameters, &batch, &mut gradients).unwrap();
        let close = |name: &str, expected: f32| {
            let value = parameters.get(name).unwrap().values[0];
            assert!((value - expected).abs() < 1e-6, "{name} is {value}");
        };
        close("norm.running_mean", 0.3); // 0.9·0 + 0.1·3
        close("norm.running_var", 0.9 + 0.1 * 14.0 / 3.0); // unbiased: 14 / 3
        let mut logits = Vec::new();
        engine.eval_batch(&parameters, &batch, Some(&mut logits)).unwrap();
        let expected = (3.0 - 0.3) / (0.9_f32 + 0.1 * 14.0 / 3.0).sqrt();
        assert!((logits[0] - expected).abs() < 1e-5, "{logits:?}");
    }

    #[test]
    fn accumulated_micro_batches_give_the_gradient_of_the_whole_batch() {
        let mut architecture = small_network();
        // Batch norm computes its statistics per micro-batch, so accumulation cannot match: leave it out.
        architecture.layers.remove(3);
        let mut engine = engine(&architecture, 0.0);
        let mut parameters = initialise(&architecture, 2);
        let whole = batch(architecture.input, 7, 4);
        let mut direct = Gradients::zeros(&parameters);
        engine.train_batch(&mut parameters, &whole, &mut direct).unwrap();
        let mut accumulated = Gradients::zeros(&parameters);
        let mut part = Gradients::zeros(&parameters);
        for range in [0..3, 3..6, 6..7] {
            let size = architecture.input.len();
            let micro = Batch {
                images: whole.images[range.start * size..range.end * size].to_vec(),
                labels: whole.labels[range.clone()].to_vec(),
                position: range.start as u64,
                ..whole.clone()
            };
            engine.train_batch(&mut parameters, &micro, &mut part).unwrap();
            accumulated.add(&part);
        }
        for (a, b) in direct.arrays.iter().flatten().zip(accumulated.arrays.iter().flatten()) {
            assert!((a - b).abs() < 1e-6, "{a} {b}");
        }
    }
}
