//! Numbers for people.

/// Four significant digits, without trailing zeros: for people; the CSV has them all.
pub(super) fn short(value: f64) -> String {
    let rounded: f64 = format!("{value:.3e}").parse().unwrap_or(value);
    if rounded != 0.0 && rounded.abs() < 1e-3 { format!("{rounded:e}") } else { format!("{rounded}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_shown_in_four_digits() {
        for (value, text) in [(0.1, "0.1"), (0.0123456, "0.01235"), (3.14159e-5, "3.142e-5"), (0.0, "0"), (1.0, "1")] {
            assert_eq!(short(value), text);
        }
        assert_eq!(short(f64::NAN), "NaN");
    }
}
