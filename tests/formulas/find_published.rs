//! What the project says about `lrsched find` in results/published/find: the files there must bear it out.

use lrsched::record::{RangeRow, read_rows};
use lrsched::report::range::RangeTests;
use lrsched::stats::suggest::{headline, show};
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("results/published/find")
}

/// optimizer, suggested rate, rate, validation accuracy, validation loss, exit code
type Row = (String, f64, f64, f64, f64, u8);

fn validation() -> Vec<Row> {
    let mut reader = csv::Reader::from_path(folder().join("validation.csv")).unwrap();
    reader.deserialize().map(Result::unwrap).collect()
}

const OPTIMIZERS: [(&str, &str); 3] = [("sgd", "sgd"), ("sgd:momentum=0.9", "sgd-momentum-0.9"), ("adam", "adam")];

/// What our methods suggest today from the published curve of an optimizer.
fn suggested(name: &str) -> f64 {
    let rows: Vec<RangeRow> = read_rows(&folder().join(name).join("range.csv")).unwrap();
    let tests = RangeTests { name: name.to_string(), tests: vec![(String::new(), rows)] };
    let (_, rate) = headline(&tests.suggestions()).unwrap();
    show(rate).parse().unwrap()
}

#[test]
fn the_published_range_tests_still_suggest_the_rates_that_were_trained_at_within_a_factor_of_3_of_the_best() {
    for (optimizer, name) in OPTIMIZERS {
        let rows: Vec<Row> = validation().into_iter().filter(|row| row.0 == optimizer).collect();
        let suggested = suggested(name);
        assert_eq!(suggested, rows[0].1, "{optimizer}");
        let tried = |factor: f64| rows.iter().any(|row| (row.2 / suggested / factor - 1.0).abs() < 0.01);
        assert!(tried(1.0) && tried(0.1) && tried(10.0) && rows.len() == 7, "{optimizer}: {rows:?}");
        let best = rows.iter().filter(|row| row.3.is_finite()).max_by(|a, b| a.3.total_cmp(&b.3)).unwrap();
        let factor = (suggested / best.2).max(best.2 / suggested);
        assert!(factor < 3.0, "{optimizer}: suggested {suggested}, best {}", best.2);
    }
}
