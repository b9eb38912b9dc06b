//! `lrsched descend`, as a user runs it.

use assert_cmd::Command;

struct Ran {
    code: i32,
    out: Vec<u8>,
    err: String,
}

fn descend(arguments: &str) -> Ran {
    let mut command = Command::cargo_bin("lrsched").unwrap();
    let output = command.arg("descend").args(arguments.split_whitespace()).output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    Ran { code: output.status.code().unwrap(), out: output.stdout, err }
}

/// The rows on stdout of a successful walk.
fn rows(arguments: &str) -> Vec<Vec<String>> {
    let ran = descend(arguments);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{arguments}");
    let text = String::from_utf8(ran.out).unwrap();
    text.lines().map(|line| line.split(',').map(String::from).collect()).collect()
}

#[track_caller]
fn refused(arguments: &str, expected: &str) {
    let ran = descend(arguments);
    assert_eq!((ran.code, ran.err.trim_end()), (2, expected));
    assert!(ran.out.is_empty());
}

#[test]
fn a_walk_is_a_csv_of_where_it_stands_and_what_comes_next() {
    let rows = rows("--function bowl --start -1,2 --steps 3 --lr 0.5");
    let expected = [
        "step,learning_rate,momentum,x,y,value",
        "0,0.5,,-1,2,2.5",
        "1,0.5,,-0.5,1,0.625",
        "2,0.5,,-0.25,0.5,0.15625",
        "3,,,-0.125,0.25,0.0390625",
    ];
    assert_eq!(rows.iter().map(|row| row.join(",")).collect::<Vec<_>>(), expected);
}

#[test]
fn the_schedule_runs_over_the_steps_and_one_step_is_an_epoch() {
    let rates = |arguments: &str| rows(arguments).into_iter().skip(1).map(|row| row[1].clone()).collect::<Vec<_>>();
    assert_eq!(rates("--steps 4 --lr 1 --schedule linear"), ["1", "0.75", "0.5", "0.25", ""]);
    assert_eq!(
        rates("--steps 4 --lr 1 --schedule step --drop-every 2 --semantics torch"),
        ["1", "1", "0.5", "0.5", ""]
    );
    let by_two = "--steps 4 --steps-per-epoch 2 --lr 1 --schedule step --drop-every 1 --semantics torch";
    assert_eq!(rates(by_two), ["1", "1", "0.5", "0.5", ""]);
}

#[test]
fn plateau_listens_to_the_value() {
    // At the minimum nothing improves: with patience 0, each epoch but the first cuts the rate.
    let rows = rows("--function bowl --start 0,0 --steps 4 --lr 1 --schedule plateau:factor=0.5,patience=0");
    assert_eq!(rows[1..].iter().map(|row| row[1].as_str()).collect::<Vec<_>>(), ["1", "1", "0.5", "0.25", ""]);
}

#[test]
fn the_momentum_is_what_the_update_is_made_with() {
    let momenta = |arguments: &str| rows(arguments).into_iter().skip(1).map(|row| row[2].clone()).collect::<Vec<_>>();
    assert_eq!(momenta("--steps 2 --optimizer sgd --momentum 0.8"), ["0.8", "0.8", ""]);
    assert_eq!(momenta("--steps 2 --optimizer adam"), ["0.9", "0.9", ""]);
    assert_eq!(momenta("--steps 2 --optimizer adagrad"), ["", "", ""]);
    let cycled = momenta("--steps 10 --optimizer sgd --momentum 0.9 --schedule one-cycle --max-lr 0.1");
    assert_eq!((cycled[0].as_str(), cycled[10].as_str()), ("0.95", ""));
    assert!(cycled.iter().any(|momentum| momentum == "0.85"), "{cycled:?}");
}

#[test]
fn several_walks_are_told_apart_by_a_column_in_front() {
    let rows = rows("--steps 2 --optimizer sgd adam:lr=0.2 --schedule constant cosine --momentum 0.9");
    assert_eq!(rows[0].join(","), "walk,step,learning_rate,momentum,x,y,value");
    let mut names: Vec<&str> = rows[1..].iter().map(|row| row[0].as_str()).collect();
    names.dedup();
    assert_eq!(names.len(), 4);
    assert_eq!(rows.len(), 1 + 4 * 3);
    assert!(names.iter().any(|name| name.contains("adam") && name.ends_with("cosine")), "{names:?}");
}

#[test]
fn the_frameworks_part_where_the_rate_falls() {
    let rows = rows(
        "--semantics torch keras --optimizer sgd --momentum 0.9 --schedule step --drop-every 5 --steps 10 --lr 0.1",
    );
    let (torch, keras) = (&rows[1..12], &rows[12..]);
    assert!(torch[0][0].ends_with("(torch)") && keras[0][0].ends_with("(keras)"));
    for (step, (torch, keras)) in torch.iter().zip(keras).enumerate() {
        let [torch, keras] = [torch, keras].map(|row| row[4].parse::<f64>().unwrap());
        let apart = (torch - keras).abs() > 1e-3;
        assert_eq!(apart, step > 5, "step {step}: {torch}, {keras}");
    }
}

#[test]
fn pictures_and_tables_are_chosen_by_the_ending_of_the_file_or_by_format() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let arguments = "--function beale --optimizer sgd:lr=0.01 adam:lr=0.1 --steps 30";
    for name in ["walk.png", "walk.svg", "walk.csv", "walk.txt"] {
        let ran = descend(&format!("{arguments} -o {}", file(name).display()));
        assert_eq!((ran.code, ran.err.as_str(), ran.out.len()), (0, "", 0), "{name}");
    }
    assert!(std::fs::read(file("walk.png")).unwrap().starts_with(b"\x89PNG"));
    let svg = std::fs::read_to_string(file("walk.svg")).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("adam:lr=0.1") && svg.contains("beale: (1.5"));
    let csv = std::fs::read_to_string(file("walk.csv")).unwrap();
    assert_eq!(csv.lines().count(), 1 + 2 * 31);
    let table = std::fs::read_to_string(file("walk.txt")).unwrap();
    assert_eq!(table, String::from_utf8(descend(&format!("{arguments} --format table")).out).unwrap());
    assert!(table.lines().all(|line| line.chars().count() <= 90), "{table}");
}

#[test]
fn a_walk_that_leaves_the_valley_keeps_its_rows_and_says_what_to_try() {
    let ran = descend("--function ravine --lr 0.1 --steps 900");
    assert_eq!(ran.code, 0);
    assert_eq!(String::from_utf8(ran.out).unwrap().lines().count(), 902);
    assert_eq!(
        ran.err.trim_end(),
        "sgd/constant: the walk left the valley at step 6: lr 0.1 is too high here; try --lr 0.01"
    );
    // A rate of the schedule's own is not one that --lr changes.
    let ran = descend("--function ravine --schedule constant:lr=10 --steps 20");
    assert_eq!(
        ran.err.trim_end(),
        "sgd/constant:lr=10: the walk left the valley at step 2: the rate of constant:lr=10, up to 10, is too high here; give it lower rates"
    );
}

#[test]
fn sgd_as_it_comes_gets_down_every_function_with_and_without_momentum() {
    for function in ["bowl", "ravine", "rosenbrock", "saddle", "beale"] {
        for optimizer in ["sgd", "sgd:momentum=0.9"] {
            // No warning, so it never left the valley.
            let rows = rows(&format!("--function {function} --optimizer {optimizer}"));
            let value = |row: &[String]| row[5].parse::<f64>().unwrap();
            let (first, last) = (value(&rows[1]), value(rows.last().unwrap()));
            assert!(last < 0.5 * first, "{function} {optimizer}: from {first} to {last}");
        }
    }
}

#[test]
fn a_schedule_that_cycles_a_momentum_that_is_not_there_is_said_once() {
    let ran = descend("--schedule one-cycle:max-lr=0.1 --steps 10");
    assert_eq!(ran.err.matches("the schedule cycles the momentum, but sgd has none").count(), 1);
}

#[test]
fn what_cannot_be_is_refused_in_one_line() {
    refused(
        "--function bowel",
        "error: unknown function `bowel`; did you mean `bowl`? (functions: bowl, ravine, rosenbrock, saddle, beale)",
    );
    refused("--start 1", "error: start must be two numbers, X,Y, got `1`");
    refused("--start 1,NaN", "error: start must be two numbers, X,Y, got `1,NaN`");
    refused("--lr -1", "error: lr must be a number above 0, got -1");
    refused(
        "--steps 0",
        "error: steps must be a multiple of steps-per-epoch, both at least 1, got 0 steps in epochs of 1",
    );
    refused(
        "--steps 10 --steps-per-epoch 3",
        "error: steps must be a multiple of steps-per-epoch, both at least 1, got 10 steps in epochs of 3",
    );
    refused("--format jpg", "error: unknown format `jpg`; did you mean `png`? (formats: csv, table, png, svg)");
    refused("-o walk.jpeg", "error: unknown format `jpeg`; did you mean `png`? (formats: csv, table, png, svg)");
    refused(
        "--optimizer adam --momentum 0.9",
        "error: adam does not take `momentum` (it takes: lr, beta1, beta2, eps, amsgrad, weight-decay)",
    );
}

#[test]
fn semantics_that_are_given_twice_are_refused() {
    refused("--optimizer sgd --semantics torch torch", "error: semantics torch is given twice; leave one out");
}

#[test]
fn more_steps_than_fit_into_memory_are_refused() {
    refused("--steps 10000000000", "error: steps x walks must be at most 10000000, got 10000000000 x 1");
    refused(
        "--steps 6000000 --schedule cosine linear",
        "error: steps x walks must be at most 10000000, got 6000000 x 2",
    );
}

#[test]
fn a_schedule_free_optimizer_shows_the_average_that_evaluation_uses() {
    // z = 0.9, then 0.9 − 0.1·0.9 = 0.81 by the gradient at y = 0.9; the average of both is 0.855.
    let rows = rows("--function bowl --start 1,1 --steps 2 --lr 0.1 --optimizer schedule-free-sgd");
    let x: Vec<f64> = rows[1..].iter().map(|row| row[3].parse().unwrap()).collect();
    assert!(x.iter().zip([1.0, 0.9, 0.855]).all(|(x, expected)| (x - expected).abs() < 1e-12), "{x:?}");
}

#[test]
fn an_optimizer_for_matrices_is_refused_with_the_reason() {
    refused(
        "--optimizer muon",
        "error: muon updates matrices alone, and x and y are two numbers: take another optimizer",
    );
}

#[test]
fn an_optimizer_used_against_its_purpose_walks_and_says_so() {
    let said = |arguments: &str| {
        let ran = descend(arguments);
        assert_eq!(ran.code, 0, "{}", ran.err);
        ran.err
    };
    let averaged = said("--optimizer schedule-free-adamw --schedule linear --steps 20");
    assert!(averaged.contains("schedule-free-adamw averages its steps in place of a decay"), "{averaged}");
    let scaled = said("--optimizer prodigy --lr 0.5 --steps 20");
    assert!(scaled.contains("prodigy estimates its own rate, and lr 0.5 multiplies it: 1 is usual"), "{scaled}");
    assert_eq!(said("--optimizer prodigy --schedule linear --steps 20"), "");
}
