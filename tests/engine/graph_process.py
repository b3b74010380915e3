"""A process that trains three convolutions for three steps and prints the SHA-256 of what came of it.

Run as `python graph_process.py RATE WIDTH [FOLDER]`: without a folder no graph is kept.
"""

import hashlib
import sys
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import mindspore as ms
import mindspore.nn as nn
import numpy as np
from mindspore import Tensor

from ssd.engine.graph_cache import kept_graph
from ssd.engine.optimizer import make_optimizer
from ssd.engine.training import Training
from ssd.model.loss import FocalLoss, MultiBoxLoss


@dataclass(frozen=True)
class Ingredients:
    """What the graph is made of."""

    width: int


class ThreeConvolutions(nn.Cell):
    """From pixels [B, 3, 4, 4] to offsets [B, 16, 4] and logits [B, 16, 3]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.SequentialCell(nn.Conv2d(3, width, 3), nn.BatchNorm2d(width), nn.ReLU())
        self.boxes, self.classes = nn.Conv2d(width, 4, 1), nn.Conv2d(width, 3, 1)
        rng = np.random.default_rng(1)
        for each in self.trainable_params():
            if each.ndim == 4:
                each.set_data(Tensor(rng.standard_normal(each.shape).astype(np.float32)))

    def construct(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Offsets and logits."""
        x = self.body(pixels)
        offsets, logits = self.boxes(x), self.classes(x)
        return (
            offsets.reshape(len(pixels), 4, 16).transpose(0, 2, 1),
            logits.reshape(len(pixels), 3, 16).transpose(0, 2, 1),
        )


class Noise:
    """Three batches of noise."""

    def batches(self, epoch: int, start: int) -> list:
        """The same in every epoch."""
        rng = np.random.default_rng(2)
        return [
            (
                rng.standard_normal((2, 3, 4, 4)).astype(np.float32),
                rng.standard_normal((2, 16, 4)).astype(np.float32),
                rng.integers(0, 3, (2, 16)).astype(np.int32),
            )
            for _ in range(3)
        ]

    def image_ids(self, epoch: int, step: int) -> tuple[int, ...]:
        """None."""
        return ()


def main(rate: float, width: int, folder: str | None) -> None:
    """Train and tell."""
    net = ThreeConvolutions(width)
    rates = np.full(3, rate, np.float32)
    optimizer = make_optimizer(net, "adam", rates, 0.9, 1e-4, 2.0)
    compiling = partial(kept_graph, Path(folder), Ingredients(width)) if folder else nullcontext
    loss = MultiBoxLoss(FocalLoss(0.75, 2.0), 1.0)
    training = Training(net, loss, optimizer, Noise(), rates, 1, compiling=compiling)
    digest = hashlib.sha256()
    for _ in training.steps():
        pass
    for name, values in sorted(training.state().tensors.items()):
        digest.update(name.encode() + values.tobytes())
    digest.update(repr(training.history).encode())
    assert not ms.get_context("enable_compile_cache")
    print(digest.hexdigest())


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:] or [None])
