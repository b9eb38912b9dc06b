//! `lrsched eval`: the weights of a run, looked at with images.

use super::settings;
use crate::data::DatasetKind;
use crate::engine::{DeviceChoice, EngineKind};
use crate::experiment::eval::{BATCH, Evaluation, Moment, Options, SplitName, Subject, evaluate};
use crate::model::Model;
use crate::record::{check_outputs, replace_file};
use crate::usage;
use crate::usage::Usage;
use anyhow::Result;
use clap::{Args as _, FromArgMatches as _};
use serde_json::json;
use std::path::{Path, PathBuf};

/// The command line of `lrsched eval`.
pub fn command() -> clap::Command {
    let command = clap::Command::new("eval")
        .about("Evaluate a run's weights: loss, per-class accuracy, confusion matrix")
        .after_help(
            "Model, dataset, split and normalisation are read from the run.json next to the weights; without one, the model is inferred \
             from the names and shapes of the tensors.\n\nExample: lrsched eval results/my-run --split validation -o confusion.png",
        );
    Args::augment_args(command)
}

#[derive(Debug, clap::Args)]
struct Args {
    /// The folder of a run, or a .safetensors file
    #[arg(value_name = "DIR|FILE")]
    subject: PathBuf,
    /// Checkpoint to evaluate, last or best [default: the final weights, else the last checkpoint]
    #[arg(long, value_name = "NAME")]
    checkpoint: Option<Moment>,
    /// test, validation or train: the run's own split
    #[arg(long, value_name = "NAME", default_value_t = SplitName::Test)]
    split: SplitName,
    /// Folder with CIFAR-10 [default: LRSCHED_DATA, then data/, then the cache folder]
    #[arg(long, value_name = "DIR", env = "LRSCHED_DATA", hide_env = true)]
    data_dir: Option<PathBuf>,
    /// cifar10 or synthetic [default: the run's, else cifar10]
    #[arg(long, value_name = "NAME")]
    dataset: Option<DatasetKind>,
    /// cnn, resnet9 or airbench94 [default: the run's, else inferred from the tensors]
    #[arg(long, value_name = "NAME")]
    model: Option<Model>,
    /// Images per batch; does not change the accuracy, but may change the last digits of the loss
    #[arg(long, value_name = "N", default_value_t = BATCH)]
    batch_size: usize,
    /// Threads, at most one per core; results do not depend on their number [default: the cores available to this process]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// cpu or candle [default: the run's, else cpu on the CPU]
    #[arg(long, value_name = "NAME")]
    engine: Option<EngineKind>,
    /// cpu, cuda:N or metal
    #[arg(long, value_name = "DEVICE", default_value_t = DeviceChoice::Cpu)]
    device: DeviceChoice,
    /// One JSON object on stdout
    #[arg(long)]
    json: bool,
    /// Also write the confusion matrix to this .png, .svg or .csv file; repeatable
    #[arg(short, long, alias = "out", value_name = "FILE")]
    output: Vec<PathBuf>,
}

/// How a confusion matrix is written.
#[derive(Debug, Clone, Copy)]
enum Form {
    Png,
    Svg,
    Csv,
}

/// Runs `lrsched eval …` and gives the exit code.
///
/// # Errors
/// Weights or images that are not there or not what they should be; a file that cannot be written.
pub fn run(matches: &clap::ArgMatches, quiet: bool) -> Result<u8> {
    let args = Args::from_arg_matches(matches)?;
    if args.batch_size == 0 {
        return usage!("batch-size must be at least 1 image, got 0");
    }
    let forms = args.output.iter().map(|path| Ok((path, form(path)?))).collect::<Result<Vec<_>, Usage>>()?;
    let options = Options {
        part: args.split,
        data_dir: args.data_dir,
        dataset: args.dataset,
        model: args.model,
        engine: args.engine,
        device: args.device,
        batch_size: args.batch_size,
        threads: settings::threads(args.threads)?,
    };
    let subject = Subject::at(&args.subject, args.checkpoint)?;
    check_outputs(&args.output, &subject.files())?;
    let evaluation = evaluate(&subject, &options)?;
    super::warn(&evaluation.notes);
    if args.json || !quiet {
        super::say(&if args.json { json(&evaluation) } else { text(&evaluation) })?;
    }
    for (path, form) in forms {
        write(&evaluation, path, form)?;
        if !quiet && !args.json {
            out!("{}", path.display());
        }
    }
    Ok(0)
}

fn form(path: &Path) -> Result<Form, Usage> {
    match path.extension().and_then(|ending| ending.to_str()).map(str::to_lowercase).as_deref() {
        Some("png") => Ok(Form::Png),
        Some("svg") => Ok(Form::Svg),
        Some("csv") => Ok(Form::Csv),
        _ => usage!("--output must end in .png, .svg or .csv, got `{}`", path.display()),
    }
}

fn write(evaluation: &Evaluation, path: &Path, form: Form) -> Result<()> {
    let title = format!(
        "{}: {:.2} % of the {} images of {} right",
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
    let Evaluation { weights, model, dataset, part, images, loss, confusion, .. } = evaluation;
    format!(
        "{}: {model} on the {images} {part} images of {dataset}\nloss {loss:.4}, accuracy {:.2} %: {} of {images} right\n\n{}",
        weights.display(),
        100.0 * evaluation.accuracy(),
        confusion.correct(),
        confusion.text()
    )
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
        "loss": evaluation.loss,
        "accuracy": evaluation.accuracy(),
        "classes": classes.collect::<Vec<_>>(),
        "confusion": confusion.counts,
    });
    format!("{object}\n")
}
