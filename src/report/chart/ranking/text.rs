//! A ranking for a terminal: a line for each entrant.

use super::{Claim, End, RankedGroup, RankedRow, Ranking};
use crate::report::chart::axis::Axis;
use crate::report::chart::terminal::{cut, push_line};
use std::fmt::Write as _;

/// The closest of a terminal's 256 colours to those of the picture.
const fn colour_of(claim: Claim) -> u8 {
    match claim {
        Claim::Winner => 36,
        Claim::MayBeBest => 32,
        Claim::RuledOut | Claim::ScreenedOut => 245,
        Claim::None => 166,
    }
}

/// No line is wider than `width` columns.
pub(super) fn text(ranking: &Ranking, width: usize, colour: bool) -> String {
    let width = width.max(40);
    let mut out = String::new();
    if ranking.is_empty() {
        return out;
    }
    let has_dots = ranking.groups.iter().flat_map(|group| &group.rows).any(|row| !row.dots.is_empty());
    for group in &ranking.groups {
        if !group.label.is_empty() {
            push_line(&mut out, &cut(&group.label, width));
        }
        draw_group(&mut out, group, width, colour);
    }
    let legend: Vec<String> = ranking
        .claims()
        .map(|claim| format!("{} {}", claim.sign(), claim.words()))
        .chain(has_dots.then(|| "· one result".into()))
        .collect();
    push_line(&mut out, &cut(&legend.join("   "), width));
    out
}

fn draw_group(out: &mut String, group: &RankedGroup, width: usize, colour: bool) {
    let longest = |of: &dyn Fn(&RankedRow) -> usize| group.rows.iter().map(of).max().unwrap_or(0);
    // Without room for their range, rates are told without it.
    let is_roomy = longest(&|row| row.rate.chars().count()) <= width / 3;
    let rate = |row: &RankedRow| if is_roomy { row.rate.clone() } else { row.short_rate.clone() };
    let rates = longest(&|row| rate(row).chars().count()).min(width / 3);
    let names = longest(&|row| row.name.chars().count()).min((width / 2).saturating_sub(rates)).max(8);
    let columns = width.saturating_sub(names + rates + 6).max(10);
    let axis = group.axis();
    for row in &group.rows {
        let track = track(row, &axis, columns);
        let sign = row.claim.sign();
        // A name that is cut might be that of another: it has a line of its own.
        let (above, name) =
            if row.name.chars().count() > names { (Some(&row.name), "") } else { (None, &row.name[..]) };
        let above = above.map(|name| cut(&format!("{sign} {name}"), width));
        let first = if above.is_some() { ' ' } else { sign };
        let line = format!("{first} {name:names$} {:rates$}  {track}", cut(&rate(row), rates));
        for line in above.into_iter().chain([line]) {
            match colour {
                true => push_line(out, &format!("\x1b[38;5;{}m{}\x1b[0m", colour_of(row.claim), line.trim_end())),
                false => push_line(out, line.trim_end()),
            }
        }
    }
    if group.more > 0 {
        push_line(out, &format!("  and {} more", group.more));
    }
    let mut labels = vec![' '; columns];
    let mut free = 0;
    for tick in axis.ticks((columns / 9).max(2)).iter().filter(|tick| !tick.label.is_empty()) {
        let Some(place) = place(&axis, tick.value, columns) else { continue };
        let length = tick.label.chars().count();
        // The last one leaves room for the unit.
        let start = place.saturating_sub(length / 2).min(columns.saturating_sub(length + 1));
        if start >= free && length < columns {
            labels[start..start + length].iter_mut().zip(tick.label.chars()).for_each(|(slot, c)| *slot = c);
            free = start + length + 1;
        }
    }
    let mut line = String::new();
    let _ = write!(line, "{:1$}{2}", "", names + rates + 5, String::from_iter(labels));
    push_line(out, &format!("{} %", line.trim_end()));
}

/// The column of a value; `None` beyond the axis.
fn place(axis: &Axis, value: f64, columns: usize) -> Option<usize> {
    let place = axis.place(value).filter(|place| (0.0..=1.0).contains(place))?;
    Some((place * (columns - 1) as f64).round() as usize)
}

fn track(row: &RankedRow, axis: &Axis, columns: usize) -> String {
    let mut cells = vec![' '; columns];
    let clamped = |value: f64| place(axis, value.clamp(axis.low, axis.high), columns);
    let interval = row.interval.and_then(|(low, high)| Some((clamped(low)?, clamped(high)?)));
    if let Some((from, to)) = interval {
        cells[from..=to].fill('─');
    }
    // What is far behind lies on the lower edge.
    for &value in &row.dots {
        if let Some(at) = place(axis, value.max(axis.low), columns) {
            cells[at] = '·';
        }
    }
    // A dot must not hide where the interval ends.
    if let Some((from, _)) = interval {
        for (value, end) in row.ends(axis) {
            let Some(at) = place(axis, value, columns) else { continue };
            // What the axis cuts off goes on.
            cells[at] = match end {
                End::Below => '◂',
                End::Within if at == from => '├',
                End::Within => '┤',
                End::Above => '▸',
            };
        }
    }
    match row.mean {
        Some(mean) if mean < axis.low => cells[0] = '◂',
        Some(mean) => {
            if let Some(at) = place(axis, mean, columns) {
                cells[at] = row.claim.sign();
            }
        }
        None => {}
    }
    String::from_iter(cells)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::chart::AxisScale;

    #[test]
    fn an_interval_that_the_axis_cuts_off_goes_on_at_its_end() {
        let row = |low, high| RankedRow {
            name: "sgd/cosine".into(),
            under: String::new(),
            rate: String::new(),
            short_rate: String::new(),
            value: "50.00".into(),
            mean: Some(50.0),
            interval: Some((low, high)),
            dots: Vec::new(),
            claim: Claim::None,
        };
        let axis = Axis::between(AxisScale::Linear, 40.0, 60.0);
        let bare = RankedRow { mean: None, ..row(10.0, 20.0) };
        assert_eq!((track(&bare, &axis, 41).trim_end(), &bare.ends(&axis)[..]), ("◂", &[(40.0, End::Below)][..]));
        for (low, high, ends) in [(45.0, 55.0, ('├', '┤')), (10.0, 55.0, ('◂', '┤')), (45.0, 99.0, ('├', '▸'))]
        {
            let track = track(&row(low, high), &axis, 41);
            let drawn = track.trim();
            assert_eq!((drawn.chars().next().unwrap(), drawn.chars().last().unwrap()), ends, "{track}");
        }
        let dotted = track(&RankedRow { dots: vec![45.0, 52.0, 55.0], ..row(45.0, 55.0) }, &axis, 41);
        assert_eq!(
            dotted.trim(),
            "├─────────◇───·─────┤".replace('◇', &Claim::None.sign().to_string()),
            "dots hide no end"
        );
        let behind = RankedRow { dots: vec![10.0, 52.0], interval: None, ..row(0.0, 0.0) };
        assert!(track(&behind, &axis, 41).starts_with('·'), "far behind, on the lower edge");
    }

    #[test]
    fn a_long_name_has_a_line_of_its_own_and_a_range_of_rates_gives_way_before_names_do() {
        let row = |name: &str| RankedRow {
            name: name.into(),
            under: String::new(),
            rate: "peak 0.0241 (0.0193 to 0.0455)".into(),
            short_rate: "peak 0.0241".into(),
            value: "80.00".into(),
            mean: Some(80.0),
            interval: None,
            dots: vec![80.0],
            claim: Claim::None,
        };
        let names = ["sgd/cosine", "sgd:momentum=0.9,nesterov,weight-decay=5e-4/step:factor=0.5"];
        let group = RankedGroup { rows: names.map(row).into(), ..RankedGroup::default() };
        let ranking = Ranking { groups: vec![group], ..Ranking::default() };
        let narrow = text(&ranking, 80, false);
        assert!(narrow.lines().all(|line| line.chars().count() <= 80), "{narrow}");
        assert!(narrow.contains(&format!("◇ {}\n", names[1])) && narrow.contains("peak 0.0241  "), "{narrow}");
        assert!(!narrow.contains('…') && !narrow.contains(" to "), "{narrow}");
        assert!(text(&ranking, 140, false).contains("peak 0.0241 (0.0193 to 0.0455)"));
    }
}
