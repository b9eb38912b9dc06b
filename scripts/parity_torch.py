"""Trains `cnn` or `airbench94` on CIFAR-10 in PyTorch with the recipe of parity.sh, and prints the test accuracy.

    parity_torch.py MODEL DATA IMAGES EPOCHS SEED

DATA is the folder of CIFAR-10's binary files. It trains on IMAGES of the 50,000, drawn with SEED. Initialisation and augmentation follow
lrsched's documentation, with PyTorch's own random numbers. Needs torch==2.15.0 numpy from PyPI; run by parity.sh.
"""

import os
import sys

import numpy as np
import torch
import torch_networks
from torch import nn

MODEL, DATA = sys.argv[1:3]
IMAGES, EPOCHS, SEED = map(int, sys.argv[3:6])

# lr, batch, label smoothing, and the optimizer.
RECIPES = {
    "cnn": (0.05, 128, 0.0, lambda weights: torch.optim.SGD(weights, 0.05, momentum=0.9, weight_decay=5e-4)),
    "airbench94": (0.003, 250, 0.2, lambda weights: torch.optim.Adam(weights, 0.003)),
}


def images_of(files):
    rows = np.concatenate([np.fromfile(os.path.join(DATA, name), np.uint8).reshape(-1, 3073) for name in files])
    return torch.from_numpy(rows[:, 1:].reshape(-1, 3, 32, 32).copy()), torch.from_numpy(rows[:, 0].astype(np.int64))


def cnn():
    """He initialisation, scaled by 0.1 for the logits; biases 0."""
    model = torch_networks.cnn()
    for layer in model:
        if hasattr(layer, "weight"):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
    with torch.no_grad():
        model[-1].weight *= 0.1
    return model


def airbench94(first_images):
    """Whitening kernels from `first_images`; the 3x3 convolutions start as the identity (Dirac)."""
    model = torch_networks.airbench94()
    patches = first_images.unfold(2, 2, 1).unfold(3, 2, 1).transpose(1, 3).reshape(-1, 12).double()
    eigenvalues, eigenvectors = torch.linalg.eigh(patches.T @ patches / len(patches))
    kernels = (eigenvectors.T / torch.sqrt(eigenvalues[:, None] + 5e-4)).reshape(12, 3, 2, 2).float()
    whiten, *rest = [layer for layer in model if isinstance(layer, nn.Conv2d)]
    whiten.weight.data = torch.cat([kernels, -kernels])
    nn.init.zeros_(whiten.bias)
    for layer in rest:
        nn.init.dirac_(layer.weight[: layer.in_channels].data)
    return model


def main():
    torch.manual_seed(SEED)
    train, labels = images_of([f"data_batch_{n}.bin" for n in range(1, 6)])
    test, test_labels = images_of(["test_batch.bin"])
    chosen = torch.randperm(len(train))[:IMAGES]
    train, labels = train[chosen], labels[chosen]
    mean = train.double().mean((0, 2, 3)).div(255).float().view(1, 3, 1, 1)
    deviation = train.double().std((0, 2, 3), correction=0).div(255).float().view(1, 3, 1, 1)
    normalised = lambda images: images.float().div(255).sub(mean).div(deviation)

    def augmented(images):
        mirrored = torch.where(torch.rand(len(images), 1, 1, 1) < 0.5, images.flip(3), images)
        padded = nn.functional.pad(mirrored, (4, 4, 4, 4))
        corners = torch.randint(9, (len(images), 2)).tolist()
        return torch.stack([image[:, y : y + 32, x : x + 32] for image, (y, x) in zip(padded, corners)])

    model = cnn() if MODEL == "cnn" else airbench94(normalised(train[:5000]))
    model = model.to(memory_format=torch.channels_last)
    lr, batch, smoothing, optimizer = RECIPES[MODEL]
    optimizer = optimizer([parameter for parameter in model.parameters() if parameter.requires_grad])
    steps = EPOCHS * -(-len(train) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps, cycle_momentum=False)
    loss = nn.CrossEntropyLoss(label_smoothing=smoothing)
    for _ in range(EPOCHS):
        for chosen in torch.randperm(len(train)).split(batch):
            images = normalised(augmented(train[chosen])).contiguous(memory_format=torch.channels_last)
            optimizer.zero_grad()
            loss(model(images), labels[chosen]).backward()
            optimizer.step()
            schedule.step()
    model.eval()
    with torch.no_grad():
        right = sum(
            (model(normalised(images)).argmax(1) == wanted).sum().item()
            for images, wanted in zip(test.split(500), test_labels.split(500))
        )
    print(right / len(test))


main()
