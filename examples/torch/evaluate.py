#!/usr/bin/env python3
"""Evaluates the weights of a run in PyTorch, on the test images of CIFAR-10, beside what lrsched recorded.

    python3 examples/torch/evaluate.py results/RUN data/cifar-10-batches-bin

Needs, from PyPI: torch, safetensors, numpy. Exits with 1 if the losses differ by more than 1e-4 of themselves.
"""

import json
import pathlib
import sys

import numpy
import torch
from networks import NETWORKS
from safetensors.torch import load_file

# A label, then 32 x 32 red, green and blue pixels.
RECORD = 1 + 3 * 32 * 32


def main(run, images):
    run = pathlib.Path(run)
    info = json.loads((run / "run.json").read_text())
    if info["config"]["tta"] != "none":
        sys.exit(f"{run}: its test figures are of --tta {info['config']['tta']}; `lrsched eval {run} --tta none` has those without")
    if info["dataset"]["name"] != "cifar10":
        sys.exit(f"{run}: a run on {info['dataset']['name']}; this script reads the images of CIFAR-10")
    if info["config"]["model"] not in NETWORKS:
        sys.exit(f"{run}: networks.py has no {info['config']['model']}; it has {', '.join(NETWORKS)}")
    if "normalisation" not in info or info["results"]["test_loss"] is None:
        sys.exit(f"{run}: run.json has no normalisation (a run of an earlier version), or no test loss (not finished)")
    model = NETWORKS[info["config"]["model"]]()
    model.load_state_dict(load_file(run / "weights.safetensors"))
    model.eval()
    records = numpy.fromfile(pathlib.Path(images) / "test_batch.bin", dtype=numpy.uint8).reshape(-1, RECORD)
    labels = torch.from_numpy(records[:, 0].astype(numpy.int64))
    pixels = torch.from_numpy(records[:, 1:]).reshape(-1, 3, 32, 32)
    mean, deviation = (
        torch.tensor(info["normalisation"][key]).reshape(1, 3, 1, 1) for key in ("mean", "standard_deviation")
    )
    with torch.inference_mode():
        batches = zip(pixels.split(500), labels.split(500))
        logits = torch.cat([model((images / 255 - mean) / deviation) for images, _ in batches])
    loss = torch.nn.functional.cross_entropy(logits, labels).item()
    accuracy = (logits.argmax(1) == labels).float().mean().item()
    results = info["results"]
    print(f"PyTorch  test loss {loss:.6f}  test accuracy {accuracy:.4f}")
    print(f"lrsched  test loss {results['test_loss']:.6f}  test accuracy {results['test_accuracy']:.4f}")
    return abs(loss - results["test_loss"]) > 1e-4 * loss


if len(sys.argv) != 3:
    sys.exit(__doc__)
sys.exit(main(*sys.argv[1:]))
