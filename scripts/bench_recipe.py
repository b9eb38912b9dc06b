#!/usr/bin/env python3
"""The recipe of configs/airbench94-muon.toml in PyTorch (f32, channels last) from the files of CIFAR-10 to the test accuracy, timed.

    bench_recipe.py DATA THREADS IMAGES EPOCHS SEED   prints seconds of a training step (the median), of an evaluation, of the test and
                                                      of all; the loss of the last epoch, test loss and accuracy

Run by bench_recipe.sh. The steps of the recipe are those of check_airbench.py; random numbers are PyTorch's, and the images are flipped, padded and
moved as the published airbench94_muon.py does it, for a whole epoch at once. The clock starts after the imports.
"""

import statistics
import sys
import time

import torch
from check_airbench import TRAINING, TRANSLATE, Net, Updates, looked_up, loss_of, records, table_of
from torch.nn.functional import cross_entropy, pad

BATCH = 2000


def moved(padded):
    """Every image by up to TRANSLATE pixels to each side: 25 copies of groups of images."""
    shifts = torch.randint(2 * TRANSLATE + 1, (len(padded), 2), device=padded.device)
    images = torch.empty_like(padded[:, :, :32, :32], memory_format=torch.channels_last)
    for y in range(2 * TRANSLATE + 1):
        for x in range(2 * TRANSLATE + 1):
            chosen = (shifts[:, 0] == y) & (shifts[:, 1] == x)
            images[chosen] = padded[chosen, :, y : y + 32, x : x + 32]
    return images


def mirrored(net, images):
    return 0.5 * net(images) + 0.5 * net(images.flip(3))


def six_views(net, images):
    """The untranslated views weigh one half."""
    padded = pad(images, (1,) * 4, "reflect")
    diagonal = [mirrored(net, padded[:, :, place : place + 32, place : place + 32]) for place in (0, 2)]
    return 0.5 * mirrored(net, images) + 0.25 * diagonal[0] + 0.25 * diagonal[1]


@torch.no_grad()
def evaluate(net, views, images, labels):
    """The mean cross-entropy and the accuracy."""
    net.eval()
    logits = torch.cat([views(net, x) for x in images.split(BATCH)]).float()
    net.train()
    return cross_entropy(logits, labels).item(), (logits.argmax(1) == labels).float().mean().item()


def main():
    data, threads, count, epochs, seed = sys.argv[1], *map(int, sys.argv[2:6])
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    begin = time.perf_counter()
    images, labels = (array[:count] for array in records(data, TRAINING))
    table = table_of(images)
    test_images, test_labels = records(data, ["test_batch"])
    images, test_images = (looked_up(x, table).contiguous(memory_format=torch.channels_last) for x in (images, test_images))
    labels, test_labels = (torch.from_numpy(y.astype("int64")) for y in (labels, test_labels))

    net = Net()
    net.initialise(seed, images[:5000])
    net = net.to(memory_format=torch.channels_last)
    per_epoch = len(images) // BATCH
    update = Updates(net, epochs * per_epoch, 3 * per_epoch)
    padded = pad(torch.where(torch.rand(len(images), 1, 1, 1) < 0.5, images.flip(3), images), (TRANSLATE,) * 4, "reflect")
    steps, evaluations = [], []
    for epoch in range(epochs):
        losses = []
        started = time.perf_counter()
        shown = moved(padded)
        shown = shown.flip(3) if epoch % 2 else shown
        order = torch.randperm(len(images))
        # The images of an epoch are a share of each of its steps.
        preparing = (time.perf_counter() - started) / per_epoch
        for place in range(per_epoch):
            started = time.perf_counter()
            chosen = order[place * BATCH : (place + 1) * BATCH]
            batch = shown[chosen].contiguous(memory_format=torch.channels_last)
            loss = loss_of(net(batch, frozen_bias=epoch >= 3), labels[chosen])
            losses.append(loss.item() / BATCH)
            net.zero_grad()
            loss.backward()
            update(epoch * per_epoch + place)
            steps.append(time.perf_counter() - started + preparing)
        started = time.perf_counter()
        val_loss, val_accuracy = evaluate(net, lambda net, x: net(x), test_images, test_labels)
        evaluations.append(time.perf_counter() - started)
        loss = sum(losses) / len(losses)
        print(f"epoch {epoch}  loss {loss:.4f}  val_loss {val_loss:.4f}  val_accuracy {val_accuracy:.4f}", file=sys.stderr, flush=True)
    started = time.perf_counter()
    test_loss, test_accuracy = evaluate(net, six_views, test_images, test_labels)
    test, whole = time.perf_counter() - started, time.perf_counter() - begin
    times = f"{statistics.median(steps):.4f} {statistics.median(evaluations):.3f} {test:.3f} {whole:.2f}"
    print(f"{times} {loss:.4f} {test_loss:.4f} {test_accuracy:.4f}")


if __name__ == "__main__":
    main()
