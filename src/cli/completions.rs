//! Completions for shells, which the program computes itself: names, and the parameters inside a spec.

use super::help_tables;
use crate::config::{Keep, Mode, ProgressMode};
use crate::data::{DatasetKind, Tta, augmentations};
use crate::engine::EngineKind;
use crate::experiment::descend::Function;
use crate::experiment::eval::{Moment, SplitName};
use crate::export::Framework;
use crate::model::Model;
use crate::optim::{self, averages};
use crate::report::export::Shown;
use crate::schedule::{self, Semantics, universal};
use crate::spec::{Entry, Parameter, ParameterKind};
use anyhow::{Result, anyhow};
use clap::builder::ValueHint;
use clap::{Arg, ArgMatches, Command};
use clap_complete::env::{CompleteEnv, Elvish, EnvCompleter, Fish, Powershell, Zsh};
use clap_complete::{ArgValueCompleter, CompletionCandidate};
use std::ffi::OsStr;

/// The variable in which a shell asks for completions.
const VARIABLE: &str = "LRSCHED_COMPLETE";
const PROGRAM: &str = "lrsched";

/// bash splits words at `:` and `=`, which specs contain, and replaces only what follows the last of them.
const BASH: &str = r#"_lrsched() {
    local line=${COMP_LINE:0:COMP_POINT} IFS=$' \t\n' words current quoted behind
    read -ra words <<< "$line"
    [[ $line == *[[:space:]] ]] && words+=("")
    current=${words[${#words[@]} - 1]} quoted=0
    # Within quotes it splits nothing.
    if [[ $current == [\'\"]* ]]; then
        current=${current:1} quoted=1
        words[${#words[@]} - 1]=$current
    fi
    IFS=$'\013'
    COMPREPLY=($(_CLAP_IFS="$IFS" _CLAP_COMPLETE_INDEX=$((${#words[@]} - 1)) _CLAP_COMPLETE_COMP_TYPE=$COMP_TYPE \
        _CLAP_COMPLETE_SPACE=false LRSCHED_COMPLETE=bash "$1" -- "${words[@]}")) || COMPREPLY=()
    for ((behind = quoted ? 0 : ${#current}; behind > 0; behind--)); do
        [[ ${current:behind-1:1} == [:=] && $COMP_WORDBREAKS == *"${current:behind-1:1}"* ]] && break
    done
    COMPREPLY=("${COMPREPLY[@]#"${current:0:behind}"}")
    compopt +o nospace 2> /dev/null
    [[ ${COMPREPLY-} == *[=:/] ]] && compopt -o nospace 2> /dev/null
}
complete -o nospace -o bashdefault -F _lrsched lrsched
"#;

pub fn command() -> Command {
    Command::new("completions")
        .about("Print the completions for a shell")
        .arg(Arg::new("shell").value_name("SHELL").required(true).value_parser(SHELLS).help("The shell"))
        .after_help(
            "Examples:\n  lrsched completions bash > ~/.local/share/bash-completion/completions/lrsched\n  \
             lrsched completions zsh > ~/.zfunc/_lrsched    # with fpath+=~/.zfunc before compinit\n  \
             lrsched completions fish > ~/.config/fish/completions/lrsched.fish",
        )
}

const SHELLS: [&str; 5] = ["bash", "zsh", "fish", "powershell", "elvish"];

/// # Errors
/// stdout cannot be written.
pub fn run(matches: &ArgMatches) -> Result<u8> {
    let shell = matches.get_one::<String>("shell").map_or("bash", String::as_str);
    super::say(&script(shell)?)?;
    Ok(0)
}

/// What a shell sources.
fn script(shell: &str) -> Result<String> {
    let completer: &dyn EnvCompleter = match shell {
        "zsh" => &Zsh,
        "fish" => &Fish,
        "powershell" => &Powershell,
        "elvish" => &Elvish,
        _ => return Ok(BASH.to_string()),
    };
    let mut script = Vec::new();
    completer.write_registration(VARIABLE, PROGRAM, PROGRAM, PROGRAM, &mut script)?;
    Ok(String::from_utf8(script)?)
}

/// Answers a shell that asks for completions, in which case there is nothing else to do.
///
/// # Errors
/// A shell that is not known.
pub fn answer(command: impl Fn() -> Command) -> Result<bool> {
    let folder = std::env::current_dir().ok();
    let asked = CompleteEnv::with_factory(|| completed(command())).var(VARIABLE);
    asked.try_complete(std::env::args_os(), folder.as_deref()).map_err(|error| anyhow!("{VARIABLE}: {error}"))
}

/// The command with completions for the values of its flags.
fn completed(command: Command) -> Command {
    let name = command.get_name().to_string();
    command.mut_args(|arg| values(&name, arg)).mut_subcommands(completed)
}

fn values(command: &str, arg: Arg) -> Arg {
    let complete: fn(&OsStr) -> Vec<CompletionCandidate> = match arg.get_id().as_str() {
        // A schedule, or an optimizer with or without one.
        "schedule" if command == "diff" => |typed| specs(typed, entrants),
        "schedule" | "spec" | "specs" => |typed| specs(typed, |text| in_family(text, schedule::table(), universal())),
        "optimizer" => |typed| specs(typed, |text| in_family(text, optim::table(), optim::universal())),
        "group" => |typed| specs(typed, group),
        "average" => |typed| specs(typed, |text| in_family(text, averages(), &[])),
        "augment" => |typed| specs(typed, |text| in_family(text, augmentations(), &[])),
        "entrants" => |typed| specs(typed, entrants),
        "model" => |typed| words(typed, &Model::ALL.map(Model::name)),
        "dataset" => |typed| words(typed, &DatasetKind::ALL.map(DatasetKind::name)),
        "engine" => |typed| words(typed, &EngineKind::ALL.map(EngineKind::name)),
        "semantics" => |typed| words(typed, &Semantics::ALL.map(Semantics::name)),
        "mode" => |typed| words(typed, &Mode::ALL.map(Mode::name)),
        "progress" => |typed| words(typed, &ProgressMode::ALL.map(ProgressMode::name)),
        "keep" => |typed| words(typed, &Keep::ALL.map(Keep::name)),
        "tta" => |typed| words(typed, &Tta::ALL.map(Tta::name)),
        "to" => |typed| words(typed, &Framework::ALL.map(Framework::name)),
        "split" => |typed| words(typed, &SplitName::ALL.map(SplitName::name)),
        "checkpoint" => |typed| words(typed, &Moment::ALL.map(Moment::name)),
        "function" => |typed| words(typed, &Function::ALL.map(Function::name)),
        "panel" => |typed| words(typed, &Shown::names().collect::<Vec<_>>()),
        "topic" => |typed| specs(typed, topics),
        "config" | "out" | "data-dir" | "dir" | "folders" | "run" | "subject" | "output" | "sheet" => {
            return arg.value_hint(ValueHint::AnyPath);
        }
        _ => return arg,
    };
    arg.add(ArgValueCompleter::new(complete))
}

/// A completion, and its summary.
type Completion = (String, String);

/// The completions of the text that was typed so far; nothing of text that is no UTF-8.
fn specs(typed: &OsStr, of: impl Fn(&str) -> Vec<Completion>) -> Vec<CompletionCandidate> {
    let Some(typed) = typed.to_str() else { return Vec::new() };
    let fitting = of(typed).into_iter().filter(|(text, _)| text.starts_with(typed));
    fitting.map(|(text, help)| CompletionCandidate::new(text).help((!help.is_empty()).then(|| help.into()))).collect()
}

fn words(typed: &OsStr, names: &[&str]) -> Vec<CompletionCandidate> {
    specs(typed, |_| names.iter().map(|name| ((*name).to_string(), String::new())).collect())
}

/// Names of the entries, and, behind a name and a colon, those of the parameters that it does not have yet. `shared`:
/// parameters that every entry takes.
fn in_family(typed: &str, entries: &'static [Entry], shared: &'static [Parameter]) -> Vec<Completion> {
    // The last spec of a sequence.
    let (before, spec) = typed.rfind(';').map_or(("", typed), |at| typed.split_at(at + 1));
    let Some((name, given)) = spec.split_once(':') else {
        return entries.iter().map(|entry| (format!("{before}{}", entry.name), entry.summary.to_string())).collect();
    };
    let Some(entry) = entries.iter().find(|entry| entry.name == name) else { return Vec::new() };
    let (done, _) = given.rfind(',').map_or(("", given), |at| given.split_at(at + 1));
    let is_given = |name: &str| done.split(',').any(|part| part.split('=').next() == Some(name));
    // Behind the key of a choice, its words.
    let last = &given[done.len()..];
    if let Some((key, _)) = last.split_once('=') {
        let kind = entry.parameters.iter().chain(shared).find(|parameter| parameter.name == key).map(|one| one.kind);
        let Some(ParameterKind::Choice(words)) = kind else { return Vec::new() };
        let word = |word: &&str| (format!("{before}{name}:{done}{key}={word}"), String::new());
        return words.iter().map(word).collect();
    }
    let parameters = entry.parameters.iter().chain(shared).filter(|parameter| !is_given(parameter.name));
    let completion = |parameter: &Parameter| {
        let value = if parameter.is_switch() { "" } else { "=" };
        (format!("{before}{name}:{done}{}{value}", parameter.name), parameter.help())
    };
    parameters.map(completion).collect()
}

/// `OPTIMIZER/SCHEDULE`, or one of the two.
fn entrants(typed: &str) -> Vec<Completion> {
    let schedules = |text: &str| in_family(text, schedule::table(), universal());
    match typed.split_once('/') {
        Some((optimizer, schedule)) => {
            schedules(schedule).into_iter().map(|(text, help)| (format!("{optimizer}/{text}"), help)).collect()
        }
        None => [schedules(typed), in_family(typed, optim::table(), optim::universal())].concat(),
    }
}

/// `PATTERN=OPTIMIZER/SCHEDULE`, once the pattern is there.
fn group(typed: &str) -> Vec<Completion> {
    let Some((pattern, entrant)) = typed.split_once('=') else { return Vec::new() };
    entrants(entrant).into_iter().map(|(text, help)| (format!("{pattern}={text}"), help)).collect()
}

/// What `lrsched help` knows.
fn topics(_typed: &str) -> Vec<Completion> {
    let program = super::command();
    let commands = program.get_subcommands().map(|command| {
        (command.get_name().to_string(), command.get_about().map(ToString::to_string).unwrap_or_default())
    });
    let lists = ["schedules", "optimizers"].map(|name| (name.to_string(), String::new()));
    let entries = schedule::table().iter().chain(optim::table());
    let entries = entries.map(|entry| (entry.name.to_string(), entry.summary.to_string()));
    let mut topics: Vec<Completion> = commands.chain(lists).chain(entries).collect();
    // Under the name of a schedule, the help has the schedule.
    for (name, help) in help_tables::flags(&program) {
        if topics.iter().all(|(topic, _)| *topic != name) {
            topics.push((name, help));
        }
    }
    topics
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(completions: Vec<Completion>, typed: &str) -> Vec<String> {
        completions.into_iter().map(|(text, _)| text).filter(|text| text.starts_with(typed)).collect()
    }

    #[test]
    fn a_name_is_completed_and_behind_it_the_parameters_that_it_does_not_have_yet() {
        let of = |typed: &str| texts(in_family(typed, schedule::table(), universal()), typed);
        assert_eq!(of("ste"), ["step"]);
        assert_eq!(of("step:fa"), ["step:factor="]);
        assert_eq!(of("step:factor=0.5,drop"), ["step:factor=0.5,drop-every="]);
        assert!(of("step:factor=0.5,fa").is_empty(), "it has one");
        assert!(of("cosine:warmup").contains(&"cosine:warmup=".to_string()));
        assert_eq!(of("constant:for=5ep;cosi"), ["constant:for=5ep;cosine", "constant:for=5ep;cosine-restarts"]);
        assert!(of("nothing:x").is_empty());
    }

    #[test]
    fn an_entrant_is_an_optimizer_and_a_schedule_and_a_switch_needs_no_value() {
        assert_eq!(texts(entrants("adam/lin"), "adam/lin"), ["adam/linear"]);
        assert_eq!(texts(entrants("sgd:momentum=0.9,nest"), "sgd:momentum=0.9,nest"), ["sgd:momentum=0.9,nesterov"]);
        assert!(texts(entrants("ada"), "ada").contains(&"adamw".to_string()));
        assert_eq!(texts(entrants("sgd:l"), "sgd:l"), ["sgd:lr="]);
        assert_eq!(texts(group("*.bias=adamax"), "*.bias=adamax"), ["*.bias=adamax"]);
        assert!(texts(entrants("muon:scale="), "muon:scale=").contains(&"muon:scale=rms".to_string()));
    }

    #[test]
    fn each_shell_has_a_script_that_asks_the_program() {
        for shell in SHELLS {
            let script = script(shell).unwrap();
            assert!(script.contains(VARIABLE) && script.contains(PROGRAM), "{shell}: {script}");
        }
    }
}
