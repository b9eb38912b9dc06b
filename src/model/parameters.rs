//! Named f32 arrays: weights, frozen weights, running statistics, and gradients.

use std::collections::HashMap;

/// What updates an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The optimizer, from the gradient.
    Trainable,
    /// Nothing.
    Frozen,
    /// The engine, during training: running means and variances.
    RunningStatistic,
}

/// One named array, row-major, with PyTorch's shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    pub name: String,
    pub shape: Vec<usize>,
    pub role: Role,
    pub values: Vec<f32>,
}

/// All arrays of a network, in layer order. The index of an array never changes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Parameters {
    arrays: Vec<Array>,
    indices: HashMap<String, usize>,
}

impl Parameters {
    /// # Panics
    /// On a duplicate name, or values that do not fill the shape: a bug in an architecture, never in user input.
    pub fn push(&mut self, array: Array) {
        let size = array.shape.iter().try_fold(1_usize, |size, side| size.checked_mul(*side));
        assert_eq!(Some(array.values.len()), size, "{}: values do not fill the shape", array.name);
        let before = self.indices.insert(array.name.clone(), self.arrays.len());
        assert!(before.is_none(), "{}: duplicate array name", array.name);
        self.arrays.push(array);
    }

    pub fn arrays(&self) -> &[Array] {
        &self.arrays
    }

    pub fn arrays_mut(&mut self) -> &mut [Array] {
        &mut self.arrays
    }

    /// The index of an array in [`Parameters::arrays`].
    pub fn index(&self, name: &str) -> Option<usize> {
        self.indices.get(name).copied()
    }

    pub fn get(&self, name: &str) -> Option<&Array> {
        self.index(name).map(|index| &self.arrays[index])
    }

    /// Number of trainable values.
    pub fn trainable(&self) -> usize {
        self.arrays.iter().filter(|array| array.role == Role::Trainable).map(|array| array.values.len()).sum()
    }
}

/// One array per parameter array, in the same order; empty if not trainable.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Gradients {
    pub arrays: Vec<Vec<f32>>,
}

impl Gradients {
    pub fn zeros(parameters: &Parameters) -> Self {
        let size = |array: &Array| if array.role == Role::Trainable { array.values.len() } else { 0 };
        Self { arrays: parameters.arrays().iter().map(|array| vec![0.0; size(array)]).collect() }
    }

    /// Adds `other` elementwise: accumulates the gradient of a large batch from micro-batches.
    pub fn add(&mut self, other: &Gradients) {
        for (sum, array) in self.arrays.iter_mut().zip(&other.arrays) {
            for (sum, value) in sum.iter_mut().zip(array) {
                *sum += value;
            }
        }
    }
}
