"""Writes tests/golden/optimizers/schedulefree_f64.csv: 100 steps of the schedule-free optimizers of their authors.

    pip install schedulefree==1.4.1 torch==2.15.0 numpy
    python scripts/golden_optimizers_schedulefree.py

The gradient is taken at the point that is trained; written is the point that is evaluated, `optimizer.eval()`.
"""

import numpy as np
import torch
from golden_optimizers_problem import START, WARMS_UP, gradient, write
from schedulefree import AdamWScheduleFree, SGDScheduleFree

CASES = [
    ("schedule-free-sgd", 0.1, False, SGDScheduleFree, {}),
    ("schedule-free-sgd", 0.1, True, SGDScheduleFree, {}),
    ("schedule-free-sgd", 0.1, WARMS_UP, SGDScheduleFree, {}),
    ("schedule-free-sgd:momentum=0.8,weight-decay=0.1,r=1,weight-lr-power=1", 0.1, False, SGDScheduleFree, {"momentum": 0.8, "weight_decay": 0.1, "r": 1.0, "weight_lr_power": 1.0}),
    ("schedule-free-adamw", 0.05, False, AdamWScheduleFree, {}),
    ("schedule-free-adamw", 0.05, True, AdamWScheduleFree, {}),
    ("schedule-free-adamw", 0.05, WARMS_UP, AdamWScheduleFree, {}),
    ("schedule-free-adamw:beta1=0.95,beta2=0.99,eps=1e-3,weight-decay=0.1,r=0.5,weight-lr-power=0", 0.05, False, AdamWScheduleFree, {"betas": (0.95, 0.99), "eps": 1e-3, "weight_decay": 0.1, "r": 0.5, "weight_lr_power": 0.0}),
]


def walk(case, plan):
    _, base, _, kind, options = case
    theta = torch.tensor(START, dtype=torch.float64, requires_grad=True)
    optimizer = kind([theta], lr=base, foreach=False, **options)
    optimizer.train()
    for step, (lr, mu) in enumerate(plan):
        group = optimizer.param_groups[0]
        group["lr"] = lr
        if mu is not None and "betas" in group:
            group["betas"] = (mu, group["betas"][1])
        elif mu is not None:
            group["momentum"] = mu
        theta.grad = torch.from_numpy(gradient(theta.detach().numpy(), step))
        optimizer.step()
        # Evaluated on a copy: going there and back rounds.
        trained = theta.detach().clone()
        optimizer.eval()
        yield np.copy(theta.detach().numpy())
        with torch.no_grad():
            theta.copy_(trained)
        optimizer.param_groups[0].update(train_mode=True)


write("schedulefree_f64.csv", CASES, walk)
