"""Networks as they are found elsewhere, of few channels."""

import torch
import torch.nn.functional as F
from torch import nn


class BasicBlock(nn.Module):
    def __init__(self, before, after, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.downsample = None
        if stride > 1:
            self.downsample = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, x):
        shortcut = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += shortcut
        return self.relu(out)


class ResNet(nn.Module):
    """Eight strided layers: the stem, the pooling, and two in each of three stages."""

    def __init__(self, width=4, in_channels=3):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        stages = [BasicBlock(width, width, 1)] + [BasicBlock(width, width, 2) for _ in range(3)]
        self.layers = nn.Sequential(*stages)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(width, 10)

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        return self.fc(torch.flatten(self.avgpool(self.layers(x)), 1))


def vgg(width=4, in_channels=3):
    layers = []
    for before in (in_channels, width, width):
        layers += [nn.Conv2d(before, width, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2, 2)]
    head = [nn.AdaptiveAvgPool2d((7, 7)), nn.Flatten(), nn.Linear(49 * width, 16), nn.ReLU(True), nn.Dropout()]
    return nn.Sequential(*layers, *head, nn.Linear(16, 10))


class Functional(nn.Module):
    """Padding, activations, normalisation and poolings as functions inside `forward`."""

    def __init__(self, mode="constant"):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 3, stride=2)
        self.kernel = nn.Parameter(torch.randn(4, 2, 3, 3, generator=torch.Generator().manual_seed(0)))
        self.register_buffer("mean", torch.zeros(4))
        self.register_buffer("var", torch.full((4,), 2.0))
        self.mode = mode

    def forward(self, x):
        x = self.conv1(F.pad(x, (1, 1, 1, 1), mode=self.mode))
        x = F.gelu(F.batch_norm(x, self.mean, self.var))
        x = F.relu(F.conv2d(F.pad(x, (2, 2, 2, 2), mode=self.mode), self.kernel, dilation=2, groups=2), inplace=True)
        x = F.max_pool2d(x, 3, stride=2, padding=1)
        return F.log_softmax(x.amax((2, 3)), dim=1)


class SymmetricPad(nn.Module):
    """A padding that torch has no operation for."""

    def __init__(self, width=1):
        super().__init__()
        self.width = width

    def forward(self, x):
        p = self.width
        for axis in range(2, x.ndim):
            n = x.shape[axis]
            first = x.narrow(axis, 0, p).flip(axis)
            last = x.narrow(axis, n - p, p).flip(axis)
            x = torch.cat([first, x, last], dim=axis)
        return x


class SqueezeExcitation(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.fc1 = nn.Conv2d(channels, 2, 1)
        self.fc2 = nn.Conv2d(2, channels, 1)

    def forward(self, x):
        scale = self.fc2(F.relu6(self.fc1(x.mean((2, 3), keepdim=True))))
        return scale.sigmoid() * x


class Chomp(nn.Module):
    """Cuts the end off, which makes a padded convolution causal."""

    def __init__(self, width):
        super().__init__()
        self.width = width

    def forward(self, x):
        return x[:, :, : -self.width].contiguous()


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Conv2d(1, 4, 3, stride=2, padding=1)
        self.up = nn.ConvTranspose2d(4, 4, 2, stride=2)
        self.last = nn.Conv2d(5, 1, 3, padding=1)

    def forward(self, x):
        return self.last(torch.cat([x, self.up(F.relu(self.down(x)))], dim=1))


def linear_twin(module):
    """Change a network of torch's own layers into a linear one by surgery: an oracle without tracing."""
    module.double().eval()
    for name, part in module.named_children():
        if isinstance(part, nn.Conv1d | nn.Conv2d | nn.Conv3d):
            with torch.no_grad():
                part.weight.fill_(1.0 / part.weight[0].numel())
                if part.bias is not None:
                    part.bias.zero_()
        elif isinstance(part, nn.ReLU | nn.BatchNorm1d | nn.BatchNorm2d | nn.GELU | nn.Dropout):
            setattr(module, name, nn.Identity())
        elif isinstance(part, nn.MaxPool1d):
            setattr(module, name, nn.AvgPool1d(part.kernel_size, part.stride, part.padding))
        elif isinstance(part, nn.MaxPool2d):
            setattr(module, name, nn.AvgPool2d(part.kernel_size, part.stride, part.padding))
        else:
            linear_twin(part)
    return module


@torch.no_grad()
def brute_force_map(forward, shape):
    """Return the sum of the outputs for a one at each place, one forward pass for each, summed over channels."""
    counts = torch.zeros(shape, dtype=torch.float64)
    for place in torch.cartesian_prod(*map(torch.arange, shape)).tolist():
        x = torch.zeros((1, *shape), dtype=torch.float64)
        x[(0, *place)] = 1.0
        counts[tuple(place)] = forward(x).sum()
    total = counts.sum(dim=0)
    return (total / total.max()).numpy()
