//! The table of settings.

/// How a setting is written, with what stands for its value in the help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Value(&'static str),
    /// `--name` alone; `name = true` in a file.
    Switch,
    /// `--name A B`, repeatable; `name = ["A", "B"]` in a file.
    List(&'static str),
    /// A file or folder, whose name may not be text.
    Path(&'static str),
}

/// One setting: a flag `--name`, a variable `LRSCHED_NAME` and a key `name` in a config file.
#[derive(Debug, Clone, Copy)]
pub struct SettingDef {
    pub name: &'static str,
    pub form: Form,
    pub help: &'static str,
}

impl SettingDef {
    pub const fn value(name: &'static str, value: &'static str, help: &'static str) -> Self {
        Self { name, form: Form::Value(value), help }
    }

    pub const fn list(name: &'static str, value: &'static str, help: &'static str) -> Self {
        Self { name, form: Form::List(value), help }
    }

    pub const fn path(name: &'static str, value: &'static str, help: &'static str) -> Self {
        Self { name, form: Form::Path(value), help }
    }

    pub const fn switch(name: &'static str, help: &'static str) -> Self {
        Self { name, form: Form::Switch, help }
    }
}
