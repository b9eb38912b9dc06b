//! What a formula computes with: numbers while training, expressions where it is written down for another program.

use super::Expression;
use std::ops::{Add, Div, Mul, Sub};

/// A number, or an expression that stands for one. A formula that is generic over it has one home: with [`f64`] it is the rate of a
/// step, with [`Expression`] the code of all of them.
pub trait Scalar:
    Clone
    + From<f64>
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Add<f64, Output = Self>
    + Sub<f64, Output = Self>
    + Mul<f64, Output = Self>
    + Div<f64, Output = Self>
{
    fn cosine(self) -> Self;
    fn exponential(self) -> Self;
    fn root(self) -> Self;
    fn floored(self) -> Self;
    fn ceiled(self) -> Self;
    fn power(self, exponent: Self) -> Self;
    fn minimum(self, other: f64) -> Self;
    fn maximum(self, other: f64) -> Self;
    /// The remainder of a non-negative number.
    fn modulo(self, divisor: f64) -> Self;

    /// `then` of this number if it is below `limit`, else `otherwise` of it.
    fn below(self, limit: f64, then: impl FnOnce(Self) -> Self, otherwise: impl FnOnce(Self) -> Self) -> Self;

    /// The same up to and including `limit`.
    fn up_to(self, limit: f64, then: impl FnOnce(Self) -> Self, otherwise: impl FnOnce(Self) -> Self) -> Self;

    /// `within` of a number that grows up to 1, and exactly `at_1` there. An expression leaves out what only rounding would tell apart.
    fn until_1(self, within: impl FnOnce(Self) -> Self, at_1: f64) -> Self;
}

impl Scalar for f64 {
    fn cosine(self) -> Self {
        self.cos()
    }

    fn exponential(self) -> Self {
        self.exp()
    }

    fn root(self) -> Self {
        self.sqrt()
    }

    fn floored(self) -> Self {
        self.floor()
    }

    fn ceiled(self) -> Self {
        self.ceil()
    }

    fn power(self, exponent: Self) -> Self {
        self.powf(exponent)
    }

    fn minimum(self, other: f64) -> Self {
        self.min(other)
    }

    fn maximum(self, other: f64) -> Self {
        self.max(other)
    }

    fn modulo(self, divisor: f64) -> Self {
        self % divisor
    }

    fn below(self, limit: f64, then: impl FnOnce(Self) -> Self, otherwise: impl FnOnce(Self) -> Self) -> Self {
        if self < limit { then(self) } else { otherwise(self) }
    }

    fn up_to(self, limit: f64, then: impl FnOnce(Self) -> Self, otherwise: impl FnOnce(Self) -> Self) -> Self {
        if self <= limit { then(self) } else { otherwise(self) }
    }

    fn until_1(self, within: impl FnOnce(Self) -> Self, at_1: f64) -> Self {
        if self < 1.0 { within(self) } else { at_1 }
    }
}

impl Scalar for Expression {
    fn cosine(self) -> Self {
        self.call("cos")
    }

    fn exponential(self) -> Self {
        self.call("exp")
    }

    fn root(self) -> Self {
        self.call("sqrt")
    }

    fn floored(self) -> Self {
        self.call("floor")
    }

    fn ceiled(self) -> Self {
        self.call("ceil")
    }

    fn power(self, exponent: Self) -> Self {
        self.binary("^", exponent)
    }

    fn minimum(self, other: f64) -> Self {
        Self::Call("min", vec![self, other.into()])
    }

    fn maximum(self, other: f64) -> Self {
        Self::Call("max", vec![self, other.into()])
    }

    fn modulo(self, divisor: f64) -> Self {
        self.binary("%", divisor.into())
    }

    fn below(self, limit: f64, then: impl FnOnce(Self) -> Self, otherwise: impl FnOnce(Self) -> Self) -> Self {
        let condition = self.clone().binary("<", limit.into());
        condition.choose(then(self.clone()), otherwise(self))
    }

    fn up_to(self, limit: f64, then: impl FnOnce(Self) -> Self, otherwise: impl FnOnce(Self) -> Self) -> Self {
        let condition = self.clone().binary("<=", limit.into());
        condition.choose(then(self.clone()), otherwise(self))
    }

    fn until_1(self, within: impl FnOnce(Self) -> Self, _at_1: f64) -> Self {
        within(self)
    }
}

/// An operator of expressions, with a number or another expression.
macro_rules! operator {
    ($trait:ident, $method:ident, $sign:literal) => {
        impl $trait for Expression {
            type Output = Self;
            fn $method(self, other: Self) -> Self {
                self.binary($sign, other)
            }
        }

        impl $trait<f64> for Expression {
            type Output = Self;
            fn $method(self, other: f64) -> Self {
                self.binary($sign, other.into())
            }
        }
    };
}

operator!(Add, add, "+");
operator!(Sub, sub, "-");
operator!(Mul, mul, "*");
operator!(Div, div, "/");
