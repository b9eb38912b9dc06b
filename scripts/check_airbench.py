#!/usr/bin/env python3
"""Trains the recipe of configs/airbench94-muon.toml in PyTorch (f32) from lrsched's initial weights and on its batches.

    lrsched train --config configs/airbench94-muon.toml --seed 0 --log-steps --out RUN       (Ctrl+C after a few steps will do)
    check_airbench.py RUN DATA [STEPS]        compares the losses in RUN/steps.csv with PyTorch's, on CIFAR-10's files in DATA
    check_airbench.py --last-epoch RUN DATA   trains the last epoch of a finished run again, from its checkpoint before that
    check_airbench.py --golden                writes tests/golden/torch_airbench94_muon.csv, which tests/runs/airbench_torch.rs holds the program to

Nothing but the seed and the sizes comes from the run: lrsched's keyed random numbers (initial weights, order of the images, flips and
translations), its whitening and the recipe of the published airbench94_muon.py are written out here once more. Needs torch==2.15.0 numpy,
and for --last-epoch safetensors, from PyPI.
"""

import csv
import json
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.functional import conv2d, cross_entropy

INITIAL_WEIGHTS, SHUFFLE, AUGMENTATION = 1, 2, 3
TRANSLATE = 2
# Times the rate of each group, whatever the batch: that of the published one of 2000.
DECAY = 2e-6 * 2000


def chacha8(keys, words):
    """The first `words` u32 of ChaCha8 under each key, (keys, 4) of u64: rand_chacha's `ChaCha8Rng::from_seed`."""
    keys = np.ascontiguousarray(keys, dtype="<u8").view("<u4").reshape(-1, 8)
    blocks = -(-words // 16)
    start = np.zeros((16, len(keys), blocks), np.uint32)
    start[:4] = np.array([0x61707865, 0x3320646E, 0x79622D32, 0x6B206574], np.uint32)[:, None, None]
    start[4:12] = keys.T[:, :, None]
    start[12] = np.arange(blocks, dtype=np.uint32)
    state = start.copy()

    def rotate(row, bits):
        state[row] = (state[row] << np.uint32(bits)) | (state[row] >> np.uint32(32 - bits))

    def quarter(a, b, c, d):
        for to, by, mixed, bits in [(a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)]:
            state[to] += state[by]
            state[mixed] ^= state[to]
            rotate(mixed, bits)

    for _ in range(4):
        for column in range(4):
            quarter(column, 4 + column, 8 + column, 12 + column)
        for column in range(4):
            quarter(column, 4 + (column + 1) % 4, 8 + (column + 2) % 4, 12 + (column + 3) % 4)
    state += start
    return state.transpose(1, 2, 0).reshape(len(keys), -1)[:, :words]


def keyed(seed, purpose, epoch, index, words):
    index = np.atleast_1d(np.asarray(index, np.uint64))
    keys = np.empty((len(index), 4), np.uint64)
    keys[:, 0], keys[:, 1], keys[:, 2], keys[:, 3] = seed, purpose, epoch, index
    return chacha8(keys, words)


def below(words, bound):
    return (words.astype(np.uint64) * np.uint64(bound)) >> np.uint64(32)


class Block(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs, eps=1e-12, momentum=0.4)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs, eps=1e-12, momentum=0.4)
        self.norm1.weight.requires_grad = self.norm2.weight.requires_grad = False

    def forward(self, x):
        x = nn.functional.gelu(self.norm1(nn.functional.max_pool2d(self.conv1(x), 2)))
        return nn.functional.gelu(self.norm2(self.conv2(x)))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.whiten = nn.Conv2d(3, 24, 2)
        self.whiten.weight.requires_grad = False
        self.group1, self.group2, self.group3 = Block(24, 64), Block(64, 256), Block(256, 256)
        self.head = nn.Linear(256, 10, bias=False)

    def forward(self, x, frozen_bias=False):
        bias = self.whiten.bias.detach() if frozen_bias else self.whiten.bias
        x = nn.functional.gelu(conv2d(x, self.whiten.weight, bias))
        x = nn.functional.max_pool2d(self.group3(self.group2(self.group1(x))), 3)
        return self.head(x.flatten(1)) / 256

    @torch.no_grad()
    def initialise(self, seed, first_images):
        """PyTorch's default distribution from lrsched's numbers: the place of an array among all of them is its key."""
        arrays = [(name, array) for name, array in self.state_dict(keep_vars=True).items() if "num_batches" not in name]
        for place, (name, array) in enumerate(arrays):
            if "norm" in name or name == "whiten.weight":
                continue
            fan_in = self.whiten.weight[0].numel() if name == "whiten.bias" else array[0].numel()
            words = keyed(seed, INITIAL_WEIGHTS, 0, place, array.numel())[0]
            uniform = (words >> np.uint32(8)).astype(np.float32) * np.float32(2**-24)
            values = np.float32(1) / np.sqrt(np.float32(fan_in)) * (np.float32(2) * uniform - np.float32(1))
            array.copy_(torch.from_numpy(values).view(array.shape))
        self.prepare(first_images)

    @torch.no_grad()
    def prepare(self, first_images):
        """The identity in the first filters of each convolution, the scale of the head, and the whitening."""
        for name, array in self.named_parameters():
            if "conv" in name:
                nn.init.dirac_(array[: array.shape[1]])
        self.head.weight.div_(self.head.weight.double().std())
        patches = first_images.double().unfold(2, 2, 1).unfold(3, 2, 1).transpose(1, 3).reshape(-1, 12)
        values, vectors = torch.linalg.eigh(patches.T @ patches / len(patches))
        vectors = vectors.T
        vectors *= vectors.gather(1, vectors.abs().argmax(1, keepdim=True)).sign()
        kernels = (vectors / torch.sqrt(values[:, None] + 5e-4)).reshape(12, 3, 2, 2)
        self.whiten.weight.copy_(torch.cat([kernels, -kernels]))


def orthogonalised(gradient):
    """Three Newton-Schulz steps, in f32; of an f16 gradient in bfloat16, as published."""
    x = gradient.reshape(len(gradient), -1)
    x = x.bfloat16() if x.dtype == torch.float16 else x
    x = x / (x.norm() + 1e-7)
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    for _ in range(3):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return (x.T if tall else x).view_as(gradient)


class Updates:
    """Muon on the filters and SGD on the rest, every rate linear to 0."""

    def __init__(self, net, total, until_frozen, rates=1.0):
        self.total, self.until_frozen, self.rates = total, until_frozen, rates
        self.filters = [array for name, array in net.named_parameters() if "conv" in name]
        self.buffers = [torch.zeros_like(array) for array in self.filters]
        norms = [array for name, array in net.named_parameters() if "norm" in name and array.requires_grad]
        self.rest = [([net.whiten.bias], 0.053), (norms, 0.053), ([net.head.weight], 0.67)]
        self.sgd = torch.optim.SGD(
            [{"params": arrays, "lr": lr, "weight_decay": DECAY / lr} for arrays, lr in self.rest], momentum=0.85, nesterov=True
        )

    @torch.no_grad()
    def __call__(self, step):
        left = self.rates * (1 - step / self.total)
        for group, (_, lr) in zip(self.sgd.param_groups, self.rest):
            group["lr"] = lr * left
        self.sgd.param_groups[0]["lr"] = self.rates * 0.053 * (1 - step / self.until_frozen)
        self.sgd.step()
        for array, buffer in zip(self.filters, self.buffers):
            buffer.mul_(0.6).add_(array.grad)
            array.mul_(len(array) ** 0.5 / array.norm())
            array.sub_(orthogonalised(array.grad + 0.6 * buffer), alpha=0.24 * left)


def loss_of(logits, labels):
    return cross_entropy(logits, labels, label_smoothing=0.2, reduction="sum")


def table_of(images):
    """The normalised value of each byte in each channel, (3, 256), by the mean and deviation of these images."""
    mean = images.mean((0, 2, 3), dtype=np.float64) / 255
    deviation = np.sqrt((images.astype(np.float64) ** 2).mean((0, 2, 3)) / 255**2 - mean**2)
    return ((np.arange(256) / 255 - mean[:, None]) / deviation[:, None]).astype(np.float32)


def draws(seed, count, epoch):
    """lrsched's order of the images in an epoch, which of them are mirrored, and where in the padded image they begin."""
    order = np.arange(count)
    swaps = keyed(seed, SHUFFLE, epoch, 0, count - 1)[0]
    for last, word in zip(range(count - 1, 0, -1), swaps.tolist()):
        other = word * (last + 1) >> 32
        order[last], order[other] = order[other], order[last]
    flipped = keyed(seed, AUGMENTATION, 0, np.arange(count), 1)[:, 0] >> 31
    words = keyed(seed, AUGMENTATION, epoch, np.arange(count), 3)
    shifts = below(words[:, 1:], 2 * TRANSLATE + 1).astype(np.int64)
    return order, torch.from_numpy(flipped != epoch % 2), torch.from_numpy(shifts)


def augmented(images, chosen, mirrored, shifts):
    """The chosen images as they are trained on, channels last; the draws lie where the images do."""
    shown = torch.where(mirrored[chosen, None, None, None], images[chosen].flip(3), images[chosen])
    shown = nn.functional.pad(shown, (TRANSLATE,) * 4, "reflect")
    places = shifts[chosen, :, None] + torch.arange(images.shape[3], device=images.device)
    each = torch.arange(len(chosen), device=images.device)
    return shown.permute(0, 2, 3, 1)[each[:, None, None], places[:, 0, :, None], places[:, 1, None, :]].permute(0, 3, 1, 2)


def looked_up(images, table):
    """Normalised images, f32."""
    return torch.from_numpy(np.stack([table[c][images[:, c]] for c in range(3)], 1))


def records(data, names):
    """Images, as bytes in (images, 3, 32, 32), and labels of the official binary files."""
    read = np.concatenate([np.fromfile(Path(data) / f"{name}.bin", np.uint8).reshape(-1, 3073) for name in names])
    return read[:, 1:].reshape(-1, 3, 32, 32), read[:, 0]


TRAINING = [f"data_batch_{n}" for n in range(1, 6)]


def restore(net, update, checkpoint):
    """Takes weights and momenta from a checkpoint of lrsched; gives the number of epochs that it has behind it."""
    from safetensors.torch import load_file

    loaded = net.load_state_dict(load_file(checkpoint / "weights.safetensors"), strict=False)
    assert all(name.endswith("num_batches_tracked") for name in loaded.missing_keys), loaded.missing_keys
    momenta = load_file(checkpoint / "optimizer.safetensors")
    arrays = dict(net.named_parameters())
    of = {id(array): momenta.get(f"{name}.momentum_buffer") for name, array in arrays.items()}
    for array, buffer in zip(update.filters, update.buffers):
        buffer.copy_(of[id(array)].view_as(buffer))
    for group in update.sgd.param_groups:
        for array in group["params"]:
            update.sgd.state[array]["momentum_buffer"] = of[id(array)].view_as(array).clone()
    return json.loads((checkpoint / "state.json").read_text())["state"]["position"]["epoch"]


def losses(images, labels, seed, batch, epochs, rates=1.0, net=None, checkpoint=None):
    """The mean loss of each step, of `net` from its initial weights, or from a checkpoint at the end of an epoch.

    `images` are bytes, (images, 3, 32, 32); `rates` multiplies every rate.
    """
    normalised = looked_up(images, table_of(images))
    labels = torch.from_numpy(labels.astype(np.int64))

    net = net or Net()
    net.initialise(seed, normalised[:5000])
    net = net.to(memory_format=torch.channels_last)
    per_epoch = len(images) // batch
    total, until_frozen = epochs * per_epoch, 3 * per_epoch
    update = Updates(net, total, until_frozen, rates)
    first_epoch = restore(net, update, checkpoint) if checkpoint else 0

    for epoch in range(first_epoch, epochs):
        order, mirrored, shifts = draws(seed, len(images), epoch)
        for first in range(0, per_epoch * batch, batch):
            step = epoch * per_epoch + first // batch
            chosen = torch.from_numpy(order[first : first + batch])
            shown = augmented(normalised, chosen, mirrored, shifts)

            logits = net(shown, frozen_bias=step >= until_frozen)
            loss = loss_of(logits, labels[chosen])
            yield loss.item() / batch
            net.zero_grad()
            loss.backward()
            update(step)


def pattern(count, phase):
    """Images that need no files: a stripe for each class, and noise. As in tests/runs/airbench_torch.rs."""
    labels = np.arange(count) % 10
    place = np.arange(3072, dtype=np.uint64)
    x, y = place % 32, place // 32 % 32
    noise = np.arange(count, dtype=np.uint64)[:, None] * np.uint64(3072) + place + np.uint64(phase)
    noise = noise * np.uint64(0x9E3779B97F4A7C15)
    noise = (noise ^ (noise >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9) >> np.uint64(57)
    stripe = ((x + (labels[:, None] + 1).astype(np.uint64) * y) // np.uint64(4) % np.uint64(2)) * np.uint64(100)
    return (noise + stripe).astype(np.uint8).reshape(count, 3, 32, 32), labels


def compare(run, data, most):
    config = json.loads((Path(run) / "run.json").read_text())["config"]
    with open(Path(run) / "steps.csv") as file:
        ours = [float(row["loss"]) for row in csv.DictReader(file)]
    theirs = losses(*records(data, TRAINING), config["seed"], config["batch-size"], config["epochs"])
    print("step,lrsched,pytorch,difference")
    worst = 0.0
    for step, (our, their) in enumerate(zip(ours, islice(theirs, most))):
        difference = abs(our - their) / their
        worst = max(worst, difference)
        print(f"{step},{our:.9g},{their:.9g},{difference:.1e}", flush=True)
    print(f"largest relative difference: {worst:.1e}")


def last_epoch(run, data):
    """The last epoch of a finished run, from the checkpoint before it, on the same batches."""
    from safetensors.torch import load_file

    config = json.loads((run / "run.json").read_text())["config"]
    with open(run / "metrics.csv") as file:
        ours = float(list(csv.DictReader(file))[-1]["loss"])
    begin = load_file(run / "checkpoints/last-before/weights.safetensors")
    end = load_file(run / "weights.safetensors")
    net = Net()
    images = records(data, TRAINING)
    theirs = list(losses(*images, config["seed"], config["batch-size"], config["epochs"], net=net, checkpoint=run / "checkpoints/last-before"))
    mean = sum(theirs) / len(theirs)
    print(f"mean loss of the {len(theirs)} steps: lrsched {ours:.7f}, PyTorch {mean:.7f}, relative difference {abs(ours - mean) / mean:.1e}")
    print("array,moved by,apart by (both relative to its norm)")
    for name, array in net.state_dict().items():
        if name in end and not torch.equal(begin[name], end[name]):
            moved, apart = ((end[name] - other).norm() / end[name].norm() for other in (begin[name], array))
            print(f"{name},{moved:.4f},{apart:.4f}")


def main():
    if sys.argv[1:] == ["--golden"]:
        # As in tests/runs/airbench_torch.rs: 2 steps an epoch, the last 10 images dropped. At the full rates, PyTorch's losses in f32 leave those in
        # f64 by 1e-2 within 11 steps of batches this small.
        print("step,loss")
        for number, value in enumerate(losses(*pattern(90, 1), seed=5, batch=40, epochs=13, rates=0.02)):
            print(f"{number},{value:.9g}")
    elif sys.argv[1:2] == ["--last-epoch"] and len(sys.argv) == 4:
        last_epoch(Path(sys.argv[2]), sys.argv[3])
    elif len(sys.argv) in (3, 4) and not sys.argv[1].startswith("-"):
        compare(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) == 4 else 25)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
