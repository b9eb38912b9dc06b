//! Any text, read as a schedule and as a duration: refused with an error, or meaningful to the end. Never a panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lrsched::schedule::{Duration, Unit};
use lrsched::schedule::{EpochMetrics, Rates, RunShape, Schedule, Semantics, Spec, warnings};

/// Epochs and steps per epoch: the shortest run there is, a plain one, and one with an odd number of steps.
const RUNS: [(u64, u64); 3] = [(1, 1), (4, 5), (13, 3)];

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    check_duration(text, Unit::Epochs);
    check_duration(text, Unit::Steps);
    check_spec(text);
});

fn check_duration(text: &str, unit: Unit) {
    let Ok(duration) = Duration::parse(text, unit) else { return };
    let shown = duration.to_string();
    assert_eq!(Duration::parse(&shown, unit).as_ref(), Ok(&duration), "`{text}` shows as `{shown}`");
    for (steps_per_epoch, horizon) in [(1, 1), (391, 11730), (1 << 32, 1 << 48)] {
        let steps = duration.steps(steps_per_epoch, horizon);
        assert!(steps <= 1 << 48, "`{text}` is {steps} steps");
        assert!(!duration.is_zero() || steps == 0, "`{text}` is zero and {steps} steps");
    }
}

fn check_spec(text: &str) {
    let Ok(spec) = text.parse::<Spec>() else { return };
    let shown = spec.to_string();
    let again: Spec = shown.parse().unwrap_or_else(|error| panic!("`{text}` shows as `{shown}`: {error}"));
    assert_eq!(again, spec, "`{text}` shows as `{shown}`");
    assert_eq!(again.to_string(), shown, "`{text}` has two texts");
    for (epochs, steps_per_epoch) in RUNS {
        for semantics in Semantics::ALL {
            let setting = RunShape::new(0.1, epochs, steps_per_epoch).with(semantics);
            if let Ok(schedule) = Schedule::build(&spec, &setting) {
                check_run(text, schedule, &setting);
            }
        }
    }
    let _ = warnings(&spec, &RunShape::new(0.1, 4, 5));
}

/// A whole run, with metrics that improve, then stall, then are missing and not finite.
fn check_run(text: &str, mut schedule: Schedule, setting: &RunShape) {
    let context = || format!("`{text}` in {setting:?}");
    let blank = schedule.clone();
    for epoch in 0..setting.epochs {
        for step in 0..setting.steps_per_epoch {
            let t = epoch * setting.steps_per_epoch + step;
            check_rates(schedule.at(t), || format!("step {t} of {}", context()));
        }
        let loss = if epoch == 9 { f64::NAN } else { 1.0 / (1 + epoch.min(3)) as f64 };
        let held_out = (epoch < 10).then_some(loss);
        schedule.observe(&EpochMetrics {
            epoch,
            loss,
            accuracy: 1.0 - loss,
            val_loss: held_out,
            val_accuracy: held_out.map(|loss| 1.0 - loss),
        });
    }
    let total = setting.total_steps();
    let end = schedule.at(total);
    check_rates(end, || format!("the end of {}", context()));
    assert!(end.learning_rate <= schedule.at(total - 1).learning_rate, "the rate rises after the end of {}", context());
    assert_eq!(schedule.at(u64::MAX), end, "the rate is not held after the end of {}", context());

    let mut resumed = blank;
    resumed.restore(&schedule.state()).unwrap_or_else(|error| panic!("{error}: {}", context()));
    assert!((0..=total).all(|t| resumed.at(t) == schedule.at(t)), "other rates after a resume of {}", context());
}

fn check_rates(rates: Rates, place: impl Fn() -> String) {
    let Rates { learning_rate, momentum } = rates;
    assert!(learning_rate.is_finite() && learning_rate >= 0.0, "rate {learning_rate} at {}", place());
    assert!(momentum.is_none_or(|momentum| (0.0..=1.0).contains(&momentum)), "momentum {momentum:?} at {}", place());
}
