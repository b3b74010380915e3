"""The first weights of a network, drawn from a seed and the parameter's name."""

import math
import zlib

import mindspore as ms
import numpy as np

from ssd.config import Input
from ssd.model.detector import SSD
from ssd.model.l2_norm import FIRST_SCALE

OUTPUT_DEVIATION = 0.01

COLOUR_DEVIATION: dict[Input, float] = {"imagenet_rgb": 1.0, "caffe_bgr": 57.4}
"""Of the values that each kind of images has; 57.4 of 255 is the .225 of ImageNet."""


def initialise(net: SSD, seed: int, class_prior: float, images: Input = "imagenet_rgb") -> None:
    """Give an SSD its first weights; each depends on (seed, name) alone, whatever the width or the order.

    Convolutions: normal, variance 2 / fan-in (He et al. 2015), which suits any width and takes values of deviation 1,
    so the first kernel is divided by the deviation of the images. The heads' last convolutions: deviation 0.01; their
    class bias: the logit of `class_prior`, reversed for the background, so that the many background anchors do not
    swamp the loss at the start (Lin et al. 2017, section 4.1). Norms: scale 1, shift 0. The L2 normalisation: scale
    20. To be called before the network is compiled.
    """
    for parameter in net.trainable_params():
        parameter.set_data(ms.Tensor(_first_value(parameter.name, parameter.shape, seed)))
    kernel = net.backbone.block1[0].conv.weight
    kernel.set_data(ms.Tensor(kernel.asnumpy() / np.float32(COLOUR_DEVIATION[images])))
    for head in net.class_heads.heads:
        bias = head.out.bias
        bias.set_data(ms.Tensor(_class_bias(bias.shape, net.class_heads.values, class_prior)))


def _first_value(name: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    is_output = ".heads." in name and ".out." in name
    if len(shape) == 4:
        deviation = OUTPUT_DEVIATION if is_output else math.sqrt(2 / math.prod(shape[1:]))
        rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
        return (rng.standard_normal(shape) * deviation).astype(np.float32)
    if name.endswith("gamma"):
        return np.ones(shape, np.float32)
    if name == "l2_norm.scale":
        return np.full(shape, FIRST_SCALE, np.float32)
    return np.zeros(shape, np.float32)


def _class_bias(shape: tuple[int, ...], columns: int, class_prior: float) -> np.ndarray:
    """Biases of a class head: for each anchor of a cell the background likely, every class as rare as the prior."""
    rare = math.log(class_prior / (1 - class_prior))
    of_anchor = np.full(columns, rare, np.float32)
    of_anchor[0] = -rare
    return np.tile(of_anchor, shape[0] // columns)
