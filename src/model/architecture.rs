//! The list of layers that an engine interprets.

use super::initialise::Init;

/// A shape of one sample: a map (channels, height, width), or a vector as (length, 1, 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    pub channels: usize,
    pub height: usize,
    pub width: usize,
}

impl Shape {
    pub const fn map(channels: usize, height: usize, width: usize) -> Self {
        Self { channels, height, width }
    }

    pub const fn vector(length: usize) -> Self {
        Self { channels: length, height: 1, width: 1 }
    }

    /// Values in one sample.
    pub const fn len(self) -> usize {
        self.channels * self.height * self.width
    }

    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// One layer. Parameters are named `<name>.weight`, `<name>.bias`, … and shaped as in PyTorch.
#[derive(Debug, Clone, PartialEq)]
pub enum Layer {
    /// 2-D convolution, stride 1, zero padding. `weight` (outputs, inputs, kernel, kernel), `bias` (outputs).
    Conv {
        name: String,
        inputs: usize,
        outputs: usize,
        kernel: usize,
        padding: usize,
        bias: bool,
        /// The weight is never updated (a whitening layer); the bias, if any, is.
        frozen: bool,
        init: Init,
    },
    /// Batch normalisation over (batch, height, width), biased variance for normalising, unbiased for the running one (PyTorch).
    ///
    /// `weight`, `bias`, `running_mean`, `running_var` (channels). `running = (1 − momentum)·running + momentum·batch`: PyTorch's
    /// momentum. Without `scale` the weight stays 1, frozen; the bias is always trained.
    BatchNorm {
        name: String,
        channels: usize,
        scale: bool,
        momentum: f32,
        eps: f32,
    },
    Relu,
    /// x·Φ(x), the exact form with erf.
    Gelu,
    /// Window and stride `size`; a remainder at the right and lower edge is left out.
    MaxPool {
        size: usize,
    },
    /// The mean over height and width; leaves a vector.
    GlobalAveragePool,
    /// Inverted dropout: in training each value is 0 with `probability`, else scaled by 1 / (1 − probability).
    Dropout {
        probability: f32,
    },
    /// A map to a vector, in PyTorch's order (channels, height, width).
    Flatten,
    /// y = x·Wᵀ + b. `weight` (outputs, inputs), `bias` (outputs).
    Linear {
        name: String,
        inputs: usize,
        outputs: usize,
        bias: bool,
        init: Init,
    },
    /// Multiply by a constant.
    Scale {
        factor: f32,
    },
    /// x + f(x).
    Residual {
        layers: Vec<Layer>,
    },
}

/// A network: what goes in, what is done to it, and how many classes come out.
#[derive(Debug, Clone, PartialEq)]
pub struct Architecture {
    pub name: String,
    pub input: Shape,
    pub classes: usize,
    pub layers: Vec<Layer>,
}

impl Layer {
    /// The shape that this layer makes of `input`, or what does not fit.
    pub fn output(&self, input: Shape) -> Result<Shape, String> {
        let expect_channels = |name: &str, channels: usize| {
            if channels == input.channels {
                Ok(())
            } else {
                Err(format!("{name} takes {channels} channels, got {}", input.channels))
            }
        };
        Ok(match self {
            Layer::Conv { name, inputs, outputs, kernel, padding, .. } => {
                expect_channels(name, *inputs)?;
                let side = |length: usize| (length + 2 * padding + 1).checked_sub(*kernel).filter(|&side| side > 0);
                match (side(input.height), side(input.width)) {
                    (Some(height), Some(width)) => Shape::map(*outputs, height, width),
                    _ => return Err(format!("{name}: the map is smaller than the kernel of {kernel}")),
                }
            }
            Layer::BatchNorm { name, channels, .. } => {
                expect_channels(name, *channels)?;
                input
            }
            Layer::MaxPool { size } => {
                if *size == 0 || input.height < *size || input.width < *size {
                    return Err(format!("max-pool of {size} on a map of {}x{}", input.height, input.width));
                }
                Shape::map(input.channels, input.height / size, input.width / size)
            }
            Layer::GlobalAveragePool => Shape::vector(input.channels),
            Layer::Flatten => Shape::vector(input.len()),
            Layer::Linear { name, inputs, outputs, .. } => {
                if input != Shape::vector(*inputs) {
                    return Err(format!("{name} takes a vector of {inputs}, got {input:?}"));
                }
                Shape::vector(*outputs)
            }
            Layer::Residual { layers } => {
                let inner = layers.iter().try_fold(input, |shape, layer| layer.output(shape))?;
                if inner != input {
                    return Err(format!("a residual branch turns {input:?} into {inner:?}"));
                }
                input
            }
            Layer::Relu | Layer::Gelu | Layer::Dropout { .. } | Layer::Scale { .. } => input,
        })
    }
}

impl Architecture {
    /// The name of the first layer, where its kernels are to be made from the training images.
    pub fn whitened(&self) -> Option<&str> {
        match self.layers.first() {
            Some(Layer::Conv { name, init: Init::Whitening, .. }) => Some(name),
            _ => None,
        }
    }

    /// Checks that every layer fits the one before and that the last gives `classes` logits.
    pub fn check(&self) -> Result<(), String> {
        let last = self.layers.iter().try_fold(self.input, |shape, layer| layer.output(shape))?;
        if last == Shape::vector(self.classes) {
            Ok(())
        } else {
            Err(format!("{}: {} classes wanted, the last layer gives {last:?}", self.name, self.classes))
        }
    }
}
