#!/usr/bin/env python3
"""Computes how a training step of `cnn` would scale on more cores than this machine has, from parts measured on one thread.

    scripts/scaling.py [BATCH] [PROGRAM]        32, 128 or 512; default: 128 target/release/lrsched

docs/SPEED.md has the tables that it printed.

A part with N equal tasks takes ceil(N / threads) / N of its time on one thread; what is no task of the threads (the loss, gathering gradients, the
kernels' transforms) counts as serial. A meeting of all threads is counted with what the slower of two threads costs here. Left out: the
memory bus and the third-level cache, which all cores share, and clocks that fall when all cores work. So a real machine does less.
"""

import re
import subprocess
import sys

batch = int(sys.argv[1]) if len(sys.argv) > 1 else 128
program = sys.argv[2] if len(sys.argv) > 2 else "target/release/lrsched"
# Meetings of a step: the two ends of the segment, 5 in fc1 forward and backward, and in fc2, sums and kernels of 4 layers, the optimizer.
MEETINGS = 30


def bench(threads):
    """Seconds of a step, and per operation (forward, backward), on so many threads: of the fastest of 5 runs."""
    best = None
    for _ in range(5):
        options = ["--model", "cnn", "--batch-size", str(batch), "--threads", str(threads), "--steps", "10", "--layers"]
        said = subprocess.run([program, "bench", *options], check=True, capture_output=True, text=True).stdout
        step = float(re.search(r"median step ([\d.]+) ms", said)[1])
        rows = re.findall(r"^(\S+) +([\d.]+) +(?:\d+)? *([\d.]+) *(?:\d+)?$", said, re.M)
        optimizer = float(re.search(r"optimizer ([\d.]+) %", said)[1]) / 100 * step
        if best is None or step < best[0]:
            best = step, {name: (float(forward), float(backward)) for name, forward, backward in rows}, optimizer
    return best


# As in src/engine/cpu: tasks forward and backward.
def tasks(name):
    if name.startswith("fc1"):
        # 64 outputs a task forward and for the weights, 8 panels of 16 inputs for the inputs' gradient.
        return 8, 8
    if name.startswith("fc2"):
        return 1, 1
    # Of the backward pass through the convolutions: `Segment::groups`.
    groups = 8 if batch <= 32 else 16
    return batch, groups


def scaled(time, count, threads):
    return time * -(-count // threads) / count


one, operations, optimizer = bench(1)
two, _, _ = bench(2)
serial = one - optimizer - sum(map(sum, operations.values()))


def model(threads):
    total = serial + optimizer / threads
    for name, (forward, backward) in operations.items():
        for time, count in zip((forward, backward), tasks(name)):
            total += scaled(time, count, threads)
    return total


meeting = max(0.0, two - model(2)) / MEETINGS
print(f"batch {batch}: {one:.1f} ms a step on one thread, {two:.1f} ms on two; serial {serial:.2f} ms, a meeting {1e3 * meeting:.0f} µs")
print("threads  ms a step  times one thread  % of that many runs of one thread each")
for threads in (1, 2, 4, 8, 16, 32, 64):
    step = model(threads) + (meeting * MEETINGS if threads > 1 else 0)
    print(f"{threads:7} {step:10.1f} {one / step:17.1f} {100 * one / step / threads:43.0f}")
