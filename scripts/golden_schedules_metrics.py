"""Shared by the golden_schedules scripts: the plateau settings and the metric sequences that drive them."""

import random


def metric_sequences():
    """Flat, slowly falling, with a cliff, noisy, with a NaN."""
    rng = random.Random(7)
    yield [1.0] * 30
    yield [10 - i * 0.0167 for i in range(22)]
    yield [1.0, 0.9, 0.8, 0.8, 0.8, 0.8, 0.79, 0.79, 0.79, 0.5] + [0.6] * 20
    yield [round(1 / (1 + 0.2 * i) + 0.1 * rng.random(), 6) for i in range(40)]
    yield [0.5, float("nan"), 0.4, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4]


PLATEAU = [  # factor, patience, threshold, threshold mode, cooldown, lowest rate
    (0.1, 10, 1e-4, "rel", 0, 0.0),
    (0.5, 0, 1e-4, "rel", 0, 0.01),
    (0.5, 2, 0.1, "rel", 3, 0.0),
    (0.3, 3, 0.01, "abs", 1, 0.001),
    (0.1, 1, 1e-12, "abs", 0, 0.0),
]


def join(numbers):
    """One cell of a CSV: the numbers in full precision."""
    return " ".join(repr(float(number)) for number in numbers)
