//! Gradient clipping: what happens to the gradients before the optimizer sees them.

use super::optimizer::PART;
use super::rule::Float;
use rayon::prelude::*;

/// Added to the norm, so that a gradient of 0 stays 0 (PyTorch's).
const EPS: f64 = 1e-6;

/// Limits on the gradient of a step. The value limit applies first, so that the norm limit holds as well.
///
/// ```text
/// value: g = min(max(g, −V), V)               every element
/// norm:  g = g · min(1, X / (‖g‖₂ + 1e-6))    ‖g‖₂ over all parameters
/// ```
///
/// Source: PyTorch `clip_grad_value_` and `clip_grad_norm_`; Pascanu et al. 2013.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Clipping {
    pub norm: Option<f64>,
    pub value: Option<f64>,
}

impl Clipping {
    /// Clips the gradients of all parameters, in place. The result is bit-identical for any number of threads.
    pub fn apply<T: Float>(self, gradients: &mut [&mut [T]]) {
        if let Some(limit) = self.value {
            let (low, high) = (T::of(-limit), T::of(limit));
            // NaN stays NaN: a diverged run should show.
            for_each(gradients, |g| {
                if g < low {
                    low
                } else if g > high {
                    high
                } else {
                    g
                }
            });
        }
        if let Some(limit) = self.norm {
            let factor = limit / (norm(gradients) + EPS);
            // A gradient that is NaN makes every gradient NaN; an infinite one becomes NaN and all others 0, as in PyTorch.
            if factor < 1.0 || factor.is_nan() {
                let factor = T::of(factor);
                for_each(gradients, |g| factor * g);
            }
        }
    }
}

fn for_each<T: Float>(gradients: &mut [&mut [T]], clipped: impl Fn(T) -> T + Sync) {
    let parts = gradients.iter_mut().flat_map(|gradient| gradient.chunks_mut(PART)).collect::<Vec<_>>();
    parts.into_par_iter().for_each(|part| part.iter_mut().for_each(|g| *g = clipped(*g)));
}

/// ‖g‖₂ over all arrays: parts of a fixed length, each summed in f64, added up in order.
fn norm<T: Float>(gradients: &[&mut [T]]) -> f64 {
    let parts: Vec<&[T]> = gradients.iter().flat_map(|gradient| gradient.chunks(PART)).collect();
    let square = |part: &&[T]| part.iter().map(|g| g.widened().powi(2)).sum::<f64>();
    let squares: Vec<f64> = parts.par_iter().map(square).collect();
    squares.iter().sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clipped(clipping: Clipping, gradients: [&[f64]; 2]) -> Vec<f64> {
        let mut owned = gradients.map(<[f64]>::to_vec);
        clipping.apply(&mut owned.each_mut().map(Vec::as_mut_slice));
        owned.concat()
    }

    #[test]
    fn the_norm_is_over_all_parameters_and_a_smaller_gradient_is_left_alone() {
        let norm = |limit| Clipping { norm: Some(limit), value: None };
        let gradients: [&[f64]; 2] = [&[3.0, 0.0], &[-4.0]];
        assert_eq!(clipped(norm(5.1), gradients), [3.0, 0.0, -4.0]);
        let factor = 1.0 / (5.0 + 1e-6);
        assert_eq!(clipped(norm(1.0), gradients), [factor * 3.0, 0.0, factor * -4.0]);
        assert_eq!(clipped(norm(1.0), [&[0.0], &[0.0]]), [0.0, 0.0]);
        assert!(clipped(norm(1.0), [&[f64::NAN], &[1.0]]).into_iter().all(f64::is_nan));
        let infinite = clipped(norm(1.0), [&[f64::INFINITY, 2.0], &[1.0]]);
        assert!(infinite[0].is_nan() && infinite[1..] == [0.0, 0.0], "{infinite:?}");
    }

    #[test]
    fn every_element_is_held_within_the_value_before_the_norm_is_taken() {
        let gradients: [&[f64]; 2] = [&[3.0, 0.25], &[-4.0]];
        let value = Clipping { norm: None, value: Some(0.5) };
        assert_eq!(clipped(value, gradients), [0.5, 0.25, -0.5]);
        assert_eq!(clipped(Clipping { norm: Some(0.76), ..value }, gradients), [0.5, 0.25, -0.5]);
        assert!(clipped(value, [&[f64::NAN], &[1.0]])[0].is_nan());
    }

    #[test]
    fn the_norm_has_the_same_bits_on_any_number_of_threads() {
        let mut arrays: Vec<Vec<f32>> =
            (0..3).map(|k| (0..3 * PART + 17).map(|i| ((i * 7 + k) as f32).sin()).collect()).collect();
        let slices: Vec<&mut [f32]> = arrays.iter_mut().map(Vec::as_mut_slice).collect();
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| norm(&slices)).to_bits()
        };
        assert_eq!(on(1), on(3));
    }
}
