//! The table.

use super::{CommandName, OnResume, Scope, SettingDef};
use crate::config::{FindConfig, Keep, Length, MOST_STEPS, MachineConfig, Mode, ProgressMode, RunConfig};
use crate::data::{Augment, DatasetKind, LossReduction, Tta};
use crate::engine::{DeviceChoice, EngineKind};
use crate::model::Model;
use crate::number::exact;
use crate::optim::{self, Float, check_rate};
use crate::schedule::Semantics;
use crate::usage;
use crate::usage::Usage;
use CommandName::{Bench, Compare, DataFiles, DataInfo, Descend, Diff, Eval, Export, Find, Show, Train};

/// Above any machine's core count; otherwise the operating system would refuse the threads one by one.
const MOST_THREADS: usize = 1024;

/// The rule for a number, as errors quote it.
pub const POSITIVE: &str = "a number above 0";
pub const COUNT: &str = "a whole number of at least 1";

/// The help of --data-dir for commands that inspect the files themselves.
const FOLDER: &str = "Folder of the images' files, or an archive [default: LRSCHED_DATA, then data/, the cache folder, ~/.keras/datasets]";

/// Every setting, in the order of the help.
pub const SETTINGS: &[SettingDef] = &[
    SettingDef::path(
        "config",
        "FILE",
        "Read settings from a TOML file with the same names (`-`: from stdin); precedence: command line, LRSCHED_* variables, config file",
    )
    .commands(CommandName::TRAINING)
    .not_in_file(),
    // What to run.
    SettingDef::list(
        "entrants",
        "OPTIMIZER/SCHEDULE",
        "Optimizer/schedule pairs to compare, such as sgd/step:factor=0.5,drop-every=10 adam/constant [default: every schedule under sgd:momentum=0.9,nesterov,weight-decay=5e-4; rmsprop, adam, adagrad and adadelta with that weight decay, constant and linear; --print-config lists them]",
    )
    .scope(Scope::Entrant)
    .commands(&[Compare]),
    SettingDef::value("seeds", "N", "Runs per entrant, with seeds --seed, --seed + 1, …; finals per study with --tune, and of each finalist with --finalists, both on fresh seeds [default: 1; 10 with --finalists alone]")
        .scope(Scope::Entrant)
        .commands(&[Compare]),
    SettingDef::table(
        "grid",
        "KEY=V1,V2,…",
        "Cross the entrants with every combination of these values: lr, or a parameter below; each applies to the entrants that take it; a value that is a list has slashes: milestones=5/8,3/6",
    )
    .scope(Scope::Entrant)
    .commands(&[Compare]),
    SettingDef::value(
        "tune",
        "N",
        "Tune every entrant first: N trials over its own range of the highest rate, the best three looked at again with two more seeds, then fresh seeds for the chosen one [default: no tuning]",
    )
    .scope(Scope::Entrant)
    .commands(&[Compare]),
    SettingDef::table(
        "tune-range",
        "KEY=LOW:HIGH",
        "With --tune: the range of lr, the highest rate of the run, for all entrants, or a parameter to tune as well: weight-decay=1e-5:1e-2 [default: lr over the optimizer's own range]",
    )
    .scope(Scope::Entrant)
    .commands(&[Compare]),
    SettingDef::value("tune-seed", "N", "With --tune: decides where in their ranges the trials lie [default: 0]")
        .scope(Scope::Entrant)
        .commands(&[Compare]),
    SettingDef::value(
        "studies",
        "N",
        "With --tune: tune N times in all, with other trials and seeds; each study gives one result per entrant [default: 3]",
    )
    .scope(Scope::Entrant)
    .commands(&[Compare]),
    SettingDef::value(
        "finalists",
        "N",
        "Screen all entrants on 3 seeds (with --tune, 3 studies), and judge the best N of them on fresh ones",
    )
    .scope(Scope::Entrant)
    .commands(&[Compare]),
    SettingDef::value(
        "schedule",
        "SPEC",
        "A schedule name or spec, such as step:factor=0.5,drop-every=10 (`lrsched help schedules`) [default: constant]",
    )
    .scope(Scope::Entrant)
    .commands(&[Train])
    .on_resume(OnResume::Changes("Continue under another schedule, on its own clock; parameters as in `lrsched train`")),
    SettingDef::value("optimizer", "SPEC", "{} [default: sgd]")
        .choices(|| any_of(optim::table().iter().map(|entry| entry.name)))
        .scope(Scope::Entrant)
        .commands(&[Train, Find])
        .fixed("the optimizer's saved state depends on it"),
    SettingDef::records(
        "group",
        "PATTERN[,PATTERN]=OPTIMIZER[/SCHEDULE]",
        "Update the parameters whose PyTorch names match in their own way, such as '*.bias=sgd:lr=0.05/linear'; repeatable, the first match wins; `[[group]]` in a config file, whose groups `none` drops [default: all alike]",
    )
    .scope(Scope::Result)
    .commands(CommandName::TRAINING)
    .unset("none")
    .fixed("the optimizers' saved state depends on it"),
    // The range test.
    SettingDef::value("mode", "NAME", "How the rate rises: {} (triangular: up and down again) [default: {default}]")
        .choices(|| any_of(Mode::ALL.map(Mode::name)))
        .of_range_test(|c: &mut FindConfig, v| v.word().map(|mode| c.mode = mode)),
    SettingDef::value("min-lr", "RATE", "First rate [default: {default}]")
        .of_range_test(|c, v| v.number(POSITIVE).map(|rate| c.min_lr = rate))
        .check_test(|c| check_rate::<f32>("min-lr", c.min_lr)),
    SettingDef::value("max-lr", "RATE", "Last rate [default: {default}]")
        .of_range_test(|c, v| v.number(POSITIVE).map(|rate| c.max_lr = rate))
        .check_test(|c| check_rate::<f32>("max-lr", c.max_lr).and_then(|()| c.check_range())),
    SettingDef::value("steps", "N", "Length of the test in iterations [default: {default}]")
        .of_range_test(|c, v| v.number("a whole number of at least 2").map(|steps| c.length = Length::Steps(steps)))
        .check_test(|c| if matches!(c.length, Length::Steps(_)) { c.check_length() } else { Ok(()) }),
    SettingDef::value("epochs", "N", "Length of the test in epochs, instead of --steps")
        .of_range_test(|c, v| v.number(COUNT).map(|epochs| c.length = Length::Epochs(epochs)))
        .check_test(|c| if matches!(c.length, Length::Epochs(_)) { c.check_length() } else { Ok(()) }),
    SettingDef::value("for-epochs", "N", "Epochs of the run that the suggested rate is for [default: {default}]")
        .of_range_test(|c, v| v.number(COUNT).map(|epochs| c.for_epochs = epochs))
        .check_test(|c| match c.for_epochs {
            0 => usage!("for-epochs must be at least 1, got 0"),
            _ => Ok(()),
        }),
    SettingDef::value("refine", "N", "Updates of each of the short runs around the rate of the test, which settle the rate; 0: none [default: those of the run, at most 350 and twice the test]")
        .of_range_test(|c, v| v.number(&format!("a whole number from 0 to {MOST_STEPS}")).map(|updates| c.refine = Some(updates)))
        .check_test(FindConfig::check_refine),
    SettingDef::value("eval-every", "N", "Iterations between two validations [default: 100 validations per test]")
        .of_range_test(|c, v| v.number(COUNT).map(|steps| c.eval_every = Some(steps)))
        .check_test(|c| match c.eval_every {
            Some(0) => usage!("eval-every must be at least 1 iteration, got 0"),
            _ => Ok(()),
        }),
    SettingDef::value("eval-images", "N", "Validation images per validation, always the same ones, at most all there are [default: {default}]")
        .of_range_test(|c, v| v.number(COUNT).map(|images| c.eval_images = images))
        .check_test(|c| match c.eval_images {
            0 => usage!("eval-images must be at least 1, got 0"),
            _ => Ok(()),
        }),
    SettingDef::value("smoothing", "BETA", "Smoothing of the loss: 0 is none, 0.98 is fastai's [default: {default}]")
        .of_range_test(|c, v| v.number("a number from 0 up to, not including, 1").map(|beta| c.smoothing = beta))
        .check_test(|c| match c.smoothing {
            beta if (0.0..1.0).contains(&beta) => Ok(()),
            beta => usage!("smoothing must be from 0 up to, not including, 1, got {}", exact(beta)),
        }),
    SettingDef::value("seeds", "N", "Number of tests, with seeds --seed, --seed + 1, …; suggests the median [default: {default}]")
        .of_range_test(|c, v| v.number(COUNT).map(|seeds| c.seeds = seeds))
        .check_test(FindConfig::check_seeds),
    // What to train.
    SettingDef::value("dataset", "NAME", "{} (synthetic: ten classes of generated images) [default: {default}]")
        .choices(|| any_of(DatasetKind::ALL.map(DatasetKind::name)))
        .of_result(|c: &mut RunConfig, v| v.word().map(|dataset| c.dataset = dataset))
        .also(&[(Eval, "{} [default: the run's, else cifar10]"), (DataInfo, "{} [default: {default}]")])
        .fixed("all results so far are on its images"),
    SettingDef::path("data-dir", "DIR", "Folder with the dataset [default: LRSCHED_DATA, then data/, the cache folder, ~/.keras/datasets]")
        .of_machine(|c: &mut MachineConfig, v| {
            c.data.data_dir = Some(v.folder()?);
            Ok(())
        })
        .commands(&[Train, Compare, Find, Eval])
        .also(&[(DataFiles, FOLDER), (DataInfo, FOLDER)])
        .on_resume(OnResume::Free),
    SettingDef::value("model", "NAME", "{} [default: {default}]")
        .choices(|| any_of(Model::ALL.map(Model::name)))
        .of_result(|c, v| v.word().map(|model| c.model = model))
        .also(&[(Eval, "{} [default: the run's, else inferred from the tensors]"), (Bench, "{} [default: {default}]")])
        .fixed("the weights are those of this network"),
    SettingDef::value("dropout", "P", "Dropout before the last linear layer [default: {default}]")
        .of_result(|c, v| v.number("a probability from 0 up to, not including, 1").map(|p| c.dropout = p))
        .check(|c| check_share("dropout", c.dropout))
        .fixed("metrics.csv would mix two experiments"),
    SettingDef::value("lr", "RATE", "Base learning rate [default: the optimizer's usual one]")
        .of_entrant(|c, v| v.number(POSITIVE).map(|lr| c.lr = lr))
        .commands(&[Train, Compare])
        .also(&[
            (Show, "Base learning rate [default: 0.1]"),
            (Diff, "Base learning rate [default: 0.1]"),
            (Export, "Base learning rate [default: the optimizer's usual one]"),
        ])
        .check(|c| check_rate::<f32>("lr", c.lr))
        .on_resume(OnResume::Changes("Continue at this constant rate; with --schedule: the base rate of that schedule")),
    SettingDef::value("semantics", "NAME", "Which framework to follow where they disagree: {} [default: {default}]")
        .choices(|| any_of(Semantics::ALL.map(Semantics::name)))
        .of_entrant(|c, v| v.word().map(|semantics| c.semantics = semantics))
        .commands(&[Train, Compare, Find, Show, Export])
        .fixed("schedule and optimizer were built with it"),
    SettingDef::value("epochs", "N", "Passes over the training images [default: 30; compare 10, on synthetic 2]")
        .of_result(|c, v| v.number(COUNT).map(|epochs| c.epochs = epochs))
        .commands(&[Train, Compare])
        .also(&[
            (Show, "Epochs of the run [default: 30]"),
            (Diff, "Epochs of the run [default: 30]"),
            (Export, "Epochs of the run [default: 30]"),
        ])
        .check(|c| if c.epochs == 0 { usage!("epochs must be at least 1, got 0") } else { Ok(()) })
        .on_resume(OnResume::Changes("Total number of epochs of the run")),
    SettingDef::value("batch-size", "N|full", "Images per update; `full` for batch gradient descent [default: {default}]")
        .of_result(|c, v| v.word().map(|size| c.batch_size = size))
        .fixed("it defines steps and epochs"),
    SettingDef::switch("drop-last", "Leave out the last batch of an epoch if it is smaller than the others")
        .of_result(|c, v| v.switch().map(|on| c.drop_last = on))
        .fixed("it defines steps and epochs"),
    SettingDef::value("seed", "N", "Seed of the initial weights, shuffling, augmentation and dropout [default: {default}]")
        .of_entrant(|c, v| v.number("a whole number from 0 to 9223372036854775807").map(|seed| c.seed = seed))
        .check(|c| c.check_seeds(1))
        .fixed("it determines the order of the images"),
    SettingDef::value("train-limit", "N", "Train on N of the training images, balanced by class [default: all]")
        .of_result(|c, v| v.number("a whole number of images").map(|images| c.train_limit = Some(images)))
        .check(|c| match c.train_limit {
            Some(0) => usage!("train-limit must be at least 1, got 0"),
            _ => Ok(()),
        })
        .unset("all")
        .fixed("the epochs so far are of these images"),
    SettingDef::value(
        "validation",
        "N|test",
        "Training images held out for validation; `test` validates on the test images [default: 5000; synthetic: 1000]",
    )
    .of_result(|c, v| v.word().map(|validation| c.validation = validation))
    .fixed("the epochs so far were validated on these images"),
    SettingDef::value(
        "augment",
        "SPEC",
        "{}; crops take padding=N and padding-mode=constant or reflect: flip-crop:padding=2 [default: flip-crop; synthetic: none]",
    )
        .choices(|| any_of(Augment::names()))
        .of_result(|c, v| v.word().map(|augment| c.augment = augment))
        .fixed("metrics.csv would mix two experiments"),
    SettingDef::value("label-smoothing", "EPS", "Label smoothing: share of the target spread over all classes [default: {default}]")
        .of_result(|c, v| v.number("a share from 0 up to, not including, 1").map(|share| c.label_smoothing = share))
        .check(|c| check_share("label-smoothing", c.label_smoothing))
        .fixed("metrics.csv would mix two experiments"),
    SettingDef::value("clip-norm", "X", "Scale down gradients whose norm over all parameters is above X [default: none]")
        .of_result(|c, v| v.number(POSITIVE).map(|limit| c.clip_norm = Some(limit)))
        .also(&[(Descend, "Scale down gradients whose norm is above X")])
        .unset("none")
        .check(|c| check_clip::<f32>("clip-norm", c.clip_norm))
        .fixed("metrics.csv would mix two experiments"),
    SettingDef::value("clip-value", "X", "Hold every element of the gradients between -X and X; before --clip-norm [default: none]")
        .of_result(|c, v| v.number(POSITIVE).map(|limit| c.clip_value = Some(limit)))
        .also(&[(Descend, "Hold both elements of the gradient between -X and X; before --clip-norm")])
        .unset("none")
        .check(|c| check_clip::<f32>("clip-value", c.clip_value))
        .fixed("metrics.csv would mix two experiments"),
    SettingDef::value(
        "loss-reduction",
        "NAME",
        "What of a batch's losses is differentiated, as in PyTorch: {}; the loss shown is always the mean [default: {default}]",
    )
    .choices(|| any_of(LossReduction::ALL.map(LossReduction::name)))
    .of_result(|c, v| v.word().map(|reduction| c.loss_reduction = reduction))
    .fixed("metrics.csv would mix two experiments"),
    SettingDef::value(
        "tta",
        "NAME",
        "Test-time augmentation, views averaged in the test at the end: {} [default: {default}]",
    )
    .choices(|| any_of(Tta::ALL.map(Tta::name)))
    .of_result(|c, v| v.word().map(|tta| c.tta = tta))
    .commands(&[Train, Compare])
    .also(&[(Eval, "Test-time augmentation: {} [default: on the test images the run's, else none]")])
    .fixed("the run would be judged by another evaluation"),
    SettingDef::value(
        "average",
        "SPEC",
        "Evaluate and save an average of the weights: ema:decay=0.999, swa:from=75%,every=1ep or lookahead:every=5st,alpha=0.5 [default: none]",
    )
    .of_result(|c, v| v.word().map(|average| c.average = Some(average)))
    .commands(&[Train, Compare])
    .unset("none")
    .fixed("the average so far depends on it"),
    SettingDef::value(
        "engine",
        "NAME",
        "{} (cpu: the fused kernels; candle: the reference, on any device) [default: cpu on the CPU]",
    )
    .choices(EngineKind::choices)
    .of_result(|c, v| v.word().map(|engine| c.engine = engine))
    .also(&[(Eval, "{} [default: the run's, else cpu on the CPU]"), (Bench, "{} [default: cpu]")])
    .fixed("another one rounds differently"),
    SettingDef::value("device", "DEVICE", "{} [default: {default}]")
        .choices(|| any_of(DeviceChoice::FORMS))
        .of_result(|c, v| v.word().map(|device| c.device = device))
        .commands(&[Train, Compare, Find, Eval])
        .fixed("another one rounds differently"),
    // How to run it, and what to keep.
    SettingDef::value(
        "threads",
        "N",
        "Threads, at most one per core; results do not depend on their number [default: the cores available to this process]",
    )
    .of_machine(|c, v| {
        c.threads = match v.number(COUNT)? {
            threads @ 1..=MOST_THREADS => threads,
            threads => return usage!("threads must be at least 1 and at most {MOST_THREADS}, got {threads}"),
        };
        Ok(())
    })
    .commands(&[Train, Compare, Find, Eval, Bench])
    .on_resume(OnResume::Free),
    SettingDef::value(
        "jobs",
        "N|auto",
        "Runs at once, each with its share of the threads; auto: one per thread, as far as memory allows [default: auto]",
    )
    .of_machine(|c, v| v.word().map(|jobs| c.jobs = jobs))
    .commands(&[Compare, Find]),
    SettingDef::value(
        "shard",
        "I/N",
        "Train every N-th run only, from the I-th: N processes, on any machines, share a comparison (`lrsched merge` ranks it)",
    )
    .of_machine(|c, v| v.word().map(|shard| c.shard = Some(shard)))
    .commands(&[Compare]),
    BASELINE
        .of_machine(|c, v| {
            c.baseline = Some(v.text().to_string());
            Ok(())
        })
        .commands(&[Compare]),
    SettingDef::path("out", "DIR", "Output folder [default: a new folder in results/]").of_machine(|c, v| {
        c.out = Some(v.folder()?);
        Ok(())
    }),
    SettingDef::switch("force", "Overwrite an earlier run in --out; files of others stay")
        .of_machine(|c, v| v.switch().map(|on| c.force = on))
        .also(&[(
            CommandName::Compare,
            "Start over: remove all runs of an earlier comparison in --out, of other entrants too (with --shard, those of this one); files of others stay",
        )]),
    SettingDef::switch("log-steps", "Log every step to steps.csv")
        .of_result(|c, v| v.switch().map(|on| c.log_steps = on))
        .scope(Scope::Machine)
        .commands(&[Train, Compare])
        .fixed("steps.csv has a row for every step, or none"),
    SettingDef::value(
        "checkpoint-every",
        "N",
        "Also checkpoint at this interval: 500st (steps), 60s, 10min or 1h [default: after each epoch only]",
    )
    .of_machine(|c, v| v.word().map(|every| c.every = Some(every)))
    .commands(&[Train, Compare])
    .on_resume(OnResume::Free),
    SettingDef::value(
        "keep",
        "WHAT",
        "What stays of the weights of a finished run: {} (best: the best checkpoint and the weights at the end, each 9 MB for cnn, and more with \
         the state of the optimizer) [default: all, to be trained longer with `lrsched resume`; compare best]",
    )
    .choices(|| any_of(Keep::ALL.map(Keep::name)))
    .of_machine(|c, v| v.word().map(|keep| c.keep = Some(keep)))
    .commands(&[Train, Compare])
    .on_resume(OnResume::Free),
    SettingDef::switch("tensorboard", "Also write event files for TensorBoard, into tensorboard/ in the run's folder")
        .of_machine(|c, v| v.switch().map(|on| c.tensorboard = on))
        .commands(&[Train, Compare])
        .on_resume(OnResume::Free),
    SettingDef::value(
        "progress",
        "KIND",
        "{} (auto is bar on a terminal and plain elsewhere; plain has a line per epoch, runs a line per run, none only warnings and errors, as --quiet) [default: auto]",
    )
        .choices(|| any_of(ProgressMode::ALL.map(ProgressMode::name)))
        .of_machine(|c, v| v.word().map(|mode| c.progress = mode))
        .on_resume(OnResume::Free),
    SettingDef::switch("json", "Print events to stdout as JSON, one object per line (docs/JSON.md)")
        .of_machine(|c, v| v.switch().map(|on| c.json = on))
        .also(&[(Eval, "One JSON object on stdout"), (Show, "One JSON object, as --format json"), (Bench, "One JSON object on stdout")])
        .on_resume(OnResume::Free),
    SettingDef::switch("print-config", "Print the resolved settings as a config file and exit")
        .of_machine(|c, v| v.switch().map(|on| c.print_config = on))
        .not_in_file(),
    SettingDef::switch(
        "dry-run",
        "Print what would be trained, with an estimate of the time from a few measured steps, and exit; writes nothing",
    )
    .of_machine(|c, v| v.switch().map(|on| c.dry_run = on))
    .commands(&[Compare, Find])
    .not_in_file(),
];

/// Of every command that ranks.
pub const BASELINE: SettingDef =
    SettingDef::value("baseline", "NAME", "Also judge every entrant against this one, such as sgd/constant");

/// The values of `--color`.
pub const COLOURS: [&str; 3] = ["auto", "always", "never"];

/// Settings that every command takes.
pub const GLOBAL: [SettingDef; 2] = [
    SettingDef::switch(
        "quiet",
        "Print no progress, summaries and hints: only warnings, errors, and what the command is for printing",
    ),
    SettingDef::value("color", "WHEN", "When to use colour: {} (auto: on a terminal); respects NO_COLOR")
        .choices(|| any_of(COLOURS)),
];

/// `cnn, resnet9 or airbench94`.
pub fn any_of<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    match names.split_last() {
        Some((last, [])) => (*last).to_string(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

/// A probability below 1 that is 0 or a normal number in f32, the type that training computes in.
fn check_share(name: &str, share: f64) -> Result<(), Usage> {
    if !(0.0..1.0).contains(&share) {
        return usage!("{name} must be from 0 up to, not including, 1, got {}", exact(share));
    }
    if !f32::holds(share) || share as f32 >= 1.0 {
        return usage!("{name} must be 0, or at least {:.2e} and below 1 as f32, got {}", f32::NORMAL.0, exact(share));
    }
    Ok(())
}

/// A limit of gradient clipping is a positive normal number.
pub fn check_clip<T: Float>(name: &str, limit: Option<f64>) -> Result<(), Usage> {
    let Some(limit) = limit else { return Ok(()) };
    check_rate::<T>(name, limit)
        .map_err(|error| Usage(format!("{error}; leave it out for no clipping, or give `none`")))
}
