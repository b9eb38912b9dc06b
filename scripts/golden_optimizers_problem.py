"""Shared by the golden traces of the optimizers: the problem, the learning rates, the CSV writer.

Needs numpy. tests/formulas/optim_golden.rs computes the same gradients.

    g_i(theta, t) = h_i * (theta_i - c_i) + 0.3 * sin(1.7 * t + i)        h = 0.1, 1, 10: ill-conditioned, and noisy

The rate oscillates and drops, so that the frameworks' different momentum conventions show; under WARMS_UP it rises first, and is 0 for some steps.
"""

import csv
import math
from pathlib import Path

import numpy as np

STEPS = 100
START = [2.0, 1.0, -1.0]
CURVATURE = [0.1, 1.0, 10.0]
CENTRE = [1.0, -1.0, 0.5]
WARMS_UP = "warms up"  # in place of whether the momentum cycles
FOLDER = Path(__file__).resolve().parent.parent / "tests" / "golden" / "optimizers"


def gradient(theta, step):
    """In the precision of theta; the noise is computed in float64 and rounded."""
    kind = theta.dtype
    noise = np.array([0.3 * math.sin(1.7 * step + i) for i in range(3)], dtype=kind)
    return np.array(CURVATURE, dtype=kind) * (theta - np.array(CENTRE, dtype=kind)) + noise


def rate(base, step):
    drop = 0.2 if 60 <= step < 80 else 1.0
    return base * drop * (0.55 + 0.45 * math.cos(2 * math.pi * step / 40))


def warming_up(base, step):
    return 0.0 if 50 <= step < 55 else base * min(1.0, (step + 1) / 30)


def momentum(step):
    return 0.9 + 0.05 * math.cos(2 * math.pi * step / 25)


def write(name, cases, walk):
    """cases: (spec, base rate, whether the momentum cycles or WARMS_UP, what `walk` needs). walk(case, plan) yields theta after each step."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with open(FOLDER / name, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["spec", "step", "learning_rate", "momentum", "theta0", "theta1", "theta2"])
        for case in cases:
            spec, base, cycles = case[:3]
            if cycles == WARMS_UP:
                plan = [(warming_up(base, step), None) for step in range(STEPS)]
            else:
                plan = [(rate(base, step), momentum(step) if cycles else None) for step in range(STEPS)]
            for step, ((lr, mu), theta) in enumerate(zip(plan, walk(case, plan), strict=True)):
                # The shortest text that parses back to the same number.
                values = [np.format_float_scientific(x, trim="-") for x in theta]
                writer.writerow([spec, step, repr(lr), "" if mu is None else repr(mu), *values])
