//! Any text, read as the config file of `lrsched train`: an error of one line, or a config whose groups, and whose optimizer and schedule, if they can be built, parse
//! back from their text. Never a panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lrsched::config::settings::run_config_of_text;
use lrsched::optim::{Optimizer, OptimizerSpec, ParamGroup};
use lrsched::schedule::Spec;
use std::path::Path;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let config = match run_config_of_text(text, Path::new("my.toml")) {
        Ok(config) => config,
        Err(error) => {
            let text = format!("{error:#}");
            assert_eq!(text.lines().count(), 1, "{text}");
            return;
        }
    };
    if Optimizer::<f32>::new(&config.optimizer, config.semantics).is_ok() {
        let shown = config.optimizer.to_string();
        assert_eq!(shown.parse::<OptimizerSpec>().as_ref(), Ok(&config.optimizer), "{shown}");
    }
    for group in &config.group {
        let shown = group.to_string();
        assert_eq!(shown.parse::<ParamGroup>().as_ref(), Ok(group), "{shown}");
        assert!(!shown.contains(char::is_whitespace), "{shown}");
    }
    if config.schedule(3).is_ok() {
        let shown = config.schedule.to_string();
        assert_eq!(shown.parse::<Spec>().as_ref(), Ok(&config.schedule), "{shown}");
    }
});
