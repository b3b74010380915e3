"""Max pooling by the kernels of MindSpore whose backward pass is the quicker one."""

import mindspore.nn as nn
from mindspore import Tensor, ops

LEAST = -3.0e38
"""Below whatever a network computes."""


class HalvingMaxPool(nn.Cell):
    """Max pooling over windows of 2x2 that do not overlap, odd sides rounded up (75 -> 38, as Caffe's ceiling does).

    While training this is done by MindSpore's adaptive kernel, odd sides filled up before: the same windows, and in
    each the first of equal values has the gradient, as with its other one, whose backward pass takes several times as
    long.

    Inputs:
        x [B, C, S, S].

    Outputs:
        [B, C, S/2, S/2], rounded up.
    """

    def __init__(self) -> None:
        super().__init__()
        self.plain = nn.MaxPool2d(2, 2, pad_mode="same")

    def construct(self, x: Tensor) -> Tensor:
        """The maximum of each window."""
        if not self.training:
            return self.plain(x)
        side = x.shape[2]
        if side % 2:
            x = ops.pad(x, (0, 1, 0, 1), value=LEAST)
        return ops.adaptive_max_pool2d(x, ((side + 1) // 2, (side + 1) // 2))
