//! The text of an expression as instructions.

use super::functions::{
    Apply, COMPARISON, CONSTANTS, FUNCTIONS, Function, NEGATION, OPERATORS, Operator, POWER, PREFIX, VARIABLES,
    Variable,
};
use crate::error::UsageError;
use crate::hint::did_you_mean;

/// One instruction of a stack machine.
#[derive(Debug, Clone, Copy)]
pub(super) enum Code {
    Number(f64),
    Variable(Variable),
    /// The name of a function of one argument; `-` negates.
    Unary(&'static str, fn(f64) -> f64),
    /// The sign of an operator, or the name of a function of two arguments.
    Binary(&'static str, fn(f64, f64) -> f64),
}

/// The error in the text of an expression, if any.
pub(crate) fn problem(text: &str) -> Option<UsageError> {
    Parser::new(text).and_then(Parser::parse).err()
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
    function: &'static Function,
    /// The number of arguments begun so far.
    arguments: usize,
}

/// Operator precedence parser (Dijkstra's shunting yard): linear in the length of the text, and without recursion, so
/// that deeply nested brackets cannot overflow the stack.
pub(super) struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Placed<'a>>,
    code: Vec<Code>,
    waiting: Vec<Waiting>,
}

const OPERAND: &str = "a number, a variable, a function or `(`";

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a str) -> Result<Self, UsageError> {
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

    pub(super) fn parse(mut self) -> Result<Vec<Code>, UsageError> {
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
                    let Some(function) = Function::named(name) else {
                        return Err(self.unknown(name, at));
                    };
                    let opens = matches!(self.tokens.get(index), Some(Placed { token: Token::Open, .. }));
                    match function.apply {
                        _ if opens => {
                            let call = Some(Call { function, arguments: 1 });
                            self.waiting.push(Waiting::Open { at: self.tokens[index].at, call });
                            index += 1;
                        }
                        Apply::Of1(apply) => {
                            self.waiting.push(Waiting::Unary { level: PREFIX, name: function.name, apply });
                        }
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
        let hint = did_you_mean(name, variables.into_iter().chain(FUNCTIONS.map(|function| function.name)));
        let functions = FUNCTIONS.map(|function| function.name).join(", ");
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
            Token::Name(name) => Function::named(name).is_some(),
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
                if let (Apply::Fold(apply), 3..) = (call.function.apply, call.arguments) {
                    self.code.push(Code::Binary(call.function.name, apply));
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
        let Some(Call { function: &Function { name, apply, .. }, arguments }) = call else { return Ok(()) };
        let (code, takes) = match apply {
            Apply::Of1(apply) => (Code::Unary(name, apply), (arguments == 1).then_some(()).ok_or("1 argument")),
            Apply::Of2(apply) => (Code::Binary(name, apply), (arguments == 2).then_some(()).ok_or("2 arguments")),
            Apply::Fold(apply) => {
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
