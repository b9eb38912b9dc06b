//! Charts take whatever a run may have left: nothing, one point, NaN, a hundred thousand steps.

use std::collections::{BTreeMap, BTreeSet};

use lrsched::report::chart::{AxisScale, Figure, Mark, Panel, Series, Stops, Style};

fn figure(points: &[(f64, f64)], x_scale: AxisScale, y_scale: AxisScale) -> Figure {
    let band = points.iter().map(|&(x, y)| (x, y - 1.0, y + 1.0)).collect();
    let series = vec![
        Series { band, ..Series::new("one", points.to_vec()) },
        Series { style: Style::Grey, stops: Stops::Walk, dashed: true, ..Series::new("two", points.to_vec()) },
    ];
    let mark = |at, label: &str| Mark { at, label: label.into(), series: String::new() };
    let marks = vec![mark(1.0, "here"), mark(f64::NAN, "nowhere")];
    Figure::new("A figure", vec![Panel { x_scale, y_scale, series, marks, ..Panel::new("panel", "x", "y") }])
}

/// Draws the figure in all three forms and checks what each must keep.
fn draw(figure: &Figure) -> (Vec<u8>, String, String) {
    let (png, svg, text) = (figure.png().unwrap(), figure.svg().unwrap(), figure.terminal(80, 16, false));
    assert!(png.starts_with(b"\x89PNG") && svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
    for broken in ["NaN", "inf"] {
        let line = svg.lines().find(|line| line.contains(broken));
        assert_eq!(line, None, "a coordinate that is no number");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    (png, svg, text)
}

#[test]
fn any_points_on_any_scale_draw_without_a_panic() {
    let nan = f64::NAN;
    let cases: [&[(f64, f64)]; 9] = [
        &[],
        &[(1.0, 1.0)],
        &[(nan, nan), (nan, 1.0), (1.0, nan)],
        &[(0.0, 0.0), (1.0, 0.0), (2.0, 0.0)],
        &[(0.0, 1.0), (1.0, nan), (2.0, f64::INFINITY), (3.0, 2.0), (4.0, 3.0)],
        &[(-1.0, -5.0), (0.0, 0.0), (1.0, 1e-300), (2.0, 1e300)],
        &[(0.0, f64::MAX), (1.0, -f64::MAX)],
        &[(1.0, 5e-324), (2.0, 1e-310)],
        &[(1e15, 1.0), (1e15 + 1.0, 1.0 + 1e-15)],
    ];
    for points in cases {
        for x_scale in [AxisScale::Linear, AxisScale::Log] {
            for y_scale in [AxisScale::Linear, AxisScale::Log] {
                draw(&figure(points, x_scale, y_scale));
            }
        }
    }
    draw(&Figure::new("", vec![]));
    draw(&Figure { size: (0, 0), ..figure(&[(1.0, 1.0)], AxisScale::Linear, AxisScale::Linear) });
}

#[test]
fn a_nan_breaks_the_line_in_two() {
    let lines = |points: &[(f64, f64)]| {
        let panel = Panel { series: vec![Series::new("s", points.to_vec())], ..Panel::default() };
        Figure::new("", vec![panel]).svg().unwrap().matches("stroke=\"#0072B2\"").count()
    };
    // One more is in the legend.
    assert_eq!(lines(&[(0.0, 1.0), (1.0, 2.0), (2.0, 4.0), (3.0, 2.0), (4.0, 1.0)]), 2);
    assert_eq!(lines(&[(0.0, 1.0), (1.0, 2.0), (2.0, f64::NAN), (3.0, 2.0), (4.0, 1.0)]), 3);
}

fn attribute<'a>(line: &'a str, name: &str) -> &'a str {
    line.split(&format!(" {name}=\"")).nth(1).unwrap().split('"').next().unwrap()
}

#[test]
fn twenty_series_have_twenty_different_looks_and_a_legend_that_names_each() {
    let series =
        |i: u32| Series::new(format!("sgd/schedule-{i}"), vec![(0.0, f64::from(i)), (9.0, f64::from(i) + 40.0)]);
    let panel = Panel { series: (0..20).map(series).collect(), ..Panel::new("", "epoch", "accuracy") };
    let (_, svg, text) = draw(&Figure::new("Twenty", vec![panel]));
    let names = svg.lines().zip(svg.lines().skip(1)).find(|(_, text)| text.starts_with("sgd/schedule")).unwrap().0;
    let legend = attribute(names, "x").parse::<i32>().unwrap() - 301;
    // Lines that lie level are the samples of the legend: the colour and the dashes of each, by their height.
    let mut samples: BTreeMap<i32, Vec<(String, i32, i32)>> = BTreeMap::new();
    for line in svg.lines().filter(|line| line.starts_with("<polyline") && line.contains("stroke-width=\"18\"")) {
        let numbers: Vec<i32> = attribute(line, "points").split([',', ' ']).filter_map(|n| n.parse().ok()).collect();
        if let [x0, y0, x1, y1] = numbers[..]
            && y0 == y1
            && x0 > legend
        {
            let dashes = samples.entry(y0).or_default();
            dashes.push((attribute(line, "stroke").to_string(), x0, x1));
        }
    }
    let looks: BTreeSet<_> = samples.values().collect();
    assert_eq!((samples.len(), looks.len()), (20, 20), "colour and dash together");
    for i in 0..20 {
        assert!(
            svg.lines().any(|line| line == format!("sgd/schedule-{i}")),
            "series {i} is missing in the legend of the SVG"
        );
        assert!(text.contains(&format!("sgd/schedule-{i}")), "series {i} is missing in the legend of the terminal");
    }
}

#[test]
fn the_terminal_chart_needs_no_colour_and_fits_its_columns() {
    let rising = Series::new("rising", (0..50).map(|i| (f64::from(i), f64::from(i))).collect());
    let falling = Series::new("falling", (0..50).map(|i| (f64::from(i), f64::from(50 - i))).collect());
    let figure = Figure::new("Two", vec![Panel { series: vec![rising, falling], ..Panel::new("", "epoch", "y") }]);
    for width in [20, 40, 80, 200] {
        let text = figure.terminal(width, 16, false);
        assert!(text.lines().all(|line| line.chars().count() <= width), "{width} columns:\n{text}");
        assert!(!text.contains('\x1b'));
    }
    let text = figure.terminal(80, 16, false);
    assert!(text.matches('●').count() > 2 && text.matches('■').count() > 2, "a marker on each line:\n{text}");
    assert!(text.contains("● rising") && text.contains("■ falling") && text.contains("40"), "{text}");
    assert!(figure.terminal(80, 16, true).contains("\x1b[38;5;"));
}

#[test]
fn a_hundred_thousand_steps_make_a_small_picture() {
    let smooth = Series::new("lr", (0..100_000).map(|t| (f64::from(t), (f64::from(t) * 3e-5).cos())).collect());
    let svg = Figure::new("", vec![Panel { series: vec![smooth], ..Panel::default() }]).svg().unwrap();
    assert!(svg.len() < 20_000, "{} bytes", svg.len());
}

#[test]
fn names_from_files_cannot_break_the_svg_or_the_terminal() {
    let series = Series::new("</text><script>\x1b[31m", vec![(0.0, 1.0), (1.0, 2.0)]);
    let (_, svg, text) = draw(&Figure::new("<&>", vec![Panel { series: vec![series], ..Panel::default() }]));
    assert!(!svg.contains("<script>") && !svg.contains('\x1b') && !text.contains('\x1b'));
}

#[test]
fn a_picture_replaces_the_one_before_and_leaves_no_other_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/chart.svg");
    let figure = figure(&[(0.0, 1.0), (1.0, 2.0)], AxisScale::Linear, AxisScale::Linear);
    figure.write_svg(&path).unwrap();
    figure.write_svg(&path).unwrap();
    figure.write_png(&path.with_extension("png")).unwrap();
    assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 2);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), figure.svg().unwrap());
}

/// The lines of a colour in an SVG: the ends of their pieces, left to right, in CSS pixels.
fn pieces(svg: &str, colour: &str) -> Vec<Vec<(f64, f64)>> {
    let lines = svg
        .lines()
        .filter(|line| line.starts_with("<polyline") && line.contains(colour) && line.contains("stroke-width=\"18\""));
    let points = |line: &str| -> Vec<(f64, f64)> {
        let numbers: Vec<f64> =
            attribute(line, "points").split([',', ' ']).filter_map(|n| n.parse::<f64>().ok()).collect();
        numbers.chunks(2).map(|pair| (pair[0] / 10.0, pair[1] / 10.0)).collect()
    };
    // What lies level at the foot of the picture is the legend.
    lines.map(points).filter(|points| points[0].1 < 450.0).collect()
}

#[test]
fn of_lines_that_lie_on_each_other_none_hides_another() {
    let stairs = vec![(0.0, 0.4), (5.0, 0.4), (5.0, 0.2), (10.0, 0.2)];
    // The third leaves the others halfway.
    let lines = [stairs.clone(), stairs, vec![(0.0, 0.4), (10.0, 0.4)]];
    let series = lines.into_iter().zip(["one", "two", "three"]).map(|(points, name)| Series::new(name, points));
    let panel = Panel { series: series.collect(), ..Panel::new("", "epoch", "learning rate") };
    let (_, svg, _) = draw(&Figure::new("", vec![panel]));
    let colours = ["#0072B2", "#D55E00", "#009E73"];
    let drawn = colours.map(|colour| pieces(&svg, colour));
    let covered = |x: f64| -> Vec<usize> {
        let over = |piece: &Vec<(f64, f64)>| piece.first().unwrap().0 < x && x < piece.last().unwrap().0;
        (0..3).filter(|&i| drawn[i].iter().any(over)).collect()
    };
    let (left, right) = (drawn.iter().flatten().flatten())
        .fold((f64::INFINITY, 0.0_f64), |(left, right), point| (left.min(point.0), right.max(point.0)));
    let mut seen = [0; 3];
    let (mut alone, mut all) = (0, 0);
    for i in 1..400 {
        let x = left + (right - left) * f64::from(i) / 400.0;
        let here = covered(x);
        assert!(!here.is_empty() || i % 400 == 200, "a gap at {x}");
        here.iter().for_each(|&i| seen[i] += 1);
        // The first half is all three in turns; in the second the third has its own way.
        if i < 195 {
            alone += usize::from(here.len() == 1)
        } else if i > 205 {
            all += usize::from(here.contains(&2))
        }
    }
    assert!(alone > 180 && all > 185, "{alone} {all}");
    assert!(seen.iter().all(|count| *count > 100), "each is seen: {seen:?}");
}

#[test]
fn a_line_that_lies_on_no_other_is_drawn_in_one_piece() {
    let line = |name: &str, from: f64, to: f64| Series::new(name, vec![(0.0, from), (10.0, to)]);
    // They cross once.
    let series = vec![line("up", 0.0, 1.0), line("down", 1.0, 0.0)];
    let panel = Panel { series, ..Panel::new("", "epoch", "accuracy") };
    let (_, svg, _) = draw(&Figure::new("", vec![panel]));
    for colour in ["#0072B2", "#D55E00"] {
        assert_eq!(pieces(&svg, colour).len(), 1, "{svg}");
    }
}
