//! PyTorch.

use super::{Cannot, Course, Framework, Options, Recipe, call, number, python_function, torch_groups};
use crate::schedule::Semantics;
use crate::schedule::code::{Cycled, Dialect, Known, Of, Program, Swing};

const SCHEDULERS: &str = "torch.optim.lr_scheduler";
/// At most so many drops become a list of milestones.
const MOST_MILESTONES: u64 = 40;

/// The parts of a snippet that every framework upon PyTorch needs.
pub struct Parts {
    /// Modules.
    pub imports: Vec<&'static str>,
    /// Definitions of functions and classes; empty, or ends in blank lines.
    pub definitions: String,
    /// The optimizer, constructed.
    pub optimizer: String,
    /// Statements that set the optimizer's mode, each on a line of its own.
    pub mode: &'static str,
    pub scheduler: Scheduler,
}

/// How the rate is changed.
pub enum Scheduler {
    /// It is not.
    None,
    /// A constructor that takes `optimizer`; stepped after each update.
    Step(String),
    /// The same, stepped with this metric after each epoch.
    Epoch(String, &'static str),
}

pub fn snippet(recipe: &Recipe, course: &Course) -> Result<String, Cannot> {
    let Parts { imports, definitions, optimizer, mode, scheduler } = parts(recipe, course, "model", Framework::Torch)?;
    let imports: String = imports.iter().map(|module| format!("import {module}\n")).collect();
    let mut text = format!("{imports}\n{definitions}optimizer = {optimizer}\n{mode}");
    let clipping = clipping(recipe);
    let step = format!("\n# After the gradients of each batch:\n{clipping}# optimizer.step()\n");
    text += &match scheduler {
        Scheduler::None => step,
        Scheduler::Step(scheduler) => format!("scheduler = {scheduler}\n{step}# scheduler.step()\n"),
        Scheduler::Epoch(scheduler, metric) => {
            format!("scheduler = {scheduler}\n{step}# After each epoch:\n# scheduler.step({metric})\n")
        }
    };
    Ok(text)
}

impl Recipe {
    /// [`Parts::mode`].
    pub(super) fn mode(&self) -> &'static str {
        if self.optimizer.averages() { "optimizer.train()\n" } else { "" }
    }
}

/// Comments that clip the gradients.
pub fn clipping(recipe: &Recipe) -> String {
    // The norm is over what is not frozen. The base group is the last.
    let freezing: Vec<String> = recipe
        .groups
        .iter()
        .map(|group| group.frozen_from.map_or("None".to_string(), |step| step.to_string()))
        .chain(["None".to_string()])
        .collect();
    let parameters = match recipe.groups.iter().any(|group| group.frozen_from.is_some()) {
        true => format!(
            "[p for group, frozen in zip(optimizer.param_groups, [{}]) if frozen is None or scheduler.last_epoch < frozen for p in group[\"params\"]]",
            freezing.join(", ")
        ),
        false => "model.parameters()".to_string(),
    };
    let clip = |function: &str, most: Option<f64>| {
        most.map_or(String::new(), |most| format!("# torch.nn.utils.{function}({parameters}, {})\n", number(most)))
    };
    clip("clip_grad_value_", recipe.clip_value) + &clip("clip_grad_norm_", recipe.clip_norm)
}

/// The optimizer for the parameters of `model`, and its scheduler.
pub fn parts(recipe: &Recipe, course: &Course, model: &str, framework: Framework) -> Result<Parts, Cannot> {
    if !recipe.groups.is_empty() {
        return torch_groups::parts(recipe, course, model, framework);
    }
    let (module, constructor, options) = constructor(recipe, framework)?;
    let first = [format!("{model}.parameters()"), format!("lr={}", number(recipe.run.learning_rate))];
    let optimizer = call(constructor, &first.into_iter().chain(options).collect::<Vec<_>>());
    let mut imports = vec!["torch"];
    imports.extend(module);
    let parts = |definitions, scheduler| Parts {
        imports: imports.clone(),
        definitions,
        optimizer: optimizer.clone(),
        mode: recipe.mode(),
        scheduler,
    };
    if let Some(Known::Constant { .. }) = course.known {
        return Ok(parts(String::new(), Scheduler::None));
    }
    if let Some(Known::Plateau { monitor, .. }) = &course.known {
        let scheduler = course.known.as_ref().and_then(|known| class(known, recipe, course.cycles));
        let scheduler = scheduler.ok_or_else(|| {
            let (spec, semantics) = (&recipe.schedule, recipe.run.semantics);
            Cannot::new(format!(
                "{framework} cannot follow {spec} with {semantics} semantics: its ReduceLROnPlateau counts otherwise"
            ))
        })?;
        return Ok(parts(String::new(), Scheduler::Epoch(scheduler, monitor.name())));
    }
    if let Some(scheduler) = course.known.as_ref().and_then(|known| class(known, recipe, course.cycles)) {
        return Ok(parts(String::new(), Scheduler::Step(scheduler)));
    }
    let program = course.program(recipe, framework)?;
    let (definitions, scheduler) = functions(program, recipe, course.cycles);
    if definitions.contains("math.") {
        imports.insert(0, "math");
    }
    Ok(Parts { imports, definitions, optimizer, mode: recipe.mode(), scheduler: Scheduler::Step(scheduler) })
}

/// The functions of the rates, and the scheduler that calls them.
fn functions(program: &Program, recipe: &Recipe, cycles: bool) -> (String, String) {
    let lr = number(recipe.run.learning_rate);
    let mut text = rate_functions(program, recipe, cycles);
    if !cycles {
        let scheduler = format!("{SCHEDULERS}.LambdaLR(optimizer, lambda step: rate(step) / {lr})");
        return (text, scheduler);
    }
    let set = momentum_line(recipe, "self.last_epoch");
    text += &format!(
        "class Rates({SCHEDULERS}.LRScheduler):\n    \"\"\"Sets the learning rate and the momentum of each step.\"\"\"\n\n    \
         def get_lr(self):\n        for group in self.optimizer.param_groups:\n            {set}\n        \
         return [rate(self.last_epoch) for _ in self.base_lrs]\n\n\n"
    );
    (text, "Rates(optimizer)".to_string())
}

/// `def rate(step)`, and `def momentum(step)` where it cycles.
pub fn rate_functions(program: &Program, recipe: &Recipe, cycles: bool) -> String {
    let mut text = python_function("rate", "learning rate", Dialect::Python, program, Of::Rate, 0.0) + "\n\n";
    if cycles {
        let usual = recipe.optimizer.momentum(recipe.run.semantics).unwrap_or_default();
        text += &(python_function("momentum", "momentum", Dialect::Python, program, Of::Momentum, usual) + "\n\n");
    }
    text
}

/// Sets the momentum of step `at` in a `group` of an optimizer.
pub fn momentum_line(recipe: &Recipe, at: &str) -> String {
    match has_betas(recipe) {
        true => format!("group[\"betas\"] = (momentum({at}), group[\"betas\"][1])"),
        false => format!("group[\"momentum\"] = momentum({at})"),
    }
}

fn has_betas(recipe: &Recipe) -> bool {
    recipe.optimizer.option("beta1", recipe.run.semantics).is_some()
}

/// PyTorch's own scheduler, if it has one with these rates at every step of the run.
fn class(known: &Known, recipe: &Recipe, cycles: bool) -> Option<String> {
    let total = recipe.run.total_steps();
    let made = |name: &str, arguments: Vec<String>| {
        let all: Vec<String> = std::iter::once("optimizer".to_string()).chain(arguments).collect();
        Some(call(&format!("{SCHEDULERS}.{name}"), &all))
    };
    let set = |key: &str, value: f64| format!("{key}={}", number(value));
    let count = |key: &str, value: u64| format!("{key}={value}");
    match *known {
        Known::Stairs { factor, every, ahead: 0, .. } => {
            made("StepLR", vec![count("step_size", every), set("gamma", factor)])
        }
        Known::Stairs { factor, every, ahead, .. } => {
            let drops = (total + ahead) / every;
            let at: Vec<u64> = (1..=drops).map(|drop| (drop * every).saturating_sub(ahead)).collect();
            (drops <= MOST_MILESTONES && every >= ahead)
                .then(|| milestones(&at, factor))
                .and_then(|all| made("MultiStepLR", all))
        }
        Known::Pieces { ref starts, factor: Some(factor), .. } => made("MultiStepLR", milestones(starts, factor)),
        Known::Exponential { rate, steps, staircase: true, .. } => {
            made("StepLR", vec![count("step_size", steps), set("gamma", rate)])
        }
        Known::Exponential { rate, steps, .. } => {
            made("ExponentialLR", vec![set("gamma", rate.powf(1.0 / steps as f64))])
        }
        Known::Polynomial { lr, end, power: 1.0, over, cycle: false } if (0.0..=lr).contains(&end) => {
            made("LinearLR", vec![set("start_factor", 1.0), set("end_factor", end / lr), count("total_iters", over)])
        }
        Known::Polynomial { end: 0.0, power, over, cycle: false, .. } => {
            made("PolynomialLR", vec![count("total_iters", over), set("power", power)])
        }
        Known::Cosine { end, over, periodic, .. } if periodic || over >= total => {
            made("CosineAnnealingLR", vec![count("T_max", over), set("eta_min", end)])
        }
        Known::Restarts { lr, end, period, period_mult, lr_mult: 1.0 }
            if recipe.run.semantics != Semantics::Keras && period_mult.fract() == 0.0 && end <= lr =>
        {
            made(
                "CosineAnnealingWarmRestarts",
                vec![count("T_0", period), count("T_mult", period_mult as u64), set("eta_min", end)],
            )
        }
        Known::Cyclic { lr, max, up, down, swing, momentum } => {
            let mut all =
                vec![set("base_lr", lr), set("max_lr", max), count("step_size_up", up), count("step_size_down", down)];
            all.extend(match swing {
                Swing::Full => vec!["mode=\"triangular\"".to_string()],
                Swing::Halved => vec!["mode=\"triangular2\"".to_string()],
                Swing::Gamma(gamma) => vec!["mode=\"exp_range\"".to_string(), set("gamma", gamma)],
            });
            made("CyclicLR", [all, cycled(momentum, cycles)].concat())
        }
        Known::OneCycle { optax: false, pct_start, total, .. } if pct_start * total as f64 > 2.0 && pct_start < 0.5 => {
            one_cycle(known, cycles).and_then(|all| made("OneCycleLR", all))
        }
        Known::Plateau { semantics: Semantics::Native | Semantics::Torch, .. } => {
            plateau(known).and_then(|all| made("ReduceLROnPlateau", all))
        }
        _ => None,
    }
}

fn milestones(at: &[u64], factor: f64) -> Vec<String> {
    vec![format!("milestones={at:?}"), format!("gamma={}", number(factor))]
}

fn one_cycle(known: &Known, cycles: bool) -> Option<Vec<String>> {
    let Known::OneCycle { max, total, pct_start, div_factor, final_div_factor, linear, three_phase, momentum, .. } =
        *known
    else {
        return None;
    };
    let mut all = vec![
        format!("max_lr={}", number(max)),
        format!("total_steps={total}"),
        format!("pct_start={}", number(pct_start)),
        format!("div_factor={}", number(div_factor)),
        format!("final_div_factor={}", number(final_div_factor)),
        format!("anneal_strategy=\"{}\"", if linear { "linear" } else { "cos" }),
    ];
    all.extend(three_phase.then(|| "three_phase=True".to_string()));
    all.extend(cycled(momentum, cycles));
    Some(all)
}

fn cycled(momentum: Option<Cycled>, cycles: bool) -> Vec<String> {
    match momentum.filter(|_| cycles) {
        Some(Cycled { base, max }) => vec![
            "cycle_momentum=True".to_string(),
            format!("base_momentum={}", number(base)),
            format!("max_momentum={}", number(max)),
        ],
        None => vec!["cycle_momentum=False".to_string()],
    }
}

fn plateau(known: &Known) -> Option<Vec<String>> {
    let Known::Plateau { factor, patience, threshold, relative, cooldown, min_lr, monitor, .. } = *known else {
        return None;
    };
    Some(vec![
        format!("mode=\"{}\"", if monitor.grows() { "max" } else { "min" }),
        format!("factor={}", number(factor)),
        format!("patience={patience}"),
        format!("threshold={}", number(threshold)),
        format!("threshold_mode=\"{}\"", if relative { "rel" } else { "abs" }),
        format!("cooldown={cooldown}"),
        format!("min_lr={}", number(min_lr)),
    ])
}

/// The package beside torch that has the optimizer, if any, its class, and its options but for the rate.
pub fn constructor(
    recipe: &Recipe,
    framework: Framework,
) -> Result<(Option<&'static str>, &'static str, Vec<String>), Cannot> {
    let o = recipe.options();
    let name = recipe.optimizer.name();
    let decay = || o.unless_0("weight_decay", "weight-decay");
    let (package, class, options): (Option<&'static str>, &'static str, Vec<Option<String>>) = match name {
        "sgd" => (None, "torch.optim.SGD", sgd(o)),
        "rmsprop" => (None, "torch.optim.RMSprop", {
            let own = [Some(o.set("alpha", "rho")), Some(o.set("eps", "eps")), o.switch("centered", "centered")];
            own.into_iter().chain([o.unless_0("momentum", "momentum"), decay()]).collect()
        }),
        "adam" => (None, "torch.optim.Adam", vec![betas(o), eps(o), o.switch("amsgrad", "amsgrad"), decay()]),
        "adamw" => {
            let decay = Some(o.set("weight_decay", "weight-decay"));
            (None, "torch.optim.AdamW", vec![betas(o), eps(o), o.switch("amsgrad", "amsgrad"), decay])
        }
        "adagrad" => (None, "torch.optim.Adagrad", {
            let own =
                [o.unless_0("initial_accumulator_value", "initial-accumulator"), o.unless_0("lr_decay", "lr-decay")];
            own.into_iter().chain([eps(o), decay()]).collect()
        }),
        "adadelta" => (None, "torch.optim.Adadelta", vec![Some(o.set("rho", "rho")), eps(o), decay()]),
        "nadam" => (None, "torch.optim.NAdam", {
            let own = [betas(o), eps(o), Some(o.set("momentum_decay", "momentum-decay")), decay()];
            own.into_iter().chain([o.switch("decoupled_weight_decay", "decoupled")]).collect()
        }),
        "radam" => {
            let decoupled = o.switch("decoupled_weight_decay", "decoupled");
            (None, "torch.optim.RAdam", vec![betas(o), eps(o), decay(), decoupled])
        }
        "adamax" => (None, "torch.optim.Adamax", vec![betas(o), eps(o), decay()]),
        "schedule-free-sgd" => (Some("schedulefree"), "schedulefree.SGDScheduleFree", {
            let own = [Some(o.set("momentum", "momentum")), decay(), o.unless_0("r", "r")];
            own.into_iter().chain([Some(o.set("weight_lr_power", "weight-lr-power"))]).collect()
        }),
        "schedule-free-adamw" => (Some("schedulefree"), "schedulefree.AdamWScheduleFree", {
            let own = [betas(o), eps(o), decay(), o.unless_0("r", "r")];
            own.into_iter().chain([Some(o.set("weight_lr_power", "weight-lr-power"))]).collect()
        }),
        "prodigy" => (Some("prodigyopt"), "prodigyopt.Prodigy", prodigy(o)),
        "lion" if framework == Framework::Timm => (Some("timm.optim"), "timm.optim.Lion", vec![betas(o), decay()]),
        _ => return Err(Cannot::new(format!("{framework} has no {name} that is exact"))),
    };
    Ok((package, class, options.into_iter().flatten().collect()))
}

fn betas(o: Options<'_>) -> Option<String> {
    Some(o.betas("betas"))
}

fn eps(o: Options<'_>) -> Option<String> {
    Some(o.set("eps", "eps"))
}

fn sgd(o: Options<'_>) -> Vec<Option<String>> {
    vec![
        o.unless_0("momentum", "momentum"),
        o.unless_0("dampening", "dampening"),
        o.switch("nesterov", "nesterov"),
        o.unless_0("weight_decay", "weight-decay"),
    ]
}

fn prodigy(o: Options<'_>) -> Vec<Option<String>> {
    let growth = o.get("growth-rate");
    vec![
        betas(o),
        Some(o.set("beta3", "beta3")),
        eps(o),
        o.unless_0("weight_decay", "weight-decay"),
        Some("decouple=True".to_string()),
        o.switch("use_bias_correction", "bias-correction"),
        o.switch("safeguard_warmup", "safeguard-warmup"),
        Some(o.set("d0", "d0")),
        Some(o.set("d_coef", "d-coef")),
        growth.is_finite().then(|| o.set("growth_rate", "growth-rate")),
    ]
}
