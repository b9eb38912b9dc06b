"""The networks of lrsched in PyTorch, with PyTorch's own initial weights: for bench_peers.py and parity_torch.py."""

from torch import nn


class Scale(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return x * self.factor


def cnn():
    return nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(4096, 512), nn.ReLU(), nn.Linear(512, 10),
    )


class Residual(nn.Sequential):
    def forward(self, x):
        return x + super().forward(x)


def resnet9():
    def block(inputs, outputs):
        return [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]

    def residual(channels):
        return Residual(*block(channels, channels), *block(channels, channels))

    return nn.Sequential(
        *block(3, 32), *block(32, 64), nn.MaxPool2d(2), residual(64), *block(64, 128), nn.MaxPool2d(2),
        *block(128, 256), nn.MaxPool2d(2), residual(256), nn.MaxPool2d(4), nn.Flatten(), nn.Linear(256, 10), Scale(0.125),
    )


def airbench94(logits=1 / 9):
    """`airbench94`; with logits of 1 / 256 `airbench94-muon`."""
    def norm(channels):
        layer = nn.BatchNorm2d(channels, eps=1e-12, momentum=0.4)
        layer.weight.requires_grad = False
        return layer

    whiten = nn.Conv2d(3, 24, 2)
    whiten.weight.requires_grad = False
    layers = [whiten, nn.GELU()]
    for inputs, outputs in [(24, 64), (64, 256), (256, 256)]:
        layers += [
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.MaxPool2d(2), norm(outputs), nn.GELU(),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False), norm(outputs), nn.GELU(),
        ]
    return nn.Sequential(*layers, nn.MaxPool2d(3), nn.Flatten(), nn.Linear(256, 10, bias=False), Scale(logits))
