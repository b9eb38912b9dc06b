//! Schedules as code: the expressions have the rates of the schedule at every step.

use lrsched_schedule::code::Dialect;
use lrsched_schedule::{RunShape, Schedule, Semantics, table};

/// Specs with several parameters each, beside the entrants of the table.
const SPECS: &[&str] = &[
    "step:factor=0.3,drop-every=1.5",
    "step:factor=0.5,drop-every=7st",
    "time:decay=0.5,decay-steps=1ep,staircase",
    "exponential:decay-rate=0.9,staircase",
    "natural-exp:k=0.5,decay-steps=1ep",
    "linear:end-lr=0.1x,over=60%",
    "polynomial:power=0.5,end-lr=0.02,over=3ep,cycle",
    "piecewise:milestones=2,4,values=0.1,0.3,0.05",
    "halve:when=epoch>=2,when=epoch>=5,min-lr=0.03",
    "cosine:end-lr=0.01,over=5",
    "cosine-restarts:period=2,lr-mult=0.7",
    "cosine-restarts:period=1,period-mult=2,end-lr=0.01",
    "cosine-restarts:period=1,period-mult=1.3,lr-mult=0.8",
    "triangular:step-size=1,step-size-down=2,base-momentum=0.8",
    "triangular2:step-size=9st",
    "exp-range:step-size=1ep,gamma=0.99,max-momentum=0.9",
    "one-cycle:three-phase,anneal=linear",
    "one-cycle:pct-start=0",
    "one-cycle:pct-start=1,max-lr=0.4",
    "wsd:warmup=1,decay=3,shape=one-minus-sqrt,end-lr=0.01,warmup-from=0.2",
    "wsd:warmup=0,decay=0",
    "inverse-sqrt:warmup=2,warmup-from=0",
    "expr:lr*min(1, 3/t)*(e<6) + round(fract(t/7))*0.01*abs(-1)",
    "expr:lr*min(t^-0.5, t*20^-1.5)",
    "expr:lr*0.5^floor((1+epoch)/10)+lr*(7%4)",
    "cosine:warmup=1.5,warmup-from=0.1",
    "one-cycle:warmup=10st",
    "constant:for=2;linear:for=3,warmup=1;step:drop-every=1",
];

#[test]
fn the_code_of_a_schedule_has_its_rate_at_every_step_and_past_the_end() {
    let entrants = table().iter().filter_map(|entry| entry.entrant);
    let mut without = Vec::new();
    for spec in SPECS.iter().copied().chain(entrants) {
        for semantics in Semantics::ALL {
            let run = RunShape::new(0.2, 8, 11).with(semantics);
            let schedule = Schedule::build(&spec.parse().unwrap(), &run).unwrap();
            let Some(program) = schedule.program() else {
                without.push((spec, semantics));
                continue;
            };
            let highest = schedule.highest(0).learning_rate;
            for t in 0..=run.total_steps() + 5 {
                let (rate, code) = (schedule.at(t).learning_rate, program.rate(t));
                assert!((rate - code).abs() <= 1e-12 * highest, "{spec}, {semantics}, step {t}: {rate} and {code}");
            }
        }
    }
    // Keras computes its restarts in f32.
    without.retain(|(spec, semantics)| !(spec.starts_with("cosine-restarts") && *semantics == Semantics::Keras));
    let mut without: Vec<&str> = without.into_iter().map(|(spec, _)| spec).collect();
    without.dedup();
    let listening =
        ["halve:when=val_accuracy>=0.3,when=val_accuracy>=0.5,when=val_accuracy>=0.7", "plateau:factor=0.5,patience=0"];
    assert_eq!(without, listening);
}

#[test]
fn it_is_known_where_another_language_would_stop_or_return_something_else() {
    let run = RunShape::new(0.2, 200, 10);
    let differs = |spec: &str| {
        let schedule = Schedule::build(&spec.parse().unwrap(), &run).unwrap();
        let program = schedule.program().unwrap();
        [Dialect::Python, Dialect::Jax, Dialect::Keras, Dialect::Rust].map(|dialect| program.differs_in(dialect))
    };
    for (spec, python, traced) in [
        // exp(710) and 2^1024 are too large for f64.
        ("expr:lr/(1+exp(t-T/2))", Some(1710), None),
        ("expr:lr/(1+2^(t-100))", Some(1124), None),
        ("expr:lr*max(1,ln(t))/10", Some(0), None),
        ("expr:max(0.1,sqrt(t-5))", Some(0), Some(0)),
        ("expr:max(0.1,(t-5)^0.5)", Some(0), Some(0)),
        ("constant:for=5;expr:max(0.1,sqrt(5-t))", Some(56), Some(56)),
        ("expr:lr*(2+max(0,signum(asin(t))))", Some(2), Some(2)),
        // exp(89) is too large for f32.
        ("expr:lr*exp(min(t,500)-100)/(1+exp(min(t,500)-100))", None, Some(189)),
        // 0/0 in the first epoch; Python's min returns its first argument then, as Rust's.
        ("expr:lr*min(1,t/(e*S))", None, Some(0)),
        ("expr:lr*min(t/(e*S),1)", Some(0), Some(0)),
        ("expr:lr*min(1,sqrt(10/t))", None, None),
        // Both stop nowhere: a division by 0 is written as a choice, and what is not chosen is not computed.
        ("expr:lr*min(1, 3/t)", None, None),
        ("expr:lr*min(t^-0.5, t*20^-1.5)", None, None),
        ("expr:lr/(1+exp(min(t-T/2,700)))", None, None),
        ("expr:lr*abs(tanh(t))", None, None),
        ("one-cycle", None, None),
        ("cosine-restarts:period=1,period-mult=1.3,lr-mult=0.8", None, None),
    ] {
        assert_eq!(differs(spec), [python, traced, traced, None], "{spec}");
    }
}

#[test]
fn nested_quotients_that_would_take_too_much_text_have_no_code() {
    let run = RunShape::new(0.2, 8, 11);
    let nested = |levels: usize| {
        let spec = format!("expr:lr/(1+{}t{})", "1/(1+".repeat(levels), ")".repeat(levels));
        Schedule::build(&spec.parse().unwrap(), &run).unwrap().program()
    };
    assert!(nested(5).is_some());
    assert!(nested(40).is_none());
}
