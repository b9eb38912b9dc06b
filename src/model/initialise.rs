//! Initial weights, drawn by (seed, array): the same for every entrant of a seed, whatever the order of drawing.

use super::architecture::{Architecture, Layer};
use super::parameters::{Array, Parameters, Role};
use crate::random::{Purpose, keyed, normal, uniform};

/// How a weight starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Init {
    /// Normal with deviation √(2 / fan_in) (He et al. 2015, arXiv:1502.01852); bias 0.
    He,
    /// A tenth of [`Init::He`]: for the layer that makes the logits. At full size their spread gives a first loss of 3 to 4 in place of
    /// ln 10, and sgd at its usual rate of 0.1 blows up within five steps.
    SmallHe,
    /// PyTorch's default for convolutions and linear layers: uniform in ±√(1 / fan_in), bias too.
    TorchDefault,
    /// As [`Init::TorchDefault`], and then the first min(outputs, inputs) kernels pass their channel on unchanged (`dirac_`).
    Dirac,
    /// Zeros, until [`super::whiten`] makes the kernels from the training images.
    Whitening,
}

/// The parameters of `architecture` as they stand before the first step.
///
/// # Panics
/// Of an architecture that [`Architecture::check`] refuses: where two layers have one name, or a size cannot be counted.
pub fn initialise(architecture: &Architecture, seed: u64) -> Parameters {
    let mut parameters = Parameters::default();
    add_layers(&architecture.layers, Some(seed), &mut parameters);
    parameters
}

/// The names, shapes and roles of [`initialise`], for values from elsewhere: drawn weights are 0.
pub fn blank(architecture: &Architecture) -> Parameters {
    let mut parameters = Parameters::default();
    add_layers(&architecture.layers, None, &mut parameters);
    parameters
}

/// Without a seed nothing is drawn.
fn add_layers(layers: &[Layer], seed: Option<u64>, parameters: &mut Parameters) {
    for layer in layers {
        match layer {
            Layer::Conv { name, inputs, outputs, kernel, bias, frozen, init, .. } => {
                let shape = vec![*outputs, *inputs, *kernel, *kernel];
                let fan_in = product(&[*inputs, *kernel, *kernel]);
                let count = product(&[*outputs, fan_in]);
                let mut weight = draw(seed, parameters.arrays().len(), *init, fan_in, count);
                if *init == Init::Dirac {
                    pass_channels_on(&mut weight, *outputs, *inputs, *kernel);
                }
                let role = if *frozen { Role::Frozen } else { Role::Trainable };
                push(parameters, name, "weight", shape, role, weight);
                if *bias {
                    push_bias(parameters, name, seed, *init, fan_in, *outputs);
                }
            }
            Layer::Linear { name, inputs, outputs, bias, init } => {
                let count = product(&[*outputs, *inputs]);
                let weight = draw(seed, parameters.arrays().len(), *init, *inputs, count);
                push(parameters, name, "weight", vec![*outputs, *inputs], Role::Trainable, weight);
                if *bias {
                    push_bias(parameters, name, seed, *init, *inputs, *outputs);
                }
            }
            Layer::BatchNorm { name, channels, scale, .. } => {
                let weight_role = if *scale { Role::Trainable } else { Role::Frozen };
                for (part, role, value) in [
                    ("weight", weight_role, 1.0),
                    ("bias", Role::Trainable, 0.0),
                    ("running_mean", Role::Statistic, 0.0),
                    ("running_var", Role::Statistic, 1.0),
                ] {
                    push(parameters, name, part, vec![*channels], role, vec![value; *channels]);
                }
            }
            Layer::Residual { layers } => add_layers(layers, seed, parameters),
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
    product.unwrap_or_else(|| panic!("weights of {sides:?} are more than can be counted"))
}

fn push(parameters: &mut Parameters, layer: &str, part: &str, shape: Vec<usize>, role: Role, values: Vec<f32>) {
    parameters.push(Array { name: format!("{layer}.{part}"), shape, role, values });
}

fn push_bias(parameters: &mut Parameters, layer: &str, seed: Option<u64>, init: Init, fan_in: usize, outputs: usize) {
    let bias = match init {
        Init::He | Init::SmallHe | Init::Whitening => vec![0.0; outputs],
        Init::TorchDefault | Init::Dirac => draw(seed, parameters.arrays().len(), Init::TorchDefault, fan_in, outputs),
    };
    push(parameters, layer, "bias", vec![outputs], Role::Trainable, bias);
}

fn draw(seed: Option<u64>, place: usize, init: Init, fan_in: usize, count: usize) -> Vec<f32> {
    let Some(seed) = seed else { return vec![0.0; count] };
    let mut rng = keyed(seed, Purpose::InitialWeights, 0, place as u64);
    let fan_in = fan_in as f32;
    match init {
        Init::He | Init::SmallHe => {
            let deviation = (2.0 / fan_in).sqrt() * if init == Init::He { 1.0 } else { 0.1 };
            (0..count).map(|_| deviation * normal(&mut rng)).collect()
        }
        Init::TorchDefault | Init::Dirac => {
            let bound = 1.0 / fan_in.sqrt();
            (0..count).map(|_| bound * (2.0 * uniform(&mut rng) - 1.0)).collect()
        }
        Init::Whitening => vec![0.0; count],
    }
}

/// `torch.nn.init.dirac_(weight[:inputs])`.
fn pass_channels_on(weight: &mut [f32], outputs: usize, inputs: usize, kernel: usize) {
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
    fn he_weights_have_the_deviation_of_the_paper_and_biases_are_0() {
        let parameters = initialise(&Model::Cnn.architecture(&ModelOptions::default()), 3);
        let weight = &parameters.get("fc1.weight").unwrap().values;
        let variance = weight.iter().map(|w| f64::from(w * w)).sum::<f64>() / weight.len() as f64;
        assert!((variance * 4096.0 / 2.0 - 1.0).abs() < 0.01, "variance {variance}");
        assert!(parameters.get("fc1.bias").unwrap().values.iter().all(|&b| b == 0.0));
    }

    #[test]
    fn a_seed_gives_the_same_weights_and_another_seed_others() {
        let architecture = Model::Cnn.architecture(&ModelOptions::default());
        assert_eq!(initialise(&architecture, 1), initialise(&architecture, 1));
        assert_ne!(initialise(&architecture, 1), initialise(&architecture, 2));
    }

    #[test]
    fn dirac_kernels_pass_their_channel_on() {
        let parameters = initialise(&Model::Airbench94.architecture(&ModelOptions::default()), 0);
        let weight = &parameters.get("group1.conv1.weight").unwrap().values; // (64, 24, 3, 3)
        let kernel = |output: usize, input: usize| &weight[(output * 24 + input) * 9..][..9];
        assert_eq!(kernel(5, 5), [0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
        assert!(kernel(5, 6).iter().all(|&w| w == 0.0));
        assert!(kernel(30, 6).iter().any(|&w| w != 0.0));
    }
}
