//! The ranking for programs: JSON and CSV, a row for each entrant.

use crate::report::analysis::{Analysis, Group, Unit};
use crate::report::entrants::Summary;
use crate::report::escape::csv_text;
use crate::report::tuning::Tuning;
use crate::stats::verdict::Standing;
use serde_json::{Value, json};

/// A name for programs.
fn standing(analysis: &Analysis<'_>) -> &'static str {
    match analysis.standing {
        _ if analysis.entrant.is_screened_out => "screened out",
        Standing::Winner => "winner",
        Standing::NotRuledOut => "not ruled out",
        Standing::RuledOut => "ruled out",
        Standing::NoResult => "no result",
    }
}

/// What the results of a group support claims about: `tuned`, the entrants with whatever their tuning finds; `settings`;
/// or `none`.
fn claim(group: &Group<'_>) -> &'static str {
    match group.unit {
        _ if !group.is_judged => "none",
        Unit::Study => "tuned",
        Unit::Seed => "settings",
    }
}

/// `0.1 0.12 0.1`
fn listed(values: &[f64]) -> String {
    values.iter().map(f64::to_string).collect::<Vec<_>>().join(" ")
}

/// `weight-decay: 2.98e-5 0.001 0.0004; momentum: …`
fn settings(tuning: &Tuning) -> String {
    let chosen = tuning.chosen_settings().into_iter();
    chosen.map(|(parameter, chosen)| format!("{parameter}: {}", chosen.join(" "))).collect::<Vec<_>>().join("; ")
}

/// One object per entrant, group by group, the leader first, with the keys of docs/JSON.md. Unknown values are null.
pub fn ranking(groups: &[Group<'_>]) -> Vec<Value> {
    let entrant = |(group, a): (&Group<'_>, &Analysis<'_>)| {
        let mean = |summary: Option<Summary>| summary.map(|s| s.mean);
        let deviation = |summary: Option<Summary>| summary.and_then(|s| s.deviation);
        let ahead = a.behind_best.map(|difference| difference.share_ahead());
        let tuning = a.entrant.tuning.as_ref();
        let mut object = json!({
            "place": place(a),
            "entrant": a.name,
            "optimizer": a.entrant.optimizer,
            "schedule": a.entrant.schedule,
            "semantics": a.entrant.semantics.name(),
            "lr": a.entrant.lr,
            "n": a.entrant.results().len(),
            "status": a.entrant.status(),
            "val_accuracy": mean(a.val_accuracy),
            "val_accuracy_sd": deviation(a.val_accuracy),
            "test_accuracy": mean(a.test_accuracy),
            "test_accuracy_sd": deviation(a.test_accuracy),
            "best_val_accuracy": mean(a.best_val_accuracy),
            "best_epoch": a.best_epoch,
            "learning_rate_at_best": a.rate_at_best,
            "seconds": mean(a.seconds),
            "behind_best": a.behind_best.map(|difference| difference.mean),
            "verdict": a.verdict,
            "highest_lr": Some(a.entrant.rate).filter(|rate| rate.is_finite()),
            "standing": standing(a),
            "group": group.label,
            "at_chance": a.entrant.at_chance(),
            "validated_on_test": a.entrant.place.on_test,
            "seeds_in_common": a.behind_best.map(|difference| difference.n),
            "margin": a.margin,
            "leader_ahead": ahead.map(|(share, _, _)| share),
            "leader_ahead_low": ahead.map(|(_, low, _)| low),
            "leader_ahead_high": ahead.map(|(_, _, high)| high),
            "seeds_for_power": a.seeds_for_power,
            "beats": a.beats,
            "beaten_by": a.beaten_by,
            "unit": group.unit.name(),
            "claim": claim(group),
            "chosen_peaks": tuning.map(Tuning::peaks),
            "peak_within_a_point": tuning.and_then(Tuning::within_a_point).map(|(low, high)| [low, high]),
            "trials": tuning.map(Tuning::trials),
            "trials_diverged": tuning.map(Tuning::diverged),
            "runs_in_all": tuning.map(|tuning| tuning.runs),
            "epochs_in_all": tuning.map(|tuning| tuning.epochs),
            "expected_best": tuning.map(Tuning::best_so_far),
            "screening_accuracy": mean(a.screening),
        });
        object["chosen_settings"] = json!(tuning.map(Tuning::chosen_settings).filter(|chosen| !chosen.is_empty()));
        if let Some(target) = a.target {
            object["target"] = json!({ "reached": target.reached, "steps": target.steps, "seconds": target.seconds });
        }
        object
    };
    groups.iter().flat_map(|group| group.analyses.iter().map(move |a| (group, a))).map(entrant).collect()
}

/// A column of the CSV: its name, and its cell for an entrant of a group.
type Column = (&'static str, fn(&Group<'_>, &Analysis<'_>) -> String);

const COLUMNS: [Column; 45] = [
    ("entrant", |_, a| csv_text(&a.name)),
    ("optimizer", |_, a| csv_text(a.entrant.optimizer)),
    ("schedule", |_, a| csv_text(a.entrant.schedule)),
    ("semantics", |_, a| a.entrant.semantics.name().to_string()),
    ("lr", |_, a| cell(Some(a.entrant.lr).filter(|lr| lr.is_finite()))),
    ("n", |_, a| a.entrant.results().len().to_string()),
    ("status", |_, a| a.entrant.status()),
    ("val_accuracy", |_, a| mean(a.val_accuracy)),
    ("val_accuracy_sd", |_, a| deviation(a.val_accuracy)),
    ("best_val_accuracy", |_, a| mean(a.best_val_accuracy)),
    ("best_epoch", |_, a| cell(a.best_epoch)),
    ("learning_rate_at_best", |_, a| cell(a.rate_at_best)),
    ("test_accuracy", |_, a| mean(a.test_accuracy)),
    ("test_accuracy_sd", |_, a| deviation(a.test_accuracy)),
    ("generalisation_gap", |_, a| mean(a.gap)),
    ("area_under_curve", |_, a| mean(a.area)),
    ("seconds", |_, a| mean(a.seconds)),
    ("behind_best", |_, a| cell(a.behind_best.map(|difference| difference.mean))),
    ("target_reached", |_, a| count(a.target.map(|target| target.reached))),
    ("steps_to_target", |_, a| cell(a.target.and_then(|target| target.steps))),
    ("seconds_to_target", |_, a| cell(a.target.and_then(|target| target.seconds))),
    ("verdict", |_, a| csv_text(&a.verdict)),
    ("highest_lr", |_, a| cell(Some(a.entrant.rate).filter(|rate| rate.is_finite()))),
    ("standing", |_, a| standing(a).to_string()),
    ("group", |group, _| csv_text(group.label)),
    ("place", |_, a| count(place(a))),
    ("at_chance", |_, a| a.entrant.at_chance().to_string()),
    ("validated_on_test", |_, a| a.entrant.place.on_test.to_string()),
    ("seeds_in_common", |_, a| count(a.behind_best.map(|difference| difference.n))),
    ("margin", |_, a| cell(a.margin)),
    ("leader_ahead", |_, a| cell(ahead(a).map(|(share, _, _)| share))),
    ("leader_ahead_low", |_, a| cell(ahead(a).map(|(_, low, _)| low))),
    ("leader_ahead_high", |_, a| cell(ahead(a).map(|(_, _, high)| high))),
    ("seeds_for_power", |_, a| count(a.seeds_for_power)),
    ("unit", |group, _| group.unit.name().to_string()),
    ("claim", |group, _| claim(group).to_string()),
    ("chosen_peaks", |_, a| tuning(a).map_or(String::new(), |tuning| listed(&tuning.peaks()))),
    ("peak_low", |_, a| cell(within(a).map(|(low, _)| low))),
    ("peak_high", |_, a| cell(within(a).map(|(_, high)| high))),
    ("trials", |_, a| count(tuning(a).map(Tuning::trials))),
    ("trials_diverged", |_, a| count(tuning(a).map(Tuning::diverged))),
    ("runs_in_all", |_, a| count(tuning(a).map(|tuning| tuning.runs))),
    ("epochs_in_all", |_, a| count(tuning(a).map(|tuning| tuning.epochs))),
    ("screening_accuracy", |_, a| mean(a.screening)),
    ("chosen_settings", |_, a| tuning(a).map_or(String::new(), settings)),
];

/// One row per entrant; unknown values are empty cells.
pub(super) fn csv(groups: &[Group<'_>]) -> anyhow::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(COLUMNS.map(|(name, _)| name))?;
    for (group, a) in groups.iter().flat_map(|group| group.analyses.iter().map(move |a| (group, a))) {
        writer.write_record(COLUMNS.map(|(_, cell)| cell(group, a)))?;
    }
    Ok(writer.into_inner()?)
}

fn cell(value: Option<f64>) -> String {
    value.map_or(String::new(), |value| value.to_string())
}

fn count(value: Option<usize>) -> String {
    value.map_or(String::new(), |value| value.to_string())
}

fn mean(summary: Option<Summary>) -> String {
    cell(summary.map(|summary| summary.mean))
}

fn deviation(summary: Option<Summary>) -> String {
    cell(summary.and_then(|summary| summary.deviation))
}

/// `None` of an entrant that nothing has ranked yet: neither a result nor its screening.
fn place(a: &Analysis<'_>) -> Option<usize> {
    Some(a.place).filter(|_| a.standing != Standing::NoResult || a.entrant.is_screened_out)
}

/// How often the leader is ahead, with the interval.
fn ahead(a: &Analysis<'_>) -> Option<(f64, f64, f64)> {
    a.behind_best.map(|difference| difference.share_ahead())
}

fn tuning<'a>(a: &'a Analysis<'_>) -> Option<&'a Tuning> {
    a.entrant.tuning.as_ref()
}

fn within(a: &Analysis<'_>) -> Option<(f64, f64)> {
    tuning(a).and_then(Tuning::within_a_point)
}
