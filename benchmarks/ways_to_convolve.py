"""MindSpore's 3x3 convolutions and their gradients, beside `ssd.model.convolution`'s, for layers of VGG16.

Run: python benchmarks/ways_to_convolve.py. From these come the least channels and the smallest map for Winograd's way.
"""

import time
from collections.abc import Callable

import mindspore as ms
import mindspore.nn as nn
import numpy as np
from measure import Row, interleaved, table
from mindspore import Tensor, ops

from ssd.model.convolution import Direct
from ssd.model.winograd import Winograd
from ssd.runtime import compile_whole_cells

BATCH = 5
ROUNDS = 5
LAYERS = (
    (16, 16, 300),
    (32, 32, 150),
    (64, 64, 75),
    (64, 64, 300),
    (128, 128, 38),
    (128, 128, 150),
    (256, 256, 75),
    (512, 512, 38),
    (512, 512, 19),
    (512, 512, 10),
    (256, 256, 5),
)
"""Channels in and out, side of the map; the first are those of a quarter of VGG16's width."""


class Way(nn.Cell):
    """One way to convolve; with a gradient of the output, both gradients in place of the output."""

    def __init__(self, convolve: nn.Cell | ops.Primitive, backward: bool) -> None:
        super().__init__()
        self.convolve = convolve
        self.backward = backward
        self.take = ops.GradOperation(get_all=True, sens_param=True)

    def construct(self, x: Tensor, weight: Tensor, dout: Tensor) -> Tensor | tuple[Tensor, ...]:
        """The output, or its gradients."""
        return self.take(self.convolve)(x, weight, dout) if self.backward else self.convolve(x, weight)


class Plain(nn.Cell):
    """MindSpore's own."""

    def __init__(self, out: int) -> None:
        super().__init__()
        self.convolve = ops.Conv2D(out, 3, pad_mode="pad", pad=1)

    def construct(self, x: Tensor, weight: Tensor) -> Tensor:
        """The convolution."""
        return self.convolve(x, weight)


def rows() -> list[Row]:
    """Outputs and gradients of each layer, both of our ways."""
    compile_whole_cells()
    rng = np.random.default_rng(0)
    found = []
    for channels, out, side in LAYERS:
        shapes = (BATCH, channels, side, side), (out, channels, 3, 3), (BATCH, out, side, side)
        inputs = [Tensor(rng.standard_normal(shape), ms.float32) for shape in shapes]
        for backward in (False, True):
            ways = {"plain": Plain(out), "direct": Direct(channels, out), "winograd": Winograd()}
            calls = {name: _call(Way(way, backward), inputs) for name, way in ways.items()}
            times = interleaved(calls, ROUNDS, time.perf_counter)
            what = f"{'gradients' if backward else 'outputs'}, {channels} to {out} channels, {side} x {side}"
            for name in ("direct", "winograd"):
                ratio = times["plain"].median / times[name].median
                ours, peer = times[name].times(1e3), times["plain"].times(1e3)
                found.append(Row(f"{name}: {what}", ours, peer, "ms", ratio, ""))
    return found


def _call(way: Way, inputs: list[Tensor]) -> Callable[[], None]:
    def run() -> None:
        result = way(*inputs)
        (result[0] if isinstance(result, tuple) else result).asnumpy()

    return run


if __name__ == "__main__":
    print(table(rows()))
