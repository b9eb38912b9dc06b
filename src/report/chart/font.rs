//! Roboto, subset to the glyphs that charts need, so that PNG and SVG have the same text widths.

use ab_glyph::{Font as _, FontRef, ScaleFont as _};
use plotters::style::{FontFamily, FontStyle, register_font};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    Regular,
    Medium,
}

impl Weight {
    /// The font's name in plotters, and the font-family list of an SVG.
    pub fn family(self) -> FontFamily<'static> {
        FontFamily::Name(match self {
            Weight::Regular => "Roboto, Helvetica Neue, Arial, sans-serif",
            Weight::Medium => "Roboto Medium, Roboto, Helvetica Neue, Arial, sans-serif",
        })
    }

    fn bytes(self) -> &'static [u8] {
        match self {
            Weight::Regular => include_bytes!("../assets/Roboto-Regular.ttf"),
            Weight::Medium => include_bytes!("../assets/Roboto-Medium.ttf"),
        }
    }
}

/// Registers both fonts with plotters, which then needs no system fonts.
pub fn register_with_plotters() {
    for weight in [Weight::Regular, Weight::Medium] {
        let known = register_font(weight.family().as_str(), FontStyle::Normal, weight.bytes());
        assert!(known.is_ok(), "the font in the binary is a font");
    }
}

/// The embedded font.
///
/// # Panics
/// Never: the fonts are in the binary, and a test opens both.
pub fn font(weight: Weight) -> FontRef<'static> {
    FontRef::try_from_slice(weight.bytes()).expect("the font in the binary is a font")
}

/// From the lowest descender to the highest ascender, in em: the font size in the sense of ab_glyph and of plotters' bitmap backend.
pub fn height(weight: Weight) -> f64 {
    let font = font(weight);
    f64::from(font.height_unscaled() / font.units_per_em().unwrap_or(2048.0))
}

/// The width of `text` in pixels at this size.
pub fn width(text: &str, size: f64, weight: Weight) -> f64 {
    let font = font(weight);
    let scaled = font.as_scaled((size * height(weight)) as f32);
    text.chars().map(|c| f64::from(scaled.h_advance(font.glyph_id(c)))).sum()
}

/// `text`, cut with an ellipsis if it is wider than `room`.
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
    fn both_weights_have_every_glyph_of_the_axis_labels() {
        for weight in [Weight::Regular, Weight::Medium] {
            let font = font(weight);
            for c in "0123456789.·−⁰¹²³⁴⁵⁶⁷⁸⁹⁻…±".chars() {
                assert_ne!(font.glyph_id(c).0, 0, "{weight:?} lacks {c}");
            }
        }
    }

    #[test]
    fn a_long_text_is_cut_to_the_available_width() {
        let cut = fit("sgd/one-cycle:max-lr=0.4,pct-start=0.3", 100.0, 12.0, Weight::Regular);
        assert!(cut.ends_with('…') && width(&cut, 12.0, Weight::Regular) <= 100.0, "{cut}");
        assert_eq!(fit("short", 100.0, 12.0, Weight::Regular), "short");
        assert_eq!(fit("short", 1.0, 12.0, Weight::Regular), "");
    }
}
