"""The same detector, loss and optimiser on plain torch.nn: what the training step and the detection are timed against.

Its modules have the names of ours, so that it takes our weights and its losses can be held against ours.
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ssd.config import Loss, Model
from ssd.model.detector import EXTRA_LAYERS
from ssd.model.vgg import BLOCKS, FC_CHANNELS, scaled

OURS = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}


def block(inputs: int, outputs: int, kernel: int, batch_norm: bool, **rest: int) -> nn.Module:
    """A convolution, batch norm if asked for, and ReLU."""
    layers = nn.Sequential()
    layers.add_module("conv", nn.Conv2d(inputs, outputs, kernel, bias=not batch_norm, **rest))
    if batch_norm:
        layers.add_module("norm", nn.BatchNorm2d(outputs))
    layers.add_module("relu", nn.ReLU(inplace=True))
    return layers


def separable(inputs: int, outputs: int) -> nn.Module:
    """The tutorial's head."""
    layers = nn.Sequential()
    layers.add_module("depthwise", nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs, bias=False))
    layers.add_module("norm", nn.BatchNorm2d(inputs, eps=1e-3, momentum=0.03))
    layers.add_module("relu", nn.ReLU6(inplace=True))
    layers.add_module("out", nn.Conv2d(inputs, outputs, 1))
    return layers


def plain(inputs: int, outputs: int) -> nn.Module:
    """The paper's head."""
    layers = nn.Sequential()
    layers.add_module("out", nn.Conv2d(inputs, outputs, 3, padding=1))
    return layers


class Backbone(nn.Module):
    """VGG16 up to fc7; returns conv4_3 and fc7."""

    def __init__(self, width: float, batch_norm: bool) -> None:
        super().__init__()
        channels = 3
        for number, layers in enumerate(BLOCKS, 1):
            blocks = []
            for out in layers:
                blocks.append(block(channels, scaled(out, width), 3, batch_norm, padding=1))
                channels = scaled(out, width)
            setattr(self, f"block{number}", nn.Sequential(*blocks))
        fc = scaled(FC_CHANNELS, width)
        self.fc6 = block(channels, fc, 3, batch_norm, padding=6, dilation=6)
        self.fc7 = block(fc, fc, 1, batch_norm)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """conv4_3 and fc7."""
        for layers in (self.block1, self.block2, self.block3):
            x = F.max_pool2d(layers(x), 2, 2, ceil_mode=True)
        conv4_3 = self.block4(x)
        x = F.max_pool2d(self.block5(F.max_pool2d(conv4_3, 2, 2)), 3, 1, 1)
        return conv4_3, self.fc7(self.fc6(x))


class L2Norm(nn.Module):
    """Each pixel's channels divided by their length, times a learnt scale."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((channels,), 20.0))

    def forward(self, x: Tensor) -> Tensor:
        """The normalised map."""
        length = (x.square().sum(1, keepdim=True) + 1e-10).sqrt()
        return x / length * self.scale.view(1, -1, 1, 1)


class Heads(nn.Module):
    """One head a feature map."""

    def __init__(self, kind: str, channels: list[int], per_cell: tuple[int, ...], values: int) -> None:
        super().__init__()
        self.values = values
        make = {"separable": separable, "conv": plain}[kind]
        self.heads = nn.ModuleList(make(c, n * values) for c, n in zip(channels, per_cell, strict=True))

    def forward(self, maps: list[Tensor]) -> Tensor:
        """The outputs of all anchors."""
        outputs = [head(x).permute(0, 2, 3, 1) for head, x in zip(self.heads, maps, strict=True)]
        return torch.cat([each.reshape(len(each), -1, self.values) for each in outputs], 1)


class TorchSSD(nn.Module):
    """Offsets [B, A, 4] and logits [B, A, 1 + classes] of images [B, 3, S, S]."""

    def __init__(self, model: Model, classes: int, per_cell: tuple[int, ...]) -> None:
        super().__init__()
        self.backbone = Backbone(model.width, model.batch_norm)
        channels = [scaled(512, model.width), scaled(FC_CHANNELS, model.width)]
        extras = []
        for layer in EXTRA_LAYERS[model.input_size]:
            narrow, wide = scaled(layer.narrow, model.width), scaled(layer.wide, model.width)
            extras.append(
                nn.Sequential(
                    block(channels[-1], narrow, 1, model.batch_norm),
                    block(
                        narrow,
                        wide,
                        layer.kernel,
                        model.batch_norm,
                        stride=layer.stride,
                        padding=layer.padding,
                    ),
                )
            )
            channels.append(wide)
        self.extras = nn.ModuleList(extras)
        self.l2_norm = L2Norm(channels[0]) if model.l2_norm else nn.Identity()
        self.box_heads = Heads(model.heads, channels, per_cell, 4)
        self.class_heads = Heads(model.heads, channels, per_cell, 1 + classes)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Offsets and logits."""
        conv4_3, x = self.backbone(images)
        maps = [self.l2_norm(conv4_3), x]
        for extra in self.extras:
            x = extra(x)
            maps.append(x)
        return self.box_heads(maps), self.class_heads(maps)

    def load_ours(self, weights: Mapping[str, np.ndarray]) -> None:
        """Take our network's weights, all of them."""
        state = {}
        for name, values in weights.items():
            path, _, last = name.rpartition(".")
            state[f"{path}.{OURS.get(last, last)}"] = torch.from_numpy(values.copy())
        missing, unknown = self.load_state_dict(state, strict=False)
        left = [name for name in missing if not name.endswith("num_batches_tracked")]
        if left or unknown:
            raise ValueError(f"the networks differ: only the peer has {left}, only ours {unknown}")


def detector_loss(
    rules: Loss, offsets: Tensor, logits: Tensor, target_offsets: Tensor, labels: Tensor
) -> Tensor:
    """The loss of a batch, as a user of torch writes it."""
    positive = labels > 0
    matches = positive.sum().clamp(min=1)
    box = F.smooth_l1_loss(offsets[positive], target_offsets[positive], reduction="sum")
    if rules.kind == "focal":
        targets = F.one_hot(labels, logits.shape[-1]).to(logits.dtype)
        cross_entropy = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
        right = torch.exp(-cross_entropy)
        weight = targets * rules.focal_alpha + (1 - targets) * (1 - rules.focal_alpha)
        classes = (weight * (1 - right) ** rules.focal_gamma * cross_entropy).sum()
    else:
        cross_entropy = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none")
        cross_entropy = cross_entropy.view(labels.shape)
        hardness = cross_entropy.detach().masked_fill(positive, -1)
        rank = hardness.argsort(dim=1, descending=True, stable=True).argsort(1)
        wanted = rules.negatives_per_positive * positive.sum(1, keepdim=True)
        classes = cross_entropy[positive | (rank < wanted)].sum()
    return (rules.box_weight * box + classes) / matches
