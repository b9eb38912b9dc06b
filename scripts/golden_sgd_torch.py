#!/usr/bin/env python3
"""Trains `cnn` in PyTorch from lrsched's initial weights on lrsched's batches, and writes the loss of each step.

tests/engine/golden_torch.rs checks both engines against the output, tests/golden/torch_sgd_cnn.csv:

    cargo run --release --example export_batches -- synthetic FOLDER 20 32 7
    python3 scripts/golden_sgd_torch.py FOLDER > tests/golden/torch_sgd_cnn.csv

Needs, from PyPI: torch==2.15.0 safetensors
"""

import sys

import torch
from safetensors.torch import load_file
from torch import nn

LEARNING_RATE, MOMENTUM = 0.003, 0.9


class Cnn(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 32, 3, padding=1)
        self.conv2 = nn.Conv2d(32, 32, 3, padding=1)
        self.conv3 = nn.Conv2d(32, 64, 3, padding=1)
        self.conv4 = nn.Conv2d(64, 64, 3, padding=1)
        self.fc1 = nn.Linear(4096, 512)
        self.fc2 = nn.Linear(512, 10)

    def forward(self, x):
        x = self.conv2(self.conv1(x).relu()).relu()
        x = nn.functional.max_pool2d(x, 2)
        x = self.conv4(self.conv3(x).relu()).relu()
        x = nn.functional.max_pool2d(x, 2).flatten(1)
        return self.fc2(self.fc1(x).relu())


def main(folder):
    model = Cnn()
    model.load_state_dict(load_file(f"{folder}/weights.safetensors"))
    batches = load_file(f"{folder}/batches.safetensors")
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM)
    print("step,loss")
    for step, (images, labels) in enumerate(zip(batches["images"], batches["labels"])):
        loss = nn.functional.cross_entropy(model(images.permute(0, 3, 1, 2)), labels.long())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(f"{step},{loss.item():.9g}")


main(sys.argv[1])
