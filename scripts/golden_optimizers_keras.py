"""Writes tests/golden/optimizers/keras_f64.csv and keras_f32.csv: 100 steps of Keras's optimizers.

    pip install keras==3.15.1 jax==0.10.2 numpy
    python scripts/golden_optimizers_keras.py
"""

import os

# Not torch: there, an assignment changes what ScheduleFreeAdamW has set aside as the old momentum.
os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_ENABLE_X64"] = "1"

import keras  # noqa: E402
import numpy as np  # noqa: E402
from golden_optimizers_problem import START, gradient, write  # noqa: E402
from keras import optimizers as of  # noqa: E402

CASES = [
    ("sgd", 0.05, False, of.SGD, {}),
    ("sgd:momentum=0.9", 0.05, False, of.SGD, {"momentum": 0.9}),
    ("sgd:momentum=0.9", 0.05, True, of.SGD, {"momentum": 0.9}),
    ("sgd:momentum=0.9,nesterov", 0.05, False, of.SGD, {"momentum": 0.9, "nesterov": True}),
    ("sgd:momentum=0.9,weight-decay=0.1", 0.05, False, of.SGD, {"momentum": 0.9, "weight_decay": 0.1}),
    ("rmsprop", 0.02, False, of.RMSprop, {}),
    ("rmsprop:rho=0.95,eps=1e-3,momentum=0.8", 0.02, False, of.RMSprop, {"rho": 0.95, "epsilon": 1e-3, "momentum": 0.8}),
    ("rmsprop:centered,weight-decay=0.1", 0.02, False, of.RMSprop, {"centered": True, "weight_decay": 0.1}),
    ("rmsprop:centered,momentum=0.8", 0.02, True, of.RMSprop, {"centered": True, "momentum": 0.8}),
    ("adam", 0.05, False, of.Adam, {}),
    ("adam:beta1=0.8,beta2=0.99,eps=1e-3,weight-decay=0.1", 0.05, True, of.Adam, {"beta_1": 0.8, "beta_2": 0.99, "epsilon": 1e-3, "weight_decay": 0.1}),
    ("adamw", 0.05, False, of.AdamW, {}),
    ("adamw:weight-decay=0.1", 0.05, True, of.AdamW, {"weight_decay": 0.1}),
    ("adagrad", 0.5, False, of.Adagrad, {"initial_accumulator_value": 0.1}),  # the default, in full precision (see walk)
    ("adagrad:initial-accumulator=0.5,eps=1e-3,weight-decay=0.1", 0.5, False, of.Adagrad, {"initial_accumulator_value": 0.5, "epsilon": 1e-3, "weight_decay": 0.1}),
    ("adadelta", 1.0, False, of.Adadelta, {}),
    ("adadelta:rho=0.9,eps=1e-3,weight-decay=0.1", 1.0, False, of.Adadelta, {"rho": 0.9, "epsilon": 1e-3, "weight_decay": 0.1}),
    ("adam:amsgrad", 0.05, True, of.Adam, {"amsgrad": True}),
    ("adamw:amsgrad,beta2=0.9,weight-decay=0.1", 0.05, False, of.AdamW, {"amsgrad": True, "beta_2": 0.9, "weight_decay": 0.1}),
    ("nadam", 0.05, False, of.Nadam, {}),
    ("nadam:beta1=0.8,beta2=0.99,eps=1e-3,weight-decay=0.1", 0.05, True, of.Nadam, {"beta_1": 0.8, "beta_2": 0.99, "epsilon": 1e-3, "weight_decay": 0.1}),
    ("adamax", 0.05, False, of.Adamax, {}),
    ("adamax:beta2=0.9,eps=1e-2,weight-decay=0.1", 0.05, True, of.Adamax, {"beta_2": 0.9, "epsilon": 1e-2, "weight_decay": 0.1}),
    ("lion", 0.05, False, of.Lion, {}),
    ("lion:beta1=0.8,beta2=0.9,weight-decay=0.1", 0.05, True, of.Lion, {"beta_1": 0.8, "beta_2": 0.9, "weight_decay": 0.1}),
    ("schedule-free-adamw", 0.05, False, of.ScheduleFreeAdamW, {}),
    ("schedule-free-adamw:beta1=0.8,beta2=0.99,eps=1e-3,weight-decay=0.1", 0.05, False, of.ScheduleFreeAdamW, {"beta_1": 0.8, "beta_2": 0.99, "epsilon": 1e-3, "weight_decay": 0.1}),
]


def evaluated(optimizer, theta):
    """Keras leaves it to its users to go from the point that is trained to the average."""
    if not isinstance(optimizer, of.ScheduleFreeAdamW):
        return theta
    (z,) = optimizer._momentums
    return (theta - (1 - optimizer.beta_1) * z) / optimizer.beta_1


def walk(case, plan):
    _, base, _, kind, options = case
    theta = keras.Variable(START, dtype=keras.config.floatx())
    # A backend may convert a Python float via float32 to the variable's type; a numpy scalar keeps its precision.
    exact = {name: np.float64(x) if isinstance(x, float) else x for name, x in options.items()}
    optimizer = kind(learning_rate=base, **exact)
    for name in ("beta_1", "beta_2", "weight_decay"):
        if isinstance(getattr(optimizer, name, None), float):
            setattr(optimizer, name, np.float64(getattr(optimizer, name)))
    optimizer.build([theta])
    for step, (lr, mu) in enumerate(plan):
        optimizer.learning_rate = lr
        if mu is not None:
            setattr(optimizer, "beta_1" if hasattr(optimizer, "beta_1") else "momentum", np.float64(mu))
        optimizer.apply([keras.ops.convert_to_tensor(gradient(theta.numpy(), step))], [theta])
        yield keras.ops.convert_to_numpy(evaluated(optimizer, theta)).copy()


for precision in (64, 32):
    keras.config.set_floatx(f"float{precision}")
    write(f"keras_f{precision}.csv", CASES, walk)
