"""Writes tests/golden/optimizers/torch_f64.csv and torch_f32.csv: 100 steps of PyTorch's optimizers.

    pip install torch==2.15.0 numpy
    python scripts/golden_optimizers_torch.py
"""

import numpy as np
import torch
from golden_optimizers_problem import START, gradient, write

SGD, RMSprop, Adam, AdamW = torch.optim.SGD, torch.optim.RMSprop, torch.optim.Adam, torch.optim.AdamW
Adagrad, Adadelta = torch.optim.Adagrad, torch.optim.Adadelta

CASES = [
    ("sgd", 0.05, False, SGD, {}),
    ("sgd:weight-decay=0.1", 0.05, False, SGD, {"weight_decay": 0.1}),
    ("sgd:momentum=0.9", 0.05, False, SGD, {"momentum": 0.9}),
    ("sgd:momentum=0.9", 0.05, True, SGD, {"momentum": 0.9}),
    ("sgd:momentum=0.9,nesterov", 0.05, False, SGD, {"momentum": 0.9, "nesterov": True}),
    ("sgd:momentum=0.9,nesterov,weight-decay=0.1", 0.05, True, SGD, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("sgd:momentum=0.9,dampening=0.3", 0.05, False, SGD, {"momentum": 0.9, "dampening": 0.3}),
    ("rmsprop", 0.02, False, RMSprop, {}),
    ("rmsprop:rho=0.9,eps=1e-3", 0.02, False, RMSprop, {"alpha": 0.9, "eps": 1e-3}),
    ("rmsprop:rho=0.9,centered", 0.02, False, RMSprop, {"alpha": 0.9, "centered": True}),
    ("rmsprop:rho=0.9,momentum=0.8,weight-decay=0.1", 0.02, False, RMSprop, {"alpha": 0.9, "momentum": 0.8, "weight_decay": 0.1}),
    ("rmsprop:rho=0.9,centered,momentum=0.8", 0.02, True, RMSprop, {"alpha": 0.9, "centered": True, "momentum": 0.8}),
    ("adam", 0.05, False, Adam, {}),
    ("adam", 0.05, True, Adam, {}),
    ("adam:beta1=0.8,beta2=0.99,eps=1e-3,weight-decay=0.1", 0.05, False, Adam, {"betas": (0.8, 0.99), "eps": 1e-3, "weight_decay": 0.1}),
    ("adamw", 0.05, False, AdamW, {}),
    ("adamw:weight-decay=0.1", 0.05, True, AdamW, {"weight_decay": 0.1}),
    ("adagrad", 0.5, False, Adagrad, {}),
    ("adagrad:initial-accumulator=0.1,lr-decay=0.02,weight-decay=0.1", 0.5, False, Adagrad, {"initial_accumulator_value": 0.1, "lr_decay": 0.02, "weight_decay": 0.1}),
    ("adagrad:eps=0.1", 0.5, False, Adagrad, {"eps": 0.1}),
    ("adadelta", 1.0, False, Adadelta, {}),
    ("adadelta:rho=0.95,eps=1e-3,weight-decay=0.1", 1.0, False, Adadelta, {"rho": 0.95, "eps": 1e-3, "weight_decay": 0.1}),
]


def walker(dtype):
    def walk(case, plan):
        _, base, _, kind, options = case
        theta = torch.tensor(START, dtype=dtype, requires_grad=True)
        optimizer = kind([theta], lr=base, **options)
        for step, (lr, mu) in enumerate(plan):
            group = optimizer.param_groups[0]
            group["lr"] = lr
            if mu is not None and "betas" in group:
                group["betas"] = (mu, group["betas"][1])
            elif mu is not None:
                group["momentum"] = mu
            theta.grad = torch.from_numpy(gradient(theta.detach().numpy(), step))
            optimizer.step()
            yield np.copy(theta.detach().numpy())

    return walk


write("torch_f64.csv", CASES, walker(torch.float64))
write("torch_f32.csv", CASES, walker(torch.float32))
