//! What an optimizer remembers: saved by name, taken up again to the bit, the same on any number of threads.

use lrsched::optim::{Float, Optimizer, Slice, State};
use lrsched::schedule::{Rates, Semantics};

/// Every rule, with every buffer that it can keep.
const SPECS: [&str; 15] = [
    "sgd",
    "sgd:momentum=0.9,nesterov,weight-decay=5e-4",
    "rmsprop:centered,momentum=0.9",
    "adam",
    "adamw",
    "adagrad:initial-accumulator=0.1,lr-decay=0.01",
    "adadelta",
    "adam:amsgrad",
    "nadam",
    "radam:decoupled,weight-decay=0.1",
    "adamax",
    "lion",
    "prodigy:d0=0.01",
    "schedule-free-sgd",
    "schedule-free-adamw:weight-decay=0.1",
];

struct Network {
    arrays: Vec<(String, Vec<f32>)>,
    optimizer: Optimizer<f32>,
}

impl Network {
    fn new(spec: &str, sizes: &[usize]) -> Self {
        let value = |layer: usize, place: usize| (place as f32 * 0.7 + layer as f32).sin();
        let array = |(layer, &size)| (format!("layer{layer}.weight"), (0..size).map(|i| value(layer, i)).collect());
        let arrays = sizes.iter().enumerate().map(array).collect();
        Self { arrays, optimizer: Optimizer::new(&spec.parse().unwrap(), Semantics::Native).unwrap() }
    }

    /// Steps `from..to` with a gradient and a rate that depend on the step.
    fn run(&mut self, from: usize, to: usize) {
        for step in from..to {
            let factor = (1.0 + step as f32 * 0.1).cos();
            let gradients: Vec<Vec<f32>> =
                self.arrays.iter().map(|(_, values)| values.iter().map(|v| v * factor).collect()).collect();
            let shapes: Vec<[usize; 1]> = gradients.iter().map(|gradient| [gradient.len()]).collect();
            let mut slices: Vec<Slice<'_, f32>> = self
                .arrays
                .iter_mut()
                .zip(&gradients)
                .zip(&shapes)
                .map(|(((name, values), gradient), shape)| Slice { name, shape, values, gradient })
                .collect();
            self.optimizer.step(&mut slices, Rates { learning_rate: 0.1 / (1 + step) as f64, momentum: None });
        }
    }

    fn restore(&mut self, state: State<f32>) -> anyhow::Result<()> {
        let lengths = self.arrays.iter().map(|(name, values)| (name.as_str(), values.len()));
        self.optimizer.restore(state, lengths)
    }
}

#[test]
fn a_run_taken_up_from_its_state_goes_on_to_the_bit() {
    for spec in SPECS {
        let mut whole = Network::new(spec, &[7, 600, 1]);
        whole.run(0, 20);
        let mut first = Network::new(spec, &[7, 600, 1]);
        first.run(0, 9);
        let mut second = Network::new(spec, &[7, 600, 1]);
        second.arrays = first.arrays.clone();
        second.restore(first.optimizer.state()).unwrap();
        second.run(9, 20);
        assert_eq!(whole.arrays, second.arrays, "{spec}");
        assert_eq!(whole.optimizer.state(), second.optimizer.state(), "{spec}");
    }
}

#[test]
fn a_state_from_before_the_first_step_starts_afresh() {
    for spec in SPECS {
        let mut whole = Network::new(spec, &[5]);
        let mut again = Network::new(spec, &[5]);
        again.restore(whole.optimizer.state()).unwrap();
        whole.run(0, 5);
        again.run(0, 5);
        assert_eq!(whole.arrays, again.arrays, "{spec}");
    }
}

#[test]
fn the_state_is_named_as_in_pytorch_by_the_parameter() {
    let mut network = Network::new("rmsprop:centered,momentum=0.9", &[3]);
    network.run(0, 2);
    let state = network.optimizer.state();
    assert_eq!(state.steps, 2);
    let names: Vec<&str> = state.arrays.keys().map(String::as_str).collect();
    assert_eq!(names, ["layer0.weight.grad_avg", "layer0.weight.momentum_buffer", "layer0.weight.square_avg"]);
}

#[test]
fn state_follows_the_name_of_a_parameter_not_its_place() {
    let mut network = Network::new("adam", &[4, 4]);
    let mut swapped = Network::new("adam", &[4, 4]);
    network.run(0, 10);
    swapped.run(0, 3);
    swapped.arrays.swap(0, 1);
    swapped.run(3, 10);
    swapped.arrays.swap(0, 1);
    assert_eq!(network.arrays, swapped.arrays);
}

#[test]
fn a_state_that_does_not_fit_is_refused_and_nothing_changes() {
    let mut network = Network::new("adam", &[3, 4]);
    network.run(0, 2);
    let good = network.optimizer.state();
    let mut check = |change: &dyn Fn(&mut State<f32>), expected: &str| {
        let mut state = good.clone();
        change(&mut state);
        assert_eq!(network.restore(state).unwrap_err().to_string(), expected);
        assert_eq!(network.optimizer.state(), good);
    };
    check(
        &|state| drop(state.arrays.remove("layer1.weight.exp_avg_sq")),
        "optimizer state: layer1.weight.exp_avg_sq is missing",
    );
    check(
        &|state| state.arrays.get_mut("layer0.weight.exp_avg").unwrap().push(0.0),
        "optimizer state: layer0.weight.exp_avg has 4 values, expected 3",
    );
    check(
        &|state| drop(state.arrays.insert("layer0.weight.momentum_buffer".to_string(), vec![0.0; 3])),
        "optimizer state: layer0.weight.momentum_buffer belongs to another optimizer or network",
    );
    check(
        &|state| {
            state.scalars.insert("lr_max".to_string(), 0.1);
        },
        "optimizer state: lr_max belongs to another optimizer or network",
    );
}

#[test]
fn the_bits_do_not_depend_on_the_number_of_threads() {
    for spec in SPECS {
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                // Longer than what one thread takes at a time, and of no round length.
                let mut network = Network::new(spec, &[100_003, 5, 40_000]);
                network.run(0, 4);
                network.arrays
            })
        };
        let one = run(1);
        assert!([2, 3, 7].into_iter().all(|threads| run(threads) == one), "{spec}");
    }
}

/// Fifty steps down |θ|² / 2.
fn descend<T: Float>(spec: &str) -> [T; 2] {
    let mut optimizer = Optimizer::<T>::new(&spec.parse().unwrap(), Semantics::Native).unwrap();
    let mut values = [T::of(1.0), T::of(-2.0)];
    for step in 0..50 {
        let gradient = values;
        let rates = Rates { learning_rate: 0.05 / f64::from(1 + step), momentum: None };
        optimizer.step(&mut [Slice { name: "theta", shape: &[2], values: &mut values, gradient: &gradient }], rates);
    }
    values
}

#[test]
fn f32_and_f64_agree_to_the_precision_of_f32() {
    for spec in SPECS {
        for (short, long) in descend::<f32>(spec).into_iter().zip(descend::<f64>(spec)) {
            assert!((f64::from(short) - long).abs() < 1e-5, "{spec}: {short} against {long}");
        }
    }
}
