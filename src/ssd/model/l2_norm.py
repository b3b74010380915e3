"""L2 normalisation over channels with a learnt scale (Liu et al. 2015, ParseNet, section 3.3).

SSD takes conv4_3 through it before the heads, because its values are larger than those of the deeper maps (Liu et al.
2016, section 3.1). As in Caffe's Normalize layer 1e-10 is added inside the root: zero pixels stay zero, and their
gradient is finite, that of the output times the scale and 1e5. (torchvision bounds the length from below instead, which
differs for pixels shorter than some 1e-4 alone.) Departure from Caffe: its backward pass applies the scale after the
sum over channels, which is the gradient only while all scales are equal; here it is the gradient.
"""

import mindspore as ms
import mindspore.nn as nn
import numpy as np
from mindspore import Parameter, Tensor, ops

FIRST_SCALE = 20.0
EPSILON = 1e-10


class L2Norm(nn.Cell):
    """Each pixel's vector of channels divided by its length, times a learnt scale a channel.

    Args:
        channels: of the feature map.

    Inputs:
        x [B, channels, H, W].

    Outputs:
        [B, channels, H, W].
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = Parameter(ms.Tensor(np.full(channels, FIRST_SCALE, np.float32)), name="scale")

    def construct(self, x: Tensor) -> Tensor:
        """The normalised map."""
        length = ops.sqrt((x * x).sum(1, keepdims=True) + EPSILON)
        return x / length * self.scale.reshape(1, -1, 1, 1)
