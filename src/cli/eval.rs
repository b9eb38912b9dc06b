//! `lrsched eval`: evaluates the weights of a run on images.

use super::{flags, settings};
use crate::config::settings::{COUNT, any_of};
use crate::config::{CommandName, SettingDef};
use crate::data::Tta;
use crate::experiment::eval::{BATCH, Evaluation, Moment, Options, SplitName, Subject, evaluate};
use crate::record::{check_outputs, ending, replace_file};
use crate::usage;
use crate::usage::Usage;
use anyhow::Result;
use clap::{Arg, ArgMatches, Command};
use serde_json::json;
use std::path::Path;

const OWN: &[SettingDef] = &[
    SettingDef::value(
        "checkpoint",
        "NAME",
        "Checkpoint to evaluate, {} [default: the final weights, else the last checkpoint]",
    )
    .choices(|| any_of(Moment::ALL.map(Moment::name))),
    SettingDef::value("split", "NAME", "{}: the run's own split [default: test]")
        .choices(|| any_of(SplitName::ALL.map(SplitName::name))),
    SettingDef::value(
        "batch-size",
        "N",
        "Images per batch; does not change the accuracy, but may change the last digits of the loss [default: 500]",
    ),
    SettingDef::paths("output", "FILE", "Also write the confusion matrix to this .png, .svg or .csv file; repeatable"),
];

/// The command line of `lrsched eval`.
pub fn command() -> Command {
    let command = Command::new(CommandName::Eval.name())
        .about("Evaluate a run's weights: loss, per-class accuracy, confusion matrix")
        .after_help(
            "Model, dataset, split and normalisation are read from the run.json next to the weights; without one, the model is inferred \
             from the names and shapes of the tensors.\n\nExample: lrsched eval results/my-run --split validation -o confusion.png",
        )
        .arg(
            Arg::new("subject")
                .value_name("DIR|FILE")
                .required(true)
                .value_parser(flags::place())
                .help("The folder of a run, or a .safetensors file"),
        );
    settings::with_flags(command, CommandName::Eval, OWN).mut_arg("output", |arg| arg.short('o').alias("out"))
}

/// The output formats of a confusion matrix.
#[derive(Debug, Clone, Copy)]
enum Form {
    Png,
    Svg,
    Csv,
}

/// Runs `lrsched eval …` and gives the exit code.
///
/// # Errors
/// Missing or invalid weights or images; a file that cannot be written.
pub fn run(matches: &ArgMatches, quiet: bool) -> Result<u8> {
    let given = flags::gather(&command(), matches);
    let machine = settings::machine(&given, CommandName::Eval)?;
    let batch_size = given.parse("batch-size", COUNT)?.unwrap_or(BATCH);
    if batch_size == 0 {
        return usage!("batch-size must be at least 1 image, got 0");
    }
    let outputs = given.paths("output");
    let forms = outputs.iter().map(|path| Ok((path, form(path)?))).collect::<Result<Vec<_>, Usage>>()?;
    let options = Options {
        part: given.parse_own("split")?.unwrap_or(SplitName::Test),
        data_dir: machine.data.data_dir,
        dataset: given.parse_own("dataset")?,
        model: given.parse_own("model")?,
        engine: given.parse_own("engine")?,
        tta: given.parse_own("tta")?,
        device: given.parse_own("device")?.unwrap_or_default(),
        batch_size,
        threads: machine.threads,
    };
    let subject = Subject::at(&given.path("subject").unwrap_or_default(), given.parse_own("checkpoint")?)?;
    check_outputs(outputs, &subject.files())?;
    let evaluation = evaluate(&subject, &options)?;
    super::warn(&evaluation.notes);
    if machine.json || !quiet {
        super::say(&if machine.json { json(&evaluation) } else { text(&evaluation) })?;
    }
    for (path, form) in forms {
        write(&evaluation, path, form)?;
        if !quiet && !machine.json {
            out!("{}", path.display());
        }
    }
    Ok(0)
}

fn form(path: &Path) -> Result<Form, Usage> {
    match ending(path, &["png", "svg", "csv"]).as_deref() {
        Some("png") => Ok(Form::Png),
        Some("svg") => Ok(Form::Svg),
        Some("csv") => Ok(Form::Csv),
        _ => usage!("--output must end in .png, .svg or .csv, got `{}`", path.display()),
    }
}

fn write(evaluation: &Evaluation, path: &Path, form: Form) -> Result<()> {
    let title = format!(
        "{}: {:.2} % of the {} images of {} correct",
        evaluation.model,
        100.0 * evaluation.accuracy(),
        evaluation.part,
        evaluation.dataset
    );
    let matrix = evaluation.confusion.matrix(title);
    replace_file(
        path,
        &match form {
            Form::Png => matrix.png()?,
            Form::Svg => matrix.svg()?.into_bytes(),
            Form::Csv => evaluation.confusion.csv().into_bytes(),
        },
    )
}

fn text(evaluation: &Evaluation) -> String {
    let Evaluation { weights, model, dataset, part, images, loss, confusion, tta, .. } = evaluation;
    let views = match tta {
        Tta::None => String::new(),
        tta => format!(", {} views of each averaged ({tta})", tta.views().len()),
    };
    let head = format!(
        "{}: {model} on the {images} {part} images of {dataset}{views}\nloss {loss:.4}, accuracy {:.2} %: {} of {images} correct",
        weights.display(),
        100.0 * evaluation.accuracy(),
        confusion.correct(),
    );
    format!("{}\n{}", settings::sentences(&head), confusion.text(settings::text_width()))
}

fn json(evaluation: &Evaluation) -> String {
    let confusion = &evaluation.confusion;
    let classes = confusion.classes.iter().enumerate().map(|(class, name)| {
        let (images, correct) = (confusion.images(class), confusion.counts[class][class]);
        json!({ "class": name, "images": images, "correct": correct, "accuracy": confusion.accuracy(class) })
    });
    let object = json!({
        "event": "evaluation",
        "weights": evaluation.weights.display().to_string(),
        "model": evaluation.model.name(),
        "dataset": evaluation.dataset,
        "split": evaluation.part.name(),
        "images": evaluation.images,
        "tta": evaluation.tta.name(),
        "loss": evaluation.loss,
        "accuracy": evaluation.accuracy(),
        "classes": classes.collect::<Vec<_>>(),
        "confusion": confusion.counts,
    });
    format!("{object}\n")
}
