//! Initial weights, keyed by (seed, array): runs with the same seed start from the same weights, in whatever order
//! arrays are drawn.

use super::architecture::{Architecture, Layer};
use super::parameters::{Array, Parameters, Role};
use crate::random::{Purpose, keyed, normal, uniform};

/// Weight initialisation schemes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Init {
    /// Normal with standard deviation √(2 / fan_in) (He et al. 2015, arXiv:1502.01852); bias 0.
    He,
    /// [`Init::He`] scaled by 0.1, for the layer that computes the logits. At full scale, the spread of the logits
    /// gives an initial loss of 3 to 4 instead of ln 10, and sgd at its usual rate of 0.1 diverges within five steps.
    SmallHe,
    /// PyTorch's default for convolutions and linear layers: uniform in ±√(1 / fan_in), including the bias.
    TorchDefault,
    /// [`Init::TorchDefault`], except that the first min(outputs, inputs) kernels are the identity of their channel
    /// (`dirac_`).
    Dirac,
    /// Zeros, to be replaced by [`super::whiten`].
    Whitening,
}

/// The name, shape and role of an array, without its values.
#[derive(Debug, Clone, PartialEq)]
pub struct Slot {
    pub name: String,
    pub shape: Vec<usize>,
    pub role: Role,
    start: Start,
}

/// How an array is initialised.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Start {
    Filled(f32),
    Drawn { init: Init, fan_in: usize },
}

impl Slot {
    /// Values in the array.
    ///
    /// # Panics
    /// The number overflows, which [`Architecture::check`] rules out.
    pub fn len(&self) -> usize {
        product(&self.shape)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The initial parameters of `architecture`.
///
/// # Panics
/// On an architecture that fails [`Architecture::check`]: duplicate layer names, or a size that overflows.
pub fn initialise(architecture: &Architecture, seed: u64) -> Parameters {
    fill(architecture, Some(seed))
}

/// Like [`initialise`], but drawn weights are 0: for values that are loaded from elsewhere.
pub fn blank(architecture: &Architecture) -> Parameters {
    fill(architecture, None)
}

/// The arrays of `architecture` in parameter order, without allocating their values.
pub fn slots(architecture: &Architecture) -> Vec<Slot> {
    let mut slots = Vec::new();
    add_layers(&architecture.layers, &mut slots);
    slots
}

/// Without a seed, weights that would be drawn are 0.
fn fill(architecture: &Architecture, seed: Option<u64>) -> Parameters {
    let mut parameters = Parameters::default();
    for (place, slot) in slots(architecture).into_iter().enumerate() {
        let count = slot.len();
        let mut values = match (slot.start, seed) {
            (Start::Filled(value), _) => vec![value; count],
            (Start::Drawn { .. }, None) => vec![0.0; count],
            (Start::Drawn { init, fan_in }, Some(seed)) => draw(seed, place, init, fan_in, count),
        };
        if let (Start::Drawn { init: Init::Dirac, .. }, [outputs, inputs, kernel, _]) = (slot.start, &slot.shape[..]) {
            set_dirac(&mut values, *outputs, *inputs, *kernel);
        }
        parameters.push(Array { name: slot.name, shape: slot.shape, role: slot.role, values });
    }
    parameters
}

fn add_layers(layers: &[Layer], slots: &mut Vec<Slot>) {
    for layer in layers {
        match layer {
            Layer::Conv { name, inputs, outputs, kernel, bias, frozen, init, .. } => {
                let shape = vec![*outputs, *inputs, *kernel, *kernel];
                let fan_in = product(&[*inputs, *kernel, *kernel]);
                let role = if *frozen { Role::Frozen } else { Role::Trainable };
                push(slots, name, "weight", shape, role, Start::Drawn { init: *init, fan_in });
                if *bias {
                    push_bias(slots, name, *init, fan_in, *outputs);
                }
            }
            Layer::Linear { name, inputs, outputs, bias, init } => {
                let drawn = Start::Drawn { init: *init, fan_in: *inputs };
                push(slots, name, "weight", vec![*outputs, *inputs], Role::Trainable, drawn);
                if *bias {
                    push_bias(slots, name, *init, *inputs, *outputs);
                }
            }
            Layer::BatchNorm { name, channels, scale, .. } => {
                let weight_role = if *scale { Role::Trainable } else { Role::Frozen };
                for (part, role, value) in [
                    ("weight", weight_role, 1.0),
                    ("bias", Role::Trainable, 0.0),
                    ("running_mean", Role::RunningStatistic, 0.0),
                    ("running_var", Role::RunningStatistic, 1.0),
                ] {
                    push(slots, name, part, vec![*channels], role, Start::Filled(value));
                }
            }
            Layer::Residual { layers } => add_layers(layers, slots),
            Layer::Relu
            | Layer::Gelu
            | Layer::MaxPool { .. }
            | Layer::GlobalAveragePool
            | Layer::Dropout { .. }
            | Layer::Flatten
            | Layer::Scale { .. } => {}
        }
    }
}

fn product(sides: &[usize]) -> usize {
    let product = sides.iter().try_fold(1_usize, |product, side| product.checked_mul(*side));
    product.unwrap_or_else(|| panic!("weights of {sides:?} overflow"))
}

fn push(slots: &mut Vec<Slot>, layer: &str, part: &str, shape: Vec<usize>, role: Role, start: Start) {
    slots.push(Slot { name: format!("{layer}.{part}"), shape, role, start });
}

fn push_bias(slots: &mut Vec<Slot>, layer: &str, init: Init, fan_in: usize, outputs: usize) {
    let start = match init {
        Init::He | Init::SmallHe | Init::Whitening => Start::Filled(0.0),
        Init::TorchDefault | Init::Dirac => Start::Drawn { init: Init::TorchDefault, fan_in },
    };
    push(slots, layer, "bias", vec![outputs], Role::Trainable, start);
}

fn draw(seed: u64, place: usize, init: Init, fan_in: usize, count: usize) -> Vec<f32> {
    let mut rng = keyed(seed, Purpose::InitialWeights, 0, place as u64);
    let fan_in = fan_in as f32;
    match init {
        Init::He | Init::SmallHe => {
            let std = (2.0 / fan_in).sqrt() * if init == Init::He { 1.0 } else { 0.1 };
            (0..count).map(|_| std * normal(&mut rng)).collect()
        }
        Init::TorchDefault | Init::Dirac => {
            let bound = 1.0 / fan_in.sqrt();
            (0..count).map(|_| bound * (2.0 * uniform(&mut rng) - 1.0)).collect()
        }
        Init::Whitening => vec![0.0; count],
    }
}

/// `torch.nn.init.dirac_(weight[:inputs])`.
fn set_dirac(weight: &mut [f32], outputs: usize, inputs: usize, kernel: usize) {
    let area = kernel * kernel;
    let centre = (kernel / 2) * kernel + kernel / 2;
    for channel in 0..outputs.min(inputs) {
        let row = &mut weight[channel * inputs * area..(channel + 1) * inputs * area];
        row.fill(0.0);
        row[channel * area + centre] = 1.0;
    }
}

#[cfg(test)]
mod tests {
    use super::super::zoo::{Model, ModelOptions};
    use super::*;

    #[test]
    fn he_weights_have_the_variance_of_the_paper_and_biases_are_0() {
        let parameters = initialise(&Model::default().architecture(&ModelOptions::default()), 3);
        let weight = &parameters.get("fc1.weight").unwrap().values;
        let variance = weight.iter().map(|w| f64::from(w * w)).sum::<f64>() / weight.len() as f64;
        assert!((variance * 4096.0 / 2.0 - 1.0).abs() < 0.01, "variance {variance}");
        assert!(parameters.get("fc1.bias").unwrap().values.iter().all(|&b| b == 0.0));
    }

    #[test]
    fn a_seed_gives_the_same_weights_and_another_seed_others() {
        let architecture = Model::default().architecture(&ModelOptions::default());
        assert_eq!(initialise(&architecture, 1), initialise(&architecture, 1));
        assert_ne!(initialise(&architecture, 1), initialise(&architecture, 2));
    }

    #[test]
    fn dirac_kernels_pass_their_channel_on() {
        let parameters = initialise(&"airbench94".parse::<Model>().unwrap().architecture(&ModelOptions::default()), 0);
        let weight = &parameters.get("group1.conv1.weight").unwrap().values; // (64, 24, 3, 3)
        let kernel = |output: usize, input: usize| &weight[(output * 24 + input) * 9..][..9];
        assert_eq!(kernel(5, 5), [0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
        assert!(kernel(5, 6).iter().all(|&w| w == 0.0));
        assert!(kernel(30, 6).iter().any(|&w| w != 0.0));
    }
}
