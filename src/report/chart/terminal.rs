//! Renders a figure as text.

use super::axis::{Axis, Tick};
use super::{Figure, LegendEntry, Panel, Style};
use std::fmt::Write as _;

/// The markers that distinguish series without colour, in legend order.
const MARKERS: &str = "●■▲◆○□△◇abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
/// The closest of a terminal's 256 colours to Okabe and Ito's.
const COLOURS: [u8; 7] = [32, 166, 36, 175, 75, 214, 250];
const GREY: u8 = 244;

/// All panels, one below the other, then the legend.
pub fn text(figure: &Figure, width: usize, height: usize, colour: bool) -> String {
    let width = width.max(20);
    let legend = figure.legend();
    let mut out = String::new();
    if !figure.title.is_empty() {
        push_line(&mut out, &cut(&figure.title, width));
    }
    for panel in &figure.panels {
        draw_panel(&mut out, panel, &legend, width, height.max(6), colour);
    }
    draw_legend(&mut out, &legend, width, colour);
    out
}

/// One character of the chart: braille dots or a marker, with a colour.
#[derive(Clone, Copy, Default)]
struct Cell {
    dots: u8,
    marker: Option<char>,
    colour: Option<u8>,
}

fn draw_panel(out: &mut String, panel: &Panel, legend: &[LegendEntry<'_>], width: usize, height: usize, colour: bool) {
    let (x, y) = panel.axes();
    let heading = match (panel.title.as_str(), panel.y_label.as_str()) {
        ("", label) | (label, "") => label.to_string(),
        (title, label) => format!("{title}  ({label})"),
    };
    let heading_lines = usize::from(!heading.is_empty());
    let foot = if panel.x_label.is_empty() { 2 } else { 3 };
    let rows = height.saturating_sub(heading_lines + foot).max(3);
    let y_ticks: Vec<Tick> = y.ticks((rows / 3).max(2)).into_iter().filter(|t| !t.label.is_empty()).collect();
    let margin = y_ticks.iter().map(|t| t.label.chars().count()).max().unwrap_or(0).min(width / 3);
    let columns = width - margin - 2;
    let mut cells = vec![vec![Cell::default(); columns]; rows];
    draw_series(&mut cells, panel, legend, &x, &y);
    let labels = draw_marks(&mut cells, panel, &x);

    if heading_lines > 0 {
        push_line(out, &cut(&heading, width));
    }
    for line in labels {
        push_line(out, format!("{:margin$}  {line}", "").trim_end());
    }
    let mut labels = vec![String::new(); rows];
    for tick in &y_ticks {
        if let Some(row) = y.place(tick.value).map(|p| ((1.0 - p) * (rows - 1) as f64).round()) {
            labels[row.clamp(0.0, (rows - 1) as f64) as usize] = tick.label.clone();
        }
    }
    for (row, label) in cells.iter().zip(&labels) {
        let edge = if label.is_empty() { '│' } else { '┤' };
        let mut line = format!("{label:>margin$} {edge}");
        paint(&mut line, row, colour);
        push_line(out, line.trim_end());
    }
    draw_x_axis(out, &x, margin, columns);
    if !panel.x_label.is_empty() {
        let label = cut(&panel.x_label, columns);
        push_line(out, &format!("{:margin$}  {label:^columns$}", ""));
    }
}

fn draw_x_axis(out: &mut String, x: &Axis, margin: usize, columns: usize) {
    let (mut rule, mut labels) = (vec!['─'; columns], vec![' '; columns]);
    let mut end = 0;
    for tick in x.ticks((columns / 9).max(2)).iter().filter(|tick| !tick.label.is_empty()) {
        let Some(place) = x.place(tick.value).map(|p| (p * (columns - 1) as f64).round() as usize) else { continue };
        let length = tick.label.chars().count();
        let start = place.saturating_sub(length / 2).min(columns.saturating_sub(length));
        if place >= columns || length > columns || (end > 0 && start <= end) {
            continue;
        }
        rule[place] = '┬';
        for (slot, c) in labels[start..].iter_mut().zip(tick.label.chars()) {
            *slot = c;
        }
        end = start + length;
    }
    push_line(out, &format!("{:margin$} └{}", "", String::from_iter(rule)));
    push_line(out, &format!("{:margin$}  {}", "", String::from_iter(labels)));
}

fn draw_series(cells: &mut [Vec<Cell>], panel: &Panel, legend: &[LegendEntry<'_>], x: &Axis, y: &Axis) {
    let (rows, columns) = (cells.len(), cells[0].len());
    let (last_x, last_y) = ((columns * 2 - 1) as f64, (rows * 4 - 1) as f64);
    let dot = |(px, py): (f64, f64)| -> Option<(i64, i64)> {
        let (across, up) = (x.place(px)?, y.place(py)?);
        // Clamp points far outside the frame to just outside.
        Some(((across.clamp(-1.0, 2.0) * last_x).round() as i64, ((1.0 - up.clamp(-1.0, 2.0)) * last_y).round() as i64))
    };
    for series in &panel.series {
        let place = legend.iter().position(|entry| entry.name == series.name);
        let colour = if series.style == Style::Grey { GREY } else { colour_of(place.map(|i| legend[i])) };
        // A single line and unnamed series need no marker.
        let marker = place.filter(|_| legend.len() > 1).and_then(|i| MARKERS.chars().nth(i));
        let spacing = (columns / 5).max(6);
        let phase = place.unwrap_or(0) * 5 % spacing;
        let mut before = None;
        let mut marked = usize::MAX;
        for &point in &series.points {
            let here = dot(point);
            if let Some(to) = here {
                walk(before.unwrap_or(to), to, |dx, dy| {
                    if !(0..columns as i64 * 2).contains(&dx) || !(0..rows as i64 * 4).contains(&dy) {
                        return;
                    }
                    let (column, row) = (dx as usize / 2, dy as usize / 4);
                    let cell = &mut cells[row][column];
                    cell.dots |= BRAILLE[dy as usize % 4][dx as usize % 2];
                    if cell.marker.is_none() {
                        cell.colour = Some(colour);
                    }
                    // Vertical stretches carry one marker, not a column of them.
                    if column % spacing == phase && marked != column && cell.marker.is_none() {
                        cell.marker = marker;
                        marked = column;
                    }
                });
            }
            before = here;
        }
    }
}

/// Draws a dotted column for each mark, behind everything else, and returns the lines of their labels, in as many rows as necessary.
fn draw_marks(cells: &mut [Vec<Cell>], panel: &Panel, x: &Axis) -> Vec<String> {
    let columns = cells[0].len();
    let mut rows: Vec<Vec<char>> = Vec::new();
    for mark in &panel.marks {
        let Some(column) = x.place(mark.at).map(|place| (place * (columns - 1) as f64).round() as usize) else {
            continue;
        };
        if column >= columns {
            continue;
        }
        for cell in cells.iter_mut().map(|row| &mut row[column]).filter(|cell| cell.dots == 0 && cell.marker.is_none())
        {
            cell.marker = Some('┊');
        }
        let text = cut(&mark.label, columns - 1);
        let length = text.chars().count() + 1;
        // To the right of its column if there is room.
        let (start, label) = match column + length <= columns {
            true => (column, format!("╷{text}")),
            false => ((column + 1).saturating_sub(length), format!("{text}╷")),
        };
        let free =
            |row: &Vec<char>| row[start.saturating_sub(1)..(start + length + 1).min(columns)].iter().all(|c| *c == ' ');
        let row = rows.iter().position(free).unwrap_or_else(|| {
            rows.push(vec![' '; columns]);
            rows.len() - 1
        });
        rows[row][start..start + length].iter_mut().zip(label.chars()).for_each(|(slot, c)| *slot = c);
    }
    rows.into_iter().map(String::from_iter).collect()
}

/// The dots of a braille character, (row, column).
const BRAILLE: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];

/// Visits every dot of a line (Bresenham).
fn walk((x0, y0): (i64, i64), (x1, y1): (i64, i64), mut visit: impl FnMut(i64, i64)) {
    let (dx, dy) = ((x1 - x0).abs(), -(y1 - y0).abs());
    let (step_x, step_y) = ((x1 - x0).signum(), (y1 - y0).signum());
    let (mut x, mut y, mut error) = (x0, y0, dx + dy);
    loop {
        visit(x, y);
        if (x, y) == (x1, y1) {
            return;
        }
        let doubled = 2 * error;
        if doubled >= dy {
            error += dy;
            x += step_x;
        }
        if doubled <= dx {
            error += dx;
            y += step_y;
        }
    }
}

fn draw_legend(out: &mut String, legend: &[LegendEntry<'_>], width: usize, colour: bool) {
    if legend.is_empty() {
        return;
    }
    let longest = legend.iter().map(|entry| entry.name.chars().count()).max().unwrap_or(0);
    let columns = (width / (longest + 5)).clamp(1, 4).min(legend.len());
    let column_width = width / columns;
    let rows = legend.len().div_ceil(columns);
    for row in 0..rows {
        let mut line = String::new();
        for (i, entry) in legend.iter().enumerate().skip(row).step_by(rows) {
            let marker = if legend.len() > 1 { MARKERS.chars().nth(i).unwrap_or(' ') } else { '─' };
            paint(&mut line, &[Cell { dots: 0, marker: Some(marker), colour: Some(colour_of(Some(*entry))) }], colour);
            let room = column_width.saturating_sub(4);
            let _ = write!(line, " {:room$}  ", cut(entry.name, room));
        }
        push_line(out, line.trim_end());
    }
}

fn colour_of(entry: Option<LegendEntry<'_>>) -> u8 {
    match entry {
        Some(LegendEntry { place: Some(place), .. }) => COLOURS[place % COLOURS.len()],
        Some(LegendEntry { place: None, .. }) => GREY,
        None => COLOURS[0],
    }
}

/// Appends the cells as characters, with one colour code per run of the same colour.
fn paint(line: &mut String, cells: &[Cell], colour: bool) {
    for stretch in cells.chunk_by(|a, b| a.colour == b.colour) {
        let code = stretch[0].colour.filter(|_| colour);
        if let Some(code) = code {
            let _ = write!(line, "\x1b[38;5;{code}m");
        }
        line.extend(stretch.iter().map(|cell| match (cell.marker, cell.dots) {
            (Some(marker), _) => marker,
            (None, 0) => ' ',
            (None, dots) => char::from_u32(0x2800 + u32::from(dots)).unwrap_or(' '),
        }));
        if code.is_some() {
            line.push_str("\x1b[0m");
        }
    }
}

/// At most `room` characters, the last of them an ellipsis if the text was cut; control characters become spaces.
pub fn cut(text: &str, room: usize) -> String {
    let clean = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    if text.chars().count() <= room {
        return clean.collect();
    }
    clean.take(room.saturating_sub(1)).chain(['…']).collect()
}

pub fn push_line(out: &mut String, line: &str) {
    out.push_str(line);
    out.push('\n');
}
