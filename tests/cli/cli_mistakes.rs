//! Invalid input: one clear line, the right exit code, nothing half-written.

use crate::common::{TINY, lrsched};
use std::fs;

/// Runs `arguments`, which must fail with `code` and one line containing all of `parts`; the folder must stay empty.
fn refuses(arguments: &[&str], code: i32, parts: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    refuses_in(&folder, arguments, code, parts);
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.is_empty(), "{arguments:?} left {left:?}");
}

fn refuses_in(folder: &tempfile::TempDir, arguments: &[&str], code: i32, parts: &[&str]) {
    let output = lrsched(folder).args(arguments).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
    assert_eq!(stderr.lines().count(), 1, "{arguments:?}: {stderr}");
    for part in parts {
        assert!(stderr.contains(part), "{arguments:?} should say `{part}`: {stderr}");
    }
    assert!(!stderr.contains("panicked"), "{stderr}");
}

fn train(flags: &[&'static str]) -> Vec<&'static str> {
    [&["train"], &TINY[..], &["--out", "run"], flags].concat()
}

#[test]
fn an_unknown_schedule_optimizer_or_flag_suggests_the_nearest() {
    refuses(&train(&["--schedule", "cosin"]), 2, &["cosin", "did you mean `cosine`?"]);
    refuses(&train(&["--optimizer", "adma"]), 2, &["adma", "did you mean `adam`?"]);
    refuses(&train(&["--epoch", "3"]), 2, &["--epoch", "--epochs"]);
    refuses(&["compare", "--dataset", "synthetic", "--entrants", "sgd/cosin"], 2, &["cosin", "`cosine`"]);
    refuses(&["trian"], 2, &["trian", "train"]);
}

#[test]
fn a_name_of_another_framework_suggests_ours() {
    for (typed, ours) in [
        ("StepLR", "step"),
        ("MultiStepLR", "piecewise"),
        ("CosineAnnealingLR", "cosine"),
        ("CosineAnnealingWarmRestarts", "cosine-restarts"),
        ("ReduceLROnPlateau", "plateau"),
        ("OneCycleLR", "one-cycle"),
        ("CyclicLR", "triangular"),
        ("PiecewiseConstantDecay", "piecewise"),
        ("InverseTimeDecay", "time"),
        ("warmup_cosine_decay_schedule", "cosine"),
        ("sgdr_schedule", "cosine-restarts"),
        ("Noam", "inverse-sqrt"),
        ("COSINE", "cosine"),
        ("one_cycle", "one-cycle"),
    ] {
        let line = format!("unknown schedule `{typed}`; did you mean `{ours}`?");
        refuses(&["train", "--dataset", "synthetic", "--schedule", typed], 2, &[&line]);
    }
    for (typed, ours) in
        [("SGD", "sgd"), ("AdamW", "adamw"), ("RMSProp", "rmsprop"), ("Nesterov", "sgd:momentum=0.9,nesterov")]
    {
        let hint = format!("`{typed}`; did you mean `{ours}`?");
        refuses(&["train", "--dataset", "synthetic", "--optimizer", typed], 2, &[&hint]);
        refuses(
            &["compare", "--dataset", "synthetic", "--entrants", typed],
            2,
            &[&hint.replace("`; did", "` is neither an optimizer nor a schedule; did")],
        );
    }
    for (spec, hint) in [
        ("step:gamma=0.5", "`gamma`; did you mean `factor`?"),
        ("step:factor=0.5,step_size=10", "`step_size`; did you mean `drop-every`?"),
        ("cosine:T_max=10", "`T_max`; did you mean `over`?"),
        ("cosine:eta_min=0.001", "`eta_min`; did you mean `end-lr`?"),
        ("exponential:gamma=0.9", "`gamma`; did you mean `decay-rate`?"),
        ("cosine-restarts:T_0=5,T_mult=2", "`T_0`; did you mean `period`?"),
        ("one-cycle:max_lr=0.1", "`max_lr`; did you mean `max-lr`?"),
    ] {
        refuses(&["show", spec], 2, &[hint]);
    }
    refuses(&["train", "--optimizer", "adam:weight_decay=0.1"], 2, &["`weight_decay`; did you mean `weight-decay`?"]);
    refuses(&["train", "--optimizer", "rmsprop:alpha=0.9"], 2, &["`alpha`; did you mean `rho`?"]);
}

#[test]
fn a_flag_or_command_of_another_program_suggests_ours_and_a_far_name_nothing() {
    for (typed, ours) in [
        ("--learning-rate", "--lr"),
        ("--learning_rate", "--lr"),
        ("--lr-schedule", "--schedule"),
        ("--lr_scheduler", "--schedule"),
        ("--batch", "--batch-size"),
        ("--bs", "--batch-size"),
        ("--wd", "--weight-decay"),
        ("--num-epochs", "--epochs"),
        ("--T_max", "--over"),
        ("--eta-min", "--end-lr"),
        ("--output-dir", "--out"),
        ("--gpu", "--device"),
        ("-lr", "--lr"),
    ] {
        refuses(&["train", typed, "3"], 2, &[&format!("found; did you mean `{ours}`?")]);
    }
    refuses(&["compare", "--schedule", "cosine"], 2, &["did you mean `--entrants`?"]);
    for (command, typed, ours) in [
        ("compare", "-j", "--jobs"),
        ("compare", "-j4", "--jobs"),
        ("find", "--num-jobs", "--jobs"),
        ("compare", "--max_parallel", "--jobs"),
        ("train", "--jobs", "--threads"),
        ("train", "-j", "--threads"),
        ("compare", "--num-workers", "--threads"),
        ("compare", "--cpus", "--threads"),
        ("compare", "--plan", "--dry-run"),
        ("find", "--preview", "--dry-run"),
        ("compare", "--sweep", "--grid"),
    ] {
        refuses(&[command, typed, "3"], 2, &[&format!("found; did you mean `{ours}`?")]);
    }
    refuses(&["--lr", "0.1", "train"], 2, &["put it after the command: `lrsched train --lr`"]);
    for (typed, ours) in [
        ("evaluate", "eval"),
        ("lr_find", "find"),
        ("fit", "train"),
        ("plot", "show"),
        ("preview", "show"),
        ("sweep", "compare"),
        ("grid", "compare"),
        ("combine", "merge"),
        ("collect", "merge"),
    ] {
        refuses(&[typed], 2, &[&format!("did you mean `{ours}`?")]);
    }
    refuses(&["completion", "bash"], 2, &["did you mean `completions`?"]);
    refuses(&["completions"], 2, &["<SHELL>"]);
    let far = |arguments: &[&str]| {
        let folder = tempfile::tempdir().unwrap();
        let output = lrsched(&folder).args(arguments).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && !said.contains("did you mean"), "{arguments:?}: {said}");
        assert!(!said.contains("similar"), "{arguments:?}: {said}");
    };
    far(&["completions"]);
    far(&["frobnicate"]);
    far(&["train", "--early-stopping"]);
    far(&["train", "--optimizer", "frobnicate"]);
    far(&["find", "--schedule", "cosine"]);
    far(&["train", "--schedule", "zigzag"]);
    far(&["data", "frobnicate"]);
}

#[test]
fn a_flag_that_a_command_has_not_is_no_value_and_help_has_those_that_it_has() {
    for command in ["eval", "report", "resume"] {
        let line = "error: unexpected argument '--frobnicate' found; see --help\n";
        refuses(&[command, "run", "--frobnicate", "json"], 2, &[line]);
    }
    refuses(&["eval", "run", "--jsn"], 2, &["found; did you mean `--json`?"]);
}

#[test]
fn a_folder_of_a_run_that_is_not_there_is_a_mistake_on_the_command_line_for_every_command() {
    for command in ["eval", "report", "resume"] {
        refuses(&[command, "nosuch"], 2, &["nosuch"]);
    }
    refuses(&["report", "nosuch", "nor-this"], 2, &["error: nosuch: no such file or folder"]);
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    refuses_in(&folder, &["report", "file"], 2, &["error: file: not a folder"]);
}

#[test]
fn a_flag_of_another_schedule_is_refused_with_those_it_takes() {
    refuses(&train(&["--schedule", "cosine", "--drop-every", "10"]), 2, &["cosine", "drop-every", "end-lr"]);
    refuses(&train(&["--optimizer", "adagrad", "--nesterov"]), 2, &["adagrad", "nesterov", "initial-accumulator"]);
}

#[test]
fn numbers_out_of_range_are_refused_with_the_value_and_the_rule() {
    refuses(&train(&["--lr", "-0.1"]), 2, &["lr", "above 0", "-0.1"]);
    refuses(&train(&["--lr", "0"]), 2, &["lr", "above 0"]);
    refuses(&train(&["--lr", "NaN"]), 2, &["lr", "above 0", "NaN"]);
    refuses(&train(&["--lr", "fast"]), 2, &["lr", "fast"]);
    refuses(&train(&["--schedule", "step", "--drop-every", "0"]), 2, &["step: drop-every must be", "0"]);
    refuses(&train(&["--batch-size", "0"]), 2, &["batch-size", "at least 1", "0"]);
    refuses(&train(&["--batch-size", "97"]), 2, &["batch-size", "96", "97"]);
    refuses(&train(&["--threads", "0"]), 2, &["threads", "at least 1", "0"]);
    refuses(&train(&["--threads", "70000"]), 2, &["threads", "at most 1024", "70000"]);
    refuses(&train(&["--epochs", "0"]), 2, &["epochs", "at least 1", "0"]);
    refuses(&train(&["--epochs", "-3"]), 2, &["epochs", "-3"]);
    refuses(&train(&["--dropout", "1"]), 2, &["dropout", "1"]);
    refuses(&train(&["--device", "cuda:0"]), 2, &["cuda", "--features cuda"]);
    refuses(&["train", "--dataset", "synthetic", "--train-limit", "999999"], 2, &["train-limit", "999999"]);
}

#[test]
fn a_number_that_is_another_one_in_f32_is_refused_with_its_rule() {
    let normal = "from 1.18e-38 to 3.40e38 (a normal f32)";
    for rate in ["1e-46", "1e-40", "1e39"] {
        refuses(&train(&["--lr", rate]), 2, &["lr must be", normal, rate]);
        refuses(&train(&["--optimizer", Box::leak(format!("sgd:lr={rate}").into_boxed_str())]), 2, &[normal, rate]);
        let schedule = Box::leak(format!("constant:lr={rate}").into_boxed_str());
        refuses(&train(&["--schedule", schedule]), 2, &["the highest rate of the run must be", normal, rate]);
        let find = ["find", "--dataset", "synthetic", "--out", "run", "--min-lr", rate, "--max-lr", "1e200"];
        refuses(&find, 2, &["min-lr must be", normal, rate]);
    }
    refuses(&["find", "--dataset", "synthetic", "--out", "run", "--max-lr", "1e39"], 2, &["max-lr must be", "1e39"]);
    for schedule in ["one-cycle:max-lr=1e-46", "expr:1e-46", "piecewise:milestones=1,values=1e-46,1e-47"] {
        refuses(&train(&["--schedule", schedule]), 2, &["the highest rate of the run", normal]);
    }
    for (optimizer, key) in [
        ("adam:eps=1e-46", "eps"),
        ("adamw:weight-decay=1e-46", "weight-decay"),
        ("sgd:weight-decay=1e39", "weight-decay"),
        ("sgd:momentum=1e-46", "momentum"),
        ("rmsprop:rho=1e-46", "rho"),
        ("adagrad:initial-accumulator=1e-46", "initial-accumulator"),
        ("adadelta:eps=1e-40", "eps"),
    ] {
        refuses(&train(&["--optimizer", optimizer]), 2, &[key, normal]);
        refuses(&["compare", "--dataset", "synthetic", "--entrants", optimizer, "--out", "x"], 2, &[key, normal]);
    }
    refuses(&train(&["--optimizer", "adam:beta2=0.99999999"]), 2, &["beta2 must be below 1 as f32", "0.99999999"]);
    for flag in ["--dropout", "--label-smoothing"] {
        for share in ["1e-46", "0.99999999"] {
            refuses(&train(&[flag, share]), 2, &[&flag[2..], "below 1 as f32"]);
        }
    }
    for flag in ["--clip-norm", "--clip-value"] {
        for (limit, rule) in
            [("0", "above 0, got 0; leave it out"), ("-1", "above 0"), ("1e-46", normal), ("x", "above 0")]
        {
            refuses(&train(&[flag, limit]), 2, &[&flag[2..], rule]);
            refuses(&["compare", "--dataset", "synthetic", flag, limit, "--out", "x"], 2, &[&flag[2..], rule]);
        }
        refuses(&["descend", flag, "0"], 2, &[&flag[2..], "above 0", "leave it out"]);
    }
    let cycle = "one-cycle:max-lr=0.1,max-momentum=0.99999999";
    refuses(&train(&["--momentum", "0.9", "--schedule", cycle]), 2, &["momentum must be", "below 1"]);
}

#[test]
fn rates_may_decay_to_what_f32_cannot_hold() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--schedule", "exponential:decay-rate=1e-30,decay-steps=1", "--epochs", "2", "--log-steps"];
    lrsched(&folder).args(train(&[])).args(flags).assert().success();
    let steps = fs::read_to_string(folder.path().join("run/steps.csv")).unwrap();
    assert!(steps.lines().any(|line| line.contains("e-61")), "{steps}");
}

#[test]
fn more_steps_than_a_clock_counts_are_refused_and_never_wrap_around() {
    for epochs in ["9223372036854775809", "18446744073709551615", "281474976710657"] {
        let parts = ["a run has at most 281474976710656 steps", epochs];
        refuses(&train(&["--epochs", epochs]), 2, &parts);
        refuses(&["compare", "--dataset", "synthetic", "--epochs", epochs, "--out", "x"], 2, &parts);
        refuses(&["show", "constant", "--epochs", epochs], 2, &["epochs x steps-per-epoch must be at most"]);
    }
    let folder = tempfile::tempdir().unwrap();
    lrsched(&folder).args(train(&["--epochs", "1"])).assert().success();
    for reach in ["--hold", "--stretch"] {
        let resume = ["resume", "run", "--epochs", "9223372036854775809", reach];
        refuses_in(&folder, &resume, 2, &["a run has at most 281474976710656 steps"]);
    }
}

#[test]
fn seeds_beyond_the_largest_are_refused_by_each_command_that_counts_them_up() {
    let last = i64::MAX.to_string();
    for command in ["compare", "find"] {
        let flags = ["--dataset", "synthetic", "--out", "x", "--seed", &last, "--seeds", "2"];
        refuses(&[&[command], &flags[..]].concat(), 2, &["2 seeds from 9223372036854775807 on", "the largest"]);
    }
    refuses(&train(&["--seed", "9223372036854775808"]), 2, &["seed must be", &last, "9223372036854775808"]);
}

#[test]
fn a_whole_number_that_no_config_file_holds_is_named_where_one_is_printed() {
    let huge = u64::MAX.to_string();
    let of_run = ["batch-size", "train-limit", "validation"];
    let of_test = ["for-epochs", "epochs", "eval-every", "eval-images"];
    let of_tuning = ["tune-seed", "studies"];
    for (command, names) in [
        (&["train"][..], &of_run[..]),
        (&["find"], &of_run),
        (&["find"], &of_test),
        (&["compare"], &of_run),
        (&["compare", "--tune", "4"], &of_tuning),
    ] {
        for name in names {
            let flag = format!("--{name}");
            let rule = format!("{name} must be at most {}, ", i64::MAX);
            let arguments = [command, &["--dataset", "synthetic", "--print-config", &flag, &huge]].concat();
            refuses(&arguments, 2, &[&rule, "config file", &huge]);
        }
    }
}

#[test]
fn rates_that_f32_cannot_hold_are_refused_on_resume_too() {
    let folder = tempfile::tempdir().unwrap();
    lrsched(&folder).args(train(&["--epochs", "1"])).assert().success();
    for flags in [
        &["--lr", "1e-46"][..],
        &["--scale-lr", "1e-45"],
        &["--scale-lr", "1e40"],
        &["--schedule", "constant:lr=1e-46"],
    ] {
        let arguments = [&["resume", "run", "--epochs", "2"], flags].concat();
        refuses_in(&folder, &arguments, 2, &["from 1.18e-38 to 3.40e38"]);
    }
}

#[test]
fn only_a_setting_that_has_a_word_for_nothing_takes_it() {
    let train = |setting: &[&str]| {
        refuses(&[&["train", "--dataset", "synthetic"], setting].concat(), 2, &[setting[0].trim_start_matches('-')])
    };
    train(&["--epochs", "not set"]);
    train(&["--label-smoothing", "none"]);
    train(&["--clip-norm", "nothing"]);
    let folder = tempfile::tempdir().unwrap();
    lrsched(&folder).args(["descend", "--steps", "2", "--clip-norm", "none", "--format", "csv"]).assert().success();
}

#[test]
fn a_bench_that_no_memory_holds_or_no_optimizer_makes_is_refused() {
    refuses(&["bench", "--batch-size", "18446744073709551615"], 2, &["batch-size", "65536"]);
    refuses(&["bench", "--steps", "18446744073709551615"], 2, &["steps", "1000000"]);
    refuses(&["bench", "--optimizer", "moun"], 2, &["optimizer `moun`", "did you mean `muon`?"]);
}

#[test]
fn an_empty_out_is_refused_and_touches_nothing() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("metrics.csv"), "mine").unwrap();
    let tiny = |command: &'static str| [&[command], &TINY[..], &["--out", ""]].concat();
    refuses_in(&folder, &tiny("train"), 2, &["--out"]);
    refuses_in(&folder, &tiny("compare"), 2, &["--out"]);
    assert_eq!(fs::read_to_string(folder.path().join("metrics.csv")).unwrap(), "mine");
}

#[test]
fn a_device_that_the_build_is_without_is_refused_by_compare_too() {
    refuses(&["compare", "--dataset", "synthetic", "--device", "cuda:0", "--out", "x"], 2, &["--features cuda"]);
}

#[test]
fn a_flag_that_no_entrant_takes_is_refused() {
    let arguments = ["compare", "--dataset", "synthetic", "--entrants", "adam", "--drop-every", "3", "--out", "x"];
    refuses(&arguments, 2, &["no entrant takes `drop-every`"]);
}

#[test]
fn entrants_in_one_argument_are_named_one_by_one() {
    let compare = |entrants| ["compare", "--dataset", "synthetic", "--out", "x", "--entrants", entrants];
    for (typed, ours) in [
        ("sgd/cosine,adam/constant", "sgd/cosine adam/constant"),
        ("cosine, linear", "cosine linear"),
        ("sgd/cosine adam", "sgd/cosine adam"),
        (
            "sgd:lr=0.1,momentum=0.9/step:factor=0.5,drop-every=1,adam",
            "sgd:lr=0.1,momentum=0.9/step:factor=0.5,drop-every=1 adam",
        ),
        ("sgd/constant:for=1ep;cosine,adam", "'sgd/constant:for=1ep;cosine' adam"),
    ] {
        let said = format!("entrant {typed}: these are several; separate them: {ours} (in a file [\"");
        refuses(&compare(typed), 2, &[&said]);
    }
    refuses(&compare("cosine, linear"), 2, &["separate them: cosine linear (in a file [\"cosine\", \"linear\"])\n"]);
    refuses(&compare("cosin,linear"), 2, &["`cosin,linear` is neither an optimizer nor a schedule"]);
    refuses(&compare("sgd/cosine,"), 2, &["sgd/cosine,"]);
    let swapped =
        "entrant cosine/sgd:momentum=0.9: an entrant is OPTIMIZER/SCHEDULE; did you mean `sgd:momentum=0.9/cosine`?";
    refuses(&compare("cosine/sgd:momentum=0.9"), 2, &[swapped]);
    refuses(&compare("linear;cosine / sgd"), 2, &["OPTIMIZER/SCHEDULE; did you mean `sgd/linear;cosine`?"]);
}

#[test]
fn a_sequence_that_is_joined_otherwise_is_told_how() {
    let hint = "; a sequence joins schedules by `;`, such as `constant:for=5ep;cosine`\n";
    for joined in ["cosine,step", "constant:for=1+cosine", "linear  cosine", "linear -> step"] {
        refuses(&["show", "--schedule", joined], 2, &[hint]);
    }
    let folder = tempfile::tempdir().unwrap();
    for other in ["cosine,sted", "expr:lrr+step"] {
        let output = lrsched(&folder).args(["show", "--schedule", other]).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && !said.contains("a sequence joins"), "{said}");
    }
}

#[test]
fn a_schedule_sets_no_momentum_that_the_optimizer_does_not_take() {
    let cycled = ["--schedule", "triangular:base-momentum=0,max-momentum=0.9"];
    let said = ["schedule-free-sgd: the momentum that the schedule sets must be in (0, 1), got 0"];
    refuses(&train(&[&cycled[..], &["--optimizer", "schedule-free-sgd"]].concat()), 2, &said);
    refuses(&[&["descend", "--optimizer", "schedule-free-sgd"], &cycled[..]].concat(), 2, &said);
    let of_group = "*.bias=schedule-free-sgd/triangular:base-momentum=0,max-momentum=0.9";
    refuses(&train(&["--group", of_group]), 2, &said);
    refuses(&train(&[&cycled[..], &["--group", "*.bias=schedule-free-sgd:lr=1"]].concat()), 2, &said);
}

#[test]
fn a_word_that_is_mistyped_suggests_the_nearest_whatever_takes_it() {
    for (flags, hint) in [
        (["--keep", "bes"], "keep must be one of none, best, all; got `bes`; did you mean `best`?"),
        (["--batch-size", "ful"], "got `ful`; did you mean `full`?"),
        (["--validation", "tets"], "got `tets`; did you mean `test`?"),
    ] {
        refuses(&train(&flags), 2, &[hint]);
    }
    refuses(&["compare", "--dataset", "synthetic", "--jobs", "atuo"], 2, &["got `atuo`; did you mean `auto`?"]);
    refuses(&["report", "/", "-o", "x.htlm"], 2, &["got `x.htlm`; did you mean `html`?"]);
}

#[test]
fn a_flag_in_the_place_of_a_value_is_named() {
    for (arguments, said) in [
        (&["train", "--out", "--force"][..], "--out has no value: --force is a flag; write --out VALUE"),
        (&["train", "--schedule", "--lr", "0.1"], "--schedule has no value: --lr is a flag"),
        (&["train", "--data-dir", "--out=x"], "--data-dir has no value: --out=x is a flag"),
        (&["train", "--out", "-q"], "--out has no value: -q is a flag"),
        (&["report", ".", "-o", "--md"], "-o has no value: --md is a flag"),
    ] {
        refuses(arguments, 2, &[said]);
    }
    // A switch needs none; a number may be negative, and a value that is joined may be anything.
    refuses(
        &train(&["--momentum", "0.9", "--nesterov", "--drop-last", "--lr", "x"]),
        2,
        &["lr must be a number above 0, got `x`"],
    );
    refuses(&train(&["--lr", "-1"]), 2, &["got -1"]);
    let folder = tempfile::tempdir().unwrap();
    lrsched(&folder).arg("train").args(TINY).args(["--epochs", "1", "--out=--force"]).assert().success();
    assert!(folder.path().join("--force/run.json").is_file());
}

#[test]
fn of_a_switch_given_both_ways_the_last_counts_and_a_switch_of_a_file_can_be_turned_off() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("c.toml"), "drop-last = true\nlog-steps = true\n").unwrap();
    let printed = |flags: &[&str]| {
        let output = lrsched(&folder).args(["train", "--dataset", "synthetic", "--print-config"]).args(flags).output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    };
    let momentum = ["--momentum", "0.9"];
    let nesterov = |flags: [&str; 2]| printed(&[&momentum[..], &flags].concat()).contains("sgd:momentum=0.9,nesterov");
    assert!(nesterov(["--no-nesterov", "--nesterov"]) && !nesterov(["--nesterov", "--no-nesterov"]));
    assert!(nesterov(["--nesterov=false", "--nesterov"]) && !nesterov(["--nesterov", "--nesterov=false"]));
    // What is typed goes before a variable, whichever way.
    for (variable, flag, on) in
        [("LRSCHED_NESTEROV", "--no-nesterov", false), ("LRSCHED_NO_NESTEROV", "--nesterov", true)]
    {
        let mut command = lrsched(&folder);
        command.env(variable, "true").args(["train", "--dataset", "synthetic", "--print-config", flag]);
        let output = command.args(momentum).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!((output.status.code(), text.contains("0.9,nesterov")), (Some(0), on), "{variable}: {text}");
    }
    let file = ["--config", "c.toml"];
    assert!(printed(&file).contains("drop-last = true") && printed(&["--drop-last"]).contains("drop-last = true"));
    let off = printed(&[&file[..], &["--drop-last=false", "--log-steps=no"]].concat());
    assert!(off.contains("drop-last = false") && off.contains("log-steps = false"), "{off}");
}

#[test]
fn a_config_that_is_no_text_file_is_a_mistake_on_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("latin.toml"), b"model = \"\xe9\"").unwrap();
    for config in [".", "latin.toml", ""] {
        refuses_in(&folder, &["train", "--config", config], 2, &["config must name a TOML file"]);
    }
}

#[test]
fn a_flag_of_another_command_names_that_command() {
    refuses(&train(&["--tune", "8"]), 2, &["'--tune' found; `lrsched compare` has it\n"]);
    refuses(&train(&["--shard=1/2"]), 2, &["`lrsched compare` has it\n"]);
    refuses(&["eval", "run", "--min-lr", "1"], 2, &["'--min-lr' found"]);
}

#[test]
fn what_a_path_should_have_been_is_said() {
    refuses(&train(&["--config", "nosuch.toml"]), 2, &["config must name a TOML file, and there is no nosuch.toml"]);
    refuses(&["compare", "--seeds", "0", "--dataset", "synthetic"], 2, &["seeds must be from 1 to 1000, got 0"]);
    refuses(&["help", "frobnicate"], 2, &["no help for `frobnicate`; --help lists the commands"]);
    let folder = tempfile::tempdir().unwrap();
    lrsched(&folder).args(train(&["--epochs", "1"])).assert().success();
    for file in ["run.json", "metrics.csv"] {
        let path = format!("run/{file}");
        refuses_in(&folder, &["eval", &path], 2, &[&path, "holds no weights: name the run's folder"]);
    }
}

#[test]
fn a_value_with_line_breaks_still_makes_one_line() {
    refuses(&train(&["--schedule", "co\nsine"]), 2, &["co sine"]);
}

#[test]
fn a_closed_stderr_is_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_lrsched");
    for arguments in ["show --schedule foo", "show --schedule step --epochs 2 --format csv", "train --schedule foo"] {
        let script = format!("'{program}' {arguments} 2>&- >/dev/null; test $? -ne 101");
        let status = std::process::Command::new("sh").args(["-c", &script]).current_dir(&folder).status().unwrap();
        assert!(status.success(), "{arguments}");
        let script = format!("'{program}' {arguments} 2>/dev/full >/dev/null; test $? -ne 101");
        let status = std::process::Command::new("sh").args(["-c", &script]).current_dir(&folder).status().unwrap();
        assert!(status.success(), "{arguments}");
    }
}

#[test]
fn without_cifar10_both_ways_on_are_named() {
    for command in ["train", "compare"] {
        let folder = tempfile::tempdir().unwrap();
        refuses_in(&folder, &[command], 1, &["lrsched data fetch", "--dataset synthetic"]);
    }
}

#[test]
fn a_config_file_with_an_unknown_key_or_broken_toml_is_named_with_the_key_or_line() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.toml"), "epochs = 3\nbatchsize = 12\n").unwrap();
    refuses_in(&folder, &["train", "--config", "a.toml"], 2, &["a.toml", "batchsize", "did you mean `batch-size`?"]);
    fs::write(folder.path().join("b.toml"), "epochs = 3\nlr = = 1\n").unwrap();
    refuses_in(&folder, &["train", "--config", "b.toml"], 2, &["b.toml", "line 2"]);
    fs::write(folder.path().join("c.toml"), "epochs = { a = 1 }\n").unwrap();
    refuses_in(&folder, &["train", "--config", "c.toml"], 2, &["c.toml", "epochs"]);
}

#[test]
fn an_existing_out_is_refused_without_force_and_keeps_what_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("run")).unwrap();
    fs::write(folder.path().join("run/metrics.csv"), "precious").unwrap();
    refuses_in(&folder, &train(&[]), 2, &["run", "--force"]);
    assert_eq!(fs::read_to_string(folder.path().join("run/metrics.csv")).unwrap(), "precious");
    fs::write(folder.path().join("file"), "").unwrap();
    let arguments = [&["train"], &TINY[..], &["--out", "file"]].concat();
    refuses_in(&folder, &arguments, 2, &["file", "not a folder"]);
}

/// Every path below `folder`, with the contents of files.
fn everything(folder: &std::path::Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        found.push((path.clone(), fs::read(&path).unwrap_or_default()));
        if path.is_dir() && !path.is_symlink() {
            found.extend(everything(&path));
        }
    }
    found.sort();
    found
}

#[test]
fn a_folder_of_somebody_else_is_refused_by_every_command_with_force_too_and_nothing_in_it_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    fs::create_dir_all(home.join("checkpoints/last")).unwrap();
    fs::create_dir_all(home.join("runs/a")).unwrap();
    fs::create_dir_all(home.join("seed-0")).unwrap();
    // File names that this program uses, and names that its temporary files once had.
    for name in [
        ".tmp-thesis.txt",
        ".tmpAb12Cd",
        "metrics.csv",
        "weights.safetensors",
        "range.csv",
        "seed-0/range.csv",
        "runs/a/run.json",
        "checkpoints/last/notes",
    ] {
        fs::write(home.join(name), "mine").unwrap();
    }
    // A JSON file of that name is not necessarily ours.
    fs::write(home.join("run.json"), "{\"version\": \"1.0\", \"status\": \"finished\"}").unwrap();
    fs::write(home.join("find.json"), "{\"config\": {}}").unwrap();
    fs::write(home.join("comparison.csv"), "run,schedule\nmine,mine\n").unwrap();
    let before = everything(folder.path());
    for command in [&["train"][..], &["compare", "--entrants", "cosine"], &["find", "--steps", "3"]] {
        for force in [&[][..], &["--force"]] {
            let arguments = [command, &TINY[..], &["--out", "home"], force].concat();
            refuses_in(&folder, &arguments, 2, &["--out home", "choose another folder"]);
            assert_eq!(everything(folder.path()), before, "{arguments:?}");
        }
    }
    refuses_in(&folder, &["resume", "home"], 1, &["home/run.json"]);
    assert_eq!(everything(folder.path()), before);
}

#[test]
fn force_replaces_a_run_with_a_run_a_comparison_with_a_comparison_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let commands = [
        ("run", &["train", "--epochs", "1", "--lr", "0.01"][..]),
        ("comparison", &["compare", "--entrants", "cosine", "--epochs", "1", "--lr", "0.01"]),
        ("range test", &["find", "--steps", "3"]),
    ];
    for (name, command) in commands {
        lrsched(&folder).args(command).args(TINY).args(["--out", name]).output().unwrap();
    }
    let before = everything(folder.path());
    assert!(before.len() > 10);
    for (other, _) in commands {
        for (name, command) in commands.iter().filter(|(name, _)| *name != other) {
            for force in [&[][..], &["--force"]] {
                let arguments = [command, &TINY[..], &["--out", other], force].concat();
                let output = lrsched(&folder).args(&arguments).output().unwrap();
                let said = String::from_utf8(output.stderr).unwrap();
                assert_eq!((output.status.code(), said.lines().count()), (Some(2), 1), "{arguments:?}: {said}");
                let holds = format!("--out {other} is not empty: it holds a {other}, ");
                assert!(said.contains(&holds) && !said.contains("lrsched resume"), "{name} into {other}: {said}");
                assert!(said.contains("choose another folder"), "{said}");
            }
        }
    }
    // For the run's own folder, the message says how to extend the run.
    let again = [commands[0].1, &TINY[..], &["--out", "run"]].concat();
    refuses_in(&folder, &again, 2, &["`lrsched resume run --epochs N`", "--force"]);
    assert_eq!(everything(folder.path()), before);
}

#[test]
fn force_refuses_a_folder_where_a_file_with_the_name_of_ours_is_somebody_elses() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let command = |command: &[&'static str], out: &'static str| {
        [command, &TINY[..], &["--epochs", "1", "--lr", "0.01", "--out", out]].concat()
    };
    let train = |out: &'static str| command(&["train"], out);
    let compare = command(&["compare", "--entrants", "cosine"], "cmp");
    lrsched(&folder).args(train("run")).assert().success();
    lrsched(&folder).args(&compare).assert().success();
    // Recognised by its metrics.csv alone.
    fs::create_dir_all(at("rows")).unwrap();
    fs::copy(at("run/metrics.csv"), at("rows/metrics.csv")).unwrap();
    let entrant = fs::read_dir(at("cmp/runs")).unwrap().next().unwrap().unwrap().path();
    for (path, command) in [
        (at("rows/steps.csv"), train("rows")),
        (at("rows/weights.safetensors"), train("rows")),
        (at("rows/events.jsonl"), train("rows")),
        (at("run/steps.csv"), train("run")),
        (entrant.join("steps.csv"), compare.clone()),
    ] {
        fs::write(&path, "mine").unwrap();
        let before = everything(folder.path());
        let name = path.strip_prefix(folder.path()).unwrap().display().to_string();
        refuses_in(&folder, &[&command[..], &["--force"]].concat(), 2, &[&name, "was not written by lrsched"]);
        assert_eq!(everything(folder.path()), before, "{name}");
        fs::remove_file(&path).unwrap();
    }
    fs::create_dir_all(at("rows/checkpoints/best")).unwrap();
    fs::write(at("rows/checkpoints/best/model.pt"), "mine").unwrap();
    for command in [train("rows"), train("run"), compare] {
        lrsched(&folder).args(command).arg("--force").assert().success();
    }
    assert_eq!(fs::read(at("rows/checkpoints/best/model.pt")).unwrap(), b"mine");
}

#[test]
fn an_out_that_cannot_be_written_fails_before_training() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let arguments = [&["train"], &TINY[..], &["--out", "file/run"]].concat();
    refuses_in(&folder, &arguments, 1, &["file/run"]);
}

#[test]
fn a_wrong_data_file_is_named_with_what_was_expected() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("cifar");
    fs::create_dir(&data).unwrap();
    for file in ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5"] {
        fs::File::create(data.join(format!("{file}.bin"))).unwrap().set_len(30_730_000).unwrap();
    }
    let arguments = ["train", "--data-dir", "cifar", "--out", "run"];
    refuses_in(&folder, &arguments, 1, &["test_batch.bin"]);
    fs::write(data.join("test_batch.bin"), "short").unwrap();
    refuses_in(&folder, &arguments, 1, &["test_batch.bin", "5 bytes", "30,730,000", "data fetch"]);
    fs::File::create(data.join("test_batch.bin")).unwrap().set_len(30_730_001).unwrap();
    refuses_in(&folder, &arguments, 1, &["test_batch.bin", "30,730,001"]);
    let mut bytes = vec![0_u8; 30_730_000];
    bytes[3073 * 7] = 10;
    fs::write(data.join("test_batch.bin"), bytes).unwrap();
    refuses_in(&folder, &arguments, 1, &["test_batch.bin", "10", "7"]);
    assert!(!folder.path().join("run").exists());
}

#[test]
fn an_input_of_a_megabyte_is_not_repeated_in_the_message() {
    let folder = tempfile::tempdir().unwrap();
    // An argument may be at most 128 KiB long; a file may be longer.
    let long = "x".repeat(100_000);
    let spec = |head: &str| format!("{head}{long}");
    for arguments in [
        vec!["train", "--schedule", &long],
        vec!["train", "--schedule", &spec("step:factor=")],
        vec!["train", "--schedule", &spec("step:")],
        vec!["train", "--schedule", &spec("step:nonsense=1,")],
        vec!["train", "--schedule", &spec("expr:")],
        vec!["train", "--schedule", &spec("halve:when=")],
        vec!["train", "--optimizer", &long],
        vec!["train", "--optimizer", &spec("sgd:momentum=")],
        vec!["train", "--lr", &long],
        vec!["train", "--epochs", &long],
        vec!["train", "--dataset", &long],
        vec!["train", "--validation", &long],
        vec!["train", "--model", &long],
        vec!["train", "--checkpoint-every", &long],
        vec!["train", &spec("--")],
        vec!["compare", "--entrants", &long],
        vec!["compare", "--entrants", &spec("sgd/step:factor=")],
        vec!["show", &long],
        vec!["show", "cosine", "--semantics", &long],
        vec!["eval", "run", "--split", &long],
        vec!["descend", "--function", &long],
        vec!["data", "fetch", "--mirror", &long],
        vec!["help", &long],
        vec![&long],
    ] {
        let output = lrsched(&folder).args(&arguments).output().unwrap();
        let (said, short) = (String::from_utf8(output.stderr).unwrap(), &arguments[..arguments.len() - 1]);
        assert_eq!((output.status.code(), said.lines().count()), (Some(2), 1), "{short:?}: {said:.300}");
        assert!(said.len() < 2000, "{short:?}: {} bytes", said.len());
    }
    fs::write(folder.path().join("c.toml"), format!("epochs = \"{}\"", "9x".repeat(100_000))).unwrap();
    refuses_in(&folder, &["train", "--config", "c.toml"], 2, &["epochs must be a whole number", "…"]);
}

#[test]
fn warnings_and_errors_hold_printable_characters_alone() {
    let folder = tempfile::tempdir().unwrap();
    let named = "a\u{1b}[31m\nwarning: forged\u{202e}";
    let output = lrsched(&folder).args(["report", "nosuch", named, "-o", "r.html"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!said.contains(['\u{1b}', '\u{202e}']), "{said:?}");
    fs::create_dir_all(folder.path().join("good")).unwrap();
    fs::write(folder.path().join("good/metrics.csv"), "date\n").unwrap();
    let output = lrsched(&folder).args(["report", "good", named, "-o", "r.html"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said.lines().filter(|line| line.starts_with("warning: forged")).count(), 0, "{said:?}");
    let output =
        lrsched(&folder).args(["show", "cosine", "--epochs", "1"]).env("LRSCHED_\u{1b}[31m", "1").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("warning: unknown variable") && !said.contains('\u{1b}'), "{said:?}");
}

#[test]
fn the_password_of_a_mirror_is_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    for mirror in
        ["ftp://user:hunter2@host/a", "http://user:hunter2@127.0.0.1:9/a", "http://user:hun/ter2@127.0.0.1:9/a"]
    {
        let mut command = lrsched(&folder);
        // The official copy is unreachable too.
        command.args(["data", "fetch", "--data-dir", "images", "--mirror", mirror]);
        let output =
            command.env("https_proxy", "http://127.0.0.1:9").env("HTTPS_PROXY", "http://127.0.0.1:9").output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap() + &String::from_utf8(output.stdout).unwrap();
        assert!(!output.status.success() && said.contains("user:***@"), "{said}");
        assert!(!said.contains("hunter2") && !said.contains("ter2"), "{said}");
    }
}

#[cfg(unix)]
fn bytes(bytes: &[u8]) -> std::ffi::OsString {
    std::os::unix::ffi::OsStringExt::from_vec(bytes.to_vec())
}

#[cfg(unix)]
#[test]
fn an_argument_or_variable_that_is_not_utf8_is_one_line_for_every_command() {
    let odd = bytes(b"\xff");
    for before in [
        &["show"][..],
        &["show", "--schedule"],
        &["diff"],
        &["descend", "--function"],
        &["train", "--schedule"],
        &["train", "--lr"],
        &["compare", "--entrants"],
        &["find", "--optimizer"],
        &["resume"],
        &["resume", "x", "--lr"],
        &["bench", "--model"],
        &["eval"],
        &["eval", "x", "--dataset"],
        &["report"],
        &["help"],
        &["data", "fetch", "--mirror"],
        &["--color"],
        &[],
    ] {
        let folder = tempfile::tempdir().unwrap();
        let output = lrsched(&folder).args(before).arg(&odd).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{before:?}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{before:?}: {stderr}");
        assert!(stderr.contains('\u{fffd}') && !stderr.contains("internal error"), "{before:?}: {stderr}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{before:?}");
    }
    let folder = tempfile::tempdir().unwrap();
    let output = lrsched(&folder).args(["show", "cosine"]).env("LRSCHED_LR", &odd).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("the variable LRSCHED_LR is not UTF-8"), "{stderr}");
}

#[cfg(unix)]
#[test]
fn folders_files_and_the_program_itself_may_have_names_that_are_not_utf8() {
    let folder = tempfile::tempdir().unwrap();
    let odd = folder.path().join(bytes(b"here\xff"));
    fs::create_dir(&odd).unwrap();
    let copy = odd.join("lrsched");
    // A copy would be busy while another test's process, which has inherited the file opened for writing, has not become another
    // program.
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_lrsched"));
    fs::hard_link(program, &copy).or_else(|_| std::os::unix::fs::symlink(program, &copy)).unwrap();
    fs::write(odd.join(bytes(b"c\xff.toml")), "lr = 0.01\nprogress = \"none\"\n").unwrap();
    let run = |arguments: &[&[u8]]| {
        let mut command = assert_cmd::Command::new(&copy);
        command.current_dir(&odd).args(arguments.iter().map(|argument| bytes(argument)));
        command.assert().success()
    };
    let flags = b"train --dataset synthetic --train-limit 16 --validation 10 --batch-size 16 --epochs 1";
    let mut train: Vec<&[u8]> = flags.split(|&byte| byte == b' ').collect();
    train.extend([&b"--config"[..], b"c\xff.toml", b"--out", b"run\xff"]);
    run(&train);
    let info = fs::read_to_string(odd.join(bytes(b"run\xff")).join("run.json")).unwrap();
    assert!(info.contains("\"lr\": 0.01") && info.contains("run\u{fffd}"), "{info}");
    run(&[b"resume", b"run\xff", b"--epochs", b"2", b"-q"]);
    run(&[b"eval", b"run\xff", b"--split", b"train", b"-o", b"m\xff.csv"]);
    run(&[b"report", b"run\xff", b"-o", b"r\xff.html"]);
    run(&[b"show", b"cosine", b"-o", b"s\xff.svg"]);
    for name in [&b"m\xff.csv"[..], b"r\xff.html", b"s\xff.svg"] {
        assert!(odd.join(bytes(name)).is_file(), "{name:?}");
    }
}

#[test]
fn a_damaged_file_of_a_finished_run_is_named_with_what_can_be_done() {
    let folder = tempfile::tempdir().unwrap();
    let compare = [&["compare"], &TINY[..], &["--entrants", "sgd/cosine", "--epochs", "1", "--out", "c"]].concat();
    lrsched(&folder).args(&compare).assert().success();
    let run = "c/runs/sgd_cosine_lr=0.1_seed=0";
    let file = |name: &str| folder.path().join(run).join(name);
    let [record, metrics] = ["run.json", "metrics.csv"].map(|name| fs::read_to_string(file(name)).unwrap());
    fs::write(file("run.json"), "").unwrap();
    refuses_in(&folder, &compare, 1, &["run.json: EOF", "restore the file, or remove", "to train it again"]);
    fs::write(file("run.json"), record.replace("\"lr\": 0.1", "\"lr\": null")).unwrap();
    refuses_in(&folder, &["export", run, "--to", "torch"], 1, &["run.json: "]);
    fs::write(file("run.json"), &record).unwrap();
    fs::write(file("metrics.csv"), "").unwrap();
    refuses_in(&folder, &["export", run, "--to", "torch"], 1, &["metrics.csv", "the file is empty"]);
    fs::write(file("metrics.csv"), metrics).unwrap();
    lrsched(&folder).args(["export", run, "--to", "torch"]).assert().success();
}

#[test]
fn what_is_named_twice_out_of_f32_or_out_of_the_range_of_toml_is_one_line() {
    refuses(&["show", "step", "cosine", "step"], 2, &["schedule step is named twice; leave one out"]);
    refuses(&["descend", "--optimizer", "sgd", "sgd"], 2, &["entrant sgd/constant is named twice; leave one out"]);
    let sequence = ["show", "--schedule", "constant:for=1;cosine", "--end-lr", "0.05"];
    refuses(&sequence, 2, &["Put it in the spec: `cosine:end-lr=...`"]);
    let sequence = ["show", "--schedule", "constant:for=1;cosine", "--drop-every", "5"];
    refuses(
        &sequence,
        2,
        &["--drop-every: no schedule of the sequence takes it (constant: ", "; cosine: ", "; leave it out"],
    );
    // Of two lines, the warning that the rate never changes would be the first.
    let folder = tempfile::tempdir().unwrap();
    let epoch = "epoch,learning_rate,loss,accuracy,val_loss,val_accuracy,momentum,step,images_per_second,seconds\n0,0.1,1.0,0.5,1.0,0.5,,1,1.0,1.0\n";
    fs::write(folder.path().join("m.csv"), epoch).unwrap();
    refuses_in(&folder, &["show", "step", "--epochs", "2", "--metrics", "m.csv"], 2, &["--metrics has no effect"]);
    let tune = ["compare", "--dataset", "synthetic", "--entrants", "sgd", "--tune", "2", "--tune-range"];
    refuses(&[&tune[..], &["lr=1e-320:1e-310"]].concat(), 2, &["tune-range: lr must be from 1.18e-38", "got 1e-320"]);
    refuses(&[&tune[..], &["lr=1:1e300"]].concat(), 2, &["tune-range: lr must be", "got 1e300"]);
    for (text, said) in [("seed = 9223372036854775808", "u64"), ("lr = 1e999", "overflow")] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("c.toml"), format!("# A comment.\n{text}\n")).unwrap();
        refuses_in(&folder, &["train", "--config", "c.toml"], 2, &["c.toml line 2: `", text, said]);
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    refuses_in(&folder, &["man", "--dir", "file"], 2, &["--dir file is not a folder"]);
}

#[test]
fn an_empty_name_is_said_to_be_empty() {
    for command in [&["eval", ""][..], &["report", ""], &["merge", "", "--out", "x"], &["export", "", "--to", "torch"]]
    {
        refuses(command, 2, &["it has no name"]);
    }
    refuses(&["man", "--dir", ""], 2, &["--dir must name a folder, got nothing"]);
    refuses(&["data", "info", "--data-dir", ""], 2, &["--data-dir must name a folder, got nothing"]);
}

#[test]
fn a_whole_number_that_toml_does_not_have_has_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("x.toml"), "lr = 99999999999999999999\n").unwrap();
    let said = "line 1: `lr = 99999999999999999999`: a whole number is at most 9223372036854775807; write a larger one as 1e20";
    refuses_in(&folder, &["compare", "--config", "x.toml", "--dry-run"], 2, &[said]);
}
