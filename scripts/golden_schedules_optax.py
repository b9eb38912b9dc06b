"""Golden traces of optax's schedules, for tests/formulas/schedule_golden.rs.

    pip install optax==0.2.8 jax==0.10.2
    python scripts/golden_schedules_optax.py        # writes tests/golden/schedules/optax.csv and optax_plateau.csv

Each row is a case: the equivalent lrsched spec, the run, and the rate of every step. Computed in float64 (jax_enable_x64).
"""

import csv
from pathlib import Path

import jax

jax.config.update("jax_enable_x64", True)
import jax.numpy as jnp  # noqa: E402
import optax  # noqa: E402

from golden_schedules_metrics import PLATEAU, join, metric_sequences  # noqa: E402

OUT = Path(__file__).resolve().parent.parent / "tests" / "golden" / "schedules"


def cases():
    """spec, lr, epochs, steps per epoch, schedule."""
    for lr, epochs, steps in [(0.1, 12, 5), (0.7, 7, 9)]:
        total = epochs * steps

        def case(spec, schedule, lr=lr, epochs=epochs, steps=steps):
            return spec, lr, epochs, steps, schedule

        yield case("constant", optax.constant_schedule(lr))
        yield case("step:factor=0.5,drop-every=3", optax.exponential_decay(lr, 3 * steps, 0.5, staircase=True))
        yield case("step:factor=0.3,drop-every=13st", optax.exponential_decay(lr, 13, 0.3, staircase=True))
        yield case("exponential:decay-rate=0.9", optax.exponential_decay(lr, steps, 0.9))
        yield case("exponential:decay-rate=0.5,decay-steps=17,staircase", optax.exponential_decay(lr, 17, 0.5, staircase=True))
        yield case("linear:end-lr=0.002", optax.linear_schedule(lr, 0.002, total))
        yield case("linear:over=21st", optax.linear_schedule(lr, 0.0, 21))
        yield case("polynomial", optax.polynomial_schedule(lr, 0.0, 2, total))
        yield case("polynomial:power=0.5,over=31st,end-lr=0.01", optax.polynomial_schedule(lr, 0.01, 0.5, 31))
        yield case("piecewise:milestones=2,5,factor=0.3", optax.piecewise_constant_schedule(lr, {2 * steps: 0.3, 5 * steps: 0.3}))
        yield case("piecewise:milestones=13st,40st,41st,factor=0.5", optax.piecewise_constant_schedule(lr, {13: 0.5, 40: 0.5, 41: 0.5}))
        yield case("cosine", optax.cosine_decay_schedule(lr, total))
        yield case("cosine:over=25st,end-lr=0.3x", optax.cosine_decay_schedule(lr, 25, alpha=0.3))
        yield case("cosine:warmup=10st,warmup-from=0.2,end-lr=0.01", optax.warmup_cosine_decay_schedule(0.2 * lr, lr, 10, total, 0.01))
        yield case("cosine:warmup=2ep", optax.warmup_cosine_decay_schedule(0.0, lr, 2 * steps, total))
        yield case("constant:warmup=7st,warmup-from=0.1", optax.warmup_constant_schedule(0.1 * lr, lr, 7))
        yield case("exponential:warmup=7st,decay-rate=0.8,decay-steps=4,staircase",
                   optax.warmup_exponential_decay_schedule(0.0, lr, 7, 4, 0.8, staircase=True))
        cycle = [{"init_value": lr * 0.5 ** i, "peak_value": lr * 0.5 ** i, "warmup_steps": 0, "decay_steps": 4 * 2 ** i,
                  "end_value": 0.01} for i in range(5)]
        yield case("cosine-restarts:period=4st,period-mult=2,lr-mult=0.5,end-lr=0.01", optax.sgdr_schedule(cycle))
        cycle = [{"init_value": lr, "peak_value": lr, "warmup_steps": 0, "decay_steps": 2 * steps} for _ in range(9)]
        yield case("cosine-restarts:period=2", optax.sgdr_schedule(cycle))
        for pct in [0.3, 0.25, 0.1, 0.5]:
            yield case(f"one-cycle:max-lr=0.4,pct-start={pct},cycle-momentum=false",
                       optax.cosine_onecycle_schedule(total, 0.4, pct))
            yield case(f"one-cycle:max-lr=0.4,pct-start={pct},anneal=linear,cycle-momentum=false",
                       optax.linear_onecycle_schedule(total, 0.4, pct))
        yield case("one-cycle:max-lr=2,div-factor=10,final-div-factor=100,cycle-momentum=false",
                   optax.cosine_onecycle_schedule(total, 2.0, 0.3, 10.0, 100.0))
        yield case("one-cycle:max-lr=2,div-factor=10,final-div-factor=100,anneal=linear,cycle-momentum=false",
                   optax.linear_onecycle_schedule(total, 2.0, 0.3, 0.85, 10.0, 100.0))
        yield case("linear:for=2ep,end-lr=0.1x;cosine:for=10st;constant:lr=0.1x", optax.join_schedules(
            [optax.linear_schedule(lr, 0.1 * lr, 2 * steps), optax.cosine_decay_schedule(lr, 10), optax.constant_schedule(0.1 * lr)],
            [2 * steps, 2 * steps + 10]))
        yield case("wsd:warmup=8st,decay=15st", optax.join_schedules(
            [optax.linear_schedule(0.0, lr, 8), optax.constant_schedule(lr), optax.linear_schedule(lr, 0.0, 15)], [8, total - 15]))


def plateau():
    lr = 0.2
    for factor, patience, threshold, mode, cooldown, min_lr in PLATEAU:
        for monitor, sign in [("val_loss", 1), ("val_accuracy", -1)]:
            spec = (f"plateau:factor={factor},patience={patience},threshold={threshold},threshold-mode={mode},"
                    f"cooldown={cooldown},min-lr={min_lr},monitor={monitor}")
            for metrics in metric_sequences():
                reduce = optax.contrib.reduce_on_plateau(
                    factor, patience, rtol=threshold if mode == "rel" else 0.0, atol=threshold if mode == "abs" else 0.0,
                    cooldown=cooldown, min_scale=min_lr / lr)
                state = reduce.init(jnp.zeros(1))
                update = jax.jit(reduce.update)
                rates = []
                for metric in metrics:
                    rates.append(lr * float(state.scale))
                    _, state = update(jnp.zeros(1), state, value=sign * metric)
                yield spec, lr, metrics, rates


with open(OUT / "optax.csv", "w", newline="") as file:
    out = csv.writer(file, lineterminator="\n")
    out.writerow(["spec", "lr", "epochs", "steps_per_epoch", "learning_rates", "momenta"])
    for spec, lr, epochs, steps, schedule in cases():
        out.writerow([spec, lr, epochs, steps, join(schedule(t) for t in range(epochs * steps)), ""])
with open(OUT / "optax_plateau.csv", "w", newline="") as file:
    out = csv.writer(file, lineterminator="\n")
    out.writerow(["spec", "lr", "metrics", "learning_rates"])
    out.writerows([spec, lr, join(metrics), join(rates)] for spec, lr, metrics, rates in plateau())
