"""Writes tests/golden/optimizers/optax_f64.csv: 100 steps of optax's optimizers.

    pip install optax==0.2.8 jax==0.10.2 numpy
    python scripts/golden_optimizers_optax.py

For optimizers without weight decay, `add_decayed_weights` comes first in the chain, as optax's documentation advises.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib
from golden_optimizers_problem import START, WARMS_UP, gradient, write

jax.config.update("jax_enable_x64", True)


def decayed(kind):
    def make(learning_rate, weight_decay, **options):
        return optax.chain(optax.add_decayed_weights(weight_decay), kind(learning_rate, **options))

    return make


def schedule_free(base):
    """With the rate of the step that it is told: by itself optax weights a step by the rate of the next one."""

    def make(learning_rate, weight_decay=0.0, **options):
        return optax.contrib.schedule_free(base(learning_rate, weight_decay), learning_rate, **options)

    return make


def adamw_without_mean(lr, decay):
    """What optax.contrib.schedule_free_adamw is made of."""
    rms = optax.scale_by_rms(decay=0.999, eps=1e-8, eps_in_sqrt=False, bias_correction=True)
    return optax.chain(rms, optax.add_decayed_weights(decay), optax.scale_by_learning_rate(lr))


CASES = [
    ("sgd", 0.05, False, optax.sgd, {}),
    ("sgd:momentum=0.9", 0.05, False, optax.sgd, {"momentum": 0.9}),
    ("sgd:momentum=0.9", 0.05, True, optax.sgd, {"momentum": 0.9}),
    ("sgd:momentum=0.9,nesterov,weight-decay=0.1", 0.05, False, decayed(optax.sgd), {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("rmsprop", 0.02, False, optax.rmsprop, {}),
    ("rmsprop:rho=0.95,eps=1e-3,momentum=0.8", 0.02, False, optax.rmsprop, {"decay": 0.95, "eps": 1e-3, "momentum": 0.8}),
    ("rmsprop:centered,momentum=0.8", 0.02, False, optax.rmsprop, {"centered": True, "momentum": 0.8}),
    ("adam", 0.05, False, optax.adam, {}),
    ("adam:beta1=0.8,beta2=0.99,eps=1e-3,weight-decay=0.1", 0.05, True, decayed(optax.adam), {"b1": 0.8, "b2": 0.99, "eps": 1e-3, "weight_decay": 0.1}),
    ("adamw", 0.05, False, optax.adamw, {}),
    ("adamw:weight-decay=0.1", 0.05, False, optax.adamw, {"weight_decay": 0.1}),
    ("adagrad", 0.5, False, optax.adagrad, {}),
    ("adagrad:initial-accumulator=0.5,eps=1e-3", 0.5, False, optax.adagrad, {"initial_accumulator_value": 0.5, "eps": 1e-3}),
    ("adadelta", 1.0, False, optax.adadelta, {}),
    ("adadelta:rho=0.95,eps=1e-3,weight-decay=0.1", 1.0, False, optax.adadelta, {"rho": 0.95, "eps": 1e-3, "weight_decay": 0.1}),
    ("adam:amsgrad", 0.05, False, optax.amsgrad, {}),
    ("adam:amsgrad,beta1=0.8,beta2=0.9,weight-decay=0.1", 0.05, True, decayed(optax.amsgrad), {"b1": 0.8, "b2": 0.9, "weight_decay": 0.1}),
    ("nadam", 0.05, False, optax.nadam, {}),
    ("nadam:beta1=0.8,beta2=0.99,eps=1e-3,weight-decay=0.1", 0.05, True, decayed(optax.nadam), {"b1": 0.8, "b2": 0.99, "eps": 1e-3, "weight_decay": 0.1}),
    ("radam", 0.05, False, optax.radam, {}),
    ("radam:beta1=0.8,beta2=0.9,eps=1e-3,weight-decay=0.1", 0.05, True, decayed(optax.radam), {"b1": 0.8, "b2": 0.9, "eps": 1e-3, "weight_decay": 0.1}),
    ("adamax", 0.05, False, optax.adamax, {}),
    ("adamax:beta1=0.8,beta2=0.9,eps=1e-2,weight-decay=0.1", 0.05, True, decayed(optax.adamax), {"b1": 0.8, "b2": 0.9, "eps": 1e-2, "weight_decay": 0.1}),
    ("lion", 0.05, False, optax.lion, {}),
    ("lion:beta1=0.8,beta2=0.9,weight-decay=0.1", 0.05, True, optax.lion, {"b1": 0.8, "b2": 0.9, "weight_decay": 0.1}),
    ("schedule-free-sgd", 0.1, False, schedule_free(lambda lr, decay: optax.chain(optax.add_decayed_weights(decay), optax.sgd(lr))), {}),
    ("schedule-free-sgd:momentum=0.8,weight-decay=0.1,weight-lr-power=1", 0.1, False, schedule_free(lambda lr, decay: optax.chain(optax.add_decayed_weights(decay), optax.sgd(lr))), {"b1": 0.8, "weight_decay": 0.1, "weight_lr_power": 1.0}),
    ("schedule-free-sgd", 0.1, WARMS_UP, schedule_free(lambda lr, decay: optax.chain(optax.add_decayed_weights(decay), optax.sgd(lr))), {}),
    ("schedule-free-adamw", 0.05, False, schedule_free(adamw_without_mean), {}),
    ("schedule-free-adamw", 0.05, WARMS_UP, schedule_free(adamw_without_mean), {}),
    ("schedule-free-adamw:beta1=0.8,weight-decay=0.1", 0.05, False, schedule_free(adamw_without_mean), {"b1": 0.8, "weight_decay": 0.1}),
    ("prodigy", 1.0, False, optax.contrib.prodigy, {}),
    ("prodigy:d0=0.01", 1.0, WARMS_UP, optax.contrib.prodigy, {"estim_lr0": 0.01}),
    ("prodigy:beta1=0,d0=0.01", 1.0, False, optax.contrib.prodigy, {"betas": (0.0, 0.999), "estim_lr0": 0.01}),
    ("prodigy:beta3=0.9,eps=1e-3,d0=0.01,d-coef=0.5,weight-decay=0.1,safeguard-warmup", 1.0, False, optax.contrib.prodigy, {"beta3": 0.9, "eps": 1e-3, "estim_lr0": 0.01, "estim_lr_coef": 0.5, "weight_decay": 0.1, "safeguard_warmup": True}),
]


def walk(case, plan):
    _, base, cycles, kind, options = case
    theta = jnp.array(START, dtype=jnp.float64)
    changing = {"b1", "momentum"} & set(options) if cycles is True else set()

    def make(lr, mu):
        now = {name: (mu if name in changing else value) for name, value in options.items()}
        return kind(lr, **now)

    # All state is in `state`, so a hyperparameter changes by building a new transformation for each step.
    state = make(base, options.get("momentum", options.get("b1"))).init(theta)
    for step, (lr, mu) in enumerate(plan):
        updates, state = make(lr, mu).update(jnp.asarray(gradient(np.asarray(theta), step)), state, theta)
        theta = optax.apply_updates(theta, updates)
        averaged = isinstance(state, optax.contrib.ScheduleFreeState)
        yield np.asarray(optax.contrib.schedule_free_eval_params(state, theta) if averaged else theta)


write("optax_f64.csv", CASES, walk)
