#!/usr/bin/env python3
"""Writes tests/golden/range/*.csv: range-test curves, and the rates that fastai and pytorch-lr-finder suggest for them.

    python scripts/golden_range.py

PyPI: fastai==2.7.19 fastcore==1.7.29 torch-lr-finder==0.2.2 torch==2.15.0 numpy matplotlib

curves.csv holds synthetic curves of 100 iterations each: smoothed losses and accuracies with seeded noise. peers.csv holds the peers' own
suggestions for them: fastai's valley, steep and minimum after the trimming of Learner.lr_find (a tenth of the iterations at the start, five at
the end, everything from the first NaN on), and LRFinder.plot of pytorch-lr-finder with its defaults (10 at the start, 5 at the end).
"""

import contextlib
import csv
import io
import math
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import numpy as np
import torch
from fastai.callback.schedule import minimum, steep, valley
from torch_lr_finder import LRFinder

N = 100
RATES = 1e-5 * (10 / 1e-5) ** (np.arange(N) / (N - 1))
X = np.log10(RATES)
OUT = Path(__file__).resolve().parent.parent / "tests" / "golden" / "range"


def fall(x, middle, width):
    """From 1 down to 0 around `middle`."""
    return 1 / (1 + np.exp((x - middle) / width))


def blow_up(x, at):
    return np.minimum(np.exp(np.maximum(0, (x - at) * 6)) - 1, 50)


def curves():
    noise = np.random.default_rng(7)
    smooth = 1.5 + 0.8 * fall(X, -2.5, 0.3) + blow_up(X, -0.7)
    yield "smooth", smooth, 0.1 + 0.4 * fall(-X, 2.6, 0.25) * fall(X, -0.6, 0.05)
    yield "noisy", smooth + noise.normal(0, 0.02, N), None
    yield "monotone", 2.3 - 0.9 * (np.arange(N) / N) ** 2, None
    yield "never-diverging", 1.5 + 0.8 * fall(X, -2.5, 0.3) + 0.02 * np.maximum(0, X + 1.2) ** 2 + noise.normal(0, 0.004, N), None
    tail = smooth.copy()
    tail[82:] = math.nan
    yield "nan-tail", tail, None
    yield "two-valleys", 1.2 + 0.5 * fall(X, -3.6, 0.12) + 0.6 * fall(X, -1.6, 0.15) + 0.35 * np.exp(-((X + 2.6) / 0.25) ** 2) + blow_up(X, -0.4), None
    yield "rising", 2.3 + 0.02 * np.arange(N) / N + blow_up(X, -1), None
    yield "flat-noise", 2.303 + noise.normal(0, 0.005, N), 0.1 + noise.normal(0, 0.002, N)


def fastai(losses):
    """Trims the curve as Learner.lr_find does."""
    rates, losses = torch.tensor(RATES[N // 10 : -5]), torch.tensor(losses[N // 10 : -5])
    holes = torch.nonzero(torch.isnan(losses.view(-1)))
    if len(holes) > 0:
        rates, losses = rates[: min(holes)], losses[: min(holes)]
    for function in (valley, steep, minimum):
        yield f"fastai.{function.__name__}", float(function(rates, losses, N)[0])


def pytorch_lr_finder(losses):
    layer = torch.nn.Linear(1, 1)
    finder = LRFinder(layer, torch.optim.SGD(layer.parameters(), lr=1e-5), torch.nn.MSELoss())
    finder.history = {"lr": list(RATES), "loss": list(losses)}
    with contextlib.redirect_stdout(io.StringIO()):
        yield "pytorch-lr-finder.steepest", float(finder.plot()[1])


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    with open(OUT / "curves.csv", "w", newline="") as curves_file, open(OUT / "peers.csv", "w", newline="") as peers_file:
        table, peers = (csv.writer(file, lineterminator="\n") for file in (curves_file, peers_file))
        table.writerow(["curve", "learning_rate", "loss", "val_accuracy"])
        peers.writerow(["curve", "function", "learning_rate"])
        for name, losses, accuracies in curves():
            for i in range(N):
                accuracy = "" if accuracies is None else repr(float(accuracies[i]))
                table.writerow([name, repr(float(RATES[i])), repr(float(losses[i])), accuracy])
            for function, rate in fastai(losses):
                peers.writerow([name, function, repr(rate)])
            # pytorch-lr-finder cannot handle NaN.
            if not np.isnan(losses).any():
                for function, rate in pytorch_lr_finder(losses):
                    peers.writerow([name, function, repr(rate)])


if __name__ == "__main__":
    main()
