//! Arrays of f32 as safetensors files, in the layout that PyTorch reads.

use crate::model::Parameters;
use crate::record::replace_own;
use crate::train::Arrays;
use anyhow::{Result, ensure};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use sha2::{Digest, Sha256};
use std::path::Path;

/// Arrays as a safetensors file.
pub(super) fn to_bytes(arrays: &Arrays) -> Result<Vec<u8>> {
    let bytes: Vec<Vec<u8>> =
        arrays.values().map(|(_, values)| values.iter().flat_map(|value| value.to_le_bytes()).collect()).collect();
    let views = arrays
        .iter()
        .zip(&bytes)
        .map(|((name, (shape, _)), bytes)| Ok((name, TensorView::new(Dtype::F32, shape.clone(), bytes)?)))
        .collect::<Result<Vec<_>>>()?;
    Ok(safetensors::serialize(views, None)?)
}

pub(super) fn from_bytes(bytes: &[u8]) -> Result<Arrays> {
    let tensors = SafeTensors::deserialize(bytes)?;
    let array = |(name, tensor): (String, TensorView<'_>)| {
        ensure!(tensor.dtype() == Dtype::F32, "{name} holds {:?}, expected F32", tensor.dtype());
        let values = tensor.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        Ok((name, (tensor.shape().to_vec(), values)))
    };
    tensors.tensors().into_iter().map(array).collect()
}

/// Writes every array under PyTorch's name and in its shape, so that `model.load_state_dict(load_file(path))` accepts
/// the file directly. Returns the SHA-256 of the file.
///
/// # Errors
/// A file that cannot be written.
pub fn save_weights(parameters: &Parameters, path: &Path) -> Result<String> {
    let arrays =
        parameters.arrays().iter().map(|array| (array.name.clone(), (array.shape.clone(), array.values.clone())));
    let bytes = to_bytes(&arrays.collect())?;
    replace_own(path, &bytes)?;
    Ok(sha256(&bytes))
}

/// In hex.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Model, ModelOptions, initialise};

    #[test]
    fn weights_are_saved_under_pytorchs_names_and_shapes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        let parameters = initialise(&Model::default().architecture(&ModelOptions::default()), 1);
        save_weights(&parameters, &path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let saved = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let mut names = saved.names();
        names.sort_unstable();
        let layers = ["conv1", "conv2", "conv3", "conv4", "fc1", "fc2"];
        let expected: Vec<String> =
            layers.iter().flat_map(|layer| [format!("{layer}.bias"), format!("{layer}.weight")]).collect();
        assert_eq!(names, expected);
        let conv = saved.tensor("conv3.weight").unwrap();
        assert_eq!(conv.shape(), [64, 32, 3, 3]);
        assert_eq!(conv.data()[..4], parameters.get("conv3.weight").unwrap().values[0].to_le_bytes());
        assert_eq!(saved.tensor("fc1.weight").unwrap().shape(), [512, 4096]);
    }
}
