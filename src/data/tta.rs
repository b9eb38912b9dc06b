//! Test-time augmentation: several views of each image, whose logits are averaged.

use super::images::{CHANNELS, IMAGE_BYTES, SIDE, reflected};
use crate::usage::{Usage, named};

/// The views of an image that an evaluation averages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tta {
    /// The image itself.
    #[default]
    None,
    /// The image and its mirror image.
    Mirror,
    /// [`Tta::Mirror`] with half of the weight; the other half is that of the image moved by a pixel down and right, or up
    /// and left (reflected at the edges), each with its mirror image: six views (Jordan 2024, arXiv:2404.00498).
    MirrorTranslate,
}

/// One view of an image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct View {
    /// The share of its logits in the average.
    pub weight: f32,
    mirrored: bool,
    /// Pixels down and right.
    shift: isize,
}

const fn view(weight: f32, mirrored: bool, shift: isize) -> View {
    View { weight, mirrored, shift }
}

static VIEWS_OF_NONE: [View; 1] = [view(1.0, false, 0)];
static VIEWS_OF_MIRROR: [View; 2] = [view(0.5, false, 0), view(0.5, true, 0)];
static VIEWS_OF_MIRROR_TRANSLATE: [View; 6] = [
    view(0.25, false, 0),
    view(0.25, true, 0),
    view(0.125, false, 1),
    view(0.125, true, 1),
    view(0.125, false, -1),
    view(0.125, true, -1),
];

impl Tta {
    pub const ALL: [Self; 3] = [Self::None, Self::Mirror, Self::MirrorTranslate];

    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Mirror => "mirror",
            Self::MirrorTranslate => "mirror-translate",
        }
    }

    /// The views; their weights are powers of 2 and add up to 1.
    pub fn views(self) -> &'static [View] {
        match self {
            Self::None => &VIEWS_OF_NONE,
            Self::Mirror => &VIEWS_OF_MIRROR,
            Self::MirrorTranslate => &VIEWS_OF_MIRROR_TRANSLATE,
        }
    }
}

impl View {
    /// Replaces the contents of `out` with the view of each of `images`, (images, 32, 32, 3). The image is moved first and
    /// then mirrored.
    pub fn show(self, images: &[f32], out: &mut Vec<f32>) {
        let columns: [usize; SIDE] = std::array::from_fn(|x| {
            let x = if self.mirrored { SIDE - 1 - x } else { x };
            reflected(x.cast_signed() - self.shift)
        });
        out.clear();
        for image in images.chunks_exact(IMAGE_BYTES) {
            for y in 0..SIDE {
                let row = &image[reflected(y.cast_signed() - self.shift) * SIDE * CHANNELS..][..SIDE * CHANNELS];
                out.extend(columns.iter().flat_map(|column| &row[column * CHANNELS..][..CHANNELS]));
            }
        }
    }
}

impl std::str::FromStr for Tta {
    type Err = Usage;

    fn from_str(text: &str) -> Result<Self, Usage> {
        named("test-time augmentation", text, Self::ALL, Self::name)
    }
}

impl std::fmt::Display for Tta {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two images whose values tell their place: 1000·image + 32·y + x, the same in each channel.
    fn images() -> Vec<f32> {
        (0..2 * SIDE * SIDE).flat_map(|pixel| [(1000 * (pixel / 1024) + pixel % 1024) as f32; CHANNELS]).collect()
    }

    fn shown(view: View) -> Vec<f32> {
        let mut out = vec![7.0; 5];
        view.show(&images(), &mut out);
        out
    }

    #[test]
    fn the_weights_add_up_to_1_the_untranslated_half_weighs_one_half_and_the_first_view_is_the_image() {
        for tta in Tta::ALL {
            assert_eq!(tta.views().iter().map(|view| view.weight).sum::<f32>(), 1.0);
            assert_eq!(shown(tta.views()[0]), images());
            assert_eq!(tta.to_string().parse(), Ok(tta));
        }
        let views = Tta::MirrorTranslate.views();
        let still: f32 = views.iter().filter(|view| view.shift == 0).map(|view| view.weight).sum();
        assert_eq!((views.len(), still), (6, 0.5));
        assert!("mirrored".parse::<Tta>().unwrap_err().to_string().contains("did you mean `mirror`?"));
    }

    #[test]
    fn a_view_is_the_image_padded_by_one_reflected_pixel_cropped_and_then_mirrored() {
        let whole = images();
        let padded = |image: usize, row: isize, column: isize| {
            let inside = |place: isize| if place < 0 { 1 } else if place > 31 { 30 } else { place } as usize;
            whole[(image * 1024 + inside(row) * 32 + inside(column)) * 3]
        };
        for view in Tta::MirrorTranslate.views() {
            let out = shown(*view);
            // The corner of the crop in the padded image: PyTorch's padded[:, :, 0:32, 0:32] is shift 1.
            let corner = 1 - view.shift;
            for (image, y, x) in (0..2).flat_map(|i| (0..32).flat_map(move |y| (0..32).map(move |x| (i, y, x)))) {
                let column = if view.mirrored { 31 - x } else { x };
                let want = padded(image, y + corner - 1, column + corner - 1);
                let at = (image * 1024 + (y * 32 + x) as usize) * 3;
                assert_eq!(out[at..at + 3], [want; 3], "{view:?} {y} {x}");
            }
        }
    }
}
