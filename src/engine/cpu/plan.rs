//! Compiles the layers into a chain of fused operations, resolving every parameter's index once.

use super::activation::{Activate, Activation, Dropout, ScaleBy};
use super::chain::{Chain, Compiled};
use super::conv_direct::{DirectConv, DirectShape};
use super::conv_winograd::{ConvSpec, WinogradConv};
use super::linear::{FullyConnected, LinearSpec};
use super::norm::{BatchNorm, NormSpec};
use super::operation::{ImageOperation, map_len};
use super::pool::{Flatten, GlobalAveragePool, Import, LARGEST_WINDOW, MaxPool};
use super::simd::padded;
use super::tiling::{Epilogue, Mix, Tiling};
use crate::model::{Architecture, Layer, Shape};
use anyhow::{Result, anyhow, bail};

/// A first convolution reads images with up to this many channels unpadded: padding them to 16 would multiply the work.
const FEW_CHANNELS: usize = 7;

/// Compiles `architecture`. Parameters are assigned by counting: they are in layer order
/// ([`crate::model::initialise`]).
///
/// # Errors
/// Layers that do not fit together, or a max-pool window above [`LARGEST_WINDOW`].
pub fn compile(architecture: &Architecture) -> Result<Chain> {
    architecture.check().map_err(|problem| anyhow!(problem))?;
    let mut planner = Planner { arrays: 0, dropouts: 0 };
    planner.chain(&architecture.layers, architecture.input, true)
}

struct Planner {
    /// Parameter arrays and dropout layers so far.
    arrays: usize,
    dropouts: u64,
}

impl Planner {
    fn take_array(&mut self) -> usize {
        self.arrays += 1;
        self.arrays - 1
    }

    /// `raw`: the input is images with unpadded channels.
    fn chain(&mut self, layers: &[Layer], input: Shape, raw: bool) -> Result<Chain> {
        let mut chain = Chain::default();
        let (mut shape, mut rest, mut raw) = (input, layers, raw);
        while let [layer, ..] = rest {
            if raw && !matches!(layer, Layer::Conv { .. } if input.channels <= FEW_CHANNELS) {
                chain.push(Compiled::Image(Box::new(Import { input: shape })), shape.len(), shape, Vec::new());
                raw = false;
            }
            let (compiled, taken, trained) = self.fuse(rest, shape, raw)?;
            let input_len = if raw { shape.len() } else { map_len(shape) };
            for layer in &rest[..taken] {
                shape = layer.output(shape).map_err(|problem| anyhow!(problem))?;
            }
            chain.push(compiled, input_len, shape, trained);
            (rest, raw) = (&rest[taken..], false);
        }
        Ok(chain)
    }

    /// Fuses the first layers into one operation. Returns it, the number of layers fused, and the arrays that it trains;
    /// those in a residual branch are known there.
    fn fuse(&mut self, layers: &[Layer], shape: Shape, raw: bool) -> Result<(Compiled, usize, Vec<usize>)> {
        let plain = |operation: Box<dyn ImageOperation>| (Compiled::Image(operation), 1, Vec::new());
        Ok(match &layers[0] {
            Layer::Conv { .. } => self.convolution(layers, shape, raw),
            Layer::Linear { name, inputs, outputs, bias, .. } => {
                let relu = matches!(layers.get(1), Some(Layer::Relu));
                let weight = self.take_array();
                let bias = bias.then(|| self.take_array());
                let trained = std::iter::once(weight).chain(bias).collect();
                let spec = LinearSpec { weight, bias, inputs: *inputs, outputs: *outputs, relu };
                let name = format!("{name}{}", if relu { "+relu" } else { "" });
                (Compiled::Batch(Box::new(FullyConnected::new(name, spec))), 1 + usize::from(relu), trained)
            }
            Layer::BatchNorm { name, scale, momentum, eps, .. } => {
                let (activation, suffix) = activation_of(layers.get(1));
                let [weight, bias, running_mean, running_var] = std::array::from_fn(|_| self.take_array());
                let (momentum, eps) = (*momentum, *eps);
                let spec = NormSpec { weight, bias, running_mean, running_var, momentum, eps, shape, activation };
                let norm = BatchNorm::new(format!("{name}{suffix}"), spec);
                let trained = scale.then_some(weight).into_iter().chain([bias]).collect();
                (Compiled::Batch(Box::new(norm)), if suffix.is_empty() { 1 } else { 2 }, trained)
            }
            Layer::Relu => plain(Box::new(Activate { activation: Activation::Relu })),
            Layer::Gelu => plain(Box::new(Activate { activation: Activation::Gelu })),
            Layer::MaxPool { size } => {
                if *size > LARGEST_WINDOW {
                    bail!(
                        "max-pool of {size}: the cpu engine takes windows up to {LARGEST_WINDOW}; try `--engine candle`"
                    );
                }
                let output = layers[0].output(shape).map_err(|problem| anyhow!(problem))?;
                plain(Box::new(MaxPool::new(*size, shape, output)))
            }
            Layer::GlobalAveragePool => plain(Box::new(GlobalAveragePool { input: shape })),
            Layer::Flatten => plain(Box::new(Flatten { input: shape })),
            Layer::Scale { factor } => plain(Box::new(ScaleBy { factor: *factor })),
            Layer::Dropout { probability } => {
                let layer = self.dropouts;
                self.dropouts += 1;
                plain(Box::new(Dropout { probability: *probability, layer, shape }))
            }
            Layer::Residual { layers } => (Compiled::Residual(self.chain(layers, shape, false)?), 1, Vec::new()),
        })
    }

    fn convolution(&mut self, layers: &[Layer], shape: Shape, raw: bool) -> (Compiled, usize, Vec<usize>) {
        let Layer::Conv { name, inputs, outputs, kernel, padding, bias, frozen, .. } = &layers[0] else {
            unreachable!("called for convolutions only")
        };
        let weight = self.take_array();
        let bias = bias.then(|| self.take_array());
        let trained = (!frozen).then_some(weight).into_iter().chain(bias).collect();
        let spec = ConvSpec { weight, bias, inputs: *inputs, outputs: *outputs, frozen: *frozen };
        if *kernel == 3 && !raw {
            let relu = matches!(layers.get(1), Some(Layer::Relu));
            let next = layers.get(1 + usize::from(relu));
            let pool = matches!(next, Some(Layer::MaxPool { size: 2 }));
            let map = (shape.height, shape.width);
            let tiling = |mix| Tiling::new(map, *padding, (*inputs, *outputs), Epilogue { relu, pool }, mix);
            let suffix = format!("{}{}", if relu { "+relu" } else { "" }, if pool { "+pool" } else { "" });
            let conv = WinogradConv::new(format!("{name}{suffix}"), spec, tiling(Mix::Never), tiling(Mix::IfFewer));
            return (Compiled::Image(Box::new(conv)), 1 + usize::from(relu) + usize::from(pool), trained);
        }
        let (activation, suffix) = activation_of(layers.get(1));
        let shape = DirectShape {
            height: shape.height,
            width: shape.width,
            pixel: if raw { *inputs } else { padded(*inputs) },
            kernel: *kernel,
            padding: *padding,
            outputs: *outputs,
            activation,
        };
        let conv = DirectConv::new(format!("{name}{suffix}"), spec, shape);
        (Compiled::Image(Box::new(conv)), if suffix.is_empty() { 1 } else { 2 }, trained)
    }
}

/// The activation of layer `next` and its suffix in the fused operation's name.
fn activation_of(next: Option<&Layer>) -> (Activation, &'static str) {
    match next {
        Some(Layer::Relu) => (Activation::Relu, "+relu"),
        Some(Layer::Gelu) => (Activation::Gelu, "+gelu"),
        _ => (Activation::Identity, ""),
    }
}
