#!/usr/bin/env python3
"""Writes tests/golden/statistics/: the quantiles, tails, limits and adjusted p-values that the verdicts rest on, by SciPy and statsmodels.

Needs scipy==1.17.1 and statsmodels==0.15.0 from PyPI. Run from the root of the repository; tests/formulas/statistics_golden.rs compares every
row with src/stats/distribution.rs, to 1e-9:

    python scripts/check_statistics.py            # writes the files
    python scripts/check_statistics.py --check    # fails if a file differs from what would be written, beyond 1e-12
"""
import csv
import math
import sys
from pathlib import Path

from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower
from statsmodels.stats.proportion import proportion_confint

FOLDER = Path("tests/golden/statistics")

# The levels that verdicts ask for: two-sided, and one-sided for k - 1 others.
LEVELS = [0.6, 0.9, 0.975, 0.9999, 1 - 1e-7] + [1 - 0.05 / (k - 1) for k in (3, 5, 10, 20, 100, 1000)]
DEGREES = [1, 2, 3, 4, 5, 9, 19, 30, 100, 999, 5000]


def student_t():
    yield "p", "degrees", "quantile"
    for degrees in DEGREES:
        for p in LEVELS:
            yield p, degrees, stats.t.isf(1 - p, degrees)


def tails():
    yield "t", "degrees", "tail"
    for degrees in DEGREES:
        for t in (0.0, 0.01, 0.5, 1.0, 2.0, 2.5, 5.0, 12.7, 60.0, 1000.0):
            for sign in (1, -1):
                yield sign * t, degrees, stats.t.sf(sign * t, degrees)


def clopper_pearson():
    """A tie is half a success: statsmodels takes whole numbers, SciPy's beta distribution any."""
    yield "successes", "n", "lower", "upper"
    for n in (1, 2, 3, 5, 10, 20, 100):
        for half in range(0, 2 * n + 1, 1 if n <= 10 else 7):
            successes = half / 2
            lower = 0.0 if half == 0 else stats.beta.ppf(0.025, successes, n - successes + 1)
            upper = 1.0 if half == 2 * n else stats.beta.isf(0.025, successes + 1, n - successes)
            if half % 2 == 0:
                known = proportion_confint(half // 2, n, alpha=0.05, method="beta")
                assert max(abs(known[0] - lower), abs(known[1] - upper)) < 1e-12, (half, n, known)
            yield successes, n, lower, upper


def holm():
    """Some tests are above all that are listed: `tests` counts them too."""
    yield "family", "tests", "p", "adjusted"
    families = [
        [0.01, 0.04, 0.03, 0.005],
        [0.05, 0.05, 0.05],
        [1e-12, 0.2, 0.0004, 0.049, 0.0004, 0.9],
        [0.0002 * (i * 37 % 50 + 1) for i in range(50)],
        [0.001],
    ]
    for family, p in enumerate(families):
        for more in (0, 7):
            adjusted = multipletests(p + [1.0] * more, alpha=0.05, method="holm")[1]
            for one, value in zip(p, adjusted):
                yield 2 * family + (more > 0), len(p) + more, one, min(value, 1.0)


def power():
    yield "effect", "n", "power"
    for effect in (0.1, 0.3, 0.5, 1.0, 1.5, 3.0, 10.0):
        for n in (2, 3, 4, 5, 10, 30, 200):
            value = TTestPower().power(effect, n, 0.05, alternative="two-sided")
            # SciPy's noncentral t, which this is made of, gives up where the power is 1.
            if not math.isnan(value):
                yield effect, n, value


def normal():
    yield "p", "quantile"
    for p in (0.5, 0.75, 0.8, 0.975, 0.999, 1 - 1e-6, 1e-12):
        yield p, stats.norm.ppf(p)


def text(value):
    return value if isinstance(value, str) else repr(float(value)) if isinstance(value, float) else str(value)


def differs(path, rows):
    with open(path, newline="") as file:
        before = list(csv.reader(file))
    if len(before) != len(rows) or before[0] != rows[0]:
        return True
    pairs = ((float(a), float(b)) for old, new in zip(before[1:], rows[1:]) for a, b in zip(old, new))
    return any(not math.isclose(a, b, rel_tol=1e-12, abs_tol=1e-15) for a, b in pairs)


def main():
    check = "--check" in sys.argv[1:]
    FOLDER.mkdir(parents=True, exist_ok=True)
    different = []
    for made in (student_t, tails, clopper_pearson, holm, power, normal):
        rows = [[text(value) for value in row] for row in made()]
        path = FOLDER / f"{made.__name__}.csv"
        if check:
            if differs(path, rows):
                different.append(str(path))
        else:
            with open(path, "w", newline="") as file:
                csv.writer(file, lineterminator="\n").writerows(rows)
    if different:
        sys.exit("differ: " + ", ".join(different))


if __name__ == "__main__":
    main()
