//! The curves that frameworks have classes for, with resolved numbers.

/// A curve that some framework has a class for. Durations are in steps.
#[derive(Debug, Clone, PartialEq)]
pub enum Known {
    Constant {
        lr: f64,
    },
    /// lr·factor^⌊(t + ahead) / every⌋.
    Stairs {
        lr: f64,
        factor: f64,
        every: u64,
        ahead: u64,
    },
    /// `values[i]` from step `starts[i − 1]` on; lr·factor^i if there is a factor.
    Pieces {
        starts: Vec<u64>,
        values: Vec<f64>,
        factor: Option<f64>,
    },
    /// lr·rate^(t / steps), with or without a floor.
    Exponential {
        lr: f64,
        rate: f64,
        steps: u64,
        staircase: bool,
    },
    /// lr / (1 + decay·t / steps), with or without a floor.
    InverseTime {
        lr: f64,
        decay: f64,
        steps: u64,
        staircase: bool,
    },
    /// end + (lr − end)·(1 − t / over)^power.
    Polynomial {
        lr: f64,
        end: f64,
        power: f64,
        over: u64,
        cycle: bool,
    },
    /// end + (lr − end)·(1 + cos(π·t / over)) / 2, held after `over` unless it is periodic.
    Cosine {
        lr: f64,
        end: f64,
        over: u64,
        periodic: bool,
    },
    /// Cosines of growing periods.
    Restarts {
        lr: f64,
        end: f64,
        period: u64,
        period_mult: f64,
        lr_mult: f64,
    },
    /// Linear cycles between lr and max.
    Cyclic {
        lr: f64,
        max: f64,
        up: u64,
        down: u64,
        swing: Swing,
        momentum: Option<Cycled>,
    },
    /// PyTorch's one-cycle, or optax's, which peaks and ends a step later.
    OneCycle {
        max: f64,
        total: u64,
        pct_start: f64,
        div_factor: f64,
        final_div_factor: f64,
        linear: bool,
        three_phase: bool,
        optax: bool,
        momentum: Option<Cycled>,
    },
    /// A drop where a metric stops to improve.
    Plateau {
        lr: f64,
        factor: f64,
        patience: u64,
        threshold: f64,
        relative: bool,
        cooldown: u64,
        min_lr: f64,
        monitor: crate::Metric,
        semantics: crate::Semantics,
    },
}

impl Known {
    /// The base rate, which frameworks take from the optimizer; `None` if it does not matter.
    pub fn lr(&self) -> Option<f64> {
        match *self {
            Self::Constant { lr }
            | Self::Stairs { lr, .. }
            | Self::Exponential { lr, .. }
            | Self::InverseTime { lr, .. }
            | Self::Polynomial { lr, .. }
            | Self::Cosine { lr, .. }
            | Self::Restarts { lr, .. }
            | Self::Cyclic { lr, .. }
            | Self::Plateau { lr, .. } => Some(lr),
            Self::Pieces { ref values, .. } => values.first().copied(),
            Self::OneCycle { .. } => None,
        }
    }
}

/// How the amplitude of a cycle changes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Swing {
    Full,
    /// Halved each cycle.
    Halved,
    /// gamma^t.
    Gamma(f64),
}

/// Momentum that cycles against the rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cycled {
    /// At the highest rate.
    pub base: f64,
    /// At the lowest rate.
    pub max: f64,
}
