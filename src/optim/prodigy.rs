//! Prodigy.

use super::parameters::{
    BETA1, BETA2, BIAS_CORRECTION, D_COEF, D0, GROWTH_RATE, SAFEGUARD_WARMUP, beta3, eps, weight_decay,
};
use super::rule::{Buffer, Decay, Definition, Direction, Float, Measure, Now, Rule, Scalar, running_square};
use super::spec::Options;
use crate::number::exact;
use crate::schedule::Semantics;
use crate::spec::{Entry, ParameterValue};
use crate::usage;
use crate::usage::Usage;

/// Places of the scalars.
const D: usize = 0;
const D_MAX: usize = 1;
const NUMERATOR: usize = 2;
const COUNT: usize = 3;

/// Prodigy: Adam whose rate is an estimate d of the distance to the solution, from how far the weights have come.
///
/// ```text
/// γ = d·η
/// r = β₃·r + (d/d₀)·γ·⟨g, θ₀ − θ⟩       s = β₃·s + (d/d₀)·γ·g         safeguard-warmup: s without η
/// m = β₁·m + (1 − β₁)·d·g               v = β₂·v + (1 − β₂)·d²·g²
/// d′ = max(d, d_coef·r/‖s‖₁), at most growth_rate times as large as d
/// θ = θ·(1 − γλ) − γ·m/(√v + d′·ε)      d = d′
/// ```
///
/// The sums are over all parameters, one d for all of them. `bias-correction` multiplies γ by √(1 − β₂ᵗ)/(1 − β₁ᵗ); `optax`
/// has it always on. A step at a rate of 0, or before the first gradient that is not 0, changes nothing; `optax` changes its
/// means and sums (and gives NaN where a warm-up begins at a rate of 0, which lrsched does not). A schedule's momentum replaces β₁.
///
/// Defaults: η 1, β₁ 0.9, β₂ 0.999, β₃ √β₂, ε 1e-8, λ 0, d₀ 1e-6, d_coef 1, growth_rate ∞.
///
/// Source: Mishchenko and Defazio 2023, arXiv:2306.06101; prodigyopt `Prodigy`, optax `prodigy`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Prodigy {
    beta1: f64,
    beta2: f64,
    beta3: f64,
    eps: f64,
    weight_decay: f64,
    d0: f64,
    d_coef: f64,
    growth_rate: f64,
    bias_correction: bool,
    safeguard_warmup: bool,
    semantics: Semantics,
}

pub(super) type Row = Prodigy;

impl Prodigy {
    /// Whether a step at this rate changes anything. At a rate of 0 optax still keeps its means and sums.
    fn counts(&self, now: Now) -> bool {
        now.learning_rate > 0.0 || self.semantics == Semantics::Optax
    }

    fn beta1(&self, now: Now) -> f64 {
        now.momentum.unwrap_or(self.beta1)
    }

    /// γ, by the estimate before this step.
    fn rate(&self, now: Now, scalars: &[f64]) -> f64 {
        let count = scalars[COUNT] + 1.0;
        let correction = match self.bias_correction {
            true => (1.0 - self.beta2.powf(count)).sqrt() / (1.0 - self.beta1(now).powf(count)),
            false => 1.0,
        };
        scalars[D] * now.learning_rate * correction
    }

    /// Takes the sums of a step into the estimate.
    fn estimate(&self, now: Now, scalars: &mut [f64]) {
        let [towards, steps] = now.sums;
        let d = scalars[D];
        let numerator = self.beta3 * scalars[NUMERATOR] + d / self.d0 * self.rate(now, scalars) * towards;
        // Where nothing was summed yet, optax divides 0 by 0.
        let estimate = if steps > 0.0 { self.d_coef * numerator / steps } else { d };
        let d = if d == self.d0 { d.max(estimate) } else { d };
        scalars[D_MAX] = scalars[D_MAX].max(estimate);
        scalars[D] = scalars[D_MAX].min(d * self.growth_rate);
        scalars[NUMERATOR] = numerator;
        scalars[COUNT] += 1.0;
    }
}

impl Definition for Prodigy {
    const ENTRY: Entry = Entry {
        name: "prodigy",
        summary: "Adam that estimates its own rate, d; lr multiplies it",
        formula: "r = beta3·r + (d/d0)·d·lr·⟨g, θ₀ − θ⟩;  s = beta3·s + (d/d0)·d·lr·g;  d′ = max(d, d-coef·r/‖s‖₁);  \
                  m = beta1·m + (1 − beta1)·d·g;  v = beta2·v + (1 − beta2)·d²·g²;  \
                  θ = θ·(1 − d·lr·weight-decay) − d·lr·m/(√v + d′·eps);  d = d′",
        parameters: &[
            BETA1,
            BETA2,
            beta3("", "decay of the sums that d is estimated from (√beta2)"),
            eps("1e-8"),
            weight_decay("0"),
            D0,
            D_COEF,
            GROWTH_RATE,
            BIAS_CORRECTION,
            SAFEGUARD_WARMUP,
        ],
        source: "Mishchenko and Defazio 2023, arXiv:2306.06101; prodigyopt Prodigy",
        entrant: None,
    };
    const RATE: f64 = 1.0;
    const TUNED: (f64, f64) = (0.01, 10.0);
    const DEFAULTS: &'static [(Semantics, &'static str, f64)] = &[(Semantics::Optax, "bias-correction", 1.0)];
    const MISSING: &'static [Semantics] = &[Semantics::Torch, Semantics::Keras];

    fn has_momentum(_options: &Options<'_>) -> bool {
        true
    }

    fn derived(options: &Options<'_>, key: &str) -> Option<ParameterValue> {
        (key == "beta3").then(|| ParameterValue::Number(options.get("beta2").sqrt()))
    }

    fn advice(lr: f64, _decays: bool) -> Option<String> {
        let line = || format!("prodigy estimates its own rate, and lr {} multiplies it: 1 is usual", exact(lr));
        (lr != Self::RATE).then(line)
    }

    fn new(options: &Options<'_>) -> Result<Self, Usage> {
        let get = |key| options.get(key);
        if options.semantics == Semantics::Optax && get("growth-rate").is_finite() {
            return usage!(
                "prodigy: optax has no growth-rate, got {}; leave it out, or take `--semantics native`",
                exact(get("growth-rate"))
            );
        }
        Ok(Self {
            beta1: get("beta1"),
            beta2: get("beta2"),
            beta3: get("beta3"),
            eps: get("eps"),
            weight_decay: get("weight-decay"),
            d0: get("d0"),
            d_coef: get("d-coef"),
            growth_rate: get("growth-rate"),
            bias_correction: options.is_on("bias-correction"),
            safeguard_warmup: options.is_on("safeguard-warmup"),
            semantics: options.semantics,
        })
    }
}

impl<T: Float> Rule<T> for Prodigy {
    fn buffers(&self) -> Vec<Buffer> {
        vec![Buffer::zeros("exp_avg"), Buffer::zeros("exp_avg_sq"), Buffer::zeros("s"), Buffer::copy("p0")]
    }

    /// By γ, in the step itself.
    fn decay(&self) -> Decay {
        Decay::Coupled(0.0)
    }

    fn scalars(&self) -> Vec<Scalar> {
        let scalar = |name, initial| Scalar { name, initial };
        vec![scalar("d", self.d0), scalar("d_max", self.d0), scalar("d_numerator", 0.0), scalar("k", 0.0)]
    }

    fn measure(&self, now: Now, scalars: &[f64]) -> Option<Measure<T>> {
        let (d, rate, beta1) = (scalars[D], self.rate(now, scalars), self.beta1(now));
        let of_steps = d / self.d0 * if self.safeguard_warmup { d } else { rate };
        let (beta1, fresh1) = (T::of(beta1), T::of(d * (1.0 - beta1)));
        let (beta2, fresh2) = (T::of(self.beta2), T::of(d * d * (1.0 - self.beta2)));
        let (beta3, of_steps) = (T::of(self.beta3), T::of(of_steps));
        let measure = move |gradient: &[T], values: &[T], [mean, square, steps, start]: [&mut [T]; _]| {
            running_square(square, gradient, beta2, fresh2);
            let mut sums = [0.0; 2];
            for (((&g, &value), (m, s)), &start) in
                gradient.iter().zip(values).zip(mean.iter_mut().zip(steps)).zip(&*start)
            {
                *m = beta1 * *m + fresh1 * g;
                *s = beta3 * *s + of_steps * g;
                sums[0] += g.widened() * (start - value).widened();
                sums[1] += s.abs().widened();
            }
            sums
        };
        self.counts(now).then(|| Box::new(measure) as Measure<T>)
    }

    fn at(&self, now: Now, scalars: &mut [f64]) -> Direction<T> {
        if now.sums[1] == 0.0 && self.semantics != Semantics::Optax {
            return Box::new(|gradient, _, _| gradient.fill(T::default()));
        }
        let rate = self.rate(now, scalars);
        self.estimate(now, scalars);
        // Without a mean, prodigyopt scales the gradient by the new estimate; a mean is scaled by those of its steps.
        let has_mean = self.beta1(now) != 0.0 || self.semantics == Semantics::Optax;
        let of_gradient = (!has_mean).then(|| T::of(scalars[D]));
        let decays = self.weight_decay != 0.0;
        let (eps, decay, rate) = (T::of(scalars[D] * self.eps), T::of(rate * self.weight_decay), T::of(rate));
        Box::new(move |gradient, values, [mean, square, ..]| {
            for (((step, &value), &m), &v) in gradient.iter_mut().zip(values).zip(&*mean).zip(&*square) {
                let towards = of_gradient.map_or(m, |d| d * *step);
                let moved = rate * (towards / (v.sqrt() + eps));
                // Rounded as in the packages, by decaying first: d₀ is so small that one rounding more shows in d.
                *step = if decays { value - ((value - decay * value) - moved) } else { moved };
            }
        })
    }
}
