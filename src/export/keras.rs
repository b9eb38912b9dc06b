//! Keras 3.

use super::{Cannot, Course, Framework, Recipe, UNCYCLED, call, number};
use crate::schedule::Semantics;
use crate::schedule::code::{Dialect, Known, Of, Program, indented};

const SCHEDULES: &str = "keras.optimizers.schedules";

pub fn snippet(recipe: &Recipe, course: &Course) -> Result<String, Cannot> {
    if course.cycles {
        let spec = &recipe.schedule;
        let what = format!("keras cannot follow {spec}: its optimizers keep their momentum");
        return Err(Cannot::but(what, UNCYCLED));
    }
    let known = course.known.as_ref();
    let (definitions, rate, callback) = match known {
        Some(Known::Constant { lr }) => (String::new(), number(*lr), None),
        Some(Known::Plateau { lr, .. }) => (String::new(), number(*lr), Some(plateau(recipe, course)?)),
        _ => match known.and_then(|known| class(known, recipe)) {
            Some(class) => (String::new(), class, None),
            None => (own(course.program(recipe, Framework::Keras)?), "Rate()".to_string(), None),
        },
    };
    let mut text = String::from("import keras\n");
    if definitions.contains("ops.") {
        text += "from keras import ops\n";
    }
    text += &format!("\n{definitions}");
    let optimizer = optimizer(recipe)?;
    text += &match callback {
        None if rate.parse::<f64>().is_ok() => format!("optimizer = {}\n", optimizer(&rate)),
        None => format!("schedule = {rate}\noptimizer = {}\n", optimizer("schedule")),
        Some(callback) => format!("optimizer = {}\ncallbacks = [{callback}]\n", optimizer(&rate)),
    };
    text += "\n# The optimizer counts the steps itself:\n# model.compile(optimizer=optimizer, loss=...)\n";
    if matches!(known, Some(Known::Plateau { .. })) {
        text += "# model.fit(..., callbacks=callbacks)\n";
    }
    Ok(text)
}

/// A schedule of our own.
fn own(program: &Program) -> String {
    let body = Dialect::Keras.body(program, Of::Rate, 0.0);
    format!(
        "@keras.saving.register_keras_serializable(\"lrsched\")\nclass Rate({SCHEDULES}.LearningRateSchedule):\n    \
         \"\"\"The learning rate of an optimizer step, counted from 0.\"\"\"\n\n    def __call__(self, step):\n{}\n    \
         def get_config(self):\n        return {{}}\n\n\n",
        indented(&body, 2)
    )
}

/// Keras's own schedule, if it has one with these rates at every step of the run.
fn class(known: &Known, recipe: &Recipe) -> Option<String> {
    let total = recipe.run.total_steps();
    let made = |name: &str, arguments: Vec<String>| Some(call(&format!("{SCHEDULES}.{name}"), &arguments));
    let set = |key: &str, value: f64| format!("{key}={}", number(value));
    let count = |key: &str, value: u64| format!("{key}={value}");
    let stairs = |lr: f64, steps: u64, rate: f64, staircase: bool| {
        let mut all = vec![number(lr), count("decay_steps", steps), set("decay_rate", rate)];
        all.extend(staircase.then(|| "staircase=True".to_string()));
        all
    };
    match *known {
        Known::Stairs { lr, factor, every, ahead: 0 } => made("ExponentialDecay", stairs(lr, every, factor, true)),
        // It drops one step behind a boundary.
        Known::Pieces { ref starts, ref values, .. } if starts.iter().all(|&start| start > 0) && !starts.is_empty() => {
            let boundaries: Vec<u64> = starts.iter().map(|start| start - 1).collect();
            let values: Vec<String> = values.iter().copied().map(number).collect();
            made(
                "PiecewiseConstantDecay",
                vec![format!("boundaries={boundaries:?}"), format!("values=[{}]", values.join(", "))],
            )
        }
        Known::Exponential { lr, rate, steps, staircase } => {
            made("ExponentialDecay", stairs(lr, steps, rate, staircase))
        }
        Known::InverseTime { lr, decay, steps, staircase } => {
            made("InverseTimeDecay", stairs(lr, steps, decay, staircase))
        }
        Known::Polynomial { lr, end, power, over, cycle } => {
            let mut all =
                vec![number(lr), count("decay_steps", over), set("end_learning_rate", end), set("power", power)];
            all.extend(cycle.then(|| "cycle=True".to_string()));
            made("PolynomialDecay", all)
        }
        Known::Cosine { lr, end, over, periodic } if !periodic || over >= total => {
            made("CosineDecay", vec![number(lr), count("decay_steps", over), set("alpha", end / lr)])
        }
        Known::Restarts { lr, end, period, period_mult, lr_mult }
            if recipe.run.semantics == Semantics::Keras || period_mult == 1.0 && lr_mult == 1.0 =>
        {
            let all = vec![
                number(lr),
                count("first_decay_steps", period),
                set("t_mul", period_mult),
                set("m_mul", lr_mult),
                set("alpha", end / lr),
            ];
            made("CosineDecayRestarts", all)
        }
        _ => None,
    }
}

fn plateau(recipe: &Recipe, course: &Course) -> Result<String, Cannot> {
    let Some(Known::Plateau { factor, patience, threshold, cooldown, min_lr, monitor, semantics, .. }) = course.known
    else {
        return Err(Cannot::new(format!("keras cannot follow {}", recipe.schedule)));
    };
    if semantics != Semantics::Keras {
        let spec = &recipe.schedule;
        return Err(Cannot::new(format!(
            "keras cannot follow {spec} with {semantics} semantics: its ReduceLROnPlateau counts otherwise"
        )));
    }
    let all = vec![
        format!("monitor=\"{}\"", monitor.name()),
        format!("mode=\"{}\"", if monitor.grows() { "max" } else { "min" }),
        format!("factor={}", number(factor)),
        format!("patience={patience}"),
        format!("min_delta={}", number(threshold)),
        format!("cooldown={cooldown}"),
        format!("min_lr={}", number(min_lr)),
    ];
    Ok(call("keras.callbacks.ReduceLROnPlateau", &all))
}

/// Keras has no argument for it.
const KERAS_NADAM_DECAY: f64 = 1.0;

/// The optimizer's constructor, for a rate or a schedule.
fn optimizer(recipe: &Recipe) -> Result<impl Fn(&str) -> String, Cannot> {
    let o = recipe.options();
    let name = recipe.optimizer.name();
    let (beta1, beta2) = (Some(o.set("beta_1", "beta1")), Some(o.set("beta_2", "beta2")));
    let eps = Some(o.set("epsilon", "eps"));
    let decay = o.unless_0("weight_decay", "weight-decay");
    let momentum = o.unless_0("momentum", "momentum");
    let (class, options) = match name {
        "sgd" => ("SGD", vec![momentum, o.switch("nesterov", "nesterov"), decay]),
        "rmsprop" => {
            ("RMSprop", vec![Some(o.set("rho", "rho")), momentum, eps, o.switch("centered", "centered"), decay])
        }
        "adam" => ("Adam", vec![beta1, beta2, eps, o.switch("amsgrad", "amsgrad"), decay]),
        "adamw" => {
            let decay = Some(o.set("weight_decay", "weight-decay"));
            ("AdamW", vec![beta1, beta2, eps, o.switch("amsgrad", "amsgrad"), decay])
        }
        "adagrad" => {
            let accumulator = Some(o.set("initial_accumulator_value", "initial-accumulator"));
            ("Adagrad", vec![accumulator, eps, decay])
        }
        "adadelta" => ("Adadelta", vec![Some(o.set("rho", "rho")), eps, decay]),
        "nadam" if o.get("momentum-decay") != KERAS_NADAM_DECAY => {
            let got = number(o.get("momentum-decay"));
            let what = format!("keras.optimizers.Nadam always has momentum-decay {KERAS_NADAM_DECAY}, got {got}");
            return Err(Cannot::but(what, format!("train with momentum-decay={KERAS_NADAM_DECAY}")));
        }
        "nadam" => ("Nadam", vec![beta1, beta2, eps, decay]),
        "adamax" => ("Adamax", vec![beta1, beta2, eps, decay]),
        "lion" if o.get("beta1") == 0.0 => {
            let what = "keras.optimizers.Lion wants beta1 above 0".to_string();
            return Err(Cannot::but(what, "train with beta1 above 0"));
        }
        "lion" => ("Lion", vec![beta1, beta2, decay]),
        "schedule-free-adamw" if o.semantics == Semantics::Keras && !o.is_on("r") && !o.is_on("weight-lr-power") => {
            ("ScheduleFreeAdamW", vec![beta1, beta2, eps, decay])
        }
        _ => return Err(Cannot::new(format!("keras has no {name} that is exact"))),
    };
    let clipping = [("global_clipnorm", recipe.clip_norm), ("clipvalue", recipe.clip_value)];
    let clipping = clipping.into_iter().filter_map(|(key, most)| Some(format!("{key}={}", number(most?))));
    let options: Vec<String> = options.into_iter().flatten().chain(clipping).collect();
    Ok(move |rate: &str| {
        let all: Vec<String> = std::iter::once(rate.to_string()).chain(options.iter().cloned()).collect();
        call(&format!("keras.optimizers.{class}"), &all)
    })
}
