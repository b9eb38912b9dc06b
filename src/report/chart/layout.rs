//! Lays out a figure: panels, legend, grid, labels.

use super::axis::{Axis, Tick};
use super::dots::draw_dots;
use super::font::{self, Weight};
use super::lines::{Path, Transform, draw_band, draw_marker, draw_results, draw_series, draw_walk, take_turns};
use super::scene::{Anchor, Point, Primitive, Rect, Rgb, Scene, WHITE};
use super::{Figure, LegendEntry, MOST_LABELS, Mark, Panel, Series, Stops, Style};

pub const INK: Rgb = Rgb(0x22, 0x22, 0x22);
pub const SOFT_INK: Rgb = Rgb(0x55, 0x55, 0x55);
pub const FRAME: Rgb = Rgb(0xb8, 0xb8, 0xb8);
pub const GRID: Rgb = Rgb(0xe4, 0xe4, 0xe4);
pub const MINOR_GRID: Rgb = Rgb(0xf3, 0xf3, 0xf3);
pub const GREY: Rgb = Rgb(0xc4, 0xc4, 0xc4);

/// Okabe and Ito (2008) without yellow, which is invisible on white. Further series repeat it with dashes and markers.
pub const PALETTE: [Rgb; 7] = [
    Rgb(0x00, 0x72, 0xb2),
    Rgb(0xd5, 0x5e, 0x00),
    Rgb(0x00, 0x9e, 0x73),
    Rgb(0xcc, 0x79, 0xa7),
    Rgb(0x56, 0xb4, 0xe9),
    Rgb(0xe6, 0x9f, 0x00),
    Rgb(0x33, 0x33, 0x33),
];
pub const DASHES: [&[f64]; 4] = [&[], &[7.0, 3.0], &[2.0, 2.4], &[9.0, 2.5, 2.0, 2.5]];

pub const MARGIN: f64 = 18.0;
pub const TITLE: f64 = 17.0;
const PANEL_TITLE: f64 = 13.0;
pub const LABEL: f64 = 12.0;
pub const TICK: f64 = 11.0;
const LEGEND: f64 = 12.0;
const LEGEND_ROW: f64 = 19.0;
/// The smallest row height before the legend gets another column.
const TIGHT_LEGEND_ROW: f64 = 16.0;
const LEGEND_LINE: f64 = 30.0;
const GAP: f64 = 28.0;

/// How a series is drawn.
#[derive(Clone, Copy)]
pub struct Look {
    pub colour: Rgb,
    pub width: f64,
    pub dash: &'static [f64],
    /// How often the palette has been used up before: selects the marker, none in the first round.
    pub round: usize,
}

impl Look {
    fn of(place: Option<usize>, dashed: bool) -> Self {
        match place {
            Some(place) => {
                let round = place / PALETTE.len();
                let dash = DASHES[if dashed { 1 } else { round % DASHES.len() }];
                Self { colour: PALETTE[place % PALETTE.len()], width: 1.8, dash, round }
            }
            None => Self { colour: GREY, width: 0.8, dash: DASHES[usize::from(dashed)], round: 0 },
        }
    }
}

/// The shapes of a figure.
pub fn scene(figure: &Figure) -> Scene {
    let (width, height) = (f64::from(figure.size.0.max(160)), f64::from(figure.size.1.max(120)));
    let mut shapes = Vec::new();
    let mut room = Rect { left: MARGIN, top: MARGIN, right: width - MARGIN, bottom: height - MARGIN };
    if !figure.title.is_empty() {
        let title = font::fit(&figure.title, room.width(), TITLE, Weight::Medium);
        shapes.push(text((room.left, room.top + TITLE * 0.8), title, TITLE, INK, Anchor::Start).medium());
        room.top += TITLE + 12.0;
    }
    let legend = figure.legend();
    let (cells, legend_room) = arrange(figure.panels.len(), room, &legend);
    for (panel, cell) in figure.panels.iter().zip(cells) {
        draw_panel(&mut shapes, panel, cell, &legend);
    }
    if let Some(room) = legend_room {
        draw_legend(&mut shapes, &legend, room);
    }
    Scene { width, height, shapes: shapes.into_iter().map(|drawn| drawn.0).collect() }
}

/// The cells of the panels, and the area of the legend: a free cell of the grid, or an area beside or below the panels.
fn arrange(panels: usize, mut room: Rect, legend: &[LegendEntry<'_>]) -> (Vec<Rect>, Option<Rect>) {
    let columns = columns(panels, &room);
    let rows = panels.div_ceil(columns).max(1);
    let wanted =
        legend.iter().map(|e| font::width(e.name, LEGEND, Weight::Regular)).fold(0.0, f64::max) + LEGEND_LINE + 10.0;
    let tall = legend.len() as f64 * LEGEND_ROW;
    let mut legend_room = None;
    if legend.is_empty() {
    } else if columns * rows > panels && panels > 0 {
        let free = cell(&room, columns, rows, columns * rows - 1);
        legend_room = Some(Rect { left: free.left + 24.0, top: free.top + PANEL_TITLE + 12.0, ..free });
    } else if legend.len() > 4 && tall <= room.height() && wanted <= room.width() * 0.3 {
        legend_room = Some(Rect { left: room.right - wanted, top: room.top + PANEL_TITLE + 8.0, ..room });
        room.right -= wanted + GAP;
    } else {
        let lines = legend.len().div_ceil(legend_columns(wanted, room.width(), legend.len()));
        let below = (lines as f64 * LEGEND_ROW).min(room.height() * 0.5);
        legend_room = Some(Rect { top: room.bottom - below, ..room });
        room.bottom -= below + 12.0;
    }
    ((0..panels).map(|i| cell(&room, columns, rows, i)).collect(), legend_room)
}

/// The number of columns that brings the cells closest to 3 : 2.
fn columns(panels: usize, room: &Rect) -> usize {
    let shape = |columns: usize| {
        let rows = panels.div_ceil(columns) as f64;
        ((room.width() / columns as f64) / (room.height() / rows) / 1.5).ln().abs()
    };
    (1..=panels.max(1)).min_by(|&a, &b| shape(a).total_cmp(&shape(b))).unwrap_or(1)
}

fn cell(room: &Rect, columns: usize, rows: usize, place: usize) -> Rect {
    let width = (room.width() - GAP * (columns - 1) as f64) / columns as f64;
    let height = (room.height() - GAP * (rows - 1) as f64) / rows as f64;
    let left = room.left + (place % columns) as f64 * (width + GAP);
    let top = room.top + (place / columns) as f64 * (height + GAP);
    Rect { left, top, right: left + width, bottom: top + height }
}

fn legend_columns(wanted: f64, width: f64, entries: usize) -> usize {
    ((width / (wanted + 14.0)) as usize).clamp(1, 4).min(entries)
}

fn draw_legend(shapes: &mut Vec<Drawn>, legend: &[LegendEntry<'_>], room: Rect) {
    let wanted =
        legend.iter().map(|e| font::width(e.name, LEGEND, Weight::Regular)).fold(0.0, f64::max) + LEGEND_LINE + 10.0;
    let fitting = legend_columns(wanted, room.width(), legend.len());
    // As few columns as possible: a column is easier to read than a row.
    let rows_that_fit = ((room.height() / TIGHT_LEGEND_ROW + 0.01) as usize).max(1);
    let columns =
        legend.len().div_ceil(rows_that_fit).max(if room.width() > room.height() * 4.0 { fitting } else { 1 });
    let rows = legend.len().div_ceil(columns);
    let row_height = LEGEND_ROW.min(room.height() / rows as f64);
    let column_width = (room.width() / columns as f64).min(wanted + 14.0);
    for (i, entry) in legend.iter().enumerate() {
        let left = room.left + (i / rows) as f64 * column_width;
        let middle = room.top + (i % rows) as f64 * row_height + row_height / 2.0;
        let look = Look::of(entry.place, entry.dashed);
        let ends = vec![(left, middle), (left + LEGEND_LINE - 6.0, middle)];
        shapes.push(Drawn(Primitive::Line {
            points: ends,
            colour: look.colour,
            width: look.width.max(1.2),
            dash: look.dash,
        }));
        draw_marker(shapes, (left + LEGEND_LINE / 2.0 - 3.0, middle), look);
        let name = font::fit(entry.name, column_width - LEGEND_LINE - 6.0, LEGEND, Weight::Regular);
        shapes.push(text((left + LEGEND_LINE, middle + LEGEND * 0.35), name, LEGEND, INK, Anchor::Start));
    }
}

fn draw_panel(shapes: &mut Vec<Drawn>, panel: &Panel, cell: Rect, legend: &[LegendEntry<'_>]) {
    let (x, y) = panel.axes();
    let mut frame = cell;
    if !panel.title.is_empty() {
        frame.top += PANEL_TITLE + 9.0;
    }
    frame.bottom -= TICK + 9.0 + if panel.x_label.is_empty() { 0.0 } else { LABEL + 6.0 };
    let y_ticks = y.ticks(((frame.height() / 30.0) as usize).max(2));
    let widest = y_ticks.iter().map(|t| font::width(&t.label, TICK, Weight::Regular)).fold(0.0, f64::max);
    frame.left += widest + 7.0 + if panel.y_label.is_empty() { 0.0 } else { LABEL + 8.0 };
    frame.right -= 8.0;
    if frame.width() < 20.0 || frame.height() < 20.0 {
        return;
    }
    let to = Transform { x, y, frame };
    draw_grid(shapes, &to, &x_ticks(&x, frame.width()), &y_ticks);
    let named = panel.series.iter().filter(|s| !s.name.is_empty() && s.style != Style::Grey).count();
    for series in &panel.series {
        draw_band(shapes, series, &to, look_of(series, legend), if named > 6 { 0.07 } else { 0.16 });
    }
    // Overlapping lines alternate; raw values behind smoothed ones, contours and walks do not take part.
    let takes_turns =
        |series: &Series| !series.name.is_empty() && series.style != Style::Grey && series.stops == Stops::None;
    let paths: Vec<Path> = panel.series.iter().map(|series| Path::of(series, &to)).collect();
    let (alone, together): (Vec<_>, Vec<_>) =
        panel.series.iter().zip(paths).enumerate().partition(|(_, (series, _))| !takes_turns(series));
    let (places, paths): (Vec<usize>, Vec<Path>) = together.into_iter().map(|(i, (_, path))| (i, path)).unzip();
    let turns = places.into_iter().zip(take_turns(&paths, &to.frame));
    let mut drawn: Vec<(usize, Vec<Vec<Point>>)> =
        alone.into_iter().map(|(i, (_, path))| (i, path.0)).chain(turns).collect();
    drawn.sort_by_key(|(i, _)| (panel.series[*i].style != Style::Grey, *i));
    for (i, parts) in drawn {
        draw_series(shapes, &parts, &to, look_of(&panel.series[i], legend), i as f64 / named.max(1) as f64);
    }
    for series in &panel.series {
        match series.stops {
            Stops::None => {}
            Stops::Walk => draw_walk(shapes, series, &to, look_of(series, legend)),
            Stops::Each => draw_results(shapes, series, &to, look_of(series, legend)),
        }
    }
    draw_marks(shapes, &panel.marks, &to, legend);
    draw_dots(shapes, &panel.dots, &to);
    let border = vec![
        (frame.left, frame.top),
        (frame.right, frame.top),
        (frame.right, frame.bottom),
        (frame.left, frame.bottom),
    ];
    shapes.push(line([border.clone(), vec![border[0]]].concat(), FRAME, 1.0));
    draw_titles(shapes, panel, &cell, &frame);
}

fn draw_titles(shapes: &mut Vec<Drawn>, panel: &Panel, cell: &Rect, frame: &Rect) {
    let title = font::fit(&panel.title, cell.right - frame.left, PANEL_TITLE, Weight::Medium);
    shapes.push(text((frame.left, frame.top - 9.0), title, PANEL_TITLE, INK, Anchor::Start).medium());
    let label = font::fit(&panel.x_label, cell.width(), LABEL, Weight::Regular);
    let middle = ((frame.left + frame.right) / 2.0, cell.bottom - 2.0);
    shapes.push(text(middle, label, LABEL, INK, Anchor::Middle));
    let label = font::fit(&panel.y_label, cell.height(), LABEL, Weight::Regular);
    let middle = (cell.left + LABEL * 0.8, (frame.top + frame.bottom) / 2.0);
    shapes.push(text(middle, label, LABEL, INK, Anchor::Middle).vertical());
}

/// The look of a series: its own style, else that of its name in the legend.
fn look_of(series: &Series, legend: &[LegendEntry<'_>]) -> Look {
    let named = legend.iter().find(|entry| entry.name == series.name);
    let place = match (series.style, named) {
        (super::Style::Grey, _) => None,
        (super::Style::Colour(place), _) => Some(place),
        (super::Style::Auto, Some(entry)) => entry.place,
        (super::Style::Auto, None) => Some(0),
    };
    Look::of(place, series.dashed)
}

/// As many ticks as fit without overlapping labels.
fn x_ticks(x: &Axis, width: f64) -> Vec<Tick> {
    let mut ticks = Vec::new();
    for most in (2..=((width / 60.0) as usize).max(2)).rev() {
        ticks = x.ticks(most);
        if crowded(x, &ticks, width).is_none() {
            return ticks;
        }
    }
    while let Some(place) = crowded(x, &ticks, width) {
        ticks[place].label.clear();
    }
    ticks
}

/// The first labelled tick whose label touches the previous one.
fn crowded(x: &Axis, ticks: &[Tick], width: f64) -> Option<usize> {
    let mut end = f64::NEG_INFINITY;
    ticks.iter().enumerate().filter(|(_, tick)| !tick.label.is_empty()).find_map(|(i, tick)| {
        let half = font::width(&tick.label, TICK, Weight::Regular) / 2.0;
        let middle = x.place(tick.value)? * width;
        let touches = middle - half < end + 8.0;
        end = middle + half;
        touches.then_some(i)
    })
}

fn draw_grid(shapes: &mut Vec<Drawn>, to: &Transform, x_ticks: &[Tick], y_ticks: &[Tick]) {
    let frame = to.frame;
    for minor in [true, false] {
        let (colour, width) = if minor { (MINOR_GRID, 0.8) } else { (GRID, 1.0) };
        for tick in x_ticks.iter().filter(|t| t.label.is_empty() == minor) {
            let Some(x) = to.across(tick.value) else { continue };
            shapes.push(line(vec![(x, frame.top), (x, frame.bottom)], colour, width));
        }
        for tick in y_ticks.iter().filter(|t| t.label.is_empty() == minor) {
            let Some(y) = to.down(tick.value) else { continue };
            shapes.push(line(vec![(frame.left, y), (frame.right, y)], colour, width));
        }
    }
    for tick in x_ticks {
        let Some(x) = to.across(tick.value) else { continue };
        shapes.push(text((x, frame.bottom + TICK + 5.0), tick.label.clone(), TICK, SOFT_INK, Anchor::Middle));
    }
    for tick in y_ticks {
        let Some(y) = to.down(tick.value) else { continue };
        shapes.push(text((frame.left - 6.0, y + TICK * 0.36), tick.label.clone(), TICK, SOFT_INK, Anchor::End));
    }
}

/// Vertical lines with labels at the top, in as many rows as necessary.
fn draw_marks(shapes: &mut Vec<Drawn>, marks: &[Mark], to: &Transform, legend: &[LegendEntry<'_>]) {
    let frame = to.frame;
    // The occupied intervals of each row of labels.
    let mut rows: Vec<Vec<(f64, f64)>> = Vec::new();
    let mut labels = Vec::new();
    for mark in marks {
        let Some(x) = to.across(mark.at).filter(|x| (frame.left - 0.5..=frame.right + 0.5).contains(x)) else {
            continue;
        };
        shapes.push(Drawn(Primitive::Line {
            points: vec![(x, frame.top), (x, frame.bottom)],
            colour: legend
                .iter()
                .find(|entry| entry.name == mark.series)
                .map_or(SOFT_INK, |entry| Look::of(entry.place, false).colour),
            width: 1.1,
            dash: &[4.0, 3.0],
        }));
        if marks.len() > MOST_LABELS {
            continue;
        }
        let label = font::fit(&mark.label, frame.width() - 10.0, TICK, Weight::Regular);
        let width = font::width(&label, TICK, Weight::Regular);
        let left = if x + width + 6.0 > frame.right { (x - width - 5.0).max(frame.left + 3.0) } else { x + 5.0 };
        let free = |row: &Vec<(f64, f64)>| row.iter().all(|&(from, to)| left > to + 8.0 || left + width + 8.0 < from);
        let row = rows.iter().position(free).unwrap_or(rows.len());
        rows.resize(rows.len().max(row + 1), Vec::new());
        rows[row].push((left.min(x), (left + width).max(x)));
        labels.push((label, left, width, frame.top + 15.0 + row as f64 * 15.0));
    }
    for (label, left, width, base) in labels {
        let (top, bottom) = (base - TICK * 0.95, base + TICK * 0.3);
        let points =
            vec![(left - 2.0, top), (left + width + 2.0, top), (left + width + 2.0, bottom), (left - 2.0, bottom)];
        shapes.push(Drawn(Primitive::Area { points, colour: WHITE, opacity: 0.85 }));
        shapes.push(text((left, base), label, TICK, INK, Anchor::Start));
    }
}

/// A shape, with builder methods for the less common options.
pub struct Drawn(pub Primitive);

impl Drawn {
    pub fn medium(mut self) -> Self {
        if let Primitive::Text { weight, .. } = &mut self.0 {
            *weight = Weight::Medium;
        }
        self
    }

    pub fn vertical(mut self) -> Self {
        if let Primitive::Text { vertical, .. } = &mut self.0 {
            *vertical = true;
        }
        self
    }
}

pub fn text(at: Point, text: String, size: f64, colour: Rgb, anchor: Anchor) -> Drawn {
    Drawn(Primitive::Text { at, text, size, weight: Weight::Regular, colour, anchor, vertical: false })
}

pub fn line(points: Vec<Point>, colour: Rgb, width: f64) -> Drawn {
    Drawn(Primitive::Line { points, colour, width, dash: &[] })
}

pub fn disc(at: Point, radius: f64, colour: Rgb) -> Drawn {
    let corner = |i: u32| (f64::from(i) * std::f64::consts::TAU / 24.0).sin_cos();
    let points = (0..24).map(corner).map(|(s, c)| (at.0 + radius * c, at.1 + radius * s)).collect();
    Drawn(Primitive::Area { points, colour, opacity: 1.0 })
}
