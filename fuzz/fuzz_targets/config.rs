//! Any text, read as the config file of `lrsched train`: an error of one line, or the config of a run that reads back from its run.json. Never a
//! panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lrsched::config::RunConfig;
use lrsched::config::settings::run_config_of_text;
use std::path::Path;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match run_config_of_text(text, Path::new("my.toml")) {
        Ok(config) => {
            let written = serde_json::to_string(&config).unwrap();
            let read: RunConfig = serde_json::from_str(&written).unwrap();
            assert_eq!(read, config, "{written}");
        }
        Err(error) => assert_eq!(format!("{error:#}").lines().count(), 1, "{error:#}"),
    }
});
