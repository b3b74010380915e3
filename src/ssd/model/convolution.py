"""3x3 convolutions that take a processor less time than MindSpore's own, and give the same but for rounding.

`benchmarks/ways_to_convolve.py` times the ways that are chosen from here.
"""

import mindspore as ms
import mindspore.nn as nn
import numpy as np
from mindspore import Parameter, Tensor, ops
from mindspore.ops.operations._grad_ops import Conv2DBackpropFilter

from ssd.model.winograd import Winograd, kernels_at_points

FEWEST_CHANNELS = 64, 128
"""On the one side and on the other: from so many on Winograd's transforms cost less than they save."""

SMALLEST_MAP = 10
"""Side of a map below which turning or transforming the kernels costs more than it saves."""


class Direct(nn.Cell):
    """The 3x3 convolution of stride 1 with a border of one zero, its gradient to the input by another convolution.

    MindSpore takes that gradient by a product and a scatter, which last up to four times as long as the convolution
    with turned kernels that it is.

    Args:
        in_channels, out_channels: C and K.

    Inputs:
        x [B, C, H, W] and weight [K, C, 3, 3].

    Outputs:
        [B, K, H, W].
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.convolve = ops.Conv2D(out_channels, 3, pad_mode="pad", pad=1)
        self.convolve_back = ops.Conv2D(in_channels, 3, pad_mode="pad", pad=1)
        self.turn = ops.ReverseV2((2, 3))
        self.of_weight = Conv2DBackpropFilter(
            out_channels, (3, 3), pad_mode="pad", pad=(1, 1, 1, 1), pad_list=(1, 1, 1, 1), stride=(1, 1)
        )

    def construct(self, x: Tensor, weight: Tensor) -> Tensor:
        """The convolution."""
        return self.convolve(x, weight)

    def bprop(self, x: Tensor, weight: Tensor, out: Tensor, dout: Tensor) -> tuple[Tensor, Tensor]:
        """The gradients of x and of the weight."""
        turned = self.turn(weight).transpose(1, 0, 2, 3)
        return self.convolve_back(dout, turned), self.of_weight(dout, x, weight.shape)


class Conv3x3(nn.Cell):
    """A 3x3 convolution that keeps the map's size (stride 1, a border of one zero), by the quickest way.

    Its weights start at zero: `ssd.model.weights` draws them.

    Args:
        in_channels, out_channels: C and K.
        has_bias: whether a learnt value a channel is added.

    Inputs:
        x [B, C, H, W].

    Outputs:
        [B, K, H, W].
    """

    def __init__(self, in_channels: int, out_channels: int, has_bias: bool) -> None:
        super().__init__()
        shape = (out_channels, in_channels, 3, 3)
        self.weight = Parameter(ms.Tensor(np.zeros(shape, np.float32)), name="weight")
        self.bias = (
            Parameter(ms.Tensor(np.zeros(out_channels, np.float32)), name="bias") if has_bias else None
        )
        self.plain = ops.Conv2D(out_channels, (3, 3), pad_mode="pad", pad=1)  # ONNX wants both sides
        fewest, most = sorted((in_channels, out_channels))
        self.wide = fewest >= FEWEST_CHANNELS[0] and most >= FEWEST_CHANNELS[1]
        self.plainly = in_channels == 3  # an image needs no gradient
        self.quick = Winograd() if self.wide else Direct(in_channels, out_channels)
        self.kernels: Parameter | None = None

    def construct(self, x: Tensor) -> Tensor:
        """The convolution."""
        if self.plainly or x.shape[2] < SMALLEST_MAP:
            y = self.plain(x, self.weight)
        elif self.kernels is None:
            y = self.quick(x, self.weight)
        else:
            y = self.quick.convolve(x, self.kernels)
        return y if self.bias is None else ops.bias_add(y, self.bias)


def fix_kernels(net: nn.Cell) -> None:
    """Transform the kernels of a network once and not at every call; before it is compiled, and for good."""
    for _, cell in net.cells_and_names():
        if isinstance(cell, Conv3x3) and cell.wide:
            values = Tensor(kernels_at_points(cell.weight.asnumpy()))
            # A parameter, since a graph that is kept for other weights must not have their values in it.
            cell.kernels = Parameter(values, name=f"{cell.weight.name}.at_points", requires_grad=False)


def convolve_plainly(net: nn.Cell) -> None:
    """Have a network's graph say what is convolved and not how, for programs with ways of their own.

    To be called before the network is compiled.
    """
    for _, cell in net.cells_and_names():
        if isinstance(cell, Conv3x3):
            cell.plainly = True
