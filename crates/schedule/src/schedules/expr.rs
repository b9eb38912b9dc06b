//! The rate as an arbitrary expression of the clock.

use crate::builder::{Builder, setters};
use crate::code::{Code as RateCode, Expression};
use crate::error::UsageError;
use crate::hint::did_you_mean;
use crate::spec::{Entry, Parameter, ParameterKind};
use crate::{Formula, Outline, Rates, ScheduleRow, Semantics};
use std::f64::consts::{PI, TAU};

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
#[doc = include_str!("../../pictures/expr.svg")]
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

#[derive(Debug, Clone, Copy)]
enum Variable {
    Lr,
    Step,
    Epoch,
    TotalSteps,
    StepsPerEpoch,
    Epochs,
}

const VARIABLES: [(&str, Variable); 8] = [
    ("lr", Variable::Lr),
    ("t", Variable::Step),
    ("step", Variable::Step),
    ("e", Variable::Epoch),
    ("epoch", Variable::Epoch),
    ("T", Variable::TotalSteps),
    ("S", Variable::StepsPerEpoch),
    ("epochs", Variable::Epochs),
];

const CONSTANTS: [(&str, f64); 4] = [("PI", PI), ("π", PI), ("TAU", TAU), ("τ", TAU)];

#[derive(Debug, Clone, Copy)]
enum Function {
    Of1(fn(f64) -> f64),
    Of2(fn(f64, f64) -> f64),
    /// Takes two or more arguments, folded from the left.
    Fold(fn(f64, f64) -> f64),
}

const FUNCTIONS: [(&str, Function); 29] = [
    ("min", Function::Fold(f64::min)),
    ("max", Function::Fold(f64::max)),
    ("floor", Function::Of1(f64::floor)),
    ("ceil", Function::Of1(f64::ceil)),
    ("round", Function::Of1(f64::round)),
    ("trunc", Function::Of1(f64::trunc)),
    ("fract", Function::Of1(f64::fract)),
    ("abs", Function::Of1(f64::abs)),
    ("signum", Function::Of1(f64::signum)),
    ("sqrt", Function::Of1(f64::sqrt)),
    ("cbrt", Function::Of1(f64::cbrt)),
    ("exp", Function::Of1(f64::exp)),
    ("ln", Function::Of1(f64::ln)),
    ("log", Function::Of1(f64::ln)),
    ("log2", Function::Of1(f64::log2)),
    ("log10", Function::Of1(f64::log10)),
    ("sin", Function::Of1(f64::sin)),
    ("cos", Function::Of1(f64::cos)),
    ("tan", Function::Of1(f64::tan)),
    ("asin", Function::Of1(f64::asin)),
    ("acos", Function::Of1(f64::acos)),
    ("atan", Function::Of1(f64::atan)),
    ("atan2", Function::Of2(f64::atan2)),
    ("sinh", Function::Of1(f64::sinh)),
    ("cosh", Function::Of1(f64::cosh)),
    ("tanh", Function::Of1(f64::tanh)),
    ("asinh", Function::Of1(f64::asinh)),
    ("acosh", Function::Of1(f64::acosh)),
    ("atanh", Function::Of1(f64::atanh)),
];

#[derive(Debug, Clone, Copy)]
struct Operator {
    sign: &'static str,
    /// Precedence level.
    level: u8,
    apply: fn(f64, f64) -> f64,
}

const fn operator(sign: &'static str, level: u8, apply: fn(f64, f64) -> f64) -> Operator {
    Operator { sign, level, apply }
}

const COMPARISON: u8 = 0;
const NEGATION: u8 = 5;
const POWER: u8 = 6;
/// A function applied without brackets.
const PREFIX: u8 = 7;

/// A sign that is a prefix of another one comes after it.
const OPERATORS: [Operator; 13] = [
    operator("**", POWER, f64::powf),
    operator("^", POWER, f64::powf),
    operator("/", 4, |a, b| a / b),
    operator("*", 3, |a, b| a * b),
    operator("%", 3, f64::rem_euclid),
    operator("-", 2, |a, b| a - b),
    operator("+", 1, |a, b| a + b),
    operator("<=", COMPARISON, |a, b| f64::from(a <= b)),
    operator("<", COMPARISON, |a, b| f64::from(a < b)),
    operator(">=", COMPARISON, |a, b| f64::from(a >= b)),
    operator(">", COMPARISON, |a, b| f64::from(a > b)),
    operator("==", COMPARISON, |a, b| f64::from(a == b)),
    operator("!=", COMPARISON, |a, b| f64::from(a != b)),
];

/// One instruction of a stack machine.
#[derive(Debug, Clone, Copy)]
enum Code {
    Number(f64),
    Variable(Variable),
    /// The name of a function of one argument; `-` negates.
    Unary(&'static str, fn(f64) -> f64),
    /// The sign of an operator, or the name of a function of two arguments.
    Binary(&'static str, fn(f64, f64) -> f64),
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

/// The value of a function by its name.
///
/// # Panics
/// There is none of this name.
pub(crate) fn call(name: &str, arguments: &[f64]) -> f64 {
    let function = FUNCTIONS.iter().find(|(known, _)| *known == name).map(|(_, function)| function);
    match (function.expect("a function of the table"), arguments) {
        (Function::Of1(apply), &[a]) => apply(a),
        (Function::Of2(apply) | Function::Fold(apply), &[a, b]) => apply(a, b),
        _ => panic!("{name} takes another number of arguments than {}", arguments.len()),
    }
}

/// The value of an operator by its sign.
///
/// # Panics
/// There is none of this sign.
pub(crate) fn apply(sign: &str, a: f64, b: f64) -> f64 {
    let operator = OPERATORS.iter().find(|operator| operator.sign == sign);
    (operator.expect("an operator of the table").apply)(a, b)
}

impl Formula for Curve {
    fn code(&self) -> Option<RateCode> {
        self.expression().map(RateCode::of)
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

#[derive(Debug, Clone, Copy)]
enum Token<'a> {
    Number(f64),
    Name(&'a str),
    Operator(Operator),
    Open,
    Close,
    Comma,
}

/// A token, and its position in the text, in bytes.
#[derive(Debug, Clone, Copy)]
struct Placed<'a> {
    token: Token<'a>,
    at: usize,
    length: usize,
}

/// An entry of the operator stack: waits for its operand or its closing bracket.
#[derive(Debug, Clone, Copy)]
enum Waiting {
    Open { at: usize, call: Option<Call> },
    Unary { level: u8, name: &'static str, apply: fn(f64) -> f64 },
    Binary { operator: Operator, strength: u8 },
}

#[derive(Debug, Clone, Copy)]
struct Call {
    name: &'static str,
    function: Function,
    /// The number of arguments begun so far.
    arguments: usize,
}

/// The error in the text of an expression, if any.
pub(crate) fn problem(text: &str) -> Option<UsageError> {
    Parser::new(text).and_then(Parser::parse).err()
}

/// Operator precedence parser (Dijkstra's shunting yard): linear in the length of the text, and without recursion, so
/// that deeply nested brackets cannot overflow the stack.
struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Placed<'a>>,
    code: Vec<Code>,
    waiting: Vec<Waiting>,
}

const OPERAND: &str = "a number, a variable, a function or `(`";

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Result<Self, UsageError> {
        let mut parser = Self { text, tokens: Vec::new(), code: Vec::new(), waiting: Vec::new() };
        let mut at = 0;
        while let Some(c) = text[at..].chars().next() {
            let rest = &text[at..];
            let (token, length) = if c.is_whitespace() {
                at += c.len_utf8();
                continue;
            } else if let Some(operator) = OPERATORS.iter().find(|operator| rest.starts_with(operator.sign)) {
                (Token::Operator(*operator), operator.sign.len())
            } else if let Some(length) = number_length(rest) {
                match rest[..length].parse() {
                    Ok(number) => (Token::Number(number), length),
                    Err(_) => return Err(parser.refuse("this is not a number", at)),
                }
            } else if c.is_alphabetic() || c == '_' {
                let length = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
                (Token::Name(&rest[..length]), length)
            } else {
                match c {
                    '(' => (Token::Open, 1),
                    ')' => (Token::Close, 1),
                    ',' => (Token::Comma, 1),
                    _ => return Err(parser.refuse(&format!("an expression has no `{}`", c.escape_debug()), at)),
                }
            };
            parser.tokens.push(Placed { token, at, length });
            at += length;
        }
        Ok(parser)
    }

    /// `expr: {problem} (character {place} of `{text}`)`.
    fn refuse(&self, problem: &str, at: usize) -> UsageError {
        const SHOWN: usize = 40;
        let place = self.text[..at].chars().count();
        let first = place.saturating_sub(SHOWN);
        let mut excerpt: String =
            self.text.chars().skip(first).take(2 * SHOWN).map(|c| if c.is_control() { ' ' } else { c }).collect();
        if first > 0 {
            excerpt.insert(0, '…');
        }
        if self.text.chars().nth(first + 2 * SHOWN).is_some() {
            excerpt.push('…');
        }
        UsageError(format!("expr: {problem} (character {} of `{excerpt}`)", place + 1))
    }

    fn expected(&self, what: &str, index: usize) -> UsageError {
        match self.tokens.get(index) {
            Some(&Placed { at, length, .. }) => {
                self.refuse(&format!("expected {what}, found `{}`", &self.text[at..at + length]), at)
            }
            None => self.refuse(&format!("expected {what}, found the end"), self.text.len()),
        }
    }

    fn parse(mut self) -> Result<Vec<Code>, UsageError> {
        let mut index = 0;
        // Whether the last operand ended in a numeric literal.
        let mut number = false;
        loop {
            index = self.operand(index, &mut number)?;
            // After an operand: closing brackets, then an operator, a comma or the end.
            while let Some(Placed { token: Token::Close, at, .. }) = self.tokens.get(index).copied() {
                self.close(at)?;
                index += 1;
            }
            match self.tokens.get(index).copied() {
                None => break,
                Some(Placed { token: Token::Operator(operator), at, .. }) => {
                    if operator.level == COMPARISON && self.compares() {
                        // Python would mean both, and C would compare the 1 or 0 of the first.
                        return Err(self.refuse("comparisons do not chain: write (5<=e)*(e<10) for 5<=e<10", at));
                    }
                    let literal = number && matches!(operator.sign, "*" | "+") && self.number_follows(index + 1);
                    self.operator(operator, literal);
                }
                Some(Placed { token: Token::Comma, at, .. }) => self.comma(at)?,
                Some(_) => return Err(self.expected("an operator", index)),
            }
            index += 1;
        }
        self.reduce(|_, _| true);
        match self.waiting.last() {
            Some(&Waiting::Open { at, .. }) => Err(self.refuse("this `(` is never closed", at)),
            _ => Ok(self.code),
        }
    }

    /// Reads an operand, or a prefix of one, from token `index`; returns the index after it.
    fn operand(&mut self, mut index: usize, number: &mut bool) -> Result<usize, UsageError> {
        loop {
            let Some(Placed { token, at, .. }) = self.tokens.get(index).copied() else {
                return Err(self.expected(OPERAND, index));
            };
            index += 1;
            match token {
                Token::Number(value) => {
                    *number = true;
                    self.code.push(Code::Number(value));
                    return Ok(index);
                }
                Token::Name(name) => {
                    if let Some((_, value)) = CONSTANTS.iter().find(|(known, _)| *known == name) {
                        *number = true;
                        self.code.push(Code::Number(*value));
                        return Ok(index);
                    }
                    if let Some((_, variable)) = VARIABLES.iter().find(|(known, _)| *known == name) {
                        *number = false;
                        self.code.push(Code::Variable(*variable));
                        return Ok(index);
                    }
                    let Some(&(name, function)) = FUNCTIONS.iter().find(|(known, _)| *known == name) else {
                        return Err(self.unknown(name, at));
                    };
                    let opens = matches!(self.tokens.get(index), Some(Placed { token: Token::Open, .. }));
                    match function {
                        _ if opens => {
                            let call = Some(Call { name, function, arguments: 1 });
                            self.waiting.push(Waiting::Open { at: self.tokens[index].at, call });
                            index += 1;
                        }
                        Function::Of1(apply) => self.waiting.push(Waiting::Unary { level: PREFIX, name, apply }),
                        _ => return Err(self.expected(&format!("`(` after {name}"), index)),
                    }
                }
                Token::Open => self.waiting.push(Waiting::Open { at, call: None }),
                Token::Operator(Operator { sign: "-", .. }) => {
                    self.waiting.push(Waiting::Unary { level: NEGATION, name: "-", apply: |value| -value });
                }
                Token::Operator(Operator { sign: "+", .. }) => {}
                Token::Operator(_) | Token::Close | Token::Comma => return Err(self.expected(OPERAND, index - 1)),
            }
        }
    }

    fn unknown(&self, name: &str, at: usize) -> UsageError {
        let variables = VARIABLES.map(|(name, _)| name);
        let hint = did_you_mean(name, variables.into_iter().chain(FUNCTIONS.map(|(name, _)| name)));
        let functions = FUNCTIONS.map(|(name, _)| name).join(", ");
        self.refuse(
            &format!(
                "`{name}` is not a variable or a function{hint} (variables: {}; functions: {functions})",
                variables.join(", ")
            ),
            at,
        )
    }

    /// Pops and applies operators from the stack while `binds` accepts their strength and sign.
    fn reduce(&mut self, binds: impl Fn(u8, &str) -> bool) {
        while let Some(waiting) = self.waiting.last().copied() {
            let (strength, sign, code) = match waiting {
                Waiting::Open { .. } => return,
                Waiting::Unary { level, name, apply } => (2 * level, "", Code::Unary(name, apply)),
                Waiting::Binary { operator, strength } => {
                    (strength, operator.sign, Code::Binary(operator.sign, operator.apply))
                }
            };
            if !binds(strength, sign) {
                return;
            }
            self.waiting.pop();
            self.code.push(code);
        }
    }

    /// `literal`: one of the operands next to it is a number. Two adjacent numbers in a sum or a product are combined
    /// first, which keeps the last digit of the rates of older runs.
    fn operator(&mut self, operator: Operator, literal: bool) {
        let strength = 2 * operator.level + u8::from(literal);
        // Powers are right-associative. A remainder is left-associative, regardless of the strength of what follows.
        let right = operator.level == POWER;
        let product = matches!(operator.sign, "*" | "/" | "%");
        self.reduce(|before, sign| before > strength || before == strength && !right || sign == "%" && product);
        self.waiting.push(Waiting::Binary { operator, strength });
    }

    /// Whether the operand at token `index` begins with a number, ignoring brackets and functions around it.
    fn number_follows(&self, index: usize) -> bool {
        let leads = |token: &Token| match token {
            Token::Open => true,
            Token::Operator(operator) => matches!(operator.sign, "+" | "-"),
            Token::Name(name) => FUNCTIONS.iter().any(|(known, _)| known == name),
            _ => false,
        };
        let first = self.tokens[index..].iter().map(|placed| placed.token).find(|token| !leads(token));
        match first {
            Some(Token::Number(_)) => true,
            Some(Token::Name(name)) => CONSTANTS.iter().any(|(known, _)| *known == name),
            _ => false,
        }
    }

    /// Whether a comparison stands before, in the same brackets.
    fn compares(&self) -> bool {
        let mut within = self.waiting.iter().rev().take_while(|waiting| !matches!(waiting, Waiting::Open { .. }));
        let is_comparison =
            |waiting: &Waiting| matches!(waiting, Waiting::Binary { operator, .. } if operator.level == COMPARISON);
        within.any(is_comparison)
    }

    fn comma(&mut self, at: usize) -> Result<(), UsageError> {
        self.reduce(|_, _| true);
        match self.waiting.last_mut() {
            Some(Waiting::Open { call: Some(call), .. }) => {
                call.arguments += 1;
                if let (Function::Fold(apply), 3..) = (call.function, call.arguments) {
                    self.code.push(Code::Binary(call.name, apply));
                }
                Ok(())
            }
            _ => Err(self.refuse("a comma stands only between the arguments of a function", at)),
        }
    }

    fn close(&mut self, at: usize) -> Result<(), UsageError> {
        self.reduce(|_, _| true);
        let Some(Waiting::Open { call, .. }) = self.waiting.pop() else {
            return Err(self.refuse("this `)` closes nothing", at));
        };
        let Some(Call { name, function, arguments }) = call else { return Ok(()) };
        let (code, takes) = match function {
            Function::Of1(apply) => (Code::Unary(name, apply), (arguments == 1).then_some(()).ok_or("1 argument")),
            Function::Of2(apply) => (Code::Binary(name, apply), (arguments == 2).then_some(()).ok_or("2 arguments")),
            Function::Fold(apply) => {
                (Code::Binary(name, apply), (arguments >= 2).then_some(()).ok_or("2 arguments or more"))
            }
        };
        if let Err(rule) = takes {
            return Err(self.refuse(&format!("{name} takes {rule}, got {arguments}"), at));
        }
        self.code.push(code);
        Ok(())
    }
}

/// The length of the number at the start of the text: 1, .5, 1e-3. The sign in 1e-3 belongs to it.
fn number_length(text: &str) -> Option<usize> {
    let digits = |from: usize| text[from..].bytes().take_while(u8::is_ascii_digit).count();
    let whole = digits(0);
    let point = text[whole..].starts_with('.');
    let part = if point { digits(whole + 1) } else { 0 };
    if whole + part == 0 {
        return None;
    }
    let mantissa = whole + usize::from(point) + part;
    let exponent = text[mantissa..].strip_prefix(['e', 'E']).map(|rest| 1 + usize::from(rest.starts_with(['+', '-'])));
    let exponent = exponent.filter(|sign| digits(mantissa + sign) > 0).map_or(0, |sign| sign + digits(mantissa + sign));
    Some(mantissa + exponent)
}

#[cfg(test)]
mod tests {
    use crate::{RunShape, Schedule};

    fn at_5(expression: &str) -> f64 {
        let schedule = Schedule::build(&format!("expr:{expression}").parse().unwrap(), &RunShape::new(0.1, 4, 10));
        schedule.unwrap().at(5).learning_rate
    }

    #[test]
    fn a_unary_minus_binds_looser_than_a_power() {
        assert_eq!(at_5("exp(-(t/5)^2)"), (-1.0_f64).exp());
        assert_eq!(at_5("exp(-t^2/25)"), (-1.0_f64).exp());
        assert_eq!(at_5("exp(1*-t^2/25)"), (-1.0_f64).exp());
        assert_eq!(at_5("exp(25/-t^2)"), (-1.0_f64).exp());
        assert_eq!(at_5("exp(0+-t**2/25)"), (-1.0_f64).exp());
        assert_eq!(at_5("2^-1"), 0.5);
        assert_eq!(at_5("1e-3*t"), 0.005);
        assert_eq!(at_5("2^--(t/5)^2"), 2.0);
        assert_eq!(at_5("(-1 < t) * lr"), 0.1);
    }

    #[test]
    fn a_chain_of_powers_begins_at_its_right_end() {
        assert_eq!(at_5("2^3^2"), 512.0);
        assert_eq!(at_5("2 ** 3 ** 2 - 500"), 12.0);
        assert_eq!(at_5("(2^3)^2"), 64.0);
        assert_eq!(at_5("2^-1^2*8"), 4.0);
        assert_eq!(at_5("2^-(t/5)^2 * 2"), 1.0);
        assert_eq!(at_5("2^max(1, 3^1^4)^2 + 1"), 513.0);
        assert_eq!(at_5("4^5e-1^1/2"), 1.0);
        assert_eq!(at_5("2^e-1"), 0.0);
        assert_eq!(at_5("(2^3^2 > 500) + (3 < 2^3^0)"), 1.0);
    }

    #[test]
    fn functions_of_two_arguments_nest_in_either_argument() {
        assert_eq!(at_5("max(0.1,max(0,t-3))"), 2.0);
        assert_eq!(at_5("max(0.1, lr*0.2^(max(0,t-3)/2))"), 0.1);
        assert_eq!(at_5("max(min(t,2),min(1,2))"), 2.0);
        assert_eq!(at_5("max(0.1,sqrt(min(1,2)))"), 1.0);
        assert_eq!(at_5("2*min (3, max(1,2), max(4,max(2,t))) - max(1,(1+2))"), 1.0);
        assert_eq!(at_5("lr*(t<max(1,min(9,t+1)))"), 0.1);
        assert!("expr:π\u{a0}(1,2)".parse::<crate::Spec>().is_err());
    }

    #[test]
    fn e_is_the_epoch_and_not_eulers_number() {
        assert_eq!(at_5("lr + e"), 0.1);
        assert_eq!(at_5("lr + epoch + epochs + S + T + step - t"), 0.1 + 4.0 + 10.0 + 40.0);
    }

    #[test]
    fn a_remainder_is_taken_before_it_is_divided_and_of_the_whole_negative_number() {
        assert_eq!(at_5("7%4/2"), 1.5);
        assert_eq!(at_5("2*7%4/2 + t%-3*2"), 5.0);
        assert_eq!(at_5("12/4%2*3"), 3.0);
        assert_eq!(at_5("t*3/6 + 1 - 0.5"), 3.0);
    }

    fn problem(expression: &str) -> String {
        let spec = format!("expr:{expression}").parse();
        let problem = spec.and_then(|spec| Schedule::build(&spec, &RunShape::new(0.1, 4, 10))).unwrap_err().to_string();
        assert!(!problem.contains('\n'), "{problem}");
        problem
    }

    #[test]
    fn what_is_no_expression_says_what_is_expected_and_where() {
        let operand = "a number, a variable, a function or `(`";
        let cases = [
            ("lr*", format!("expected {operand}, found the end (character 4 of `lr*`)")),
            ("lr*)", format!("expected {operand}, found `)` (character 4 of `lr*)`)")),
            ("lr**/2", format!("expected {operand}, found `/` (character 5 of `lr**/2`)")),
            ("2 t", "expected an operator, found `t` (character 3 of `2 t`)".into()),
            ("lr (2)", "expected an operator, found `(` (character 4 of `lr (2)`)".into()),
            (
                "lr*(5<=e<10)",
                "comparisons do not chain: write (5<=e)*(e<10) for 5<=e<10 (character 9 of `lr*(5<=e<10)`)".into(),
            ),
            ("1.2.3", "expected an operator, found `.3` (character 4 of `1.2.3`)".into()),
            ("(lr*(1-t/T)", "this `(` is never closed (character 1 of `(lr*(1-t/T)`)".into()),
            ("lr*2)", "this `)` closes nothing (character 5 of `lr*2)`)".into()),
            (
                "lr*(1, 2)",
                "a comma stands only between the arguments of a function (character 6 of `lr*(1, 2)`)".into(),
            ),
            ("sqrt(1, 2)", "sqrt takes 1 argument, got 2 (character 10 of `sqrt(1, 2)`)".into()),
            ("max(lr)", "max takes 2 arguments or more, got 1 (character 7 of `max(lr)`)".into()),
            ("min lr", "expected `(` after min, found `lr` (character 5 of `min lr`)".into()),
            ("π=lr", "an expression has no `=` (character 2 of `π=lr`)".into()),
        ];
        for (expression, expected) in cases {
            assert_eq!(problem(expression), format!("expr: {expected}"));
        }
        let unknown = problem("lr*epochh");
        assert!(
            unknown.starts_with("expr: `epochh` is not a variable or a function; did you mean `epoch`?"),
            "{unknown}"
        );
        assert!(unknown.ends_with("(character 4 of `lr*epochh`)"), "{unknown}");
        // A long expression is cut to the part around the error.
        let long = problem(&format!("{}x{}", "t+".repeat(2000), "+t".repeat(2000)));
        assert!(long.contains("character 4001 of `…t+t+") && long.len() < 600, "{long}");
    }

    #[test]
    fn a_long_expression_is_read_and_evaluated_in_no_time() {
        let began = std::time::Instant::now();
        let deep = |open: &str, close: &str| format!("{}lr{}", open.repeat(2400), close.repeat(2400));
        for expression in [
            "t+".repeat(4000) + "1",
            "-".repeat(9000) + "1*lr",
            deep("(", ")"),
            deep("-(", ")"),
            "1^".repeat(4000) + "2",
        ] {
            let spec = format!("expr:{expression}").parse().unwrap();
            let built = Schedule::build(&spec, &RunShape::new(0.1, 10, 100));
            assert!(built.is_ok_and(|schedule| schedule.at(5).learning_rate > 0.0), "{expression}");
        }
        assert!(began.elapsed().as_secs() < 5, "{:?}", began.elapsed());
    }
}
