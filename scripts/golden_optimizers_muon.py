"""Writes tests/golden/optimizers/muon_f64.csv: 40 steps of Muon on a wide and a tall matrix, of every framework.

    pip install torch==2.15.0 keras==3.15.1 optax==0.2.8 jax==0.10.2 numpy
    python scripts/golden_optimizers_muon.py

`native` is written here from the formulas of KellerJordan/Muon (muon.py) and of airbench94_muon.py, which are no packages.
PyTorch's Newton-Schulz steps are in bfloat16; here its module finds float64 under that name. Keras and optax hold a weight as
(inputs, outputs), so theirs is the transposed matrix.
"""

import csv
import math
import os

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_ENABLE_X64"] = "1"

import jax.numpy as jnp  # noqa: E402
import keras  # noqa: E402
import numpy as np  # noqa: E402
import optax.contrib  # noqa: E402
import torch  # noqa: E402
from golden_optimizers_problem import FOLDER, momentum, rate  # noqa: E402

keras.config.set_floatx("float64")

STEPS = 40
SHAPES = [(3, 5), (6, 2)]


def start(shape):
    return np.cos(np.arange(math.prod(shape), dtype=np.float64)).reshape(shape)


def gradient(theta, step):
    k = np.arange(theta.size, dtype=np.float64)
    noise = np.array([0.3 * math.sin(1.7 * step + i) for i in k])
    return (0.5 * (1 + k % 4) * (theta.ravel() - np.sin(k)) + noise).reshape(theta.shape)


def native(shape, options, plan):
    ema, nesterov = options.get("ema", True), options.get("nesterov", True)
    theta, buffer = start(shape), np.zeros(shape)
    for step, (lr, mu) in enumerate(plan):
        mu = options.get("momentum", 0.95) if mu is None else mu
        g = gradient(theta, step)
        fresh = 1 - mu if ema else 1
        buffer = mu * buffer + fresh * g
        x = mu * buffer + fresh * g if nesterov else buffer
        x = x / (np.linalg.norm(x) + 1e-7)
        tall = shape[0] > shape[1]
        x = x.T if tall else x
        a, b, c = options.get("coefficients", (3.4445, -4.7750, 2.0315))
        for _ in range(options.get("ns_steps", 5)):
            gram = x @ x.T
            x = a * x + (b * gram + c * gram @ gram) @ x
        x = x.T if tall else x
        if options.get("rescale", False):
            theta = theta * (math.sqrt(shape[0]) / np.linalg.norm(theta))
        scale = {"shape": math.sqrt(max(1, shape[0] / shape[1])), "none": 1, "rms": 0.2 * math.sqrt(max(shape))}
        theta = theta * (1 - lr * options.get("weight_decay", 0)) - lr * scale[options.get("scale", "shape")] * x
        yield theta


class InDouble:
    """The module torch, with another type for bfloat16."""

    bfloat16 = torch.float64

    def __getattr__(self, name):
        return getattr(torch, name)


def of_torch(shape, options, plan):
    from torch.optim import _muon

    _muon.torch = InDouble()
    theta = torch.tensor(start(shape), requires_grad=True)
    optimizer = torch.optim.Muon([theta], **options)
    for step, (lr, mu) in enumerate(plan):
        optimizer.param_groups[0]["lr"] = lr
        if mu is not None:
            optimizer.param_groups[0]["momentum"] = mu
        theta.grad = torch.from_numpy(gradient(theta.detach().numpy(), step))
        optimizer.step()
        yield theta.detach().numpy()


class NormInDouble:
    """keras.ops, whose norm of a float64 matrix is computed in float32."""

    def norm(self, x, **options):
        return jnp.linalg.norm(keras.ops.convert_to_tensor(x), **options)

    def __getattr__(self, name):
        return getattr(keras.ops, name)


def of_keras(shape, options, plan):
    from keras.src.optimizers import muon

    muon.ops = NormInDouble()
    theta = keras.Variable(start(shape).T, dtype="float64")
    optimizer = keras.optimizers.Muon(**options)
    optimizer.build([theta])
    for step, (lr, mu) in enumerate(plan):
        optimizer.learning_rate = lr
        if mu is not None:
            optimizer.momentum = mu
        now = np.asarray(theta.value).T
        optimizer.apply([jnp.asarray(gradient(now, step).T)], [theta])
        yield np.asarray(theta.value).T


def of_optax(shape, options, plan):
    theta = jnp.asarray(start(shape).T)
    state = optax.contrib.muon(1.0, **options).init(theta)
    for step, (lr, mu) in enumerate(plan):
        now = options if mu is None else options | {"beta": mu}
        updates, state = optax.contrib.muon(lr, **now).update(jnp.asarray(gradient(np.asarray(theta).T, step).T), state, theta)
        theta = optax.apply_updates(theta, updates)
        yield np.asarray(theta).T


CASES = [
    ("native", "muon", False, native, {}),
    ("native", "muon", True, native, {}),
    ("native", "muon:momentum=0.6,ns-steps=3,scale=none,momentum-form=sum,rescale-weights", False, native, {"momentum": 0.6, "ns_steps": 3, "scale": "none", "ema": False, "rescale": True}),
    ("native", "muon:nesterov=false,coefficients=3,-3.2,1.2,weight-decay=0.1,scale=rms", False, native, {"nesterov": False, "coefficients": (3, -3.2, 1.2), "weight_decay": 0.1, "scale": "rms"}),
    ("torch", "muon", True, of_torch, {}),
    ("torch", "muon:momentum=0.8,nesterov=false,weight-decay=0.2,scale=rms,ns-steps=4", False, of_torch, {"momentum": 0.8, "nesterov": False, "weight_decay": 0.2, "adjust_lr_fn": "match_rms_adamw", "ns_steps": 4}),
    ("keras", "muon", True, of_keras, {}),
    ("keras", "muon:momentum=0.8,nesterov=false,weight-decay=0.1,ns-steps=4", False, of_keras, {"momentum": 0.8, "nesterov": False, "weight_decay": 0.1, "ns_steps": 4}),
    ("optax", "muon", True, of_optax, {}),
    ("optax", "muon:momentum=0.8,nesterov=false,weight-decay=0.1,scale=rms,ns-steps=4", False, of_optax, {"beta": 0.8, "nesterov": False, "weight_decay": 0.1, "consistent_rms": 0.2, "ns_steps": 4}),
]

with open(FOLDER / "muon_f64.csv", "w", newline="") as file:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["semantics", "spec", "rows", "columns", "step", "learning_rate", "momentum", "theta"])
    for semantics, spec, cycles, walk, options in CASES:
        for shape in SHAPES:
            plan = [(rate(0.1, step), momentum(step) if cycles else None) for step in range(STEPS)]
            for step, ((lr, mu), theta) in enumerate(zip(plan, walk(shape, options, plan), strict=True)):
                values = " ".join(np.format_float_scientific(x, trim="-") for x in np.ravel(theta))
                writer.writerow([semantics, spec, *shape, step, repr(lr), "" if mu is None else repr(mu), values])
