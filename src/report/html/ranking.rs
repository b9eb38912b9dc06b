//! The ranking at the top of the page: rows that wrap on a phone, in the colours of the page.

use crate::report::chart::{Axis, End, RankedGroup, RankedRow, Ranking};
use crate::report::escape::escape;
use std::fmt::Write as _;

/// The rankings of all groups, and what their marks mean.
pub fn html(ranking: &Ranking) -> String {
    let groups: String = ranking.groups.iter().map(group).collect();
    let legend: String = ranking
        .claims()
        .map(|claim| {
            format!("<span class={}><b class=sign>{}</b> {}</span>", claim.class(), claim.sign(), claim.words())
        })
        .collect();
    format!(
        "<section class=ranking><h2>Ranking</h2>{groups}<p class=\"soft signs\">{legend}</p><p class=soft>{}</p></section>\n",
        escape(&ranking.note)
    )
}

fn group(group: &RankedGroup) -> String {
    let axis = group.axis();
    let place = |value: f64| axis.place(value).unwrap_or(0.0).clamp(0.0, 1.0) * 100.0;
    let ticks: Vec<_> = axis.ticks(9).into_iter().filter(|tick| !tick.label.is_empty()).collect();
    let grid: String =
        ticks.iter().map(|tick| format!("<i class=grid style=\"left:{:.2}%\"></i>", place(tick.value))).collect();
    let mut out = String::new();
    if !group.label.is_empty() {
        let _ = writeln!(out, "<h3>{}</h3>", escape(&group.label));
    }
    out.push_str("<div class=rank role=list>");
    for row in &group.rows {
        out.push_str(&ranked(row, &grid, &place, &axis));
    }
    let labels: String = ticks
        .iter()
        .map(|tick| format!("<span style=\"left:{:.2}%\">{}</span>", place(tick.value), escape(&tick.label)))
        .collect();
    let _ = writeln!(
        out,
        "<div class=\"row scale\" aria-hidden=true><div class=who></div><div class=track>{labels}</div><div class=value>%</div></div></div>"
    );
    if group.more > 0 {
        let _ = writeln!(out, "<p class=soft>and {} more, in the table below</p>", group.more);
    }
    out
}

fn ranked(row: &RankedRow, grid: &str, place: &dyn Fn(f64) -> f64, axis: &Axis) -> String {
    let mut track = grid.to_string();
    if let Some((low, high)) = row.interval {
        let (from, to) = (place(low), place(high));
        let _ = write!(track, "<i class=bar style=\"left:{from:.2}%;width:{:.2}%\"></i>", to - from);
        for (value, end) in row.ends(axis) {
            let (class, sign) = match end {
                End::Below => ("cut", '◂'),
                End::Within => ("end", '|'),
                End::Above => ("cut", '▸'),
            };
            let _ = write!(track, "<b class={class} style=\"left:{:.2}%\">{sign}</b>", place(value));
        }
    }
    for &value in &row.dots {
        let _ = write!(track, "<i class=dot style=\"left:{:.2}%\"></i>", place(value));
    }
    if let Some(mean) = row.mean {
        let sign = if mean < axis.low { '◂' } else { row.claim.sign() };
        let _ = write!(track, "<b class=sign style=\"left:{:.2}%\">{sign}</b>", place(mean));
    }
    let told = row.interval.map_or(String::new(), |(from, to)| format!("; 95 % interval {from:.2} to {to:.2}"));
    // Nothing to draw: on a phone the row has no second line.
    let bare = if row.mean.is_some() { "" } else { " bare" };
    format!(
        "<div class=\"row {class}{bare}\" role=listitem title=\"{words}{told}\"><div class=who><b class=sign aria-hidden=true>{sign}</b><span><b>{name}</b> \
         <span class=rate>{rate}</span><small>{under}</small></span></div><div class=track aria-hidden=true>{track}</div><div \
         class=value>{value}<span class=hide>: {words}{told}</span></div></div>\n",
        class = row.claim.class(),
        words = row.claim.words(),
        sign = row.claim.sign(),
        name = escape(&row.name),
        rate = escape(&row.rate),
        under = escape(&row.under),
        value = escape(&row.value),
    )
}
