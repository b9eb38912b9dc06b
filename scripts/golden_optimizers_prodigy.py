"""Writes tests/golden/optimizers/prodigy_f64.csv: 100 steps of Prodigy as its authors package it.

    pip install prodigyopt==1.1.2 torch==2.15.0 numpy
    python scripts/golden_optimizers_prodigy.py
"""

import numpy as np
import torch
from golden_optimizers_problem import START, WARMS_UP, gradient, write
from prodigyopt import Prodigy

CASES = [
    ("prodigy", 1.0, False, {}),
    ("prodigy", 1.0, True, {}),
    ("prodigy:d0=0.01,d-coef=0.5,weight-decay=0.1,bias-correction", 1.0, False, {"d0": 0.01, "d_coef": 0.5, "weight_decay": 0.1, "use_bias_correction": True}),
    ("prodigy:beta1=0.8,beta2=0.99,beta3=0.9,eps=1e-3,d0=0.001,growth-rate=1.05,safeguard-warmup", 1.0, False, {"betas": (0.8, 0.99), "beta3": 0.9, "eps": 1e-3, "d0": 0.001, "growth_rate": 1.05, "safeguard_warmup": True}),
    ("prodigy", 1.0, WARMS_UP, {}),
    ("prodigy:weight-decay=0.01", 1.0, False, {"weight_decay": 0.01}),
    ("prodigy:beta1=0,d0=0.01", 0.5, False, {"betas": (0.0, 0.999), "d0": 0.01}),
]


def walk(case, plan):
    _, base, _, options = case
    theta = torch.tensor(START, dtype=torch.float64, requires_grad=True)
    optimizer = Prodigy([theta], lr=base, **options)
    for step, (lr, mu) in enumerate(plan):
        group = optimizer.param_groups[0]
        group["lr"] = lr
        if mu is not None:
            group["betas"] = (mu, group["betas"][1])
        theta.grad = torch.from_numpy(gradient(theta.detach().numpy(), step))
        optimizer.step()
        yield np.copy(theta.detach().numpy())


write("prodigy_f64.csv", CASES, walk)
