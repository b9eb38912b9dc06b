//! What holds for every schedule, whatever its parameters.

use lrsched::schedule::{EpochMetrics, RunShape, Schedule, Semantics, Spec, table};
use proptest::prelude::*;
use proptest::sample::select;

/// A schedule with some of its parameters given, each in its range.
fn spec() -> impl Strategy<Value = String> {
    let one = (select(table().iter().map(|entry| entry.name).collect::<Vec<_>>()), any::<u64>());
    one.prop_flat_map(|(name, _)| parameters(name).prop_map(move |values| format!("{name}{values}")))
}

/// The same behind a warm-up, or in a sequence, whose lengths are given in epochs, steps or percent.
fn any_spec() -> impl Strategy<Value = String> {
    let length = || {
        (1..50_u32, select(vec!["ep", "st", "%"]))
            .prop_map(|(n, unit)| if unit == "ep" { format!("{}ep", 1 + n % 4) } else { format!("{n}{unit}") })
    };
    let part = move || {
        (spec(), prop::option::of(length())).prop_map(|(text, warmup)| match warmup {
            Some(warmup) if !text.contains("warmup=") => with(&text, &format!("warmup={warmup}")),
            _ => text,
        })
    };
    (part(), prop::option::of((length(), part()))).prop_map(|(text, next)| match next {
        Some((length, next)) => format!("{};{next}", with(&text, &format!("for={length}"))),
        None => text,
    })
}

fn with(text: &str, parameter: &str) -> String {
    format!("{text}{}{parameter}", if text.contains(':') { "," } else { ":" })
}

fn parameters(name: &'static str) -> BoxedStrategy<String> {
    let duration = || {
        prop_oneof![
            (1..9_u32).prop_map(|n| format!("{n}ep")),
            (1..60_u32).prop_map(|n| format!("{n}st")),
            (1..100_u32).prop_map(|n| format!("{n}%"))
        ]
    };
    let fraction = || (0.01..1.0_f64).prop_map(|x| x.to_string());
    let rate = || prop_oneof![(0.0..0.1_f64).prop_map(|x| x.to_string()), (0.0..1.0_f64).prop_map(|x| format!("{x}x"))];
    let text = |text: &'static str| Just(text.to_string());
    let value = move |key: &'static str| -> BoxedStrategy<String> {
        match key {
            "milestones" => prop::collection::vec(0..9_u32, 1..4)
                .prop_map(|mut m| {
                    m.sort_unstable();
                    m.iter().map(u32::to_string).collect::<Vec<_>>().join(",")
                })
                .boxed(),
            "when" => select(vec!["epoch>=2", "val_accuracy>=0.5", "loss<=0.4,epoch>3"]).prop_map(String::from).boxed(),
            "values" => text("").boxed(),
            "drop-every" | "decay-steps" | "over" | "period" | "step-size" | "step-size-down" | "warmup" => {
                duration().boxed()
            }
            "decay" if name == "wsd" => duration().boxed(),
            "max-lr" => rate().boxed(),
            "end-lr" | "min-lr" => rate().boxed(),
            "patience" | "cooldown" => (0..4_u32).prop_map(|n| n.to_string()).boxed(),
            "period-mult" => (1.0..3.0_f64).prop_map(|x| x.to_string()).boxed(),
            "monitor" => select(vec!["loss", "val_loss", "accuracy", "val_accuracy"]).prop_map(String::from).boxed(),
            "threshold-mode" => select(vec!["rel", "abs"]).prop_map(String::from).boxed(),
            "anneal" => select(vec!["cos", "linear"]).prop_map(String::from).boxed(),
            "shape" => select(vec!["linear", "cosine", "one-minus-sqrt"]).prop_map(String::from).boxed(),
            "staircase" | "cycle" | "three-phase" | "cycle-momentum" => {
                select(vec!["true", "false"]).prop_map(String::from).boxed()
            }
            "expr" => select(vec!["lr*0.5^floor((1+epoch)/3)", "max(lr,1e-3)*(t<T/2)", "lr/(1+t/S)"])
                .prop_map(String::from)
                .boxed(),
            _ => fraction().boxed(),
        }
    };
    let entry = table().iter().find(|entry| entry.name == name).unwrap();
    let keys = entry.parameters.iter().map(|parameter| parameter.name).chain(["lr"]);
    let mut all: BoxedStrategy<Vec<String>> = Just(Vec::new()).boxed();
    for key in keys {
        all = (all, prop::option::of(value(key)))
            .prop_map(move |(mut given, value)| {
                given.extend(value.filter(|value| !value.is_empty()).map(|value| format!("{key}={value}")));
                given
            })
            .boxed();
    }
    all.prop_map(|given| if given.is_empty() { String::new() } else { format!(":{}", given.join(",")) }).boxed()
}

fn setting() -> impl Strategy<Value = RunShape> {
    (0.001..1.0_f64, 1..12_u64, 1..20_u64, select(Semantics::ALL.to_vec()))
        .prop_map(|(lr, epochs, steps, semantics)| RunShape::new(lr, epochs, steps).with(semantics))
}

fn build(text: &str, setting: &RunShape) -> Schedule {
    Schedule::build(&text.parse().unwrap(), setting).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Metrics without order.
fn metrics(epoch: u64) -> EpochMetrics {
    let x = ((epoch * 7919) % 101) as f64 / 101.0;
    EpochMetrics { epoch, loss: x, accuracy: 1.0 - x, val_loss: Some(x), val_accuracy: Some(1.0 - x) }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_displayed_reads_back_to_the_same_spec(text in spec(), more in spec()) {
        let sequence = format!("{text}{}for=2ep;{more}", if text.contains(':') { "," } else { ":" });
        for text in [text, sequence] {
            let spec: Spec = text.parse().unwrap();
            prop_assert_eq!(&spec.to_string().parse::<Spec>().unwrap(), &spec);
            prop_assert_eq!(spec.to_string().parse::<Spec>().unwrap().to_string(), spec.to_string());
        }
    }

    #[test]
    fn the_relative_form_has_the_same_rates_at_its_base_rate_and_scales_with_it(text in any_spec(), setting in setting()) {
        let relative = text.parse::<Spec>().unwrap().relative_to(setting.learning_rate).unwrap();
        let again = relative.spec.relative_to(0.37).unwrap();
        prop_assert_eq!((again.spec.to_string(), again.lr), (relative.spec.to_string(), 0.37));
        prop_assert!(text.contains("max(lr,1e-3)") || relative.spec.scales(&setting), "{} does not scale", relative.spec);
        let mut written = build(&text, &setting);
        let mut shape = build(&relative.spec.to_string(), &RunShape { learning_rate: relative.lr, ..setting });
        let highest = written.highest(0).learning_rate;
        for epoch in 0..setting.epochs {
            for t in epoch * setting.steps_per_epoch..(epoch + 1) * setting.steps_per_epoch {
                let (a, b) = (written.at(t).learning_rate, shape.at(t).learning_rate);
                prop_assert!((a - b).abs() <= 1e-9 * highest, "{} and {} at {}: {} and {}", text, relative.spec, t, a, b);
            }
            written.observe(&metrics(epoch));
            shape.observe(&metrics(epoch));
        }
    }

    #[test]
    fn any_text_is_a_spec_or_an_error_of_one_line(text in "([a-z0-9:;,=.%()<>/*+-]|1e300|lr|epoch|for=|when=|warmup=|st|ep){0,25}", name in 0..table().len()) {
        for text in [text.clone(), format!("{}:{text}", table()[name].name)] {
            match text.parse::<Spec>() {
                Ok(spec) => match Schedule::build(&spec, &RunShape::new(0.1, 3, 4)) {
                    Ok(schedule) => prop_assert!(schedule.at(5).learning_rate >= 0.0),
                    Err(error) => prop_assert!(!error.to_string().contains('\n')),
                },
                Err(error) => prop_assert!(!error.to_string().contains('\n')),
            }
        }
    }

    #[test]
    fn rates_are_finite_never_negative_and_held_past_the_end(text in spec(), setting in setting()) {
        let schedule = build(&text, &setting);
        let total = setting.total_steps();
        let end = schedule.at(total);
        for t in 0..total {
            let rates = schedule.at(t);
            prop_assert!(rates.learning_rate.is_finite() && rates.learning_rate >= 0.0, "{} at {}: {:?}", text, t, rates);
            prop_assert!(rates.momentum.is_none_or(|m| (0.0..1.0).contains(&m)), "{} at {}: {:?}", text, t, rates);
        }
        prop_assert!(end.learning_rate <= schedule.at(total - 1).learning_rate, "{} rises after the end", text);
        for t in [total + 1, 2 * total + 3, u64::MAX] {
            prop_assert_eq!(schedule.at(t), end);
        }
    }

    #[test]
    fn semantics_of_a_framework_without_the_schedule_are_the_native_ones(text in spec(), setting in setting()) {
        let spec: Spec = text.parse().unwrap();
        let native = build(&text, &setting.with(Semantics::Native));
        for semantics in Semantics::ALL.into_iter().filter(|&semantics| !spec.exists_in(semantics)) {
            let theirs = build(&text, &setting.with(semantics));
            for t in 0..setting.total_steps() {
                prop_assert_eq!(native.at(t), theirs.at(t), "{} at {} under {}", text, t, semantics);
            }
        }
    }

    #[test]
    fn the_order_of_asking_does_not_matter_even_while_metrics_come_in(text in spec(), setting in setting(), seed in any::<u64>()) {
        let total = setting.total_steps();
        let mut schedule = build(&text, &setting);
        let mut seen = Vec::new();
        for epoch in 0..setting.epochs {
            for t in epoch * setting.steps_per_epoch..(epoch + 1) * setting.steps_per_epoch {
                let _ = schedule.at(seed % total);
                seen.push(schedule.at(t));
            }
            schedule.observe(&metrics(epoch));
        }
        for t in (0..total).rev() {
            prop_assert_eq!(schedule.at(t), seen[t as usize], "{} at {}", text, t);
        }
    }

    #[test]
    fn a_restored_state_goes_on_where_it_was(text in spec(), setting in setting(), cut in 0..12_u64) {
        let mut whole = build(&text, &setting);
        let mut halves = build(&text, &setting);
        for epoch in 0..setting.epochs {
            whole.observe(&metrics(epoch));
            halves.observe(&metrics(epoch));
            if epoch == cut {
                let saved = serde_json::to_string(&halves.state()).unwrap();
                halves = build(&text, &setting);
                halves.restore(&serde_json::from_str(&saved).unwrap()).unwrap();
            }
        }
        for t in 0..setting.total_steps() {
            prop_assert_eq!(whole.at(t), halves.at(t));
        }
        prop_assert_eq!(whole.state(), halves.state());
    }

    #[test]
    fn a_schedule_that_begins_within_a_run_has_the_rates_of_a_run_of_what_is_left(text in any_spec(), left in setting(), done in 1..6_u64) {
        let whole = RunShape { epochs: left.epochs + done, ..left };
        let since = done * left.steps_per_epoch;
        let spec: Spec = text.parse().unwrap();
        let mut alone = build(&text, &left);
        let mut rest = Schedule::build_from(&spec, &whole, since).unwrap();
        for epoch in 0..left.epochs {
            for t in epoch * left.steps_per_epoch..left.total_steps() + 2 {
                prop_assert_eq!(rest.at(since + t), alone.at(t), "{} at {}", text, t);
            }
            alone.observe(&metrics(epoch));
            rest.observe(&EpochMetrics { epoch: epoch + done, ..metrics(epoch) });
        }
    }

    #[test]
    fn a_schedule_that_begins_within_an_epoch_depends_on_what_is_left_alone(text in any_spec(), left in setting(), done in 1..6_u64, into in 1..20_u64) {
        let into = into % left.steps_per_epoch;
        let whole = RunShape { epochs: left.epochs + done, ..left };
        let before = done * left.steps_per_epoch;
        let spec: Spec = text.parse().unwrap();
        let early = Schedule::build_from(&spec, &left, into).unwrap();
        let late = Schedule::build_from(&spec, &whole, before + into).unwrap();
        for t in into..left.total_steps() + 2 {
            prop_assert_eq!(late.at(before + t), early.at(t), "{} at {}", text, t);
        }
    }

    #[test]
    fn decays_stay_between_lr_and_their_end_and_cycles_between_lr_and_max(setting in setting(), end in 0.0..1.0_f64, max in 1.0..5.0_f64) {
        let lr = setting.learning_rate;
        let (low, high) = (end * lr * (1.0 - 1e-12), lr * (1.0 + 1e-12));
        for name in ["linear", "polynomial", "cosine", "cosine-restarts:period=2,", "wsd:warmup=0,"] {
            let colon = if name.contains(':') { "" } else { ":" };
            let schedule = build(&format!("{name}{colon}end-lr={end}x"), &setting);
            for t in 0..setting.total_steps() + 5 {
                let rate = schedule.at(t).learning_rate;
                prop_assert!((low..=high).contains(&rate), "{} at {}: {}", name, t, rate);
            }
        }
        for name in ["triangular", "triangular2", "exp-range"] {
            let schedule = build(&format!("{name}:max-lr={max}x,step-size=3st"), &setting);
            for t in 0..setting.total_steps() + 5 {
                let rate = schedule.at(t).learning_rate;
                prop_assert!(rate >= lr && rate <= max * lr * (1.0 + 1e-12), "{} at {}: {}", name, t, rate);
            }
        }
    }

    #[test]
    fn smooth_schedules_never_jump(name in select(vec!["linear", "polynomial", "cosine", "one-cycle", "one-cycle:anneal=linear", "wsd", "exponential", "triangular:step-size=20%", "inverse-sqrt"]), semantics in select(Semantics::ALL.to_vec())) {
        let schedule = build(name, &RunShape::new(0.1, 10, 400).with(semantics));
        let highest = (0..4000).map(|t| schedule.at(t).learning_rate).fold(0.0, f64::max);
        for t in 0..3999 {
            let step = (schedule.at(t + 1).learning_rate - schedule.at(t).learning_rate).abs();
            prop_assert!(step <= highest / 100.0, "{} jumps by {} at {}", name, step, t);
        }
    }
}
