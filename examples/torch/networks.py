"""The networks of lrsched, all but `tiny`, in PyTorch, with the parameter names of weights.safetensors.

    model = NETWORKS["cnn"]()
    model.load_state_dict(safetensors.torch.load_file("results/RUN/weights.safetensors"))

Images are (N, 3, 32, 32), normalised with the mean and standard deviation in run.json; the outputs are logits.
"""

from torch import nn
from torch.nn.functional import adaptive_max_pool2d, gelu, max_pool2d, relu


class Cnn(nn.Module):
    def __init__(self, classes=10):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 32, 3, padding=1)
        self.conv2 = nn.Conv2d(32, 32, 3, padding=1)
        self.conv3 = nn.Conv2d(32, 64, 3, padding=1)
        self.conv4 = nn.Conv2d(64, 64, 3, padding=1)
        self.fc1 = nn.Linear(4096, 512)
        self.fc2 = nn.Linear(512, classes)

    def forward(self, x):
        x = max_pool2d(relu(self.conv2(relu(self.conv1(x)))), 2)
        x = max_pool2d(relu(self.conv4(relu(self.conv3(x)))), 2)
        return self.fc2(relu(self.fc1(x.flatten(1))))


class Block(nn.Module):
    """Convolution, batch norm, ReLU, an optional pool, and an optional residual pair."""

    def __init__(self, inputs, outputs, pool=False, residual=False):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        self.pool = pool
        if residual:
            self.residual = nn.Sequential(Block(outputs, outputs), Block(outputs, outputs))

    def forward(self, x):
        x = relu(self.norm(self.conv(x)))
        if self.pool:
            x = max_pool2d(x, 2)
        return x + self.residual(x) if hasattr(self, "residual") else x


class Resnet9(nn.Module):
    def __init__(self, classes=10):
        super().__init__()
        self.prep = Block(3, 32)
        self.layer1 = Block(32, 64, pool=True, residual=True)
        self.layer2 = Block(64, 128, pool=True)
        self.layer3 = Block(128, 256, pool=True, residual=True)
        self.head = nn.Linear(256, classes)

    def forward(self, x):
        x = self.layer3(self.layer2(self.layer1(self.prep(x))))
        return 0.125 * self.head(adaptive_max_pool2d(x, 1).flatten(1))


class Group(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs, eps=1e-12, momentum=0.4)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs, eps=1e-12, momentum=0.4)

    def forward(self, x):
        x = gelu(self.norm1(max_pool2d(self.conv1(x), 2)))
        return gelu(self.norm2(self.conv2(x)))


class Airbench94(nn.Module):
    def __init__(self, classes=10, logits=1 / 9):
        super().__init__()
        self.whiten = nn.Conv2d(3, 24, 2)
        self.group1 = Group(24, 64)
        self.group2 = Group(64, 256)
        self.group3 = Group(256, 256)
        self.head = nn.Linear(256, classes, bias=False)
        self.logits = logits

    def forward(self, x):
        x = self.group3(self.group2(self.group1(gelu(self.whiten(x)))))
        return self.logits * self.head(max_pool2d(x, 3).flatten(1))


NETWORKS = {
    "cnn": Cnn,
    "resnet9": Resnet9,
    "airbench94": Airbench94,
    "airbench94-muon": lambda classes=10: Airbench94(classes, logits=1 / 256),
}
