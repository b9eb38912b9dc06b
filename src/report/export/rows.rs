//! The ranking for programs: JSON and CSV, a row for each entrant.

use crate::report::analysis::{Analysis, Group, Unit};
use crate::report::entrants::Summary;
use crate::report::escape::csv_text;
use crate::report::tuning::Tuning;
use crate::stats::verdict::{FEWEST, Standing};
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
        _ if group.most_in_common() < FEWEST => "none",
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

/// One object per entrant, group by group, the leader first, with the keys of docs/JSON.md: columns of the CSV, `beats` and
/// `beaten_by`. Unknown values are null.
pub fn ranking(groups: &[Group<'_>]) -> Vec<Value> {
    let entrant = |(group, a): (&Group<'_>, &Analysis<'_>)| {
        let mean = |summary: Option<Summary>| summary.map(|s| s.mean);
        let deviation = |summary: Option<Summary>| summary.and_then(|s| s.deviation);
        let ahead = a.behind_best.map(|difference| difference.share_ahead());
        let tuning = a.entrant.tuning.as_ref();
        let mut object = json!({
            "place": a.place,
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

/// One row per entrant; unknown values are empty cells.
pub(super) fn csv(groups: &[Group<'_>]) -> anyhow::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record([
        "entrant",
        "optimizer",
        "schedule",
        "semantics",
        "lr",
        "n",
        "status",
        "val_accuracy",
        "val_accuracy_sd",
        "best_val_accuracy",
        "best_epoch",
        "learning_rate_at_best",
        "test_accuracy",
        "test_accuracy_sd",
        "generalisation_gap",
        "area_under_curve",
        "seconds",
        "behind_best",
        "target_reached",
        "steps_to_target",
        "seconds_to_target",
        "verdict",
        "highest_lr",
        "standing",
        "group",
        "place",
        "at_chance",
        "validated_on_test",
        "seeds_in_common",
        "margin",
        "leader_ahead",
        "leader_ahead_low",
        "leader_ahead_high",
        "seeds_for_power",
        "unit",
        "claim",
        "chosen_peaks",
        "peak_low",
        "peak_high",
        "trials",
        "trials_diverged",
        "runs_in_all",
        "epochs_in_all",
        "screening_accuracy",
        "chosen_settings",
    ])?;
    let cell = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
    for (group, a) in groups.iter().flat_map(|group| group.analyses.iter().map(move |a| (group, a))) {
        let count = |value: Option<usize>| value.map_or(String::new(), |value| value.to_string());
        let ahead = a.behind_best.map(|difference| difference.share_ahead());
        let tuning = a.entrant.tuning.as_ref();
        let within = tuning.and_then(Tuning::within_a_point);
        let mean = |summary: Option<Summary>| cell(summary.map(|s| s.mean));
        let deviation = |summary: Option<Summary>| cell(summary.and_then(|s| s.deviation));
        writer.write_record([
            csv_text(&a.name),
            csv_text(a.entrant.optimizer),
            csv_text(a.entrant.schedule),
            a.entrant.semantics.name().to_string(),
            cell(Some(a.entrant.lr).filter(|lr| lr.is_finite())),
            a.entrant.results().len().to_string(),
            a.entrant.status(),
            mean(a.val_accuracy),
            deviation(a.val_accuracy),
            mean(a.best_val_accuracy),
            cell(a.best_epoch),
            cell(a.rate_at_best),
            mean(a.test_accuracy),
            deviation(a.test_accuracy),
            mean(a.gap),
            mean(a.area),
            mean(a.seconds),
            cell(a.behind_best.map(|difference| difference.mean)),
            count(a.target.map(|target| target.reached)),
            cell(a.target.and_then(|target| target.steps)),
            cell(a.target.and_then(|target| target.seconds)),
            csv_text(&a.verdict),
            cell(Some(a.entrant.rate).filter(|rate| rate.is_finite())),
            standing(a).to_string(),
            csv_text(group.label),
            a.place.to_string(),
            a.entrant.at_chance().to_string(),
            a.entrant.place.on_test.to_string(),
            count(a.behind_best.map(|difference| difference.n)),
            cell(a.margin),
            cell(ahead.map(|(share, _, _)| share)),
            cell(ahead.map(|(_, low, _)| low)),
            cell(ahead.map(|(_, _, high)| high)),
            count(a.seeds_for_power),
            group.unit.name().to_string(),
            claim(group).to_string(),
            tuning.map_or(String::new(), |tuning| listed(&tuning.peaks())),
            cell(within.map(|(low, _)| low)),
            cell(within.map(|(_, high)| high)),
            count(tuning.map(Tuning::trials)),
            count(tuning.map(Tuning::diverged)),
            count(tuning.map(|tuning| tuning.runs)),
            count(tuning.map(|tuning| tuning.epochs)),
            mean(a.screening),
            tuning.map_or(String::new(), settings),
        ])?;
    }
    Ok(writer.into_inner()?)
}
