//! From the files of a comparison to its table and figure.

use lrsched::record::{ComparisonRow, EpochRow, Results, Status, write_rows};
use lrsched::report::chart::{AxisScale, Figure, MOST_LINES, Quantity, Style};
use lrsched::report::comparison::NAMED;
use lrsched::report::entrants::{entrants, names};
use lrsched::report::export::{ExtraFormats, Report};
use lrsched::report::load::load;
use lrsched::report::{comparison, table};
use lrsched::schedule::Semantics;
use std::collections::HashMap;
use std::path::Path;

/// The table of these runs for a terminal of `width` columns.
fn in_terminal(rows: &[ComparisonRow], width: usize, page: &Path) -> String {
    let entrants = entrants(rows);
    table::terminal(&entrants, &names(&entrants), width, page)
}

fn row(optimizer: &str, schedule: &str, seed: u64, val_accuracy: Option<f64>, status: Status) -> ComparisonRow {
    ComparisonRow {
        run: format!("{optimizer}-{}-{seed}", schedule.split(':').next().unwrap()),
        schedule: schedule.into(),
        optimizer: optimizer.into(),
        semantics: Semantics::Native,
        seed,
        epochs: 4,
        lr: if optimizer == "sgd" { 0.1 } else { 0.001 },
        results: Results {
            loss: val_accuracy.map(|a| 1.0 - a),
            accuracy: val_accuracy,
            val_loss: val_accuracy.map(|a| 1.1 - a),
            val_accuracy,
            best_val_accuracy: val_accuracy,
            best_epoch: val_accuracy.map(|_| 3),
            test_loss: None,
            test_accuracy: val_accuracy.map(|a| a - 0.01),
            seconds: Some(75.0),
        },
        status,
        role: None,
    }
}

/// Two schedules with two seeds each, one of them with a diverged run, and one optimizer with one seed.
fn rows() -> Vec<ComparisonRow> {
    vec![
        row("sgd", "step:factor=0.5,drop-every=10", 0, Some(0.70), Status::Finished),
        row("sgd", "one-cycle:max-lr=0.4,pct-start=0.3,div-factor=25", 0, Some(0.80), Status::Finished),
        row("sgd", "one-cycle:max-lr=0.4,pct-start=0.3,div-factor=25", 1, Some(0.82), Status::Finished),
        row("sgd", "step:factor=0.5,drop-every=10", 1, None, Status::Diverged),
        row("adam", "constant", 0, Some(0.75), Status::Finished),
    ]
}

fn write_comparison(folder: &Path) {
    let rows = rows();
    write_rows(&folder.join("comparison.csv"), &rows).unwrap();
    for run in &rows {
        let epochs = if run.status == Status::Diverged { 2 } else { 4 };
        let metrics: Vec<EpochRow> = (0..epochs)
            .map(|epoch| EpochRow {
                epoch,
                learning_rate: run.lr / (epoch + 1) as f64,
                loss: if run.status == Status::Diverged && epoch == 1 {
                    f64::NAN
                } else {
                    2.0 / (epoch + 1 + run.seed) as f64
                },
                accuracy: 0.2 * epoch as f64,
                val_loss: Some(2.1 / (epoch + 1) as f64),
                val_accuracy: Some(0.2 * epoch as f64),
                step: (epoch + 1) * 391,
                images_per_second: 1000.0,
                seconds: 1.0,
                ..EpochRow::default()
            })
            .collect();
        write_rows(&folder.join("runs").join(&run.run).join("metrics.csv"), &metrics).unwrap();
    }
}

/// The figure of a comparison, and one line for each file that could not be read completely.
struct Curves {
    figure: Figure,
    complaints: Vec<String>,
}

fn read(folder: &Path) -> Curves {
    let folders = [folder.to_path_buf()];
    let loaded = load(&folders);
    let figure = Report::of(&loaded, &folders, None, None).unwrap().figure;
    Curves { figure, complaints: loaded.complaints }
}

#[test]
fn the_table_is_sorted_by_validation_accuracy_and_says_what_it_knows() {
    let text = in_terminal(&rows(), 200, Path::new("cmp/report.html"));
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("entrant"), "{text}");
    assert!(!lines[0].contains("best val"), "the accuracy of other weights does not stand beside test %: {text}");
    assert!(
        lines[1].starts_with("sgd/one-cycle") && lines[1].contains("81.00 ± 1.41") && lines[1].contains("1m 15s"),
        "{text}"
    );
    assert!(lines[2].starts_with("adam/constant") && lines[2].contains("75.00") && !lines[2].contains('±'), "{text}");
    // 70 %, and chance for the seed that diverged.
    assert!(lines[3].starts_with("sgd/step") && lines[3].contains("40.00 ± 42.43"), "{text}");
    assert!(lines[3].ends_with("1m 15s  1 diverged"), "{text}");
}

#[test]
fn the_table_fits_eighty_columns_and_keeps_long_names_whole() {
    let text = in_terminal(&rows()[..3], 80, Path::new("cmp/report.html"));
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let names: String = text.lines().map(|line| line.split("  ").find(|part| !part.is_empty()).unwrap()).collect();
    assert!(names.contains("sgd/one-cycle:max-lr=0.4,pct-start=0.3,div-factor=25"), "{text}");
    for header in ["lr", "val %", "n", "test %", "best ep", "time"] {
        assert!(text.lines().next().unwrap().contains(header), "no {header}:\n{text}");
    }
    // Of all columns, that all are finished says least, and then the best epoch.
    let [narrow, wide] = [70, 90].map(|width| in_terminal(&rows()[..3], width, Path::new("cmp/report.html")));
    assert!(!text.contains("status") && wide.contains("status"), "{text}{wide}");
    assert!(!narrow.contains("best ep") && narrow.contains("time"), "{narrow}");
    let others = in_terminal(&rows(), 70, Path::new("cmp/report.html"));
    assert!(others.contains("status") && others.contains("diverged"), "{others}");
}

#[test]
fn an_entrant_without_a_finished_run_is_a_row_with_its_status_at_the_end() {
    let mut rows = rows();
    rows.insert(0, row("rmsprop", "constant", 0, None, Status::Failed));
    let text = in_terminal(&rows, 80, Path::new("cmp/report.html"));
    let last = text.lines().last().unwrap();
    assert!(last.starts_with("rmsprop/constant") && last.ends_with("failed") && last.contains('–'), "{text}");
}

#[test]
fn entrants_that_differ_in_rate_or_semantics_only_say_so() {
    let mut twin = row("sgd", "cosine", 0, Some(0.5), Status::Finished);
    let first = twin.clone();
    twin.lr = 0.2;
    let mut torch = first.clone();
    torch.semantics = Semantics::Torch;
    let rows = [first, twin, torch];
    let entrants = entrants(&rows);
    let text = table::markdown(&entrants, &names(&entrants));
    for name in ["`sgd/cosine lr=0.2 (native)`", "`sgd/cosine lr=0.1 (native)`", "`sgd/cosine lr=0.1 (torch)`"] {
        assert!(text.contains(name), "{name}:\n{text}");
    }
}

#[test]
fn a_markdown_table_has_as_many_cells_in_each_row() {
    let rows = rows();
    let entrants = entrants(&rows);
    let text = table::markdown(&entrants, &names(&entrants));
    let cells: Vec<usize> = text.lines().map(|line| line.matches('|').count()).collect();
    assert_eq!(cells, [cells[0]; 5], "{text}");
}

#[test]
fn the_picture_has_a_line_for_each_entrant_and_a_band_where_seeds_repeat() {
    let folder = tempfile::tempdir().unwrap();
    write_comparison(folder.path());
    let read = read(folder.path());
    assert_eq!(read.complaints, Vec::<String>::new());
    let titles: Vec<&str> = read.figure.panels.iter().map(|panel| panel.title.as_str()).collect();
    assert_eq!(
        titles,
        ["Learning rate", "Training loss", "Validation loss", "Training accuracy", "Validation accuracy"]
    );
    assert_eq!(read.figure.panels[0].y_scale, AxisScale::Log, "0.1 and 0.001 / 4 are far apart");
    let loss = &read.figure.panels[1];
    let of = |name: &str| loss.series.iter().find(|series| series.name.starts_with(name)).unwrap();
    // Seeds 0 and 1: 2/1 and 2/2 at epoch 0.
    assert_eq!(of("sgd/one-cycle").points[0], (0.0, 1.5));
    let (_, lower, upper) = of("sgd/one-cycle").band[0];
    assert!((upper - lower - 2.0 * 0.5_f64.sqrt()).abs() < 1e-12, "± the sample deviation of 2 and 1: {lower} {upper}");
    assert!(of("adam/constant").band.is_empty());
    assert_eq!(of("sgd/step").points.len(), 4, "the finished run, not the diverged one");

    let folders = [folder.path().to_path_buf()];
    let loaded = load(&folders);
    comparison::write_pictures(folder.path(), &Report::of(&loaded, &folders, None, None).unwrap(), "title").unwrap();
    for picture in ["comparison.png", "comparison.svg", "ranking.png", "ranking.svg"] {
        assert!(folder.path().join(picture).is_file(), "{picture}");
    }
}

#[test]
fn a_missing_or_cut_metrics_file_costs_its_line_only() {
    let folder = tempfile::tempdir().unwrap();
    write_comparison(folder.path());
    std::fs::remove_file(folder.path().join("runs/adam-constant-0/metrics.csv")).unwrap();
    let cut = folder.path().join("runs/sgd-one-cycle-1/metrics.csv");
    let text = std::fs::read_to_string(&cut).unwrap();
    std::fs::write(&cut, &text[..text.len() - 5]).unwrap();
    let read = read(folder.path());
    assert_eq!(read.complaints.len(), 2, "{:?}", read.complaints);
    assert!(
        read.complaints.iter().any(|line| line.contains("runs/adam-constant-0/metrics.csv")),
        "{:?}",
        read.complaints
    );
    assert!(read.complaints.iter().any(|line| line.contains("row 4 is cut")), "{:?}", read.complaints);
    assert_eq!(read.figure.panels.len(), 5);
}

#[test]
fn rates_are_drawn_step_by_step_from_the_schedule_and_where_rows_say_otherwise_from_them() {
    let folder = tempfile::tempdir().unwrap();
    write_comparison(folder.path());
    // A realistic run: two epochs of 391 steps of one-cycle, whose shape an epoch's last rate does not show.
    let spec = "one-cycle:max-lr=0.4";
    let mut only = row("sgd", spec, 0, Some(0.8), Status::Finished);
    only.epochs = 2;
    let setting = lrsched::schedule::RunShape::new(0.1, 2, 391);
    let schedule = lrsched::schedule::Schedule::build(&spec.parse().unwrap(), &setting).unwrap();
    let path = folder.path().join("runs").join(&only.run).join("metrics.csv");
    let mut metrics: Vec<EpochRow> = lrsched::record::read_rows(&path).unwrap();
    metrics.truncate(2);
    metrics.iter_mut().for_each(|row| row.learning_rate = schedule.at(row.step - 1).learning_rate);
    write_rows(&path, &metrics).unwrap();
    write_rows(&folder.path().join("comparison.csv"), &[only, row("adam", "constant", 0, None, Status::Finished)])
        .unwrap();
    let read = read(folder.path());
    let rates = |name: &str| {
        read.figure.panels[0].series.iter().find(|series| series.name.starts_with(name)).unwrap().points.clone()
    };
    let drawn = rates("sgd/one-cycle");
    let peak = drawn.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
    assert!(
        (peak.1 - 0.4).abs() < 1e-3 && (0.5..0.7).contains(&peak.0),
        "the peak is within the first epoch: {peak:?}"
    );
    // The rows contradict a constant rate: draw a staircase of the recorded rates.
    assert_eq!(rates("adam/constant")[..4], [(0.0, 0.001), (1.0, 0.001), (1.0, 0.0005), (2.0, 0.0005)]);
}

#[test]
fn a_band_is_not_cut_at_the_edge_of_a_panel_that_cuts_off_a_loss_that_explodes() {
    let folder = tempfile::tempdir().unwrap();
    write_comparison(folder.path());
    // Seeds with a wide spread, beside a run whose loss blows up.
    for (run, losses) in [
        ("sgd-one-cycle-0", [2.0, 1.0, 0.2, 0.1]),
        ("sgd-one-cycle-1", [3.5, 3.0, 2.5, 2.0]),
        ("adam-constant-0", [2.0, 2.0, 2.0, 900.0]),
    ] {
        let path = folder.path().join("runs").join(run).join("metrics.csv");
        let mut metrics: Vec<EpochRow> = lrsched::record::read_rows(&path).unwrap();
        metrics.iter_mut().zip(losses).for_each(|(row, loss)| row.loss = loss);
        write_rows(&path, &metrics).unwrap();
    }
    let read = read(folder.path());
    let panel = &read.figure.panels[1];
    let (low, high) = panel.y_range.expect("900 is cut off");
    assert!(high < 100.0);
    let bands = panel.series.iter().flat_map(|series| &series.band);
    for (epoch, lower, upper) in bands {
        assert!(low <= *lower && *upper <= high, "epoch {epoch}: {lower} to {upper} in {low} to {high}");
    }
}

/// A comparison of `count` entrants, each a little worse than the one before.
fn many(count: usize) -> Vec<ComparisonRow> {
    let entrant = |place: usize| {
        let schedule = format!("polynomial:power={}", place + 1);
        ComparisonRow {
            run: format!("sgd-{place}"),
            ..row("sgd", &schedule, 0, Some(0.9 - place as f64 / 10_000.0), Status::Finished)
        }
    };
    (0..count).map(entrant).collect()
}

#[test]
fn a_picture_of_more_entrants_than_can_be_told_apart_names_the_best_and_draws_the_others_in_grey_behind_them() {
    let drawn = |count: usize| {
        let rows = many(count);
        let metrics = rows.iter().map(|run| {
            let row = EpochRow {
                learning_rate: 0.1,
                val_accuracy: run.results.val_accuracy,
                step: 10,
                ..EpochRow::default()
            };
            (run.run.clone(), vec![EpochRow { accuracy: 0.5, loss: 1.0, val_loss: Some(1.0), ..row }])
        });
        let figure = comparison::figure(&entrants(&rows), &metrics.collect(), &HashMap::new(), "");
        (comparison::picture(&figure), figure)
    };
    let (picture, figure) = drawn(MOST_LINES);
    assert_eq!(picture, figure, "as many as can be told apart");
    let banded = |count: usize| {
        let mut figure = drawn(count).1;
        let lines = figure.panels.iter_mut().flat_map(|panel| &mut panel.series);
        lines.for_each(|line| line.band = vec![(0.0, 0.4, 0.6)]);
        let picture = comparison::picture(&figure);
        picture.panels.iter().flat_map(|panel| &panel.series).filter(|line| !line.band.is_empty()).count()
    };
    assert_eq!((banded(10), banded(11)), (50, 0), "more bands cover the lines");
    // A loss that explodes is clipped; the range is that of what is drawn.
    let range = |band: &[(f64, f64, f64)]| {
        let mut figure = drawn(11).1;
        let panel = figure.panels.iter_mut().find(|panel| panel.quantity == Some(Quantity::Loss)).unwrap();
        panel.series.iter_mut().for_each(|line| line.band = band.to_vec());
        panel.series[0].points[0].1 = 100.0;
        let picture = comparison::picture(&figure);
        picture.panels.into_iter().find(|panel| panel.quantity == Some(Quantity::Loss)).unwrap().y_range
    };
    assert!(range(&[]).is_some());
    assert_eq!(range(&[(0.0, 0.1, 1.9)]), range(&[]), "bands that are not drawn");
    let (picture, figure) = drawn(MOST_LINES + 72);
    let (panel, before) = (picture.panels.last().unwrap(), figure.panels.last().unwrap());
    assert_eq!(panel.series[..NAMED], before.series[..NAMED]);
    let others = &panel.series[NAMED..];
    assert_eq!(others.len(), MOST_LINES + 72 - NAMED);
    let rest = format!("and {} more", others.len());
    assert!(others.iter().all(|line| line.style == Style::Grey && line.name == rest && line.band.is_empty()));
    assert!(picture.svg().unwrap().contains(&rest), "one entry of the legend for all");
}

#[test]
fn a_terminal_shows_the_best_fifty_entrants_and_says_where_the_others_are() {
    let mut rows = many(60);
    rows[55].status = Status::Failed;
    rows[55].results = Results::default();
    let text = in_terminal(&rows, 200, Path::new("cmp/report.html"));
    assert_eq!(text.lines().count(), 1 + 50 + 1, "{text}");
    assert_eq!(text.lines().nth(50).unwrap().split_whitespace().next(), Some("sgd/polynomial:power=50"));
    assert_eq!(
        text.lines().last(),
        Some("and 10 more, 1 of them without a finished run: all are in cmp/report.html"),
        "{text}"
    );
    let fifty = in_terminal(&rows[..50], 200, Path::new("cmp/report.html"));
    assert_eq!((fifty.lines().count(), fifty.contains("more")), (51, false));
    // A pipe or a file, which nothing scrolls away from.
    let all = in_terminal(&rows, table::UNLIMITED, Path::new("cmp/report.html"));
    assert_eq!((all.lines().count(), all.contains("more")), (61, false), "{all}");
}

#[test]
fn the_runs_of_a_comparison_are_reported_in_the_order_of_its_table() {
    let folder = tempfile::tempdir().unwrap();
    let mut rows = many(200);
    rows.reverse();
    write_rows(&folder.path().join("comparison.csv"), &rows).unwrap();
    let loaded = load(&[folder.path().to_path_buf()]);
    let found: Vec<&str> = loaded.runs.iter().map(|run| run.row.schedule.as_str()).collect();
    let expected: Vec<&str> = rows.iter().map(|row| row.schedule.as_str()).collect();
    assert_eq!(found, expected);
    assert_eq!(loaded.complaints.len(), rows.len(), "a line for each metrics.csv that is missing");
    assert!(loaded.complaints[0].contains("sgd-199") && loaded.complaints[199].contains("sgd-0"));
}

#[test]
fn a_page_of_many_entrants_begins_with_those_that_can_be_told_apart_and_says_so() {
    let page = |count: usize| {
        let folder = tempfile::tempdir().unwrap();
        write_rows(&folder.path().join("comparison.csv"), &many(count)).unwrap();
        let (folders, page) = ([folder.path().to_path_buf()], folder.path().join("report.html"));
        Report::of(&load(&folders), &folders, None, None).unwrap().write(&page, ExtraFormats::default()).unwrap();
        std::fs::read_to_string(page).unwrap()
    };
    let note = format!(
        "The best {MOST_LINES} of 40 entrants are shown at first; click a name to show another, and scroll the names for the rest."
    );
    assert!(page(40).contains(&note) && page(40).contains(&format!("\"shown\":{MOST_LINES}")));
    assert!(page(40).contains("sgd/polynomial:power=40"), "the tables have them all");
    assert!(!page(MOST_LINES).contains("are shown at first"));
}
