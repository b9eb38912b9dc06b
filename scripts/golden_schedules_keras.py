"""Golden traces of Keras's schedules and callbacks, for tests/formulas/schedule_golden.rs.

    pip install keras==3.15.1 tensorflow-cpu==2.21.0 numpy
    python scripts/golden_schedules_keras.py        # writes tests/golden/schedules/keras.csv and keras_plateau.csv

Each row is a case: the equivalent lrsched spec, the run, and the rate of every step. Keras computes in float32, as
it does for its users.
"""

import csv
import os
import types
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras  # noqa: E402
from keras.optimizers import schedules as s  # noqa: E402

from golden_schedules_metrics import PLATEAU, join, metric_sequences  # noqa: E402

OUT = Path(__file__).resolve().parent.parent / "tests" / "golden" / "schedules"


def with_callback(make, lr, epochs, steps):
    """The rate of every step where a callback sets it once an epoch."""
    model = types.SimpleNamespace(optimizer=keras.optimizers.SGD(lr))
    callback = make()
    callback.set_model(model)
    rates = []
    for epoch in range(epochs):
        callback.on_epoch_begin(epoch)
        rates += [float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))] * steps
    return rates


def cases():
    """spec, lr, epochs, steps per epoch, rates."""
    for lr, epochs, steps in [(0.1, 12, 5), (0.7, 7, 9)]:
        total = epochs * steps

        def case(spec, schedule, lr=lr, epochs=epochs, steps=steps, total=total):
            return spec, lr, epochs, steps, [float(schedule(t)) for t in range(total)]

        yield case("step:factor=0.5,drop-every=3", s.ExponentialDecay(lr, 3 * steps, 0.5, staircase=True))
        yield case("step:factor=0.3,drop-every=13st", s.ExponentialDecay(lr, 13, 0.3, staircase=True))
        yield case("exponential:decay-rate=0.9", s.ExponentialDecay(lr, steps, 0.9))
        yield case("exponential:decay-rate=0.5,decay-steps=17", s.ExponentialDecay(lr, 17, 0.5))
        yield case("exponential:decay-rate=0.5,decay-steps=17,staircase", s.ExponentialDecay(lr, 17, 0.5, staircase=True))
        yield case("exponential:decay-steps=100000,staircase", s.ExponentialDecay(lr, 100000, 0.96, staircase=True))
        yield case("time", s.InverseTimeDecay(lr, 1, 0.01))
        yield case("time:decay=0.5,decay-steps=1ep", s.InverseTimeDecay(lr, steps, 0.5))
        yield case("time:decay=0.5,decay-steps=7,staircase", s.InverseTimeDecay(lr, 7, 0.5, staircase=True))
        yield case("polynomial:power=1,end-lr=0.0001", s.PolynomialDecay(lr, total))
        yield case("polynomial:power=2,over=31st,end-lr=0.01", s.PolynomialDecay(lr, 31, 0.01, power=2.0))
        yield case("polynomial:power=0.5,over=20st,end-lr=0.01,cycle", s.PolynomialDecay(lr, 20, 0.01, power=0.5, cycle=True))
        yield case("polynomial:power=1,over=3ep,end-lr=0,cycle", s.PolynomialDecay(lr, 3 * steps, 0.0, cycle=True))
        yield case("linear:end-lr=0.002,over=50%", s.PolynomialDecay(lr, round(total / 2), 0.002))
        yield case("piecewise:milestones=2,5,values=1,0.5,0.1", s.PiecewiseConstantDecay([2 * steps, 5 * steps], [1.0, 0.5, 0.1]))
        yield case("piecewise:milestones=13st,factor=0.5", s.PiecewiseConstantDecay([13], [lr, lr * 0.5]))
        yield case("piecewise:milestones=0st,7st,8st,values=4,3,2,1", s.PiecewiseConstantDecay([0, 7, 8], [4.0, 3.0, 2.0, 1.0]))
        yield case("cosine", s.CosineDecay(lr, total))
        yield case("cosine:over=25st,end-lr=0.3x", s.CosineDecay(lr, 25, alpha=0.3))
        yield case("cosine:warmup=10st,warmup-from=0.2,end-lr=0.1x",
                   s.CosineDecay(0.2 * lr, total - 10, alpha=0.1, warmup_target=lr, warmup_steps=10))
        yield case("cosine:warmup=2ep,over=20st", s.CosineDecay(0.0, 20, warmup_target=lr, warmup_steps=2 * steps))
        yield case("cosine-restarts:period=10st,period-mult=2", s.CosineDecayRestarts(lr, 10))
        yield case("cosine-restarts:period=2,lr-mult=0.7,end-lr=0.2x", s.CosineDecayRestarts(lr, 2 * steps, 1.0, 0.7, 0.2))
        yield case("cosine-restarts:period=4st,period-mult=3,lr-mult=0.5,end-lr=0.1x", s.CosineDecayRestarts(lr, 4, 3.0, 0.5, 0.1))
        yield case("cosine-restarts:period=6st,period-mult=1.5,lr-mult=1.1", s.CosineDecayRestarts(lr, 6, 1.5, 1.1))

        def callback(spec, function, lr=lr, epochs=epochs, steps=steps):
            return spec, lr, epochs, steps, with_callback(lambda: keras.callbacks.LearningRateScheduler(function), lr, epochs, steps)

        yield callback("expr:lr*0.5^floor((1+epoch)/3)", lambda epoch, _, lr=lr: lr * 0.5 ** ((1 + epoch) // 3))
        yield callback("expr:lr*(epoch<3)+lr*(epoch>=3)*exp(0.1*(3-epoch))",
                       lambda epoch, rate: rate if epoch < 3 else float(rate * (1 if epoch == 3 else 2.718281828459045 ** -0.1)))


def plateau():
    for factor, patience, threshold, mode, cooldown, min_lr in PLATEAU:
        for monitor, direction in [("val_loss", "min"), ("val_accuracy", "max")]:
            spec = (f"plateau:factor={factor},patience={patience},threshold={threshold},threshold-mode={mode},"
                    f"cooldown={cooldown},min-lr={min_lr},monitor={monitor}")
            for metrics in metric_sequences():
                model = types.SimpleNamespace(optimizer=keras.optimizers.SGD(0.2))
                callback = keras.callbacks.ReduceLROnPlateau(monitor, factor, patience, mode=direction, min_delta=threshold,
                                                             cooldown=cooldown, min_lr=min_lr)
                callback.set_model(model)
                callback.on_train_begin()
                rates = []
                for epoch, metric in enumerate(metrics):
                    rates.append(float(keras.ops.convert_to_numpy(model.optimizer.learning_rate)))
                    callback.on_epoch_end(epoch, {monitor: metric})
                yield spec, 0.2, metrics, rates


with open(OUT / "keras.csv", "w", newline="") as file:
    out = csv.writer(file, lineterminator="\n")
    out.writerow(["spec", "lr", "epochs", "steps_per_epoch", "learning_rates", "momenta"])
    out.writerows([spec, lr, epochs, steps, join(rates), ""] for spec, lr, epochs, steps, rates in cases())
with open(OUT / "keras_plateau.csv", "w", newline="") as file:
    out = csv.writer(file, lineterminator="\n")
    out.writerow(["spec", "lr", "metrics", "learning_rates"])
    out.writerows([spec, lr, join(metrics), join(rates)] for spec, lr, metrics, rates in plateau())
