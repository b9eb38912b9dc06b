//! Small multiples on the page: the rate and the accuracy of each entrant, over those of all others in grey.

use crate::report::chart::{Figure, MOST_LINES, Panel, Quantity, Series, Style};
use crate::report::escape::escape;
use crate::stats::quantile;

/// More lines behind one cannot be told apart, and make the page large.
const MOST_BEHIND: usize = 40;
/// In CSS pixels.
const SIZE: (u32, u32) = (330, 150);

/// Empty with a single entrant, over which there is nothing to see, and without epochs.
pub fn html(figure: &Figure) -> String {
    let panel = |quantity: Quantity| figure.panels.iter().find(|panel| panel.quantity == Some(quantity));
    let accuracy = panel(Quantity::ValAccuracy).or_else(|| panel(Quantity::Accuracy));
    let (Some(rate), Some(accuracy)) = (panel(Quantity::LearningRate), accuracy) else { return String::new() };
    let entrants = rate.series.len().min(accuracy.series.len());
    if entrants < 2 {
        return String::new();
    }
    let shown = entrants.min(MOST_LINES);
    let figures: String = (0..shown)
        .map(|place| {
            let name = &accuracy.series[place].name;
            let pictures: String = [rate, accuracy]
                .into_iter()
                .map(|panel| picture(panel, place).inline(&format!("{}: {name}", panel.title)))
                .collect();
            format!("<figure><figcaption>{}</figcaption>{pictures}</figure>", escape(name))
        })
        .collect();
    let mean = if figure.has_bands() { " (the mean over seeds or studies)" } else { "" };
    let best = if shown < entrants { format!("The best {shown} of {entrants}. ") } else { String::new() };
    format!(
        "<section class=each><h2>Each entrant</h2><p class=soft>{best}{} (after several tunings, that of the median peak) and {}{mean}, over those of the others in grey.</p>\
         <div class=multiples>{figures}</div></section>\n",
        rate.title,
        accuracy.title.to_lowercase()
    )
}

/// The line at `place` over the others.
fn picture(panel: &Panel, place: usize) -> Figure {
    let others = panel.series.iter().enumerate().filter(|(other, _)| *other != place).take(MOST_BEHIND);
    let mut series: Vec<Series> =
        others.map(|(_, line)| Series { style: Style::Grey, ..Series::new("", line.points.clone()) }).collect();
    let own = &panel.series[place];
    series.push(Series { style: Style::Colour(0), band: own.band.clone(), ..Series::new("", own.points.clone()) });
    // The same range in all of them.
    let heights: Vec<f64> = panel.series.iter().flat_map(|line| &line.points).map(|point| point.1).collect();
    let heights: Vec<f64> = heights.into_iter().filter(|height| height.is_finite()).collect();
    let range = quantile(&heights, 0.0).zip(quantile(&heights, 1.0)).filter(|(low, high)| low < high);
    let panel =
        Panel { title: String::new(), series, marks: Vec::new(), y_range: panel.y_range.or(range), ..panel.clone() };
    Figure { size: SIZE, ..Figure::new("", vec![panel]) }
}
