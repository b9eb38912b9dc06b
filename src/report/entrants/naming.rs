//! What entrants are called: in full, and as shortly as tells them apart.

use super::{EntrantRuns, Place};
use crate::optim::OptimizerSpec;
use crate::schedule::Spec;
use crate::spec::Values;
use crate::usage::{all_listed, one_line};
use std::collections::{BTreeSet, HashMap};

/// A name for each entrant, in order: `sgd/cosine`, plus whatever is needed to make it unique.
pub fn names(entrants: &[EntrantRuns<'_>]) -> Vec<String> {
    let short: Vec<String> = entrants.iter().map(|e| format!("{}/{}", e.optimizer, e.schedule)).collect();
    // Of the entrants with one short name: the first, and whether their rates, semantics and groups differ.
    let mut twins: HashMap<&str, (&EntrantRuns<'_>, [bool; 3])> = HashMap::new();
    for (name, entrant) in short.iter().zip(entrants) {
        let (first, differ) = twins.entry(name).or_insert((entrant, [false; 3]));
        // A rate that is not a number differs from every other.
        differ[0] |= entrant.lr != first.lr;
        differ[1] |= entrant.semantics != first.semantics;
        differ[2] |= entrant.place.group != first.place.group;
    }
    let settings = entrants.iter().any(|entrant| entrant.place.setting != entrants[0].place.setting);
    let name = |(short, entrant): (&String, &EntrantRuns<'_>)| {
        let (mut name, (_, [rates, semantics, groups])) = (short.clone(), twins[short.as_str()]);
        if rates && entrant.tuning.is_none() {
            name.push_str(&entrant.own_rate());
        }
        if semantics {
            name.push_str(&format!(" ({})", entrant.semantics.name()));
        }
        let Place { setting, group, by_hand, .. } = entrant.place;
        // What all have tells nothing, but one that was changed is never what its schedule says.
        let setting = Some(setting).filter(|_| settings || by_hand.is_some());
        // Without their run.json, runs of different groups have no setting that says so.
        let group = Some(group).filter(|_| groups);
        if let Some(told) = [setting, group].into_iter().flatten().find(|told| !told.is_empty()) {
            name.push_str(&format!(" [{told}]"));
        }
        // Names come from untrusted files, and go to terminals and pages.
        one_line(&name)
    };
    short.iter().zip(entrants).map(name).collect()
}

/// The `names` as pictures, sentences and a terminal use them: `sgd/cosine`, `sgd:momentum=0/cosine`. Of an optimizer's parameters, a
/// short name keeps those on which the entrants with that optimizer do not all agree; the rate only if entrants with the same schedule
/// disagree, too. Of a schedule's it keeps those on which the entrants with the same two do not agree. No two are alike.
pub fn short_names(entrants: &[EntrantRuns<'_>], names: &[String]) -> Vec<String> {
    let parts: Vec<Option<Parts>> =
        entrants.iter().zip(names).map(|(entrant, name)| Parts::of(entrant, name)).collect();
    let mut alike: HashMap<(&str, &str), Vec<&Parts>> = HashMap::new();
    for parts in parts.iter().flatten() {
        alike.entry(parts.kinds()).or_default().push(parts);
    }
    let mut with_optimizer: HashMap<&str, Vec<&Parts>> = HashMap::new();
    for parts in parts.iter().flatten() {
        with_optimizer.entry(parts.optimizer.name()).or_default().push(parts);
    }
    // Every entrant may have a rate of its own, which the tables have.
    let differing = with_optimizer.into_iter().map(|(optimizer, all)| {
        let [differing, _] = telling(&all);
        (optimizer, differing.into_iter().filter(|name| *name != "lr").collect())
    });
    let differing: HashMap<&str, BTreeSet<&'static str>> = differing.collect();
    let telling: HashMap<(&str, &str), [BTreeSet<&'static str>; 2]> = alike
        .into_iter()
        .map(|(kinds, all)| {
            let [of_optimizer, of_schedule] = telling(&all);
            (kinds, [&of_optimizer | &differing[kinds.0], of_schedule])
        })
        .collect();
    let short = |(parts, name): (&Option<Parts>, &String)| match parts {
        Some(parts) => parts.with(&telling[&parts.kinds()]),
        None => name.clone(),
    };
    let short: Vec<String> = parts.iter().zip(names).map(short).collect();
    let mut counts: HashMap<&str, usize> = HashMap::new();
    short.iter().for_each(|name| *counts.entry(name).or_default() += 1);
    short.iter().zip(names).map(|(short, name)| if counts[short.as_str()] > 1 { name } else { short }.clone()).collect()
}

/// What the short names leave out of the optimizers, since all entrants with one have it, rates aside:
/// `all sgd entrants: momentum=0.9, nesterov; all adam entrants: weight-decay=5e-4`. Empty if that is nothing.
pub fn recipes(entrants: &[EntrantRuns<'_>]) -> String {
    let mut of: Vec<(String, Vec<OptimizerSpec>)> = Vec::new();
    for optimizer in entrants.iter().filter_map(|entrant| entrant.optimizer.parse::<OptimizerSpec>().ok()) {
        match of.iter_mut().find(|(name, _)| name == optimizer.name()) {
            Some((_, all)) => all.push(optimizer),
            None => of.push((optimizer.name().to_string(), vec![optimizer])),
        }
    }
    // The optimizers that share a recipe, in the order of their first entrants.
    let mut recipes: Vec<(String, Vec<String>)> = Vec::new();
    for (name, all) in of {
        let recipe = common(&all);
        match recipes.iter_mut().find(|(other, _)| *other == recipe) {
            Some((_, names)) => names.push(name),
            None if recipe.is_empty() => {}
            None => recipes.push((recipe, vec![name])),
        }
    }
    let told = recipes.iter().map(|(recipe, names)| format!("all {} entrants: {recipe}", all_listed(names)));
    one_line(&told.collect::<Vec<_>>().join("; "))
}

/// The parameters that all of these have, except the rate.
fn common(all: &[OptimizerSpec]) -> String {
    let first = &all[0];
    let differs = |name: &str| all.iter().any(|one| one.given_values().get(name) != first.given_values().get(name));
    let given = first.given_values().given().map(|(parameter, _)| parameter.name);
    let own: Vec<&str> = given.filter(|name| *name == "lr" || differs(name)).collect();
    let shared = own.into_iter().fold(first.clone(), |optimizer, name| optimizer.without(name));
    shared.given_values().written().collect::<Vec<_>>().join(", ")
}

/// A name that can be shortened.
struct Parts {
    optimizer: OptimizerSpec,
    schedule: Spec,
    /// A sequence keeps its parameters: they are what it is.
    sequence: Option<String>,
    /// ` lr=0.1 [epochs=30]`
    rest: String,
}

impl Parts {
    /// `None` if the files of the entrant hold something else.
    fn of(entrant: &EntrantRuns<'_>, name: &str) -> Option<Self> {
        let rest = name.strip_prefix(entrant.optimizer)?.strip_prefix('/')?.strip_prefix(entrant.schedule)?;
        let schedule: Spec = entrant.schedule.parse().ok()?;
        let sequence = schedule.is_sequence().then(|| entrant.schedule.to_string());
        Some(Self { optimizer: entrant.optimizer.parse().ok()?, schedule, sequence, rest: rest.to_string() })
    }

    fn kinds(&self) -> (&str, &str) {
        (self.optimizer.name(), self.sequence.as_deref().unwrap_or_else(|| self.schedule.name()))
    }

    fn values(&self) -> [&Values; 2] {
        [self.optimizer.given_values(), self.schedule.schedules().next().expect("it has one schedule or more")]
    }

    /// The name with only these parameters of the optimizer and of the schedule.
    fn with(&self, telling: &[BTreeSet<&str>; 2]) -> String {
        let (mut optimizer, mut schedule) = (self.optimizer.clone(), self.schedule.clone());
        let [of_optimizer, of_schedule] = self.values();
        for (parameter, _) in of_optimizer.given().filter(|(parameter, _)| !telling[0].contains(parameter.name)) {
            optimizer = optimizer.without(parameter.name);
        }
        let common = of_schedule.given().filter(|(parameter, _)| !telling[1].contains(parameter.name));
        for (parameter, _) in common.filter(|_| self.sequence.is_none()) {
            schedule = schedule.without(parameter.name);
        }
        format!("{optimizer}/{schedule}{}", self.rest)
    }
}

/// The parameters of optimizer and schedule that not all of these entrants have with the same value.
fn telling(all: &[&Parts]) -> [BTreeSet<&'static str>; 2] {
    [0, 1].map(|which| {
        let given =
            |parts: &&Parts| parts.values()[which].given().map(|(parameter, _)| parameter.name).collect::<Vec<_>>();
        let keys: BTreeSet<&'static str> = all.iter().flat_map(given).collect();
        let first = all[0].values()[which];
        let differs = |key: &&'static str| all.iter().any(|parts| parts.values()[which].get(key) != first.get(key));
        keys.into_iter().filter(differs).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::RunConfig;
    use crate::data::DatasetKind;
    use crate::experiment::default_entrants;
    use crate::record::{ComparisonRow, Results, Status};
    use crate::report::entrants::entrants;

    fn row(spec: &&str) -> ComparisonRow {
        let (optimizer, schedule) = spec.split_once('/').unwrap();
        let (optimizer, schedule) = (optimizer.to_string(), schedule.to_string());
        let any = ComparisonRow::new("", &RunConfig::default(), Status::Finished, Results::default());
        ComparisonRow { optimizer, schedule, ..any }
    }

    /// The short names of these entrants, by their full ones.
    fn shortened(specs: &[&str]) -> Vec<(String, String)> {
        let rows: Vec<ComparisonRow> = specs.iter().map(row).collect();
        let entrants = entrants(&rows);
        let full = names(&entrants);
        let mut named: Vec<(String, String)> = full.iter().cloned().zip(short_names(&entrants, &full)).collect();
        named.sort();
        named
    }

    #[test]
    fn default_entrants_go_by_their_optimizer_and_schedule_alone() {
        let all = default_entrants(DatasetKind::Cifar10);
        let named = shortened(&all.iter().map(String::as_str).collect::<Vec<_>>());
        let short: BTreeSet<&str> = named.iter().map(|(_, short)| short.as_str()).collect();
        assert_eq!(short.len(), all.len());
        assert!(short.iter().all(|name| !name.contains(':')), "{short:?}");
        assert!(short.contains("sgd/cosine") && short.contains("adam/linear"), "{short:?}");
    }

    #[test]
    fn what_all_entrants_of_an_optimizer_share_is_told_beside_their_short_names() {
        let recipe = |specs: &[&str]| {
            let rows: Vec<ComparisonRow> = specs.iter().map(row).collect();
            recipes(&entrants(&rows))
        };
        let all = default_entrants(DatasetKind::Cifar10);
        let told = recipe(&all.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(told.contains("all sgd entrants: momentum=0.9, nesterov, weight-decay=5e-4"), "{told}");
        assert!(told.contains(" entrants: weight-decay=5e-4") && told.matches("entrants").count() == 2, "{told}");
        let mixed = ["sgd:lr=0.1,momentum=0.9,nesterov/cosine", "sgd:lr=0.2,momentum=0.9/step", "adam/step"];
        assert_eq!(recipe(&mixed), "all sgd entrants: momentum=0.9");
        assert_eq!(recipe(&["sgd/cosine", "sgd:momentum=0.9/step", "nonsense/cosine"]), "");
    }

    #[test]
    fn a_short_name_keeps_the_parameters_in_which_entrants_differ_and_no_two_are_alike() {
        let specs = [
            "sgd:lr=0.1,momentum=0.9/step:factor=0.5,drop-every=2",
            "sgd:lr=0.1,momentum=0.9/step:factor=0.1,drop-every=2",
            "sgd:lr=0.2,momentum=0.9/cosine",
            "sgd:lr=0.1,momentum=0.8/cosine",
            "rmsprop/constant:for=1;cosine",
            "rmsprop/constant:for=2;cosine",
            "nonsense/cosine",
            // Another optimizer than the other's, whatever the schedules.
            "adam:beta1=0.8/step:factor=0.5,drop-every=2",
            "adam:lr=0.1/cosine",
        ];
        let named = shortened(&specs);
        let short: Vec<&str> = named.iter().map(|(_, short)| short.as_str()).collect();
        let expected = [
            "nonsense/cosine",
            "rmsprop/constant:for=1;cosine",
            "rmsprop/constant:for=2;cosine",
            "sgd:lr=0.1,momentum=0.8/cosine",
            "sgd:lr=0.2,momentum=0.9/cosine",
            "sgd:momentum=0.9/step:factor=0.1",
            "adam:beta1=0.8/step",
            "adam/cosine",
        ];
        expected.iter().for_each(|name| assert!(short.contains(name), "{name}: {short:?}"));
        assert_eq!(short.iter().collect::<BTreeSet<_>>().len(), specs.len(), "{short:?}");
    }
}
