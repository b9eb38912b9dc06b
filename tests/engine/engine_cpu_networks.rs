//! The fast engine on whole networks: against the naive reference, on any number of threads, and over several steps.

use crate::engine_cpu_common::{batch, check, parameters};
use lrsched::data::Batch;
use lrsched::engine::cpu::{CpuEngine, Isa};
use lrsched::engine::{DeviceChoice, Engine, EngineKind, Objective, build};
use lrsched::model::{
    Architecture, Array, Gradients, Init, Layer, Model, ModelOptions, Parameters, Role, Shape, initialise,
};

#[test]
fn every_network_of_the_zoo_equals_the_reference() {
    for model in Model::ALL {
        let architecture = model.architecture(&ModelOptions { dropout: 0.3, classes: 10 });
        let mut engine = CpuEngine::new(&architecture, Objective::default(), 2).unwrap();
        check(&mut engine, &architecture, Objective::default(), 3, 2e-4);
    }
}

fn three_steps(isa: Isa, model: Model, threads: usize, images: usize) -> (Parameters, Gradients, Vec<f64>) {
    let architecture = model.architecture(&ModelOptions { dropout: 0.2, classes: 10 });
    let mut engine = CpuEngine::on(isa, &architecture, Objective { label_smoothing: 0.1 }, threads).unwrap();
    // Not the initial weights: those of a whitening layer are 0 until the data are seen.
    let mut learned = parameters(&architecture, 5);
    let mut gradients = Gradients::zeros(&learned);
    let mut losses = Vec::new();
    for seed in 0..3 {
        let batch = batch(&architecture, images - seed as usize, seed);
        losses.push(engine.train_batch(&mut learned, &batch, &mut gradients).unwrap().loss_sum);
        for (array, gradient) in learned.arrays_mut().iter_mut().zip(&gradients.arrays) {
            array.values.iter_mut().zip(gradient).for_each(|(value, gradient)| *value -= 0.01 * gradient);
        }
    }
    (learned, gradients, losses)
}

#[test]
fn the_bits_do_not_depend_on_the_number_of_threads() {
    for (model, isa) in
        Model::ALL.into_iter().flat_map(|model| Isa::available().into_iter().map(move |isa| (model, isa)))
    {
        let one = three_steps(isa, model, 1, 37);
        assert!(one.2.iter().all(|loss| loss.is_finite()), "{model}: losses {:?}", one.2);
        for threads in [2, 3, 5] {
            assert!(
                one == three_steps(isa, model, threads, 37),
                "{model} differs on {threads} threads ({})",
                isa.name()
            );
        }
    }
}

#[test]
fn the_backward_pass_ends_where_nothing_before_it_is_trained_and_the_other_gradients_are_the_same() {
    for (model, first) in [("airbench94", "whiten."), ("resnet9", "prep."), ("cnn", "conv1.")] {
        let architecture = model.parse::<Model>().unwrap().architecture(&ModelOptions::default());
        let (learned, images) = (parameters(&architecture, 5), batch(&architecture, 9, 2));
        let mut engine = CpuEngine::new(&architecture, Objective::default(), 2).unwrap();
        let frozen: Vec<bool> = learned.arrays().iter().map(|array| array.name.starts_with(first)).collect();
        let mut gradients = |frozen: &[bool]| {
            let mut gradients = Gradients::zeros(&learned);
            gradients.arrays.iter_mut().flatten().for_each(|value| *value = 7.0);
            engine.freeze(frozen);
            engine.train_batch(&mut learned.clone(), &images, &mut gradients).unwrap();
            gradients.arrays
        };
        let none = vec![false; frozen.len()];
        let (whole, rest) = (gradients(&none), gradients(&frozen));
        assert_eq!(gradients(&none), whole, "{model}: and again");
        for ((array, is_frozen), (whole, rest)) in learned.arrays().iter().zip(&frozen).zip(whole.iter().zip(&rest)) {
            if *is_frozen {
                assert!(rest.iter().all(|value| *value == 7.0), "{model}: {} was computed", array.name);
                continue;
            }
            let size = whole.iter().fold(0.0_f32, |size, value| size.max(value.abs()));
            let same = whole.iter().zip(rest).all(|(whole, rest)| (whole - rest).abs() <= 1e-5 * size);
            assert!(same, "{model}: {}", array.name);
        }
    }
}

#[test]
fn a_large_evaluation_gives_the_same_logits_as_its_parts() {
    let architecture = "resnet9".parse::<Model>().unwrap().architecture(&ModelOptions::default());
    let mut engine = CpuEngine::new(&architecture, Objective::default(), 2).unwrap();
    let (learned, whole) = (parameters(&architecture, 1), batch(&architecture, 150, 4));
    let (mut logits, mut part_logits) = (Vec::new(), Vec::new());
    let stats = engine.eval_batch(&learned, &whole, Some(&mut logits)).unwrap();
    for (images, labels) in whole.images.chunks(70 * 3072).zip(whole.labels.chunks(70)) {
        let part = Batch { images: images.to_vec(), labels: labels.to_vec(), ..whole.clone() };
        let mut logits = Vec::new();
        engine.eval_batch(&learned, &part, Some(&mut logits)).unwrap();
        part_logits.extend(logits);
    }
    assert_eq!((stats.images, logits.len()), (150, 1500));
    assert_eq!(logits, part_logits);
}

#[test]
fn an_evaluation_gives_the_same_bits_whatever_batches_came_before() {
    let layers = vec![
        crate::engine_cpu_common::linear("a", 30, 20),
        Layer::Relu,
        crate::engine_cpu_common::linear("head", 20, 10),
    ];
    let architecture = crate::engine_cpu_common::network(Shape::vector(30), 10, layers);
    let (learned, images) = (parameters(&architecture, 1), batch(&architecture, 1000, 4));
    let loss_after = |trained: usize| {
        let mut engine = CpuEngine::new(&architecture, Objective::default(), 2).unwrap();
        let (mut other, mut gradients) = (learned.clone(), Gradients::zeros(&learned));
        engine.train_batch(&mut other, &batch(&architecture, trained, 5), &mut gradients).unwrap();
        engine.eval_batch(&learned, &images, None).unwrap().loss_sum
    };
    let fresh = loss_after(1);
    for trained in [129, 300, 777, 1000] {
        assert_eq!(fresh.to_bits(), loss_after(trained).to_bits(), "after a batch of {trained}");
    }
}

#[test]
fn an_instruction_set_can_be_asked_for_by_name_and_an_unknown_one_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let bench = |value: &str| {
        let arguments = ["bench", "--batch-size", "1", "--steps", "1", "--threads", "1"];
        crate::common::lrsched(&folder).env("LRSCHED_CPU", value).args(arguments).assert()
    };
    let names: Vec<&str> = Isa::available().into_iter().map(Isa::name).collect();
    for (value, name) in [("portable", "portable"), ("avx2", "avx2+fma")] {
        if names.contains(&name) {
            let says = bench(value).success().get_output().stdout.clone();
            assert!(String::from_utf8_lossy(&says).contains(&format!("cpu engine ({name})")));
        }
    }
    for value in ["Portable", "sse"] {
        let says = bench(value).code(2).get_output().stderr.clone();
        let says = String::from_utf8_lossy(&says);
        assert!(says.contains("LRSCHED_CPU must be `portable` or `avx2`, got"), "{says}");
        assert!(says.contains(&format!("got `{value}`")), "{says}");
    }
}

#[test]
fn a_micro_batch_is_divided_by_the_whole_batch() {
    let architecture = Model::default().architecture(&ModelOptions::default());
    let mut engine = CpuEngine::new(&architecture, Objective::default(), 2).unwrap();
    let mut learned = parameters(&architecture, 1);
    let whole = batch(&architecture, 12, 4);
    let (mut direct, mut sum) = (Gradients::zeros(&learned), Gradients::zeros(&learned));
    engine.train_batch(&mut learned, &whole, &mut direct).unwrap();
    for (images, labels) in whole.images.chunks(5 * 3072).zip(whole.labels.chunks(5)) {
        let part = Batch { images: images.to_vec(), labels: labels.to_vec(), ..whole.clone() };
        let mut gradients = Gradients::zeros(&learned);
        engine.train_batch(&mut learned, &part, &mut gradients).unwrap();
        sum.add(&gradients);
    }
    for (direct, sum) in direct.arrays.iter().zip(&sum.arrays) {
        let direct: Vec<f64> = direct.iter().map(|&value| f64::from(value)).collect();
        assert!(crate::engine_cpu_common::relative_error(sum, &direct) < 1e-4);
    }
}

#[test]
fn a_wrong_batch_is_refused_with_what_was_expected() {
    let architecture = Model::default().architecture(&ModelOptions::default());
    let mut engine = CpuEngine::new(&architecture, Objective::default(), 1).unwrap();
    let learned = initialise(&architecture, 1);
    let good = batch(&architecture, 2, 1);
    for (bad, says) in [
        (Batch { labels: vec![0, 10], ..good.clone() }, "label 10"),
        (Batch { labels: vec![0], ..good.clone() }, "expected 1 x 3072"),
        (Batch::default(), "no images"),
    ] {
        let error = engine.eval_batch(&learned, &bad, None).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn parameters_and_gradients_of_another_network_are_refused_by_both_engines() {
    let architecture = Model::default().architecture(&ModelOptions::default());
    let images = batch(&architecture, 2, 1);
    for kind in EngineKind::available() {
        let mut engine = build(kind, DeviceChoice::Cpu, &architecture, Objective::default(), 1).unwrap();
        let mut own = initialise(&architecture, 1);
        let other = initialise(&"resnet9".parse::<Model>().unwrap().architecture(&ModelOptions::default()), 1);
        let mut shorter = Parameters::default();
        for (place, array) in own.arrays().iter().cloned().enumerate() {
            let fewer = if place == 0 { array.values[9..].to_vec() } else { array.values.clone() };
            shorter.push(Array { shape: vec![fewer.len()], values: fewer, ..array });
        }
        for (wrong, says) in [(&other, "arrays of parameters"), (&shorter, "conv1.weight has 855 values")] {
            let error = engine.eval_batch(wrong, &images, None).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
        let mut gradients = Gradients::zeros(&other);
        let error = engine.train_batch(&mut own, &images, &mut gradients).unwrap_err().to_string();
        assert!(error.contains("gradients belong to another network"), "{error}");
        let mut gradients = Gradients::zeros(&own);
        gradients.arrays[1].pop();
        assert!(engine.train_batch(&mut own, &images, &mut gradients).is_err());
        let undivided = Batch { divisor: 0, ..images.clone() };
        let mut gradients = Gradients::zeros(&own);
        assert!(engine.train_batch(&mut own, &undivided, &mut gradients).is_err());
    }
}

#[test]
fn layers_whose_sizes_wrap_around_are_refused_before_a_kernel_runs() {
    let conv = |kernel, padding| Layer::Conv {
        name: "conv".to_string(),
        inputs: 3,
        outputs: 10,
        kernel,
        padding,
        bias: true,
        frozen: false,
        init: Init::He,
    };
    // Each of them comes to a map of a few pixels where it wraps around.
    for (kernel, padding) in [(1, 1 << 62), (1, 1 << 63), (3, 1 << 63), (1, usize::MAX / 2 - 14), (2, (1 << 63) + 1)] {
        let layers = vec![conv(kernel, padding), Layer::GlobalAveragePool];
        let architecture = Architecture { name: "wide".to_string(), input: Shape::map(3, 32, 32), classes: 10, layers };
        assert!(architecture.check().is_err(), "kernel {kernel}, padding {padding}");
        for kind in EngineKind::available() {
            assert!(build(kind, DeviceChoice::Cpu, &architecture, Objective::default(), 1).is_err());
        }
    }
}

#[test]
fn a_nan_in_any_weight_reaches_the_loss() {
    let architecture = Model::default().architecture(&ModelOptions::default());
    let mut engine = CpuEngine::new(&architecture, Objective::default(), 2).unwrap();
    let images = batch(&architecture, 4, 1);
    for name in ["conv1.weight", "conv2.bias", "conv4.weight", "fc1.weight", "fc2.bias"] {
        let mut learned = initialise(&architecture, 1);
        let place = learned.index(name).unwrap();
        learned.arrays_mut()[place].values[0] = f32::NAN;
        let stats = engine.eval_batch(&learned, &images, None).unwrap();
        assert!(stats.loss_sum.is_nan(), "{name}: loss {}", stats.loss_sum);
    }
}

#[test]
fn observed_batches_move_the_running_statistics_by_their_share_and_nothing_else() {
    let on_each = |model| Isa::available().into_iter().map(move |isa| (model, isa));
    for (model, isa) in ["resnet9", "airbench94"].into_iter().flat_map(on_each) {
        let architecture = model.parse::<Model>().unwrap().architecture(&ModelOptions::default());
        let start = parameters(&architecture, 5);
        let batches = [batch(&architecture, 6, 1), batch(&architecture, 6, 2)];
        let observe = |engine: &mut dyn Engine, shares: [f32; 2]| {
            let mut parameters = start.clone();
            for (batch, share) in batches.iter().zip(shares) {
                engine.observe_batch(&mut parameters, batch, share).unwrap();
            }
            parameters
        };
        let mut fast = CpuEngine::on(isa, &architecture, Objective::default(), 2).unwrap();
        let mut slow = build(EngineKind::Candle, DeviceChoice::Cpu, &architecture, Objective::default(), 2).unwrap();
        // Shares of 1 and 1/2: the mean of both batches, whatever was there before.
        let (fast_mean, slow_mean) = (observe(&mut fast, [1.0, 0.5]), observe(slow.as_mut(), [1.0, 0.5]));
        let [first, second] = [0, 1].map(|only| {
            let mut parameters = start.clone();
            fast.observe_batch(&mut parameters, &batches[only], 1.0).unwrap();
            parameters
        });
        let close = |a: f32, b: f32| (a - b).abs() < 1e-4 * (1.0 + b.abs());
        for (place, array) in fast_mean.arrays().iter().enumerate() {
            let of = |parameters: &Parameters| parameters.arrays()[place].values.clone();
            if array.role != Role::RunningStatistic {
                assert_eq!(array.values, of(&start), "{model}: {}", array.name);
                continue;
            }
            let mean = of(&first).into_iter().zip(of(&second)).map(|(a, b)| (a + b) / 2.0);
            assert!(array.values.iter().zip(mean).all(|(&a, b)| close(a, b)), "{model}: {}", array.name);
            assert!(array.values.iter().zip(of(&slow_mean)).all(|(&a, b)| close(a, b)), "{model}: {}", array.name);
            assert_ne!(array.values, of(&start), "{model}: {}", array.name);
        }
    }
}
