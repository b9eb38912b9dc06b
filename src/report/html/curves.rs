//! The curves as data for the script of the page.

use super::{Page, trials};
use crate::number::rounded;
use crate::report::chart::{Mark, Panel, Quantity, Series};
use crate::report::entrants::EntrantRuns;
use crate::report::escape::escape;
use serde_json::{Value, json};

/// All charts that the script draws.
pub fn charts(page: &Page<'_>) -> Vec<Value> {
    let entrants: Vec<&EntrantRuns<'_>> = page.analyses().map(|analysis| &analysis.entrant).collect();
    let curves = page.figure.panels.iter().enumerate().map(|(i, panel)| curve_chart(i, panel, &entrants));
    let best = page.trials.best.as_ref().map(trials::best_chart);
    let ranges = page.loaded.ranges.iter().zip(page.suggestions).enumerate();
    let groups = page.group_rates.and_then(|figure| figure.panels.first()).map(group_chart);
    curves.chain(groups).chain(best).chain(ranges.flat_map(|(i, (tests, said))| tests.charts(i, said))).collect()
}

/// Where on the page a chart stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    Curves,
    RangeTests,
}

/// The identifier of the chart of parameter groups, whose lines are not those of the entrants.
const GROUPS: &str = "groups";

impl Section {
    pub fn has(self, chart: &Value) -> bool {
        let is_curve = chart["shared"] == json!(true) || chart["id"] == json!(GROUPS);
        is_curve == (self == Self::Curves)
    }
}

/// The rates of parameter groups.
fn group_chart(panel: &Panel) -> Value {
    let mut chart = rate_chart(0, panel);
    (chart["id"], chart["shared"]) = (json!(GROUPS), json!(false));
    chart
}

/// The lines of a panel as arrays indexed by epoch.
fn curve_chart(place: usize, panel: &Panel, entrants: &[&EntrantRuns<'_>]) -> Value {
    if panel.quantity == Some(Quantity::LearningRate) {
        return rate_chart(place, panel);
    }
    let last =
        panel.series.iter().filter_map(|series| series.points.last()).fold(0.0_f64, |a, point| a.max(point.0)) as usize;
    let series: Vec<Value> = panel
        .series
        .iter()
        .zip(entrants)
        .enumerate()
        .filter(|(_, (series, _))| !series.points.is_empty())
        .map(|(i, (series, entrant))| {
            let (mut mean, mut spread) = (vec![f64::NAN; last + 1], vec![f64::NAN; last + 1]);
            series.points.iter().for_each(|&(epoch, value)| mean[epoch as usize] = value);
            series.band.iter().for_each(|&(epoch, lower, upper)| spread[epoch as usize] = (upper - lower) / 2.0);
            let n = entrant.finished().count().max(1);
            let mut line = json!({ "i": i, "name": series.name, "n": n, "y": numbers(&mean) });
            if !series.band.is_empty() {
                line["s"] = numbers(&spread);
            }
            line
        })
        .collect();
    let epochs: Vec<f64> = (0..=last).map(|epoch| epoch as f64).collect();
    json!({
        "id": format!("curve{place}"), "title": panel.title, "shared": true, "kind": panel.quantity.map(Quantity::kind), "logx": false,
        "xlabel": panel.x_label, "ylabel": panel.y_label, "x": numbers(&epochs), "series": series,
        "marks": curve_marks(panel),
    })
}

fn curve_marks(panel: &Panel) -> Vec<Value> {
    let of = |mark: &Mark| panel.series.iter().position(|series| series.name == mark.series);
    panel.marks.iter().map(|mark| json!({ "x": mark.at, "label": mark.label, "i": of(mark) })).collect()
}

/// Rates change within epochs, so each line has its own x values.
fn rate_chart(place: usize, panel: &Panel) -> Value {
    let line = |(i, series): (usize, &Series)| {
        let (x, y): (Vec<f64>, Vec<f64>) = series.points.iter().copied().unzip();
        json!({ "i": i, "name": series.name, "x": numbers(&x), "y": numbers(&y) })
    };
    let drawn = panel.series.iter().enumerate().filter(|(_, series)| !series.points.is_empty());
    json!({
        "id": format!("curve{place}"), "title": panel.title, "shared": true, "kind": Quantity::LearningRate.kind(), "logx": false,
        "xlabel": panel.x_label, "ylabel": panel.y_label, "series": drawn.map(line).collect::<Vec<_>>(),
        "marks": curve_marks(panel),
    })
}

pub fn figure_html(chart: &Value) -> String {
    let text = |key: &str| escape(chart[key].as_str().unwrap_or_default());
    let (id, title) = (text("id"), text("title"));
    format!(
        "<figure id={id}><figcaption>{title}</figcaption><div class=stage><canvas tabindex=0 role=img aria-label=\"{title}, {y} against \
         {x}; arrow keys move along the lines; the numbers are in the table below\"></canvas><canvas aria-hidden=true></canvas></div>\
         <details><summary>Numbers<span class=hide> of {title}</span></summary></details></figure>",
        x = text("xlabel"),
        y = text("ylabel"),
    )
}

/// Values as a JSON array; NaN becomes null, a gap. Five significant digits are finer than a pixel and halve the file; values that differ little
/// relative to their size get enough further digits to distinguish them.
pub fn numbers(values: &[f64]) -> Value {
    let finite = values.iter().filter(|value| value.is_finite());
    let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &v| (low.min(v), high.max(v)));
    let closeness = (low.abs().max(high.abs()) / (high - low)).log10();
    let more = if closeness.is_finite() { closeness.clamp(0.0, 11.0) as usize } else { 0 };
    let number = |value: &f64| {
        let value = rounded(*value, 5 + more);
        if value.fract() == 0.0 && value.abs() < 1e15 { json!(value as i64) } else { json!(value) }
    };
    Value::Array(values.iter().map(number).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_a_chart_have_enough_digits_to_distinguish_them() {
        assert_eq!(numbers(&[0.123_456_789, f64::NAN, 1.0, 0.0]), json!([0.12346, null, 1, 0]));
        assert_eq!(numbers(&[0.099_991_234, 0.099_995_678, 0.1]), json!([0.099991234, 0.099995678, 0.1]));
        assert_eq!(numbers(&[0.123_456_789, 0.123_456_789]), json!([0.12346, 0.12346]));
    }
}
