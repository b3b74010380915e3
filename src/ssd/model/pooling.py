"""Max pooling by the kernels of MindSpore whose backward pass is the quicker one."""

import mindspore.nn as nn
from mindspore import Tensor, ops


class HalvingMaxPool(nn.Cell):
    """Max pooling over windows of 2x2 that do not overlap, odd sides rounded up (75 -> 38, as Caffe's ceiling does).

    While training, even sides are pooled by MindSpore's adaptive kernel: the same windows, and in each the first of
    equal values has the gradient, as with its other one, whose backward pass takes several times as long.

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
        side = x.shape[2]
        if self.training and side % 2 == 0:
            return ops.adaptive_max_pool2d(x, (side // 2, side // 2))
        return self.plain(x)
