//! The networks that `--model` names.

use super::architecture::{Architecture, Layer, Shape};
use super::initialise::Init;
use crate::usage::{Usage, named};
use std::fmt;

/// One network of the table.
struct Network {
    name: &'static str,
    /// Trainable parameters, with 10 classes.
    parameters: usize,
    layers: fn(&ModelOptions) -> Vec<Layer>,
}

/// Declares the files of the networks and the table of them, in the order of the help. The first is the default.
macro_rules! networks {
    (if #[cfg(all())] { $(mod $file:ident;)+ }) => {
        $(mod $file;)+

        impl Model {
            pub const ALL: [Model; [$($file::NETWORK.name),+].len()] = [$(Model(&$file::NETWORK)),+];
        }
    };
}

/// rustfmt follows the `mod` lines within a macro of this name, and of no other.
mod cfg_if {
    pub(super) use networks;
}

cfg_if::networks! {
    if #[cfg(all())] {
        mod cnn;
        mod resnet9;
        mod airbench94;
        mod airbench94_muon;
        mod tiny;
    }
}

/// A built-in network.
#[derive(Clone, Copy)]
pub struct Model(&'static Network);

impl Model {
    pub const fn name(self) -> &'static str {
        self.0.name
    }

    /// Trainable parameters, with 10 classes.
    pub const fn parameters(self) -> usize {
        self.0.parameters
    }
}

impl PartialEq for Model {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Model {}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Network options exposed to the user.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ModelOptions {
    /// Dropout probability before the last linear layer; 0 omits the dropout layer.
    pub dropout: f32,
    pub classes: usize,
}

impl Default for Model {
    fn default() -> Self {
        Model::ALL[0]
    }
}

impl Default for ModelOptions {
    fn default() -> Self {
        Self { dropout: 0.0, classes: 10 }
    }
}

impl Model {
    /// The layers, for 3x32x32 images.
    pub fn architecture(self, options: &ModelOptions) -> Architecture {
        let architecture = Architecture {
            name: self.name().to_string(),
            input: Shape::map(3, 32, 32),
            classes: options.classes,
            layers: (self.0.layers)(options),
        };
        debug_assert_eq!(architecture.check(), Ok(()));
        architecture
    }
}

impl std::str::FromStr for Model {
    type Err = Usage;

    fn from_str(text: &str) -> Result<Self, Usage> {
        named("model", text, Self::ALL, Self::name)
    }
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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

#[cfg(test)]
mod tests {
    use super::super::initialise::initialise;
    use super::*;

    #[test]
    fn every_network_fits_together_and_has_the_size_that_its_description_states() {
        for model in Model::ALL {
            let architecture = model.architecture(&ModelOptions::default());
            assert_eq!(architecture.check(), Ok(()));
            assert_eq!(initialise(&architecture, 0).trainable(), model.parameters(), "{model}");
        }
    }

    #[test]
    fn dropout_comes_before_the_last_linear_layer_only_when_asked_for() {
        let count = |dropout: f32| {
            let layers = Model::default().architecture(&ModelOptions { dropout, classes: 10 }).layers;
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
