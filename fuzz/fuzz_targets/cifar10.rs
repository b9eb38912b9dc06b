//! Any bytes, read as records of CIFAR-10: as many as there are, whole and with labels that are classes; or an error. Never a panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lrsched::data::cifar::{CIFAR10, read_records};
use lrsched::data::{Dataset, IMAGE_BYTES, Images, Normalisation, Subset, Validation};
use std::path::Path;
use std::sync::Arc;

// The first byte: how many records are asked for.
fuzz_target!(|bytes: &[u8]| {
    let Some((&count, bytes)) = bytes.split_first() else { return };
    let count = usize::from(count) % 8;
    let mut images = Images { pixels: vec![0; count * IMAGE_BYTES], labels: vec![0; count] };
    let read = read_records(Path::new("any.bin"), bytes, &CIFAR10, &mut images.pixels, &mut images.labels);
    let records: Vec<&[u8]> = bytes.chunks_exact(1 + IMAGE_BYTES).take(count).collect();
    let whole = records.len() == count && records.iter().all(|record| record[0] < 10);
    assert_eq!(read.is_ok(), whole, "{read:?}");
    if !whole {
        return;
    }
    for (place, record) in records.iter().enumerate() {
        assert_eq!((images.labels[place], &images.image(place)[..]), (record[0], &record[1..]));
    }
    let normalisation = Normalisation::of(&Subset::all(Arc::new(images.clone())));
    assert!(
        count == 0 || normalisation.standard_deviation.iter().all(|deviation| *deviation > 0.0),
        "{normalisation:?}"
    );
    let dataset =
        Dataset::new("any", images.clone(), images, CIFAR10.classes.iter().copied().map(String::from).collect());
    for held_out in 0..=count + 1 {
        let split = dataset.split(Validation::Holdout(held_out), None);
        assert_eq!(split.is_ok(), (1..count).contains(&held_out), "{held_out} of {count}: {split:?}");
        let sizes = split.map(|split| (split.train.len(), split.validation.len()));
        assert!(sizes.is_err() || sizes == Ok((count - held_out, held_out)));
    }
});
