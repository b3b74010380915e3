"""From a checkpoint to one graph: pixels as a photo has them go in, boxes and scores come out.

Normalisation and decoding are inside, so that whoever uses the graph has only to stretch a photo to its square.
"""

import tempfile
from pathlib import Path

import mindspore as ms
import mindspore.nn as nn
import numpy as np
from mindspore import Tensor, ops

from ssd.config import Input
from ssd.data.dataset import CAFFE_MEAN_BGR, MEAN_RGB, STD_RGB
from ssd.engine.checkpoint import Checkpoint, load_network
from ssd.engine.detection import Scorer
from ssd.export.formats import Format
from ssd.geometry.boxes import to_cyxhw
from ssd.geometry.offsets import MAX_LOG_SIZE_RATIO
from ssd.model.convolution import convolve_plainly


class Normalise(nn.Cell):
    """What `ssd.data.dataset.network_input` does to a picture that is a square already.

    Args:
        wanted: order and scale of the channels.

    Inputs:
        image [B, S, S, 3] uint8 RGB.

    Outputs:
        [B, 3, S, S] float32.
    """

    def __init__(self, wanted: Input) -> None:
        super().__init__()
        self.turned = wanted == "caffe_bgr"
        self.mean = Tensor(CAFFE_MEAN_BGR if self.turned else MEAN_RGB)
        self.std = Tensor(STD_RGB)

    def construct(self, image: Tensor) -> Tensor:
        """The normalised pixels."""
        rgb = image.astype(ms.float32)
        if self.turned:
            bgr = ops.cat((rgb[:, :, :, 2:], rgb[:, :, :, 1:2], rgb[:, :, :, :1]), axis=-1)
            return (bgr - self.mean).transpose(0, 3, 1, 2)
        return ((rgb - self.mean) / self.std).transpose(0, 3, 1, 2)


class Decode(nn.Cell):
    """What `ssd.geometry.offsets.decode` does, then `clip` if asked for.

    Args:
        anchors: [A, 4] yxyx.
        variances: divisors of encoded centres and sizes.
        clip: cut boxes at the border of the image.

    Inputs:
        offsets [B, A, 4] cy, cx, h, w.

    Outputs:
        [B, A, 4] yxyx.
    """

    def __init__(self, anchors: np.ndarray, variances: tuple[float, float], clip: bool) -> None:
        super().__init__()
        cyxhw = to_cyxhw(anchors)[None]
        self.centre, self.size = Tensor(cyxhw[..., :2]), Tensor(cyxhw[..., 2:])
        self.variances, self.clip = variances, clip

    def construct(self, offsets: Tensor) -> Tensor:
        """The decoded boxes."""
        centre = self.centre + offsets[:, :, :2] * self.variances[0] * self.size
        ratio = ops.exp(ops.minimum(offsets[:, :, 2:] * self.variances[1], MAX_LOG_SIZE_RATIO))
        half = ratio * self.size / 2
        boxes = ops.cat((centre - half, centre + half), axis=-1)
        return ops.clamp(boxes, 0.0, 1.0) if self.clip else boxes


class Exported(nn.Cell):
    """The whole detector up to NMS.

    Args:
        checkpoint: what it is made of.
        clip: cut boxes at the border of the image.

    Inputs:
        image [1, S, S, 3] uint8 RGB.

    Outputs:
        boxes [1, A, 4] yxyx as fractions of the image, scores [1, A, C] of the classes without the background.
    """

    def __init__(self, checkpoint: Checkpoint, clip: bool) -> None:
        super().__init__(auto_prefix=False)
        told = checkpoint.description
        self.normalise = Normalise(told.model.input)
        net = load_network(checkpoint)
        convolve_plainly(net)
        self.scorer = Scorer(net, told.scores)
        self.decode = Decode(checkpoint.anchors, told.variances, clip)

    def construct(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Boxes and scores."""
        offsets, scores = self.scorer(self.normalise(image))
        return self.decode(offsets), scores


def graph_bytes(checkpoint: Checkpoint, clip: bool, kind: Format) -> bytes:
    """The content of a MINDIR or ONNX (opset 11) file of `Exported`, by MindSpore's own exporter.

    MindSpore writes ONNX for one size of batch only: it is 1, in both.

    Raises:
        ValueError: the weights are not those of the described network.
    """
    side = checkpoint.description.model.input_size
    # what the layers do in training would be exported otherwise, without a word
    net = Exported(checkpoint, clip).set_train(False)
    image = Tensor(np.zeros((1, side, side, 3), np.uint8))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"graph.{kind}"
        ms.export(net, image, file_name=str(path), file_format=kind.upper())
        return path.read_bytes()
