//! Opens a device and builds an engine.

#![forbid(unsafe_code)]

use super::candle::CandleEngine;
use super::cpu::CpuEngine;
use super::kind::{DeviceChoice, EngineKind};
use super::{Engine, Objective};
use crate::model::Architecture;
use crate::usage;
use anyhow::{Context, Result};
use candle_core::Device;

impl DeviceChoice {
    /// # Errors
    /// The build lacks support for the device (the message says how to rebuild), or the device does not respond.
    fn open(self) -> Result<Device> {
        let (built_in, feature) = match self {
            DeviceChoice::Cpu => return Ok(Device::Cpu),
            DeviceChoice::Cuda(_) => (cfg!(feature = "cuda"), "cuda"),
            DeviceChoice::Metal => (cfg!(feature = "metal"), "metal"),
        };
        if !built_in {
            return usage!(
                "device {self}: this build is without {feature}; rebuild with `cargo build --release --features {feature}`"
            );
        }
        let opened = match self {
            DeviceChoice::Cuda(number) => Device::new_cuda(number),
            DeviceChoice::Metal | DeviceChoice::Cpu => Device::new_metal(0),
        };
        opened.with_context(|| format!("device {self} does not respond"))
    }
}

/// Performs the engine and device checks of [`build`] without a network.
///
/// # Errors
/// The fast engine on a device other than the CPU, or an unavailable device.
pub fn check(kind: EngineKind, device: DeviceChoice) -> Result<()> {
    if kind == EngineKind::Cpu && device != DeviceChoice::Cpu {
        return usage!("the cpu engine computes on the CPU, not on {device}; use `--engine candle`");
    }
    device.open().map(drop)
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
    Ok(match kind {
        EngineKind::Candle => Box::new(CandleEngine::new(architecture, objective, device.open()?, threads)?),
        EngineKind::Cpu => Box::new(CpuEngine::new(architecture, objective, threads)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usage::Usage;

    #[test]
    fn a_device_that_the_build_is_without_says_how_to_rebuild() {
        for (name, feature, built_in) in
            [("cuda:1", "cuda", cfg!(feature = "cuda")), ("metal", "metal", cfg!(feature = "metal"))]
        {
            let device: DeviceChoice = name.parse().unwrap();
            assert_eq!(device.to_string(), name);
            if !built_in {
                let error = device.open().unwrap_err();
                assert!(error.is::<Usage>() && error.to_string().contains(&format!("--features {feature}")), "{error}");
            }
        }
        assert!("cuda:x".parse::<DeviceChoice>().is_err());
        assert!("tpu".parse::<DeviceChoice>().is_err());
    }
}
