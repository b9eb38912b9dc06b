//! `lrsched show`, `diff` and `help schedules` from the outside.

use assert_cmd::Command;

/// stdout, stderr and exit code.
fn lrsched(arguments: &[&str]) -> (String, String, i32) {
    let output = Command::cargo_bin("lrsched").unwrap().args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code().unwrap())
}

fn show(arguments: &[&str]) -> (String, String) {
    let (stdout, stderr, code) = lrsched(&[&["show"], arguments].concat());
    assert_eq!(code, 0, "{stderr}");
    (stdout, stderr)
}

#[test]
fn csv_has_one_row_a_step_in_full_precision_and_reads_back_to_the_same_rates() {
    let (csv, warnings) =
        show(&["--schedule", "one-cycle:max-lr=0.3", "--epochs", "3", "--steps-per-epoch", "7", "--format", "csv"]);
    assert_eq!(warnings, "");
    let lines: Vec<_> = csv.lines().collect();
    assert_eq!(lines[0], "step,epoch,learning_rate,momentum");
    assert_eq!(lines.len(), 1 + 21);
    use lrsched::schedule::{RunShape, Schedule};
    let schedule = Schedule::build(&"one-cycle:max-lr=0.3".parse().unwrap(), &RunShape::new(0.1, 3, 7)).unwrap();
    for (t, line) in lines[1..].iter().enumerate() {
        let cells: Vec<_> = line.split(',').collect();
        assert_eq!((cells[0].parse(), cells[1].parse()), (Ok(t), Ok(t / 7)));
        assert_eq!(cells[2].parse(), Ok(schedule.at(t as u64).learning_rate));
        assert_eq!(cells[3].parse().ok(), schedule.at(t as u64).momentum);
    }
}

#[test]
fn momentum_is_empty_where_the_schedule_leaves_it_alone() {
    let rows = |arguments: &[&str]| {
        show(&[arguments, &["--epochs", "1", "--steps-per-epoch", "2", "--format", "csv"]].concat()).0
    };
    assert_eq!(
        rows(&["--schedule", "constant", "--momentum", "0.9"]),
        "step,epoch,learning_rate,momentum\n0,0,0.1,\n1,0,0.1,\n"
    );
    assert!(rows(&["--schedule", "one-cycle"]).contains(",0.95\n"));
    for off in ["--no-cycle-momentum", "--cycle-momentum=false"] {
        assert!(rows(&["--schedule", "one-cycle", off]).lines().skip(1).all(|line| line.ends_with(',')), "{off}");
    }
}

#[test]
fn a_momentum_that_a_later_schedule_of_a_sequence_sets_is_shown() {
    let spec = ["constant:for=2ep;one-cycle:max-lr=1", "--epochs", "6", "--steps-per-epoch", "5"];
    let (table, _) = show(&[&spec[..], &["--format", "table"]].concat());
    assert!(table.lines().next().unwrap().ends_with("momentum"), "{table}");
    let (chart, _) = show(&spec);
    assert!(chart.contains("momentum"), "a panel of its own: {chart}");
}

#[test]
fn metrics_out_of_order_or_beyond_their_range_are_refused_and_a_runs_own_length_is_what_counts() {
    let folder = tempfile::tempdir().unwrap();
    let head = "epoch,learning_rate,loss,accuracy,val_loss,val_accuracy,momentum,step,images_per_second,seconds\n";
    let file = |rows: &[(u64, f64)]| {
        let row =
            |(epoch, accuracy): &(u64, f64)| format!("{epoch},0.1,1.0,0.5,1.0,{accuracy:?},,{},1.0,1.0\n", epoch + 1);
        let path = folder.path().join("metrics.csv");
        std::fs::write(&path, head.to_string() + &rows.iter().map(row).collect::<String>()).unwrap();
        path.display().to_string()
    };
    for (rows, said) in [
        (&[(0, 0.5), (5, 0.5), (2, 0.5)][..], "row 2: `epoch` is 5, expected 1"),
        (&[(0, 7.5), (1, 0.5)], "row 1: `val_accuracy` is 7.5, expected 0 to 1"),
    ] {
        let metrics = file(rows);
        let (_, error, code) = lrsched(&["show", "plateau", "--metrics", &metrics]);
        assert!(code == 1 && error.contains(said) && error.lines().count() == 1, "{error}");
    }
    // 2 epochs, not the 30 of a `show` that knows no run.
    let run = folder.path().join("run").display().to_string();
    let train = ["train", "--epochs", "2", "--schedule", "plateau", "--out", &run, "--quiet"];
    let (_, error, code) = lrsched(&[&train[..], &crate::common::TINY[..]].concat());
    assert_eq!(code, 0, "{error}");
    let (_, error, code) =
        lrsched(&["show", "plateau", "--metrics", &run, "--steps-per-epoch", "400000", "--format", "table"]);
    assert_eq!(code, 0, "{error}");
    let record = folder.path().join("run/run.json");
    let text = std::fs::read_to_string(&record).unwrap();
    assert!(text.contains("\"epochs\": 2"), "{text}");
    std::fs::write(&record, text.replace("\"epochs\": 2", "\"epochs\": 4000000000")).unwrap();
    let (_, error, code) = lrsched(&["show", "plateau", "--metrics", &run]);
    assert!(code == 2 && error.contains("must be at most 10000000, got 4000000000 x"), "{error}");
}

#[test]
fn json_contradicts_an_output_of_another_format() {
    let (_, error, code) = lrsched(&["show", "cosine", "--json", "-o", "x.csv"]);
    assert_eq!(
        (code, error.as_str()),
        (2, "error: --json contradicts the name of the output, which ends in .csv; drop it, or rename the output\n")
    );
}

#[test]
fn flags_and_a_spec_string_draw_the_same() {
    let flags = show(&["--schedule", "step", "--factor", "0.5", "--drop-every", "10", "--epochs", "40"]);
    let spec = show(&["--schedule", "step:factor=0.5,drop-every=10", "--epochs", "40"]);
    assert_eq!(flags, spec);
    assert!(flags.0.contains("step:factor=0.5,drop-every=10"));
}

#[test]
fn a_chart_fits_80_columns_and_overlays_several_schedules() {
    let (chart, _) = show(&["--schedule", "step", "cosine", "one-cycle:max-lr=0.1"]);
    assert!(chart.lines().all(|line| line.chars().count() <= 80), "{chart}");
    assert!(["step", "cosine", "one-cycle"].iter().all(|name| chart.contains(name)), "{chart}");
    assert!(!chart.contains('\x1b'), "no colour without a terminal");
}

#[test]
fn what_looks_wrong_is_said_on_stderr() {
    let cases = [
        (vec!["exponential:decay-steps=100000,staircase"], "never changes over this run"),
        (vec!["cosine:warmup=2"], "the rate is 0 at step 0"),
        (vec!["triangular:max-lr=1,step-size=90ep"], "the peak of 1 is never reached"),
        (vec!["cosine:warmup=60,warmup-from=0.1"], "the peak of 0.1 is never reached"),
        (vec!["linear:over=60,end-lr=0.01"], "the floor of 0.01 is never reached"),
        (vec!["cosine:over=10", "--semantics", "torch"], "rises again from step"),
        (vec!["piecewise:values=1/2/3,factor=0.3"], "factor=0.3 has no effect"),
        (vec!["cosine:warmup-from=0.1"], "warmup-from=0.1 has no effect"),
        (
            vec!["exponential:for=40;cosine"],
            "cosine never begins: the run ends at step 10560, and it would begin at step 14080",
        ),
        (vec!["plateau"], "depends on val_loss"),
        (
            vec!["exponential:decay-rate=0.5,decay-steps=1"],
            "below a millionth of its highest, 0.1, at step 20 (epoch 0)",
        ),
        (vec!["natural-exp:k=1"], "the last 10546 steps change next to nothing"),
        (vec!["linear:over=5"], "the rate is 0 from step 1760 (epoch 5) on: the last 8800 steps change nothing"),
        (
            vec!["step:drop-every=1", "--epochs", "10"],
            "step: the base rate of 0.1 is never applied: the rate begins at 0.05",
        ),
        (vec!["halve:when=epoch>=0,epoch>=9"], "halve: the base rate of 0.1 is never applied"),
        (vec!["wsd:warmup=60%,decay=60%,warmup-from=0.1"], "6336 and 6336 of 10560 steps: the decay is cut to 4224"),
        (vec!["wsd:decay=0"], "wsd: the rate never falls in this run: it is highest, 0.1, at the end"),
        (vec!["wsd:decay=1st"], "wsd: the rate never falls in this run"),
        (vec!["one-cycle:pct-start=1"], "one-cycle: the rate never falls in this run"),
        (
            vec!["one-cycle:pct-start=0.95", "--semantics", "optax", "--epochs", "1", "--steps-per-epoch", "10"],
            "one-cycle: the rate never falls in this run",
        ),
        (vec!["triangular:step-size=30ep"], "triangular: the rate never falls in this run"),
        (vec!["step:drop-every=100,warmup=2,warmup-from=0.1"], "step: the rate never falls in this run"),
        (
            vec!["piecewise:values=0.5,0.1,0.05,warmup=2,warmup-from=0.1"],
            "leads to 0.1, and the rate jumps to 0.5 at step 704",
        ),
        (
            vec!["one-cycle:warmup=2,warmup-from=0.1"],
            "one-cycle: the warm-up leads to 0.1, and the rate jumps to 0.004",
        ),
        (vec!["expr:0.5", "--warmup", "2", "--warmup-from", "0.1"], "the rate jumps to 0.5 at step 704"),
        (
            vec!["cosine-restarts:period=5,lr-mult=0.1,end-lr=0.01", "--semantics", "optax"],
            "sinks below end-lr, 0.01, to ",
        ),
        (vec!["piecewise:milestones=10,50"], "milestones after the end at step 10560: 1 of 2"),
        (
            vec!["exponential:decay-rate=0.5,decay-steps=1", "--epochs", "1", "--steps-per-epoch", "40"],
            "at step 20 (epoch 0): the last 20 steps change next to nothing",
        ),
        (vec!["exponential:decay-rate=0.4,decay-steps=1ep"], "below a millionth of its highest, 0.1, at step "),
        (
            vec!["exponential", "--epochs", "8"],
            "the rate hardly falls in this run: 0.07215 at its end, 72 % of its highest",
        ),
        (vec!["linear:end-lr=0.999x", "--lr", "1e308"], "9.99e307 at its end, 100 % of its highest"),
        (vec!["linear:over=50%", "--epochs", "1"], "the rate is 0 from step 176 (epoch 0) on"),
        (vec!["triangular:step-size=90ep"], "the peak of 0.3 is never reached; the highest rate is 0.1667"),
        (vec!["exp-range:max-lr=1,gamma=0.9"], "the peak of 1 is never reached"),
        (vec!["cosine:warmup=30,warmup-from=0.1"], "cosine never begins: its warm-up ends at step 10560, with the run"),
        (vec!["cosine:end-lr=0.2"], "cosine: end-lr, 0.2, is above lr, 0.1: the rate rises where it should decay"),
        (vec!["linear:end-lr=2x"], "linear: end-lr, 0.2, is above lr, 0.1"),
        (vec!["polynomial:end-lr=0.2"], "polynomial: end-lr, 0.2, is above lr, 0.1"),
        (vec!["cosine-restarts:end-lr=0.2"], "cosine-restarts: end-lr, 0.2, is above lr, 0.1"),
        (vec!["wsd:end-lr=0.2"], "wsd: end-lr, 0.2, is above lr, 0.1"),
        (vec!["piecewise:factor=2"], "piecewise: the rate rises from 0.1 to 0.4 where it should decay"),
        (vec!["triangular:max-lr=0.05"], "triangular: the rate begins at 0.1, above max-lr, 0.05"),
        (vec!["one-cycle:div-factor=0.5"], "one-cycle: the rate begins at 0.2, above max-lr, 0.1"),
        (vec!["halve:min-lr=0.1"], "halve: the rate cannot drop: min-lr=0.1 is not below lr, 0.1"),
    ];
    for (arguments, warning) in cases {
        let (_, stderr) = show(&[&["--schedule"], &arguments[..], &["--format", "table"]].concat());
        assert!(stderr.contains(warning) && stderr.lines().count() == 1, "{arguments:?}: {stderr}");
    }
}

#[test]
fn a_value_that_comes_to_the_default_is_not_without_effect() {
    for spec in [
        "triangular:step-size=20%",
        "one-cycle:max-lr=0.1",
        "wsd:warmup=0.5ep,warmup-from=0.5",
        "constant:lr=0.1",
        "exp-range:max-lr=0.3",
        "piecewise:milestones=4.5,7.5",
    ] {
        assert_eq!(show(&[spec, "--epochs", "10", "--format", "table"]).1, "", "{spec}");
    }
    let whole = ["expr:lr*(1-e/epochs)", "--steps-per-epoch", "1", "--format", "table"];
    assert_eq!(show(&whole).1, "", "it has the rates of the default expression");
    let short = ["--epochs", "2", "--steps-per-epoch", "4", "--format", "table"];
    assert_eq!(show(&[&["piecewise:milestones=50%,80%"], &short[..]].concat()).1, "");
    // Half a cycle.
    let (_, said) = show(&[&["exp-range:max-lr=0.3"], &short[..]].concat());
    assert_eq!(said, "warning: exp-range: the rate never falls in this run: it is highest, 0.2749, at the end\n");
}

#[test]
fn a_peak_or_a_floor_that_falls_between_two_steps_is_not_missed() {
    for arguments in [
        &["exp-range:max-lr=0.06,step-size=20%", "--lr", "0.01"][..],
        &["one-cycle:max-lr=0.1,pct-start=0"],
        &["one-cycle:max-lr=0.1,pct-start=0", "--epochs", "2", "--steps-per-epoch", "4"],
        &["cosine-restarts:period=1", "--epochs", "2", "--steps-per-epoch", "4"],
        &["cosine-restarts:period=1,end-lr=0.01", "--epochs", "5", "--steps-per-epoch", "3"],
        // A ramp that leads into the next schedule is a warm-up, and the next one may fall.
        &["linear:lr=0.01,end-lr=0.1,for=2ep;cosine"],
        &["wsd:decay=0,for=10ep;cosine"],
        &["one-cycle:pct-start=1,for=10ep;cosine"],
        &["cosine:for=10ep;triangular:lr=0.01,max-lr=0.05,step-size=20ep"],
        &["constant:warmup=2,warmup-from=0.1"],
        &["piecewise:values=0.1,0.2,milestones=10"],
    ] {
        assert_eq!(show(&[arguments, &["--format", "table"]].concat()).1, "", "{arguments:?}");
    }
}

#[test]
fn a_drop_by_metrics_that_cannot_come_is_warned_of() {
    let said = |spec: &str, semantics: &str| {
        let (_, said) = show(&[spec, "--semantics", semantics, "--format", "table"]);
        said.lines().filter_map(|line| line.strip_prefix("warning: ")).collect::<Vec<_>>().join("\n")
    };
    let cannot = "plateau: the rate cannot drop: min-lr=";
    let fraction = "val_accuracy is a fraction from 0 to 1";
    for (spec, expected) in [
        ("plateau:min-lr=0.1", format!("{cannot}0.1 is not below lr, 0.1")),
        ("plateau:min-lr=5x", format!("{cannot}0.5 is not below lr, 0.1")),
        ("plateau:min-lr=0.01", String::new()),
        (
            "plateau:monitor=val_accuracy,threshold=1,threshold-mode=abs",
            format!("plateau: no epoch can improve by threshold=1: {fraction}"),
        ),
        (
            "halve:when=val_accuracy>=80",
            format!("halve: when=val_accuracy>=80 never comes true: {fraction} (80 % is 0.8)"),
        ),
        ("halve:when=val_accuracy>1", format!("halve: when=val_accuracy>1 never comes true: {fraction}")),
        ("halve:when=val_accuracy<=-1", format!("halve: when=val_accuracy<=-1 never comes true: {fraction}")),
        (
            "halve:when=accuracy<50",
            "halve: when=accuracy<50 comes true in the first epoch: accuracy is a fraction from 0 to 1 (50 % is 0.5)"
                .to_string(),
        ),
        ("halve:when=val_accuracy>=0.8,val_loss<=2", String::new()),
        ("halve:when=val_loss<=1,min-lr=0.2", "halve: the rate cannot drop: min-lr=0.2 is not below lr, 0.1".into()),
        ("halve:when=val_loss<=1,factor=1", "halve: the rate cannot drop: factor is 1".into()),
    ] {
        assert_eq!(said(spec, "native"), expected, "{spec}");
    }
    assert_eq!(
        said("plateau:min-lr=0.5", "optax"),
        "plateau: min-lr=0.5 is above lr, 0.1: the first drop raises the rate"
    );
    assert_eq!(said("plateau:min-lr=0.5", "keras"), format!("{cannot}0.5 is not below lr, 0.1"));
}

#[test]
fn a_plateau_that_is_more_patient_than_the_run_is_long_is_warned_of() {
    let said = |epochs: &str| show(&["plateau:patience=3", "--epochs", epochs, "--format", "table"]).1;
    assert!(
        said("5").contains(
            "warning: plateau: the rate cannot drop in this run: patience=3 takes at least 6 epochs, got 5\n"
        )
    );
    assert!(!said("6").contains("warning"), "{}", said("6"));
}

#[test]
fn an_epoch_has_as_many_steps_as_it_has_in_training_on_cifar10_as_it_comes() {
    let (csv, _) = show(&["constant", "--epochs", "1", "--format", "csv"]);
    assert_eq!(csv.lines().count(), 1 + 45_000_usize.div_ceil(128));
}

#[test]
fn nothing_is_said_of_any_schedule_as_it_comes() {
    for entry in lrsched::schedule::table() {
        let (_, stderr) = show(&["--schedule", entry.name, "--format", "table"]);
        match entry.name {
            "plateau" => assert!(stderr.starts_with("note: "), "{stderr}"),
            name => assert_eq!(stderr, "", "{name}"),
        }
    }
    // An explicit warm-up is different.
    assert!(show(&["wsd:warmup=5%,decay=10%", "--format", "table"]).1.contains("the rate is 0 at step 0"));
}

#[test]
fn what_cannot_be_is_one_line_and_exit_code_2() {
    let cases: [&[&str]; 9] = [
        &["show", "--schedule", "setp"],
        &["show", "--schedule", "step", "--end-lr", "0"],
        &["show", "--schedule", "step:drop-every=0"],
        &["show", "--schedule", "step", "cosine", "--format", "csv"],
        &["show", "--schedule", "expr:lr-epoch"],
        &["show", "--schedule", "exponential:decay-rate=1e308,decay-steps=1"],
        &["show", "--epochs", "10000001", "--steps-per-epoch", "1"],
        &["diff", "nonsense"],
        &["diff", "cosine-restarts:lr-mult=1e300,period=1st"],
    ];
    for arguments in cases {
        let (stdout, stderr, code) = lrsched(arguments);
        assert_eq!((stdout.as_str(), stderr.lines().count(), code), ("", 1, 2), "{arguments:?}: {stderr}");
    }
}

#[test]
fn a_name_that_diff_does_not_know_is_looked_for_among_schedules_and_optimizers() {
    for (typed, nearest) in [("adamx", "`adam`"), ("setp", "`step`")] {
        let (_, stderr, code) = lrsched(&["diff", typed]);
        assert!(
            code == 2 && stderr.contains(&format!("unknown schedule or optimizer `{typed}`; did you mean {nearest}")),
            "{stderr}"
        );
    }
}

#[test]
#[cfg(unix)]
fn a_closed_stderr_does_not_stop_it() {
    for arguments in [&["show", "--schedule", "plateau"][..], &["descend", "--function", "ravine", "--lr", "0.1"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin("lrsched"));
        let output = command.args(arguments).stderr(writer).output().unwrap();
        assert_eq!((output.status.code(), output.stdout.is_empty()), (Some(0), false), "{arguments:?}");
    }
}

#[test]
fn pictures_and_tables_go_to_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let starts: [(&str, &[u8]); 3] = [("a.png", b"\x89PNG"), ("a.svg", b"<"), ("a.csv", b"step,epoch,")];
    for (name, start) in starts {
        let path = folder.path().join(name);
        let (stdout, _) = show(&["--schedule", "cosine", "-o", path.to_str().unwrap()]);
        assert_eq!(stdout, "");
        assert!(std::fs::read(&path).unwrap().starts_with(start), "{name}");
    }
}

#[test]
fn a_dash_as_output_is_stdout() {
    for command in [&["show", "step", "--format", "csv"][..], &["diff", "step"], &["export", "--to", "torch"]] {
        let (plain, ..) = lrsched(command);
        let (dashed, said, code) = lrsched(&[command, &["-o", "-"]].concat());
        assert!(code == 0 && !plain.is_empty() && plain == dashed, "{command:?}: {said}");
        assert!(!std::path::Path::new("-").exists());
    }
    let (_, said, code) = lrsched(&["report", ".", "-o", "-"]);
    assert!(code == 2 && said.contains("--output must name a file"), "{said}");
}

#[test]
fn diff_names_the_first_steps_at_which_the_frameworks_part() {
    let (text, _, code) = lrsched(&["diff", "step:factor=0.5,drop-every=10"]);
    assert_eq!(code, 0);
    assert!(text.contains("native / torch = keras = optax: differ at 1056 of 10560 steps"), "{text}");
    assert!(
        text.contains("step 3168 (epoch 9): 0.05 / 0.1") && text.contains("largest ratio: 2.000000 at step 3168"),
        "{text}"
    );
    assert!(lrsched(&["diff", "constant"]).0.contains("native = torch = keras = optax: identical at every step"));
    let (text, ..) = lrsched(&["diff", "one-cycle"]);
    assert!(text.contains("native = torch / optax: differ") && text.contains("largest difference: "), "{text}");
    assert!(text.contains("\nkeras has no such one-cycle"), "{text}");
    let (text, ..) = lrsched(&["diff", "wsd"]);
    assert!(!text.contains("identical") && text.contains("optax has no such wsd"), "{text}");
    let (csv, ..) = lrsched(&["diff", "triangular", "--epochs", "4", "--steps-per-epoch", "1", "--format", "csv"]);
    assert!(csv.lines().skip(1).all(|row| row.ends_with(",,")), "no figures of frameworks without it: {csv}");
    let (text, ..) = lrsched(&["diff", "constant:for=1ep;step"]);
    assert!(text.contains("keras has no such sequence"), "{text}");
    let (text, ..) = lrsched(&["diff", "polynomial:power=2,cycle"]);
    assert!(
        text.contains("native = keras: identical") && text.contains("torch has no such polynomial:cycle"),
        "{text}"
    );
    assert!(lrsched(&["diff", "plateau:patience=3"]).0.contains("native = torch / keras = optax"));
}

#[test]
fn a_rate_that_no_schedule_here_uses_is_warned_of() {
    let said = |arguments: &[&str]| lrsched(&[&["show", "--lr", "0.2"], arguments].concat()).1;
    let told = "warning: lr 0.2 has no effect: one-cycle:max-lr=0.4 sets its own rates";
    assert!(said(&["one-cycle:max-lr=0.4"]).contains(told));
    let both = said(&["one-cycle:max-lr=0.4", "constant:lr=0.5"]);
    assert!(both.contains("constant:lr=0.5: lr 0.2 has no effect"), "{both}");
    assert!(!said(&["one-cycle:max-lr=0.4", "cosine"]).contains("has no effect"), "cosine uses it");
    assert!(!lrsched(&["show", "one-cycle:max-lr=0.4"]).1.contains("has no effect"), "none was given");
}

#[test]
fn a_file_of_a_kind_that_it_cannot_write_is_refused_and_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    for command in ["show", "diff"] {
        let (_, error, code) = lrsched(&[command, "cosine", "-o", &file("chart.jpg")]);
        assert!(code == 2 && error.contains("png") && error.contains("got `jpg`"), "{command}: {error}");
        assert_eq!(lrsched(&[command, "cosine", "-o", &file("chart.txt")]).2, 0);
    }
    assert!(!folder.path().join("chart.jpg").exists());
    // A name that is only an ending means it.
    assert_eq!(lrsched(&["show", "cosine", "-o", &file(".svg")]).2, 0);
    assert!(std::fs::read_to_string(file(".svg")).unwrap().starts_with("<svg"));
    assert_eq!(lrsched(&["data", "info", "--dataset", "synthetic", "--sheet", &file(".png")]).2, 0);
    assert!(std::fs::read(file(".png")).unwrap().starts_with(b"\x89PNG"));
}

#[test]
fn schedules_may_stand_without_their_flag() {
    let run = ["--epochs", "2", "--steps-per-epoch", "3", "--format", "csv"];
    let bare = lrsched(&[&["show", "cosine:end-lr=0.01"], &run[..]].concat());
    assert_eq!(bare, lrsched(&[&["show", "--schedule", "cosine:end-lr=0.01"], &run[..]].concat()));
    assert!(lrsched(&["show", "step", "cosine", "--epochs", "3"]).0.contains("cosine"));
}

#[test]
fn a_flag_beside_several_schedules_belongs_into_the_spec_that_takes_it() {
    let (_, error, code) = lrsched(&["show", "--schedule", "cosine", "step:drop-every=2", "--factor", "0.3"]);
    assert!(code == 2 && error.contains("`step:drop-every=2,factor=0.3`"), "{error}");
}

#[test]
fn help_schedules_lists_every_schedule_with_its_formula() {
    let (text, _, code) = lrsched(&["help", "schedules"]);
    assert_eq!(code, 0);
    for entry in lrsched::schedule::table() {
        assert!(text.contains(entry.formula), "{}", entry.name);
    }
}

#[test]
fn a_log_axis_shows_a_decay_that_a_linear_one_hides_and_says_what_has_no_place_on_it() {
    let decay = ["exponential:decay-rate=0.9", "--epochs", "70", "--steps-per-epoch", "2"];
    // The line in braille, row by row from the top: the number of its columns with dots in the lowest row.
    let lowest = |flags: &[&str]| {
        let (chart, said) = show(&[&decay[..], flags].concat());
        assert_eq!(said, "");
        let rows: Vec<&str> = chart.lines().filter(|line| line.contains(['│', '┤'])).collect();
        rows.last().unwrap().chars().filter(|c| ('\u{2801}'..='\u{28ff}').contains(c)).count()
    };
    assert!(
        lowest(&[]) > 25 && lowest(&["--y-scale", "log"]) < 15,
        "{} {}",
        lowest(&[]),
        lowest(&["--y-scale", "log"])
    );
    let (_, said) = show(&["cosine", "linear", "--epochs", "4", "--y-scale", "log"]);
    assert_eq!(said.lines().filter(|line| line.contains("lower edge of the log axis")).count(), 1, "{said}");
    let folder = tempfile::tempdir().unwrap();
    for command in [&["show", "cosine", "step"][..], &["diff", "step"]] {
        let file = folder.path().join("a.svg");
        let (_, error, code) = lrsched(&[command, &["--y-scale", "log", "-o", file.to_str().unwrap()]].concat());
        assert_eq!(code, 0, "{error}");
        assert!(std::fs::read_to_string(&file).unwrap().contains("0.1"));
        let (_, error, code) = lrsched(&[command, &["--y-scale", "lgo"]].concat());
        assert!(code == 2 && error.contains("y-scale must be linear or log, got `lgo`"), "{error}");
    }
    assert!(lrsched(&["show", "--help"]).0.contains("--y-scale <KIND>"));
}

#[test]
fn diff_of_an_optimizer_says_from_which_step_the_frameworks_part_and_by_how_much() {
    let diff = |spec: &str| lrsched(&["diff", spec, "--epochs", "1", "--steps-per-epoch", "20"]);
    let (text, _, code) = diff("nadam");
    assert_eq!(code, 0);
    assert!(
        text.contains("\nnative = torch / keras: part at step 0 by ") && text.contains(" % of that step"),
        "{text}"
    );
    assert!(text.contains("\nkeras has other defaults: lr 0.001, eps 1e-7, momentum-decay 1\n"), "{text}");
    assert!(diff("sgd").0.contains("native = torch = keras = optax: the same weights at every step"));
    // A rate that changes shows in the momentum of Keras one step later.
    assert!(diff("sgd:momentum=0.9").0.contains("the same weights"));
    let nadam = diff("nadam").0;
    assert!(nadam.contains("\noptax has no momentum-decay\n") && !nadam.contains("momentum-decay 0"), "{nadam}");
    assert!(diff("sgd:momentum=0.9/linear").0.contains("native = torch = optax / keras: part at step 1 by "));
    // At a rate of 0 only the momentum of Keras moves the weights: no share of nothing.
    let (still, ..) = diff("sgd:momentum=0.9/expr:lr*(t<1)");
    assert!(still.contains("part at step 1 by ") && !still.contains("inf"), "{still}");
    assert!(diff("lion").0.contains("torch has no lion: `--semantics torch` falls back to native"));
    assert!(diff("muon").0.contains("native / keras: part at step 0"));
    let free = diff("schedule-free-sgd/constant:warmup=20%").0;
    assert!(free.contains("\noptax weighs each step by the rate of the next one if it is given a schedule;"), "{free}");
    let (csv, ..) = lrsched(&["diff", "prodigy", "--epochs", "1", "--steps-per-epoch", "2", "--format", "csv"]);
    assert!(csv.lines().skip(1).all(|row| row.contains(",,,")), "no losses of frameworks without it: {csv}");
    assert_eq!(diff("sgd:momentun=0.9").2, 2);
}

#[test]
fn a_schedule_that_depends_on_metrics_is_drawn_with_those_of_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let head = "epoch,learning_rate,loss,accuracy,val_loss,val_accuracy,momentum,step,images_per_second,seconds\n";
    let row = |epoch: u64, val_loss: f64| format!("{epoch},0.1,1.0,0.5,{val_loss:?},0.5,,{},1000.0,1.0\n", epoch + 1);
    // The best epoch is 1; two bad ones follow.
    let rows: String = [2.0, 1.0, 1.0, 1.0].into_iter().zip(0..).map(|(loss, epoch)| row(epoch, loss)).collect();
    let file = folder.path().join("metrics.csv");
    std::fs::write(&file, head.to_string() + &rows).unwrap();
    let plateau = ["--schedule", "plateau:patience=1", "--epochs", "6", "--steps-per-epoch", "1", "--format", "csv"];
    for given in [folder.path(), file.as_path()] {
        let (csv, note) = show(&[&plateau[..], &["--metrics", given.to_str().unwrap()]].concat());
        let rates: Vec<&str> = csv.lines().skip(1).map(|line| line.split(',').nth(2).unwrap()).collect();
        assert_eq!(rates, ["0.1", "0.1", "0.1", "0.1", "0.010000000000000002", "0.010000000000000002"], "{csv}");
        let expected = format!("drawn with those of 4 epochs in {}; the other 2 have none", file.display());
        assert!(note.contains(&expected), "{note}");
    }
    // Those of a whole run, at its rate and length.
    let run = folder.path().join("run");
    let tiny = ["train", "--dataset", "synthetic", "--model", "tiny", "--train-limit", "64", "--batch-size", "16"];
    let flags = ["--epochs", "3", "--lr", "0.02", "--quiet", "--out", run.to_str().unwrap()];
    assert_eq!(lrsched(&[&tiny[..], &flags].concat()).2, 0);
    let (csv, _) = show(&["--schedule", "plateau", "--metrics", run.to_str().unwrap(), "--format", "csv"]);
    assert_eq!((csv.lines().count(), csv.lines().nth(1)), (1 + 3 * 4, Some("0,0,0.02,")), "{csv}");
    // As long as it is by now.
    assert_eq!(lrsched(&["resume", run.to_str().unwrap(), "--epochs", "5", "--stretch", "--quiet"]).2, 0);
    let (csv, note) = show(&["--schedule", "plateau", "--metrics", run.to_str().unwrap(), "--format", "csv"]);
    assert!(csv.lines().count() == 1 + 5 * 4 && note.contains("drawn with those of 5 epochs"), "{note}{csv}");
    let fails = |arguments: &[&str], why: &str, status: i32| {
        let (_, said, code) = lrsched(&[&["show"], arguments].concat());
        assert!(said.contains(why) && code == status && said.lines().count() == 1, "{said}");
    };
    let metrics = file.to_str().unwrap();
    fails(&["--schedule", "cosine", "--metrics", metrics], "no schedule here depends on metrics", 2);
    let nowhere = folder.path().join("nowhere");
    fails(&["--schedule", "plateau", "--metrics", nowhere.to_str().unwrap()], "nowhere: no such file or folder", 2);
    std::fs::write(&file, head).unwrap();
    fails(&["--schedule", "plateau", "--metrics", metrics], "no epoch in it", 1);
    std::fs::write(&file, head.to_string() + "0,0.1,what\n").unwrap();
    fails(&["--schedule", "plateau", "--metrics", metrics], "metrics.csv: ", 1);
}
