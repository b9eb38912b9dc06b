//! An optimizer for each parameter group, and which parameters are whose.

use super::group::ParamGroup;
use super::{Float, Optimizer, OptimizerSpec, Slice, State};
use crate::schedule::{Duration, Rates, Semantics, Spec};
use crate::usage;
use crate::usage::Usage;
use anyhow::{Result, ensure};
use std::collections::{BTreeMap, HashMap};

/// A parameter group of a network, with everything that it leaves to the run filled in but its rates.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    pub name: String,
    pub optimizer: OptimizerSpec,
    /// `None`: the run's.
    pub lr: Option<f64>,
    /// `None`: its rate is a fixed multiple of the run's.
    pub schedule: Option<Spec>,
    pub freeze_after: Option<Duration>,
}

/// The parameters of a network, divided into groups.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Grouping {
    /// Those besides the base group, which has the run's optimizer. Each has parameters.
    pub groups: Vec<Group>,
    /// The group of each parameter that is not in the base group.
    of: HashMap<String, usize>,
    /// What the user may not expect of it, one line each.
    pub notes: Vec<String>,
}

impl Grouping {
    /// Divides the trainable `parameters`: the first of `written` that matches one has it, and the base group the rest.
    ///
    /// # Errors
    /// A group that matches no parameter, or two groups of one name.
    pub fn new<'a>(
        written: &[ParamGroup],
        base: &OptimizerSpec,
        semantics: Semantics,
        parameters: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, Usage> {
        let parameters: Vec<&str> = parameters.into_iter().collect();
        let mut members: Vec<Vec<&str>> = vec![Vec::new(); written.len()];
        let mut shared: Vec<(&str, usize, usize)> = Vec::new();
        for parameter in &parameters {
            let mut matching = written.iter().enumerate().filter(|(_, group)| group.matches(parameter));
            let Some((first, _)) = matching.next() else { continue };
            members[first].push(parameter);
            shared.extend(matching.next().map(|(second, _)| (*parameter, first, second)));
        }
        let mut grouping = Self { notes: said_once(written, &shared).into_iter().collect(), ..Self::default() };
        for (group, members) in written.iter().zip(&members) {
            if !parameters.iter().any(|parameter| group.matches(parameter)) {
                return usage!("group {}: no parameter matches; there are {}", group.name(), parameters.join(", "));
            }
            if members.is_empty() {
                grouping.notes.push(format!("group {} has no parameters: those before it have them all", group.name()));
                continue;
            }
            let place = grouping.groups.len();
            let group = Group::of(group, base, semantics);
            if grouping.groups.iter().any(|other| other.name == group.name) {
                return usage!("group {}: two groups have this name; give one of them another `name`", group.name);
            }
            grouping.groups.push(group);
            grouping.of.extend(members.iter().map(|member| ((*member).to_string(), place)));
        }
        if !parameters.is_empty() && grouping.of.len() == parameters.len() {
            grouping.notes.push(format!("{} updates nothing: all parameters are in groups", base.name()));
        }
        Ok(grouping)
    }

    /// The place in [`Grouping::groups`] of the group that has this parameter; `None` for the base group.
    pub fn of(&self, parameter: &str) -> Option<usize> {
        self.of.get(parameter).copied()
    }
}

/// One line about the parameters that match two groups: (parameter, first, second).
fn said_once(written: &[ParamGroup], shared: &[(&str, usize, usize)]) -> Option<String> {
    let (parameter, first, second) = *shared.first()?;
    let (first, second) = (written[first].name(), written[second].name());
    let more = match shared.len() - 1 {
        0 => String::new(),
        more => format!(" (and {more} more match two groups)"),
    };
    Some(format!("{parameter} matches the groups {first} and {second}: the first, {first}, has it{more}"))
}

impl Group {
    fn of(written: &ParamGroup, base: &OptimizerSpec, semantics: Semantics) -> Self {
        let optimizer = written.optimizer.clone().unwrap_or_else(|| base.clone().without_learning_rate());
        let usual = || (optimizer.name() != base.name()).then(|| optimizer.default_learning_rate(semantics));
        Self {
            name: written.name(),
            lr: written.lr.or_else(usual),
            optimizer,
            schedule: written.schedule.clone(),
            freeze_after: written.freeze_after,
        }
    }
}

/// The rates of a step.
#[derive(Debug, Clone, PartialEq)]
pub struct StepRates {
    pub base: Rates,
    /// Those of [`Grouping::groups`], in order; `None` for a group that is frozen. Those left out are the base's.
    pub groups: Vec<Option<Rates>>,
}

impl From<Rates> for StepRates {
    fn from(base: Rates) -> Self {
        Self { base, groups: Vec::new() }
    }
}

impl StepRates {
    /// The rates of a group; `None` if it is frozen.
    pub fn of(&self, group: usize) -> Option<Rates> {
        self.groups.get(group).copied().unwrap_or(Some(self.base))
    }
}

/// The optimizers of a network: one for each group, with its members' state.
pub struct Grouped<T> {
    base: Optimizer<T>,
    others: Vec<Optimizer<T>>,
    grouping: Grouping,
}

impl<T: Float> Grouped<T> {
    /// # Errors
    /// As [`Optimizer::new`]; the error names the group.
    pub fn new(base: &OptimizerSpec, grouping: Grouping, semantics: Semantics) -> Result<Self, Usage> {
        let of_group = |group: &Group| {
            let named = |error: Usage| Usage(format!("group {}: {error}", group.name));
            Optimizer::new(&group.optimizer, semantics).map_err(named)
        };
        let others = grouping.groups.iter().map(of_group).collect::<Result<_, _>>()?;
        Ok(Self { base: Optimizer::new(base, semantics)?, others, grouping })
    }

    pub fn grouping(&self) -> &Grouping {
        &self.grouping
    }

    /// Whether the parameter moves at these rates.
    pub fn moves(&self, parameter: &str, rates: &StepRates) -> bool {
        self.grouping.of(parameter).is_none_or(|group| rates.of(group).is_some())
    }

    /// One update of every slice by the optimizer of its group, in place. A frozen group keeps its state.
    ///
    /// # Panics
    /// As [`Optimizer::step`].
    pub fn step(&mut self, mut slices: Vec<Slice<'_, T>>, rates: &StepRates) {
        for (place, optimizer) in self.others.iter_mut().enumerate() {
            let (mut members, others) =
                slices.into_iter().partition::<Vec<_>, _>(|slice| self.grouping.of(slice.name) == Some(place));
            slices = others;
            if let Some(rates) = rates.of(place) {
                optimizer.step(&mut members, rates);
            }
        }
        if !slices.is_empty() {
            self.base.step(&mut slices, rates.base);
        }
    }

    /// Whether the point to evaluate and to save is another than the one that is trained.
    pub fn has_evaluation_point(&self) -> bool {
        std::iter::once(&self.base).chain(&self.others).any(Optimizer::has_evaluation_point)
    }

    /// As [`Optimizer::move_to_evaluation_point`], by the optimizer of the parameter's group.
    pub fn move_to_evaluation_point(&self, name: &str, values: &mut [T]) {
        let optimizer = self.grouping.of(name).map_or(&self.base, |group| &self.others[group]);
        optimizer.move_to_evaluation_point(name, values);
    }

    /// The state of the base group's optimizer, then those of the others.
    pub fn states(&self) -> Vec<State<T>> {
        std::iter::once(&self.base).chain(&self.others).map(Optimizer::state).collect()
    }

    /// Restores the states of [`Grouped::states`], whose arrays are all in `arrays`, for `parameters` of these names and
    /// lengths.
    ///
    /// # Errors
    /// As [`Optimizer::restore`]; the states are of other groups.
    pub fn restore(
        &mut self,
        states: Vec<State<T>>,
        mut arrays: BTreeMap<String, Vec<T>>,
        parameters: &[(&str, usize)],
    ) -> Result<()> {
        ensure!(states.len() == 1 + self.others.len(), "optimizer state: of other parameter groups");
        let mut states = states.into_iter();
        let base = states.next().unwrap_or_default();
        for (place, (optimizer, state)) in self.others.iter_mut().zip(states).enumerate() {
            let members: Vec<_> =
                parameters.iter().copied().filter(|(name, _)| self.grouping.of(name) == Some(place)).collect();
            let own = |key: &String| members.iter().any(|(name, _)| is_of(key, name));
            let keys: Vec<String> = arrays.keys().filter(|key| own(key)).cloned().collect();
            let own = keys.into_iter().filter_map(|key| arrays.remove_entry(&key)).collect();
            optimizer.restore(State { arrays: own, ..state }, members)?;
        }
        let members = parameters.iter().copied().filter(|(name, _)| self.grouping.of(name).is_none());
        self.base.restore(State { arrays, ..base }, members)
    }
}

/// Whether a state array is of this parameter: `conv1.weight.exp_avg` is of `conv1.weight`.
fn is_of(key: &str, parameter: &str) -> bool {
    key.rsplit_once('.').is_some_and(|(of, _)| of == parameter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grouping(groups: &[&str]) -> Result<Grouping, Usage> {
        let groups: Vec<ParamGroup> = groups.iter().map(|group| group.parse().unwrap()).collect();
        let parameters = ["conv1.weight", "conv1.bias", "fc.weight", "fc.bias"];
        Grouping::new(&groups, &"sgd:momentum=0.9".parse().unwrap(), Semantics::Native, parameters)
    }

    #[test]
    fn the_first_group_that_matches_has_a_parameter_which_is_said_once() {
        let both = grouping(&["*.bias=adam", "fc.*=sgd", "*.bias=sgd/name=late"]).unwrap();
        let names: Vec<&str> = both.groups.iter().map(|group| group.name.as_str()).collect();
        assert_eq!(names, ["*.bias", "fc.*"]);
        let of = ["conv1.weight", "conv1.bias", "fc.weight", "fc.bias"].map(|name| both.of(name));
        assert_eq!(of, [None, Some(0), Some(1), Some(0)]);
        assert_eq!(
            both.notes,
            [
                "conv1.bias matches the groups *.bias and late: the first, *.bias, has it (and 1 more match two groups)",
                "group late has no parameters: those before it have them all",
            ]
        );
    }

    #[test]
    fn a_group_that_matches_nothing_names_the_parameters_there_are() {
        let error = grouping(&["norm*.bias=sgd"]).unwrap_err().to_string();
        let there = "there are conv1.weight, conv1.bias, fc.weight, fc.bias";
        assert_eq!(error, format!("group norm*.bias: no parameter matches; {there}"));
        let twice = grouping(&["*.bias=sgd/name=a", "*.weight=sgd/name=a"]).unwrap_err().to_string();
        assert_eq!(twice, "group a: two groups have this name; give one of them another `name`");
    }

    #[test]
    fn a_group_without_a_rate_has_the_runs_or_the_usual_one_of_another_optimizer() {
        let groups =
            grouping(&["conv1.bias=sgd", "fc.bias=adam", "fc.weight=sgd:lr=0.05", "conv1.weight=/linear"]).unwrap();
        let lrs: Vec<Option<f64>> = groups.groups.iter().map(|group| group.lr).collect();
        assert_eq!(lrs, [None, Some(1e-3), Some(0.05), None]);
        assert_eq!(groups.groups[3].optimizer.to_string(), "sgd:momentum=0.9");
        assert_eq!(groups.notes, ["sgd updates nothing: all parameters are in groups"]);
    }

    #[test]
    fn each_group_is_updated_by_its_own_optimizer_and_a_frozen_one_stays_as_it_is() {
        let mut grouped = Grouped::<f64>::new(
            &"sgd:momentum=0.5".parse().unwrap(),
            grouping(&["*.bias=sgd"]).unwrap(),
            Semantics::Native,
        )
        .unwrap();
        let (mut weight, mut bias) = ([0.0], [0.0]);
        let mut step = |grouped: &mut Grouped<f64>, group: Option<Rates>| {
            let slices = vec![
                Slice { name: "fc.weight", shape: &[1], values: &mut weight, gradient: &[1.0] },
                Slice { name: "fc.bias", shape: &[1], values: &mut bias, gradient: &[1.0] },
            ];
            grouped.step(slices, &StepRates { base: Rates::of(0.5), groups: vec![group] });
            [weight[0], bias[0]]
        };
        assert_eq!(step(&mut grouped, Some(Rates::of(0.25))), [-0.5, -0.25]);
        let states = grouped.states();
        assert_eq!(step(&mut grouped, None), [-1.25, -0.25]);
        assert_eq!(grouped.states().iter().map(|state| state.steps).collect::<Vec<_>>(), [2, 1]);
        // Restored, it goes on as before.
        let arrays = states.iter().flat_map(|state| state.arrays.clone()).collect();
        grouped.restore(states.clone(), arrays, &[("fc.weight", 1), ("fc.bias", 1)]).unwrap();
        assert_eq!(grouped.states(), states);
        let other = grouped.restore(Vec::new(), BTreeMap::new(), &[]).unwrap_err().to_string();
        assert_eq!(other, "optimizer state: of other parameter groups");
    }
}
