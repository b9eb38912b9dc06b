//! Checks that an engine and device are available, and builds the engine.

#![forbid(unsafe_code)]

#[cfg(feature = "candle")]
use super::candle::{CandleEngine, open};
use super::cpu::CpuEngine;
use super::kind::{DeviceChoice, EngineKind};
use super::{Engine, Objective};
use crate::model::Architecture;
use crate::usage;
use crate::usage::Usage;
use anyhow::Result;

/// # Errors
/// This build lacks `feature`; the message says how to rebuild.
fn built_with(what: &str, feature: &str, built_in: bool) -> Result<(), Usage> {
    if built_in {
        return Ok(());
    }
    usage!("{what}: this build is without {feature}; rebuild with `cargo build --release --features {feature}`")
}

/// Performs the engine and device checks of [`build`] without a network.
///
/// # Errors
/// The fast engine on a device other than the CPU, or an unavailable device.
pub fn check(kind: EngineKind, device: DeviceChoice) -> Result<()> {
    if kind == EngineKind::Cpu && device != DeviceChoice::Cpu {
        return usage!("the cpu engine computes on the CPU, not on {device}; use `--engine candle`");
    }
    match device {
        DeviceChoice::Cpu => {}
        DeviceChoice::Cuda(_) => built_with(&format!("device {device}"), "cuda", cfg!(feature = "cuda"))?,
        DeviceChoice::Metal => built_with(&format!("device {device}"), "metal", cfg!(feature = "metal"))?,
    }
    if kind == EngineKind::Cpu {
        return Ok(());
    }
    built_with("engine candle", "candle", cfg!(feature = "candle"))?;
    #[cfg(feature = "candle")]
    open(device)?;
    Ok(())
}

/// Builds the engine for one network.
///
/// # Errors
/// The fast engine on a device other than the CPU, an unavailable device, or layers that do not fit together.
pub fn build(
    kind: EngineKind,
    device: DeviceChoice,
    architecture: &Architecture,
    objective: Objective,
    threads: usize,
) -> Result<Box<dyn Engine>> {
    check(kind, device)?;
    #[cfg(feature = "candle")]
    if kind == EngineKind::Candle {
        return Ok(Box::new(CandleEngine::new(architecture, objective, open(device)?, threads)?));
    }
    Ok(Box::new(CpuEngine::new(architecture, objective, threads)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_build_is_without_says_how_to_rebuild() {
        for (kind, device, feature, built_in) in [
            (EngineKind::Candle, "cuda:1", "cuda", cfg!(feature = "cuda")),
            (EngineKind::Candle, "metal", "metal", cfg!(feature = "metal")),
            (EngineKind::Candle, "cpu", "candle", cfg!(feature = "candle")),
        ] {
            let device: DeviceChoice = device.parse().unwrap();
            if !built_in {
                let error = check(kind, device).unwrap_err();
                assert!(
                    error.is::<Usage>() && error.to_string().contains(&format!("--features {feature}`")),
                    "{error}"
                );
            }
        }
        assert!(check(EngineKind::Cpu, DeviceChoice::Cpu).is_ok());
        assert_eq!(check(EngineKind::Candle, DeviceChoice::Cpu).is_ok(), cfg!(feature = "candle"));
    }

    #[test]
    fn a_device_is_read_as_it_is_shown() {
        for name in ["cpu", "cuda:1", "metal"] {
            assert_eq!(name.parse::<DeviceChoice>().unwrap().to_string(), name);
        }
        assert!("cuda:x".parse::<DeviceChoice>().is_err());
        assert!("tpu".parse::<DeviceChoice>().is_err());
    }
}
