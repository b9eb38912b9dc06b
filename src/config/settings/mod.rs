//! One row per setting: its flag, variable, config-file key and field, and which commands take it.
//!
//! A new setting of `train` takes one row in [`SETTINGS`], one field, and its use. Everything else follows from the
//! row: the flag of every command that takes it, `LRSCHED_*`, the config file, `--print-config`, the labels that
//! distinguish runs in reports and comparisons, and the message of `lrsched resume` if somebody tries to change it.

mod resolve;
mod table;

pub use resolve::{
    clipping, find_config, groups, is_in, machine, optimizer, run_config, run_config_of_text, schedule,
    schedule_entries, train_config,
};
pub use table::{BASELINE, COLOURS, COUNT, GLOBAL, POSITIVE, SETTINGS, any_of, check_clip};

use super::given::{Value, negated, parameters};
use super::{FindConfig, MachineConfig, RunConfig};
use crate::number::exact;
use crate::optim;
use crate::spec::Entry;
use crate::usage::Usage;

/// The syntax of a setting, with the placeholder that the help shows for its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlagForm {
    Value(&'static str),
    /// `--name` alone; `name = true` in a file.
    Switch,
    /// `--name A B`, repeatable; `name = ["A", "B"]` in a file.
    List(&'static str),
    /// `--name KEY=V1,V2`, repeatable; in a file, lists below `[name]`. Places are merged key by key.
    Table(&'static str),
    /// `--name TEXT`, repeatable; in a file, a table below each `[[name]]`. The text has no blanks.
    Records(&'static str),
    /// A file or folder, whose name need not be valid UTF-8.
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
    Export,
    Descend,
    /// `data fetch` and `data verify`.
    DataFiles,
    DataInfo,
    Report,
    Merge,
}

impl CommandName {
    pub const ALL: [Self; 14] = [
        Self::Train,
        Self::Compare,
        Self::Find,
        Self::Resume,
        Self::Eval,
        Self::Bench,
        Self::Show,
        Self::Diff,
        Self::Export,
        Self::Descend,
        Self::DataFiles,
        Self::DataInfo,
        Self::Report,
        Self::Merge,
    ];

    /// The commands that train from settings.
    pub const TRAINING: &'static [Self] = &[Self::Train, Self::Compare, Self::Find];

    /// As typed after the name of the program; of `data`, without what to do.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Compare => "compare",
            Self::Find => "find",
            Self::Resume => "resume",
            Self::Eval => "eval",
            Self::Bench => "bench",
            Self::Show => "show",
            Self::Diff => "diff",
            Self::Export => "export",
            Self::Descend => "descend",
            Self::DataFiles | Self::DataInfo => "data",
            Self::Report => "report",
            Self::Merge => "merge",
        }
    }

    /// Whether `LRSCHED_*` variables can also set the settings of this command.
    pub const fn reads_variables(self) -> bool {
        !matches!(
            self,
            Self::Resume | Self::Eval | Self::Bench | Self::DataFiles | Self::DataInfo | Self::Report | Self::Merge
        )
    }

    /// The families whose parameters are flags of this command, by family name.
    pub fn families(self) -> Vec<(&'static str, Vec<Entry>)> {
        let optimizer = || ("optimizer", optim::table().to_vec());
        let schedule = || ("schedule", schedule_entries());
        match self {
            Self::Train | Self::Compare | Self::Resume | Self::Descend | Self::Export => vec![optimizer(), schedule()],
            Self::Find => vec![optimizer()],
            Self::Show | Self::Diff => vec![schedule()],
            Self::Eval | Self::Bench | Self::DataFiles | Self::DataInfo | Self::Report | Self::Merge => Vec::new(),
        }
    }
}

/// What a setting affects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The result. Runs are comparable only if these are equal.
    Result,
    /// The result, but it may differ between the runs of one comparison.
    Entrant,
    /// Nothing that is computed: file locations, output, what to keep, the number of threads.
    Machine,
    /// The range test of `lrsched find`.
    RangeTest,
}

/// How `lrsched resume` treats a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnResume {
    /// `resume` has no such flag.
    NotTaken,
    /// It belongs to the process, not to the run.
    Free,
    /// The run can continue with another value. The text is the help of the flag.
    Changes(&'static str),
    /// It cannot change within a run; the text says why.
    Fixed(&'static str),
}

/// Parses the value of a setting into its field.
pub type Setter<C> = fn(&mut C, &Value<'_>) -> Result<(), Usage>;

/// Checks that a setting is in range.
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

/// The placeholder for the default in a help text.
const DEFAULT: &str = "{default}";

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct SettingDef {
    pub name: &'static str,
    pub form: FlagForm,
    /// `{}` is replaced by the choices, `{default}` by the default.
    help: &'static str,
    choices: Option<fn() -> String>,
    pub scope: Scope,
    pub on_resume: OnResume,
    /// Whether a config file may set it.
    in_file: bool,
    /// The word for its being not set, which can be given for it, if it has one: `--average none`.
    pub unset: Option<&'static str>,
    commands: &'static [CommandName],
    /// Commands that take it with their own help text.
    also: &'static [(CommandName, &'static str)],
    pub field: Field,
    /// Checks the range of the value, whatever its source.
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
            unset: None,
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

    pub const fn table(name: &'static str, value: &'static str, help: &'static str) -> Self {
        Self::new(name, FlagForm::Table(value), help)
    }

    pub const fn records(name: &'static str, value: &'static str, help: &'static str) -> Self {
        Self::new(name, FlagForm::Records(value), help)
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

    /// Whether it is a switch that a config file may turn on, so that the command line must be able to turn it off.
    pub const fn is_switch_of_file(&self) -> bool {
        self.in_file && matches!(self.form, FlagForm::Switch) && !matches!(self.field, Field::Command)
    }

    /// The words that replace `{}` in the help, from the list that the parser uses.
    #[must_use]
    pub const fn choices(mut self, choices: fn() -> String) -> Self {
        self.choices = Some(choices);
        self
    }

    /// A run setting that affects the result.
    const fn of_result(mut self, set: Setter<RunConfig>) -> Self {
        (self.scope, self.field, self.commands) = (Scope::Result, Field::Run(set), CommandName::TRAINING);
        self
    }

    /// A run setting that may differ between the runs of a comparison.
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
        self.unset = Some(word);
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

    /// A setting that only the command line can give.
    const fn not_in_file(mut self) -> Self {
        self.in_file = false;
        self
    }

    /// The help, with the choices and the default filled in.
    pub fn help(&self) -> String {
        let help =
            self.choices.map_or_else(|| self.help.to_string(), |choices| self.help.replacen("{}", &choices(), 1));
        if !help.contains(DEFAULT) {
            return help;
        }
        help.replacen(DEFAULT, &self.default().unwrap_or_default(), 1)
    }

    /// The default of its config, as it would be typed.
    fn default(&self) -> Option<String> {
        let usual = match self.field {
            Field::Run(_) => RunConfig::default().settings(),
            Field::RangeTest(_) => FindConfig::default().settings(),
            Field::Machine(_) | Field::Command => return None,
        };
        let text = usual.get(self.name)?;
        Some(text.parse().map_or_else(|_| text.to_string(), exact))
    }

    /// The row as `command` takes it, with that command's help.
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

/// The settings that `command` takes, in table order.
pub fn of(command: CommandName) -> impl Iterator<Item = SettingDef> {
    SETTINGS.iter().filter_map(move |setting| setting.in_command(command))
}

/// Whether `command` takes a setting of this name.
pub fn takes(command: CommandName, name: &str) -> bool {
    of(command).any(|setting| setting.name == name)
}

/// Whether `name` is a run setting that `command` takes.
pub fn takes_of_run(command: CommandName, name: &str) -> bool {
    of(command).any(|setting| setting.name == name && matches!(setting.scope, Scope::Result | Scope::Entrant))
}

/// Whether a run setting limits what the run can be compared with. The entrant, the seed and settings that do not
/// affect the result do not; a name unknown to this version does.
pub fn tells_apart(name: &str) -> bool {
    of_run(name).is_none_or(|setting| setting.scope == Scope::Result)
}

fn of_run(name: &str) -> Option<&'static SettingDef> {
    SETTINGS.iter().find(|setting| setting.name == name && setting.scope != Scope::RangeTest)
}

/// Whether a config file may give `name` a list of several values.
pub fn is_list(name: &str) -> bool {
    SETTINGS.iter().any(|setting| setting.name == name && matches!(setting.form, FlagForm::List(_)))
}

/// Whether `name` is a table of keys.
pub fn is_table(name: &str) -> bool {
    SETTINGS.iter().any(|setting| setting.name == name && matches!(setting.form, FlagForm::Table(_)))
}

/// Whether `name` is repeated as a table of its own in a config file.
pub fn is_records(name: &str) -> bool {
    SETTINGS.iter().any(|setting| setting.name == name && matches!(setting.form, FlagForm::Records(_)))
}

/// The setting of this name, of whatever command; that of a run if a range test has its own.
pub fn named(name: &str) -> Option<&'static SettingDef> {
    of_run(name).or_else(|| SETTINGS.iter().chain(&GLOBAL).find(|setting| setting.name == name))
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
