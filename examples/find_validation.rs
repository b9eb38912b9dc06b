//! Plots validation accuracy against the learning rate for `scripts/find_validate.sh`, and tabulates how far each suggested rate is
//! from the best one.
//!
//!     cargo run --release --example find_validation -- results/find-validate/validation.csv

use anyhow::{Context, Result};
use lrsched::report::chart::{AxisScale, Figure, Mark, Panel, Series, Style};
use lrsched::stats::suggest::show;
use std::path::Path;

/// A suggestion within this factor of the best rate counts as good.
const NEAR: f64 = 3.0;

/// One run: optimizer, suggested rate, rate, validation accuracy, validation loss, exit code.
type Row = (String, f64, f64, f64, f64, u8);

fn main() -> Result<()> {
    let file = std::env::args().nth(1).context("give the path of validation.csv")?;
    let path = Path::new(&file);
    let mut rows = csv::Reader::from_path(path)?.deserialize().collect::<Result<Vec<Row>, _>>()?;
    let mut names: Vec<String> = rows.iter().map(|row| row.0.clone()).collect();
    names.dedup();
    rows.sort_by(|a, b| a.2.total_cmp(&b.2));
    let highest = rows.iter().map(|row| row.3).filter(|accuracy| accuracy.is_finite()).fold(0.0, f64::max);
    let (mut panels, mut text) = (
        Vec::new(),
        String::from(
            "| optimizer | suggested | best of the grid | factor | accuracies over the grid |\n| --- | ---: | ---: | ---: | --- |\n",
        ),
    );
    for name in &names {
        let runs: Vec<&Row> = rows.iter().filter(|row| row.0 == *name).collect();
        let suggested = runs[0].1;
        let best = runs.iter().filter(|row| row.3.is_finite()).max_by(|a, b| a.3.total_cmp(&b.3));
        let best = best.context("every run diverged")?.2;
        let factor = (suggested / best).max(best / suggested);
        let verdict = if factor <= NEAR { "" } else { " (too far)" };
        let cell = |row: &&Row| {
            let accuracy = if row.3.is_finite() { format!("{:.1} %", row.3 * 100.0) } else { "diverged".to_string() };
            format!("{}: {accuracy}", show(row.2))
        };
        let cells: Vec<String> = runs.iter().map(cell).collect();
        text += &format!(
            "| `{name}` | {} | {} | {factor:.1}{verdict} | {} |\n",
            show(suggested),
            show(best),
            cells.join(", ")
        );
        let points = runs.iter().map(|row| (row.2, row.3)).collect();
        panels.push(Panel {
            x_scale: AxisScale::Log,
            series: vec![Series { style: Style::Colour(0), ..Series::new("validation accuracy", points) }],
            marks: vec![Mark { at: suggested, label: format!("suggested {}", show(suggested)), series: String::new() }],
            // The same for all panels, with room for the label above the line.
            y_range: Some((0.0, 1.2 * highest)),
            ..Panel::new(name, "learning rate", "validation accuracy")
        });
    }
    let figure =
        Figure { size: (1200, 430), ..Figure::new("Accuracy over the rate, and the rate that find suggests", panels) };
    figure.write_png(&path.with_extension("png"))?;
    figure.write_svg(&path.with_extension("svg"))?;
    std::fs::write(path.with_extension("md"), &text)?;
    print!("{text}");
    Ok(())
}
