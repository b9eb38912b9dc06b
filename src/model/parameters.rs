//! Named f32 arrays: weights, frozen weights, running statistics, and gradients beside them.

use std::collections::HashMap;

/// What may change an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The optimizer, by the gradient.
    Trainable,
    /// Nothing.
    Frozen,
    /// The engine, while training: running means and variances.
    Statistic,
}

/// One named array, row-major, in PyTorch's shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    pub name: String,
    pub shape: Vec<usize>,
    pub role: Role,
    pub values: Vec<f32>,
}

/// All arrays of a network, in the order of its layers. The place of an array never changes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Parameters {
    arrays: Vec<Array>,
    places: HashMap<String, usize>,
}

impl Parameters {
    /// # Panics
    /// Where a name comes twice or the values do not fill the shape: a mistake in an architecture, not in any input.
    pub fn push(&mut self, array: Array) {
        let size = array.shape.iter().try_fold(1_usize, |size, side| size.checked_mul(*side));
        assert_eq!(Some(array.values.len()), size, "{}: values do not fill the shape", array.name);
        let before = self.places.insert(array.name.clone(), self.arrays.len());
        assert!(before.is_none(), "{}: two arrays of one name", array.name);
        self.arrays.push(array);
    }

    pub fn arrays(&self) -> &[Array] {
        &self.arrays
    }

    pub fn arrays_mut(&mut self) -> &mut [Array] {
        &mut self.arrays
    }

    /// The place of an array in [`Parameters::arrays`].
    pub fn place(&self, name: &str) -> Option<usize> {
        self.places.get(name).copied()
    }

    pub fn get(&self, name: &str) -> Option<&Array> {
        self.place(name).map(|place| &self.arrays[place])
    }

    /// How many numbers the optimizer may change.
    pub fn trainable(&self) -> usize {
        self.arrays.iter().filter(|array| array.role == Role::Trainable).map(|array| array.values.len()).sum()
    }
}

/// One array for each of the parameters, in their order; empty where the array is not trainable.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Gradients {
    pub arrays: Vec<Vec<f32>>,
}

impl Gradients {
    pub fn zeros(parameters: &Parameters) -> Self {
        let size = |array: &Array| if array.role == Role::Trainable { array.values.len() } else { 0 };
        Self { arrays: parameters.arrays().iter().map(|array| vec![0.0; size(array)]).collect() }
    }

    /// Adds `other`, place by place: how the gradient of a large batch is gathered from micro-batches.
    pub fn add(&mut self, other: &Gradients) {
        for (sum, array) in self.arrays.iter_mut().zip(&other.arrays) {
            for (sum, value) in sum.iter_mut().zip(array) {
                *sum += value;
            }
        }
    }
}
