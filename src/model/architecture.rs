//! The layers of a network, as data for the engines to interpret.

use super::initialise::Init;
use std::collections::HashSet;

/// The maximum number of values in one map of a sample, or in one weight array: 1 GiB of f32. Keeps every size that an
/// engine derives, including padding and tiles, far from overflow.
pub const MOST_VALUES: usize = 1 << 28;

/// The shape of one sample: a map (channels, height, width), or a vector as (length, 1, 1).
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

    /// Values per sample; saturates at `usize::MAX`.
    pub const fn len(self) -> usize {
        self.channels.saturating_mul(self.height).saturating_mul(self.width)
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
        /// The weight is never updated (a whitening layer). The bias, if any, is trained.
        frozen: bool,
        init: Init,
    },
    /// Batch normalisation over (batch, height, width). Normalises with the biased variance and accumulates the
    /// unbiased one, as PyTorch does.
    ///
    /// `weight`, `bias`, `running_mean`, `running_var` (channels). `running = (1 − momentum)·running + momentum·batch`,
    /// PyTorch's convention. Without `scale` the weight is frozen at 1; the bias is always trained.
    BatchNorm {
        name: String,
        channels: usize,
        scale: bool,
        momentum: f32,
        eps: f32,
    },
    Relu,
    /// x·Φ(x), the exact form with erf (not the tanh approximation).
    Gelu,
    /// Window and stride `size`; a remainder at the right and bottom edges is ignored.
    MaxPool {
        size: usize,
    },
    /// The mean over height and width; returns a vector.
    GlobalAveragePool,
    /// Inverted dropout: during training, zeroes each value with `probability` and scales the others by 1 / (1 −
    /// probability).
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
    /// Multiplies by a constant.
    Scale {
        factor: f32,
    },
    /// x + f(x).
    Residual {
        layers: Vec<Layer>,
    },
}

/// A network: input shape, layers, and number of classes.
#[derive(Debug, Clone, PartialEq)]
pub struct Architecture {
    pub name: String,
    pub input: Shape,
    pub classes: usize,
    pub layers: Vec<Layer>,
}

/// The product, if it is 1 to [`MOST_VALUES`].
fn size(factors: &[usize]) -> Option<usize> {
    let product = factors.iter().try_fold(1_usize, |product, factor| product.checked_mul(*factor))?;
    (1..=MOST_VALUES).contains(&product).then_some(product)
}

/// Returns `shape` if a sample of it has 1 to [`MOST_VALUES`] values.
fn sized(of: &str, shape: Shape) -> Result<Shape, String> {
    let Shape { channels, height, width } = shape;
    match size(&[channels, height, width]) {
        Some(_) => Ok(shape),
        None => Err(format!("{of}: {channels}x{height}x{width} values per sample, must be 1 to {MOST_VALUES}")),
    }
}

impl Layer {
    /// The output shape for `input`.
    ///
    /// # Errors
    /// `input` does not fit the layer, or a shape or weight array does not have 1 to [`MOST_VALUES`] values.
    pub fn output(&self, input: Shape) -> Result<Shape, String> {
        sized("the input", input)?;
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
                if size(&[*outputs, *inputs, *kernel, *kernel]).is_none() {
                    return Err(format!(
                        "{name}: {outputs}x{inputs}x{kernel}x{kernel} weights, must be 1 to {MOST_VALUES}"
                    ));
                }
                let padded = |length: usize| padding.checked_mul(2)?.checked_add(length);
                let (Some(height), Some(width)) = (padded(input.height), padded(input.width)) else {
                    return Err(format!("{name}: a padding of {padding} is too large"));
                };
                sized(&format!("{name}: a padding of {padding}"), Shape::map(input.channels, height, width))?;
                let side = |length: usize| (length + 1).checked_sub(*kernel).filter(|&side| side > 0);
                match (side(height), side(width)) {
                    (Some(height), Some(width)) => sized(name, Shape::map(*outputs, height, width))?,
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
                if size(&[*outputs, *inputs]).is_none() {
                    return Err(format!("{name}: {outputs}x{inputs} weights, must be 1 to {MOST_VALUES}"));
                }
                Shape::vector(*outputs)
            }
            Layer::Residual { layers } if layers.is_empty() => {
                return Err("a residual branch has no layers".to_string());
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

/// The first name in `layers` that an earlier layer, or `names`, already has.
fn repeated<'a>(layers: &'a [Layer], names: &mut HashSet<&'a str>) -> Option<&'a str> {
    layers.iter().find_map(|layer| match layer {
        Layer::Conv { name, .. } | Layer::BatchNorm { name, .. } | Layer::Linear { name, .. } => {
            (!names.insert(name)).then_some(name.as_str())
        }
        Layer::Residual { layers } => repeated(layers, names),
        Layer::Relu
        | Layer::Gelu
        | Layer::MaxPool { .. }
        | Layer::GlobalAveragePool
        | Layer::Dropout { .. }
        | Layer::Flatten
        | Layer::Scale { .. } => None,
    })
}

impl Architecture {
    /// The name of the first layer, if its kernels are to be computed from the training images (see [`super::whiten`]).
    pub fn whitened(&self) -> Option<&str> {
        match self.layers.first() {
            Some(Layer::Conv { name, init: Init::Whitening | Init::WhiteningTorch, .. }) => Some(name),
            _ => None,
        }
    }

    /// Checks that consecutive layers fit, that the last one returns `classes` logits, that names are unique, and that
    /// all sizes are within [`MOST_VALUES`].
    ///
    /// # Errors
    /// The first violation.
    pub fn check(&self) -> Result<(), String> {
        if self.layers.is_empty() {
            return Err(format!("{} has no layers", self.name));
        }
        if let Some(name) = repeated(&self.layers, &mut HashSet::new()) {
            return Err(format!("{}: two layers have the name {name}", self.name));
        }
        let last = self.layers.iter().try_fold(self.input, |shape, layer| layer.output(shape))?;
        if last == Shape::vector(self.classes) {
            Ok(())
        } else {
            Err(format!("{}: the last layer gives {last:?}, expected {} classes", self.name, self.classes))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conv(inputs: usize, outputs: usize, kernel: usize, padding: usize) -> Layer {
        let name = "conv".to_string();
        Layer::Conv { name, inputs, outputs, kernel, padding, bias: false, frozen: false, init: Init::He }
    }

    #[test]
    fn sizes_that_wrap_around_or_are_empty_are_refused_by_every_layer() {
        let image = Shape::map(3, 32, 32);
        let linear =
            |inputs, outputs| Layer::Linear { name: "fc".to_string(), inputs, outputs, bias: false, init: Init::He };
        for (layer, input) in [
            (conv(3, 8, 1, 1 << 62), image),
            (conv(3, 8, 1, 1 << 63), image),
            (conv(3, 8, 1, (1 << 63) - 17), image),
            (conv(3, 8, 3, 1 << 31), image),
            (conv(3, 1 << 62, 1, 0), image),
            (conv(3, 8, usize::MAX, 0), image),
            (conv(3, 8, 0, 0), image),
            (conv(3, 0, 3, 1), image),
            (conv(1 << 62, 4, 1, 0), Shape::map(1 << 62, 1, 1)),
            (Layer::Flatten, Shape::map(1 << 32, 1 << 32, 1)),
            (Layer::Relu, Shape::map(3, 0, 32)),
            (Layer::GlobalAveragePool, Shape::map(1 << 22, 1 << 22, 1 << 22)),
            (Layer::MaxPool { size: 0 }, image),
            (Layer::Residual { layers: Vec::new() }, image),
            (linear(1 << 20, 1 << 44), Shape::vector(1 << 20)),
            (linear(3, 0), Shape::vector(3)),
        ] {
            assert!(layer.output(input).is_err(), "{layer:?} on {input:?}: {:?}", layer.output(input));
        }
        assert_eq!(conv(3, 8, 5, 2).output(image), Ok(Shape::map(8, 32, 32)));
        assert_eq!(Shape::map(1 << 40, 1 << 40, 1).len(), usize::MAX);
    }

    #[test]
    fn two_layers_of_one_name_are_refused_within_residual_branches_too() {
        let branch = |layers| Layer::Residual { layers };
        let norm = Layer::BatchNorm { name: "conv".to_string(), channels: 3, scale: true, momentum: 0.1, eps: 1e-5 };
        let input = Shape::map(3, 1, 1);
        for layers in [
            vec![conv(3, 3, 1, 0), conv(3, 3, 1, 0)],
            vec![conv(3, 3, 1, 0), norm.clone()],
            vec![branch(vec![conv(3, 3, 1, 0)]), norm.clone()],
            vec![branch(vec![branch(vec![norm.clone()]), conv(3, 3, 1, 0)])],
        ] {
            let twice = Architecture { name: "twins".to_string(), input, classes: 3, layers };
            assert_eq!(twice.check(), Err("twins: two layers have the name conv".to_string()));
        }
        let once = Architecture { name: "one".to_string(), input, classes: 3, layers: vec![branch(vec![norm])] };
        assert_eq!(once.check(), Ok(()));
    }

    #[test]
    fn a_network_without_layers_is_refused() {
        let input = Shape::vector(10);
        let empty = Architecture { name: "empty".to_string(), input, classes: 10, layers: Vec::new() };
        assert_eq!(empty.check(), Err("empty has no layers".to_string()));
    }
}
