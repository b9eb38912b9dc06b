//! The distributions under the verdicts, against SciPy and statsmodels: tests/golden/statistics, made by scripts/check_statistics.py.

use lrsched::stats::distribution::{clopper_pearson, holm, normal_quantile, power, student_t_quantile, student_t_tail};
use std::collections::BTreeMap;

/// The rows of a file as numbers.
fn rows<const N: usize>(file: &str) -> Vec<[f64; N]> {
    let path = format!("{}/tests/golden/statistics/{file}.csv", env!("CARGO_MANIFEST_DIR"));
    let mut reader = csv::Reader::from_path(path).unwrap();
    let number = |record: csv::StringRecord| -> [f64; N] {
        record.iter().map(|cell| cell.parse().unwrap()).collect::<Vec<f64>>().try_into().unwrap()
    };
    reader.records().map(|record| number(record.unwrap())).collect()
}

/// Equal to 1e-9: of large values relatively, and of small probabilities too.
fn near(found: f64, expected: f64, what: &str) {
    let apart = (found - expected).abs();
    assert!(apart <= 1e-9 * expected.abs().max(1e-6), "{what}: {found}, expected {expected}");
}

#[test]
fn quantiles_and_tails_of_students_t_are_those_of_scipy() {
    let quantiles = rows::<3>("student_t");
    assert!(quantiles.len() > 100);
    for [p, degrees, quantile] in quantiles {
        near(student_t_quantile(p, degrees as u32), quantile, &format!("t of {p}, {degrees} degrees"));
        if p < 0.999_999 {
            near(student_t_quantile(1.0 - p, degrees as u32), -quantile, &format!("t of 1 − {p}, {degrees} degrees"));
        }
    }
    for [t, degrees, tail] in rows::<3>("tails") {
        near(student_t_tail(t, degrees as u32), tail, &format!("P(T > {t}), {degrees} degrees"));
    }
    assert_eq!((student_t_tail(f64::INFINITY, 3), student_t_tail(f64::NEG_INFINITY, 3)), (0.0, 1.0));
}

#[test]
fn limits_of_a_share_are_clopper_and_pearsons_of_scipy_and_statsmodels() {
    for [successes, n, lower, upper] in rows::<4>("clopper_pearson") {
        let (found_lower, found_upper) = clopper_pearson(successes, n as usize, 0.95);
        near(found_lower, lower, &format!("lower limit of {successes} of {n}"));
        near(found_upper, upper, &format!("upper limit of {successes} of {n}"));
    }
    // Five of five are compatible with a coin.
    assert_eq!(format!("{:.3}", clopper_pearson(5.0, 5, 0.95).0), "0.478");
}

#[test]
fn adjusted_p_values_are_holms_of_statsmodels() {
    let mut families: BTreeMap<u32, (usize, Vec<f64>, Vec<f64>)> = BTreeMap::new();
    for [family, tests, p, adjusted] in rows::<4>("holm") {
        let (of, ps, all) = families.entry(family as u32).or_default();
        *of = tests as usize;
        ps.push(p);
        all.push(adjusted);
    }
    assert_eq!(families.len(), 10);
    for (family, (tests, ps, all)) in families {
        for (found, expected) in holm(&ps, tests).into_iter().zip(all) {
            near(found, expected, &format!("family {family}"));
        }
    }
}

#[test]
fn the_power_of_a_paired_t_test_is_that_of_statsmodels() {
    for [effect, n, expected] in rows::<3>("power") {
        let found = power(effect, n as usize);
        assert!((found - expected).abs() < 1e-6, "{effect}, n = {n}: {found}, expected {expected}");
    }
}

#[test]
fn normal_quantiles_are_those_of_scipy_to_seven_digits() {
    for [p, expected] in rows::<2>("normal") {
        assert!((normal_quantile(p) - expected).abs() < 1e-5, "{p}: {}", normal_quantile(p));
    }
}
