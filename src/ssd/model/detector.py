"""SSD: the backbone, the extra feature layers and the heads, from images to offsets and logits (Liu et al. 2016).

Departure from the tutorial: in the last two extra layers it pads the 1x1 convolution, where with bias and ReLU the
border would become a constant; here nothing is padded there (5 -> 3 -> 1, as in the paper).
"""

import mindspore.nn as nn
from mindspore import Tensor

from ssd.model.heads import MultiBox
from ssd.model.l2_norm import L2Norm
from ssd.model.vgg import VGG16, ConvBlock, scaled

# channels of the 1x1 and of the 3x3 convolution, stride and padding of the 3x3 (Liu et al. 2016, figure 2).
EXTRA_LAYERS_300 = ((256, 512, 2, 1), (128, 256, 2, 1), (128, 256, 1, 0), (128, 256, 1, 0))

MAP_CELLS_300 = (38, 19, 10, 5, 3, 1)
"""Cells on a side of each feature map."""


class SSD(nn.Cell):
    """Single Shot MultiBox Detector on VGG16 for 300x300 images.

    Args:
        classes: number of classes without the background.
        anchors_per_cell: anchors a cell of each of the six feature maps.
        width: factor on the channels of the backbone and the extra layers.
        batch_norm: batch norm after the convolutions of the backbone and of the extra layers.
        heads: "separable" or "conv".
        l2_norm: L2 normalisation of conv4_3 before the heads of its map, and there alone.

    Inputs:
        images [B, 3, 300, 300].

    Outputs:
        offsets [B, A, 4] (cy, cx, h, w) and logits [B, A, 1 + classes], column 0 the background.
    """

    def __init__(
        self,
        classes: int,
        anchors_per_cell: tuple[int, ...],
        width: float,
        batch_norm: bool,
        heads: str,
        l2_norm: bool = False,
    ) -> None:
        super().__init__()
        self.backbone = VGG16(width, batch_norm)
        channels = list(self.backbone.out_channels)
        extras = []
        for narrow, wide, stride, padding in EXTRA_LAYERS_300:
            narrow, wide = scaled(narrow, width), scaled(wide, width)
            extras.append(
                nn.SequentialCell(
                    ConvBlock(channels[-1], narrow, 1, batch_norm),
                    ConvBlock(narrow, wide, 3, batch_norm, stride=stride, padding=padding),
                )
            )
            channels.append(wide)
        self.extras = nn.CellList(extras)
        self.l2_norm = L2Norm(channels[0]) if l2_norm else nn.Identity()
        self.box_heads = MultiBox(heads, tuple(channels), anchors_per_cell, 4)
        self.class_heads = MultiBox(heads, tuple(channels), anchors_per_cell, 1 + classes)

    def construct(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Offsets and logits of all anchors."""
        conv4_3, x = self.backbone(images)
        maps = (self.l2_norm(conv4_3), x)
        for extra in self.extras:
            x = extra(x)
            maps += (x,)
        return self.box_heads(maps), self.class_heads(maps)
