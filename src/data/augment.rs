//! Random flips and crops of the training images.

use super::images::{CHANNELS, IMAGE_BYTES, SIDE};
use super::normalisation::Normalisation;
use crate::random::{Purpose, below, keyed};
use crate::usage;
use crate::usage::{Usage, did_you_mean, shortened};
use rand_core::Rng;

/// Black pixels added around an image before cropping.
const PADDING: usize = 4;

/// Data augmentation of training images, redrawn every epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Augment {
    #[default]
    None,
    /// Mirror left to right with probability 1/2.
    Flip,
    /// [`Augment::Flip`], then a random 32x32 crop of the image padded by 4 black pixels: PyTorch's
    /// `RandomHorizontalFlip` and `RandomCrop(32, padding=4)`. The padding is black before normalisation.
    FlipCrop,
}

impl Augment {
    pub const ALL: [Augment; 3] = [Augment::None, Augment::Flip, Augment::FlipCrop];

    pub const fn name(self) -> &'static str {
        match self {
            Augment::None => "none",
            Augment::Flip => "flip",
            Augment::FlipCrop => "flip-crop",
        }
    }

    /// The change to image `index` of the dataset in `epoch`; independent of its batch and its position in the epoch.
    fn draw(self, seed: u64, epoch: u64, index: u32) -> Change {
        if self == Augment::None {
            return Change::NONE;
        }
        let mut rng = keyed(seed, Purpose::Augmentation, epoch, u64::from(index));
        let flip = rng.next_u32() >> 31 == 1;
        if self == Augment::Flip {
            return Change { flip, ..Change::NONE };
        }
        let mut shift = || below(&mut rng, 2 * PADDING as u32 + 1) as usize;
        Change { flip, top: shift(), left: shift() }
    }

    /// Augments and normalises one image: (3, 32, 32) bytes to (32, 32, 3) values.
    pub(super) fn image(
        self,
        (seed, epoch, index): (u64, u64, u32),
        pixels: &[u8; IMAGE_BYTES],
        normalisation: &Normalisation,
        out: &mut [f32],
    ) {
        match self.draw(seed, epoch, index) {
            Change::NONE => normalisation.image(pixels, out),
            change => change.apply(pixels, normalisation, out),
        }
    }
}

impl std::str::FromStr for Augment {
    type Err = Usage;

    fn from_str(text: &str) -> Result<Self, Usage> {
        match Augment::ALL.into_iter().find(|augment| augment.name() == text) {
            Some(augment) => Ok(augment),
            None => {
                let names = Augment::ALL.map(Augment::name);
                usage!(
                    "unknown augmentation `{text}`{} (augmentations: {})",
                    did_you_mean(text, names),
                    names.join(", "),
                    text = shortened(text)
                )
            }
        }
    }
}

impl std::fmt::Display for Augment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// One draw. `top` and `left` are the crop's corner in the padded image, 0..=8; 4 is the original position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Change {
    flip: bool,
    top: usize,
    left: usize,
}

impl Change {
    const NONE: Change = Change { flip: false, top: PADDING, left: PADDING };

    fn apply(self, pixels: &[u8; IMAGE_BYTES], normalisation: &Normalisation, out: &mut [f32]) {
        const PADDED: usize = SIDE + 2 * PADDING;
        let mut padded = [[0_u8; PADDED]; CHANNELS];
        for (y, out) in out.chunks_exact_mut(SIDE * CHANNELS).enumerate() {
            // top + y is the row in the padded image, whose row PADDING is the image's first.
            let row = (self.top + y).checked_sub(PADDING).filter(|&row| row < SIDE);
            for (channel, padded) in padded.iter_mut().enumerate() {
                let inner = &mut padded[PADDING..PADDING + SIDE];
                match row {
                    Some(row) => inner.copy_from_slice(&pixels[(channel * SIDE + row) * SIDE..][..SIDE]),
                    None => inner.fill(0),
                }
                if self.flip {
                    inner.reverse();
                }
            }
            normalisation.row(padded.each_ref().map(|row| &row[self.left..self.left + SIDE]), out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered() -> [u8; IMAGE_BYTES] {
        std::array::from_fn(|place| (1 + place % 255) as u8)
    }

    fn apply(change: Change, pixels: &[u8; IMAGE_BYTES]) -> Vec<f32> {
        let mut out = vec![-1.0; IMAGE_BYTES];
        change.apply(pixels, &Normalisation::new([0.0; 3], [1.0 / 255.0; 3]), &mut out);
        out
    }

    /// The definition, pixel by pixel: pad the (flipped) image with zeros, then crop to 32x32.
    fn expected(change: Change, pixels: &[u8; IMAGE_BYTES], y: usize, x: usize, channel: usize) -> u8 {
        let (row, column) = ((change.top + y) as isize - 4, (change.left + x) as isize - 4);
        if !(0..32).contains(&row) || !(0..32).contains(&column) {
            return 0;
        }
        let column = if change.flip { 31 - column } else { column };
        pixels[channel * 1024 + row as usize * 32 + column as usize]
    }

    #[test]
    fn every_flip_and_crop_is_what_its_definition_says() {
        let pixels = numbered();
        for flip in [false, true] {
            for (top, left) in [(4, 4), (0, 0), (8, 8), (0, 8), (3, 5)] {
                let change = Change { flip, top, left };
                let out = apply(change, &pixels);
                for y in 0..32 {
                    for x in 0..32 {
                        for channel in 0..3 {
                            let want = f32::from(expected(change, &pixels, y, x, channel));
                            assert!((out[(y * 32 + x) * 3 + channel] - want).abs() < 1e-4, "{change:?} {y} {x}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn half_of_the_images_are_flipped_and_every_crop_is_drawn_about_as_often() {
        let draws: Vec<Change> = (0..8100).map(|index| Augment::FlipCrop.draw(1, 0, index)).collect();
        let flips = draws.iter().filter(|change| change.flip).count();
        assert!((3900..4200).contains(&flips), "{flips} flips of 8100");
        for (top, left) in (0..81).map(|place| (place / 9, place % 9)) {
            let count = draws.iter().filter(|change| (change.top, change.left) == (top, left)).count();
            assert!((60..150).contains(&count), "crop {top},{left} came {count} times of 8100");
        }
    }

    #[test]
    fn an_image_is_changed_anew_in_each_epoch_and_alike_in_each_run_of_a_seed() {
        let draws = |seed, epoch| (0..200).map(|i| Augment::FlipCrop.draw(seed, epoch, i)).collect::<Vec<_>>();
        assert_eq!(draws(1, 3), draws(1, 3));
        assert_ne!(draws(1, 3), draws(1, 4));
        assert_ne!(draws(1, 3), draws(2, 3));
    }

    #[test]
    fn names_read_back_and_a_mistyped_one_suggests_the_nearest() {
        for augment in Augment::ALL {
            assert_eq!(augment.to_string().parse(), Ok(augment));
        }
        let error = "flipcrop".parse::<Augment>().unwrap_err().to_string();
        assert!(error.contains("did you mean `flip-crop`?"), "{error}");
    }
}
