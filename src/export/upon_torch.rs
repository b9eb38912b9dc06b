//! What is built upon PyTorch: Lightning, timm and transformers.

use super::torch::{self, Parts, Scheduler};
use super::{Cannot, Course, Framework, Recipe, call, number};
use crate::schedule::code::{Known, indented};

/// The method of a LightningModule.
pub fn lightning(recipe: &Recipe, course: &Course) -> Result<String, Cannot> {
    let Parts { imports, definitions, optimizer, mode, scheduler } =
        torch::parts(recipe, course, "self", Framework::Lightning)?;
    let mut body = format!("optimizer = {optimizer}\n{mode}");
    body += &match &scheduler {
        Scheduler::None => "return optimizer\n".to_string(),
        Scheduler::Step(scheduler) => format!(
            "scheduler = {scheduler}\n\
             return {{\"optimizer\": optimizer, \"lr_scheduler\": {{\"scheduler\": scheduler, \"interval\": \"step\"}}}}\n"
        ),
        Scheduler::Epoch(scheduler, metric) => format!(
            "scheduler = {scheduler}\n\
             return {{\"optimizer\": optimizer, \"lr_scheduler\": {{\"scheduler\": scheduler, \"interval\": \"epoch\", \"monitor\": \"{metric}\"}}}}\n"
        ),
    };
    let clipping = [("norm", recipe.clip_norm), ("value", recipe.clip_value)];
    let clipping = clipping.into_iter().filter_map(|(by, most)| {
        let most = number(most?);
        Some(format!("# Trainer(gradient_clip_val={most}, gradient_clip_algorithm=\"{by}\")\n"))
    });
    Ok(format!(
        "{}\n{definitions}# A method of your LightningModule; the Trainer steps the scheduler.\ndef configure_optimizers(self):\n{}{}",
        imported(&imports),
        indented(&body, 1),
        clipping.collect::<String>()
    ))
}

/// An optimizer and a scheduler for a Trainer.
pub fn transformers(recipe: &Recipe, course: &Course) -> Result<String, Cannot> {
    let Parts { mut imports, mut definitions, optimizer, mode, scheduler } =
        torch::parts(recipe, course, "model", Framework::Transformers)?;
    imports.push("transformers");
    let own = course.after_warmup.as_ref().and_then(|(steps, known)| transformers_class(*steps, known, recipe));
    let scheduler = match (own, scheduler) {
        (Some(class), _) => {
            definitions.clear();
            imports.retain(|module| *module != "math");
            class
        }
        (None, Scheduler::None) => "transformers.get_constant_schedule(optimizer)".to_string(),
        (None, Scheduler::Step(scheduler)) => scheduler,
        (None, Scheduler::Epoch(..)) => {
            let spec = &recipe.schedule;
            return Err(Cannot::new(format!(
                "transformers cannot follow {spec} at the end of each epoch: its Trainer steps after every evaluation"
            )));
        }
    };
    let mut arguments = format!("num_train_epochs={}", recipe.run.epochs);
    // The Trainer's own limit is 1.
    arguments += &format!(", max_grad_norm={}", number(recipe.clip_norm.unwrap_or(0.0)));
    Ok(format!(
        "{}\n{definitions}optimizer = {optimizer}\n{mode}scheduler = {scheduler}\n\n\
         # The Trainer steps both:\n# args = transformers.TrainingArguments({arguments}, ...)\n\
         # trainer = transformers.Trainer(model=model, args=args, optimizers=(optimizer, scheduler), ...)\n",
        imported(&imports)
    ))
}

/// The schedule of transformers, if it has one with these rates; it begins with a warm-up from 0 of so many steps.
fn transformers_class(warmup: u64, known: &Known, recipe: &Recipe) -> Option<String> {
    let total = recipe.run.total_steps();
    let to_the_end = |over: u64| warmup + over == total;
    let lr = recipe.run.learning_rate;
    let made = |name: &str, more: Vec<String>| {
        let mut all = vec!["optimizer".to_string(), format!("num_warmup_steps={warmup}")];
        all.extend(more);
        Some(call(&format!("transformers.{name}"), &all))
    };
    let total_steps = format!("num_training_steps={total}");
    match *known {
        Known::Constant { .. } if warmup > 0 => made("get_constant_schedule_with_warmup", Vec::new()),
        Known::Polynomial { end: 0.0, power: 1.0, over, cycle: false, .. } if to_the_end(over) => {
            made("get_linear_schedule_with_warmup", vec![total_steps])
        }
        Known::Polynomial { end, power, over, cycle: false, .. } if to_the_end(over) && end < lr => made(
            "get_polynomial_decay_schedule_with_warmup",
            vec![total_steps, format!("lr_end={}", number(end)), format!("power={}", number(power))],
        ),
        Known::Cosine { end: 0.0, over, .. } if to_the_end(over) => {
            made("get_cosine_schedule_with_warmup", vec![total_steps])
        }
        Known::Cosine { end, over, .. } if to_the_end(over) && end < lr => {
            made("get_cosine_with_min_lr_schedule_with_warmup", vec![total_steps, format!("min_lr={}", number(end))])
        }
        _ => None,
    }
}

/// An optimizer and a scheduler of timm.
pub fn timm(recipe: &Recipe, course: &Course) -> Result<String, Cannot> {
    let Parts { mut imports, mut definitions, optimizer, mode, scheduler } =
        torch::parts(recipe, course, "model", Framework::Timm)?;
    let own = course.after_warmup.as_ref().and_then(|(steps, known)| timm_class(*steps, known));
    let mut steps = "# optimizer.step()\n# num_updates += 1\n# scheduler.step_update(num_updates)\n".to_string();
    let scheduler = match (own, scheduler) {
        (_, Scheduler::None) => None,
        (Some(class), Scheduler::Step(_)) => {
            definitions.clear();
            imports.retain(|module| *module != "math");
            Some(class)
        }
        (own, Scheduler::Epoch(..)) => {
            return own.map_or_else(|| Err(Cannot::new(format!("timm cannot follow {}", recipe.schedule))), Ok);
        }
        (None, Scheduler::Step(_)) => {
            let program = course.program(recipe, Framework::Timm)?;
            definitions = torch::rate_functions(program, recipe, course.cycles);
            if definitions.contains("math.") && !imports.contains(&"math") {
                imports.insert(0, "math");
            }
            let momentum = if course.cycles { torch::momentum_line(recipe, "t") } else { String::new() };
            let set = match momentum.as_str() {
                "" => String::new(),
                line => format!("for group in self.optimizer.param_groups:\n    {line}\n"),
            };
            let body = format!("{set}return [rate(t) for _ in self.base_values]\n");
            definitions += &format!(
                "class Rates(timm.scheduler.scheduler.Scheduler):\n    \"\"\"Sets the rates of each update.\"\"\"\n\n    \
                 def _get_lr(self, t):\n{}\n\n",
                indented(&body, 2)
            );
            Some("Rates(optimizer, param_group_field=\"lr\", t_in_epochs=False)".to_string())
        }
    };
    let made = match scheduler {
        None => {
            steps = "# optimizer.step()\n".to_string();
            String::new()
        }
        Some(scheduler) => {
            imports.push("timm.scheduler");
            format!("scheduler = {scheduler}\nnum_updates = 0\nscheduler.step_update(num_updates)\n")
        }
    };
    let clipping = torch::clipping(recipe);
    Ok(format!(
        "{}\n{definitions}optimizer = {optimizer}\n{mode}{made}\n# After the gradients of each batch:\n{clipping}{steps}",
        imported(&imports)
    ))
}

/// timm's own scheduler, if it has one with these rates; behind a warm-up from 0 of so many steps.
fn timm_class(warmup: u64, known: &Known) -> Option<String> {
    let made = |name: &str, more: Vec<String>| {
        let mut all = vec!["optimizer".to_string()];
        all.extend(more);
        if warmup > 0 {
            all.extend([
                format!("warmup_t={warmup}"),
                "warmup_lr_init=0.0".to_string(),
                "warmup_prefix=True".to_string(),
            ]);
        }
        all.push("t_in_epochs=False".to_string());
        Some(call(&format!("timm.scheduler.{name}"), &all))
    };
    let set = |key: &str, value: f64| format!("{key}={}", number(value));
    match *known {
        Known::Stairs { factor, every, ahead: 0, .. } => {
            made("StepLRScheduler", vec![format!("decay_t={every}"), set("decay_rate", factor)])
        }
        // To the power of 0 the rate stays, and timm's ends at lr_min all the same.
        Known::Polynomial { end, power, over, cycle: false, .. } if power > 0.0 => {
            made("PolyLRScheduler", vec![format!("t_initial={over}"), set("power", power), set("lr_min", end)])
        }
        Known::Cosine { end, over, periodic: false, .. } => {
            made("CosineLRScheduler", vec![format!("t_initial={over}"), set("lr_min", end)])
        }
        _ => None,
    }
}

fn imported(modules: &[&str]) -> String {
    modules.iter().map(|module| format!("import {module}\n")).collect()
}
