"""Writes tests/golden/averages/torch.csv: the weights of PyTorch's SGD and their averages, in float64.

    pip install torch==2.15.0
    python scripts/golden_averages_torch.py

ema and swa are those of torch.optim.swa_utils.AveragedModel; lookahead is Zhang et al. 2019 (arXiv:1907.08610), Algorithm 1, whose
fast weights start anew from the slow ones and whose inner optimizer keeps its state. The problem is that of
golden_optimizers_problem.py; epochs have 4 steps. Row t holds the weights after update t and their average, empty before the first.
"""

import csv
from pathlib import Path

import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

STEPS, STEPS_PER_EPOCH, RATE, MOMENTUM = 40, 4, 0.05, 0.9
CURVATURE = torch.tensor([0.1, 1.0, 10.0], dtype=torch.float64)
CENTRE = torch.tensor([1.0, -1.0, 0.5], dtype=torch.float64)


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.theta = torch.nn.Parameter(torch.tensor([2.0, 1.0, -1.0], dtype=torch.float64))


def gradient(theta, step):
    noise = 0.3 * torch.sin(1.7 * step + torch.arange(3, dtype=torch.float64))
    return CURVATURE * (theta - CENTRE) + noise


# as typed, the averaged model, the updates after which it is updated
AVERAGES = [
    ("ema:decay=0.9", lambda m: AveragedModel(m, multi_avg_fn=get_ema_multi_avg_fn(0.9)), lambda t: True),
    ("ema:decay=0.4,every=3st", lambda m: AveragedModel(m, multi_avg_fn=get_ema_multi_avg_fn(0.4)), lambda t: t % 3 == 0),
    ("swa", lambda m: AveragedModel(m), lambda t: t >= 30 and (t - 30) % STEPS_PER_EPOCH == 0),
    ("swa:from=2,every=1st", lambda m: AveragedModel(m), lambda t: t >= 8),
]


def rows(spec, update):
    model = Model()
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE, momentum=MOMENTUM)
    average = update(model)
    for step in range(STEPS):
        model.theta.grad = gradient(model.theta.detach(), step)
        optimizer.step()
        # Lookahead moves the weights, too.
        averages = list(average(step + 1))
        yield [spec, step + 1, *map(repr, model.theta.tolist()), *averages]


def averaged(make, is_due):
    def of(model):
        average = make(model)

        def after(step):
            if is_due(step):
                average.update_parameters(model)
            return map(repr, average.module.theta.tolist()) if average.n_averaged > 0 else [""] * 3

        return after

    return of


def lookahead(every, alpha):
    def of(model):
        slow = model.theta.detach().clone()

        def after(step):
            if step % every == 0:
                with torch.no_grad():
                    slow.add_(alpha * (model.theta - slow))
                    model.theta.copy_(slow)
            return map(repr, slow.tolist())

        return after

    return of


out = Path(__file__).resolve().parent.parent / "tests" / "golden" / "averages" / "torch.csv"
out.parent.mkdir(parents=True, exist_ok=True)
with open(out, "w", newline="") as file:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow("average,step,theta0,theta1,theta2,average0,average1,average2".split(","))
    for spec, make, is_due in AVERAGES:
        writer.writerows(rows(spec, averaged(make, is_due)))
    writer.writerows(rows("lookahead", lookahead(5, 0.5)))
    writer.writerows(rows("lookahead:every=3st,alpha=0.8", lookahead(3, 0.8)))
