//! The names of engines and devices.

#![forbid(unsafe_code)]

use crate::usage;
use crate::usage::{Usage, did_you_mean, shortened};
use std::fmt;
use std::str::FromStr;

/// Which engine computes the gradients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EngineKind {
    /// This crate's fused CPU kernels.
    #[default]
    Cpu,
    /// candle's layers and autograd, on any device.
    Candle,
}

/// Where an engine computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeviceChoice {
    #[default]
    Cpu,
    /// An NVIDIA GPU, by index.
    Cuda(usize),
    Metal,
}

impl EngineKind {
    pub const ALL: [Self; 2] = [Self::Cpu, Self::Candle];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Candle => "candle",
        }
    }

    /// The engines of this build.
    pub fn available() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|kind| *kind != Self::Candle || cfg!(feature = "candle"))
    }

    /// `cpu or candle`: the engines of this build, for help texts.
    pub fn choices() -> String {
        Self::available().map(|kind| kind.to_string()).collect::<Vec<_>>().join(" or ")
    }

    /// The fast kernels on the CPU, candle on other devices.
    pub fn for_device(device: DeviceChoice) -> Self {
        if device == DeviceChoice::Cpu { EngineKind::Cpu } else { EngineKind::Candle }
    }
}

impl fmt::Display for EngineKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for EngineKind {
    type Err = Usage;

    fn from_str(text: &str) -> Result<Self, Usage> {
        Self::ALL.into_iter().find(|kind| kind.name() == text).map_or_else(
            || {
                let hint = did_you_mean(text, Self::ALL.map(Self::name));
                usage!("unknown engine `{}`{hint} (engines: cpu, candle)", shortened(text))
            },
            Ok,
        )
    }
}

impl DeviceChoice {
    /// How devices are named.
    pub const FORMS: [&str; 3] = ["cpu", "cuda:N", "metal"];
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeviceChoice::Cpu => f.write_str("cpu"),
            DeviceChoice::Cuda(number) => write!(f, "cuda:{number}"),
            DeviceChoice::Metal => f.write_str("metal"),
        }
    }
}

impl FromStr for DeviceChoice {
    type Err = Usage;

    fn from_str(text: &str) -> Result<Self, Usage> {
        match text.split_once(':').unwrap_or((text, "0")) {
            ("cpu", "0") => Ok(DeviceChoice::Cpu),
            ("metal", "0") => Ok(DeviceChoice::Metal),
            ("cuda", number) if number.parse::<usize>().is_ok() => Ok(DeviceChoice::Cuda(number.parse().unwrap_or(0))),
            _ => {
                let (hint, text) = (did_you_mean(text, ["cpu", "cuda", "metal"]), shortened(text));
                usage!("unknown device `{text}`{hint} (devices: cpu, cuda:N, metal)")
            }
        }
    }
}
