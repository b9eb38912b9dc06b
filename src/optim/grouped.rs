//! An optimizer for each parameter group, and which parameters are whose.

use super::group::ParamGroup;
use super::{Float, Optimizer, OptimizerSpec, Products, Slice, State};
use crate::number::exact;
use crate::schedule::{Duration, Rates, Semantics, Spec};
use crate::usage;
use crate::usage::Usage;
use anyhow::{Result, ensure};
use glob::Pattern;
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
    /// No parameter is left to the base group.
    is_base_empty: bool,
    /// What the user may not expect of it, one line each.
    pub notes: Vec<String>,
}

/// What parameters fall to that their optimizer cannot take, at its usual rate.
const FALLBACK: &str = "adamw";

/// A parameter's name and sides.
pub type Named<'a> = (&'a str, &'a [usize]);

impl Grouping {
    /// Divides the trainable `parameters`: the first of `written` that matches one has it, and the base group the rest. What an
    /// optimizer cannot take goes on to the next, and in the end to a group of its own.
    ///
    /// # Errors
    /// A group that matches no parameter, or none that its optimizer can take; two groups of one name.
    pub fn new<'a>(
        written: &[ParamGroup],
        base: &OptimizerSpec,
        semantics: Semantics,
        parameters: impl IntoIterator<Item = Named<'a>>,
    ) -> Result<Self, Usage> {
        let parameters: Vec<Named<'_>> = parameters.into_iter().collect();
        Self::divide(written, base, semantics, &parameters, &OptimizerSpec::takes)
    }

    fn divide(
        written: &[ParamGroup],
        base: &OptimizerSpec,
        semantics: Semantics,
        parameters: &[Named<'_>],
        takes: &dyn Fn(&OptimizerSpec, &[usize]) -> bool,
    ) -> Result<Self, Usage> {
        let mut groups: Vec<Group> = written.iter().map(|group| Group::of(group, base, semantics)).collect();
        // Each parameter with those that match and can take it.
        let takers = |&(name, shape): &Named<'_>| -> Vec<usize> {
            let both = |place: &usize| written[*place].matches(name) && takes(&groups[*place].optimizer, shape);
            (0..written.len()).filter(both).collect()
        };
        let takers: Vec<Vec<usize>> = parameters.iter().map(takers).collect();
        for (place, group) in groups.iter().enumerate() {
            if !takers.iter().any(|takers| takers.contains(&place)) {
                return nothing(&written[place], group, parameters);
            }
        }
        let mut notes: Vec<String> = said_once(&groups, parameters, &takers).into_iter().collect();
        notes.extend(written.iter().flat_map(|group| idle_patterns(group, parameters)));
        let left = |place: &usize| takers[*place].is_empty() && !takes(base, parameters[*place].1);
        let left: Vec<&str> = (0..parameters.len()).filter(left).map(|place| parameters[place].0).collect();
        let mut of: HashMap<String, usize> = HashMap::new();
        for (&(name, _), takers) in parameters.iter().zip(&takers) {
            of.extend(takers.first().map(|group| (name.to_string(), *group)));
        }
        if let Some((fallback, note)) = Group::fallback(base, semantics, &left, &groups) {
            of.extend(left.iter().map(|name| ((*name).to_string(), groups.len())));
            groups.push(fallback);
            notes.push(note);
        }
        let is_base_empty = !parameters.is_empty() && of.len() == parameters.len();
        if is_base_empty && !takes(base, &[]) {
            let name = base.name();
            return usage!(
                "{name} updates matrices alone, and none is left for it; take another optimizer beside the groups"
            );
        }
        if is_base_empty {
            notes.push(format!("{} updates nothing: all parameters are in groups", base.name()));
        }
        let grouping = Self { groups, of, is_base_empty, notes }.without_empty_groups();
        check_names(&grouping.groups)?;
        Ok(grouping)
    }

    /// A group whose parameters are all in earlier ones is none of the run's.
    fn without_empty_groups(mut self) -> Self {
        for place in (0..self.groups.len()).rev() {
            if self.of.values().any(|group| *group == place) {
                continue;
            }
            let name = self.groups.remove(place).name;
            self.notes.push(format!("group {name} has no parameters: those before it have them all"));
            self.of.values_mut().filter(|group| **group > place).for_each(|group| *group -= 1);
        }
        self
    }

    /// Whether no parameter is left to the base group.
    pub fn is_base_empty(&self) -> bool {
        self.is_base_empty
    }

    /// The optimizers that follow the schedule of the run: `base`, the run's, if it has parameters, and those of groups without a schedule.
    pub fn followers<'a>(&'a self, base: &'a OptimizerSpec) -> impl Iterator<Item = &'a OptimizerSpec> {
        let groups = self.groups.iter().filter(|group| group.schedule.is_none()).map(|group| &group.optimizer);
        (!self.is_base_empty).then_some(base).into_iter().chain(groups)
    }

    /// Whether every parameter is frozen from the start.
    pub fn is_frozen_throughout(&self) -> bool {
        self.is_base_empty && self.groups.iter().all(|group| group.freeze_after.is_some_and(Duration::is_zero))
    }

    /// The place in [`Grouping::groups`] of the group that has this parameter; `None` for the base group.
    pub fn of(&self, parameter: &str) -> Option<usize> {
        self.of.get(parameter).copied()
    }
}

fn check_names(groups: &[Group]) -> Result<(), Usage> {
    let is_twice = |(place, group): &(usize, &Group)| groups[..*place].iter().any(|other| other.name == group.name);
    match groups.iter().enumerate().find(is_twice) {
        Some((_, group)) => {
            usage!("group {}: two groups have this name; give one of them another `name`", group.name)
        }
        None => Ok(()),
    }
}

/// The error for a group that has no parameter.
fn nothing<T>(written: &ParamGroup, group: &Group, parameters: &[Named<'_>]) -> Result<T, Usage> {
    let names = |parameters: &[Named<'_>]| parameters.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let matching: Vec<Named<'_>> = parameters.iter().copied().filter(|(name, _)| written.matches(name)).collect();
    let Group { name, optimizer, .. } = group;
    if matching.is_empty() {
        return usage!("group {name}: no parameter matches; there are {}", names(parameters));
    }
    usage!("group {name}: {} updates matrices alone, and there is none among {}", optimizer.name(), names(&matching))
}

/// A line about each pattern of a group that matches nothing, beside others that do.
fn idle_patterns(written: &ParamGroup, parameters: &[Named<'_>]) -> Vec<String> {
    let name = written.name();
    let line = |pattern: &str| format!("group {name}: no parameter matches its pattern {pattern}");
    let idle = |pattern: &&Pattern| !parameters.iter().any(|(name, _)| pattern.matches(name));
    // In `descend` there are no names.
    if parameters.is_empty() {
        Vec::new()
    } else {
        written.patterns().iter().filter(idle).map(|p| line(p.as_str())).collect()
    }
}

/// One line about the parameters that two groups match; `takers`: the groups of each.
fn said_once(groups: &[Group], parameters: &[Named<'_>], takers: &[Vec<usize>]) -> Option<String> {
    let mut shared = parameters.iter().zip(takers).filter(|(_, takers)| takers.len() > 1);
    let ((parameter, _), takers) = shared.next()?;
    let (first, second) = (&groups[takers[0]].name, &groups[takers[1]].name);
    let more = match shared.count() {
        0 => String::new(),
        more => format!(" (and {more} more match two groups)"),
    };
    Some(format!("{parameter} matches the groups {first} and {second}: the first, {first}, has it{more}"))
}

impl Group {
    fn of(written: &ParamGroup, base: &OptimizerSpec, semantics: Semantics) -> Self {
        Self {
            name: written.name(),
            lr: written.own_rate(base, semantics),
            optimizer: written.optimizer_under(base),
            schedule: written.schedule.clone(),
            freeze_after: written.freeze_after,
        }
    }

    /// The group of the parameters that are `left`, and a line about it; `None` if there are none.
    fn fallback(base: &OptimizerSpec, semantics: Semantics, left: &[&str], groups: &[Group]) -> Option<(Self, String)> {
        let (first, more) = left.split_first()?;
        let optimizer: OptimizerSpec = FALLBACK.parse().ok()?;
        let lr = optimizer.default_learning_rate(semantics);
        let names = std::iter::once(FALLBACK.to_string()).chain((2..).map(|number| format!("{FALLBACK}-{number}")));
        let name = names.into_iter().find(|name| groups.iter().all(|group| group.name != *name))?;
        let what = match more.len() {
            0 => format!("{first}, which no group takes, falls"),
            more => format!("{first} and {more} more that no group takes fall"),
        };
        let note = format!("{} updates matrices alone: {what} to {FALLBACK} at {}", base.name(), exact(lr));
        Some((Self { name, optimizer, lr: Some(lr), schedule: None, freeze_after: None }, note))
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

    /// One update of every slice by the optimizer of its group, in place, with these products of matrices. A frozen group
    /// keeps its state.
    ///
    /// # Panics
    /// As [`Optimizer::step_with`].
    pub fn step(&mut self, mut slices: Vec<Slice<'_, T>>, rates: &StepRates, products: &dyn Products<T>) {
        for (place, optimizer) in self.others.iter_mut().enumerate() {
            let (mut members, others) =
                slices.into_iter().partition::<Vec<_>, _>(|slice| self.grouping.of(slice.name) == Some(place));
            slices = others;
            if let Some(rates) = rates.of(place) {
                optimizer.step_with(&mut members, rates, products);
            }
        }
        if !slices.is_empty() {
            self.base.step_with(&mut slices, rates.base, products);
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
    use crate::optim::PlainProducts;

    fn grouping(groups: &[&str]) -> Result<Grouping, Usage> {
        let groups: Vec<ParamGroup> = groups.iter().map(|group| group.parse().unwrap()).collect();
        Grouping::new(&groups, &"sgd:momentum=0.9".parse().unwrap(), Semantics::Native, PARAMETERS)
    }

    const PARAMETERS: [Named<'static>; 4] =
        [("conv1.weight", &[8, 3, 3, 3]), ("conv1.bias", &[8]), ("fc.weight", &[10, 64]), ("fc.bias", &[10])];

    #[test]
    fn what_an_optimizer_for_matrices_cannot_take_goes_on_to_the_next_group_and_in_the_end_to_adamw() {
        let divide = |base: &str, groups: &[&str]| {
            let groups: Vec<ParamGroup> = groups.iter().map(|group| group.parse().unwrap()).collect();
            // As if rmsprop updated matrices alone.
            let takes = |optimizer: &OptimizerSpec, shape: &[usize]| optimizer.name() != "rmsprop" || shape.len() > 1;
            Grouping::divide(&groups, &base.parse().unwrap(), Semantics::Native, &PARAMETERS, &takes)
        };
        let of = |grouping: &Grouping| {
            let name = |(parameter, _)| grouping.of(parameter).map_or("-", |group| &grouping.groups[group].name);
            PARAMETERS.map(name).join(" ")
        };
        let alone = divide("rmsprop", &[]).unwrap();
        assert_eq!(of(&alone), "- adamw - adamw");
        assert_eq!(alone.groups[0].lr, Some(1e-3));
        let said = "rmsprop updates matrices alone: conv1.bias and 1 more that no group takes fall to adamw at 0.001";
        assert_eq!(alone.notes, [said]);
        let group = divide("rmsprop", &["fc.*=sgd/name=adamw"]).unwrap();
        assert_eq!(of(&group), "- adamw-2 adamw adamw");
        let conv = divide("sgd", &["conv*=rmsprop", "*.bias=adam"]).unwrap();
        assert_eq!((of(&conv), conv.notes.len()), ("conv* *.bias - *.bias".to_string(), 0));
        let none = divide("sgd", &["*.bias=rmsprop"]).unwrap_err().to_string();
        assert_eq!(none, "group *.bias: rmsprop updates matrices alone, and there is none among conv1.bias, fc.bias");
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
        // A group of the command line stands before one of a file.
        let again = grouping(&["*.bias=adam", "*.bias=sgd"]).unwrap();
        assert_eq!((again.groups.len(), again.groups[0].optimizer.name()), (1, "adam"));
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
            grouped.step(slices, &StepRates { base: Rates::of(0.5), groups: vec![group] }, &PlainProducts);
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
