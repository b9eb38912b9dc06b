"""Writes tests/golden/optimizers/torch_f64.csv and torch_f32.csv: 100 steps of PyTorch's optimizers.

    pip install torch==2.15.0 numpy
    python scripts/golden_optimizers_torch.py
"""

import numpy as np
import torch
from golden_optimizers_problem import START, gradient, write

SGD, RMSprop, Adam, AdamW = torch.optim.SGD, torch.optim.RMSprop, torch.optim.Adam, torch.optim.AdamW
Adagrad, Adadelta = torch.optim.Adagrad, torch.optim.Adadelta
NAdam, RAdam, Adamax = torch.optim.NAdam, torch.optim.RAdam, torch.optim.Adamax

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
    ("adam:amsgrad", 0.05, True, Adam, {"amsgrad": True}),
    ("adamw:amsgrad,beta2=0.9,weight-decay=0.1", 0.05, False, AdamW, {"amsgrad": True, "betas": (0.9, 0.9), "weight_decay": 0.1}),
    ("nadam", 0.05, False, NAdam, {}),
    ("nadam:momentum-decay=0.1,weight-decay=0.1", 0.05, True, NAdam, {"momentum_decay": 0.1, "weight_decay": 0.1}),
    ("nadam:beta1=0.8,beta2=0.99,eps=1e-3,weight-decay=0.1,decoupled", 0.05, False, NAdam, {"betas": (0.8, 0.99), "eps": 1e-3, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("radam", 0.05, False, RAdam, {}),
    ("radam:beta2=0.99,eps=1e-3,weight-decay=0.1", 0.05, True, RAdam, {"betas": (0.9, 0.99), "eps": 1e-3, "weight_decay": 0.1}),
    ("radam:beta1=0.8,beta2=0.9,weight-decay=0.1,decoupled", 0.05, False, RAdam, {"betas": (0.8, 0.9), "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("adamax", 0.05, False, Adamax, {}),
    ("adamax:beta2=0.9,eps=1e-2,weight-decay=0.1", 0.05, True, Adamax, {"betas": (0.9, 0.9), "eps": 1e-2, "weight_decay": 0.1}),
]


def walker(dtype):
    def walk(case, plan):
        # Of the numbers that an optimizer keeps, such as NAdam's product of momenta.
        torch.set_default_dtype(dtype)
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
