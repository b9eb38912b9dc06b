#!/usr/bin/env python3
"""The best constant rate on the embedded images, and how well it is known: what docs/FIND.md judges `lrsched find` by.

    scripts/find_optimum.py [tests/golden/range_tests/constant_rates.csv]

The runs: `lrsched compare --dataset synthetic --train-limit 2000 --batch-size 32 --epochs 5 --seeds N --entrants OPTIMIZER/constant
--grid lr=…`, 63 updates an epoch; the table has their validation accuracy after each epoch. A run that diverged counts as chance, 10 %.

For each optimizer, least squares over all rates and seeds and the epochs 3 to 5:

    ln(a / (1 - a)) = height of the epoch + b x + d x n + c x^2,   x = ln(rate), n = ln(updates / 189)

so that the best rate is exp(-b / 2c) after 189 updates and grows as updates^p with p = -d / 2c. The intervals hold the middle 68 % of
1,000 fits to runs drawn again. Beside it, the rate with the highest mean, and the rates of the grid within one point of it.
"""

import csv
import math
import random
import sys
from collections import defaultdict

EPOCHS = (3, 4, 5)
OPTIMIZERS = ("sgd", "sgd:momentum=0.9", "adam", "rmsprop")
# An accuracy of 0 or 1 has no logit: a few of 1,000 images from either end.
LOWEST, HIGHEST = 0.05, 0.995


def solve(matrix):
    """Gauss-Jordan elimination of an augmented matrix; None if it is singular."""
    n = len(matrix)
    for i in range(n):
        pivot = max(range(i, n), key=lambda row: abs(matrix[row][i]))
        matrix[i], matrix[pivot] = matrix[pivot], matrix[i]
        if abs(matrix[i][i]) < 1e-10:
            return None
        for row in range(n):
            if row != i:
                factor = matrix[row][i] / matrix[i][i]
                matrix[row] = [a - factor * b for a, b in zip(matrix[row], matrix[i])]
    return [matrix[i][n] / matrix[i][i] for i in range(n)]


def fit(runs):
    """(ln of the best rate after 189 updates, p); None if the accuracies have no peak."""
    size = len(EPOCHS) + 3
    normal = [[0.0] * (size + 1) for _ in range(size)]
    for rate, accuracies in runs:
        for place, epoch in enumerate(EPOCHS):
            accuracy = min(max(accuracies[epoch], LOWEST), HIGHEST)
            x, n, y = math.log(rate), math.log(epoch / 3), math.log(accuracy / (1 - accuracy))
            row = [float(place == i) for i in range(len(EPOCHS))] + [x, x * n, x * x]
            for i in range(size):
                for j in range(size):
                    normal[i][j] += row[i] * row[j]
                normal[i][size] += row[i] * y
    found = solve(normal)
    if found is None or found[-1] >= 0:
        return None
    b, d, c = found[-3:]
    return -b / (2 * c), -d / (2 * c)


def middle(values):
    values = sorted(values)
    return values[int(0.16 * len(values))], values[int(0.84 * len(values))]


def main():
    path = sys.argv[1] if len(sys.argv) > 1 else "tests/golden/range_tests/constant_rates.csv"
    table = defaultdict(lambda: defaultdict(dict))
    for row in csv.DictReader(open(path)):
        table[row["optimizer"]][(float(row["lr"]), int(row["seed"]))][int(row["epoch"])] = float(row["val_accuracy"])
    for optimizer in OPTIMIZERS:
        runs = [(rate, accuracies) for (rate, _), accuracies in table[optimizer].items()]
        best, power = fit(runs)
        draw = random.Random(0)
        again = [fit([draw.choice(runs) for _ in runs]) for _ in range(1000)]
        again = [one for one in again if one]
        print(f"{optimizer}: {len(runs)} runs, p = {power:.2f} [{middle([p for _, p in again])[0]:.2f}, {middle([p for _, p in again])[1]:.2f}]")
        for epoch in (3, 5):
            later = math.log(epoch / 3)
            low, high = middle([b + p * later for b, p in again])
            means = defaultdict(list)
            for rate, accuracies in runs:
                means[rate].append(accuracies[epoch])
            means = {rate: sum(values) / len(values) for rate, values in means.items()}
            top = max(means, key=means.get)
            near = [rate for rate, mean in means.items() if mean > means[top] - 0.01]
            print(
                f"  after {epoch} epochs {math.exp(best + power * later):.3g} [{math.exp(low):.3g}, {math.exp(high):.3g}]; "
                f"highest mean {top:g}, {means[top]:.1%}; within a point: {', '.join(f'{rate:g}' for rate in sorted(near))}"
            )


if __name__ == "__main__":
    main()
