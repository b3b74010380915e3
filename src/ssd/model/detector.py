"""SSD: the backbone, the extra feature layers and the heads, from images to offsets and logits (Liu et al. 2016).

Departure from the tutorial: in the last two extra layers it pads the 1x1 convolution, where with bias and ReLU the
border would become a constant; here nothing is padded there (5 -> 3 -> 1, as in the paper).
Beyond the tutorial: SSD512.
"""

from dataclasses import dataclass

import mindspore.nn as nn
from mindspore import Tensor

from ssd.geometry.feature_maps import MAP_CELLS
from ssd.model.heads import MultiBox
from ssd.model.l2_norm import L2Norm
from ssd.model.vgg import VGG16, ConvBlock, scaled


@dataclass(frozen=True)
class ExtraLayer:
    """A 1x1 convolution, and a wider one that makes the next feature map."""

    narrow: int
    wide: int
    kernel: int
    stride: int
    padding: int


EXTRA_LAYERS = {
    300: (
        ExtraLayer(256, 512, 3, 2, 1),
        ExtraLayer(128, 256, 3, 2, 1),
        ExtraLayer(128, 256, 3, 1, 0),
        ExtraLayer(128, 256, 3, 1, 0),
    ),
    512: (
        ExtraLayer(256, 512, 3, 2, 1),
        ExtraLayer(128, 256, 3, 2, 1),
        ExtraLayer(128, 256, 3, 2, 1),
        ExtraLayer(128, 256, 3, 2, 1),
        ExtraLayer(128, 256, 4, 1, 1),
    ),
}
"""By `input_size`, what follows fc7, before `width` scales the channels; their maps are in `MAP_CELLS`.

SSD300: Liu et al. 2016, figure 2; SSD512: the authors' Caffe model.
"""

NORMED_FROM = 5
"""Cells on a side from which a map is normalised: of fewer, in batches of some images, the statistics are noise."""


class SSD(nn.Cell):
    """Single Shot MultiBox Detector on VGG16.

    Args:
        input_size: S, one of `EXTRA_LAYERS`.
        classes: number of classes without the background.
        anchors_per_cell: anchors a cell of each feature map.
        width: factor on the channels of the backbone and the extra layers.
        batch_norm: batch norm after the convolutions of the backbone, and of the extra layers down to `NORMED_FROM`.
        heads: "separable" or "conv".
        l2_norm: L2 normalisation of conv4_3 before the heads of its map, and there alone.

    Inputs:
        images [B, 3, S, S]; for dropout two masks more, of `mask_shape`.

    Outputs:
        offsets [B, A, 4] (cy, cx, h, w) and logits [B, A, 1 + classes], column 0 the background.
    """

    def __init__(
        self,
        input_size: int,
        classes: int,
        anchors_per_cell: tuple[int, ...],
        width: float,
        batch_norm: bool,
        heads: str,
        l2_norm: bool = False,
    ) -> None:
        super().__init__()
        self.backbone = VGG16(width, batch_norm)
        self.fc7_cells = MAP_CELLS[input_size][1]
        channels = list(self.backbone.out_channels)
        extras = []
        for layer, cells in zip(EXTRA_LAYERS[input_size], MAP_CELLS[input_size][2:], strict=True):
            normed = batch_norm and cells >= NORMED_FROM
            narrow, wide = scaled(layer.narrow, width), scaled(layer.wide, width)
            extras.append(
                nn.SequentialCell(
                    ConvBlock(channels[-1], narrow, 1, normed),
                    ConvBlock(narrow, wide, layer.kernel, normed, stride=layer.stride, padding=layer.padding),
                )
            )
            channels.append(wide)
        self.extras = nn.CellList(extras)
        self.l2_norm = L2Norm(channels[0]) if l2_norm else nn.Identity()
        self.box_heads = MultiBox(heads, tuple(channels), anchors_per_cell, 4)
        self.class_heads = MultiBox(heads, tuple(channels), anchors_per_cell, 1 + classes)

    def mask_shape(self, batch_size: int) -> tuple[int, int, int, int]:
        """The shape of each of the two masks of dropout: that of fc7, [B, C, H, W]."""
        return batch_size, self.backbone.out_channels[1], self.fc7_cells, self.fc7_cells

    def construct(self, images: Tensor, *masks: Tensor) -> tuple[Tensor, Tensor]:
        """Offsets and logits of all anchors."""
        conv4_3, x = self.backbone(images, *masks)
        maps: tuple[Tensor, ...] = (self.l2_norm(conv4_3), x)
        for extra in self.extras:
            x = extra(x)
            maps += (x,)
        return self.box_heads(maps), self.class_heads(maps)
