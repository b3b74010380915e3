"""The heads: from each feature map to the offsets and class logits of its anchors."""

import mindspore.nn as nn
from mindspore import Tensor, ops

from ssd.model.convolution import Conv3x3


class SeparableHead(nn.Cell):
    """The tutorial's head: depthwise 3x3, batch norm, ReLU6, then 1x1 with bias.

    Args:
        in_channels: channels of the feature map.
        out_channels: outputs a cell.

    Inputs:
        x [B, in_channels, H, W].

    Outputs:
        [B, out_channels, H, W].
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(in_channels, in_channels, 3, pad_mode="pad", padding=1, group=in_channels)
        self.norm = nn.BatchNorm2d(in_channels, eps=1e-3, momentum=0.97)
        self.relu = nn.ReLU6()
        self.out = nn.Conv2d(in_channels, out_channels, 1, has_bias=True)

    def construct(self, x: Tensor) -> Tensor:
        """The head's raw output."""
        return self.out(self.relu(self.norm(self.depthwise(x))))


class ConvHead(nn.Cell):
    """The paper's head: one 3x3 convolution with bias.

    Args:
        in_channels: channels of the feature map.
        out_channels: outputs a cell.

    Inputs:
        x [B, in_channels, H, W].

    Outputs:
        [B, out_channels, H, W].
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.out = Conv3x3(in_channels, out_channels, has_bias=True)

    def construct(self, x: Tensor) -> Tensor:
        """The head's raw output."""
        return self.out(x)


HEADS = {"separable": SeparableHead, "conv": ConvHead}


class MultiBox(nn.Cell):
    """One head a feature map, its outputs in the order of the anchors.

    Args:
        kind: "separable" or "conv".
        in_channels: channels of each feature map.
        anchors_per_cell: anchors a cell of each map.
        values: outputs an anchor: 4 offsets, or one logit a class.

    Inputs:
        maps: tuple of [B, C_m, H_m, W_m].

    Outputs:
        [B, A, values]: map by map, row by row, cell by cell, the anchors of a cell innermost.
    """

    def __init__(
        self, kind: str, in_channels: tuple[int, ...], anchors_per_cell: tuple[int, ...], values: int
    ) -> None:
        super().__init__()
        self.values = values
        self.heads = nn.CellList(
            [
                HEADS[kind](channels, count * values)
                for channels, count in zip(in_channels, anchors_per_cell, strict=True)
            ]
        )

    def construct(self, maps: tuple[Tensor, ...]) -> Tensor:
        """The outputs of all anchors."""
        outputs: tuple[Tensor, ...] = ()
        for index, head in enumerate(self.heads):
            cells = head(maps[index]).transpose(0, 2, 3, 1)
            outputs += (cells.reshape(cells.shape[0], -1, self.values),)
        return ops.cat(outputs, axis=1)
