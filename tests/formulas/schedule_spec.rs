//! What the user types becomes a schedule, or one clear line.

use lrsched::schedule::{Clock, RunShape, Schedule, Spec, table};

fn parse(text: &str) -> Spec {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn problem(text: &str) -> String {
    match text.parse::<Spec>().and_then(|spec| Schedule::build(&spec, &RunShape::new(0.1, 30, 10))) {
        Ok(_) => panic!("{text} should have been refused"),
        Err(error) => error.to_string(),
    }
}

fn flags(name: &str, flags: &[(&str, &str)]) -> Result<Spec, String> {
    let flags: Vec<_> = flags.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
    Spec::from_flags(name, &flags).map_err(|error| error.to_string())
}

#[test]
fn flags_and_spec_string_make_the_same_schedule() {
    let spec = flags("step", &[("factor", "0.5"), ("drop-every", "10")]).unwrap();
    assert_eq!(spec.to_string(), "step:factor=0.5,drop-every=10");
    assert_eq!(spec, parse("step"));
    assert_eq!(flags("step:factor=0.1", &[("factor", "0.2")]).unwrap().to_string(), "step:factor=0.2");
    let sequence = flags("constant:for=5ep;cosine", &[("warmup", "2")]).unwrap();
    assert_eq!(sequence.to_string(), "constant:warmup=2,for=5;cosine");
}

#[test]
fn a_flag_that_the_schedule_does_not_take_names_the_ones_it_takes() {
    let error = flags("step", &[("end-lr", "0")]).unwrap_err();
    assert!(error.contains("step does not take `end-lr`") && error.contains("factor, drop-every"), "{error}");
    let error = flags("constant:for=5ep;cosine", &[("end-lr", "0")]).unwrap_err();
    assert!(error.contains("which schedule of the sequence"), "{error}");
}

#[test]
fn an_unknown_schedule_suggests_the_nearest() {
    assert!(problem("cosin").contains("did you mean `cosine`?"));
    assert!(problem("step:drop-evry=3").contains("did you mean `drop-every`?"));
}

#[test]
fn a_bad_value_says_what_the_value_and_the_rule() {
    assert_eq!(problem("step:drop-every=0"), "step: drop-every must be at least 1 step, got 0");
    assert_eq!(problem("step:factor=1.5"), "step: factor must be in (0, 1], got 1.5");
    assert_eq!(problem("time:decay-steps=0"), "time: decay-steps must be at least 1 step, got 0");
    assert_eq!(problem("cosine:over=ten"), "cosine: over must be a duration such as 10, 10ep, 400st or 30%, got `ten`");
    assert_eq!(problem("piecewise:milestones=20,10"), "piecewise: milestones must be in ascending order, got 20,10");
    for text in [
        "",
        ":",
        "step:factor",
        "step:factor=",
        "step:factor=0.5,factor=0.5",
        "constant;cosine",
        "cosine:for=5",
        "piecewise:milestones=10,values=1",
        "one-cycle:anneal=sine",
        "plateau:patience=1.5",
        "plateau:monitor=f1",
        "halve:when=epoch",
        "halve:when=f1>=3",
        "halve:when=loss<=low",
        "cosine:lr=-1",
        "cosine:lr=nan",
        "cosine:end-lr=inf",
        "time:staircase=maybe",
        "cosine:warmup-from=2",
        "expr:lr*",
        "expr:lr*x",
        "expr:lr-epoch",
        "expr:1/t",
        "expr:ln(0-1)",
    ] {
        assert!(!problem(text).contains('\n'), "{text}");
    }
}

#[test]
fn a_switch_is_true_or_false_as_in_an_optimizer() {
    for text in ["exponential:staircase=yes", "polynomial:cycle=1", "one-cycle:cycle-momentum=off"] {
        let (key, value) = text.split_once(':').unwrap().1.split_once('=').unwrap();
        let rule = format!("{key} is a switch, got `{value}`; write `{key}`, `{key}=true` or `{key}=false`");
        assert!(problem(text).ends_with(&rule), "{}", problem(text));
    }
    let optimizer = "sgd:nesterov=yes".parse::<lrsched::optim::OptimizerSpec>().unwrap_err().to_string();
    assert!(optimizer.contains("nesterov is a switch, got `yes`"), "{optimizer}");
    assert_eq!(parse("time:staircase"), parse("time:staircase=true"));
}

#[test]
fn every_duration_that_must_not_be_0_says_that_one_step_is_the_least() {
    for (text, key) in [
        ("constant:for=0;cosine", "for"),
        ("linear:over=0%", "over"),
        ("cosine-restarts:period=0ep", "period"),
        ("step:drop-every=0st", "drop-every"),
        ("triangular:step-size=0", "step-size"),
    ] {
        assert!(problem(text).contains(&format!("{key} must be at least 1 step, got 0")), "{}", problem(text));
    }
    // A fraction of a step counts as one.
    assert_eq!([0, 1].map(|t| build("linear:over=0.001", 1, 3).at(t).learning_rate), [0.1, 0.0]);
}

#[test]
fn what_is_longer_than_any_spec_is_refused_at_once() {
    let began = std::time::Instant::now();
    let numbers: Vec<String> = (0..1_000_000).map(|n| n.to_string()).collect();
    let list = numbers.join(",");
    for text in [
        format!("expr:{}1", "t+".repeat(10_000)),
        format!("expr:{}1", "-".repeat(55_000)),
        format!("piecewise:milestones={list}"),
        format!("step:{}factor=1", "factor=1,".repeat(100_000)),
        format!("{}constant", "constant:for=1;".repeat(10_000)),
        "x".repeat(1_000_000),
    ] {
        let problem = problem(&text);
        assert!(problem.contains("at most 10000 characters, got ") && problem.len() < 200, "{problem}");
    }
    let problem = flags("piecewise", &[("milestones", &list)]).unwrap_err();
    assert!(problem.starts_with("piecewise: milestones must have at most 10000 characters"), "{problem}");
    let many: Vec<(&str, &str)> = (0..100_000).map(|_| ("when", "loss<=0.1")).collect();
    let problem = flags("halve", &many).unwrap_err();
    assert!(problem.starts_with("halve: when must have at most 10000 characters"), "{problem}");
    // The longest that there may be are built and asked in no time.
    let many = format!("{}constant", "time:for=1,lr=1;".repeat(600));
    assert!(build(&many, 30, 352).at(10_559).learning_rate > 0.0);
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
}

#[test]
fn restarts_that_shrink_do_not_sink_below_their_end_lr() {
    let spec = "cosine-restarts:period=1,lr-mult=0.3,end-lr=0.02";
    let schedule = build(spec, 6, 10);
    assert!((0..70).all(|t| schedule.at(t).learning_rate >= 0.02));
    assert_eq!([0, 10, 20, 35, 60].map(|t| schedule.at(t).learning_rate), [0.1, 0.03, 0.02, 0.02, 0.02]);
    // optax rises from below, as its cycles are told to.
    let optax = RunShape::new(0.1, 6, 10).with(lrsched::schedule::Semantics::Optax);
    assert!(Schedule::build(&parse(spec), &optax).unwrap().at(20).learning_rate < 0.01);
}

#[test]
fn a_rate_that_overflows_or_falls_below_0_is_refused() {
    for text in [
        "exponential:decay-rate=1e308,decay-steps=1",
        "cosine-restarts:lr-mult=1e300,period=1st",
        "piecewise:milestones=1,2,factor=1e300",
        "one-cycle:div-factor=1e-308,max-lr=10",
        "one-cycle:final-div-factor=1e-320",
    ] {
        let problem = problem(text);
        assert!(problem.contains("the rate must be finite and at least 0 in the whole run, got "), "{problem}");
        assert!(!problem.contains('\n'), "{problem}");
    }
    let below = "cosine-restarts:period=10st,lr-mult=3,end-lr=2x".parse().unwrap();
    let keras = RunShape::new(0.1, 3, 10).with(lrsched::schedule::Semantics::Keras);
    assert!(Schedule::build(&below, &keras).is_err());
    for t in 0..300 {
        let rate = build("cosine:end-lr=1e308", 30, 10).at(t).learning_rate;
        assert!((0.0..=1e308).contains(&rate), "{t}: {rate}");
    }
}

#[test]
fn an_expression_stays_as_it_was_typed() {
    assert_eq!(parse("expr: 1e-3*lr").to_string(), "expr:expr=1e-3*lr");
    assert_eq!(parse("expr:0.50").to_string(), "expr:expr=0.50");
    assert!(problem("expr:10ep").contains("`10ep`"));
    assert!(problem("expr:1e309").contains("expr=1e309"));
    assert!(problem("cosine:end-lr=1e309").ends_with("got 1e309"));
}

fn build(text: &str, epochs: u64, steps_per_epoch: u64) -> Schedule {
    Schedule::build(&parse(text), &RunShape::new(0.1, epochs, steps_per_epoch)).unwrap()
}

/// The steps at which the rate changes.
fn changes(text: &str, epochs: u64, steps_per_epoch: u64) -> Vec<u64> {
    let schedule = build(text, epochs, steps_per_epoch);
    let rate = |t| schedule.at(t).learning_rate;
    (1..epochs * steps_per_epoch).filter(|&t| rate(t) != rate(t - 1)).collect()
}

#[test]
fn durations_of_fractional_epochs_end_where_an_epoch_begins() {
    let step = build("step:factor=0.5,drop-every=1.5", 5, 7);
    assert_eq!(
        [0, 6, 7, 13, 14, 27, 28].map(|t| step.at(t).learning_rate),
        [0.1, 0.1, 0.05, 0.05, 0.025, 0.025, 0.0125]
    );
    assert_eq!(changes("step:drop-every=1.5", 7, 7), [7, 14, 28, 35]);
    assert_eq!(changes("step:drop-every=2.3", 10, 7), [14, 28, 42, 63]);
    assert_eq!(build("step:factor=0.9,drop-every=0.1", 4, 7).at(20).learning_rate, 0.1 * 0.9_f64.powf(30.0));
    assert_eq!(changes("piecewise:milestones=1.5,3.5", 5, 7), [14, 28]);
    assert_eq!(changes("piecewise:milestones=10st,11st,1.5ep", 5, 7), [10, 11, 14]);
    assert_eq!(changes("step:drop-every=10st", 4, 7), [9, 19]);
    assert_eq!(changes("piecewise:milestones=11st", 5, 7), [11]);
}

#[test]
fn ever_longer_cycles_restart_when_the_sum_of_those_before_is_over() {
    assert_eq!(changes_up("cosine-restarts:period=10st,period-mult=1.1", 100), [10, 21, 34, 47, 62, 78, 95]);
    assert_eq!(changes_up("cosine-restarts:period=10st,period-mult=2", 150), [10, 30, 70]);
    assert_eq!(changes_up("cosine-restarts:period=3st,period-mult=3", 130), [3, 12, 39, 120]);
}

/// The steps at which the rate rises.
fn changes_up(text: &str, steps: u64) -> Vec<u64> {
    let schedule = build(text, 1, steps);
    (1..steps).filter(|&t| schedule.at(t).learning_rate > schedule.at(t - 1).learning_rate).collect()
}

#[test]
fn a_period_that_hardly_grows_is_no_slower_and_no_different() {
    let began = std::time::Instant::now();
    let (hardly, never) = (
        build("cosine-restarts:period=7st,period-mult=1.0000000001", 1, 100_000),
        build("cosine-restarts:period=7st", 1, 100_000),
    );
    for t in 0..1000 {
        let (ours, theirs) = (hardly.at(t).learning_rate, never.at(t).learning_rate);
        assert!((ours - theirs).abs() < 1e-6 || (t % 7 == 0 && ours < 1e-6), "{t}: {ours}, {theirs}");
    }
    assert!(began.elapsed().as_secs() < 5, "{:?}", began.elapsed());
}

#[test]
fn specs_are_equal_when_they_mean_the_same() {
    assert_eq!(parse("step"), parse("step:drop-every=10ep,factor=.50"));
    assert_eq!(parse("time:decay-steps=1st,staircase=false"), parse("time"));
    assert_eq!(parse("piecewise:milestones=[10,20],factor=0.1"), parse("piecewise:milestones=10/20"));
    assert_eq!(parse("halve:when=epoch>=3,when=loss<=1"), parse("halve:when=epoch>=3,loss<=1"));
    assert_ne!(parse("triangular"), parse("triangular:base-momentum=0.85"));
    assert_ne!(parse("step"), parse("step:drop-every=10st"));
}

#[test]
fn what_is_displayed_reads_back_to_the_same_spec() {
    let mut texts: Vec<String> = table().iter().map(|entry| entry.name.to_string()).collect();
    for entry in table() {
        for p in entry.parameters.iter().filter(|p| !p.default.is_empty()) {
            texts.push(format!("{}:{}={}", entry.name, p.name, p.default));
        }
    }
    texts.extend(
        [
            "constant:for=5ep;cosine:lr=1e-3,warmup=2,warmup-from=0.1;step:for=3",
            "expr:max(lr, 1e-3)*(epoch>=3)",
            "piecewise:values=1/2/3",
        ]
        .map(String::from),
    );
    for text in texts {
        let spec = parse(&text);
        assert_eq!(parse(&spec.to_string()), spec, "{text}");
        assert_eq!(parse(&spec.to_string()).to_string(), spec.to_string(), "{text}");
        let json = serde_json::to_string(&spec).unwrap();
        assert_eq!(serde_json::from_str::<Spec>(&json).unwrap(), spec, "{text}");
    }
}

#[test]
fn one_of_every_schedule_builds_with_its_name_alone_even_for_a_run_of_one_step() {
    for entry in table() {
        for (epochs, steps_per_epoch) in [(1, 1), (1, 7), (30, 391)] {
            let schedule = Schedule::build(&parse(entry.name), &RunShape::new(0.1, epochs, steps_per_epoch)).unwrap();
            for step in 0..epochs * steps_per_epoch + 3 {
                let rate = schedule.rates(Clock { step, steps_per_epoch, epochs }).learning_rate;
                assert!(rate.is_finite() && rate >= 0.0, "{} at {step}: {rate}", entry.name);
            }
        }
    }
}

#[test]
fn a_warm_up_starts_the_clock_and_horizon_of_what_is_behind_it() {
    let schedule = Schedule::build(&parse("linear:warmup=1ep,warmup-from=0.5"), &RunShape::new(1.0, 5, 10)).unwrap();
    assert_eq!([0, 5, 10, 30, 50].map(|t| schedule.at(t).learning_rate), [0.5, 0.75, 1.0, 0.5, 0.0]);
}

#[test]
fn each_schedule_of_a_sequence_has_its_own_clock_and_rate() {
    let schedule =
        Schedule::build(&parse("constant:for=1ep,lr=0.5;linear:for=2ep;step:drop-every=2"), &RunShape::new(1.0, 5, 10))
            .unwrap();
    assert_eq!([0, 9, 10, 20, 29].map(|t| schedule.at(t).learning_rate), [0.5, 0.5, 1.0, 0.5, 0.050000000000000044]);
    assert_eq!([30, 39, 40, 49].map(|t| schedule.at(t).learning_rate), [1.0, 1.0, 0.5, 0.5]);
}

// Each text below once failed the fuzz target `schedule_spec`.

#[test]
fn brackets_that_do_not_match_and_other_parameters_inside_a_list_are_refused() {
    assert!(problem("time:decay-steps=3,decay=(").contains("brackets"));
    assert!(problem("halve:when=[epoch>=3,factor=0.1]").contains("when must be values separated by commas"));
    assert!(problem("piecewise:milestones=[[10]]").contains("milestones must be values separated by commas"));
    assert_eq!(parse("piecewise:milestones=[10,20]").to_string(), "piecewise:milestones=10,20");
}

#[test]
fn a_cosine_from_nearly_the_largest_number_is_finite() {
    let schedule = Schedule::build(&parse("cosine:lr=1.5e308"), &RunShape::new(0.1, 30, 10)).unwrap();
    assert_eq!(schedule.at(0).learning_rate, 1.5e308);
}

#[test]
fn an_expression_is_checked_as_far_as_the_run_goes_however_long_it_is_for() {
    assert!(Schedule::build(&parse("expr:for=1e30;constant"), &RunShape::new(0.1, 30, 10)).is_ok());
    assert!(problem("expr:expr=1-t,for=1e30;constant").contains("at step 2"));
}
