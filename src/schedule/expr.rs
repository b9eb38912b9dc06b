//! Any expression of the clock.

use super::{Formula, Kind, Rates, Semantics};
use crate::spec::{Entry, Parameter};
use crate::usage::{Usage, shortened};
use exmex::{literal_matcher_from_pattern, BinOp, Express, FlatEx, FloatOpsFactory, MakeOperators, MatchLiteral, Operator};

/// Any expression, as a lambda in Keras's `LearningRateScheduler` or PyTorch's `LambdaLR`.
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
/// With + − * / % ^ (or `**`), comparisons that give 1 or 0, `min(a, b)`, `max(a, b)`, `floor`, `ceil`, `round`, `abs`, `sqrt`, `exp`, `ln`,
/// `log2`, `log10`, `sin`, `cos`, `tan`, `tanh` and more, and `PI`. −a^b is −(a^b) and a^b^c is a^(b^c), as in Python. Behind a warm-up or in a
/// sequence the variables are those of its own clock.
///
/// Draw it: `lrsched show --schedule 'expr:lr*0.5^floor((1+epoch)/10)'`
///
/// # Errors
/// What is no expression, an unknown variable, and a rate that is negative or not finite at any step of the run.
///
/// ```
/// use lrsched::schedule::{Schedule, Setting};
/// let schedule = Schedule::build(&"expr:lr*max(0.1, 1-t/T)*(e<3)".parse()?, &Setting::new(0.4, 4, 10))?;
/// assert_eq!([0, 20, 29, 30].map(|t| schedule.at(t).learning_rate), [0.4, 0.2, 0.4 * (1.0 - 29.0 / 40.0), 0.0]);
/// # Ok::<(), lrsched::usage::Usage>(())
/// ```
#[derive(Debug, Clone)]
pub struct Expr {
    expression: FlatEx<f64, Operators, Numbers>,
    /// The variables it uses, in the order in which the expression wants them.
    variables: Vec<Variable>,
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

// Numbers as they are written elsewhere: 1, .5, 1e-3.
literal_matcher_from_pattern!(Numbers, r"^([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?");

/// Those of floating point numbers, with comparisons, and without constants that bear the name of a variable.
#[derive(Debug, Clone)]
struct Operators;

impl MakeOperators<f64> for Operators {
    fn make<'a>() -> Vec<Operator<'a, f64>> {
        let binary = |name, prio, apply| Operator::make_bin(name, BinOp { apply, prio, is_commutative: false });
        let mut operators = FloatOpsFactory::<f64>::make();
        operators.retain(|operator| !["e", "E", "%"].contains(&operator.repr()));
        operators.extend([
            binary("%", 2, |a: f64, b| a.rem_euclid(b)),
            binary("<", -1, |a, b| f64::from(a < b)),
            binary("<=", -1, |a, b| f64::from(a <= b)),
            binary(">", -1, |a, b| f64::from(a > b)),
            binary(">=", -1, |a, b| f64::from(a >= b)),
            binary("==", -1, |a, b| f64::from(a == b)),
        ]);
        operators
    }
}

pub(super) const KIND: Kind = Kind {
    entry: Entry {
        name: "expr",
        summary: "any expression of lr, t, e, epoch, step, T, S, epochs",
        formula: "for example lr*0.5^floor((1+epoch)/10)",
        parameters: &[Parameter {
            name: "expr",
            default: "lr*(1-t/T)",
            help: "the expression; + - * / % ^, comparisons, min(a,b), max(a,b), floor, exp, cos, sqrt, PI, ...",
            switch: false,
        }],
        source: "Keras LearningRateScheduler; PyTorch LambdaLR",
    },
    frameworks: Semantics::FRAMEWORKS,
    build: |a| {
        let text = a.text("expr");
        let refuse = |problem: String| Usage(format!("expr: `{}` {problem}", shortened(text)));
        let expression = FlatEx::<f64, Operators, Numbers>::parse(&infix_calls(&as_elsewhere(text)))
            .map_err(|error| refuse(format!("is no expression: {error}")))?;
        let find = |name: &String| match VARIABLES.iter().find(|(known, _)| known == name) {
            Some(&(_, variable)) => Ok(variable),
            None => Err(refuse(format!("has an unknown variable `{name}` (there are: {})", VARIABLES.map(|(name, _)| name).join(", ")))),
        };
        let variables = expression.var_names().iter().map(find).collect::<Result<Vec<_>, _>>()?;
        Ok(Box::new(Expr { expression, variables, lr: a.lr, steps_per_epoch: a.steps_per_epoch, horizon: a.horizon }))
    },
};

impl Expr {
    /// NaN where the expression cannot be evaluated.
    fn rate(&self, t: u64) -> f64 {
        let value = |variable: &Variable| match variable {
            Variable::Lr => self.lr,
            Variable::Step => t as f64,
            Variable::Epoch => (t / self.steps_per_epoch) as f64,
            Variable::TotalSteps => self.horizon as f64,
            Variable::StepsPerEpoch => self.steps_per_epoch as f64,
            Variable::Epochs => self.horizon as f64 / self.steps_per_epoch as f64,
        };
        let mut values = [0.0; VARIABLES.len()];
        for (slot, variable) in values.iter_mut().zip(&self.variables) {
            *slot = value(variable);
        }
        self.expression.eval(&values[..self.variables.len()]).unwrap_or(f64::NAN)
    }
}

impl Formula for Expr {
    fn rates(&self, t: u64) -> Rates {
        // Only the steps of the run have been checked at build.
        Rates::of(self.rate(t.min(self.horizon - 1)))
    }
}

/// The parser lets a unary minus bind tighter than a power, so that exp(-(t/9)^2) would grow, and takes 2^3^2 for (2^3)^2.
/// Everybody else lets the minus bind looser and begins a chain of powers at its right end: spell the one as a subtraction or
/// a product, and put the exponent of the other in brackets.
fn as_elsewhere(text: &str) -> String {
    let text = text.replace("**", "^");
    // How many brackets of exponents are open at each level of the user's own.
    let (mut out, mut before, mut open) = (String::new(), '(', vec![0]);
    let mut rest = &*text;
    while let Some(c) = rest.chars().next() {
        let length = word(rest).max(c.len_utf8());
        let binary = before.is_alphanumeric() || matches!(before, ')' | '.' | '_');
        let ends = binary && !is_word(c) && !c.is_whitespace() && !matches!(c, '(' | '^');
        if let Some(open) = open.last_mut().filter(|_| ends || c == ',' || c == ')') {
            out.push_str(&")".repeat(std::mem::take(open)));
        }
        match (c, before) {
            ('-', '(' | ',' | '<' | '>' | '=' | '^') => out.push_str("0-"),
            ('-', '+' | '-' | '*' | '%') => out.push_str("(0-1)*"),
            ('-', '/') => out.push_str("(0-1)/"),
            _ => out.push_str(&rest[..length]),
        }
        match c {
            '(' => open.push(0),
            ')' if open.len() > 1 => drop(open.pop()),
            '^' => {
                out.push('(');
                open.last_mut().into_iter().for_each(|open| *open += 1);
            }
            _ => {}
        }
        before = rest[..length].trim_end().chars().last().unwrap_or(before);
        rest = &rest[length..];
    }
    out + &")".repeat(open.into_iter().sum())
}

/// A function of several arguments, which is being read.
struct Call {
    name: String,
    arguments: Vec<String>,
}

impl Call {
    fn open(name: &str) -> Self {
        Self { name: name.to_string(), arguments: vec![String::new()] }
    }

    /// The argument that is being read.
    fn last(&mut self) -> &mut String {
        self.arguments.last_mut().expect("a call is opened with an argument, and none is taken away")
    }

    fn text(self) -> String {
        let Self { name, arguments } = self;
        match &arguments[..] {
            [first, others @ ..] if others.len() == 1 || matches!(&*name, "min" | "max") && others.len() > 1 => {
                others.iter().fold(format!("({first})"), |so_far, next| format!("({so_far} {name} ({next}))"))
            }
            _ => format!("{name}({})", arguments.join(",")),
        }
    }
}

/// The parser loses count of its brackets where a call with a comma stands within the second argument of another: spell
/// max(a, b) as ((a) max (b)), which it reads as well, and max(a, b, c) as the greater of that and c.
fn infix_calls(text: &str) -> String {
    let mut open = vec![Call::open("")];
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = word(rest).max(c.len_utf8());
        let nested = open.len() > 1;
        let Some(call) = open.last_mut() else { break };
        match c {
            '(' => {
                let before = call.last();
                let name_length: usize = before.trim_end().chars().rev().take_while(|&c| is_word(c)).map(char::len_utf8).sum();
                let name = before.split_off(before.trim_end().len() - name_length);
                open.push(Call::open(name.trim_end()));
            }
            ',' => call.arguments.push(String::new()),
            ')' if nested => {
                let inner = open.pop().map(Call::text).unwrap_or_default();
                open.last_mut().into_iter().for_each(|call| call.last().push_str(&inner));
            }
            _ => call.last().push_str(&rest[..length]),
        }
        rest = &rest[length..];
    }
    // With brackets left open it is the parser that says so.
    if open.len() == 1 { open.swap_remove(0).arguments.join(",") } else { text.to_string() }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '.' | '_')
}

/// The length of the number or the name at the front; 0 where there is none. The sign in 1e-3 belongs to the number.
fn word(text: &str) -> usize {
    Numbers::is_literal(text)
        .map_or_else(|| text.find(|c| !is_word(c)).unwrap_or(text.len()), str::len)
}

#[cfg(test)]
mod tests {
    use crate::schedule::{Schedule, Setting};

    fn at_5(expression: &str) -> f64 {
        let schedule = Schedule::build(&format!("expr:{expression}").parse().unwrap(), &Setting::new(0.1, 4, 10));
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
        assert!("expr:π\u{a0}(1,2)".parse::<crate::schedule::Spec>().is_ok_and(|spec| Schedule::build(&spec, &Setting::new(0.1, 4, 10)).is_err()));
    }

    #[test]
    fn e_is_the_epoch_and_not_eulers_number() {
        assert_eq!(at_5("lr + e"), 0.1);
        assert_eq!(at_5("lr + epoch + epochs + S + T + step - t"), 0.1 + 4.0 + 10.0 + 40.0);
    }
}
