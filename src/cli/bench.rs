//! `lrsched bench`: the speed of training steps on this machine, and where the time goes.

use super::session::Session;
use super::{flags, settings};
use crate::config::settings::COUNT;
use crate::config::{CommandName, SettingDef};
use crate::engine::EngineKind;
use crate::engine::cpu::{OperationKind, OperationTime};
use crate::experiment::bench::{BenchOptions, Measured, bench};
use crate::model::{Model, ModelOptions};
use crate::number::counted;
use crate::optim::OptimizerSpec;
use crate::stats::median;
use crate::usage;
use crate::usage::Usage;
use anyhow::Result;
use clap::{ArgMatches, Command};
use serde_json::json;
use std::time::Duration;

const USUAL_OPTIMIZER: &str = "sgd:momentum=0.9";
/// More steps or images add no information, and a mistyped number should not take a day or all memory.
const MOST_STEPS: usize = 1_000_000;
const MOST_IMAGES: usize = 65_536;

const OWN: &[SettingDef] = &[
    SettingDef::value("batch-size", "N", "Images per step [default: 128]"),
    SettingDef::value("steps", "N", "Steps to measure [default: 30]"),
    SettingDef::value(
        "optimizer",
        "SPEC",
        "Optimizer of the step, such as muon:ns-steps=3 [default: sgd:momentum=0.9]",
    ),
    SettingDef::switch("layers", "Time and GFLOPS of each operation (cpu engine)"),
];

pub fn command() -> Command {
    let command = Command::new(CommandName::Bench.name())
        .about("Measure how fast a step of training is: images/s, GFLOPS, and where the time goes")
        .after_help(
            "A step is what `train` does: an augmented batch of random images from the loader, forward, backward, optimizer\n\
             (at a rate of 1e-6 whatever it says; what muon cannot update falls to adamw).\n\
             GFLOPS count convolutions by their definition (2 operations a multiply-add), however they are computed.\n\
             Example: lrsched bench --model airbench94 --batch-size 500 --layers",
        );
    settings::with_flags(command, CommandName::Bench, OWN)
}

/// Measures and prints.
///
/// # Errors
/// An unknown model or engine, `--layers` with another engine than `cpu`, or an engine that fails.
pub fn run(matches: &ArgMatches) -> Result<u8> {
    let session = Session::listen()?;
    let given = flags::gather(&command(), matches);
    let model: Model = given.parse_own("model")?.unwrap_or_default();
    let kind: EngineKind = given.parse_own("engine")?.unwrap_or_default();
    let layers = given.switch("layers")?;
    if layers && kind != EngineKind::Cpu {
        return usage!("--layers measures the cpu engine only; leave out `--engine {kind}`");
    }
    let count = |name: &str, most: usize, usual: usize| -> Result<usize, Usage> {
        match given.parse(name, COUNT)?.unwrap_or(usual) {
            count if (1..=most).contains(&count) => Ok(count),
            count => usage!("{name} must be from 1 to {most}, got {count}"),
        }
    };
    let (batch, steps) = (count("batch-size", MOST_IMAGES, 128)?, count("steps", MOST_STEPS, 30)?);
    let threads = settings::machine(&given, CommandName::Bench)?.threads;

    let architecture = model.architecture(&ModelOptions::default());
    let optimizer: OptimizerSpec = match given.parse_own("optimizer")? {
        Some(optimizer) => optimizer,
        None => USUAL_OPTIMIZER.parse()?,
    };
    let name = optimizer.to_string();
    let options = BenchOptions { architecture, optimizer, batch, steps, engine: kind, threads };
    let measured = bench(&options, &session.control)?;
    if let Some(stop) = session.control.stopping() {
        super::tell("stopped before enough was measured");
        return Ok(stop.exit_code());
    }
    let engine_text = match kind {
        EngineKind::Cpu => format!("cpu engine ({})", measured.kernels),
        EngineKind::Candle => "candle engine".to_string(),
    };
    let times = &measured.operations;
    let step = median(&measured.steps).unwrap_or(f64::NAN);
    let fastest = measured.steps.iter().copied().fold(f64::INFINITY, f64::min);
    let direct = giga_operations(times, batch) / step;
    if given.switch("json")? {
        let speed = Speed { step, fastest, direct };
        out!("{}", json(&measured, &speed, &name, (model, batch, kind, threads)));
        return Ok(0);
    }
    let (threads, steps_made) = (counted(threads as u64, "thread"), counted(steps as u64, "step"));
    let of = format!("{model}, batch {batch}, {name}, {engine_text}, {threads}, {steps_made}");
    let images = batch as f64 / step;
    let speed = format!("{images:.0} images/s: median step {:.2} ms, fastest {:.2} ms", 1e3 * step, 1e3 * fastest);
    let peak =
        measured.peak.map_or(String::new(), |peak| format!(" (tiles multiply less); the cores can do {peak:.0}"));
    let operations = format!("{direct:.0} GFLOPS, counted as direct convolutions{peak}");
    let shares = shares(&measured, kind);
    super::say(&settings::sentences(&format!("{of}\n{speed}\n{operations}\n{shares}")))?;
    if layers {
        out!("");
        table(times, batch, steps)?;
    }
    Ok(0)
}

/// What a step takes, in seconds, and 10⁹ operations in a second of the median one.
struct Speed {
    step: f64,
    fastest: f64,
    direct: f64,
}

/// One object, with the time of every operation if the engine knows it.
fn json(
    measured: &Measured,
    speed: &Speed,
    optimizer: &str,
    run: (Model, usize, EngineKind, usize),
) -> serde_json::Value {
    let (model, batch, engine, threads) = run;
    let made = measured.steps.len().max(1) as f64;
    let operation = |time: &OperationTime| {
        json!({
            "operation": time.name,
            "forward_seconds": time.forward.as_secs_f64() / made,
            "backward_seconds": time.backward.as_secs_f64() / made,
            "forward_multiply_adds": time.forward_multiply_adds * batch,
            "backward_multiply_adds": time.backward_multiply_adds * batch,
        })
    };
    let operations = if engine == EngineKind::Cpu { measured.operations.as_slice() } else { &[] };
    json!({
        "event": "bench",
        "model": model.name(),
        "batch_size": batch,
        "optimizer": optimizer,
        "engine": engine.name(),
        "kernels": measured.kernels,
        "threads": threads,
        "steps": measured.steps.len(),
        "images_per_second": batch as f64 / speed.step,
        "median_step_seconds": speed.step,
        "fastest_step_seconds": speed.fastest,
        "gflops": speed.direct,
        "peak_gflops": measured.peak,
        "update_seconds": measured.times.update.as_secs_f64() / made,
        "loading_seconds": measured.times.loading.as_secs_f64() / made,
        "operations": operations.iter().map(operation).collect::<Vec<_>>(),
    })
}

/// 10⁹ operations per step.
fn giga_operations(times: &[OperationTime], batch: usize) -> f64 {
    let multiply_adds: usize = times.iter().map(|time| time.forward_multiply_adds + time.backward_multiply_adds).sum();
    2e-9 * multiply_adds as f64 * batch as f64
}

/// `convolution 78 %, linear 14 %, …`: shares of the time of all steps.
fn shares(measured: &Measured, kind: EngineKind) -> String {
    let Measured { times, operations, .. } = measured;
    let total: f64 = measured.steps.iter().sum();
    let share = |name: &str, time: Duration| format!("{name} {:.1} %", 100.0 * time.as_secs_f64() / total);
    let mut parts = Vec::new();
    if kind == EngineKind::Cpu {
        let of = |kind: OperationKind| {
            operations
                .iter()
                .filter(|time| time.kind == kind)
                .map(|time| time.forward + time.backward)
                .sum::<Duration>()
        };
        parts.push(share("convolution", of(OperationKind::Convolution)));
        parts.push(share("linear", of(OperationKind::Linear)));
        parts.push(share("elementwise", of(OperationKind::Elementwise)));
        let inside: Duration = operations.iter().map(|time| time.forward + time.backward).sum();
        // Besides the loss: transforming the weights, adding up their gradients, and threads that wait for each other.
        parts.push(share("loss, weights and waiting", times.gradients.saturating_sub(inside)));
    } else {
        parts.push(share("forward and backward", times.gradients));
    }
    parts.push(share("optimizer", times.update));
    parts.push(share("waiting for images", times.loading));
    parts.join(", ")
}

fn table(times: &[OperationTime], batch: usize, steps: usize) -> Result<()> {
    out!("{:<26} {:>12} {:>8} {:>12} {:>8}", "operation", "forward ms", "GFLOPS", "backward ms", "GFLOPS");
    for time in times {
        let row = |time: Duration, multiply_adds: usize| {
            let seconds = time.as_secs_f64() / steps as f64;
            let speed = match multiply_adds {
                0 => String::new(),
                _ => format!("{:.0}", 2e-9 * (multiply_adds * batch) as f64 / seconds),
            };
            format!("{:>12.3} {speed:>8}", 1e3 * seconds)
        };
        let forward = row(time.forward, time.forward_multiply_adds);
        let backward = row(time.backward, time.backward_multiply_adds);
        out!("{:<26} {forward} {backward}", time.name);
    }
    Ok(())
}
