use super::*;
use crate::config::given::Source;
use crate::config::{Given, SettingValues, settings};
use std::path::Path;

#[test]
fn no_command_takes_two_settings_of_one_name_and_each_setting_is_taken_by_some_command() {
    for command in CommandName::ALL {
        let mut names: Vec<&str> = of(command).map(|setting| setting.name).collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all, "{command:?}: {names:?}");
    }
    for setting in SETTINGS {
        assert!(CommandName::ALL.iter().any(|command| setting.in_command(*command).is_some()), "{}", setting.name);
    }
}

#[test]
fn every_field_of_the_config_of_a_run_has_a_row() {
    let config = RunConfig { train_limit: Some(1), ..RunConfig::default() };
    for (name, _) in config.settings().iter() {
        assert!(of_run(name).is_some(), "the field {name} has no row");
    }
}

#[test]
fn every_setting_of_a_run_says_what_resume_does_with_it() {
    for setting in SETTINGS.iter().filter(|setting| matches!(setting.field, Field::Run(_))) {
        assert_ne!(setting.on_resume, OnResume::NotTaken, "{}", setting.name);
    }
}

#[test]
fn a_setter_sets_the_field_of_its_name_alone() {
    let usual = RunConfig::default().settings();
    let texts =
        ["0.25", "ema", "7", "true", "synthetic", "resnet9", "keras", "flip", "sum", "mirror", "candle", "metal"];
    for setting in SETTINGS {
        let Field::Run(set) = setting.field else { continue };
        let set_to = |text: &str| {
            let (mut given, mut config) = (Given::default(), RunConfig::default());
            given.put(setting.name, Source::CommandLine, vec![text.to_string()]);
            given.read(setting.name, |value| set(&mut config, value)).ok()?;
            Some((text.to_string(), config.settings()))
        };
        let (text, now) = texts.into_iter().find_map(set_to).expect("one of the texts is a value");
        let differing = SettingValues::differences(&usual, &now);
        let differing: Vec<_> = differing.iter().map(|one| (one.name, one.second)).collect();
        assert_eq!(differing, [(setting.name, text.as_str())]);
    }
}

#[test]
fn what_tells_runs_apart_is_what_decides_the_result_and_is_not_the_entrants() {
    for name in ["dataset", "model", "epochs", "batch-size", "augment", "engine", "a-setting-of-a-later-version"] {
        assert!(tells_apart(name), "{name}");
    }
    for name in [
        "optimizer",
        "schedule",
        "semantics",
        "lr",
        "seed",
        "log-steps",
        "threads",
        "shard",
        "out",
        "data-dir",
        "progress",
    ] {
        assert!(!tells_apart(name), "{name}");
    }
}

#[test]
fn choices_in_a_help_are_all_that_the_type_has() {
    let help = |command, name: &str| of(command).find(|setting| setting.name == name).unwrap().help();
    assert!(help(CommandName::Train, "model").starts_with("cnn, resnet9, airbench94, airbench94-muon or tiny "));
    assert!(
        help(CommandName::Eval, "model")
            .starts_with("cnn, resnet9, airbench94, airbench94-muon or tiny [default: the run's")
    );
    for entry in optim::table() {
        assert!(help(CommandName::Train, "optimizer").contains(entry.name), "{}", entry.name);
    }
    for command in CommandName::ALL {
        of(command).for_each(|setting| assert!(!setting.help().contains('{'), "{}", setting.help()));
    }
}

#[test]
fn the_default_in_a_help_is_the_value_that_the_config_has() {
    let help = |command, name: &str| of(command).find(|setting| setting.name == name).unwrap().help();
    for (name, default) in [
        ("mode", "exponential"),
        ("min-lr", "1e-5"),
        ("max-lr", "10"),
        ("steps", "400"),
        ("for-epochs", "30"),
        ("eval-images", "500"),
        ("smoothing", "0.9"),
        ("seeds", "1"),
        ("batch-size", "128"),
        ("dropout", "0"),
        ("model", "cnn"),
        ("dataset", "cifar10"),
    ] {
        assert!(help(CommandName::Find, name).ends_with(&format!("[default: {default}]")), "{name}");
    }
    assert_eq!(settings::find_config(&Given::default()).unwrap().min_lr, 1e-5);
}

#[test]
fn a_range_test_out_of_its_range_names_where_the_value_comes_from() {
    for (name, text, said) in [
        ("min-lr", "1e-50", "min-lr must be "),
        ("steps", "1", "steps must be from 2 to 10000000, got 1"),
        ("epochs", "0", "epochs must be at least 1, got 0"),
        ("for-epochs", "0", "for-epochs must be at least 1, got 0"),
        ("eval-every", "0", "eval-every must be at least 1 iteration, got 0"),
        ("eval-images", "0", "eval-images must be at least 1, got 0"),
        ("smoothing", "1", "smoothing must be from 0 up to, not including, 1, got 1"),
        ("seeds", "1001", "seeds must be from 1 to 1000, got 1001"),
    ] {
        let mut given = Given::default();
        given.put(name, Source::Environment, vec![text.to_string()]);
        let error = settings::find_config(&given).unwrap_err().to_string();
        let source = format!(" (from LRSCHED_{})", name.replace('-', "_").to_uppercase());
        assert!(error.starts_with(said) && error.ends_with(&source), "{error}");
    }
}

#[test]
fn an_error_names_the_variable_or_the_file_that_the_value_comes_from() {
    let wrong = |name: &str, text: &str| {
        let mut given = Given::default();
        let plain = text.trim_matches('"').to_string();
        given.put(name, Source::Environment, vec![plain.clone()]);
        let from_variable = settings::train_config(&given).unwrap_err().to_string();
        let file = format!("{name} = {text}");
        let from_file = settings::run_config_of_text(&file, Path::new("sweep.toml")).unwrap_err().to_string();
        given.put(name, Source::CommandLine, vec![plain]);
        (from_variable, from_file, settings::train_config(&given).unwrap_err().to_string())
    };
    let (from_variable, from_file, typed) = wrong("lr", "-1");
    assert_eq!(typed, "lr must be a number above 0, got -1");
    assert_eq!(from_variable, format!("{typed} (from LRSCHED_LR)"));
    assert_eq!(from_file, format!("{typed} (from sweep.toml)"));
    let (from_variable, _, typed) = wrong("epochs", "1.5");
    assert_eq!(typed, "epochs must be a whole number of at least 1, got `1.5`");
    assert_eq!(from_variable, format!("{typed} (from LRSCHED_EPOCHS)"));
    for (name, text, said) in [
        (
            "factor",
            "2",
            "--factor does not apply to constant, the default; add --schedule with one that takes it: step, ",
        ),
        ("beta1", "0.8", "--beta1 does not apply to sgd, the default; add --optimizer with one that takes it: "),
        ("warmup-from", "2", "constant: warmup-from must be in [0, 1], got 2"),
        ("momentum", "3", "sgd: momentum must be in [0, 1], got 3"),
        ("nesterov", "true", "sgd: nesterov needs momentum above 0; add `momentum=0.9`"),
        ("no-nesterov", "\"maybe\"", "sgd: nesterov is a switch"),
    ] {
        let (from_variable, from_file, typed) = wrong(name, text);
        assert!(typed.starts_with(said), "{typed}");
        let variable = name.replace('-', "_").to_uppercase();
        assert_eq!(from_variable, format!("{typed} (from LRSCHED_{variable})"));
        assert_eq!(from_file, format!("{typed} (from sweep.toml)"));
    }
    let mut given = Given::default();
    given.put("schedule", Source::Environment, vec!["step:factor=2".to_string()]);
    given.put("drop-every", Source::CommandLine, vec!["3".to_string()]);
    let said = settings::train_config(&given).unwrap_err().to_string();
    assert_eq!(said, "step: factor must be in (0, 1], got 2 (from LRSCHED_SCHEDULE)");
}
