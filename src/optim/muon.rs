//! Muon.

use super::parameters::{
    COEFFICIENTS, MOMENTUM, MOMENTUM_FORM, NESTEROV, NS_STEPS, RESCALE_WEIGHTS, SCALE, eps, weight_decay,
};
use super::products::{Products, Right, Sides};
use super::rule::{Buffer, Decay, Definition, Direction, Finish, Float, Matrix, Now, Rule};
use super::spec::Options;
use crate::schedule::Semantics;
use crate::spec::{Bounds, Entry, Parameter, ParameterKind, ParameterValue};
use crate::usage;
use crate::usage::Usage;
use lrsched_schedule::words;

/// Muon: momentum whose matrix is turned into the nearest orthogonal one, so that every direction is stepped in alike.
///
/// ```text
/// m = μ·m + (1 − μ)·g                       sum: μ·m + g
/// u = μ·m + (1 − μ)·g                       sum: μ·m + g; without nesterov m
/// X = u/(‖u‖ + ε)                           Frobenius norm; transposed if it has more rows than columns
/// X = a·X + (b·A + c·A²)·X, A = X·Xᵀ        ns-steps times (Newton–Schulz)
/// θ = θ·(1 − ηλ) − η·s·X                    s = √max(1, rows/columns), 0.2·√max(rows, columns) or 1
/// ```
///
/// A convolution's weight is a matrix of out channels by the rest. `rescale-weights` scales θ to the norm √rows before the
/// step. `torch` divides by max(‖u‖, ε). `keras` is the sum with s = 0.2·√max(rows, columns). `optax` corrects m by 1 − μᵗ⁺¹
/// and g by 1 − μᵗ (without nesterov m by 1 − μᵗ). A schedule's momentum replaces μ.
///
/// Defaults: η 0.02 (`torch`, `keras` 1e-3), μ 0.95, ε 1e-7 (`optax` 1e-8), λ 0 (`torch` 0.1, `keras` 0.004).
///
/// Source: Jordan et al. 2024, kellerjordan.github.io/posts/muon, and its muon.py; `torch.optim.Muon`, Keras `Muon`, optax
/// `muon`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Muon {
    momentum: f64,
    nesterov: bool,
    momentum_form: MomentumForm,
    ns_steps: u64,
    coefficients: [f64; 3],
    eps: f64,
    weight_decay: f64,
    scale: Scale,
    rescale_weights: bool,
    semantics: Semantics,
}

words! {
    /// What the orthogonal matrix is multiplied by.
    pub enum Scale {
        /// √max(1, rows/columns).
        Shape = "shape",
        /// 1.
        None = "none",
        /// 0.2·√max(rows, columns): the root mean square of AdamW's steps.
        Rms = "rms",
    }
}

words! {
    /// What the momentum keeps of a gradient.
    pub enum MomentumForm {
        /// 1 − momentum of it.
        Ema = "ema",
        /// All of it.
        Sum = "sum",
    }
}

impl Scale {
    fn of(self, rows: usize, columns: usize) -> f64 {
        let (rows, columns) = (rows as f64, columns as f64);
        match self {
            Scale::Shape => (rows / columns).max(1.0).sqrt(),
            Scale::None => 1.0,
            Scale::Rms => 0.2 * rows.max(columns).sqrt(),
        }
    }
}

/// Far more than it takes to converge; a typing error should not train for hours.
const MOST_NS_STEPS: u64 = 100;

pub(super) type Row = Muon;

/// What Keras's Newton–Schulz iteration adds to the norm. Its `epsilon` is of the AdamW that it uses for all but matrices.
const KERAS_EPS: f64 = 1e-7;

impl Definition for Muon {
    const ENTRY: Entry = Entry {
        name: "muon",
        summary: "momentum made orthogonal, for matrices; other parameters fall to another optimizer",
        formula: "m = momentum·m + (1 − momentum)·g;  X = u/(‖u‖ + eps), u = momentum·m + (1 − momentum)·g;  ns-steps times \
                  X = a·X + (b·A + c·A²)·X, A = X·Xᵀ;  θ = θ·(1 − lr·weight-decay) − lr·s·X, s = √max(1, rows/columns)",
        parameters: &[
            // A momentum of 1 never sees a gradient.
            Parameter { default: "0.95", kind: ParameterKind::Number(Bounds::BELOW_ONE), ..MOMENTUM },
            Parameter { default: "true", ..NESTEROV },
            NS_STEPS,
            COEFFICIENTS,
            eps("1e-7"),
            weight_decay("0"),
            SCALE,
            MOMENTUM_FORM,
            RESCALE_WEIGHTS,
        ],
        source: "Jordan et al. 2024; KellerJordan/Muon",
        entrant: None,
    };
    const RATE: f64 = 0.02;
    const TUNED: (f64, f64) = (1e-3, 1.0);
    const DEFAULTS: &'static [(Semantics, &'static str, f64)] = &[
        (Semantics::Torch, "lr", 1e-3),
        (Semantics::Torch, "weight-decay", 0.1),
        (Semantics::Keras, "lr", 1e-3),
        (Semantics::Keras, "weight-decay", 0.004),
        (Semantics::Optax, "eps", 1e-8),
    ];
    const MATRICES_ONLY: bool = true;

    fn has_momentum(options: &Options<'_>) -> bool {
        options.get("momentum") > 0.0
    }

    fn derived(options: &Options<'_>, key: &str) -> Option<ParameterValue> {
        match (options.semantics, key) {
            (Semantics::Keras, "scale") => Some(ParameterValue::Choice(Scale::Rms.name())),
            (Semantics::Keras, "momentum-form") => Some(ParameterValue::Choice(MomentumForm::Sum.name())),
            _ => None,
        }
    }

    fn new(options: &Options<'_>) -> Result<Self, Usage> {
        let momentum_form = options.choice("momentum-form", MomentumForm::named);
        if momentum_form == MomentumForm::Sum && options.semantics == Semantics::Optax {
            return usage!(
                "muon: optax corrects its momentum for starting at 0, and has no sum; leave out momentum-form=sum"
            );
        }
        let eps = options.get("eps");
        if options.semantics == Semantics::Keras && eps != KERAS_EPS {
            return usage!(
                "muon: Keras adds {KERAS_EPS:?} to the norm, whatever its epsilon; leave out eps, got {eps:?}"
            );
        }
        let ns_steps = options.get("ns-steps") as u64;
        if ns_steps > MOST_NS_STEPS {
            return usage!("muon: ns-steps must be at most {MOST_NS_STEPS}, got {ns_steps}; 5 are usual");
        }
        Ok(Self {
            momentum: options.get("momentum"),
            nesterov: options.is_on("nesterov"),
            momentum_form,
            ns_steps,
            coefficients: options.numbers("coefficients"),
            eps,
            weight_decay: options.get("weight-decay"),
            scale: options.choice("scale", Scale::named),
            rescale_weights: options.is_on("rescale-weights"),
            semantics: options.semantics,
        })
    }
}

impl<T: Float> Rule<T> for Muon {
    fn buffers(&self) -> Vec<Buffer> {
        vec![Buffer::zeros("momentum_buffer")]
    }

    fn decay(&self) -> Decay {
        Decay::Decoupled(self.weight_decay)
    }

    /// u.
    fn at(&self, now: Now, _scalars: &mut [f64]) -> Direction<T> {
        let momentum = now.momentum.unwrap_or(self.momentum);
        let fresh = match self.momentum_form {
            MomentumForm::Ema => 1.0 - momentum,
            MomentumForm::Sum => 1.0,
        };
        // How much of m and of g is in u.
        let (mut of_mean, mut of_gradient) = if self.nesterov { (momentum, fresh) } else { (1.0, 0.0) };
        if self.semantics == Semantics::Optax {
            let correction = |count: u64| 1.0 - momentum.powf(count as f64);
            of_mean /= correction(now.step + if self.nesterov { 2 } else { 1 });
            of_gradient /= correction(now.step + 1);
        }
        let [momentum, fresh, of_mean, of_gradient] = [momentum, fresh, of_mean, of_gradient].map(T::of);
        Box::new(move |gradient, _, [mean, ..]| {
            for (g, m) in gradient.iter_mut().zip(mean) {
                *m = momentum * *m + fresh * *g;
                *g = of_mean * *m + of_gradient * *g;
            }
        })
    }

    fn finish(&self, now: Now) -> Option<Finish<T>> {
        let muon = *self;
        Some(Box::new(move |matrix, products| {
            let Matrix { rows, columns, values, step } = matrix;
            let length = if muon.rescale_weights { norm(values) } else { 0.0 };
            // Zeros have no direction to be scaled in.
            if length > 0.0 {
                let factor = T::of((rows as f64).sqrt() / length);
                values.iter_mut().for_each(|value| *value = factor * *value);
            }
            let norm = norm(step);
            let divisor = if muon.semantics == Semantics::Torch { norm.max(muon.eps) } else { norm + muon.eps };
            let share = T::of(1.0 / divisor);
            step.iter_mut().for_each(|u| *u = share * *u);
            if rows > columns {
                let mut turned = transposed(step, columns);
                muon.orthogonalise(&mut turned, columns, products);
                step.copy_from_slice(&transposed(&turned, rows));
            } else {
                muon.orthogonalise(step, rows, products);
            }
            let rate = T::of(now.learning_rate * muon.scale.of(rows, columns));
            step.iter_mut().for_each(|u| *u = rate * *u);
        }))
    }
}

impl Muon {
    /// Newton–Schulz steps on a matrix with at most as many rows as columns.
    fn orthogonalise<T: Float>(&self, x: &mut [T], rows: usize, products: &dyn Products<T>) {
        let columns = x.len() / rows.max(1);
        let [a, b, c] = self.coefficients.map(T::of);
        let zeros = |length: usize| vec![T::default(); length];
        let (mut gram, mut square, mut product) = (zeros(rows * rows), zeros(rows * rows), zeros(x.len()));
        for _ in 0..self.ns_steps {
            products.multiply(Sides { rows, depth: columns, columns: rows }, x, (x, Right::Transposed), &mut gram);
            let sides = Sides { rows, depth: rows, columns: rows };
            products.multiply(sides, &gram, (&gram, Right::Plain), &mut square);
            for (gram, &square) in gram.iter_mut().zip(&square) {
                *gram = b * *gram + c * square;
            }
            products.multiply(Sides { rows, depth: rows, columns }, &gram, (x, Right::Plain), &mut product);
            for (x, &product) in x.iter_mut().zip(&product) {
                *x = a * *x + product;
            }
        }
    }
}

/// The Frobenius norm, summed in one order.
fn norm<T: Float>(values: &[T]) -> f64 {
    values.iter().map(|value| value.widened() * value.widened()).sum::<f64>().sqrt()
}

/// The transpose of a matrix with rows of this length.
fn transposed<T: Float>(matrix: &[T], columns: usize) -> Vec<T> {
    let rows = matrix.len() / columns.max(1);
    let mut turned = vec![T::default(); matrix.len()];
    for (row, values) in matrix.chunks_exact(columns.max(1)).enumerate() {
        for (column, &value) in values.iter().enumerate() {
            turned[column * rows + row] = value;
        }
    }
    turned
}
