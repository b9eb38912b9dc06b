//! An expression of the step.

use super::Dialect;
use crate::schedules::expr;

/// An expression of t, the step on the clock of its schedule. Its operators are those of the schedule `expr`; a comparison is 1 or 0.
#[derive(Debug, Clone, PartialEq)]
pub enum Expression {
    Number(f64),
    /// t.
    Step,
    /// A function by its name in the schedule `expr`: `floor`, `max`.
    Call(&'static str, Vec<Self>),
    /// An operator by its sign in the schedule `expr`: `+`, `^`, `<=`.
    Binary(&'static str, Box<Self>, Box<Self>),
    /// The second if the first, a comparison, holds; else the third.
    Choice(Box<[Self; 3]>),
}

impl From<f64> for Expression {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl Expression {
    pub(crate) fn call(self, function: &'static str) -> Self {
        Self::Call(function, vec![self])
    }

    /// What changes nothing is left out: a factor of 1, a term of 0.
    pub(crate) fn binary(self, sign: &'static str, other: Self) -> Self {
        match (sign, &self, &other) {
            ("*" | "/" | "^", _, Self::Number(1.0)) | ("+" | "-", _, Self::Number(0.0)) => self,
            ("*", Self::Number(1.0), _) | ("+", Self::Number(0.0), _) => other,
            ("+" | "-" | "*" | "/", &Self::Number(a), &Self::Number(b)) => Self::Number(match sign {
                "+" => a + b,
                "-" => a - b,
                "*" => a * b,
                _ => a / b,
            }),
            _ => Self::Binary(sign, Box::new(self), Box::new(other)),
        }
    }

    /// As a comparison: one of two.
    pub(crate) fn choose(self, then: Self, otherwise: Self) -> Self {
        if then == otherwise { then } else { Self::Choice(Box::new([self, then, otherwise])) }
    }

    /// The value of each piece: `values[i]` from step `starts[i - 1]` on. `values` has one more, `starts` are ascending.
    pub(crate) fn pieces(starts: &[u64], values: &[f64]) -> Self {
        let last = values.last().copied().unwrap_or(f64::NAN);
        let pairs = starts.iter().zip(values).rev();
        pairs.fold(last.into(), |after: Self, (&start, &value)| {
            if start == 0 { after } else { Self::Step.binary("<", (start as f64).into()).choose(value.into(), after) }
        })
    }

    /// Its value at step `t`.
    pub fn at(&self, t: f64) -> f64 {
        match self {
            Self::Number(number) => *number,
            Self::Step => t,
            Self::Call(name, arguments) => {
                let arguments: Vec<f64> = arguments.iter().map(|argument| argument.at(t)).collect();
                expr::call(name, &arguments)
            }
            Self::Binary(sign, a, b) => expr::apply(sign, a.at(t), b.at(t)),
            Self::Choice(choice) => {
                let [condition, then, otherwise] = &**choice;
                if condition.at(t) == 0.0 { otherwise.at(t) } else { then.at(t) }
            }
        }
    }

    /// Its value at step `t` as a program in `dialect` has it: in f32 if that computes with arrays, as they do by default. `None` where it
    /// raises an error instead, or follows another rule for what is not a number.
    pub(crate) fn value_in(&self, dialect: Dialect, t: f64) -> Option<f64> {
        let value = match self {
            Self::Number(_) | Self::Step => Some(self.at(t)),
            Self::Call(name, arguments) => {
                let arguments: Vec<f64> =
                    arguments.iter().map(|argument| argument.value_in(dialect, t)).collect::<Option<_>>()?;
                expr::call_in(dialect, name, &arguments)
            }
            Self::Binary(sign, a, b) => expr::apply_in(dialect, sign, a.value_in(dialect, t)?, b.value_in(dialect, t)?),
            Self::Choice(choice) => {
                let [condition, then, otherwise] = &**choice;
                let holds = condition.value_in(dialect, t)? != 0.0;
                if holds { then.value_in(dialect, t) } else { otherwise.value_in(dialect, t) }
            }
        };
        let narrows = matches!(dialect, Dialect::Jax | Dialect::Keras);
        value.map(|value| if narrows { f64::from(value as f32) } else { value })
    }

    /// The number of its numbers, steps, calls and operators.
    pub(crate) fn parts(&self) -> usize {
        1 + match self {
            Self::Number(_) | Self::Step => 0,
            Self::Call(_, arguments) => arguments.iter().map(Self::parts).sum(),
            Self::Binary(_, a, b) => a.parts() + b.parts(),
            Self::Choice(choice) => choice.iter().map(Self::parts).sum(),
        }
    }

    /// Whether `is` is true of it or of a part of it.
    pub(crate) fn any(&self, is: &dyn Fn(&Self) -> bool) -> bool {
        is(self)
            || match self {
                Self::Number(_) | Self::Step => false,
                Self::Call(_, arguments) => arguments.iter().any(|argument| argument.any(is)),
                Self::Binary(_, a, b) => a.any(is) || b.any(is),
                Self::Choice(choice) => choice.iter().any(|part| part.any(is)),
            }
    }
}
