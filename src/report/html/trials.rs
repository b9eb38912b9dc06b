//! Accuracy against rate on the page: a small picture for each entrant.

use super::curves::numbers;
use crate::report::chart::{DotLook, Figure, Panel, Quantity, Series};
use crate::report::escape::escape;
use crate::report::trials::Trials;
use serde_json::{Value, json};

/// Empty if only one rate was tried.
pub fn html(trials: &Trials) -> String {
    if trials.panels.is_empty() {
        return String::new();
    }
    let sign = |look: &DotLook| match look {
        DotLook::Trial => ('●', "open"),
        DotLook::Again => ('○', "open"),
        DotLook::Chosen => ('●', "winner"),
        DotLook::Diverged => ('×', "none"),
    };
    let legend = |(look, words): &(DotLook, &str)| {
        let (sign, class) = sign(look);
        format!("<span class={class}><b class=sign>{sign}</b> {words}</span>")
    };
    let figures: String = trials.panels.iter().map(|panel| figure(panel, trials.title())).collect();
    let warning =
        if trials.is_grid { "" } else { " Trials choose the rate: their accuracies are too good to be results." };
    format!(
        "<section class=trials><h2>Which rate?</h2><p class=soft>{}{}, on a log scale, the same accuracies in all. Those far below most lie at the \
         foot.{warning}</p><p class=\"soft signs\">{}</p><div class=multiples>{figures}</div></section>\n",
        trials.title(),
        trials.line(),
        trials.looks().iter().map(legend).collect::<String>(),
    )
}

fn figure(panel: &Panel, title: &str) -> String {
    let alone = Panel { title: String::new(), ..panel.clone() };
    let figure = Figure { size: (330, 190), ..Figure::new("", vec![alone]) };
    let name = escape(&panel.title);
    format!("<figure><figcaption>{name}</figcaption>{}</figure>", figure.inline(&format!("{title}: {}", panel.title)))
}

/// The best so far, a line for each entrant: its lines are hidden with those of the curves.
pub fn best_chart(panel: &Panel) -> Value {
    let most = panel.series.iter().map(|series| series.points.len()).max().unwrap_or(0);
    let line = |(i, series): (usize, &Series)| {
        let height = |m: usize| series.points.get(m).map_or(f64::NAN, |point| point.1);
        json!({ "i": i, "name": series.name, "y": numbers(&(0..most).map(height).collect::<Vec<_>>()) })
    };
    let drawn = panel.series.iter().enumerate().filter(|(_, series)| !series.points.is_empty());
    let trials: Vec<f64> = (1..=most).map(|m| m as f64).collect();
    json!({
        "id": "best", "title": panel.title, "shared": true, "kind": panel.quantity.map(Quantity::kind), "logx": false, "xlabel": panel.x_label,
        "ylabel": panel.y_label, "x": numbers(&trials), "series": drawn.map(line).collect::<Vec<_>>(), "marks": [],
        "range": panel.y_range.map(|(low, high)| [low, high]),
    })
}
