"""Writes tests/golden/descend/clipped.csv: walks of PyTorch's SGD and Adam under clip_grad_value_ and clip_grad_norm_, in float64.

    pip install torch==2.15.0
    python scripts/golden_clipping_torch.py

The rows are those of golden_descend_torch.py, and the two limits; the value limit applies first.
"""

import csv
from pathlib import Path

import torch
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torch.optim import SGD, Adam

FUNCTIONS = {
    "ravine": lambda x, y: (x**2 + 50 * y**2) / 2,
    "rosenbrock": lambda x, y: (1 - x) ** 2 + 100 * (y - x**2) ** 2,
    "beale": lambda x, y: (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2,
}
STEPS = 60

# function, start, optimizer as typed, rate, the optimizer, the limit of the norm, of the value
WALKS = [
    ("ravine", (-2.0, 0.8), "sgd:momentum=0.9", 0.03, lambda p: SGD(p, lr=0.03, momentum=0.9), 1.0, None),
    ("rosenbrock", (-1.2, 1.0), "sgd", 0.01, lambda p: SGD(p, lr=0.01), None, 2.0),
    ("rosenbrock", (-1.2, 1.0), "sgd:weight-decay=0.01", 0.01, lambda p: SGD(p, lr=0.01, weight_decay=0.01), 1.5, None),
    ("beale", (1.0, 1.5), "adam", 0.1, lambda p: Adam(p, lr=0.1), 2.0, 1.75),
]

out = Path(__file__).resolve().parent.parent / "tests" / "golden" / "descend" / "clipped.csv"
with open(out, "w", newline="") as file:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow("function,optimizer,schedule,lr,step,learning_rate,momentum,x,y,value,clip_norm,clip_value".split(","))
    for function, start, spec, lr, make, norm, limit in WALKS:
        x, y = (torch.tensor(at, dtype=torch.float64, requires_grad=True) for at in start)
        optimizer = make([x, y])
        for step in range(STEPS + 1):
            value = FUNCTIONS[function](x, y)
            group = optimizer.param_groups[0]
            momentum = group["betas"][0] if "betas" in group else group.get("momentum") or ""
            applied = [repr(group["lr"]), momentum] if step < STEPS else ["", ""]
            place = [repr(v.item()) for v in (x, y, value)]
            writer.writerow([function, spec, "constant", lr, step, *applied, *place, norm or "", limit or ""])
            if step < STEPS:
                optimizer.zero_grad()
                value.backward()
                if limit:
                    clip_grad_value_([x, y], limit)
                if norm:
                    clip_grad_norm_([x, y], norm)
                optimizer.step()
