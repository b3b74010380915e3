"""VGG16 as SSD's backbone (Simonyan and Zisserman 2015; Liu et al. 2016, section 3.1).

Departures from the tutorial, each a mend: bias (or batch norm) and ReLU follow every convolution, also from fc6
on, where the tutorial leaves both out and so stacks linear layers; dropout is a product with masks that are handed in.
"""

import mindspore.nn as nn
from mindspore import Tensor, ops

from ssd.model.convolution import Conv3x3
from ssd.model.pooling import HalvingMaxPool

BLOCKS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
FC_CHANNELS = 1024


def scaled(channels: int, width: float) -> int:
    """`channels` times `width`, as a multiple of 8 and at least 8; `width` 1 changes nothing."""
    return max(8, round(channels * width / 8) * 8)


class ConvBlock(nn.Cell):
    """A convolution, batch norm if asked for, and ReLU.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel: side of the kernel.
        batch_norm: normalise before the ReLU; the convolution then has no bias.
        stride, padding, dilation: as in `nn.Conv2d`; `padding` pixels on all four sides.

    Inputs:
        x [B, in_channels, H, W].

    Outputs:
        [B, out_channels, H', W'].
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        batch_norm: bool,
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
    ) -> None:
        super().__init__()
        if (kernel, stride, padding, dilation) == (3, 1, 1, 1):
            self.conv = Conv3x3(in_channels, out_channels, not batch_norm)
        else:
            self.conv = nn.Conv2d(
                in_channels,
                out_channels,
                kernel,
                stride=stride,
                pad_mode="pad",
                padding=padding,
                dilation=dilation,
                has_bias=not batch_norm,
            )
        self.norm = nn.BatchNorm2d(out_channels) if batch_norm else nn.Identity()
        self.relu = nn.ReLU()

    def before_relu(self, x: Tensor) -> Tensor:
        """The convolution, normalised if asked for."""
        return self.norm(self.conv(x))

    def construct(self, x: Tensor) -> Tensor:
        """The block's output."""
        return self.relu(self.before_relu(x))


def average_statistics(net: nn.Cell, steps: int) -> None:
    """Have the moving statistics of all `ConvBlock`s follow a training of so many steps, before it is compiled.

    They become means of about a twentieth of its steps, of 10 to 100: MindSpore's own 10 are few where a batch has a
    few images, and 100 leave the first values too slowly where there are not many more.

    Args:
        net: the network.
        steps: of the whole training.
    """
    share_of_a_step = min(max(20 / steps, 0.01), 0.1)
    for _, cell in net.cells_and_names():
        if isinstance(cell, ConvBlock) and isinstance(cell.norm, nn.BatchNorm2d):
            cell.norm.bn_train = ops.BatchNorm(
                is_training=True, epsilon=cell.norm.eps, momentum=share_of_a_step
            )


class VGG16(nn.Cell):
    """VGG16 up to conv5_3, then fc6 and fc7 as convolutions (fc6 dilated by 6). `freeze` fixes its first blocks.

    Args:
        width: factor on all channels; 1.0 is VGG16.
        batch_norm: batch norm after every convolution.

    Inputs:
        images [B, 3, S, S]; for dropout two masks more, each [B, 1024 w, S/16, S/16], of fc6's and fc7's outputs.

    Outputs:
        conv4_3 [B, 512 w, S/8, S/8] and fc7 [B, 1024 w, S/16, S/16], sides rounded up.
    """

    def __init__(self, width: float, batch_norm: bool) -> None:
        super().__init__()
        channels = 3
        blocks = []
        for block in BLOCKS:
            layers = []
            for out in block:
                layers.append(ConvBlock(channels, scaled(out, width), 3, batch_norm, padding=1))
                channels = scaled(out, width)
            blocks.append(nn.SequentialCell(layers))
        self.block1, self.block2, self.block3, self.block4, self.block5 = blocks
        self.pool = HalvingMaxPool()
        self.pool5 = nn.MaxPool2d(3, 1, pad_mode="same")
        fc = scaled(FC_CHANNELS, width)
        self.fc6 = ConvBlock(channels, fc, 3, batch_norm, padding=6, dilation=6)
        self.fc7 = ConvBlock(fc, fc, 1, batch_norm)
        self.out_channels = scaled(BLOCKS[3][-1], width), fc
        self.frozen = 0

    def freeze(self, blocks: int) -> None:
        """Fix the first blocks: no gradient of their weights is taken, nor one back to them.

        Batch norm in them goes by its moving statistics from then on, as in detection, and these stay as they are.
        To be called before the network is compiled and before the optimizer is made.

        Args:
            blocks: so many, 0 to 5.
        """
        self.frozen = blocks
        for block in (self.block1, self.block2, self.block3, self.block4, self.block5)[:blocks]:
            for parameter in block.get_parameters():
                parameter.requires_grad = False
            for layer in block:
                if isinstance(layer.norm, nn.BatchNorm2d):
                    layer.norm.use_batch_statistics = False

    def after(self, block: int, x: Tensor) -> Tensor:
        """The output of a block; where it is fixed, the end of the backward pass."""
        return ops.stop_gradient(x) if block <= self.frozen else x

    def halved(self, block: nn.SequentialCell, x: Tensor) -> Tensor:
        """A block's output, pooled: before its last ReLU, which comes to the same and has a quarter to do."""
        *before, last = block.cell_list
        for layer in before:
            x = layer(x)
        return last.relu(self.pool(last.before_relu(x)))

    def features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """conv4_3 and pool5: what VGG16's own convolutions make of images."""
        x = self.after(1, self.halved(self.block1, images))
        x = self.after(2, self.halved(self.block2, x))
        x = self.after(3, self.halved(self.block3, x))
        conv4_3 = self.after(4, self.block4(x))
        return conv4_3, self.pool5(self.after(5, self.block5(self.pool(conv4_3))))

    def construct(self, images: Tensor, *masks: Tensor) -> tuple[Tensor, Tensor]:
        """conv4_3 and fc7."""
        conv4_3, x = self.features(images)
        if len(masks) == 0:
            return conv4_3, self.fc7(self.fc6(x))
        fc6_mask, fc7_mask = masks
        return conv4_3, self.fc7(self.fc6(x) * fc6_mask) * fc7_mask
