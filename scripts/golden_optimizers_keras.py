"""Writes tests/golden/optimizers/keras_f64.csv and keras_f32.csv: 100 steps of Keras's optimizers.

    pip install keras==3.15.1 tensorflow-cpu==2.21.0 numpy
    python scripts/golden_optimizers_keras.py
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

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
]


def walk(case, plan):
    _, base, _, kind, options = case
    theta = keras.Variable(START, dtype=keras.config.floatx())
    # TensorFlow converts a Python float via float32 to the variable's type; a numpy scalar keeps its precision.
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
        yield theta.numpy().copy()


for precision in (64, 32):
    keras.config.set_floatx(f"float{precision}")
    write(f"keras_f{precision}.csv", CASES, walk)
