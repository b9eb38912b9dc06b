//! A ranking as a picture: a row for each entrant with its single results, their mean and its interval.

mod text;

use super::axis::{Axis, Tick};
use super::font::{self, Weight};
use super::layout::{Drawn, GRID, INK, LABEL, MARGIN, PALETTE, SOFT_INK, TICK, TITLE, disc, line, text};
use super::scene::{Anchor, Point, Primitive, Rect, Rgb, Scene, WHITE};
use super::{AxisScale, paint};
use crate::stats::median;

/// The rankings of all groups, one below the other.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Ranking {
    pub title: String,
    pub groups: Vec<RankedGroup>,
    /// Below the rows: what the bars are.
    pub note: String,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct RankedGroup {
    /// Empty if it is the only one.
    pub label: String,
    /// The best first.
    pub rows: Vec<RankedRow>,
    /// How many more entrants there are.
    pub more: usize,
}

/// One entrant. Accuracies are in percent.
#[derive(Debug, Clone, PartialEq)]
pub struct RankedRow {
    /// As short as tells it from the others.
    pub name: String,
    /// In full, if that is more.
    pub under: String,
    /// `peak 0.12 (0.1 to 0.2)`
    pub rate: String,
    /// Without the range, for where there is no room for it.
    pub short_rate: String,
    /// `81.23 ± 0.42`
    pub value: String,
    pub mean: Option<f64>,
    /// Of the mean; `None` with too few results.
    pub interval: Option<(f64, f64)>,
    /// The single results, if there are several.
    pub dots: Vec<f64>,
    pub claim: Claim,
}

/// How the end of an interval lies to an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Below,
    Within,
    Above,
}

impl RankedRow {
    /// The ends of its interval, of those beyond the same end of the axis one.
    pub fn ends(&self, axis: &Axis) -> Vec<(f64, End)> {
        let end = |value: f64| match value {
            _ if value < axis.low => (axis.low, End::Below),
            _ if value > axis.high => (axis.high, End::Above),
            _ => (value, End::Within),
        };
        let mut ends: Vec<(f64, End)> = self.interval.into_iter().flat_map(<[f64; 2]>::from).map(end).collect();
        ends.dedup_by(|a, b| a.1 == b.1 && a.1 != End::Within);
        ends
    }
}

/// What is claimed of an entrant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Claim {
    Winner,
    MayBeBest,
    RuledOut,
    ScreenedOut,
    /// Too few results, none in common with the leader, or runs are missing.
    None,
}

impl Claim {
    pub const ALL: [Self; 5] = [Self::Winner, Self::MayBeBest, Self::RuledOut, Self::ScreenedOut, Self::None];

    /// For a legend.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Winner => "winner",
            Self::MayBeBest => "may be the best",
            Self::RuledOut => "ruled out",
            Self::ScreenedOut => "screened out",
            Self::None => "no claim",
        }
    }

    /// For a terminal and a page.
    pub const fn sign(self) -> char {
        match self {
            Self::Winner => '★',
            Self::MayBeBest => '●',
            Self::RuledOut => '○',
            Self::ScreenedOut => '×',
            Self::None => '◇',
        }
    }

    /// The class of a page's row.
    pub const fn class(self) -> &'static str {
        match self {
            Self::Winner => "winner",
            Self::MayBeBest => "open",
            Self::RuledOut => "out",
            Self::ScreenedOut => "screened",
            Self::None => "none",
        }
    }

    const fn colour(self) -> Rgb {
        match self {
            Self::Winner => PALETTE[2],
            Self::MayBeBest => PALETTE[0],
            Self::RuledOut | Self::ScreenedOut => Rgb(0x8a, 0x8a, 0x8a),
            Self::None => PALETTE[1],
        }
    }
}

impl RankedGroup {
    /// The accuracies that the rows are drawn between. One that cannot be the best and is far behind does not press the others
    /// together: it lies on the lower edge. Of one that may be the best, every result is shown. An interval that is much wider than most
    /// goes on beyond the axis.
    pub fn axis(&self) -> Axis {
        /// What is far behind is cut off if it would make the axis longer by this factor.
        const FAR: f64 = 2.0;
        /// How far beyond the results intervals are shown, in halves of the median one.
        const REACH: f64 = 2.0;
        let results = |row: &RankedRow| row.dots.iter().copied().chain(row.mean).collect::<Vec<_>>();
        let means: Vec<f64> = self.rows.iter().filter_map(|row| row.mean).collect();
        let best = means.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let gap = median(&means).map_or(f64::INFINITY, |middle| best - middle);
        let least = if gap > 0.0 { best - 4.0 * gap } else { f64::NEG_INFINITY };
        let may_lead = |row: &&RankedRow| matches!(row.claim, Claim::Winner | Claim::MayBeBest);
        let least = self.rows.iter().filter(may_lead).flat_map(results).fold(least, f64::min);
        let all: Vec<f64> = self.rows.iter().flat_map(results).collect();
        let (lowest, highest) =
            (all.iter().copied().fold(f64::INFINITY, f64::min), all.iter().copied().fold(f64::NEG_INFINITY, f64::max));
        let intervals = || self.rows.iter().filter_map(|row| row.interval);
        let halves: Vec<f64> = intervals().map(|(low, high)| (high - low) / 2.0).collect();
        let reach = REACH * median(&halves).unwrap_or(0.0);
        let is_cut = lowest < least && highest - lowest > FAR * (highest - least);
        let low = if is_cut { least } else { lowest - reach };
        let high = (highest + reach).min(100.0);
        let values = all.into_iter().chain(intervals().flat_map(<[f64; 2]>::from)).filter(|value| value.is_finite());
        let shown = Axis::fit(AxisScale::Linear, values.map(|value| value.max(low).min(high)), 0.03);
        Axis::between(AxisScale::Linear, shown.low.max(0.0), shown.high.min(100.5))
    }

    /// The claims that occur.
    pub fn claims(&self) -> impl Iterator<Item = Claim> {
        Claim::ALL.into_iter().filter(|claim| self.rows.iter().any(|row| row.claim == *claim))
    }
}

const WIDTH: f64 = 1100.0;
const ROW: f64 = 38.0;
const NAME: f64 = 13.0;

impl Ranking {
    /// The bytes of a PNG.
    ///
    /// # Errors
    /// A shape cannot be drawn, or the encoder rejects the size.
    pub fn png(&self) -> anyhow::Result<Vec<u8>> {
        paint::png(&self.scene())
    }

    /// A self-contained SVG.
    ///
    /// # Errors
    /// A shape cannot be drawn.
    pub fn svg(&self) -> anyhow::Result<String> {
        paint::svg(&self.scene())
    }

    /// Nobody has a result: there is nothing to draw between axes.
    pub fn is_empty(&self) -> bool {
        self.groups.iter().flat_map(|group| &group.rows).all(|row| row.mean.is_none())
    }

    /// As text for a terminal, empty without results; `colour` adds ANSI colours.
    pub fn terminal(&self, width: usize, colour: bool) -> String {
        text::text(self, width, colour)
    }

    /// The claims that occur in any group.
    pub fn claims(&self) -> impl Iterator<Item = Claim> {
        Claim::ALL.into_iter().filter(|claim| self.groups.iter().any(|group| group.claims().any(|one| one == *claim)))
    }

    pub(super) fn scene(&self) -> Scene {
        let mut shapes = Vec::new();
        let mut top = MARGIN;
        if !self.title.is_empty() {
            let title = font::fit(&self.title, WIDTH - 2.0 * MARGIN, TITLE, Weight::Medium);
            shapes.push(text((MARGIN, top + TITLE * 0.8), title, TITLE, INK, Anchor::Start).medium());
            top += TITLE + 14.0;
        }
        for group in &self.groups {
            top = draw_group(&mut shapes, group, top) + 16.0;
        }
        top = self.draw_legend(&mut shapes, top);
        let shapes = shapes.into_iter().map(|drawn| drawn.0).collect();
        Scene { width: WIDTH, height: top + MARGIN, shapes }
    }

    fn draw_legend(&self, shapes: &mut Vec<Drawn>, top: f64) -> f64 {
        let mut left = MARGIN + 6.0;
        for claim in self.claims() {
            draw_sign(shapes, (left, top + 6.0), claim);
            shapes.push(text((left + 11.0, top + 6.0 + LABEL * 0.36), claim.words().into(), LABEL, INK, Anchor::Start));
            left += 11.0 + font::width(claim.words(), LABEL, Weight::Regular) + 26.0;
        }
        let mut below = top + 14.0;
        for words in wrapped(&self.note, WIDTH - 2.0 * MARGIN, TICK) {
            below += TICK + 5.0;
            shapes.push(text((MARGIN, below), words, TICK, SOFT_INK, Anchor::Start));
        }
        below
    }
}

/// Lines of at most `room` pixels, broken at spaces.
fn wrapped(text: &str, room: f64, size: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let longer = lines.last().map(|last| format!("{last} {word}"));
        match longer.filter(|longer| font::width(longer, size, Weight::Regular) <= room) {
            Some(longer) => *lines.last_mut().expect("it was just read") = longer,
            None => lines.push(word.to_string()),
        }
    }
    lines
}

/// Where the parts of a row lie.
struct Columns {
    names: f64,
    plot: Rect,
    axis: Axis,
}

impl Columns {
    fn across(&self, value: f64) -> f64 {
        let place = self.axis.place(value).unwrap_or(0.0).clamp(0.0, 1.0);
        self.plot.left + place * self.plot.width()
    }
}

/// Returns where the group ends.
fn draw_group(shapes: &mut Vec<Drawn>, group: &RankedGroup, mut top: f64) -> f64 {
    if !group.label.is_empty() {
        let label = font::fit(&group.label, WIDTH - 2.0 * MARGIN, NAME, Weight::Medium);
        shapes.push(text((MARGIN, top + NAME * 0.8), label, NAME, INK, Anchor::Start).medium());
        top += NAME + 8.0;
    }
    let widest = |of: &dyn Fn(&RankedRow) -> f64| group.rows.iter().map(of).fold(0.0, f64::max);
    let names = widest(&|row| {
        let first =
            font::width(&row.name, NAME, Weight::Medium) + 10.0 + font::width(&row.rate, LABEL, Weight::Regular);
        first.max(font::width(&row.under, TICK, Weight::Regular))
    });
    let names = names.min(WIDTH * 0.44);
    let values = widest(&|row| font::width(&row.value, LABEL, Weight::Regular));
    let plot = Rect {
        left: MARGIN + 18.0 + names + 14.0,
        right: WIDTH - MARGIN - values - 12.0,
        top,
        bottom: top + group.rows.len() as f64 * ROW,
    };
    let columns = Columns { names, plot, axis: group.axis() };
    for tick in ticks(&columns.axis, plot.width()) {
        let x = columns.across(tick.value);
        shapes.push(line(vec![(x, plot.top), (x, plot.bottom)], GRID, 1.0));
        shapes.push(text((x, plot.bottom + TICK + 5.0), tick.label, TICK, SOFT_INK, Anchor::Middle));
    }
    for (place, row) in group.rows.iter().enumerate() {
        draw_row(shapes, row, &columns, plot.top + (place as f64 + 0.5) * ROW);
    }
    let mut bottom = plot.bottom + TICK + 8.0;
    if group.more > 0 {
        shapes.push(text((MARGIN + 18.0, bottom), format!("and {} more", group.more), TICK, SOFT_INK, Anchor::Start));
    }
    bottom += LABEL + 4.0;
    let middle = f64::midpoint(plot.left, plot.right);
    shapes.push(text((middle, bottom), "validation accuracy, %".into(), LABEL, INK, Anchor::Middle));
    bottom
}

/// Labelled ticks that do not touch.
fn ticks(axis: &Axis, width: f64) -> Vec<Tick> {
    axis.ticks(((width / 70.0) as usize).max(2)).into_iter().filter(|tick| !tick.label.is_empty()).collect()
}

fn draw_row(shapes: &mut Vec<Drawn>, row: &RankedRow, columns: &Columns, middle: f64) {
    let left = MARGIN + 18.0;
    draw_sign(shapes, (MARGIN + 6.0, middle - 5.0), row.claim);
    let rate = font::width(&row.rate, LABEL, Weight::Regular);
    let name = font::fit(&row.name, columns.names - rate - 10.0, NAME, Weight::Medium);
    let behind = left + font::width(&name, NAME, Weight::Medium) + 10.0;
    shapes.push(text((left, middle - 1.0), name, NAME, INK, Anchor::Start).medium());
    shapes.push(text((behind, middle - 1.0), row.rate.clone(), LABEL, INK, Anchor::Start));
    let under = font::fit(&row.under, columns.names, TICK, Weight::Regular);
    shapes.push(text((left, middle + 13.0), under, TICK, SOFT_INK, Anchor::Start));
    let end = (WIDTH - MARGIN, middle + LABEL * 0.36);
    shapes.push(text(end, row.value.clone(), LABEL, INK, Anchor::End));

    let (colour, base) = (row.claim.colour(), middle - 2.0);
    if let Some((low, high)) = row.interval {
        let (from, to) = (columns.across(low), columns.across(high));
        shapes.push(line(vec![(from, base), (to, base)], colour, 2.4));
        for (value, end) in row.ends(&columns.axis) {
            let at = columns.across(value);
            // What the axis cuts off goes on.
            let inwards = match end {
                End::Within => {
                    shapes.push(line(vec![(at, base - 4.0), (at, base + 4.0)], colour, 1.6));
                    continue;
                }
                End::Below => 6.0,
                End::Above => -6.0,
            };
            let points = vec![(at, base), (at + inwards, base - 3.5), (at + inwards, base + 3.5)];
            shapes.push(Drawn(Primitive::Area { points, colour, opacity: 1.0 }));
        }
    }
    for &value in &row.dots {
        let Drawn(shape) = disc((columns.across(value), middle + 9.0), 2.4, colour);
        let Primitive::Area { points, colour, .. } = shape else { continue };
        shapes.push(Drawn(Primitive::Area { points, colour, opacity: 0.55 }));
    }
    match row.mean {
        Some(mean) if mean < columns.axis.low => {
            // Further to the left than the picture.
            let x = columns.plot.left;
            let points = vec![(x, base), (x + 8.0, base - 5.0), (x + 8.0, base + 5.0)];
            shapes.push(Drawn(Primitive::Area { points, colour, opacity: 1.0 }));
        }
        Some(mean) => draw_sign(shapes, (columns.across(mean), base), row.claim),
        None => {}
    }
}

/// The mark of a claim: a star, a disc, a ring, a cross or a diamond.
fn draw_sign(shapes: &mut Vec<Drawn>, at: Point, claim: Claim) {
    let colour = claim.colour();
    let polygon = |corners: &[Point], colour| {
        let points = corners.iter().map(|(x, y)| (at.0 + x, at.1 + y)).collect();
        Drawn(Primitive::Area { points, colour, opacity: 1.0 })
    };
    match claim {
        Claim::Winner => {
            let corner = |i: u32| {
                let radius = if i.is_multiple_of(2) { 8.0 } else { 3.6 };
                let (sine, cosine) = (f64::from(i) * std::f64::consts::PI / 5.0).sin_cos();
                (radius * sine, -radius * cosine)
            };
            shapes.push(polygon(&(0..10).map(corner).collect::<Vec<_>>(), colour));
        }
        Claim::MayBeBest => shapes.push(disc(at, 5.0, colour)),
        Claim::RuledOut => shapes.extend([disc(at, 5.0, colour), disc(at, 3.2, WHITE)]),
        Claim::ScreenedOut => {
            for (x, y) in [(1.0, 1.0), (1.0, -1.0)] {
                let ends = vec![(at.0 - 4.0 * x, at.1 - 4.0 * y), (at.0 + 4.0 * x, at.1 + 4.0 * y)];
                shapes.push(line(ends, colour, 2.0));
            }
        }
        Claim::None => {
            let diamond = |r: f64| [(0.0, -r), (r, 0.0), (0.0, r), (-r, 0.0)];
            shapes.extend([polygon(&diamond(6.2), colour), polygon(&diamond(3.6), WHITE)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(claim: Claim, dots: &[f64]) -> RankedRow {
        let (low, high) = (dots[0].min(dots[1]), dots[0].max(dots[1]));
        let mean = f64::midpoint(low, high);
        RankedRow {
            name: String::new(),
            under: String::new(),
            rate: String::new(),
            short_rate: String::new(),
            value: String::new(),
            mean: Some(mean),
            interval: Some((2.0 * low - mean, 2.0 * high - mean)),
            dots: dots.to_vec(),
            claim,
        }
    }

    fn ends(rows: Vec<RankedRow>) -> (f64, f64) {
        let axis = RankedGroup { rows, ..RankedGroup::default() }.axis();
        (axis.low, axis.high)
    }

    #[test]
    fn of_few_entrants_one_that_is_ruled_out_is_shown_unless_it_takes_half_of_the_room() {
        let others = |claim| vec![row(claim, &[72.0, 76.0]), row(claim, &[70.0, 73.0])];
        let with = |behind: [f64; 2]| ends([others(Claim::MayBeBest), vec![row(Claim::RuledOut, &behind)]].concat());
        assert!(with([63.0, 67.0]).0 < 63.0, "{:?}", with([63.0, 67.0]));
        assert!(with([9.0, 11.0]).0 > 60.0, "{:?}", with([9.0, 11.0]));
        // While runs are missing, nothing is ruled out.
        let under_way = ends([others(Claim::None), vec![row(Claim::None, &[9.0, 11.0])]].concat());
        assert!(under_way.0 > 60.0, "{under_way:?}");
        let may_lead = ends([others(Claim::MayBeBest), vec![row(Claim::MayBeBest, &[9.0, 11.0])]].concat());
        assert!(may_lead.0 < 9.0, "{may_lead:?}");
    }

    #[test]
    fn one_wide_interval_does_not_set_the_axis_and_those_alike_are_shown_whole() {
        let mut rows = vec![row(Claim::None, &[72.0, 74.0]); 3];
        let (low, high) = ends(rows.clone());
        assert!(low < 71.0 && high > 75.0, "{low} to {high}");
        rows[2].interval = Some((0.0, 100.0));
        let (low, high) = ends(rows);
        assert!(low > 65.0 && high < 85.0, "{low} to {high}");
    }
}
