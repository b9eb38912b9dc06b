//! The ranking of a report as a picture shows it: what is claimed of each entrant, and on which results.

use super::analysis::{Analysis, Group, Unit};
use super::chart::{Claim, RankedGroup, RankedRow, Ranking};
use super::entrants::Summary;
use super::table::{MOST_ROWS, percent};
use crate::stats::distribution::student_t_quantile;
use crate::stats::verdict::{FEWEST, Standing};

/// What the dots and bars are.
fn note(groups: &[Group<'_>]) -> String {
    let (results, same) = match groups.first().map_or(Unit::Seed, |group| group.unit) {
        Unit::Seed => ("single results", "seeds"),
        Unit::Study => ("results of single studies", "studies"),
    };
    let (under_way, over): (Vec<_>, Vec<_>) = groups.iter().partition(|group| group.under_way);
    let mut note = format!(
        "Peak: the highest rate; if it was tuned, the median of the chosen ones (lowest to highest). Dots: the {results}."
    );
    if !over.is_empty() || under_way.is_empty() {
        note += &format!(
            " Bars: the 95 % interval of each mean on its own (Student's t), from three {same} on. Verdicts compare in pairs with \
             the same {same}: intervals that overlap do not mean that nothing is claimed."
        );
    }
    if !under_way.is_empty() {
        note += " Intervals are drawn once no run is missing.";
    }
    note
}

/// The ranking of all groups.
pub fn of(groups: &[Group<'_>], title: &str) -> Ranking {
    let ranked = |group: &Group<'_>| RankedGroup {
        label: group.label.to_string(),
        rows: group
            .analyses
            .iter()
            .zip(claims(group))
            .take(MOST_ROWS)
            .map(|(analysis, claim)| row(analysis, claim, group.under_way))
            .collect(),
        more: group.analyses.len().saturating_sub(MOST_ROWS),
    };
    Ranking { title: title.to_string(), groups: groups.iter().map(ranked).collect(), note: note(groups) }
}

fn row(analysis: &Analysis<'_>, claim: Claim, under_way: bool) -> RankedRow {
    let entrant = &analysis.entrant;
    // A grid has it in the name.
    let is_own = entrant.rate.to_bits() == entrant.lr.to_bits();
    let in_percent = |value: f64| value * 100.0;
    let results: Vec<f64> = entrant.results().into_values().map(in_percent).collect();
    let is_told = entrant.rate.is_finite() && !(is_own && analysis.short.contains(&entrant.own_rate()));
    let peak = |rate: String| if is_told { format!("peak {rate}") } else { String::new() };
    RankedRow {
        name: analysis.short.clone(),
        under: if analysis.name == analysis.short { String::new() } else { analysis.name.clone() },
        rate: peak(entrant.rate_text()),
        short_rate: peak(entrant.short_rate_text()),
        value: match analysis.screening.filter(|_| entrant.is_screened_out) {
            Some(screening) => format!("screening: {}", percent(Some(screening))),
            None => percent(analysis.val_accuracy),
        },
        mean: analysis.val_accuracy.map(|summary| in_percent(summary.mean)),
        // One that is looked at again and again while results come in excludes the truth too often.
        interval: interval(analysis.val_accuracy.filter(|_| !under_way))
            .map(|(low, high)| (in_percent(low), in_percent(high))),
        dots: Some(results).filter(|results| results.len() > 1).unwrap_or_default(),
        claim,
    }
}

/// The 95 % interval of the mean, as far as it is an accuracy; `None` with fewer than three results.
fn interval(summary: Option<Summary>) -> Option<(f64, f64)> {
    let Summary { mean, deviation: Some(deviation), n } = summary? else { return None };
    let half = student_t_quantile(0.975, n as u32 - 1) * deviation / (n as f64).sqrt();
    (n >= FEWEST).then_some(((mean - half).max(0.0), (mean + half).min(1.0)))
}

/// What is claimed of each entrant of a group.
pub fn claims(group: &Group<'_>) -> Vec<Claim> {
    let claim = |analysis: &Analysis<'_>| match analysis.standing {
        _ if analysis.entrant.is_screened_out => Claim::ScreenedOut,
        Standing::Winner => Claim::Winner,
        Standing::RuledOut => Claim::RuledOut,
        // The leader may be the best if somebody else can be compared with it.
        Standing::NotRuledOut if analysis.place == 1 && group.is_judged => Claim::MayBeBest,
        Standing::NotRuledOut if analysis.margin.is_some() => Claim::MayBeBest,
        Standing::NotRuledOut | Standing::NoResult => Claim::None,
    };
    group.analyses.iter().map(claim).collect()
}
