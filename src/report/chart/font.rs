//! Roboto, cut down to what charts need: the same widths for PNG and SVG.

use ab_glyph::{Font as _, FontRef, PxScale, ScaleFont as _};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    Regular,
    Medium,
}

/// # Panics
/// Never: the fonts are in the binary, and a test opens both.
pub fn font(weight: Weight) -> FontRef<'static> {
    let bytes: &'static [u8] = match weight {
        Weight::Regular => include_bytes!("../assets/Roboto-Regular.ttf"),
        Weight::Medium => include_bytes!("../assets/Roboto-Medium.ttf"),
    };
    FontRef::try_from_slice(bytes).expect("the font in the binary is a font")
}

/// ab_glyph scales by ascent − descent; everybody else by the em square.
pub fn scale(font: &FontRef<'_>, size: f64) -> PxScale {
    let em = font.units_per_em().unwrap_or(2048.0);
    PxScale::from(size as f32 * font.height_unscaled() / em)
}

/// In pixels at this size.
pub fn width(text: &str, size: f64, weight: Weight) -> f64 {
    let font = font(weight);
    let scaled = font.as_scaled(scale(&font, size));
    text.chars().map(|c| f64::from(scaled.h_advance(font.glyph_id(c)))).sum()
}

/// `text`, cut with an ellipsis where it is wider than `room`.
pub fn fit(text: &str, room: f64, size: f64, weight: Weight) -> String {
    if width(text, size, weight) <= room {
        return text.to_string();
    }
    let mut kept: Vec<char> = text.chars().collect();
    while kept.pop().is_some() {
        let shorter: String = kept.iter().chain(&['…']).collect();
        if width(&shorter, size, weight) <= room {
            return shorter;
        }
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_weights_have_every_sign_that_the_axes_write() {
        for weight in [Weight::Regular, Weight::Medium] {
            let font = font(weight);
            for c in "0123456789.·−⁰¹²³⁴⁵⁶⁷⁸⁹⁻…±".chars() {
                assert_ne!(font.glyph_id(c).0, 0, "{weight:?} lacks {c}");
            }
        }
    }

    #[test]
    fn a_long_text_is_cut_to_its_room() {
        let cut = fit("sgd/one-cycle:max-lr=0.4,pct-start=0.3", 100.0, 12.0, Weight::Regular);
        assert!(cut.ends_with('…') && width(&cut, 12.0, Weight::Regular) <= 100.0, "{cut}");
        assert_eq!(fit("short", 100.0, 12.0, Weight::Regular), "short");
        assert_eq!(fit("short", 1.0, 12.0, Weight::Regular), "");
    }
}
