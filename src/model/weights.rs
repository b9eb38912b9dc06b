//! Loads weights from a safetensors file, checking them against their network.

use super::initialise::blank;
use super::parameters::{Array, Parameters};
use super::zoo::{Model, ModelOptions};
use crate::disk;
use anyhow::{Context, Result, anyhow, bail, ensure};
use safetensors::{Dtype, SafeTensorError, SafeTensors};
use std::path::Path;

/// PyTorch's batch norm counts batches in this tensor; the count is not used in any computation.
const IGNORED_SUFFIX: &str = ".num_batches_tracked";

/// A network and its weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    pub model: Model,
    pub parameters: Parameters,
}

impl Weights {
    /// Reads a file, of a network for so many `classes`. Without a `model`, infers the network from the names and shapes.
    ///
    /// # Errors
    /// One line that starts with the path: the file cannot be read, is not a safetensors file, is truncated, or holds
    /// another network (names the first tensor that does not fit, and what was expected).
    pub fn read(path: &Path, model: Option<Model>, classes: usize) -> Result<Self> {
        let name = || path.display().to_string();
        let bytes = disk::read(path, disk::MOST_ARRAYS).with_context(name)?;
        Self::of(&bytes, model, classes).with_context(name)
    }

    /// [`Weights::read`] for the bytes of a file.
    ///
    /// # Errors
    /// As [`Weights::read`], without the path.
    pub fn of(bytes: &[u8], model: Option<Model>, classes: usize) -> Result<Self> {
        ensure!(bytes.len() as u64 <= disk::MOST_ARRAYS, "larger than 1 GiB, the limit for weights");
        let model = match model {
            Some(model) => model,
            None => infer(&parse(bytes)?, classes)?,
        };
        let mut parameters = blank_of(model, classes);
        fill(&mut parameters, bytes).with_context(|| format!("not the weights of {model} with {classes} classes"))?;
        Ok(Self { model, parameters })
    }
}

/// Names and shapes do not depend on dropout.
fn blank_of(model: Model, classes: usize) -> Parameters {
    blank(&model.architecture(&ModelOptions { classes, ..ModelOptions::default() }))
}

fn parse(bytes: &[u8]) -> Result<SafeTensors<'_>> {
    SafeTensors::deserialize(bytes).map_err(|error| damage(&error, bytes.len()))
}

fn damage(error: &SafeTensorError, bytes: usize) -> anyhow::Error {
    match error {
        SafeTensorError::HeaderTooSmall => anyhow!("not a safetensors file: it is only {bytes} bytes long"),
        SafeTensorError::InvalidHeaderLength => {
            anyhow!("not a safetensors file, or a truncated one: {bytes} bytes do not even hold its header")
        }
        SafeTensorError::MetadataIncompleteBuffer => {
            anyhow!(
                "a safetensors file that is truncated or has trailing bytes: its tensors do not end at byte {bytes}"
            )
        }
        other => anyhow!("not a safetensors file: {}", shown(&other.to_string())),
    }
}

/// The network that matches the most names and shapes.
///
/// # Errors
/// No network matches any, or two match alike.
fn infer(tensors: &SafeTensors<'_>, classes: usize) -> Result<Model> {
    let fitting = Model::ALL.map(|model| {
        let fits = |array: &&Array| tensors.tensor(&array.name).is_ok_and(|tensor| tensor.shape() == array.shape);
        (blank_of(model, classes).arrays().iter().filter(fits).count(), model)
    });
    let most = fitting.iter().map(|(count, _)| *count).max().filter(|count| *count > 0);
    let mut best = fitting.into_iter().filter(|(count, _)| Some(*count) == most).map(|(_, model)| model);
    if let (Some(first), Some(second)) = (best.clone().next(), best.clone().nth(1)) {
        bail!(
            "its tensors fit {first} and {second} alike, which differ in the scale of the logits; choose with --model"
        );
    }
    best.next().with_context(|| {
        let mut names = tensors.names();
        names.sort_unstable();
        names.truncate(3);
        let known = Model::ALL.map(Model::name).join(", ");
        format!("its tensors ({}, …) belong to none of the networks: {known}", shown(&names.join(", ")))
    })
}

/// Sanitises text from a file, which may be long or contain control characters.
fn shown(name: &str) -> String {
    name.chars().take(120).collect::<String>().escape_debug().to_string()
}

/// Fills each array from the tensor of the same name in a safetensors file.
///
/// # Errors
/// `file` is not a safetensors file; a tensor is missing, has another shape, or is not f32; or the file has a tensor
/// that `parameters` lacks.
pub fn fill(parameters: &mut Parameters, file: &[u8]) -> Result<()> {
    let tensors = parse(file)?;
    for array in parameters.arrays_mut() {
        let (name, expected) = (&array.name, &array.shape);
        let Ok(tensor) = tensors.tensor(name) else {
            bail!("the tensor `{name}` {expected:?} is missing");
        };
        ensure!(tensor.shape() == expected, "the tensor `{name}` is {:?}, expected {expected:?}", tensor.shape());
        ensure!(tensor.dtype() == Dtype::F32, "the tensor `{name}` holds {:?}, expected F32", tensor.dtype());
        for (value, bytes) in array.values.iter_mut().zip(tensor.data().as_chunks().0) {
            *value = f32::from_le_bytes(*bytes);
        }
    }
    let foreign = |name: &&str| parameters.get(name).is_none() && !name.ends_with(IGNORED_SUFFIX);
    match tensors.names().into_iter().filter(foreign).min() {
        Some(name) => bail!("unexpected tensor `{}`", shown(name)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::initialise::initialise;
    use super::*;
    use safetensors::tensor::TensorView;

    type Tensor = (String, Dtype, Vec<usize>, Vec<u8>);

    fn tensors(model: Model) -> Vec<Tensor> {
        let parameters = initialise(&model.architecture(&ModelOptions::default()), 5);
        let tensor = |array: &Array| {
            let bytes = array.values.iter().flat_map(|value| value.to_le_bytes()).collect();
            (array.name.clone(), Dtype::F32, array.shape.clone(), bytes)
        };
        parameters.arrays().iter().map(tensor).collect()
    }

    fn file(tensors: &[Tensor]) -> Vec<u8> {
        let view = |(name, dtype, shape, bytes): &'_ Tensor| (name.clone(), *dtype, shape.clone(), bytes.clone());
        let owned: Vec<_> = tensors.iter().map(view).collect();
        let views = owned
            .iter()
            .map(|(name, dtype, shape, bytes)| (name.as_str(), TensorView::new(*dtype, shape.clone(), bytes).unwrap()));
        safetensors::serialize(views, None).unwrap()
    }

    fn error(bytes: &[u8], model: Option<Model>) -> String {
        format!("{:#}", Weights::of(bytes, model, 10).unwrap_err())
    }

    #[test]
    fn weights_round_trip_and_their_names_and_shapes_identify_the_network_unless_two_are_alike() {
        for model in Model::ALL {
            let bytes = file(&tensors(model));
            let named = model.name().starts_with("airbench94").then_some(model);
            if named.is_some() {
                let said = error(&bytes, None);
                assert!(
                    said.contains("fit airbench94 and airbench94-muon alike") && said.contains("--model"),
                    "{said}"
                );
            }
            let weights = Weights::of(&bytes, named, 10).unwrap();
            assert_eq!(weights.model, model);
            assert_eq!(weights.parameters, initialise(&model.architecture(&ModelOptions::default()), 5));
        }
    }

    #[test]
    fn pytorchs_batch_count_is_ignored() {
        let mut tensors = tensors("resnet9".parse().unwrap());
        let name = tensors.iter().find_map(|tensor| tensor.0.strip_suffix(".running_mean")).unwrap().to_string();
        tensors.push((format!("{name}.num_batches_tracked"), Dtype::I64, vec![], vec![0; 8]));
        assert!(Weights::of(&file(&tensors), None, 10).is_ok());
    }

    #[test]
    fn a_tensor_that_does_not_fit_is_named_with_what_was_expected() {
        let whole = tensors(Model::default());
        let changed = |change: &dyn Fn(&mut Vec<Tensor>)| {
            let mut tensors = whole.clone();
            change(&mut tensors);
            error(&file(&tensors), None)
        };
        let place = |name: &str| whole.iter().position(|tensor| tensor.0 == name).unwrap();
        let missing = changed(&|tensors| drop(tensors.remove(place("fc1.bias"))));
        assert_eq!(missing, "not the weights of cnn with 10 classes: the tensor `fc1.bias` [512] is missing");
        let reshaped = changed(&|tensors| tensors[place("conv2.weight")].2 = vec![32, 32, 9]);
        assert!(reshaped.contains("`conv2.weight` is [32, 32, 9], expected [32, 32, 3, 3]"), "{reshaped}");
        let halves = changed(&|tensors| {
            tensors[place("conv1.bias")].1 = Dtype::F16;
            tensors[place("conv1.bias")].3.truncate(64);
        });
        assert!(halves.contains("`conv1.bias` holds F16, expected F32"), "{halves}");
        let more = changed(&|tensors| tensors.push(("head.\n".into(), Dtype::F32, vec![1], vec![0; 4])));
        assert!(more.contains("unexpected tensor `head.\\n`"), "{more}");
    }

    #[test]
    fn a_file_of_another_or_unknown_network_says_so() {
        let cnn = file(&tensors(Model::default()));
        assert!(
            error(&cnn, Some("resnet9".parse().unwrap()))
                .starts_with("not the weights of resnet9 with 10 classes: the tensor `")
        );
        let foreign = file(&[("encoder.weight".into(), Dtype::F32, vec![1], vec![0; 4])]);
        let said = error(&foreign, None);
        assert!(
            said.contains(
                "(encoder.weight, …) belong to none of the networks: cnn, resnet9, airbench94, airbench94-muon, tiny"
            ),
            "{said}"
        );
    }

    #[test]
    fn a_truncated_or_foreign_file_is_refused_in_one_line() {
        let whole = file(&tensors(Model::default()));
        assert!(error(&[], None).contains("only 0 bytes long"));
        assert!(error(&whole[..40], None).contains("or a truncated one"));
        assert!(error(&whole[..whole.len() - 1], None).contains("is truncated or has trailing bytes"));
        assert!(error(&[&whole[..], b"more"].concat(), None).contains("trailing bytes"));
        // Found by fuzzing: the message contained the name of a tensor with wrong offsets unescaped.
        let hole = br#"{"a\u0007":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#;
        let hole = [&(hole.len() as u64).to_le_bytes()[..], hole, &[0; 8]].concat();
        assert!(error(&hole, None).contains("invalid offset for tensor `a\\u{7}`"), "{}", error(&hole, None));
        assert!(error(b"epoch,learning_rate,loss\n0,0.1,2.3\n", None).starts_with("not a safetensors file"));
    }
}
