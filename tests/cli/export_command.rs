//! `lrsched export` from the outside. `scripts/check_export.py` runs what it writes in the real packages.

use crate::common::{TINY, lrsched};
use std::fs;
use tempfile::TempDir;

/// stdout, stderr and exit code of `lrsched export`.
fn export(folder: &TempDir, arguments: &[&str]) -> (String, String, i32) {
    let output = lrsched(folder).arg("export").args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code().unwrap())
}

/// The snippet of a schedule over 6 epochs of 7 steps.
fn snippet(arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let length = ["--lr", "0.2", "--epochs", "6", "--steps-per-epoch", "7"];
    let (code, said, status) = export(&folder, &[&length, arguments].concat());
    assert_eq!(status, 0, "{said}");
    code
}

#[test]
fn a_rate_of_0_is_no_base_rate_of_a_class_but_what_the_function_returns() {
    for schedule in
        ["constant:lr=0", "cosine:lr=0", "linear:lr=0", "step:lr=0", "natural-exp:lr=0", "linear:lr=0,warmup=1"]
    {
        for framework in ["torch", "lightning", "timm", "transformers", "keras", "optax", "candle", "burn"] {
            let code = snippet(&["--schedule", schedule, "--to", framework]);
            let lower = code.to_lowercase();
            let sound = !lower.contains("inf") && !lower.contains("nan");
            let is_function = [" rate(", "__call__(self, step)"].iter().any(|head| code.contains(head));
            assert!(sound && is_function, "{schedule} to {framework}: {code}");
        }
    }
}

#[test]
fn what_keras_does_otherwise_is_refused_or_said() {
    let folder = tempfile::tempdir().unwrap();
    let to_keras = |optimizer: &str, more: &[&str]| {
        let flags = ["--schedule", "constant", "--optimizer", optimizer, "--to", "keras", "--epochs", "1"];
        export(&folder, &[&flags, more].concat())
    };
    let keras = ["--semantics", "keras"];
    for (optimizer, more) in [("nadam", &[][..]), ("nadam:momentum-decay=0.5", &keras)] {
        let (_, said, code) = to_keras(optimizer, more);
        assert_eq!(code, 1, "{optimizer}");
        assert!(said.contains("keras.optimizers.Nadam always has momentum-decay 1, got 0."), "{said}");
    }
    assert!(to_keras("nadam", &keras).0.contains("keras.optimizers.Nadam("));
    assert!(to_keras("nadam:momentum-decay=1", &[]).0.contains("keras.optimizers.Nadam("));
    let (code, ..) = to_keras("schedule-free-adamw", &keras);
    assert!(code.contains("Keras evaluates and saves the trained point of schedule-free-adamw"), "{code}");
}

#[test]
fn a_refusal_names_what_can_be_done_instead_and_it_can() {
    let folder = tempfile::tempdir().unwrap();
    let to = |framework: &str, flags: &[&str]| {
        export(&folder, &[&["--to", framework, "--epochs", "1", "--optimizer"], flags].concat())
    };
    let all_of_torch = "torch, lightning, timm or transformers";
    for (framework, flags, said, others, under_its_own) in [
        ("torch", &["lion"][..], "torch has no lion that is exact", "keras, optax or timm", false),
        ("optax", &["nadam"], "nadam: optax has no momentum-decay, got 0.004", all_of_torch, true),
        ("keras", &["nadam"], "keras.optimizers.Nadam always has momentum-decay 1", all_of_torch, true),
        (
            "keras",
            &["schedule-free-adamw"],
            "keras has no schedule-free-adamw that is exact",
            "torch, lightning, optax, timm or transformers",
            true,
        ),
        ("optax", &["prodigy"], "optax has no prodigy with these options that is exact", all_of_torch, true),
        (
            "optax",
            &["schedule-free-adamw", "--schedule", "constant:warmup=2st"],
            "the schedule-free-adamw of optax is exact only at a constant rate",
            all_of_torch,
            false,
        ),
    ] {
        let (_, message, code) = to(framework, flags);
        assert_eq!(code, 1, "{message}");
        assert!(message.contains(said), "{message}");
        let as_it_is = format!("; as it is, it can be exported to {others}");
        assert!(message.contains(&as_it_is), "{message}");
        for other in others.replace(" or ", ", ").split(", ") {
            assert_eq!(to(other, flags).2, 0, "{flags:?} to {other}");
        }
        let semantics = format!("; trained with `--semantics {framework}`, to {framework}\n");
        assert_eq!(message.ends_with(&semantics), under_its_own, "{message}");
        if under_its_own {
            assert_eq!(to(framework, &[flags, &["--semantics", framework]].concat()).2, 0, "{flags:?}");
        }
    }
    // Its own remedy stands for the general one.
    let (_, message, _) = to("burn", &["muon"]);
    assert_eq!(message, "error: burn has no muon that is exact; export sgd, adam or adamw\n");
    let (_, message, _) = to("torch", &["muon:rescale-weights"]);
    assert!(message.contains("torch has no muon that is exact; export another optimizer or schedule"), "{message}");
}

#[test]
fn a_schedule_becomes_the_class_that_is_exact_and_a_function_otherwise() {
    for (to, schedule, expected) in [
        ("torch", "step:drop-every=2", "MultiStepLR(optimizer, milestones=[7, 21, 35], gamma=0.5)"),
        ("torch", "cosine", "CosineAnnealingLR(optimizer, T_max=42, eta_min=0.0)"),
        (
            "torch",
            "cosine-restarts:period=2ep,period-mult=2",
            "CosineAnnealingWarmRestarts(optimizer, T_0=14, T_mult=2, eta_min=0.0)",
        ),
        ("torch", "cosine:over=50%", "LambdaLR(optimizer, lambda step: rate(step) / 0.2)"),
        ("torch", "plateau:patience=3", "ReduceLROnPlateau(\n    optimizer,\n    mode=\"min\","),
        ("keras", "time:decay=0.5", "keras.optimizers.schedules.InverseTimeDecay(0.2, decay_steps=1, decay_rate=0.5)"),
        ("keras", "wsd", "class Rate(keras.optimizers.schedules.LearningRateSchedule):"),
        ("optax", "linear", "optax.linear_schedule(0.2, 0.0, transition_steps=42)"),
        ("optax", "inverse-sqrt", "jnp.where("),
        ("lightning", "cosine", "\"interval\": \"step\""),
        ("timm", "cosine:warmup=1", "timm.scheduler.CosineLRScheduler(\n    optimizer,\n    t_initial=35,"),
        (
            "transformers",
            "linear:warmup=1",
            "get_linear_schedule_with_warmup(optimizer, num_warmup_steps=7, num_training_steps=42)",
        ),
        ("candle", "cosine", "optimizer.set_learning_rate(rate(step));"),
        ("burn", "linear", "impl LrScheduler for Rates {"),
    ] {
        let code = snippet(&["--schedule", schedule, "--to", to]);
        assert!(code.contains(expected), "{to}, {schedule}:\n{code}");
    }
}

/// Keras computes in whole numbers if the rate is one, PyTorch refuses them among betas, and Rust knows no methods of bare literals.
#[test]
fn numbers_of_a_snippet_are_floats_and_functions_those_of_the_schedule() {
    for (arguments, expected) in [
        (&["--to", "keras", "--optimizer", "adadelta", "--lr", "1"][..], "keras.optimizers.Adadelta(1.0, "),
        (&["--to", "keras", "--lr", "1", "--schedule", "exponential"], "ExponentialDecay(1.0, "),
        (&["--to", "torch", "--optimizer", "adam:beta1=0"], "betas=(0.0, 0.999)"),
        (
            &["--to", "torch", "--optimizer", "adam:beta1=0", "--schedule", "one-cycle:warmup=1"],
            "group[\"betas\"] = (momentum(",
        ),
        (&["--to", "candle", "--schedule", "expr:lr*0.5^(6%4)"], "f64::powf(0.5, f64::rem_euclid(6.0, 4.0))"),
        (&["--to", "burn", "--schedule", "expr:lr+(t-3)^2"], "(t - 3.0).powf(2.0)"),
        // A compiled 41 / 41 may be less than 1.
        (&["--to", "optax", "--schedule", "expr:lr*0.5^e"], "jnp.floor_divide(step, 7.0)"),
        (&["--to", "keras", "--schedule", "expr:lr*0.5^e"], "ops.floor_divide(step, 7.0)"),
        (&["--to", "optax", "--schedule", "expr:2+signum(t-2)"], "jnp.copysign(1.0, step - 2.0)"),
        (&["--to", "keras", "--schedule", "expr:2+signum(t-2)"], "ops.where(step - 2.0 < 0.0, -1.0, 1.0)"),
        (
            &["--to", "timm", "--schedule", "polynomial:power=0,over=50%"],
            "class Rates(timm.scheduler.scheduler.Scheduler)",
        ),
    ] {
        let code = snippet(arguments);
        assert!(code.contains(expected), "{arguments:?}:\n{code}");
    }
}

#[test]
fn the_optimizer_has_its_options_and_a_cycled_momentum_comes_along() {
    let code = snippet(&["--schedule", "one-cycle:warmup=1", "--optimizer", "adamw:beta1=0.8", "--to", "torch"]);
    assert!(
        code.contains("torch.optim.AdamW(model.parameters(), lr=0.2, betas=(0.8, 0.999), eps=1e-8, weight_decay=0.01)"),
        "{code}"
    );
    assert!(code.contains("group[\"betas\"] = (momentum(self.last_epoch), group[\"betas\"][1])"), "{code}");
    let code = snippet(&[
        "--schedule",
        "triangular",
        "--max-momentum",
        "0.9",
        "--optimizer",
        "sgd:momentum=0.9",
        "--to",
        "optax",
    ]);
    assert!(code.contains("optax.inject_hyperparams(optax.sgd)(learning_rate=rate, momentum=momentum)"), "{code}");
}

#[test]
fn what_a_framework_cannot_do_is_said_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, status, expected) in [
        (
            &["--schedule", "one-cycle", "--optimizer", "sgd:momentum=0.9", "--to", "keras"][..],
            1,
            "keep their momentum; train it, or export its schedule, with cycle-momentum=false",
        ),
        (
            &["--schedule", "halve:when=val_loss<=1", "--to", "torch"],
            1,
            "torch cannot follow halve:when=val_loss<=1: it depends on metrics",
        ),
        (
            &["--schedule", "expr:lr/(1+2^(t-100))", "--epochs", "200", "--steps-per-epoch", "10", "--to", "torch"],
            1,
            "torch cannot follow expr:expr=lr/(1+2^(t-100)): at step 1124 a part of it is infinite or undefined, and Python raises an error or returns another rate; \
             bound that part, as in exp(min(x, 700)) or sqrt(max(x, 0)); as it is, it can be exported to keras, optax, candle or burn",
        ),
        (
            &["--schedule", "expr:max(0.1,sqrt(t-5))", "--to", "optax"],
            1,
            "optax cannot follow expr:expr=max(0.1,sqrt(t-5)): at step 0 a part of it is infinite or undefined in 32 bits, and it returns another rate; \
             bound that part, as in exp(min(x, 80)) or sqrt(max(x, 0))",
        ),
        (
            &["--schedule", "plateau", "--to", "keras"],
            1,
            "counts otherwise; as it is, it can be exported to torch or lightning; trained with `--semantics keras`, to keras",
        ),
        (&["--optimizer", "lion", "--to", "torch"], 1, "torch has no lion"),
        (&["--optimizer", "lion:beta1=0", "--to", "keras"], 1, "Lion wants beta1 above 0; train with beta1 above 0"),
        (
            &["--schedule", "plateau:threshold=0", "--semantics", "optax", "--to", "optax"],
            1,
            "reduce_on_plateau wants a threshold above 0; train with a threshold above 0",
        ),
        (&["--optimizer", "sgd:momentum=0.9,dampening=0.5", "--to", "keras"], 1, "Keras has no dampening"),
        (&["--optimizer", "rmsprop", "--to", "candle"], 1, "candle has no rmsprop"),
        (&["--to", "pytorch"], 2, "to must be one of torch, lightning, "),
        (&[], 2, "export to which framework? Add --to torch|"),
        (&["nowhere", "--to", "torch"], 2, "nowhere: no such folder"),
    ] {
        let (code, said, exit) = export(&folder, arguments);
        assert_eq!((code.as_str(), exit), ("", status), "{arguments:?}: {said}");
        assert!(said.contains(expected) && said.lines().count() == 1, "{arguments:?}: {said}");
    }
}

#[test]
fn updates_that_the_framework_makes_otherwise_are_warned_of_in_the_snippet_too() {
    let folder = tempfile::tempdir().unwrap();
    let momentum = ["--schedule", "cosine", "--optimizer", "sgd:momentum=0.9", "--to"];
    let (code, said, _) = export(&folder, &[&momentum[..], &["keras"]].concat());
    let note = "the rates are exact, the updates are not: on a small problem, sgd as keras computes it parts from that of the run";
    assert!(code.contains(&format!("# NOTE: {note}")) && said.contains(note), "{said}{code}");
    // Not before the rate changes, at step 26.
    let step = ["--schedule", "step:factor=0.5,drop-every=3", "--steps-per-epoch", "13", "--epochs", "10"];
    let (_, said, _) = export(&folder, &[&step[..], &["--optimizer", "sgd:momentum=0.9", "--to", "keras"]].concat());
    assert!(said.contains(&format!("{note} at update 27, by ")), "{said}");
    let (code, said, _) = export(&folder, &[&momentum[..], &["torch"]].concat());
    assert!(said.is_empty() && !code.contains("NOTE"), "{said}{code}");
}

#[test]
fn a_run_brings_its_own_length_rate_and_options_and_a_comparison_its_leader() {
    let folder = tempfile::tempdir().unwrap();
    let run = [
        "--schedule",
        "linear",
        "--optimizer",
        "sgd:momentum=0.9",
        "--lr",
        "0.05",
        "--epochs",
        "2",
        "--clip-norm",
        "1.5",
        "--out",
        "run",
    ];
    lrsched(&folder).arg("train").args(TINY).args(run).assert().success();
    let (code, said, status) = export(&folder, &["run", "--to", "torch", "-o", "rates.py"]);
    assert_eq!((code.as_str(), said.as_str(), status), ("", "", 0));
    let code = fs::read_to_string(folder.path().join("rates.py")).unwrap();
    assert!(
        code.starts_with("# linear at lr 0.05 over 2 epochs of 3 steps\n# sgd:momentum=0.9, exported by lrsched "),
        "{code}"
    );
    assert!(
        code.contains("total_iters=6)") && code.contains("# torch.nn.utils.clip_grad_norm_(model.parameters(), 1.5)"),
        "{code}"
    );
    let (_, said, status) = export(&folder, &["run", "--to", "torch", "--lr", "0.1"]);
    assert_eq!(status, 2);
    assert!(said.contains("--lr is that of the run in run; leave one of the two out"), "{said}");
    let cmp = ["--entrants", "sgd/cosine", "adam/constant", "--epochs", "1", "--seeds", "1", "--out", "cmp"];
    lrsched(&folder).arg("compare").args(TINY).args(cmp).assert().success();
    let (code, said, status) = export(&folder, &["cmp", "--to", "keras"]);
    assert_eq!(status, 0, "{said}");
    assert!(said.lines().next().unwrap().starts_with("the best so far: cmp/runs/"), "{said}");
    assert!(code.contains("keras.optimizers."), "{code}");
}

#[test]
fn a_schedule_free_optimizer_is_told_which_of_its_points_it_is_at() {
    let folder = tempfile::tempdir().unwrap();
    for (framework, line) in [
        ("torch", "\noptimizer.train()\n"),
        ("timm", "\noptimizer.train()\n"),
        ("transformers", "\noptimizer.train()\n"),
        ("lightning", "\n    optimizer.train()\n"),
    ] {
        let flags = ["export", "--schedule", "constant", "--optimizer", "schedule-free-sgd", "--to", framework];
        let output = lrsched(&folder).args(flags).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && text.contains(line), "{framework}: {text}");
        assert!(text.contains("# NOTE: call optimizer.train() before training"), "{framework}: {text}");
    }
}

#[test]
fn the_class_of_each_framework_is_taken_where_it_has_one() {
    for (optimizer, to, more, expected) in [
        ("prodigy:bias-correction", "optax", &["--semantics", "optax"][..], "optax.contrib.prodigy(\n"),
        (
            "schedule-free-sgd",
            "optax",
            &[],
            "optax.contrib.schedule_free_sgd(learning_rate=0.2, b1=0.9, weight_lr_power=2.0)",
        ),
        ("schedule-free-adamw", "keras", &["--semantics", "keras"], "keras.optimizers.ScheduleFreeAdamW("),
        ("lion", "timm", &[], "timm.optim.Lion(model.parameters(), lr=0.2, betas=(0.9, 0.99)"),
    ] {
        let code = snippet(&[&["--optimizer", optimizer, "--to", to], more].concat());
        assert!(code.contains(expected), "{to}, {optimizer}:\n{code}");
    }
}

#[test]
fn a_leader_that_pytorch_cannot_train_is_taken_to_the_first_framework_that_can() {
    let folder = tempfile::tempdir().unwrap();
    let output = lrsched(&folder)
        .arg("compare")
        .args(TINY)
        .args(["--epochs", "1", "--entrants", "lion/cosine", "lion/linear"])
        .output();
    let said = String::from_utf8(output.unwrap().stdout).unwrap();
    assert!(said.contains("best so far to Keras") || said.contains("winner to Keras"), "{said}");
}

#[test]
fn variables_of_the_environment_do_not_contradict_the_folder_of_a_run() {
    let folder = tempfile::tempdir().unwrap();
    assert!(
        lrsched(&folder)
            .arg("train")
            .args(TINY)
            .args(["--epochs", "1", "--out", "run"])
            .output()
            .unwrap()
            .status
            .success()
    );
    let mut command = lrsched(&folder);
    let output = command.env("LRSCHED_SCHEDULE", "cosine").args(["export", "run", "--to", "torch"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn parameter_groups_come_along_with_their_options_schedules_and_freezing() {
    let folder = tempfile::tempdir().unwrap();
    let train = |out: &str, more: &[&str]| {
        let flags =
            ["--optimizer", "sgd:momentum=0.9,nesterov,weight-decay=5e-4", "--lr", "0.02", "--schedule", "cosine"];
        let mut command = lrsched(&folder);
        command.arg("train").args(TINY).args(flags).args(["--epochs", "2", "--out", out]).args(more).assert().success();
    };
    train(
        "run",
        &[
            "--group",
            "*.bias=sgd:lr=0.05,momentum=0.9/linear/freeze-after=4st",
            "--group",
            "conv1.*=sgd:lr=0.01,momentum=0.9,nesterov,weight-decay=5e-4",
            "--clip-norm",
            "0.5",
        ],
    );
    let (code, said, status) = export(&folder, &["run", "--to", "torch"]);
    assert_eq!(status, 0, "{said}");
    for expected in [
        "        ([\"*.bias\"], dict(lr=0.05, nesterov=False, weight_decay=0.0)),\n",
        "        ([\"conv1.*\"], dict(lr=0.01)),\n        ([\"*\"], dict()),\n",
        "    lambda step: rate_1(step) / 0.05 if step < 4 else 0.0,\n    lambda step: rate(step) / 0.02,\n    lambda step: rate(step) / 0.02,\n",
        "torch.optim.SGD(groups(model), lr=0.02, momentum=0.9, nesterov=True, weight_decay=0.0005)",
        // The norm is over what is not frozen, whatever its rate.
        "zip(optimizer.param_groups, [4, None, None]) if frozen is None or scheduler.last_epoch < frozen for p in group[\"params\"]], 0.5)\n",
    ] {
        assert!(code.contains(expected), "{expected} is not in:\n{code}");
    }
    train("other", &["--group", "*.bias=adam"]);
    let (_, said, status) = export(&folder, &["other", "--to", "torch"]);
    assert!(status == 1 && said.contains("one optimizer for all groups, and group *.bias has adam"), "{said}");
    let (_, said, status) = export(&folder, &["run", "--to", "keras"]);
    assert!(status == 1 && said.contains("parameter groups are exported to torch and lightning alone"), "{said}");
}

/// A group's rate is reached where the run has its own highest one.
#[test]
fn a_group_that_follows_a_schedule_with_rates_of_its_own_has_the_rates_of_the_run() {
    let folder = tempfile::tempdir().unwrap();
    for (out, schedule, peak) in [
        ("a", "one-cycle:max-lr=0.4,cycle-momentum=false", "0.39776617418036475"),
        ("b", "expr:0.4*(1-t/T)", "0.4"),
        ("c", "triangular:lr=0.05,max-lr=0.4,step-size=3st", "0.4"),
    ] {
        let flags = ["--schedule", schedule, "--group", "*.bias=sgd:lr=0.2", "--epochs", "2", "--out", out];
        lrsched(&folder).arg("train").args(TINY).args(flags).assert().success();
        for framework in ["torch", "lightning"] {
            let (code, said, _) = export(&folder, &[out, "--to", framework]);
            assert!(code.contains("([\"*.bias\"], dict(lr=0.2))"), "{schedule}: {said} {code}");
            assert!(code.contains(&format!("lambda step: rate(step) / {peak},")), "{schedule}: {code}");
        }
    }
}

#[test]
fn a_momentum_that_cycles_in_a_group_alone_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (out, flags) in [
        ("a", ["--group", "*.bias=sgd:momentum=0.5/one-cycle:max-lr=0.4", "--schedule", "cosine"]),
        ("b", ["--group", "*.bias=sgd:momentum=0.5", "--schedule", "one-cycle:max-lr=0.4"]),
    ] {
        lrsched(&folder).arg("train").args(TINY).args(flags).args(["--epochs", "2", "--out", out]).assert().success();
        let (_, said, status) = export(&folder, &[out, "--to", "torch"]);
        assert!(status == 1 && said.contains("the momentum of parameter groups is not cycled"), "{out}: {said}");
    }
}

#[test]
fn rates_for_the_sum_of_the_losses_are_said_to_be_so() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--loss-reduction", "sum", "--lr", "0.001", "--epochs", "1", "--out", "run"];
    lrsched(&folder).arg("train").args(TINY).args(flags).assert().success();
    let (code, ..) = export(&folder, &["run", "--to", "torch"]);
    assert!(code.contains("# NOTE: the rates are for the sum of the losses of a batch"), "{code}");
}

#[test]
fn runs_that_diverged_are_said_in_one_line_if_quiet_and_are_not_exported() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--entrants", "sgd:lr=1e38/cosine", "sgd:lr=1e-9/cosine", "--epochs", "1", "--out", "cmp"];
    let output = lrsched(&folder).arg("compare").args(TINY).args(flags).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let quiet = lrsched(&folder).arg("compare").args(TINY).args(flags).arg("-q").output().unwrap();
    let said = String::from_utf8(quiet.stderr).unwrap();
    assert_eq!((quiet.status.code(), said.lines().count()), (Some(3), 1), "{said}");
    assert!(said.starts_with("warning: of 2 runs, 1 diverged: cmp/report.html"), "{said}");
    let flags = ["--entrants", "sgd:lr=1e38/cosine", "sgd:lr=1e38/linear", "--epochs", "1", "--out", "all"];
    lrsched(&folder).arg("compare").args(TINY).args(flags).assert().code(3);
    let (_, said, status) = export(&folder, &["all", "--to", "torch"]);
    assert!(status == 1 && said.contains("the runs of its leader diverged"), "{said}");
}

#[test]
fn a_run_that_diverged_in_its_first_epoch_has_the_epochs_that_it_was_to_have() {
    let folder = tempfile::tempdir().unwrap();
    // 960 images in batches of 32.
    let flags = ["--train-limit", "960", "--batch-size", "32", "--lr", "1e30", "--epochs", "4", "--schedule", "cosine"];
    lrsched(&folder).arg("train").args(TINY).args(flags).args(["--out", "x"]).assert().code(4);
    let rows = fs::read_to_string(folder.path().join("x/metrics.csv")).unwrap();
    let step: u64 = rows.lines().nth(1).unwrap().split(',').nth(7).unwrap().parse().unwrap();
    assert!(step < 30, "it was to diverge at once: {rows}");
    let (code, said, status) = export(&folder, &["x", "--to", "torch"]);
    assert_eq!(status, 0, "{said}");
    assert!(code.contains("4 epochs of 30 steps") && code.contains("T_max=120"), "{code}");
    // Before its first epoch is over, too.
    fs::write(folder.path().join("x/metrics.csv"), rows.lines().next().unwrap().to_string() + "\n").unwrap();
    assert_eq!(export(&folder, &["x", "--to", "torch"]).0, code);
}
