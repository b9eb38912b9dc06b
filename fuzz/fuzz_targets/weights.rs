//! Any bytes, read as a safetensors file of weights: exactly the arrays that were expected, or an error. Never a panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lrsched::model::{Array, Parameters, Role, Weights, fill};

/// A network small enough for the fuzzer to find its file.
fn small() -> Parameters {
    let mut parameters = Parameters::default();
    for (name, shape) in [("a.weight", vec![2, 1]), ("a.bias", vec![]), ("b.weight", vec![0])] {
        let values = vec![0.5; shape.iter().product()];
        parameters.push(Array { name: name.to_string(), shape, role: Role::Trainable, values });
    }
    parameters
}

fuzz_target!(|bytes: &[u8]| {
    let one_line = |error: anyhow::Error| {
        let text = format!("{error:#}");
        assert!(!text.chars().any(char::is_control) && text.chars().count() < 2000, "{text:?}");
    };
    // No input is as long as the weights of a real network.
    one_line(Weights::of(bytes, None, 10).unwrap_err());
    let mut parameters = small();
    if let Err(error) = fill(&mut parameters, bytes) {
        return one_line(error);
    }
    // The three numbers are the last of the file, in some order.
    let tail: Vec<[u8; 4]> = bytes[bytes.len() - 12..].as_chunks().0.to_vec();
    let values = parameters.arrays().iter().flat_map(|array| &array.values);
    let mut values: Vec<[u8; 4]> = values.map(|value| value.to_bits().to_le_bytes()).collect();
    assert_eq!(values.len(), 3);
    values.retain(|value| !tail.contains(value));
    assert!(values.is_empty(), "{values:?} is not of {tail:?}");
});
