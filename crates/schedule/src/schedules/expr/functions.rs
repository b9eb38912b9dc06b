//! What an expression is made of: variables, constants, functions and operators.

use crate::code::Dialect;
use std::f64::consts::{PI, TAU};

#[derive(Debug, Clone, Copy)]
pub(super) enum Variable {
    Lr,
    Step,
    Epoch,
    TotalSteps,
    StepsPerEpoch,
    Epochs,
}

pub(super) const VARIABLES: [(&str, Variable); 8] = [
    ("lr", Variable::Lr),
    ("t", Variable::Step),
    ("step", Variable::Step),
    ("e", Variable::Epoch),
    ("epoch", Variable::Epoch),
    ("T", Variable::TotalSteps),
    ("S", Variable::StepsPerEpoch),
    ("epochs", Variable::Epochs),
];

pub(super) const CONSTANTS: [(&str, f64); 4] = [("PI", PI), ("π", PI), ("TAU", TAU), ("τ", TAU)];

/// A function of an expression.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Function {
    pub(super) name: &'static str,
    pub(super) apply: Apply,
    not_finite: NotFinite,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Apply {
    Of1(fn(f64) -> f64),
    Of2(fn(f64, f64) -> f64),
    /// Takes two or more arguments, folded from the left.
    Fold(fn(f64, f64) -> f64),
}

/// What other languages do where an argument or the value is infinite or undefined.
#[derive(Debug, Clone, Copy)]
enum NotFinite {
    /// Python's raises an error unless the value is finite.
    Raises,
    /// Python's raises an error, but passes on what was infinite or undefined before.
    Passes,
    /// Rust's leaves out what is undefined; Python's returns it if it comes first, and those of arrays always do.
    Compares,
    /// Rust's alone has no sign for what is undefined.
    Signs,
}

const fn of_1(name: &'static str, apply: fn(f64) -> f64, not_finite: NotFinite) -> Function {
    Function { name, apply: Apply::Of1(apply), not_finite }
}

const fn fold(name: &'static str, apply: fn(f64, f64) -> f64) -> Function {
    Function { name, apply: Apply::Fold(apply), not_finite: NotFinite::Compares }
}

pub(super) const FUNCTIONS: [Function; 29] = [
    fold("min", f64::min),
    fold("max", f64::max),
    of_1("floor", f64::floor, NotFinite::Raises),
    of_1("ceil", f64::ceil, NotFinite::Raises),
    of_1("round", f64::round, NotFinite::Raises),
    of_1("trunc", f64::trunc, NotFinite::Raises),
    of_1("fract", f64::fract, NotFinite::Raises),
    of_1("abs", f64::abs, NotFinite::Passes),
    of_1("signum", f64::signum, NotFinite::Signs),
    of_1("sqrt", f64::sqrt, NotFinite::Passes),
    of_1("cbrt", f64::cbrt, NotFinite::Passes),
    of_1("exp", f64::exp, NotFinite::Passes),
    of_1("ln", f64::ln, NotFinite::Passes),
    of_1("log", f64::ln, NotFinite::Passes),
    of_1("log2", f64::log2, NotFinite::Passes),
    of_1("log10", f64::log10, NotFinite::Passes),
    of_1("sin", f64::sin, NotFinite::Raises),
    of_1("cos", f64::cos, NotFinite::Raises),
    of_1("tan", f64::tan, NotFinite::Raises),
    of_1("asin", f64::asin, NotFinite::Passes),
    of_1("acos", f64::acos, NotFinite::Passes),
    of_1("atan", f64::atan, NotFinite::Passes),
    Function { name: "atan2", apply: Apply::Of2(f64::atan2), not_finite: NotFinite::Passes },
    of_1("sinh", f64::sinh, NotFinite::Passes),
    of_1("cosh", f64::cosh, NotFinite::Passes),
    of_1("tanh", f64::tanh, NotFinite::Passes),
    of_1("asinh", f64::asinh, NotFinite::Passes),
    of_1("acosh", f64::acosh, NotFinite::Passes),
    of_1("atanh", f64::atanh, NotFinite::Passes),
];

impl Function {
    /// By its name.
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        FUNCTIONS.iter().find(|function| function.name == name)
    }

    /// # Panics
    /// It takes another number of arguments.
    fn call(&self, arguments: &[f64]) -> f64 {
        match (self.apply, arguments) {
            (Apply::Of1(apply), &[a]) => apply(a),
            (Apply::Of2(apply) | Apply::Fold(apply), &[a, b]) => apply(a, b),
            _ => panic!("{} takes another number of arguments than {}", self.name, arguments.len()),
        }
    }

    /// Whether a program in `dialect` has this value, too: it raises no error, and has no other rule for what is undefined.
    fn is_same_in(&self, dialect: Dialect, arguments: &[f64], value: f64) -> bool {
        let raises = dialect == Dialect::Python;
        let any = |is: fn(f64) -> bool| arguments.iter().any(|argument| is(*argument));
        match self.not_finite {
            NotFinite::Raises => !raises || value.is_finite(),
            NotFinite::Passes => {
                let passed = any(f64::is_nan) || value.is_infinite() && any(f64::is_infinite);
                !raises || value.is_finite() || passed
            }
            NotFinite::Compares => {
                value.is_nan()
                    || match dialect {
                        Dialect::Rust => true,
                        Dialect::Python => !arguments[0].is_nan(),
                        Dialect::Jax | Dialect::Keras => !any(f64::is_nan),
                    }
            }
            NotFinite::Signs => dialect == Dialect::Rust || !value.is_nan(),
        }
    }
}

/// The value of a function by its name.
///
/// # Panics
/// There is none of this name, or it takes another number of arguments.
pub(crate) fn call(name: &str, arguments: &[f64]) -> f64 {
    Function::named(name).expect("a function of the table").call(arguments)
}

/// The value of a function by its name as a program in `dialect` has it; `None` where that raises an error instead, or follows another rule
/// for what is undefined.
///
/// # Panics
/// As [`call`].
pub(crate) fn call_in(dialect: Dialect, name: &str, arguments: &[f64]) -> Option<f64> {
    let function = Function::named(name).expect("a function of the table");
    let value = function.call(arguments);
    function.is_same_in(dialect, arguments, value).then_some(value)
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Operator {
    pub(super) sign: &'static str,
    /// Precedence level.
    pub(super) level: u8,
    pub(super) apply: fn(f64, f64) -> f64,
    undefined: Undefined,
}

/// Where Python's operator raises an error.
#[derive(Debug, Clone, Copy)]
enum Undefined {
    Nowhere,
    /// If the second operand is 0.
    Divides,
    /// If finite operands have an infinite or undefined value.
    Overflows,
}

const fn operator(sign: &'static str, level: u8, undefined: Undefined, apply: fn(f64, f64) -> f64) -> Operator {
    Operator { sign, level, apply, undefined }
}

pub(super) const COMPARISON: u8 = 0;
pub(super) const NEGATION: u8 = 5;
pub(super) const POWER: u8 = 6;
/// A function applied without brackets.
pub(super) const PREFIX: u8 = 7;

/// A sign that is a prefix of another one comes after it.
pub(super) const OPERATORS: [Operator; 13] = [
    operator("**", POWER, Undefined::Overflows, f64::powf),
    operator("^", POWER, Undefined::Overflows, f64::powf),
    operator("/", 4, Undefined::Divides, |a, b| a / b),
    operator("*", 3, Undefined::Nowhere, |a, b| a * b),
    operator("%", 3, Undefined::Divides, f64::rem_euclid),
    operator("-", 2, Undefined::Nowhere, |a, b| a - b),
    operator("+", 1, Undefined::Nowhere, |a, b| a + b),
    operator("<=", COMPARISON, Undefined::Nowhere, |a, b| f64::from(a <= b)),
    operator("<", COMPARISON, Undefined::Nowhere, |a, b| f64::from(a < b)),
    operator(">=", COMPARISON, Undefined::Nowhere, |a, b| f64::from(a >= b)),
    operator(">", COMPARISON, Undefined::Nowhere, |a, b| f64::from(a > b)),
    operator("==", COMPARISON, Undefined::Nowhere, |a, b| f64::from(a == b)),
    operator("!=", COMPARISON, Undefined::Nowhere, |a, b| f64::from(a != b)),
];

impl Operator {
    fn signed(sign: &str) -> Option<&'static Self> {
        OPERATORS.iter().find(|operator| operator.sign == sign)
    }
}

/// The value of an operator by its sign.
///
/// # Panics
/// There is none of this sign.
pub(crate) fn apply(sign: &str, a: f64, b: f64) -> f64 {
    (Operator::signed(sign).expect("an operator of the table").apply)(a, b)
}

/// The value of an operator by its sign as a program in `dialect` has it; `None` where that raises an error instead.
///
/// # Panics
/// As [`apply`].
pub(crate) fn apply_in(dialect: Dialect, sign: &str, a: f64, b: f64) -> Option<f64> {
    let operator = Operator::signed(sign).expect("an operator of the table");
    let value = (operator.apply)(a, b);
    let raises = dialect == Dialect::Python
        && match operator.undefined {
            Undefined::Nowhere => false,
            Undefined::Divides => b == 0.0,
            Undefined::Overflows => !value.is_finite() && a.is_finite() && b.is_finite(),
        };
    (!raises).then_some(value)
}
