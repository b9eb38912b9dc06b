//! optax.

use super::{Cannot, Course, Framework, Recipe, call, number, python_function};
use crate::schedule::Semantics;
use crate::schedule::code::{Dialect, Known, Of};

pub fn snippet(recipe: &Recipe, course: &Course) -> Result<String, Cannot> {
    let mut definitions = String::new();
    let known = course.known.as_ref();
    let plateau = match known {
        Some(Known::Plateau { .. }) => Some(plateau(recipe, course)?),
        _ => None,
    };
    let class = known.filter(|_| !course.cycles).and_then(|known| class(known, recipe));
    let rate = match (known, class) {
        (Some(Known::Constant { lr } | Known::Plateau { lr, .. }), _) => number(*lr),
        (_, Some(class)) => {
            definitions = format!("rate = {class}\n");
            "rate".to_string()
        }
        _ => {
            let program = course.program(recipe, Framework::Optax)?;
            definitions = python_function("rate", "learning rate", Dialect::Jax, program, Of::Rate, 0.0) + "\n\n";
            if course.cycles {
                let usual = recipe.optimizer.momentum(recipe.run.semantics).unwrap_or_default();
                definitions +=
                    &(python_function("momentum", "momentum", Dialect::Jax, program, Of::Momentum, usual) + "\n\n");
            }
            "rate".to_string()
        }
    };
    let optimizer = chain(recipe, optimizer(recipe, course.cycles, &rate)?);
    let mut text = String::from(if definitions.contains("jnp.") { "import jax.numpy as jnp\n" } else { "" });
    text += &format!("import optax\n\n{definitions}optimizer = {optimizer}\n");
    let update = "# updates, opt_state = optimizer.update(grads, opt_state, params)\n";
    let apply = "# params = optax.apply_updates(params, updates)\n";
    text += &match (known, plateau) {
        (Some(Known::Plateau { monitor, .. }), Some(plateau)) => format!(
            "plateau = {plateau}\n\n# opt_state, plateau_state = optimizer.init(params), plateau.init(params)\n# For each batch:\n\
             {update}# updates = optax.tree.scale(plateau_state.scale, updates)\n{apply}# After each epoch:\n\
             # _, plateau_state = plateau.update(params, plateau_state, value={})\n",
            monitor.name()
        ),
        _ => format!(
            "\n# opt_state = optimizer.init(params)\n# For each batch; the optimizer counts the steps itself:\n{update}{apply}"
        ),
    };
    Ok(text)
}

/// The optimizer with what is done to the gradients before it: clipping, and the decay of the weights if it is added to them.
fn chain(recipe: &Recipe, (coupled, optimizer): (bool, String)) -> String {
    let clip = |function: &str, most: Option<f64>| most.map(|most| format!("optax.{function}({})", number(most)));
    let decay = recipe.options().get("weight-decay");
    let mut all: Vec<String> = clip("clip", recipe.clip_value).into_iter().collect();
    all.extend(clip("clip_by_global_norm", recipe.clip_norm));
    all.extend((coupled && decay != 0.0).then(|| format!("optax.add_decayed_weights({})", number(decay))));
    if all.is_empty() {
        return optimizer;
    }
    all.push(optimizer);
    call("optax.chain", &all)
}

/// optax's own schedule, if it has one with these rates at every step of the run.
fn class(known: &Known, recipe: &Recipe) -> Option<String> {
    let total = recipe.run.total_steps();
    let made = |name: &str, arguments: Vec<String>| Some(call(&format!("optax.{name}"), &arguments));
    let set = |key: &str, value: f64| format!("{key}={}", number(value));
    let count = |key: &str, value: u64| format!("{key}={value}");
    let exponential = |lr: f64, steps: u64, rate: f64, staircase: bool| {
        let mut all = vec![number(lr), count("transition_steps", steps), set("decay_rate", rate)];
        all.extend(staircase.then(|| "staircase=True".to_string()));
        made("exponential_decay", all)
    };
    match *known {
        Known::Stairs { lr, factor, every, ahead: 0 } => exponential(lr, every, factor, true),
        Known::Pieces { ref starts, ref values, factor: Some(factor) }
            if !starts.is_empty() && starts.windows(2).all(|pair| pair[0] < pair[1]) && starts[0] > 0 =>
        {
            let pairs: Vec<String> = starts.iter().map(|start| format!("{start}: {}", number(factor))).collect();
            made("piecewise_constant_schedule", vec![number(values[0]), format!("{{{}}}", pairs.join(", "))])
        }
        Known::Exponential { lr, rate, steps, staircase } => exponential(lr, steps, rate, staircase),
        Known::Polynomial { lr, end, power: 1.0, over, cycle: false } => {
            made("linear_schedule", vec![number(lr), number(end), count("transition_steps", over)])
        }
        Known::Polynomial { lr, end, power, over, cycle: false } => made(
            "polynomial_schedule",
            vec![number(lr), number(end), set("power", power), count("transition_steps", over)],
        ),
        Known::Cosine { lr, end, over, periodic } if !periodic || over >= total => {
            made("cosine_decay_schedule", vec![number(lr), count("decay_steps", over), set("alpha", end / lr)])
        }
        Known::OneCycle {
            max,
            total,
            pct_start,
            div_factor,
            final_div_factor,
            linear: false,
            three_phase: false,
            optax: true,
            ..
        } => made(
            "cosine_onecycle_schedule",
            vec![
                count("transition_steps", total),
                set("peak_value", max),
                set("pct_start", pct_start),
                set("div_factor", div_factor),
                set("final_div_factor", final_div_factor),
            ],
        ),
        _ => None,
    }
}

fn plateau(recipe: &Recipe, course: &Course) -> Result<String, Cannot> {
    let Some(Known::Plateau { lr, factor, patience, threshold, relative, cooldown, min_lr, monitor, semantics }) =
        course.known
    else {
        return Err(Cannot::new(format!("optax cannot follow {}", recipe.schedule)));
    };
    let spec = &recipe.schedule;
    if semantics != Semantics::Optax {
        return Err(Cannot::new(format!(
            "optax cannot follow {spec} with {semantics} semantics: its reduce_on_plateau counts otherwise"
        )));
    }
    if monitor.grows() {
        let what = format!("optax cannot follow {spec}: its reduce_on_plateau wants a value that falls");
        return Err(Cannot::but(what, "monitor a loss"));
    }
    if threshold == 0.0 {
        let what = format!("optax cannot follow {spec}: its reduce_on_plateau wants a threshold above 0");
        return Err(Cannot::but(what, "train with a threshold above 0"));
    }
    let (relative, absolute) = if relative { (threshold, 0.0) } else { (0.0, threshold) };
    let all = vec![
        format!("factor={}", number(factor)),
        format!("patience={patience}"),
        format!("rtol={}", number(relative)),
        format!("atol={}", number(absolute)),
        format!("cooldown={cooldown}"),
        format!("min_scale={}", number(min_lr / lr)),
    ];
    Ok(call("optax.contrib.reduce_on_plateau", &all))
}

/// The optimizer's constructor, and whether its weight decay is added to the gradient before it.
fn optimizer(recipe: &Recipe, cycles: bool, rate: &str) -> Result<(bool, String), Cannot> {
    let o = recipe.options();
    let name = recipe.optimizer.name();
    let cycled = |name: &str, key: &str| if cycles { format!("{name}=momentum") } else { o.set(name, key) };
    let (beta1, beta2) = (Some(cycled("b1", "beta1")), Some(o.set("b2", "beta2")));
    let eps = Some(o.set("eps", "eps"));
    let momentum = o.is_on("momentum").then(|| cycled("momentum", "momentum"));
    let decay = Some(o.set("weight_decay", "weight-decay"));
    let is_constant = !cycles && rate.parse::<f64>().is_ok();
    let (function, coupled, options) = match name {
        "sgd" => ("sgd", true, vec![momentum, o.switch("nesterov", "nesterov")]),
        "rmsprop" => {
            ("rmsprop", true, vec![Some(o.set("decay", "rho")), eps, o.switch("centered", "centered"), momentum])
        }
        "adam" if o.is_on("amsgrad") => ("amsgrad", true, vec![beta1, beta2, eps]),
        "adam" => ("adam", true, vec![beta1, beta2, eps]),
        "adamw" if !o.is_on("amsgrad") => ("adamw", false, vec![beta1, beta2, eps, decay]),
        "adagrad" => {
            let accumulator = Some(o.set("initial_accumulator_value", "initial-accumulator"));
            ("adagrad", true, vec![accumulator, eps])
        }
        "adadelta" => ("adadelta", true, vec![Some(o.set("rho", "rho")), eps]),
        "nadam" if !o.is_on("decoupled") => ("nadam", true, vec![beta1, beta2, eps]),
        "radam" if !o.is_on("decoupled") => ("radam", true, vec![beta1, beta2, eps]),
        "adamax" => ("adamax", true, vec![beta1, beta2, eps]),
        "lion" => ("lion", false, vec![beta1, beta2, decay]),
        // It has neither a switch for the correction nor a growth rate.
        "prodigy" if o.is_on("bias-correction") && !o.get("growth-rate").is_finite() && !cycles => {
            let own = [Some(o.betas("betas")), Some(o.set("beta3", "beta3")), eps, decay];
            let estimate = [Some(o.set("estim_lr0", "d0")), Some(o.set("estim_lr_coef", "d-coef"))];
            let options = own.into_iter().chain(estimate).chain([o.switch("safeguard_warmup", "safeguard-warmup")]);
            ("contrib.prodigy", false, options.collect())
        }
        // They weigh the steps by the highest rate so far only where the rate is a number.
        "schedule-free-sgd" if is_constant && !o.is_on("r") => {
            let power = Some(o.set("weight_lr_power", "weight-lr-power"));
            let decay = o.unless_0("weight_decay", "weight-decay");
            ("contrib.schedule_free_sgd", false, vec![Some(o.set("b1", "momentum")), decay, power])
        }
        "schedule-free-adamw" if is_constant && !o.is_on("r") => {
            let power = Some(o.set("weight_lr_power", "weight-lr-power"));
            ("contrib.schedule_free_adamw", false, vec![beta1, beta2, eps, decay, power])
        }
        "schedule-free-sgd" | "schedule-free-adamw" if !is_constant => {
            return Err(Cannot::new(format!("the {name} of optax is exact only at a constant rate")));
        }
        _ => return Err(Cannot::new(format!("optax has no {name} with these options that is exact"))),
    };
    let arguments: Vec<String> =
        std::iter::once(format!("learning_rate={rate}")).chain(options.into_iter().flatten()).collect();
    // A hyperparameter that follows a schedule, too.
    let function =
        if cycles { format!("optax.inject_hyperparams(optax.{function})") } else { format!("optax.{function}") };
    Ok((coupled, call(&function, &arguments)))
}
