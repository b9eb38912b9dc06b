//! The suggestions of several seeds in one.

use super::{Answer, Method, Suggestion};
use crate::stats::{median_rate, quantile};

/// The combined answer of one method over tests with different seeds.
#[derive(Debug, Clone, PartialEq)]
pub struct Combined {
    pub method: Method,
    /// `Err` says why there is no answer.
    pub answer: Result<Answer, String>,
    /// The lowest and highest answers.
    pub spread: Option<(f64, f64)>,
    /// Number of tests with an answer.
    pub answers: usize,
    pub tests: usize,
}

/// The median answer of each method that reads the curve; none if fewer than half of the tests have one.
pub fn combine(tests: &[Vec<Suggestion>]) -> Vec<Combined> {
    let of = |method: Method| {
        let all: Vec<&Suggestion> = tests.iter().flatten().filter(|suggestion| suggestion.method == method).collect();
        let answers: Vec<&Answer> = all.iter().filter_map(|suggestion| suggestion.answer.as_ref().ok()).collect();
        let rates: Vec<f64> = answers.iter().map(|answer| answer.rate).collect();
        let (n, tests) = (answers.len(), all.len());
        let answer = match (answers.as_slice(), median_rate(&rates)) {
            ([only], _) if tests == 1 => Ok((*only).clone()),
            (some, Some(_)) if some.len() * 2 < tests => {
                let why = all.iter().find_map(|suggestion| suggestion.answer.as_ref().err());
                Err(format!(
                    "only {n} of {tests} seeds have an answer; one of the others: {}",
                    why.map_or("", String::as_str)
                ))
            }
            (_, Some(rate)) => {
                let nearest = answers.iter().min_by(|a, b| far(a.rate, rate).total_cmp(&far(b.rate, rate)));
                let example = nearest.map_or("", |answer| answer.reason.as_str());
                Ok(Answer { rate, reason: format!("median of {n} of {tests} seeds; the nearest: {example}") })
            }
            _ => {
                Err(all.iter().find_map(|s| s.answer.as_ref().err()).cloned().unwrap_or_else(|| "no test".to_string()))
            }
        };
        let spread = quantile(&rates, 0.0).zip(quantile(&rates, 1.0)).filter(|_| answer.is_ok());
        Combined { method, answer, spread, answers: n, tests }
    };
    Method::OF_CURVE.into_iter().map(of).collect()
}

/// Distance of two rates: |ln(a / b)|.
fn far(a: f64, b: f64) -> f64 {
    (a / b).ln().abs()
}

/// The rate to train with: that of the short runs if there were any, else that of the turn, or else of the next method with an answer. `None` if no method has one.
///
/// The turn comes before the others that read the curve because it is the only one of them within a factor of 2 of the best rate for most optimizers and test
/// lengths: see `docs/FIND.md`.
pub fn headline(combined: &[Combined]) -> Option<(Method, f64)> {
    let rates = combined.iter().filter(|one| one.method.is_rate());
    rates.filter_map(|one| Some((one.method, one.answer.as_ref().ok()?.rate))).next()
}

/// The lowest and highest of the suggested rates to train with; `None` if fewer than two methods have an answer.
pub fn range(combined: &[Combined]) -> Option<(f64, f64)> {
    let rates: Vec<f64> = combined
        .iter()
        .filter(|one| one.method.is_rate())
        .filter_map(|one| Some(one.answer.as_ref().ok()?.rate))
        .collect();
    quantile(&rates, 0.0).zip(quantile(&rates, 1.0)).filter(|_| rates.len() > 1)
}
