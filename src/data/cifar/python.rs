//! The batches of `cifar-10-python.tar.gz` and `cifar-100-python.tar.gz`: Python pickles of a dictionary with the images' `data` and
//! `labels` or `fine_labels`.

use super::Cifar;
use crate::data::images::{CHANNELS, IMAGE_BYTES, SIDE};
use crate::data::pickle::{Dtype, Pickle, Value};
use crate::number::grouped;
use anyhow::{Context, Result, anyhow, ensure};
use std::path::Path;

/// Reads one image per element of `labels` from the bytes of a file; `pixels` is (labels, 3, 32, 32).
///
/// # Errors
/// The bytes are not a pickle of that many images and their classes; the message names `path`.
pub fn read_batch(path: &Path, bytes: &[u8], dataset: &Cifar, pixels: &mut [u8], labels: &mut [u8]) -> Result<()> {
    let filled = Pickle::read(bytes).context("it is not a pickled batch of images").and_then(|pickle| {
        fill_pixels(&pickle, pixels, labels.len())?;
        fill_labels(&pickle, dataset, labels)
    });
    filled.map_err(|error| anyhow!("{}: {error:#}", path.display()))
}

fn fill_pixels(pickle: &Pickle, pixels: &mut [u8], count: usize) -> Result<()> {
    let value = pickle.get("data").context("it holds no `data`")?;
    let array = pickle.array(value).context("its `data` is not an array")?;
    let [count, channels, side] = [count, CHANNELS, SIDE].map(|size| size as i64);
    let as_rows = array.shape == [count, channels * side * side];
    let as_planes = array.shape == [count, channels, side, side];
    ensure!(
        array.dtype == Dtype::U1 && (as_rows || as_planes),
        "its `data` has shape {:?}, expected [{count}, {IMAGE_BYTES}] of bytes",
        array.shape
    );
    pixels.copy_from_slice(&array.bytes(pixels.len())?);
    Ok(())
}

fn fill_labels(pickle: &Pickle, dataset: &Cifar, labels: &mut [u8]) -> Result<()> {
    let key = dataset.labels_key;
    let value = pickle.get(key).with_context(|| format!("it holds no `{key}`"))?;
    let found = match (pickle.list(value), pickle.array(value)) {
        (Some(items), _) => {
            let number = |item: &Value| match item {
                Value::Int(label) => Some(*label),
                _ => None,
            };
            items
                .iter()
                .map(number)
                .collect::<Option<Vec<i64>>>()
                .with_context(|| format!("its `{key}` are not whole numbers"))?
        }
        (_, Some(array)) => array.integers(labels.len())?,
        _ => return Err(anyhow!("its `{key}` are neither a list nor an array")),
    };
    let (count, expected) = (found.len() as u64, labels.len() as u64);
    ensure!(count == expected, "it holds {} labels, expected {}", grouped(count), grouped(expected));
    for (record, (label, found)) in labels.iter_mut().zip(found).enumerate() {
        *label = dataset.label(record, found)?;
    }
    Ok(())
}
