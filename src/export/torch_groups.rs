//! Parameter groups in PyTorch: one optimizer, and a rate of its own for each group.

use super::torch::{Parts, Scheduler, constructor};
use super::{
    Cannot, Course, Framework, Group, RatesOfGroup, Recipe, UNCYCLED, call, check_values, number, python_function,
};
use crate::schedule::code::{Dialect, Of};
use std::fmt::Write as _;

/// The optimizer of the groups of `model`, and its scheduler.
///
/// # Errors
/// A group of another optimizer, a momentum that cycles, or a schedule that depends on metrics.
pub fn parts(recipe: &Recipe, course: &Course, model: &str, framework: Framework) -> Result<Parts, Cannot> {
    let is_cycled = |(group, own): (&Group, &RatesOfGroup)| {
        let is_set = match own {
            RatesOfGroup::Run => course.sets_momentum,
            RatesOfGroup::Own(program) => program.has_momentum(),
            RatesOfGroup::Metrics => false,
        };
        is_set && group.optimizer.has_momentum()
    };
    if course.cycles || recipe.groups.iter().zip(&course.groups).any(is_cycled) {
        let what = format!("{framework}: the momentum of parameter groups is not cycled");
        return Err(Cannot::but(what, UNCYCLED));
    }
    let (package, class, base) = constructor(recipe, framework)?;
    let lr = recipe.run.learning_rate;
    let program = course.program(recipe, framework)?;
    let mut functions = python_function("rate", "learning rate", Dialect::Python, program, Of::Rate, 0.0) + "\n\n";
    let (mut rows, mut rates) = (String::new(), Vec::new());
    for (group, own) in recipe.groups.iter().zip(&course.groups) {
        let of_group = Recipe { optimizer: group.optimizer.clone(), ..recipe.clone() };
        let (_, other, options) = constructor(&of_group, framework)?;
        if other != class {
            let (name, optimizer) = (&group.name, &group.optimizer);
            let what = format!("{framework} has one optimizer for all groups, and group {name} has {optimizer}");
            return Err(Cannot::but(what, "export the optimizer of each group by flags"));
        }
        let different = std::iter::once(format!("lr={}", number(group.lr))).chain(apart(&base, &options));
        let _ =
            writeln!(rows, "        ({}, dict({})),", list(&group.patterns), different.collect::<Vec<_>>().join(", "));
        let rate = match own {
            RatesOfGroup::Run => format!("rate(step) / {}", number(group.measure)),
            RatesOfGroup::Own(program) => {
                check_values(program, group.schedule.as_ref().unwrap_or(&recipe.schedule), framework)?;
                let name = format!("rate_{}", rates.len() + 1);
                functions +=
                    &(python_function(&name, "learning rate", Dialect::Python, program, Of::Rate, 0.0) + "\n\n");
                format!("{name}(step) / {}", number(group.lr))
            }
            RatesOfGroup::Metrics => {
                let name = &group.name;
                let what = format!(
                    "the schedule of group {name} depends on metrics, and a list of functions cannot follow it"
                );
                return Err(Cannot::but(what, "give the group a schedule of the step alone"));
            }
        };
        rates.push(match group.frozen_from {
            None => format!("lambda step: {rate}"),
            Some(step) => format!("lambda step: {rate} if step < {step} else 0.0"),
        });
    }
    rows += "        ([\"*\"], dict()),\n";
    rates.push(format!("lambda step: rate(step) / {}", number(lr)));
    let definitions = format!(
        "{functions}def groups(model):\n    \"\"\"The parameters by group: the first pattern that matches a name decides.\"\"\"\n    \
         kinds = [\n{rows}    ]\n    found = [dict(params=[], **options) for _, options in kinds]\n    \
         for name, parameter in model.named_parameters():\n        \
         place = next(i for i, (patterns, _) in enumerate(kinds) if any(fnmatch.fnmatchcase(name, one) for one in patterns))\n        \
         found[place][\"params\"].append(parameter)\n    return found\n\n\n"
    );
    let mut imports = vec!["fnmatch", "torch"];
    imports.extend(package);
    if definitions.contains("math.") {
        imports.insert(1, "math");
    }
    let arguments = [format!("groups({model})"), format!("lr={}", number(lr))];
    let optimizer = call(class, &arguments.into_iter().chain(base).collect::<Vec<_>>());
    let lambdas: String = rates.iter().map(|rate| format!("    {rate},\n")).collect();
    let scheduler = format!("torch.optim.lr_scheduler.LambdaLR(optimizer, [\n{lambdas}])");
    Ok(Parts { imports, definitions, optimizer, mode: recipe.mode(), scheduler: Scheduler::Step(scheduler) })
}

/// `["*.bias", "*.norm.*"]`
fn list(patterns: &[String]) -> String {
    format!("[{}]", patterns.iter().map(|pattern| format!("{pattern:?}")).collect::<Vec<_>>().join(", "))
}

/// The `own` options that the `base` has not, and those of the base that are off in the group.
fn apart(base: &[String], own: &[String]) -> Vec<String> {
    let key = |option: &String| option.split('=').next().unwrap_or_default().to_string();
    let is_own = |option: &&String| own.iter().any(|other| key(other) == key(option));
    let off = |option: &String| format!("{}={}", key(option), if option.ends_with("=True") { "False" } else { "0.0" });
    let mut all: Vec<String> = own.iter().filter(|option| !base.contains(option)).cloned().collect();
    all.extend(base.iter().filter(|option| !is_own(option)).map(off));
    all
}
