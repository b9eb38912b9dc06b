"""How much Winograd tiles of 3x3 convolutions round, by their points of interpolation: docs/SPEED.md, "Tried and rejected".

For each size of tile, the root mean square of the errors of the outputs in f32, relative to that of the outputs: images after a
ReLU, 64 channels, kernels of random signs, sums in the order of the channels, every fused multiply-add rounded once.

    python scripts/tile_rounding.py            the points of the engine, others for tiles of 4, and sums in parts
    python scripts/tile_rounding.py search     all points of a grid, in half a minute

NumPy 2.4. Points like those of Alam et al. 2022 (arXiv:2201.10369), ±c and ±1/c, round least.
"""

import itertools
import sys

import numpy as np

f32, f64 = np.float32, np.float64


def matrices(points, m):
    """A transposed, G and B transposed of F(m, 3) for these finite points; the last row is that of the point at infinity."""
    n = m + 2
    a, g, b = np.zeros((m, n)), np.zeros((n, 3)), np.zeros((n, n))
    for i, x in enumerate(points):
        others = [y for j, y in enumerate(points) if j != i]
        a[:, i] = x ** np.arange(m)
        g[i] = np.array([1, x, x * x]) / np.prod([x - y for y in others])
        b[i, : n - 1] = np.poly(others)[::-1]
    a[m - 1, n - 1] = g[n - 1, 2] = 1
    b[n - 1] = np.poly(points)[::-1]
    return a, g, b


def times(matrix, values, axis):
    """matrix · values along an axis, by fused multiply-adds in f32."""
    values = np.moveaxis(values, axis, 0)
    rows = []
    for row in matrix.astype(f32):
        total = np.zeros(values.shape[1:], f32)
        for factor, value in zip(row, values):
            if factor != 0:
                total = (total + f64(factor) * value.astype(f64)).astype(f32)
        rows.append(total)
    return np.moveaxis(np.stack(rows), 0, axis)


def rounding(points, m, seed, part=None, channels=64, kernels=8, tiles=16):
    """The relative error, with sums over the channels in parts of so many."""
    a, g, b = matrices(points, m)
    rng = np.random.default_rng(seed)
    d = np.maximum(rng.standard_normal((tiles, channels, m + 2, m + 2)), 0).astype(f32)
    w = rng.standard_normal((kernels, channels, 3, 3)).astype(f32)
    exact = sum(
        np.einsum("tcij,kc->tkij", d[:, :, y : y + m, x : x + m].astype(f64), w[:, :, y, x].astype(f64))
        for y, x in itertools.product(range(3), repeat=2)
    )
    u = times(g, times(g, w, 2), 3).astype(f64)
    v = times(b, times(b, d, 2), 3).astype(f64)
    total = np.zeros((tiles, kernels, m + 2, m + 2), f32)
    for first in range(0, channels, part or channels):
        products = np.zeros_like(total)
        for c in range(first, first + (part or channels)):
            products = (products + v[:, None, c] * u[None, :, c]).astype(f32)
        total = total + products
    errors = times(a, times(a, total, 2), 3) - exact
    return np.sqrt((errors**2).mean() / (exact**2).mean())


def both(*points):
    return [0] + [sign * point for point in points for sign in (1, -1)]


def mean(points, m, seeds, part=None):
    return np.mean([rounding(points, m, seed, part) for seed in seeds])


def search():
    steps = np.arange(0.375, 2.5, 0.125)
    pairs = [(p, q) for p in steps for q in steps if q > p]
    apart = [(p, q, r) for p, q in pairs for r in steps if r not in (p, q)]
    spaces = {
        4: [both(p, q) for p, q in pairs],
        5: [both(p, q) + [r] for p, q, r in apart],
        6: [both(p, q, r) for p, q, r in apart if r > q],
    }
    for m, space in spaces.items():
        best = sorted((rounding(points, m, 0), points) for points in space)[:10]
        error, points = min((mean(points, m, range(1, 6)), points) for _, points in best)
        print(f"tiles of {m}: {error:.1e} with {', '.join(f'{point:.4g}' for point in points)}, of {len(space)}", flush=True)


def main():
    if sys.argv[1:] == ["search"]:
        return search()
    rows = [
        (4, "0, ±1, ±2", both(1, 2)),
        (4, "0, ±5/8, ±3/2", both(0.625, 1.5)),
        (4, "0, ±1/2, ±2", both(0.5, 2)),
        (5, "0, ±1, ±2, 1/2", both(1, 2) + [0.5]),
        (6, "0, ±1, ±2, ±1/2", both(1, 2, 0.5)),
    ]
    for m, name, points in rows:
        whole, parts = mean(points, m, range(10)), mean(points, m, range(10), 16)
        print(f"tiles of {m}, points {name}: {whole:.2e}; sums in parts of 16 channels: {parts:.2e}")


main()
