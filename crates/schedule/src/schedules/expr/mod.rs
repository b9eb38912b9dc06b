//! The rate as an arbitrary expression of the clock.

mod functions;
mod parser;

use crate::builder::{Builder, setters};
use crate::code::{Code as RateCode, Expression};
use crate::spec::{Entry, Parameter, ParameterKind};
use crate::{Formula, Outline, Rates, ScheduleRow, Semantics};
use functions::{OPERATORS, Variable};
use parser::{Code, Parser};

pub(crate) use functions::{apply, apply_in, call, call_in};
pub(crate) use parser::problem;

/// Any expression, like a lambda in Keras's `LearningRateScheduler` or PyTorch's `LambdaLR`.
///
/// ```text
/// lr*0.5^floor((1+epoch)/10)
/// ```
///
/// | variable      | meaning                               |
/// |---------------|---------------------------------------|
/// | `lr`          | base learning rate                    |
/// | `t`, `step`   | step, 0-based                         |
/// | `e`, `epoch`  | epoch, 0-based (not Euler's number)   |
/// | `T`           | steps of the run                      |
/// | `S`           | steps per epoch                       |
/// | `epochs`      | epochs of the run                     |
///
/// With + − * / % ^ (or `**`), comparisons that give 1 or 0 and do not chain, `min(a, b)`, `max(a, b)`, `floor`, `ceil`, `round`, `abs`,
/// `sqrt`, `exp`, `ln`, `log2`, `log10`, `sin`, `cos`, `tan`, `tanh` and more, and `PI`. −a^b is −(a^b) and a^b^c is
/// a^(b^c), as in Python. a·b/c is computed as a·(b/c), and a + b − c as a + (b − c), which affects only the last
/// digit. After a warm-up or in a sequence, the variables are relative to the schedule's own clock.
///
#[doc = include_str!("../../../pictures/expr.svg")]
///
/// Draw it: `lrsched show --schedule 'expr:lr*0.5^floor((1+epoch)/10)'`
///
/// # Errors
/// An invalid expression, an unknown variable, or a rate that is negative or not finite at any step of the run.
///
/// ```
/// use lrsched_schedule::{Schedule, RunShape};
/// let schedule = Schedule::build(&"expr:lr*max(0.1, 1-t/T)*(e<3)".parse()?, &RunShape::new(0.4, 4, 10))?;
/// assert_eq!([0, 20, 29, 30].map(|t| schedule.at(t).learning_rate), [0.4, 0.2, 0.4 * (1.0 - 29.0 / 40.0), 0.0]);
/// # Ok::<(), lrsched_schedule::UsageError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Expr(Builder);

setters!(Expr, "expr", expr: expression);

#[derive(Debug, Clone)]
struct Curve {
    /// In postfix order: an operator comes after its operands.
    code: Vec<Code>,
    lr: f64,
    /// S.
    steps_per_epoch: u64,
    /// T.
    horizon: u64,
}

pub(super) const ROWS: &[ScheduleRow] = &[ScheduleRow {
    entry: Entry {
        name: "expr",
        summary: "any expression of lr, t or step and e or epoch (both from 0), T (steps of the run), S (steps per epoch), epochs",
        formula: "for example lr*0.5^floor((1+epoch)/10)",
        parameters: &[Parameter::new(
            "expr",
            ParameterKind::Expression,
            "lr*(1-t/T)",
            "the expression; + - * / % ^, comparisons, min(a,b), max(a,b), floor, exp, cos, sqrt, PI, ...",
        )],
        source: "Keras LearningRateScheduler; PyTorch LambdaLR",
        entrant: Some("expr:lr*sqrt(1-t/T)"),
    },
    frameworks: Semantics::FRAMEWORKS,
    build: |a| {
        let code = Parser::new(&a.expression("expr"))?.parse()?;
        Ok(Box::new(Curve { code, lr: a.lr, steps_per_epoch: a.steps_per_epoch, horizon: a.horizon }))
    },
}];

impl Curve {
    fn value(&self, variable: Variable, t: u64) -> f64 {
        match variable {
            Variable::Lr => self.lr,
            Variable::Step => t as f64,
            Variable::Epoch => (t / self.steps_per_epoch) as f64,
            Variable::TotalSteps => self.horizon as f64,
            Variable::StepsPerEpoch => self.steps_per_epoch as f64,
            Variable::Epochs => self.horizon as f64 / self.steps_per_epoch as f64,
        }
    }

    fn rate(&self, t: u64) -> f64 {
        let mut stack: Vec<f64> = Vec::with_capacity(8);
        for code in &self.code {
            match *code {
                Code::Number(number) => stack.push(number),
                Code::Variable(variable) => stack.push(self.value(variable, t)),
                Code::Unary(_, apply) => {
                    if let Some(value) = stack.last_mut() {
                        *value = apply(*value);
                    }
                }
                // The parser guarantees that every instruction has its operands.
                Code::Binary(_, apply) => {
                    let second = stack.pop().unwrap_or(f64::NAN);
                    if let Some(first) = stack.last_mut() {
                        *first = apply(*first, second);
                    }
                }
            }
        }
        // A rate of -0 becomes 0.
        stack.pop().unwrap_or(f64::NAN) + 0.0
    }
}

impl Curve {
    /// The same instructions, with expressions on the stack.
    fn expression(&self) -> Option<Expression> {
        // A tree as deep as this prints and is dropped without a deep stack.
        const MOST_INSTRUCTIONS: usize = 1000;
        // A quotient repeats its operands, so that nested ones double in length with each level.
        const MOST_PARTS: usize = 5000;
        if self.code.len() > MOST_INSTRUCTIONS {
            return None;
        }
        let mut stack: Vec<Expression> = Vec::new();
        for code in &self.code {
            let made = match *code {
                Code::Number(number) => number.into(),
                Code::Variable(Variable::Step) => Expression::Step,
                Code::Variable(Variable::Epoch) => {
                    Expression::Step.binary("/", (self.steps_per_epoch as f64).into()).call("floor")
                }
                Code::Variable(variable) => self.value(variable, 0).into(),
                Code::Unary("-", _) => Expression::from(0.0).binary("-", stack.pop()?),
                Code::Unary(name, _) => stack.pop()?.call(name),
                Code::Binary(name, _) => {
                    let (second, first) = (stack.pop()?, stack.pop()?);
                    match name {
                        "**" | "^" => to_the(first, second),
                        "/" => over(first, second),
                        _ if OPERATORS.iter().any(|operator| operator.sign == name) => first.binary(name, second),
                        _ => Expression::Call(name, vec![first, second]),
                    }
                }
            };
            if made.parts() > MOST_PARTS {
                return None;
            }
            stack.push(made);
        }
        stack.pop()
    }
}

/// `a / b`, where a program may refuse to divide by 0.
fn over(a: Expression, b: Expression) -> Expression {
    if matches!(b, Expression::Number(_)) {
        return a.binary("/", b);
    }
    let infinite = a.clone().binary("*", f64::INFINITY.into());
    b.clone().binary("==", 0.0.into()).choose(infinite, a.binary("/", b))
}

/// `a^b`, where a program may refuse to divide by 0.
fn to_the(a: Expression, b: Expression) -> Expression {
    let divides = matches!(b, Expression::Number(b) if b < 0.0) && !matches!(a, Expression::Number(_));
    let power = a.clone().binary("^", b);
    if divides { a.binary("==", 0.0.into()).choose(f64::INFINITY.into(), power) } else { power }
}

impl Formula for Curve {
    fn code(&self) -> Option<RateCode> {
        self.expression().map(RateCode::written)
    }

    fn outline(&self) -> Outline {
        Outline { free: true, ..Outline::default() }
    }

    fn rates(&self, t: u64) -> Rates {
        // Only the steps of the run were checked at build time.
        Rates::of(self.rate(t.min(self.horizon - 1)))
    }

    fn applies_lr(&self) -> bool {
        false
    }

    fn names_lr(&self) -> bool {
        self.code.iter().any(|code| matches!(code, Code::Variable(Variable::Lr)))
    }
}
