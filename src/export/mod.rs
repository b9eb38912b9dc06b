//! A schedule and an optimizer as a snippet of another framework, to paste.

#![forbid(unsafe_code)]

mod keras;
mod optax;
mod options;
mod rust;
mod torch;
mod torch_groups;
mod upon_torch;

use crate::number::{counted, exact};
use crate::optim::OptimizerSpec;
use crate::schedule::code::{Dialect, Known, Of, Program, indented};
use crate::schedule::{RunShape, Schedule, Semantics, Spec};
use crate::usage::{Usage, one_of};
use options::Options;
use std::fmt::{self, Write as _};

/// Where a snippet is to be pasted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framework {
    Torch,
    Lightning,
    Keras,
    Optax,
    Timm,
    Transformers,
    Candle,
    Burn,
}

impl Framework {
    pub const ALL: [Self; 8] = [
        Self::Torch,
        Self::Lightning,
        Self::Keras,
        Self::Optax,
        Self::Timm,
        Self::Transformers,
        Self::Candle,
        Self::Burn,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Torch => "torch",
            Self::Lightning => "lightning",
            Self::Keras => "keras",
            Self::Optax => "optax",
            Self::Timm => "timm",
            Self::Transformers => "transformers",
            Self::Candle => "candle",
            Self::Burn => "burn",
        }
    }

    /// As its users write it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Torch => "PyTorch",
            Self::Lightning => "Lightning",
            Self::Keras => "Keras",
            other => other.name(),
        }
    }

    /// What the rates of its snippets are written in.
    fn dialect(self) -> Dialect {
        match self {
            Self::Torch | Self::Lightning | Self::Timm | Self::Transformers => Dialect::Python,
            Self::Keras => Dialect::Keras,
            Self::Optax => Dialect::Jax,
            Self::Candle | Self::Burn => Dialect::Rust,
        }
    }

    /// Whether its optimizers are PyTorch's.
    fn is_upon_torch(self) -> bool {
        matches!(self, Self::Torch | Self::Lightning | Self::Timm | Self::Transformers)
    }

    /// Whose formulas its optimizers follow. Those of candle and burn are PyTorch's.
    pub fn semantics(self) -> Semantics {
        match self {
            Self::Torch | Self::Lightning | Self::Timm | Self::Transformers | Self::Candle | Self::Burn => {
                Semantics::Torch
            }
            Self::Keras => Semantics::Keras,
            Self::Optax => Semantics::Optax,
        }
    }
}

impl fmt::Display for Framework {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Framework {
    type Err = Usage;

    fn from_str(text: &str) -> Result<Self, Usage> {
        one_of("to", text, Self::ALL, Self::name)
    }
}

/// What a framework cannot do; no mistake of the user's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}{}", remedy.as_ref().map_or(String::new(), |remedy| format!("; {remedy}")))]
pub struct Cannot {
    pub what: String,
    /// What can be done about it, besides another framework, optimizer or schedule.
    pub remedy: Option<String>,
}

/// The remedy where a momentum that cycles cannot be written: a run has its schedule from its training.
const UNCYCLED: &str = "train it, or export its schedule, with cycle-momentum=false";

impl Cannot {
    fn new(what: String) -> Self {
        Self { what, remedy: None }
    }

    fn but(what: String, remedy: impl Into<String>) -> Self {
        Self { what, remedy: Some(remedy.into()) }
    }
}

/// What is exported.
#[derive(Debug, Clone, PartialEq)]
pub struct Recipe {
    pub schedule: Spec,
    pub run: RunShape,
    pub optimizer: OptimizerSpec,
    pub clip_norm: Option<f64>,
    pub clip_value: Option<f64>,
    /// The parameter groups besides the base group; the first that matches a parameter has it.
    pub groups: Vec<Group>,
    /// What the snippet does not do as the run did, one sentence each.
    pub notes: Vec<String>,
}

/// A parameter group.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    pub name: String,
    /// Globs on the names of parameters.
    pub patterns: Vec<String>,
    pub optimizer: OptimizerSpec,
    pub lr: f64,
    /// Where it follows the run's schedule, it has its own rate when that has this one.
    pub measure: f64,
    /// `None`: it follows the run's.
    pub schedule: Option<Spec>,
    /// The step from which on it is frozen.
    pub frozen_from: Option<u64>,
}

/// A snippet, and what has to be said about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snippet {
    pub text: String,
    /// Those of the recipe, and the framework's own.
    pub notes: Vec<String>,
}

/// The rates of a recipe.
struct Course {
    /// A curve that a framework may have a class for.
    known: Option<Known>,
    /// The same behind a warm-up from 0, of so many steps or none.
    after_warmup: Option<(u64, Known)>,
    /// What a function of our own returns.
    program: Option<Program>,
    /// Whether the schedule sets a momentum.
    sets_momentum: bool,
    /// Whether that is one of the optimizer's.
    cycles: bool,
    /// One for each group.
    groups: Vec<RatesOfGroup>,
}

/// Where a group's rates come from.
enum RatesOfGroup {
    /// They are a multiple of the run's.
    Run,
    /// What a function of its own returns.
    Own(Program),
    /// They depend on metrics.
    Metrics,
}

impl Recipe {
    /// The snippet for `framework`.
    ///
    /// # Errors
    /// A [`Cannot`] if the framework has no such optimizer or no way to follow the schedule; a [`Usage`] if the schedule does not fit
    /// the run.
    pub fn snippet(&self, framework: Framework) -> anyhow::Result<Snippet> {
        crate::optim::check_rate::<f64>("lr", self.run.learning_rate)?;
        let schedule = Schedule::build(&self.schedule, &self.run)?;
        // The classes of frameworks multiply a base rate, which is above 0.
        let has_base = |known: &Known| known.lr().is_none_or(|lr| lr > 0.0);
        let known = schedule.known().filter(has_base);
        let after_warmup = schedule.known_after_warmup().filter(|(_, known)| has_base(known));
        let program = schedule.program();
        let sets_momentum = schedule.at(0).momentum.is_some() || program.as_ref().is_some_and(Program::has_momentum);
        let cycles = sets_momentum && self.optimizer.has_momentum();
        let course = Course { known, after_warmup, program, sets_momentum, cycles, groups: self.rates_of_groups()? };
        // A rate of the schedule's own goes before that of the run.
        let lr = after_warmup_rate(&course).unwrap_or(self.run.learning_rate);
        let recipe = &Self { run: RunShape { learning_rate: lr, ..self.run }, ..self.clone() };
        if !self.groups.is_empty() && !matches!(framework, Framework::Torch | Framework::Lightning) {
            let name = framework.name();
            let what = format!("{name}: parameter groups are exported to torch and lightning alone");
            return Err(Cannot::but(what, "export the optimizer and the schedule of each group by flags").into());
        }
        let mut notes = self.notes.clone();
        notes.extend(self.clipping_left_out(framework)?);
        if sets_momentum && !cycles {
            notes.push(format!("{} has no momentum for the schedule to set", self.optimizer.name()));
        }
        if framework.is_upon_torch() && self.optimizer.averages() {
            let when = "optimizer.train() before training, and optimizer.eval() before evaluating or saving";
            notes.push(format!("call {when}: the two points of {}", self.optimizer.name()));
        }
        let freezes = self.groups.iter().any(|group| group.frozen_from.is_some());
        if framework == Framework::Lightning && self.clip_norm.is_some() && freezes {
            notes.push(
                "the Trainer's clip-norm counts the gradients of frozen groups, too; the run's did not".to_string(),
            );
        }
        if framework == Framework::Keras && self.optimizer.averages() {
            // Its update ends at the point that is trained, and nothing in Keras goes to the other.
            notes.push(format!(
                "Keras evaluates and saves the trained point of {}, lrsched the averaged one",
                self.optimizer.name()
            ));
        }
        if framework == Framework::Optax && self.optimizer.averages() {
            notes.push("evaluate and save optax.contrib.schedule_free_eval_params(opt_state, params)".to_string());
        }
        let text = match framework {
            Framework::Torch => torch::snippet(recipe, &course)?,
            Framework::Keras => keras::snippet(recipe, &course)?,
            Framework::Optax => optax::snippet(recipe, &course)?,
            Framework::Lightning => upon_torch::lightning(recipe, &course)?,
            Framework::Timm => upon_torch::timm(recipe, &course)?,
            Framework::Transformers => upon_torch::transformers(recipe, &course)?,
            Framework::Candle => rust::candle(recipe, &course)?,
            Framework::Burn => rust::burn(recipe, &course)?,
        };
        let mark = if framework.dialect() == Dialect::Rust { "//" } else { "#" };
        Ok(Snippet { text: self.header(mark, &notes) + &text, notes })
    }

    fn rates_of_groups(&self) -> Result<Vec<RatesOfGroup>, Usage> {
        let of = |group: &Group| {
            let Some(spec) = &group.schedule else { return Ok(RatesOfGroup::Run) };
            let run = RunShape { learning_rate: group.lr, ..self.run };
            Ok(Schedule::build(spec, &run)?.program().map_or(RatesOfGroup::Metrics, RatesOfGroup::Own))
        };
        self.groups.iter().map(of).collect()
    }

    /// What of the clipping the framework cannot do.
    ///
    /// # Errors
    /// It does one kind of clipping, and the recipe has both.
    fn clipping_left_out(&self, framework: Framework) -> Result<Option<String>, Cannot> {
        let (norm, value) = (self.clip_norm.is_some(), self.clip_value.is_some());
        Ok(match framework {
            Framework::Keras | Framework::Lightning if norm && value => {
                let name = framework.name();
                let what = format!("{name} clips by clip-norm or by clip-value, not by both");
                return Err(Cannot::but(what, "train with one of the two"));
            }
            Framework::Candle | Framework::Burn if norm || value => {
                Some("the gradients are not clipped as the run's were".to_string())
            }
            Framework::Transformers if value => {
                Some("the Trainer has no clip-value: the gradients are not clipped by it".to_string())
            }
            _ => None,
        })
    }

    /// What the snippet is, as comments.
    fn header(&self, mark: &str, notes: &[String]) -> String {
        let RunShape { learning_rate, epochs, steps_per_epoch, .. } = self.run;
        let length = format!("{} of {}", counted(epochs, "epoch"), counted(steps_per_epoch, "step"));
        let (lr, version) = (exact(learning_rate), env!("CARGO_PKG_VERSION"));
        let mut text = format!("{mark} {} at lr {lr} over {length}\n", self.schedule);
        let semantics = match self.run.semantics {
            Semantics::Native => String::new(),
            semantics => format!(" ({semantics} semantics)"),
        };
        let _ = writeln!(text, "{mark} {}{semantics}, exported by lrsched {version}", self.optimizer);
        for note in notes {
            let _ = writeln!(text, "{mark} NOTE: {note}");
        }
        text.push('\n');
        text
    }

    fn options(&self) -> Options<'_> {
        Options { optimizer: &self.optimizer, semantics: self.run.semantics }
    }
}

/// The base rate of a curve that frameworks have a class for.
fn after_warmup_rate(course: &Course) -> Option<f64> {
    let (_, known) = course.after_warmup.as_ref()?;
    known.lr()
}

impl Course {
    /// The schedule as code.
    ///
    /// # Errors
    /// It depends on metrics, is no expression of the step, or is one that `framework` computes otherwise.
    fn program(&self, recipe: &Recipe, framework: Framework) -> Result<&Program, Cannot> {
        let program = self.program.as_ref().ok_or_else(|| {
            let spec = &recipe.schedule;
            let why = match (recipe.schedule.is_sequence(), recipe.run.semantics) {
                (false, Semantics::Keras) if spec.name() == "cosine-restarts" => "Keras computes it in 32 bits",
                _ if spec.name() == "cosine-restarts" => "it has too many cycles of different lengths",
                _ if spec.name() == "expr" => "it is too long, or nests too many quotients",
                _ => "it depends on metrics",
            };
            Cannot::new(format!("{framework} cannot follow {spec}: {why}, and there is no class for it"))
        })?;
        check_values(program, &recipe.schedule, framework)?;
        Ok(program)
    }
}

/// # Errors
/// At some step, a part of the schedule is infinite or undefined: there, `framework` raises an error or has its own rules.
fn check_values(program: &Program, spec: &Spec, framework: Framework) -> Result<(), Cannot> {
    let dialect = framework.dialect();
    let Some(step) = program.differs_in(dialect) else { return Ok(()) };
    let why = match dialect {
        Dialect::Python => "a part of it is infinite or undefined, and Python raises an error or returns another rate",
        _ => "a part of it is infinite or undefined in 32 bits, and it returns another rate",
    };
    let what = format!("{framework} cannot follow {spec}: at step {step} {why}");
    // exp(88) is the last one in f32, exp(709) in f64.
    let remedy = match dialect {
        Dialect::Python | Dialect::Rust => "bound that part, as in exp(min(x, 700)) or sqrt(max(x, 0))",
        Dialect::Jax | Dialect::Keras => "bound that part, as in exp(min(x, 80)) or sqrt(max(x, 0))",
    };
    Err(Cannot::but(what, remedy))
}

/// `def NAME(step):` with the rates of a program.
fn python_function(name: &str, what: &str, dialect: Dialect, program: &Program, of: Of, absent: f64) -> String {
    let doc = format!("\"\"\"The {what} of an optimizer step, counted from 0.\"\"\"\n");
    format!("def {name}(step):\n{}", indented(&(doc + &dialect.body(program, of, absent)), 1))
}

/// A number of Python that reads back to the same f64. It has a point: Keras computes in whole numbers if a rate is one, and PyTorch refuses
/// `betas=(0, 0.999)`.
fn number(value: f64) -> String {
    if value.is_finite() { format!("{value:?}") } else { Dialect::Python.number(value) }
}

/// `Name(first, key=value, key=value)`; over several lines if it is long.
fn call(name: &str, arguments: &[String]) -> String {
    const WIDTH: usize = 100;
    let line = format!("{name}({})", arguments.join(", "));
    if line.len() <= WIDTH {
        return line;
    }
    let lines: String = arguments.iter().map(|argument| format!("    {argument},\n")).collect();
    format!("{name}(\n{lines})")
}
