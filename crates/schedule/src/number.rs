//! Formats numbers for people: plain decimals from 0.0001 up to a million, `5e-5` and `2e6` outside that range. Numbers for
//! programs (CSV, JSON) are never rounded.

/// The range of magnitudes that are printed as plain decimals.
const PLAIN: std::ops::Range<f64> = 1e-4..1e6;

/// Formats a computed rate to four significant digits: `0.01235`, `3.142e-5`.
pub fn rate(value: f64) -> String {
    significant(value, 4)
}

/// Formats a rate that a user typed, or is to type, with every digit.
pub fn exact(value: f64) -> String {
    if value == 0.0 || !value.is_finite() || PLAIN.contains(&value.abs()) {
        value.to_string()
    } else {
        format!("{value:e}")
    }
}

/// Formats a rate that a user typed, or a typed multiple of one, with every digit except rounding noise (3 x 0.1 is
/// 0.30000000000000004).
pub fn nominal(value: f64) -> String {
    significant(value, 14)
}

/// Formats `value` to `digits` significant digits, without trailing zeros.
pub fn significant(value: f64, digits: usize) -> String {
    exact(rounded(value, digits))
}

/// `value` rounded to `digits` significant digits.
pub fn rounded(value: f64, digits: usize) -> f64 {
    format!("{value:.0$e}", digits.max(1) - 1).parse().unwrap_or(value)
}

/// A count with its noun, pluralised with an `s`: `1 run`, `3 runs`.
pub fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Formats `30730000` as `30,730,000`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_plain_from_a_ten_thousandth_to_a_million_and_scientific_outside() {
        for (value, text) in [
            (0.1, "0.1"),
            (0.0008, "0.0008"),
            (1e-4, "0.0001"),
            (5e-5, "5e-5"),
            (0.0123456, "0.01235"),
            (3.14159e-5, "3.142e-5"),
            (0.0, "0"),
            (1.0, "1"),
            (-0.25, "-0.25"),
            (123_456.0, "123500"),
            (2e6, "2e6"),
            (0.1 + 0.2, "0.3"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "inf"),
        ] {
            assert_eq!(rate(value), text);
        }
    }

    #[test]
    fn a_multiple_of_what_was_typed_has_no_digits_of_noise() {
        assert_eq!([3.0 * 0.1, 0.1 * 0.1, 0.012345678, 0.0].map(nominal), ["0.3", "0.01", "0.012345678", "0"]);
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        let cases = [(0, "0"), (999, "999"), (1000, "1,000"), (30_730_000, "30,730,000")];
        cases.into_iter().for_each(|(number, text)| assert_eq!(grouped(number), text));
    }

    #[test]
    fn one_is_singular() {
        assert_eq!([0, 1, 2].map(|count| counted(count, "run")), ["0 runs", "1 run", "2 runs"]);
    }

    #[test]
    fn what_was_typed_keeps_every_digit() {
        for value in [0.1, 1.0 / 3.0, 5e-5, 1e-230, 0.012345678] {
            assert_eq!(exact(value).parse(), Ok(value));
        }
    }
}
