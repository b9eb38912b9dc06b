//! candle and burn.

use super::{Cannot, Course, Framework, Recipe, UNCYCLED};
use crate::schedule::code::{Dialect, Known, Of, Program, indented};
use std::fmt::Write as _;

fn number(value: f64) -> String {
    Dialect::Rust.number(value)
}

/// A function of the rate, and where candle's training loop calls it.
pub fn candle(recipe: &Recipe, course: &Course) -> Result<String, Cannot> {
    refuse_momentum(recipe, course, Framework::Candle)?;
    let o = recipe.options();
    let lr = number(recipe.run.learning_rate);
    let name = recipe.optimizer.name();
    let optimizer = match name {
        "sgd" if ["momentum", "weight-decay"].iter().all(|key| !o.is_on(key)) => {
            format!("candle_nn::SGD::new(varmap.all_vars(), {lr})?")
        }
        "adamw" if !o.is_on("amsgrad") => {
            let set = |key: &str| number(o.get(key));
            let (beta1, beta2, eps, decay) = (set("beta1"), set("beta2"), set("eps"), set("weight-decay"));
            format!(
                "candle_nn::AdamW::new(\n    varmap.all_vars(),\n    candle_nn::ParamsAdamW {{ lr: {lr}, beta1: {beta1}, beta2: {beta2}, eps: {eps}, weight_decay: {decay} }},\n)?"
            )
        }
        // The decay of the weights is all that tells them apart.
        "adam" if !o.is_on("amsgrad") && !o.is_on("weight-decay") => {
            let set = |key: &str| number(o.get(key));
            let (beta1, beta2, eps) = (set("beta1"), set("beta2"), set("eps"));
            format!(
                "candle_nn::AdamW::new(\n    varmap.all_vars(),\n    candle_nn::ParamsAdamW {{ lr: {lr}, beta1: {beta1}, beta2: {beta2}, eps: {eps}, weight_decay: 0.0 }},\n)?"
            )
        }
        _ => {
            let spec = &recipe.optimizer;
            return Err(Cannot::new(format!("candle has no {spec}: candle-nn has plain sgd, adam and adamw")));
        }
    };
    let function = function(course.program(recipe, Framework::Candle)?);
    Ok(format!(
        "use candle_nn::Optimizer as _;\n\n{function}\n// let mut optimizer = {};\n// For each batch, `step` counted from 0:\n\
         //     optimizer.set_learning_rate(rate(step));\n//     optimizer.backward_step(&loss)?;\n",
        optimizer.replace('\n', "\n// ")
    ))
}

/// A learning-rate scheduler of burn.
pub fn burn(recipe: &Recipe, course: &Course) -> Result<String, Cannot> {
    refuse_momentum(recipe, course, Framework::Burn)?;
    let optimizer = burn_optimizer(recipe)?;
    let function = function(course.program(recipe, Framework::Burn)?);
    Ok(format!(
        "use burn::LearningRate;\nuse burn::lr_scheduler::LrScheduler;\nuse burn::tensor::backend::Backend;\n\n{function}\n\
         /// The learning rates of a run. burn asks for one before each update.\n\
         #[derive(Debug, Clone, Default)]\nstruct Rates {{\n    step: u64,\n}}\n\n\
         impl LrScheduler for Rates {{\n    type Record<B: Backend> = usize;\n\n    \
         fn step(&mut self) -> LearningRate {{\n        self.step += 1;\n        rate(self.step - 1)\n    }}\n\n    \
         fn to_record<B: Backend>(&self) -> usize {{\n        self.step as usize\n    }}\n\n    \
         fn load_record<B: Backend>(self, record: usize) -> Self {{\n        Self {{ step: record as u64 }}\n    }}\n}}\n\n\
         // let optimizer = {optimizer};\n// Learner::new(model, optimizer.init(), Rates::default())\n"
    ))
}

fn burn_optimizer(recipe: &Recipe) -> Result<String, Cannot> {
    let o = recipe.options();
    let set = |method: &str, key: &str| format!(".with_{method}({:?})", o.get(key) as f32);
    let decay = match o.get("weight-decay") {
        0.0 => String::new(),
        decay => format!(".with_weight_decay(Some(burn::optim::decay::WeightDecayConfig::new({:?})))", decay as f32),
    };
    let betas = || set("beta_1", "beta1") + &set("beta_2", "beta2") + &set("epsilon", "eps");
    let config = match recipe.optimizer.name() {
        "sgd" => {
            let momentum = format!(
                "Some(burn::optim::momentum::MomentumConfig::new().with_momentum({:?}).with_dampening({:?}).with_nesterov({}))",
                o.get("momentum"),
                o.get("dampening"),
                o.is_on("nesterov")
            );
            let momentum = if o.is_on("momentum") { format!(".with_momentum({momentum})") } else { String::new() };
            format!("SgdConfig::new(){decay}{momentum}")
        }
        "adam" if !o.is_on("amsgrad") => format!("AdamConfig::new(){}{decay}", betas()),
        "adamw" if !o.is_on("amsgrad") => {
            format!("AdamWConfig::new(){}.with_weight_decay({:?})", betas(), o.get("weight-decay") as f32)
        }
        _ => {
            let spec = &recipe.optimizer;
            let what = format!("burn has no {spec} that is exact");
            return Err(Cannot::but(what, "export sgd, adam or adamw"));
        }
    };
    Ok(format!("burn::optim::{config}"))
}

fn refuse_momentum(recipe: &Recipe, course: &Course, framework: Framework) -> Result<(), Cannot> {
    let spec = &recipe.schedule;
    if course.cycles {
        let what = format!("{framework} cannot follow {spec}: its optimizers keep their momentum");
        return Err(Cannot::but(what, UNCYCLED));
    }
    match course.known {
        Some(Known::Plateau { .. }) => Err(Cannot::new(format!(
            "{framework} cannot follow {spec}: it depends on metrics, and there is no class for it"
        ))),
        _ => Ok(()),
    }
}

/// `fn rate(step: u64) -> f64`.
fn function(program: &Program) -> String {
    let mut text = String::from("/// The learning rate of an optimizer step, counted from 0.\n");
    let body = Dialect::Rust.body(program, Of::Rate, 0.0);
    let argument = if body.contains("step") { "step" } else { "_step" };
    let _ = writeln!(text, "fn rate({argument}: u64) -> f64 {{\n{}}}", indented(&body, 1));
    text
}
