//! Manual changes, in words.

use crate::number::rate;
use crate::record::{Applied, Change, Changed};

/// All changes: `lr 0.02 (constant at 0.02) from epoch 3, epochs 9 from epoch 5`.
pub fn all(changes: &[Change]) -> String {
    let told =
        changes.iter().map(|change| format!("{} {} from epoch {}", change.setting(), change.to_text(), change.epoch));
    told.collect::<Vec<_>>().join(", ")
}

/// One change: `lr 0.02`, `schedule cosine at 0.1`, `epochs 9`.
pub fn shortly(change: &Change) -> String {
    match &change.what {
        Changed::Rate { to: Applied { rate: Some(to), .. }, .. }
        | Changed::Scale { to: Applied { rate: Some(to), .. }, .. } => format!("lr {}", rate(*to)),
        Changed::Schedule { to, .. } => format!("schedule {}", to.origin),
        Changed::Epochs { to: Some(to), .. } => format!("epochs {to}"),
        _ => format!("{} {}", change.setting(), change.to_text()),
    }
}

/// `lr 0.1 to 0.05, by hand at step 12`, for a mark in a chart. Our font has no arrow.
pub fn mark(change: &Change) -> String {
    let Change { step, what, .. } = change;
    if let Changed::Rate { from, to } | Changed::Scale { from, to } = what
        && let (Some(from), Some(to)) = (from.rate, to.rate)
    {
        return format!("lr {} to {}, by hand at step {step}", rate(from), rate(to));
    }
    format!("{} {} to {}, by hand at step {step}", change.setting(), change.from_text(), change.to_text())
}
