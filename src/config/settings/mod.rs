//! One row for each setting: its flag, variable and key in a config file, its field, and what may be done with it.
//!
//! A new setting of `train` is one row in [`SETTINGS`], one field, and its use. Everything else follows from the row: the flag of
//! every command that takes it, `LRSCHED_*`, the config file, `--print-config`, what tells runs apart in reports and comparisons, and what
//! `lrsched resume` says to somebody who would change it.

mod resolve;
mod table;

pub use resolve::{
    find_config, machine, optimizer, run_config, run_config_of_text, schedule, schedule_entries, train_config,
};
pub use table::{COLOURS, COUNT, GLOBAL, RATE, SETTINGS, any_of};

use super::given::{Value, negated, parameters};
use super::{FindConfig, MachineConfig, RunConfig};
use crate::number::exact;
use crate::optim;
use crate::spec::Entry;
use crate::usage::Usage;

/// How a setting is written, with what stands for its value in the help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlagForm {
    Value(&'static str),
    /// `--name` alone; `name = true` in a file.
    Switch,
    /// `--name A B`, repeatable; `name = ["A", "B"]` in a file.
    List(&'static str),
    /// A file or folder, whose name may not be text.
    Path(&'static str),
    /// As [`FlagForm::Path`], repeatable.
    Paths(&'static str),
}

/// A command that takes settings of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandName {
    Train,
    Compare,
    Find,
    Resume,
    Eval,
    Bench,
    Show,
    Diff,
    Descend,
    /// `data fetch` and `data verify`.
    DataFiles,
    DataInfo,
    Report,
}

impl CommandName {
    pub const ALL: [Self; 12] = [
        Self::Train,
        Self::Compare,
        Self::Find,
        Self::Resume,
        Self::Eval,
        Self::Bench,
        Self::Show,
        Self::Diff,
        Self::Descend,
        Self::DataFiles,
        Self::DataInfo,
        Self::Report,
    ];

    /// The commands that train from settings.
    pub const TRAINING: &'static [Self] = &[Self::Train, Self::Compare, Self::Find];

    /// Whether the settings of this command may be given by `LRSCHED_*` variables, too.
    pub const fn reads_variables(self) -> bool {
        !matches!(self, Self::Eval | Self::Bench | Self::DataFiles | Self::DataInfo | Self::Report)
    }

    /// The families whose parameters are flags of this command, under their names.
    pub fn families(self) -> Vec<(&'static str, Vec<Entry>)> {
        let optimizer = || ("optimizer", optim::table().to_vec());
        let schedule = || ("schedule", schedule_entries());
        match self {
            Self::Train | Self::Compare | Self::Resume | Self::Descend => vec![optimizer(), schedule()],
            Self::Find => vec![optimizer()],
            Self::Show | Self::Diff => vec![schedule()],
            Self::Eval | Self::Bench | Self::DataFiles | Self::DataInfo | Self::Report => Vec::new(),
        }
    }
}

/// What depends on a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The result. Runs can only be compared where these are equal.
    Result,
    /// The result, and it may differ between the runs of one comparison.
    Entrant,
    /// Nothing that is computed: where files are, what is shown and kept, how many threads there are.
    Machine,
    /// The range test of `lrsched find`.
    RangeTest,
}

/// What `lrsched resume` does with a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnResume {
    /// It takes no such flag.
    NotTaken,
    /// It is a setting of the process, not of the run.
    Free,
    /// The run continues with another value. The text is the help of the flag.
    Changes(&'static str),
    /// It cannot change within a run, and this is why.
    Fixed(&'static str),
}

/// Parses the value of a setting into its field.
pub type Setter<C> = fn(&mut C, &Value<'_>) -> Result<(), Usage>;

/// Checks the range of a setting.
#[derive(Debug, Clone, Copy)]
pub enum Check {
    Run(fn(&RunConfig) -> Result<(), Usage>),
    RangeTest(fn(&FindConfig) -> Result<(), Usage>),
}

/// The field that a setting is parsed into.
#[derive(Debug, Clone, Copy)]
pub enum Field {
    Run(Setter<RunConfig>),
    Machine(Setter<MachineConfig>),
    RangeTest(Setter<FindConfig>),
    /// The command reads it itself.
    Command,
}

/// What stands for the default in a help text.
const DEFAULT: &str = "{default}";

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct SettingDef {
    pub name: &'static str,
    pub form: FlagForm,
    /// `{}` stands for the choices, `{default}` for the default.
    help: &'static str,
    choices: Option<fn() -> String>,
    pub scope: Scope,
    pub on_resume: OnResume,
    /// Whether a config file may have it.
    in_file: bool,
    /// What stands for the value where it is not set.
    pub unset: &'static str,
    commands: &'static [CommandName],
    /// Commands that take it with a help text of their own.
    also: &'static [(CommandName, &'static str)],
    pub field: Field,
    /// The range of the value, however it came into the config.
    pub check: Option<Check>,
}

impl SettingDef {
    const fn new(name: &'static str, form: FlagForm, help: &'static str) -> Self {
        Self {
            name,
            form,
            help,
            choices: None,
            scope: Scope::Machine,
            on_resume: OnResume::NotTaken,
            in_file: true,
            unset: "not set",
            commands: &[],
            also: &[],
            field: Field::Command,
            check: None,
        }
    }

    pub const fn value(name: &'static str, value: &'static str, help: &'static str) -> Self {
        Self::new(name, FlagForm::Value(value), help)
    }

    pub const fn list(name: &'static str, value: &'static str, help: &'static str) -> Self {
        Self::new(name, FlagForm::List(value), help)
    }

    pub const fn path(name: &'static str, value: &'static str, help: &'static str) -> Self {
        Self::new(name, FlagForm::Path(value), help)
    }

    pub const fn paths(name: &'static str, value: &'static str, help: &'static str) -> Self {
        Self::new(name, FlagForm::Paths(value), help)
    }

    pub const fn switch(name: &'static str, help: &'static str) -> Self {
        Self::new(name, FlagForm::Switch, help)
    }

    /// The words that `{}` in the help stands for, from the list that the parser goes by.
    #[must_use]
    pub const fn choices(mut self, choices: fn() -> String) -> Self {
        self.choices = Some(choices);
        self
    }

    /// A setting of a run that decides its result.
    const fn of_result(mut self, set: Setter<RunConfig>) -> Self {
        (self.scope, self.field, self.commands) = (Scope::Result, Field::Run(set), CommandName::TRAINING);
        self
    }

    /// A setting of a run in which the runs of a comparison may differ.
    const fn of_entrant(mut self, set: Setter<RunConfig>) -> Self {
        (self.scope, self.field, self.commands) = (Scope::Entrant, Field::Run(set), CommandName::TRAINING);
        self
    }

    const fn of_machine(mut self, set: Setter<MachineConfig>) -> Self {
        (self.scope, self.field, self.commands) = (Scope::Machine, Field::Machine(set), CommandName::TRAINING);
        self
    }

    const fn of_range_test(mut self, set: Setter<FindConfig>) -> Self {
        (self.scope, self.field, self.commands) = (Scope::RangeTest, Field::RangeTest(set), &[CommandName::Find]);
        self
    }

    const fn scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    const fn commands(mut self, commands: &'static [CommandName]) -> Self {
        self.commands = commands;
        self
    }

    const fn also(mut self, also: &'static [(CommandName, &'static str)]) -> Self {
        self.also = also;
        self
    }

    const fn on_resume(mut self, on_resume: OnResume) -> Self {
        self.on_resume = on_resume;
        self
    }

    const fn fixed(self, why: &'static str) -> Self {
        self.on_resume(OnResume::Fixed(why))
    }

    const fn unset(mut self, word: &'static str) -> Self {
        self.unset = word;
        self
    }

    const fn check(mut self, check: fn(&RunConfig) -> Result<(), Usage>) -> Self {
        self.check = Some(Check::Run(check));
        self
    }

    const fn check_test(mut self, check: fn(&FindConfig) -> Result<(), Usage>) -> Self {
        self.check = Some(Check::RangeTest(check));
        self
    }

    /// A setting of the command line alone.
    const fn not_in_file(mut self) -> Self {
        self.in_file = false;
        self
    }

    /// The help, with the choices and the default in their places.
    pub fn help(&self) -> String {
        let help =
            self.choices.map_or_else(|| self.help.to_string(), |choices| self.help.replacen("{}", &choices(), 1));
        if !help.contains(DEFAULT) {
            return help;
        }
        help.replacen(DEFAULT, &self.default().unwrap_or_default(), 1)
    }

    /// The value that its config has by default, as it is typed.
    fn default(&self) -> Option<String> {
        let usual = match self.field {
            Field::Run(_) => RunConfig::default().settings(),
            Field::RangeTest(_) => FindConfig::default().settings(),
            Field::Machine(_) | Field::Command => return None,
        };
        let text = usual.get(self.name)?;
        Some(text.parse().map_or_else(|_| text.to_string(), exact))
    }

    /// The row as `command` takes it, with the help that it shows there.
    fn in_command(mut self, command: CommandName) -> Option<Self> {
        let own = match self.on_resume {
            OnResume::Changes(help) | OnResume::Fixed(help) if command == CommandName::Resume => Some(help),
            OnResume::Free if command == CommandName::Resume => Some(self.help),
            _ => self.also.iter().find(|(name, _)| *name == command).map(|(_, help)| *help),
        };
        self.help = own.or_else(|| self.commands.contains(&command).then_some(self.help))?;
        Some(self)
    }
}

/// What `command` takes, in the order of the table.
pub fn of(command: CommandName) -> impl Iterator<Item = SettingDef> {
    SETTINGS.iter().filter_map(move |setting| setting.in_command(command))
}

/// Whether `command` takes a setting of this name.
pub fn takes(command: CommandName, name: &str) -> bool {
    of(command).any(|setting| setting.name == name)
}

/// Whether `name` is a setting of a run that `command` takes.
pub fn takes_of_run(command: CommandName, name: &str) -> bool {
    of(command).any(|setting| setting.name == name && matches!(setting.scope, Scope::Result | Scope::Entrant))
}

/// Whether a setting of a run tells what it can be compared with: not its entrant, not its seed, not what makes no difference to the result. A name
/// that this version does not know does.
pub fn tells_apart(name: &str) -> bool {
    of_run(name).is_none_or(|setting| setting.scope == Scope::Result)
}

fn of_run(name: &str) -> Option<&'static SettingDef> {
    SETTINGS.iter().find(|setting| setting.name == name && setting.scope != Scope::RangeTest)
}

/// Whether the values of a list in a config file are those of `name`, rather than one too many.
pub fn is_list(name: &str) -> bool {
    SETTINGS.iter().any(|setting| setting.name == name && matches!(setting.form, FlagForm::List(_)))
}

/// The keys that a config file of `command` may have.
pub fn keys(command: CommandName) -> Vec<String> {
    let own = of(command).filter(|setting| setting.in_file).map(|setting| setting.name.to_string());
    let of_families = command.families().into_iter().flat_map(|(_, entries)| parameters(&entries));
    let of_families =
        of_families.flat_map(|(name, switch)| std::iter::once(name.to_string()).chain(switch.then(|| negated(name))));
    let global = GLOBAL.iter().map(|setting| setting.name.to_string());
    own.chain(of_families).chain(global).collect()
}

#[cfg(test)]
mod tests;
