//! Expressions and functions as text of a language.

use super::{Expression, Program};
use std::fmt::Write as _;

/// What code is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Numbers, with the module `math`.
    Python,
    /// Arrays that may be traced, with `jnp`.
    Jax,
    /// Tensors of any backend, with `keras.ops` as `ops`.
    Keras,
    Rust,
}

/// How tightly the outermost operator binds, loosest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Binds {
    Choice,
    Comparison,
    Sum,
    Product,
    Negation,
    Power,
    Atom,
}

impl Dialect {
    fn is_traced(self) -> bool {
        matches!(self, Self::Jax | Self::Keras)
    }

    /// A number that reads back to the same f64.
    pub fn number(self, number: f64) -> String {
        if number.is_nan() || number.is_infinite() {
            let sign = if number < 0.0 { "-" } else { "" };
            let infinite = match self {
                Self::Python => "math.inf",
                Self::Jax => "jnp.inf",
                Self::Keras => "float(\"inf\")",
                Self::Rust => "f64::INFINITY",
            };
            return if number.is_nan() { format!("({infinite} * 0.0)") } else { format!("{sign}{infinite}") };
        }
        // Arrays of whole numbers would be computed with as such.
        let whole = number.fract() == 0.0 && number.abs() < 1e15;
        if whole && self == Self::Python { format!("{number:.0}") } else { format!("{number:?}") }
    }

    /// The expression, with `t` for the step.
    pub fn expression(self, expression: &Expression, t: &str) -> String {
        self.write(expression, t).0
    }

    /// `expression` in brackets if it binds looser than `least`.
    fn operand(self, expression: &Expression, t: &str, least: Binds) -> String {
        let (text, binds) = self.write(expression, t);
        if binds < least { format!("({text})") } else { text }
    }

    fn write(self, expression: &Expression, t: &str) -> (String, Binds) {
        match expression {
            Expression::Number(number) if *number < 0.0 => (self.number(*number), Binds::Negation),
            Expression::Number(number) => (self.number(*number), Binds::Atom),
            Expression::Step => (t.to_string(), Binds::Atom),
            Expression::Call(name, arguments) => self.function(name, arguments, t),
            Expression::Binary(sign, a, b) => self.operator(sign, a, b, t),
            Expression::Choice(choice) => {
                let [condition, then, otherwise] = &**choice;
                let condition = self.condition(condition, t);
                let (then, otherwise) = (self.write(then, t).0, self.operand(otherwise, t, Binds::Choice));
                match self {
                    Self::Python => (format!("{then} if {condition} else {otherwise}"), Binds::Choice),
                    Self::Rust => (format!("if {condition} {{ {then} }} else {{ {otherwise} }}"), Binds::Choice),
                    Self::Jax => (format!("jnp.where({condition}, {then}, {otherwise})"), Binds::Atom),
                    Self::Keras => (format!("ops.where({condition}, {then}, {otherwise})"), Binds::Atom),
                }
            }
        }
    }

    /// A comparison as a condition.
    fn condition(self, condition: &Expression, t: &str) -> String {
        match condition {
            Expression::Binary(sign @ ("<" | "<=" | ">" | ">=" | "==" | "!="), a, b) => {
                let (a, b) = (self.operand(a, t, Binds::Sum), self.operand(b, t, Binds::Sum));
                format!("{a} {sign} {b}")
            }
            other => format!("{} != {}", self.operand(other, t, Binds::Sum), self.number(0.0)),
        }
    }

    fn operator(self, sign: &str, a: &Expression, b: &Expression, t: &str) -> (String, Binds) {
        let pair = |sign: &str, binds: Binds, looser: Binds| {
            (format!("{} {sign} {}", self.operand(a, t, binds), self.operand(b, t, looser)), binds)
        };
        match (sign, a, b) {
            ("+", _, &Expression::Number(b)) if b < 0.0 => {
                (format!("{} - {}", self.operand(a, t, Binds::Sum), self.number(-b)), Binds::Sum)
            }
            ("-", Expression::Number(0.0), _) => (format!("-{}", self.operand(b, t, Binds::Power)), Binds::Negation),
            ("+" | "-", ..) => pair(sign, Binds::Sum, Binds::Product),
            ("*" | "/", ..) => pair(sign, Binds::Product, Binds::Negation),
            // The remainder is that of a non-negative divisor.
            ("%", ..) if self == Self::Rust => (self.method("rem_euclid", a, &[self.write(b, t).0], t), Binds::Atom),
            ("%", _, &Expression::Number(b)) => {
                (format!("{} % {}", self.operand(a, t, Binds::Product), self.number(b.abs())), Binds::Product)
            }
            ("%", ..) => {
                (format!("{} % abs({})", self.operand(a, t, Binds::Product), self.write(b, t).0), Binds::Product)
            }
            ("^", ..) => self.power(a, b, t),
            _ => {
                let binary = Expression::Binary(comparison(sign), Box::new(a.clone()), Box::new(b.clone()));
                let condition = self.condition(&binary, t);
                match self {
                    Self::Python => (condition, Binds::Comparison),
                    Self::Rust => (format!("f64::from({condition})"), Binds::Atom),
                    Self::Jax => (format!("jnp.where({condition}, 1.0, 0.0)"), Binds::Atom),
                    Self::Keras => (format!("ops.where({condition}, 1.0, 0.0)"), Binds::Atom),
                }
            }
        }
    }

    fn power(self, a: &Expression, b: &Expression, t: &str) -> (String, Binds) {
        // A whole number would become a long one.
        let base = match a {
            Expression::Number(number) if *number >= 0.0 && number.is_finite() => format!("{number:?}"),
            _ => self.operand(a, t, Binds::Atom),
        };
        match self {
            Self::Rust => (self.method("powf", a, &[self.write(b, t).0], t), Binds::Atom),
            // Keras would compute with whole numbers.
            Self::Keras => (format!("ops.power({base}, {})", self.write(b, t).0), Binds::Atom),
            _ => (format!("{base} ** {}", self.operand(b, t, Binds::Power)), Binds::Power),
        }
    }

    /// A method of f64 in Rust. Literals alone have no type yet that a method could be called on.
    fn method(self, name: &str, of: &Expression, rest: &[String], t: &str) -> String {
        if of.any(&|part| *part == Expression::Step) {
            return format!("{}.{name}({})", self.operand(of, t, Binds::Atom), rest.join(", "));
        }
        let all: Vec<String> = std::iter::once(self.write(of, t).0).chain(rest.iter().cloned()).collect();
        format!("f64::{name}({})", all.join(", "))
    }

    fn function(self, name: &str, arguments: &[Expression], t: &str) -> (String, Binds) {
        let list: Vec<String> = arguments.iter().map(|argument| self.write(argument, t).0).collect();
        let all = list.join(", ");
        let first = &list[0];
        if self == Self::Rust {
            let name = if matches!(name, "log") { "ln" } else { name };
            return (self.method(name, &arguments[0], &list[1..], t), Binds::Atom);
        }
        let module = match self {
            Self::Python => "math",
            Self::Jax => "jnp",
            _ => "ops",
        };
        // A compiler may multiply by the reciprocal, which can miss a whole quotient by its last bit: 41 / 41 < 1. This one is exact.
        if let ("floor" | "ceil", true, [Expression::Binary("/", a, b)]) = (name, self.is_traced(), arguments) {
            let (a, b) = (self.write(a, t).0, self.write(b, t).0);
            return match name {
                "floor" => (format!("{module}.floor_divide({a}, {b})"), Binds::Atom),
                _ => (format!("-{module}.floor_divide(-({a}), {b})"), Binds::Negation),
            };
        }
        let text = match (name, self) {
            ("ln" | "log", _) => format!("{module}.log({all})"),
            ("min" | "max", Self::Python) => format!("{name}({all})"),
            ("min", _) => format!("{module}.minimum({all})"),
            ("max", _) => format!("{module}.maximum({all})"),
            ("abs", _) => format!("abs({all})"),
            ("fract", Self::Python) => format!("math.fmod({first}, 1)"),
            ("fract", _) => format!("(({first}) - {module}.trunc({first}))"),
            ("signum", Self::Python) => format!("math.copysign(1.0, {first})"),
            // 1 at 0, as in Rust.
            ("signum", Self::Jax) => format!("jnp.copysign(1.0, {first})"),
            ("signum", _) => format!("ops.where({first} < 0.0, -1.0, 1.0)"),
            // Half away from zero.
            ("round", Self::Python) => format!("math.copysign(math.floor(abs({first}) + 0.5), {first})"),
            ("round", _) => format!("({module}.sign({first}) * {module}.floor(abs({first}) + 0.5))"),
            ("asin" | "acos" | "atan" | "atan2" | "asinh" | "acosh" | "atanh", Self::Jax | Self::Keras) => {
                format!("{module}.arc{}({all})", &name[1..])
            }
            _ => format!("{module}.{name}({all})"),
        };
        (text, Binds::Atom)
    }

    /// The body of a function of `step` that returns the rate of the step, or its momentum; without the name and the indentation.
    /// An expression that is missing in a stretch is `absent`.
    pub fn body(self, program: &Program, of: Of, absent: f64) -> String {
        let absent = Expression::Number(absent);
        let pick = |at: usize| {
            let code = &program.stretches[at].code;
            match of {
                Of::Rate => &code.rate,
                Of::Momentum => code.momentum.as_ref().unwrap_or(&absent),
            }
        };
        let all: Vec<&Expression> = (0..program.stretches.len()).map(pick).collect();
        if self.is_traced() { self.traced(program, &all) } else { self.branches(program, &all) }
    }

    /// One expression that selects among the values of all stretches.
    fn traced(self, program: &Program, all: &[&Expression]) -> String {
        let last = program.last;
        let mut text = match self {
            Self::Jax => format!("step = jnp.minimum(step, {last}).astype(float)\n"),
            _ => format!("step = ops.minimum(ops.cast(step, keras.config.floatx()), {last})\n"),
        };
        let clock = |at: usize| match program.stretches[at].start {
            0 => "step".to_string(),
            start => format!("(step - {start})"),
        };
        let values: Vec<String> = all.iter().enumerate().map(|(at, one)| self.expression(one, &clock(at))).collect();
        let module = if self == Self::Jax { "jnp" } else { "ops" };
        let pairs = program.stretches.iter().zip(values).rev();
        let value = pairs.fold(String::new(), |after, (stretch, value)| match stretch.until {
            Some(until) => format!("{module}.where(step < {until}, {value}, {after})"),
            None => value,
        });
        // A constant is an array, too.
        let constant = !value.contains("step");
        let value = if constant { format!("{value} + 0 * step") } else { value };
        let _ = write!(text, "return {value}");
        text
    }

    /// A branch for each stretch, and for each piece of it.
    fn branches(self, program: &Program, all: &[&Expression]) -> String {
        let last = program.last;
        let is_rust = self == Self::Rust;
        let uses_t = |code: &Expression| code.any(&|part| *part == Expression::Step);
        let several = program.stretches.len() > 1;
        if !several && !uses_t(all[0]) {
            return if is_rust {
                self.expression(all[0], "t")
            } else {
                format!("return {}", self.expression(all[0], "t"))
            };
        }
        let mut text = match (is_rust, several) {
            (true, true) => format!("let step = step.min({last}) as f64;\n"),
            (true, false) => format!("let t = step.min({last}) as f64;\n"),
            (false, true) => format!("step = min(step, {last})\n"),
            (false, false) => format!("t = min(step, {last})\n"),
        };
        for (stretch, code) in program.stretches.iter().zip(all) {
            let mut block = String::new();
            if several && uses_t(code) {
                let clock = match stretch.start {
                    0 => "step".to_string(),
                    start => format!("step - {}", self.number(start as f64)),
                };
                let _ = if is_rust { writeln!(block, "let t = {clock};") } else { writeln!(block, "t = {clock}") };
            }
            self.returns(&mut block, code);
            match stretch.until {
                Some(until) if is_rust => {
                    let _ = writeln!(text, "if step < {} {{\n{}}}", self.number(until as f64), indented(&block, 1));
                }
                Some(until) => {
                    let _ = writeln!(text, "if step < {until}:\n{}", indented(&block, 1).trim_end());
                }
                None => text += &block,
            }
        }
        let text = text.trim_end();
        // The last value of a function of Rust needs no `return`.
        match text.rsplit_once('\n') {
            Some((before, last)) if is_rust && last.starts_with("return ") => {
                format!("{before}\n{}", last.trim_start_matches("return ").trim_end_matches(';'))
            }
            _ => text.to_string(),
        }
    }

    /// Statements that return the value, one branch a line.
    fn returns(self, text: &mut String, code: &Expression) {
        let mut code = code;
        while let Expression::Choice(choice) = code {
            let [condition, then, otherwise] = &**choice;
            let mut inner = String::new();
            self.returns(&mut inner, then);
            let condition = self.condition(condition, "t");
            let _ = match self {
                Self::Rust => writeln!(text, "if {condition} {{\n{}}}", indented(&inner, 1)),
                _ => writeln!(text, "if {condition}:\n{}", indented(&inner, 1).trim_end()),
            };
            code = otherwise;
        }
        let value = self.expression(code, "t");
        let _ = if self == Self::Rust { writeln!(text, "return {value};") } else { writeln!(text, "return {value}") };
    }
}

/// Which of the rates of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    Rate,
    Momentum,
}

/// Each line moved in by so many levels of four blanks.
pub fn indented(text: &str, levels: usize) -> String {
    let blanks = " ".repeat(4 * levels);
    text.lines().map(|line| if line.is_empty() { "\n".to_string() } else { format!("{blanks}{line}\n") }).collect()
}

/// The sign as one of the table of operators.
fn comparison(sign: &str) -> &'static str {
    match sign {
        "<" => "<",
        "<=" => "<=",
        ">" => ">",
        ">=" => ">=",
        "==" => "==",
        _ => "!=",
    }
}
