//! The recipe of configs/airbench94-muon.toml on 90 images, against PyTorch in f32 (scripts/check_airbench.py).

use lrsched::config::{RunConfig, settings};
use lrsched::data::{BatchSize, Dataset, IMAGE_BYTES, Images};
use lrsched::train::{Control, Event, Run, Supervision};
use std::path::Path;

const RECIPE: &str = include_str!("../../configs/airbench94-muon.toml");
const RATES: f64 = 0.02;
const GOLDEN: &str = include_str!("../golden/torch_airbench94_muon.csv");

/// A stripe for each class, and noise: as in the script.
fn pattern(count: usize, phase: u64) -> Images {
    let labels: Vec<u8> = (0..count).map(|index| (index % 10) as u8).collect();
    let pixel = |image: usize, place: usize| {
        let noise = ((image * IMAGE_BYTES + place) as u64).wrapping_add(phase).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let noise = (noise ^ (noise >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 57;
        let (x, y) = (place % 32, place / 32 % 32);
        (noise as usize + (x + (image % 10 + 1) * y) / 4 % 2 * 100) as u8
    };
    let pixels = (0..count).flat_map(|image| (0..IMAGE_BYTES).map(move |place| pixel(image, place))).collect();
    Images { pixels, labels }
}

/// The recipe with 2 steps in each of 13 epochs, the last 10 images dropped.
fn config() -> RunConfig {
    let recipe = settings::run_config_of_text(RECIPE, Path::new("configs/airbench94-muon.toml")).unwrap();
    let mut config = RunConfig { epochs: 13, batch_size: BatchSize::Images(40), seed: 5, ..recipe };
    // At the full rates, rounding grows to 1e-2 within 11 steps on batches this small, in PyTorch between f32 and f64, too.
    config.lr *= RATES;
    config.group.iter_mut().flat_map(|group| &mut group.lr).for_each(|lr| *lr *= RATES);
    config
}

#[test]
fn the_airbench94_muon_recipe_has_pytorchs_losses_for_26_steps() {
    let classes = (0..10).map(|class| format!("class {class}")).collect();
    let dataset = Dataset::new("pattern", pattern(90, 1), pattern(10, 7), classes);
    let config = config();
    let mut losses = Vec::new();
    let mut observer = |event: &Event<'_>| {
        if let Event::Step { row, .. } = event {
            losses.push(row.loss);
        }
        Ok(())
    };
    let control = Control::default();
    let run = Run::new(&config, &dataset, 2).unwrap();
    run.train(&mut Supervision { control: &control, every: None, observer: &mut observer }).unwrap();
    let golden: Vec<f64> =
        GOLDEN.lines().skip(1).map(|line| line.split(',').nth(1).unwrap().parse().unwrap()).collect();
    assert_eq!((losses.len(), golden.len()), (26, 26));
    for (step, (ours, torch)) in losses.iter().zip(&golden).enumerate() {
        // On as many steps of CIFAR-10, at these rates, the fused kernels part from PyTorch by up to 1.4e-4.
        assert!((ours - torch).abs() <= 5e-4 * torch, "step {step}: {ours}, PyTorch {torch}");
    }
    // A network that learns nothing would hold to a constant just as well.
    assert!(golden[25] < 0.97 * golden[0], "{golden:?}");
}
