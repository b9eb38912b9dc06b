#!/usr/bin/env python3
"""The accuracy of the recipe of configs/airbench94-muon.toml in PyTorch, over many seeds: whole trainings on a GPU.

    airbench_gpu.py DATA SECONDS OUT [--ways WAY…]

Trains seed after seed, from 0, in each of these ways, until SECONDS are over, on the files of CIFAR-10 in DATA:

    f32          f32 throughout (no TF32), PyTorch's random numbers
    f32-lrsched  f32 throughout, lrsched's initial weights, order, flips and translations for that seed
    half         as in airbench94_muon.py: f16, batch norm in f32, Newton-Schulz in bfloat16; PyTorch's random numbers (not by default)

and appends a row to OUT, a new file, as each one ends: way, seed, the mean loss of the last epoch, accuracy on the test images without further views,
loss and accuracy with six of them, seconds. A run that SECONDS cut off leaves no row. The steps of the recipe are those of check_airbench.py.
Needs torch and numpy.
"""

import argparse
import csv
import sys
import time

import torch
from bench_recipe import BATCH, evaluate, moved, six_views
from check_airbench import TRAINING, TRANSLATE, Net, Updates, augmented, draws, looked_up, loss_of, records, table_of
from torch.nn.functional import pad

WAYS = ["f32", "f32-lrsched", "half"]


def train(way, seed, epochs, images, labels, test_images, test_labels):
    """A row of the table, without its seconds; the images lie on the device, f32 and channels last."""
    device = images.device
    torch.manual_seed(seed)
    net = Net()
    if way == "f32-lrsched":
        net.initialise(seed, images[:5000].cpu())
    else:
        net.prepare(images[:5000].cpu())
    net = net.to(device, memory_format=torch.channels_last)
    if way == "half":
        net.half()
        for module in net.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.float()
        images, test_images = images.half(), test_images.half()
    per_epoch = len(images) // BATCH
    update = Updates(net, epochs * per_epoch, 3 * per_epoch)
    padded = pad(torch.where(torch.rand(len(images), 1, 1, 1, device=device) < 0.5, images.flip(3), images), (TRANSLATE,) * 4, "reflect")
    for epoch in range(epochs):
        total = torch.zeros((), device=device)
        if way == "f32-lrsched":
            order, mirrored, shifts = draws(seed, len(images), epoch)
            order, mirrored, shifts = torch.from_numpy(order).to(device), mirrored.to(device), shifts.to(device)
        else:
            shown = moved(padded)
            shown = shown.flip(3) if epoch % 2 else shown
            order = torch.randperm(len(images), device=device)
        for place in range(per_epoch):
            chosen = order[place * BATCH : (place + 1) * BATCH]
            batch = augmented(images, chosen, mirrored, shifts) if way == "f32-lrsched" else shown[chosen]
            batch = batch.contiguous(memory_format=torch.channels_last)
            loss = loss_of(net(batch, frozen_bias=epoch >= 3), labels[chosen])
            total += loss.detach().float() / BATCH / per_epoch
            net.zero_grad()
            loss.backward()
            update(epoch * per_epoch + place)
    _, plain = evaluate(net, lambda net, x: net(x), test_images, test_labels)
    test_loss, accuracy = evaluate(net, six_views, test_images, test_labels)
    return [way, seed, f"{total.item():.6g}", f"{plain:.4f}", f"{test_loss:.6g}", f"{accuracy:.4f}"]


def work(options, started, deadline):
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    torch.set_num_threads(2)
    images, labels = (array[: options.images] for array in records(options.data, TRAINING))
    table = table_of(images)
    test_images, test_labels = (array[: options.images] for array in records(options.data, ["test_batch"]))
    arrays = [looked_up(x, table).to(options.device, memory_format=torch.channels_last) for x in (images, test_images)]
    arrays[1:1] = [torch.from_numpy(labels.astype("int64")).to(options.device)]
    arrays.append(torch.from_numpy(test_labels.astype("int64")).to(options.device))
    while time.time() < deadline:
        with started.get_lock():
            seed, way = divmod(started.value, len(options.ways))
            started.value += 1
        way = options.ways[way]
        begin = time.time()
        row = train(way, seed, options.epochs, *arrays)
        if time.time() > deadline:
            break
        with started.get_lock(), open(options.out, "a", newline="") as file:
            csv.writer(file, lineterminator="\n").writerow([*row, f"{time.time() - begin:.1f}"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("seconds", type=float)
    parser.add_argument("out")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS[:2])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--images", type=int, default=50_000, help="the first N of the training and of the test images")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--workers", type=int, default=2, help="processes that share the device")
    options = parser.parse_args()
    deadline = time.time() + options.seconds
    # Rows of an earlier call stay.
    with open(options.out, "x") as file:
        file.write("way,seed,loss,val_accuracy,test_loss,test_accuracy,seconds\n")
    spawn = torch.multiprocessing.get_context("spawn")
    started = spawn.Value("i", 0)
    workers = [spawn.Process(target=work, args=(options, started, deadline), daemon=True) for _ in range(options.workers)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(max(0.0, deadline - time.time()))
    # One that the time cuts off has no exit code yet.
    if any(worker.exitcode for worker in workers):
        sys.exit("a worker failed")


if __name__ == "__main__":
    main()
