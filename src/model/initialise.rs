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
    /// [`Init::TorchDefault`], divided by the standard deviation of all the weights (with n − 1).
    UnitDeviation,
    /// Zeros, to be replaced by [`super::whiten`]; the bias is 0.
    Whitening,
    /// [`Init::Whitening`], but for the bias, which is PyTorch's default.
    WhiteningTorch,
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
        if let Start::Drawn { init: Init::UnitDeviation, .. } = slot.start {
            divide_by_deviation(&mut values);
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
        Init::TorchDefault | Init::Dirac | Init::UnitDeviation | Init::WhiteningTorch => {
            Start::Drawn { init: Init::TorchDefault, fan_in }
        }
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
        Init::TorchDefault | Init::Dirac | Init::UnitDeviation => {
            let bound = 1.0 / fan_in.sqrt();
            (0..count).map(|_| bound * (2.0 * uniform(&mut rng) - 1.0)).collect()
        }
        Init::Whitening | Init::WhiteningTorch => vec![0.0; count],
    }
}

/// `weight /= weight.std()`; blank weights stay as they are.
fn divide_by_deviation(weight: &mut [f32]) {
    let count = weight.len() as f64;
    let mean = weight.iter().map(|&w| f64::from(w)).sum::<f64>() / count;
    let squares: f64 = weight.iter().map(|&w| (f64::from(w) - mean).powi(2)).sum();
    let deviation = (squares / (count - 1.0)).sqrt();
    if deviation > 0.0 {
        weight.iter_mut().for_each(|w| *w = (f64::from(*w) / deviation) as f32);
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
    fn the_two_airbench94_differ_in_the_head_the_bias_of_the_whitening_layer_and_the_scale_of_the_logits() {
        let of = |name: &str| name.parse::<Model>().unwrap().architecture(&ModelOptions::default());
        let (older, muon) = (of("airbench94"), of("airbench94-muon"));
        let scale = |architecture: &Architecture| match architecture.layers.last() {
            Some(Layer::Scale { factor }) => *factor,
            _ => panic!("the last layer scales the logits"),
        };
        assert_eq!((scale(&older), scale(&muon)), (1.0 / 9.0, 1.0 / 256.0));
        let (older, muon) = (initialise(&older, 4), initialise(&muon, 4));
        let values = |parameters: &Parameters, name: &str| parameters.get(name).unwrap().values.clone();
        assert_eq!(values(&older, "group2.conv1.weight"), values(&muon, "group2.conv1.weight"));
        assert!(values(&older, "whiten.bias").iter().all(|&b| b == 0.0));
        // PyTorch's default: uniform in ±1/√12.
        let bias = values(&muon, "whiten.bias");
        let largest = bias.iter().fold(0.0_f32, |most, b| most.max(b.abs()));
        assert!((0.2..=0.2887).contains(&largest) && bias.iter().any(|&b| b < 0.0), "{bias:?}");
        let deviation = |weights: &[f32]| {
            let mean = weights.iter().map(|&w| f64::from(w)).sum::<f64>() / weights.len() as f64;
            (weights.iter().map(|&w| (f64::from(w) - mean).powi(2)).sum::<f64>() / (weights.len() - 1) as f64).sqrt()
        };
        let (first, head) = (values(&older, "head.weight"), values(&muon, "head.weight"));
        assert!((deviation(&head) - 1.0).abs() < 1e-6, "{}", deviation(&head));
        let factor = deviation(&first) as f32;
        assert!(first.iter().zip(&head).all(|(first, head)| (first - head * factor).abs() < 1e-6));
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
