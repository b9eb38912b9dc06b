//! The networks that `--model` names.

use super::architecture::{Architecture, Layer, Shape};
use super::initialise::Init;
use crate::usage;
use crate::usage::{Usage, did_you_mean, shortened};

/// A built-in network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Model {
    /// Four 3x3 convolutions and two linear layers, 2.2 million parameters: the network of the tutorials, and the one
    /// that benchmarks use.
    #[default]
    Cnn,
    /// A small residual network with batch norm, 1.6 million parameters: higher accuracy for more training time. The
    /// shape of David Page's ResNet-9 ("How to train your ResNet", 2018) at half the width.
    Resnet9,
    /// Keller Jordan's airbench94 (arXiv:2404.00498), including its whitening layer.
    Airbench94,
    /// Two 3x3 convolutions and a linear layer, 2,042 parameters, for trying things out: an epoch takes a moment. Do not expect accuracy.
    Tiny,
}

/// Network options exposed to the user.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ModelOptions {
    /// Dropout probability before the last linear layer; 0 omits the dropout layer.
    pub dropout: f32,
    pub classes: usize,
}

impl Default for ModelOptions {
    fn default() -> Self {
        Self { dropout: 0.0, classes: 10 }
    }
}

impl Model {
    pub const ALL: [Model; 4] = [Model::Cnn, Model::Resnet9, Model::Airbench94, Model::Tiny];

    pub const fn name(self) -> &'static str {
        match self {
            Model::Cnn => "cnn",
            Model::Resnet9 => "resnet9",
            Model::Airbench94 => "airbench94",
            Model::Tiny => "tiny",
        }
    }

    /// The layers, for 3x32x32 images.
    pub fn architecture(self, options: &ModelOptions) -> Architecture {
        let layers = match self {
            Model::Cnn => cnn(options),
            Model::Resnet9 => resnet9(options),
            Model::Airbench94 => airbench94(options),
            Model::Tiny => tiny(options),
        };
        let architecture = Architecture {
            name: self.name().to_string(),
            input: Shape::map(3, 32, 32),
            classes: options.classes,
            layers,
        };
        debug_assert_eq!(architecture.check(), Ok(()));
        architecture
    }
}

impl std::str::FromStr for Model {
    type Err = Usage;

    fn from_str(text: &str) -> Result<Self, Usage> {
        match Model::ALL.into_iter().find(|model| model.name() == text) {
            Some(model) => Ok(model),
            None => {
                let names = Model::ALL.map(Model::name);
                usage!(
                    "unknown model `{text}`{} (models: {})",
                    did_you_mean(text, names),
                    names.join(", "),
                    text = shortened(text)
                )
            }
        }
    }
}

impl std::fmt::Display for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

fn conv3x3(name: &str, inputs: usize, outputs: usize) -> Layer {
    let name = name.to_string();
    Layer::Conv { name, inputs, outputs, kernel: 3, padding: 1, bias: true, frozen: false, init: Init::He }
}

/// The last layer, which computes the logits.
fn classifier(name: &str, inputs: usize, options: &ModelOptions) -> Layer {
    Layer::Linear { name: name.to_string(), inputs, outputs: options.classes, bias: true, init: Init::SmallHe }
}

/// `None` if the probability is 0.
fn dropout(options: &ModelOptions) -> Option<Layer> {
    (options.dropout > 0.0).then_some(Layer::Dropout { probability: options.dropout })
}

fn cnn(options: &ModelOptions) -> Vec<Layer> {
    let mut layers = vec![
        conv3x3("conv1", 3, 32),
        Layer::Relu,
        conv3x3("conv2", 32, 32),
        Layer::Relu,
        Layer::MaxPool { size: 2 },
        conv3x3("conv3", 32, 64),
        Layer::Relu,
        conv3x3("conv4", 64, 64),
        Layer::Relu,
        Layer::MaxPool { size: 2 },
        Layer::Flatten,
        Layer::Linear { name: "fc1".to_string(), inputs: 4096, outputs: 512, bias: true, init: Init::He },
        Layer::Relu,
    ];
    layers.extend(dropout(options));
    layers.push(classifier("fc2", 512, options));
    layers
}

fn resnet9(options: &ModelOptions) -> Vec<Layer> {
    let block = |name: &str, inputs: usize, outputs: usize| {
        [
            Layer::Conv {
                name: format!("{name}.conv"),
                inputs,
                outputs,
                kernel: 3,
                padding: 1,
                bias: false,
                frozen: false,
                init: Init::He,
            },
            Layer::BatchNorm { name: format!("{name}.norm"), channels: outputs, scale: true, momentum: 0.1, eps: 1e-5 },
            Layer::Relu,
        ]
    };
    let residual = |name: &str, channels: usize| Layer::Residual {
        layers: [block(&format!("{name}.0"), channels, channels), block(&format!("{name}.1"), channels, channels)]
            .concat(),
    };
    let mut layers = Vec::new();
    layers.extend(block("prep", 3, 32));
    layers.extend(block("layer1", 32, 64));
    layers.push(Layer::MaxPool { size: 2 });
    layers.push(residual("layer1.residual", 64));
    layers.extend(block("layer2", 64, 128));
    layers.push(Layer::MaxPool { size: 2 });
    layers.extend(block("layer3", 128, 256));
    layers.push(Layer::MaxPool { size: 2 });
    layers.push(residual("layer3.residual", 256));
    layers.push(Layer::MaxPool { size: 4 });
    layers.push(Layer::Flatten);
    layers.extend(dropout(options));
    layers.push(classifier("head", 256, options));
    // Logits of batch-normed features start large; Page scales them by 1/8.
    layers.push(Layer::Scale { factor: 0.125 });
    layers
}

fn airbench94(options: &ModelOptions) -> Vec<Layer> {
    let mut layers = vec![
        Layer::Conv {
            name: "whiten".to_string(),
            inputs: 3,
            outputs: 24,
            kernel: 2,
            padding: 0,
            bias: true,
            frozen: true,
            init: Init::Whitening,
        },
        Layer::Gelu,
    ];
    for (group, inputs, outputs) in [("group1", 24, 64), ("group2", 64, 256), ("group3", 256, 256)] {
        let conv = |part: &str, inputs: usize| Layer::Conv {
            name: format!("{group}.{part}"),
            inputs,
            outputs,
            kernel: 3,
            padding: 1,
            bias: false,
            frozen: false,
            init: Init::Dirac,
        };
        // airbench's momentum of 0.6 weights the old statistics; PyTorch's momentum weights the new ones.
        let norm = |part: &str| Layer::BatchNorm {
            name: format!("{group}.{part}"),
            channels: outputs,
            scale: false,
            momentum: 0.4,
            eps: 1e-12,
        };
        layers.extend([
            conv("conv1", inputs),
            Layer::MaxPool { size: 2 },
            norm("norm1"),
            Layer::Gelu,
            conv("conv2", outputs),
            norm("norm2"),
            Layer::Gelu,
        ]);
    }
    layers.push(Layer::MaxPool { size: 3 });
    layers.push(Layer::Flatten);
    layers.extend(dropout(options));
    layers.push(Layer::Linear {
        name: "head".to_string(),
        inputs: 256,
        outputs: options.classes,
        bias: false,
        init: Init::TorchDefault,
    });
    layers.push(Layer::Scale { factor: 1.0 / 256.0 });
    layers
}

fn tiny(options: &ModelOptions) -> Vec<Layer> {
    let mut layers = vec![
        conv3x3("conv1", 3, 8),
        Layer::Relu,
        Layer::MaxPool { size: 4 },
        conv3x3("conv2", 8, 16),
        Layer::Relu,
        Layer::MaxPool { size: 4 },
        Layer::Flatten,
    ];
    layers.extend(dropout(options));
    layers.push(classifier("fc", 64, options));
    layers
}

#[cfg(test)]
mod tests {
    use super::super::initialise::initialise;
    use super::*;

    #[test]
    fn every_network_fits_together_and_has_the_size_that_its_description_states() {
        for (model, trainable) in
            [(Model::Cnn, 2_168_362), (Model::Resnet9, 1_646_122), (Model::Airbench94, 1_971_352), (Model::Tiny, 2_042)]
        {
            let architecture = model.architecture(&ModelOptions::default());
            assert_eq!(architecture.check(), Ok(()));
            assert_eq!(initialise(&architecture, 0).trainable(), trainable, "{model}");
        }
    }

    #[test]
    fn dropout_comes_before_the_last_linear_layer_only_when_asked_for() {
        let count = |dropout: f32| {
            let layers = Model::Cnn.architecture(&ModelOptions { dropout, classes: 10 }).layers;
            layers.iter().filter(|layer| matches!(layer, Layer::Dropout { .. })).count()
        };
        assert_eq!((count(0.0), count(0.5)), (0, 1));
    }

    #[test]
    fn a_mistyped_model_suggests_the_nearest() {
        let error = "resnet".parse::<Model>().unwrap_err().to_string();
        assert!(error.contains("did you mean `resnet9`?"), "{error}");
    }
}
