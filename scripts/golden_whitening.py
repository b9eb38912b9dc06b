#!/usr/bin/env python3
"""Writes tests/golden/whitening.csv: the whitening kernels that PyTorch computes for three small images.

Needs torch==2.15 from PyPI (any 2.x gives the same figures). Run from the root of the repository:

    python scripts/golden_whitening.py

The recipe is that of airbench94 (Jordan 2024, arXiv:2404.00498): all 2x2 patches, the uncentred covariance, its eigenvectors in ascending
order of their eigenvalues, each divided by sqrt(eigenvalue + 5e-4). The second half of the layer, the negated kernels, is omitted. Computed
in float64; the images use the formula of the test in src/model/whitening.rs.
"""
import torch

N, H, W, C = 3, 8, 8, 3
i = torch.arange(N * H * W * C)
images = ((i * i * 7 + i * 13) % 101).double() / 50 - 1
images = images.view(N, H, W, C).permute(0, 3, 1, 2)

patches = images.unfold(2, 2, 1).unfold(3, 2, 1).transpose(1, 3).reshape(-1, C, 2, 2)
flat = patches.reshape(len(patches), -1)
eigenvalues, eigenvectors = torch.linalg.eigh(flat.T @ flat / len(flat), UPLO="U")
kernels = eigenvectors.T / torch.sqrt(eigenvalues[:, None] + 5e-4)

with open("tests/golden/whitening.csv", "w") as file:
    file.write(",".join(f"w{place}" for place in range(12)) + "\n")
    for kernel in kernels.tolist():
        file.write(",".join(f"{weight:.9g}" for weight in kernel) + "\n")
