//! What a spec takes, and what it shows again.

use lrsched_schedule::schedules::{halve::Halve, piecewise::Piecewise};
use lrsched_schedule::{Epochs, Semantics, Spec, table};

#[test]
fn a_list_without_items_is_no_value() {
    let lists = table().iter().flat_map(|entry| entry.parameters.iter().map(move |parameter| (entry.name, parameter)));
    let lists: Vec<_> = lists.filter(|(_, parameter)| parameter.kind.is_list()).collect();
    assert!(lists.len() >= 3, "durations, rates and conditions");
    for (schedule, parameter) in lists {
        let name = parameter.name;
        for nothing in ["", "[]", "[ ]", "/", "[,/]"] {
            let read = format!("{schedule}:{name}={nothing}").parse::<Spec>();
            let refusal = format!("{schedule}: {name} has no value");
            assert_eq!(read.map_err(|error| error.to_string()), Err(refusal), "{nothing}");
        }
    }
}

#[test]
fn a_list_without_items_is_no_value_of_a_builder() {
    let refusals = [
        Piecewise::new(0.1).milestones([] as [Epochs<f64>; 0]).spec(),
        Piecewise::new(0.1).values([] as [f64; 0]).spec(),
        Halve::new(0.1).when([]).spec(),
    ];
    let refusals = refusals.map(|spec| spec.unwrap_err().to_string());
    assert_eq!(
        refusals,
        ["piecewise: milestones has no value", "piecewise: values has no value", "halve: when has no value"]
    );
}

#[test]
fn a_framework_under_another_name_is_suggested_as_semantics() {
    for (typed, meant) in
        [("tf", "keras"), ("tensorflow", "keras"), ("pytorch", "torch"), ("jax", "optax"), ("flax", "optax")]
    {
        let error = typed.parse::<Semantics>().unwrap_err().to_string();
        let refusal = format!("semantics: `{typed}` is none of native, torch, keras, optax; did you mean `{meant}`?");
        assert_eq!(error, refusal);
    }
}

#[test]
fn a_metric_under_another_name_is_suggested_in_a_condition() {
    for (typed, meant) in [("acc", "val_accuracy"), ("loss_val", "val_loss")] {
        let error = format!("halve:when={typed}>=0.8").parse::<Spec>().unwrap_err().to_string();
        assert!(error.ends_with(&format!("did you mean `{meant}`?")), "{error}");
    }
}
