//! Optimizers as typed: what is read, what is written back, what is refused and how.

use lrsched::optim::{Optimizer, OptimizerSpec, table};
use lrsched::schedule::Semantics;

fn spec(text: &str) -> OptimizerSpec {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[track_caller]
fn refused(text: &str, expected: &str) {
    assert_eq!(text.parse::<OptimizerSpec>().unwrap_err().to_string(), expected);
}

#[test]
fn a_spec_reads_back_what_it_writes() {
    for text in [
        "sgd",
        "sgd:lr=0.05,momentum=0.9,nesterov,weight-decay=5e-4",
        "sgd:momentum=0.9,dampening=0.1",
        "rmsprop:rho=0.95,eps=1e-10,centered,momentum=0.9",
        "adam:lr=0.001,beta1=0.8,beta2=0.99,eps=1e-7",
        "adamw:weight-decay=0.05",
        "adagrad:initial-accumulator=0.1,lr-decay=0.01",
        "adadelta:rho=0.95,eps=1e-6",
        "muon:nesterov=false,ns-steps=3,coefficients=3,-3.2,1.2,scale=none,momentum-form=sum",
        "prodigy:beta3=0.99,growth-rate=inf",
    ] {
        assert_eq!(spec(text).to_string(), text);
        assert_eq!(spec(&spec(text).to_string()), spec(text));
    }
}

#[test]
fn every_option_of_the_table_reads_back_with_its_own_default() {
    for entry in table() {
        for parameter in
            entry.parameters.iter().filter(|parameter| !parameter.is_switch() && !parameter.default.is_empty())
        {
            let text = format!("{}:{}={}", entry.name, parameter.name, parameter.default);
            assert_eq!(spec(&spec(&text).to_string()), spec(&text), "{text}");
        }
    }
}

#[test]
fn the_order_of_the_options_and_a_switch_that_is_off_do_not_matter() {
    assert_eq!(spec("sgd:momentum=0.9,lr=0.1,nesterov=true"), spec("sgd: nesterov, lr=1e-1, momentum=.9"));
    assert_eq!(spec("sgd:nesterov=false"), spec("sgd"));
    // Optax has it on.
    assert_eq!(spec("prodigy:bias-correction=false").to_string(), "prodigy:bias-correction=false");
}

#[test]
fn an_option_that_vanishes_in_f32_is_refused_there_and_works_in_f64() {
    let spec = spec("adam:eps=1e-46");
    let error = Optimizer::<f32>::new(&spec, Semantics::Native).err().unwrap().to_string();
    assert_eq!(error, "adam: eps must be from 1.18e-38 to 3.40e38 (a normal f32), got 1e-46");
    assert!(Optimizer::<f64>::new(&spec, Semantics::Native).is_ok());
}

#[test]
fn a_spec_in_a_config_file_is_a_string() {
    let spec = spec("adam:beta1=0.8");
    assert_eq!(serde_json::to_string(&spec).unwrap(), "\"adam:beta1=0.8\"");
    assert_eq!(serde_json::from_str::<OptimizerSpec>("\"adam:beta1=0.8\"").unwrap(), spec);
    let error = serde_json::from_str::<OptimizerSpec>("\"adma\"").unwrap_err().to_string();
    assert!(error.starts_with("unknown optimizer `adma`; did you mean `adam`?"), "{error}");
}

#[test]
fn a_mistyped_optimizer_or_option_is_named_with_what_there_is() {
    refused(
        "agadrad",
        "unknown optimizer `agadrad`; did you mean `adagrad`? (optimizers: sgd, rmsprop, adam, adamw, adagrad, adadelta, \
         nadam, radam, adamax, lion, schedule-free-sgd, schedule-free-adamw, \
         prodigy, muon)",
    );
    refused(
        "sgd:momentun=0.9",
        "sgd does not take `momentun`; did you mean `momentum`? (it takes: lr, momentum, nesterov, dampening, weight-decay)",
    );
}

#[test]
fn a_value_out_of_range_is_refused_with_the_rule() {
    refused("sgd:momentum=1.5", "sgd: momentum must be in [0, 1], got 1.5");
    refused("sgd:momentum=NaN", "sgd: momentum must be in [0, 1], got NaN");
    refused("sgd:lr=0", "sgd: lr must be above 0, got 0");
    refused("sgd:lr=inf", "sgd: lr must be finite, got inf");
    refused("sgd:lr=fast", "sgd: lr must be a number, got `fast`");
    refused("rmsprop:eps=0", "rmsprop: eps must be above 0, got 0");
    refused("adam:beta1=1", "adam: beta1 must be in [0, 1), got 1");
    refused("adamw:weight-decay=-0.1", "adamw: weight-decay must be at least 0, got -0.1");
    refused(
        "sgd:nesterov=maybe",
        "sgd: nesterov is a switch, got `maybe`; write `nesterov`, `nesterov=true` or `nesterov=false`",
    );
    refused("sgd:lr=1,lr=2", "sgd: `lr` is given twice in `sgd:lr=1,lr=2`");
}

#[test]
fn nesterov_wants_momentum_and_no_dampening() {
    refused("sgd:nesterov", "sgd: nesterov needs momentum above 0; add `momentum=0.9`");
    let both = "sgd:momentum=0.9,nesterov,dampening=0.5";
    refused(both, "sgd: nesterov does not go with dampening 0.5; leave one out");
}

#[test]
fn an_option_that_only_pytorch_knows_is_refused_under_the_semantics_of_the_others() {
    let refused = |text, semantics| match Optimizer::<f32>::new(&spec(text), semantics) {
        Ok(_) => panic!("{text} was taken"),
        Err(error) => error.to_string(),
    };
    assert_eq!(
        refused("sgd:momentum=0.9,dampening=0.5", Semantics::Keras),
        "sgd: Keras has no dampening, got 0.5; leave it out, or take `--semantics torch`"
    );
    assert_eq!(
        refused("adagrad:lr-decay=0.1", Semantics::Optax),
        "adagrad: optax has no lr-decay, got 0.1; the same is `--schedule time` with that decay"
    );
    assert_eq!(
        refused("schedule-free-adamw:r=1", Semantics::Keras),
        "schedule-free-adamw: Keras has no r, got 1; leave it out, or take `--semantics torch`"
    );
    assert_eq!(
        refused("schedule-free-sgd:r=0.5", Semantics::Optax),
        "schedule-free-sgd: optax has no r, got 0.5; leave it out, or take `--semantics torch`"
    );
    assert_eq!(
        refused("prodigy:growth-rate=1.02", Semantics::Optax),
        "prodigy: optax has no growth-rate, got 1.02; leave it out, or take `--semantics native`"
    );
    assert!(Optimizer::<f32>::new(&spec("prodigy"), Semantics::Optax).is_ok());
}

#[test]
fn a_default_may_follow_from_another_option_or_be_a_word_that_differs_in_a_framework() {
    let canonical = |text: &str, semantics| spec(text).canonical(semantics);
    assert!(canonical("prodigy:beta2=0.25", Semantics::Native).contains(" beta3=0.5 "));
    assert!(canonical("muon", Semantics::Native).contains(" scale=shape momentum-form=ema "));
    assert!(canonical("muon", Semantics::Keras).contains(" scale=rms momentum-form=sum "));
    assert!(canonical("muon:scale=none", Semantics::Keras).contains(" scale=none "));
}

#[test]
fn the_options_of_muon_are_checked() {
    refused("muon:coefficients=3,-3.2", "muon: coefficients must be 3 numbers separated by commas, got 3,-3.2");
    refused("muon:scale=wide", "muon: scale must be one of shape, none, rms, got wide");
    refused("muon:momentum=0,nesterov", "muon: nesterov needs momentum above 0; add `momentum=0.9`");
    assert_eq!(spec("muon:momentum=0").to_string(), "muon:momentum=0", "nesterov was not asked for");
    refused("muon:momentum=1", "muon: momentum must be in [0, 1), got 1");
    let not_built =
        |text, semantics| Optimizer::<f32>::new(&spec(text), semantics).err().map(|error| error.to_string());
    let steps = Some("muon: ns-steps must be at most 100, got 1000000000; 5 are usual".to_string());
    assert_eq!(not_built("muon:ns-steps=1000000000", Semantics::Native), steps);
    let eps = Some("muon: Keras adds 1e-7 to the norm, whatever its epsilon; leave out eps, got 5.0".to_string());
    assert_eq!(not_built("muon:eps=5", Semantics::Keras), eps);
    let resolved = spec("muon").resolved(Semantics::Keras).to_string();
    assert!(resolved.contains("eps=1e-7") && Optimizer::<f32>::new(&spec(&resolved), Semantics::Keras).is_ok());
    let coefficients = not_built("muon:coefficients=1e39,1,1", Semantics::Native).unwrap();
    assert!(coefficients.starts_with("muon: coefficients must be 0, or from ") && coefficients.ends_with("got 1e39"));
    assert!("muon:momentum=0,nesterov=false".parse::<OptimizerSpec>().is_ok());
}

#[test]
fn an_optimizer_used_against_its_purpose_says_so() {
    let advice = |name: &str, lr, decays| spec(name).advice(lr, decays);
    assert_eq!(advice("prodigy", 1.0, true), None);
    assert!(advice("prodigy", 0.1, false).unwrap().starts_with("prodigy estimates its own rate"));
    for name in ["schedule-free-sgd", "schedule-free-adamw"] {
        assert_eq!(advice(name, 0.1, false), None);
        assert!(
            advice(name, 0.1, true).unwrap().starts_with(&format!("{name} averages its steps in place of a decay"))
        );
    }
    assert_eq!(advice("sgd", 0.1, true), None);
}

#[test]
fn flags_win_over_the_spec() {
    let flags = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|&(key, value)| (key.to_string(), value.to_string())).collect()
    };
    let merged = OptimizerSpec::from_flags("sgd:momentum=0.5,nesterov", &flags(&[("momentum", "0.9"), ("lr", "0.2")]));
    assert_eq!(merged.unwrap(), spec("sgd:lr=0.2,momentum=0.9,nesterov"));
    let off = OptimizerSpec::from_flags("sgd:momentum=0.5,nesterov", &flags(&[("nesterov", "false")]));
    assert_eq!(off.unwrap(), spec("sgd:momentum=0.5"));
    let error = OptimizerSpec::from_flags("adam", &flags(&[("momentum", "0.9")])).unwrap_err().to_string();
    assert_eq!(error, "adam does not take `momentum` (it takes: lr, beta1, beta2, eps, amsgrad, weight-decay)");
}

#[test]
fn the_usual_rate_depends_on_optimizer_and_framework() {
    let rates = |semantics| {
        ["sgd", "rmsprop", "adam", "adamw", "adagrad", "adadelta"]
            .map(|name| spec(name).default_learning_rate(semantics))
    };
    assert_eq!(rates(Semantics::Native), [0.1, 1e-3, 1e-3, 1e-3, 1e-2, 1.0]);
    assert_eq!(rates(Semantics::Torch), [1e-3, 1e-2, 1e-3, 1e-3, 1e-2, 1.0]);
    assert_eq!(rates(Semantics::Keras), [1e-2, 1e-3, 1e-3, 1e-3, 1e-3, 1e-3]);
    assert_eq!(rates(Semantics::Optax), rates(Semantics::Native));
    assert_eq!(spec("adam:lr=0.02").learning_rate(), Some(0.02));
    assert_eq!(spec("adam").learning_rate(), None);
}

#[test]
fn what_has_momentum_is_what_a_schedule_can_cycle() {
    for with in ["sgd:momentum=0.9", "rmsprop:momentum=0.9", "adam", "adamw"] {
        assert!(spec(with).has_momentum(), "{with}");
    }
    for without in ["sgd", "sgd:momentum=0", "rmsprop", "adagrad", "adadelta"] {
        assert!(!spec(without).has_momentum(), "{without}");
    }
}

#[test]
fn the_momentum_of_an_optimizer_is_what_an_update_is_made_with() {
    let momentum = |text: &str| spec(text).momentum(Semantics::Native);
    assert_eq!(momentum("sgd:momentum=0.8"), Some(0.8));
    assert_eq!(momentum("rmsprop:momentum=0.7"), Some(0.7));
    assert_eq!(momentum("adam"), Some(0.9));
    assert_eq!(momentum("adamw:beta1=0.5"), Some(0.5));
    assert_eq!(["sgd", "rmsprop", "adagrad", "adadelta"].map(momentum), [None; 4]);
}

#[test]
fn a_switch_of_another_optimizer_is_named_with_what_this_one_takes() {
    let error = |text: &str| text.parse::<OptimizerSpec>().unwrap_err().to_string();
    assert!(error("adamax:amsgrad").starts_with("adamax does not take `amsgrad` (it takes: lr, "));
    assert!(error("nadam:beta1=0.9,amsgrad").starts_with("nadam does not take `amsgrad`"));
    assert!(error("adam:0.5").contains("`0.5` has no key"));
    assert!(error("adam:beta1").contains("`beta1` has no value"));
}
