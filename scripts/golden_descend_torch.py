"""Writes tests/golden/descend/torch.csv: traces of PyTorch's optimizers and schedulers on the functions of `lrsched descend`, in float64.

    pip install torch==2.15.0
    python scripts/golden_descend_torch.py

The gradients come from autograd. Row t holds the position before update t and the rate of that update; the last row is the final position.
"""

import csv
from pathlib import Path

import torch
from torch.optim import SGD, Adadelta, Adagrad, Adam, AdamW, RMSprop
from torch.optim import lr_scheduler as s

FUNCTIONS = {
    "bowl": lambda x, y: (x**2 + y**2) / 2,
    "ravine": lambda x, y: (x**2 + 50 * y**2) / 2,
    "rosenbrock": lambda x, y: (1 - x) ** 2 + 100 * (y - x**2) ** 2,
    "saddle": lambda x, y: (x**2 - y**2) / 2 + y**4 / 4,
    "beale": lambda x, y: (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2,
}
STEPS = 60

# function, start, optimizer as typed, schedule as typed, rate, the optimizer, the scheduler
WALKS = [
    ("bowl", (-2.0, 1.5), "sgd", "constant", 0.1, lambda p: SGD(p, lr=0.1), None),
    ("bowl", (3.0, -1.0), "sgd:momentum=0.9,nesterov", "step:factor=0.5,drop-every=10", 0.1,
     lambda p: SGD(p, lr=0.1, momentum=0.9, nesterov=True), lambda o: s.StepLR(o, 10, 0.5)),
    ("ravine", (-2.0, 0.8), "sgd:momentum=0.9,weight-decay=0.01", "cosine", 0.03,
     lambda p: SGD(p, lr=0.03, momentum=0.9, weight_decay=0.01), lambda o: s.CosineAnnealingLR(o, STEPS)),
    ("ravine", (-2.0, 0.8), "rmsprop:momentum=0.5,centered", "constant", 0.01,
     lambda p: RMSprop(p, lr=0.01, momentum=0.5, centered=True), None),
    ("rosenbrock", (-1.2, 1.0), "adam", "exponential:decay-rate=0.98", 0.1,
     lambda p: Adam(p, lr=0.1), lambda o: s.ExponentialLR(o, 0.98)),
    ("rosenbrock", (-1.2, 1.0), "sgd:momentum=0.9", "one-cycle:max-lr=0.002", 0.002,
     lambda p: SGD(p, lr=0.002, momentum=0.9), lambda o: s.OneCycleLR(o, 0.002, total_steps=STEPS)),
    ("saddle", (1.2, 0.01), "adamw:weight-decay=0.1", "piecewise:milestones=20,40", 0.05,
     lambda p: AdamW(p, lr=0.05, weight_decay=0.1), lambda o: s.MultiStepLR(o, [20, 40], 0.1)),
    ("saddle", (0.5, -0.2), "adagrad:lr-decay=0.01", "constant", 0.3, lambda p: Adagrad(p, lr=0.3, lr_decay=0.01), None),
    ("beale", (1.0, 1.5), "adadelta", "constant", 1.0, lambda p: Adadelta(p, lr=1.0), None),
    ("beale", (1.0, 1.5), "adam:beta1=0.8", "one-cycle:max-lr=0.2,anneal=linear", 0.2,
     lambda p: Adam(p, lr=0.2, betas=(0.8, 0.999)), lambda o: s.OneCycleLR(o, 0.2, total_steps=STEPS, anneal_strategy="linear")),
]

out = Path(__file__).resolve().parent.parent / "tests" / "golden" / "descend" / "torch.csv"
out.parent.mkdir(parents=True, exist_ok=True)
with open(out, "w", newline="") as file:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow("function,optimizer,schedule,lr,step,learning_rate,momentum,x,y,value".split(","))
    for function, start, optimizer_spec, schedule_spec, lr, make, schedule in WALKS:
        x, y = (torch.tensor(at, dtype=torch.float64, requires_grad=True) for at in start)
        optimizer = make([x, y])
        scheduler = schedule(optimizer) if schedule else None
        for step in range(STEPS + 1):
            value = FUNCTIONS[function](x, y)
            group = optimizer.param_groups[0]
            momentum = group["betas"][0] if "betas" in group else group.get("momentum") or ""
            applied = [repr(group["lr"]), momentum] if step < STEPS else ["", ""]
            place = [repr(v.item()) for v in (x, y, value)]
            writer.writerow([function, optimizer_spec, schedule_spec, lr, step, *applied, *place])
            if step < STEPS:
                optimizer.zero_grad()
                value.backward()
                optimizer.step()
                if scheduler and step + 1 < STEPS:
                    scheduler.step()
