//! Formulas of the user's own, in every place that a schedule of the table may stand.

use lrsched_schedule::schedules::{constant::Constant, step::Step};
use lrsched_schedule::{
    Epochs, Formula, Outline, Percent, Rates, RunShape, Semantics, Sequence, Span, Spec, Steps, UsageError,
    uses_base_rate, warnings,
};

/// Up from 0 to its peak, in a straight line.
#[derive(Debug, Clone)]
struct Rise {
    peak: f64,
    steps: u64,
}

impl Rise {
    /// To lr, in the whole of what is left.
    fn fitted(span: &Span) -> Result<Self, UsageError> {
        Ok(Self { peak: span.lr, steps: span.horizon })
    }
}

impl Formula for Rise {
    fn rates(&self, t: u64) -> Rates {
        Rates::of(self.peak * t as f64 / self.steps as f64)
    }

    fn outline(&self) -> Outline {
        Outline { peak: Some(self.peak), rises: true, ..Outline::default() }
    }

    fn cautions(&self) -> Vec<String> {
        if self.steps > 100 { vec!["a long way up".to_string()] } else { Vec::new() }
    }
}

#[test]
fn a_formula_is_made_for_the_part_of_the_run_that_it_has() {
    let seen = |span: &Span| {
        assert_eq!(*span, Span { lr: 0.4, semantics: Semantics::Torch, steps_per_epoch: 10, horizon: 15 });
        Rise::fitted(span)
    };
    let sequence =
        Constant::new(0.1).lasting(Epochs(2)).then(Sequence::custom_with(seen).warmup(Steps(5)).warmup_from(0.5));
    let schedule = sequence.build(&RunShape::new(0.4, 4, 10).with(Semantics::Torch)).unwrap();
    assert_eq!([19, 20, 25, 40].map(|t| schedule.at(t).learning_rate), [0.1, 0.2, 0.0, 0.4 * 14.0 / 15.0]);
}

#[test]
fn what_is_left_of_a_run_may_have_a_formula() {
    let run = RunShape::new(0.4, 4, 10);
    let rest = Sequence::custom_with(Rise::fitted).build_from(&run, 20).unwrap();
    assert_eq!([20, 30].map(|t| rest.at(t).learning_rate), [0.0, 0.2]);
}

#[test]
fn the_warnings_look_at_a_formula_as_at_any_schedule() {
    let run = RunShape::new(0.4, 4, 10);
    let short = Sequence::custom(Rise { peak: 0.4, steps: 80 });
    assert_eq!(
        warnings(short, &run).unwrap(),
        [
            "the rate is 0 at step 0: the first step changes nothing",
            "a formula: the peak of 0.4 is never reached; the highest rate is 0.195",
        ]
    );
    let long = warnings(Sequence::custom(Rise { peak: 0.4, steps: 400 }), &run).unwrap();
    assert!(long.contains(&"a formula: a long way up".to_string()), "{long:?}");
    let step = warnings(Step::new(0.1).drop_every(Epochs(100)), &run).unwrap();
    assert_eq!(step, ["the rate never changes over this run of 40 steps: it stays 0.1"]);
    assert!(uses_base_rate(Sequence::custom_with(Rise::fitted)));
    assert!(!uses_base_rate(Sequence::custom(Rise { peak: 0.4, steps: 80 })));
}

#[test]
fn an_expression_or_a_list_that_names_lr_uses_it_however_late_or_little() {
    let uses = |spec: &str| uses_base_rate(spec.parse::<Spec>().unwrap());
    for spec in [
        "expr:0.1*(e<40)+lr*(e>=40)",
        "expr:0.1*(t<1000)+lr*(t>=1000)",
        "expr:min(lr,5e-4)",
        "constant:lr=0.1,for=2;expr:min(lr,5e-4)",
        "piecewise:milestones=40,values=0.1,1x",
    ] {
        assert!(uses(spec), "{spec}");
    }
    for spec in ["expr:0.1*(1-t/T)", "piecewise:milestones=40,values=0.1,0.01"] {
        assert!(!uses(spec), "{spec}");
    }
}

#[test]
fn a_formula_that_another_schedule_follows_says_how_long_it_lasts() {
    let run = RunShape::new(0.4, 4, 10);
    let endless = Sequence::custom_with(Rise::fitted).then(Constant::new(0.4)).build(&run).unwrap_err();
    assert_eq!(
        endless.to_string(),
        "a formula: how long? In a sequence each but the last needs it, for example `.lasting(Epochs(5))`"
    );
    let negative = Sequence::custom_with(Rise::fitted).lasting(Epochs(-1)).then(Constant::new(0.4)).build(&run);
    assert!(negative.unwrap_err().to_string().starts_with("a formula: for must be a duration"));
    let share = Sequence::custom_with(Rise::fitted).lasting(Percent(50)).then(Constant::new(0.4)).build(&run).unwrap();
    assert_eq!([10, 20].map(|t| share.at(t).learning_rate), [0.2, 0.4]);
}
