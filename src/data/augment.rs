//! Random flips and crops of the training images.

use super::images::{CHANNELS, IMAGE_BYTES, SIDE, reflected};
use super::normalisation::Normalisation;
use crate::number::exact;
use crate::random::{Purpose, below, keyed};
use crate::spec::{Entry, Family, Parameter, ParameterValue, Values, check_length};
use crate::usage;
use crate::usage::{GLOSSARY, Usage};
use rand_core::Rng;
use std::fmt;

/// The largest padding: reflection needs fewer pixels than the image has.
const MOST_PADDING: u64 = SIDE as u64 - 1;

/// Data augmentation of training images: `flip-crop`, `alternating-flip-crop:padding=2,padding-mode=reflect`.
/// `parse(display(s)) == s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Augment {
    flip: Flip,
    crop: Option<Crop>,
}

/// Which images are mirrored left to right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Flip {
    #[default]
    Never,
    /// Each image with probability 1/2, redrawn every epoch: PyTorch's `RandomHorizontalFlip`.
    Random,
    /// Each image with probability 1/2 in the first epoch; from then on the other way round in every epoch, so that two
    /// consecutive epochs show an image both ways (Jordan 2024, arXiv:2404.00498).
    Alternating,
}

/// A random 32x32 crop of the padded image, redrawn every epoch: PyTorch's `RandomCrop(32, padding, padding_mode)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Crop {
    /// Pixels added at each side, 1 to 31: the image moves by up to as many.
    padding: usize,
    mode: PaddingMode,
}

impl Default for Crop {
    fn default() -> Self {
        Self { padding: 4, mode: PaddingMode::Constant }
    }
}

/// What the pixels beyond the edge of an image are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PaddingMode {
    /// Black, before normalisation.
    Constant,
    /// The image mirrored at its edge, without repeating the pixels of the edge.
    Reflect,
}

impl PaddingMode {
    const NAMES: [&str; 2] = ["constant", "reflect"];

    const fn name(self) -> &'static str {
        match self {
            Self::Constant => Self::NAMES[0],
            Self::Reflect => Self::NAMES[1],
        }
    }

    /// The row or column of the image at `place` of the padded image; `None` if it is black.
    fn source(self, place: usize, padding: usize) -> Option<usize> {
        match self {
            Self::Constant => place.checked_sub(padding).filter(|&place| place < SIDE),
            Self::Reflect => Some(reflected(place as isize - padding as isize)),
        }
    }
}

const CROP: &[Parameter] = &[
    Parameter::count("padding", "4", "pixels added at each side before the crop, 1 to 31"),
    Parameter::choice("padding-mode", &PaddingMode::NAMES, "constant", "what they are, black or mirrored"),
];

static ENTRIES: [Entry; 5] = [
    entry("none", "the images as they are", &[]),
    entry("flip", "half of the images mirrored, redrawn every epoch", &[]),
    entry("flip-crop", "flip, then a random crop of the padded image", CROP),
    entry("alternating-flip", "half of the images mirrored in the first epoch, then all turned in every epoch", &[]),
    entry("alternating-flip-crop", "alternating-flip, then a random crop of the padded image", CROP),
];

const fn entry(name: &'static str, summary: &'static str, parameters: &'static [Parameter]) -> Entry {
    Entry { summary, ..Entry::heading(name, parameters) }
}

/// Every augmentation but `none`.
pub fn augmentations() -> &'static [Entry] {
    &ENTRIES
}

static FAMILY: Family = Family {
    what: "augmentation",
    example: "flip-crop:padding=4",
    entries: || &ENTRIES,
    before: &[],
    after: &[],
    glossary: &GLOSSARY,
    number: exact,
};

impl Augment {
    pub const NONE: Self = Self { flip: Flip::Never, crop: None };
    /// Flips and crops with a padding of 4 black pixels.
    pub const FLIP_CROP: Self =
        Self { flip: Flip::Random, crop: Some(Crop { padding: 4, mode: PaddingMode::Constant }) };

    /// The names, without parameters.
    pub fn names() -> [&'static str; ENTRIES.len()] {
        ENTRIES.each_ref().map(|entry| entry.name)
    }

    const fn name(self) -> &'static str {
        match (self.flip, self.crop) {
            (Flip::Never, _) => "none",
            (Flip::Random, None) => "flip",
            (Flip::Random, Some(_)) => "flip-crop",
            (Flip::Alternating, None) => "alternating-flip",
            (Flip::Alternating, Some(_)) => "alternating-flip-crop",
        }
    }

    /// The change to image `index` of the dataset in `epoch`; independent of its batch and its position in the epoch.
    fn draw(self, seed: u64, epoch: u64, index: u32) -> Change {
        if self == Self::NONE {
            return Change::NONE;
        }
        let mut rng = keyed(seed, Purpose::Augmentation, epoch, u64::from(index));
        let own = coin(&mut rng);
        let flip = match self.flip {
            Flip::Never => false,
            Flip::Random => own,
            Flip::Alternating => {
                let first = coin(&mut keyed(seed, Purpose::Augmentation, 0, u64::from(index)));
                first != (epoch % 2 == 1)
            }
        };
        let shift = self.crop.map(|Crop { padding, mode }| {
            let mut shift = || below(&mut rng, 2 * padding as u32 + 1) as usize;
            Shift { padding, mode, top: shift(), left: shift() }
        });
        Change { flip, shift }
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
        check_length("an augmentation", text)?;
        let values = Values::parse(&FAMILY, text)?;
        let name = values.name();
        let flip = match name {
            "none" => Flip::Never,
            name if name.starts_with("alternating") => Flip::Alternating,
            _ => Flip::Random,
        };
        let mut crop = name.ends_with("crop").then(Crop::default);
        if let Some(crop) = &mut crop {
            if let Some(ParameterValue::Count(padding)) = values.get("padding") {
                if !(1..=MOST_PADDING).contains(padding) {
                    return usage!("{name}: padding must be 1 to {MOST_PADDING} pixels, got {padding}");
                }
                crop.padding = *padding as usize;
            }
            if values.get("padding-mode") == Some(&ParameterValue::Choice(PaddingMode::Reflect.name())) {
                crop.mode = PaddingMode::Reflect;
            }
        }
        Ok(Self { flip, crop })
    }
}

/// Parameters that have their default are left out.
impl fmt::Display for Augment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        let (crop, usual) = (self.crop.unwrap_or_default(), Crop::default());
        let padding = (crop.padding != usual.padding).then(|| format!("padding={}", crop.padding));
        let mode = (crop.mode != usual.mode).then(|| format!("padding-mode={}", crop.mode.name()));
        let parameters: Vec<String> = padding.into_iter().chain(mode).collect();
        if parameters.is_empty() { Ok(()) } else { write!(f, ":{}", parameters.join(",")) }
    }
}

/// Heads or tails.
fn coin(rng: &mut impl Rng) -> bool {
    rng.next_u32() >> 31 == 1
}

/// One draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Change {
    flip: bool,
    shift: Option<Shift>,
}

/// `top` and `left` are the crop's corner in the padded image, 0 to 2·padding; `padding` is the original position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shift {
    padding: usize,
    mode: PaddingMode,
    top: usize,
    left: usize,
}

impl Change {
    const NONE: Change = Change { flip: false, shift: None };

    /// Flips the image, then crops it.
    fn apply(self, pixels: &[u8; IMAGE_BYTES], normalisation: &Normalisation, out: &mut [f32]) {
        let still = Shift { padding: 0, mode: PaddingMode::Constant, top: 0, left: 0 };
        let Shift { padding, mode, top, left } = self.shift.unwrap_or(still);
        // The column of the image that each column of the result shows; `None` is black.
        let columns: [Option<usize>; SIDE] = std::array::from_fn(|x| {
            let column = mode.source(left + x, padding)?;
            Some(if self.flip { SIDE - 1 - column } else { column })
        });
        let mut rows = [[0_u8; SIDE]; CHANNELS];
        for (y, out) in out.chunks_exact_mut(SIDE * CHANNELS).enumerate() {
            let row = mode.source(top + y, padding);
            for (channel, shown) in rows.iter_mut().enumerate() {
                let Some(row) = row else {
                    shown.fill(0);
                    continue;
                };
                let source = &pixels[(channel * SIDE + row) * SIDE..][..SIDE];
                for (shown, column) in shown.iter_mut().zip(&columns) {
                    *shown = column.map_or(0, |column| source[column]);
                }
            }
            normalisation.row(rows.each_ref().map(|row| &row[..]), out);
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

    fn change(flip: bool, padding: usize, mode: PaddingMode, (top, left): (usize, usize)) -> Change {
        Change { flip, shift: Some(Shift { padding, mode, top, left }) }
    }

    /// The definition, pixel by pixel: pad the (flipped) image, then crop to 32x32.
    fn expected(change: Change, pixels: &[u8; IMAGE_BYTES], y: usize, x: usize, channel: usize) -> u8 {
        let shift = change.shift.unwrap();
        let at = |corner: usize, place: usize| (corner + place) as isize - shift.padding as isize;
        let (mut row, mut column) = (at(shift.top, y), at(shift.left, x));
        for place in [&mut row, &mut column] {
            if !(0..32).contains(place) {
                match shift.mode {
                    PaddingMode::Constant => return 0,
                    PaddingMode::Reflect => *place = if *place < 0 { -*place } else { 62 - *place },
                }
            }
        }
        let column = if change.flip { 31 - column } else { column };
        pixels[channel * 1024 + row as usize * 32 + column as usize]
    }

    #[test]
    fn every_flip_and_crop_is_what_its_definition_says() {
        let pixels = numbered();
        for (flip, mode) in [
            (false, PaddingMode::Constant),
            (true, PaddingMode::Constant),
            (false, PaddingMode::Reflect),
            (true, PaddingMode::Reflect),
        ] {
            for (padding, corner) in
                [(4, (4, 4)), (4, (0, 0)), (4, (8, 8)), (4, (0, 8)), (4, (3, 5)), (2, (0, 4)), (31, (62, 0))]
            {
                let change = change(flip, padding, mode, corner);
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
        let draws: Vec<Change> = (0..8100).map(|index| Augment::FLIP_CROP.draw(1, 0, index)).collect();
        let flips = draws.iter().filter(|change| change.flip).count();
        assert!((3900..4200).contains(&flips), "{flips} flips of 8100");
        for (top, left) in (0..81).map(|place| (place / 9, place % 9)) {
            let here = |change: &&Change| change.shift.is_some_and(|shift| (shift.top, shift.left) == (top, left));
            let count = draws.iter().filter(here).count();
            assert!((60..150).contains(&count), "crop {top},{left} came {count} times of 8100");
        }
    }

    #[test]
    fn an_image_is_changed_anew_in_each_epoch_and_alike_in_each_run_of_a_seed() {
        let draws = |seed, epoch| (0..200).map(|i| Augment::FLIP_CROP.draw(seed, epoch, i)).collect::<Vec<_>>();
        assert_eq!(draws(1, 3), draws(1, 3));
        assert_ne!(draws(1, 3), draws(1, 4));
        assert_ne!(draws(1, 3), draws(2, 3));
    }

    #[test]
    fn alternating_flips_are_random_in_the_first_epoch_and_then_turn_every_image_in_every_epoch_while_crops_stay_random()
     {
        let augment: Augment = "alternating-flip-crop:padding=2".parse().unwrap();
        let draws = |epoch| (0..2000).map(|i| augment.draw(1, epoch, i)).collect::<Vec<_>>();
        let first = draws(0);
        let flips = first.iter().filter(|change| change.flip).count();
        assert!((900..1100).contains(&flips), "{flips} flips of 2000");
        for epoch in 1..5 {
            let now = draws(epoch);
            for (first, now) in first.iter().zip(&now) {
                assert_eq!(now.flip, first.flip != (epoch % 2 == 1), "epoch {epoch}");
            }
            let moved = first.iter().zip(&now).filter(|(first, now)| first.shift != now.shift).count();
            assert!(moved > 1800, "{moved} of 2000 crops differ from the first epoch, expected 24 of 25");
        }
    }

    #[test]
    fn specs_read_back_and_a_mistyped_name_suggests_the_nearest() {
        for name in Augment::names() {
            assert_eq!(name.parse::<Augment>().unwrap().to_string(), name);
        }
        for (spec, shown) in [
            ("flip-crop:padding=4,padding-mode=constant", "flip-crop"),
            ("flip-crop:padding=2", "flip-crop:padding=2"),
            (
                "alternating-flip-crop:padding-mode=reflect, padding=2",
                "alternating-flip-crop:padding=2,padding-mode=reflect",
            ),
        ] {
            let augment: Augment = spec.parse().unwrap();
            assert_eq!(augment.to_string(), shown);
            assert_eq!(shown.parse(), Ok(augment));
        }
        let error = |text: &str| text.parse::<Augment>().unwrap_err().to_string();
        assert!(error("flipcrop").contains("did you mean `flip-crop`?"), "{}", error("flipcrop"));
        assert_eq!(error("flip-crop:padding=32"), "flip-crop: padding must be 1 to 31 pixels, got 32");
        assert!(error("flip-crop:padding=0").contains("1 to 31 pixels, got 0"));
        assert!(error("flip:padding=2").contains("padding"), "{}", error("flip:padding=2"));
        assert!(error("flip-crop:padding-mode=wrap").contains("one of constant, reflect"));
    }
}
