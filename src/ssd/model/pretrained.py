"""VGG16 trained on ImageNet as the first weights of the backbone: from torchvision (or timm), Keras or MindCV.

fc6 and fc7, fully connected there, become the paper's convolutions (Liu et al. 2016, section 3.1, after Chen et al.
2015): every 4th output, 0, 4, 8, …; of fc6's 7x7 kernel rows and columns 0, 3 and 6, which the dilation of 6 spreads
again; of fc7 every 4th input too, which are fc6's outputs. A file without them leaves them their own first weights,
fc6's divided by the size of what comes to it: Caffe's weights make values of some 14 on photos there, where random
weights make values of 1, and so all that follows would start 14 times too large. That is the first step of LSUV
(Mishkin and Matas 2016), taken on one layer.

Weights bring their input with them (`model.input`). One kind is not made of the other: their means differ, and what a
mean adds is not the same under a kernel that hangs over the zero padded border.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import mindspore as ms
import mindspore.nn as nn
import numpy as np

from ssd.config import Input
from ssd.files import sha256
from ssd.model.detector import SSD
from ssd.model.misfit import misfit
from ssd.model.vgg import BLOCKS, FC_CHANNELS, VGG16
from ssd.model.weight_files import Tensors, read_tensors
from ssd.telling import LOG

# Place of each convolution in torchvision's and MindCV's `features`, and its name here.
FEATURES = {
    place: f"block{block}.{layer}.conv"
    for place, (block, layer) in zip(
        (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28),
        [(block, layer) for block, channels in enumerate(BLOCKS, 1) for layer in range(len(channels))],
        strict=True,
    )
}
CLASSIFIER = {"classifier.0": "fc6.conv", "classifier.3": "fc7.conv"}

# timm's names of torchvision's classifier, whose layers are convolutions there.
TIMM = {"pre_logits.fc1": "classifier.0", "pre_logits.fc2": "classifier.3", "head.fc": "classifier.6"}

FC, POOL5_SIDE = 4096, 7  # of VGG16 itself, on images of 224 pixels
CLASSES = 1000
TOLD = 5


@dataclass(frozen=True)
class Backbone:
    """VGG16 as read from a file.

    Attributes:
        input: the images it was trained on.
        weights: by the names of `VGG16`'s parameters; kernels [out, in, h, w].
    """

    input: Input
    weights: dict[str, np.ndarray]


def start_from_pretrained(
    net: SSD, path: Path | None, digest: str | None, wanted: Input, examples: Callable[[], np.ndarray]
) -> None:
    """Put the weights of a file into the backbone, if there is a file, and tell what it gave.

    To be called after the first weights are set and before the network is compiled.

    Args:
        net: of width 1 and without batch norm.
        path: the file, as `read_tensors` takes it.
        digest: its SHA-256; where it is not given, it is told.
        wanted: the network's input.
        examples: gives some images as the network wants them, [N, 3, S, S]; asked for where the file has no fc6.

    Raises:
        ValueError: another digest, another input, or weights that do not fit.
    """
    if path is None:
        return
    if not path.is_file():
        raise ValueError(f"{path}: expected a file of VGG16's weights (model.pretrained), got no such file")
    found = sha256(path)
    if digest is not None and found != digest:
        raise ValueError(f"{path}: expected sha256 {digest} (model.pretrained_sha256), got {found}")
    backbone = read_backbone(path)
    if backbone.input != wanted:
        raise ValueError(f"{path}: expected model.input: {backbone.input} for these weights, got {wanted}")
    parameters = {each.name.removeprefix("backbone."): each for each in net.backbone.get_parameters()}
    shapes = {name: weights.shape for name, weights in backbone.weights.items()}
    expected = {name: parameter.shape for name, parameter in parameters.items()}
    own = [] if "fc6.conv.weight" in shapes else [name for name in expected if name.startswith("fc")]
    told = misfit({name: shape for name, shape in expected.items() if name not in own}, shapes, TOLD)
    if told:
        raise ValueError(f"{path}: the weights do not fit a backbone of this width: {told}")
    for name, weights in backbone.weights.items():
        parameters[name].set_data(ms.Tensor(weights))
    rest = "fc6 and fc7 thinned out"
    if own:
        size = _size_at_fc6(net, examples())
        if not 0 < size < np.inf:
            raise ValueError(
                f"{path}: expected weights that see something in the images, got {size} before fc6"
            )
        kernel = net.backbone.fc6.conv.weight
        kernel.set_data(ms.Tensor(kernel.asnumpy() / np.float32(size)))
        rest = f"fc6 and fc7, not in the file, start from the seed, fc6 divided by {size:.4g}"
    LOG.info("backbone from %s (sha256 %s): 13 convolutions; %s", path, found, rest)


class _ToFc6(nn.Cell):
    """The backbone as far as what fc6 is given."""

    def __init__(self, backbone: VGG16) -> None:
        super().__init__(auto_prefix=False)  # the parameters keep their names
        self.backbone = backbone

    def construct(self, images: ms.Tensor) -> ms.Tensor:
        return self.backbone.features(images)[1]


def _size_at_fc6(net: SSD, images: np.ndarray) -> float:
    """The root mean square of what fc6 is given of these images."""
    given = _ToFc6(net.backbone)(ms.Tensor(images)).asnumpy()
    return float(np.sqrt(np.mean(np.square(given, dtype=np.float64))))


def read_backbone(path: Path) -> Backbone:
    """VGG16 of a file of torchvision, Keras or MindCV.

    Raises:
        ValueError: not to be read, or not VGG16; says what is missing, extra or misshapen.
    """
    return backbone_from(read_tensors(path), path)


def backbone_from(tensors: Tensors, path: Path) -> Backbone:
    """VGG16 of the tensors that were read from `path`, as `read_backbone` gives it."""
    if any(re.match(r"features\.\d+\.", name) for name in tensors):
        return _torchvision(path, tensors, biases=path.suffix != ".ckpt")
    return _keras(path, tensors)


def _torchvision(path: Path, tensors: Tensors, biases: bool) -> Backbone:
    """torchvision's VGG16, or MindCV's, whose convolutions have no biases: they become 0.

    torchvision's IMAGENET1K_FEATURES are Caffe's weights with the first kernel in the order RGB, told by the
    classifier, which has no values there (NaN). Their mean is Caffe's but for rounding: .48235 * 255 = 122.999.
    """
    tensors = {_torchvision_name(name): each for name, each in tensors.items()}
    tensors |= {
        name: each.reshape(len(each), -1)
        for name, each in tensors.items()
        if name.startswith("classifier.") and each.ndim == 4
    }
    classifier = {name: each for name, each in tensors.items() if name.startswith("classifier.")}
    is_caffes = bool(classifier) and not any(np.nan_to_num(each).any() for each in classifier.values())
    if is_caffes:
        tensors = {name: each for name, each in tensors.items() if name not in classifier}
    kernels = {f"features.{place}": shape for place, shape in zip(FEATURES, _kernel_shapes(), strict=True)}
    expected = {f"{name}.weight": shape for name, shape in kernels.items()}
    if biases:
        expected |= {f"{name}.bias": shape[:1] for name, shape in kernels.items()}
    if classifier and not is_caffes:
        channels = BLOCKS[-1][-1]
        for name, shape in (
            ("classifier.0", (FC, channels * POOL5_SIDE**2)),
            ("classifier.3", (FC, FC)),
            ("classifier.6", (CLASSES, FC)),
        ):
            if name != "classifier.6" or f"{name}.weight" in tensors:
                expected |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    _require_fit(path, expected, tensors)

    weights = {}
    for place, name in FEATURES.items():
        kernel = tensors[f"features.{place}.weight"]
        weights[f"{name}.weight"] = kernel[:, ::-1] if is_caffes and place == 0 else kernel
        weights[f"{name}.bias"] = tensors.get(f"features.{place}.bias", np.zeros(len(kernel), np.float32))
    if "classifier.0.weight" in expected:
        fc6, fc7 = (tensors[f"{name}.weight"] for name in CLASSIFIER)
        weights |= _thinned_out(
            fc6.reshape(FC, -1, POOL5_SIDE, POOL5_SIDE),
            fc7,
            *(tensors[f"{name}.bias"] for name in CLASSIFIER),
        )
    return _finished(path, "caffe_bgr" if is_caffes else "imagenet_rgb", weights)


def _torchvision_name(name: str) -> str:
    layer, _, kind = name.rpartition(".")
    return f"{TIMM[layer]}.{kind}" if layer in TIMM else name


def _keras(path: Path, tensors: Tensors) -> Backbone:
    """Keras' VGG16, which is the authors': kernels [h, w, in, out], BGR less the mean."""
    named: Tensors = {}
    for name, each in tensors.items():
        short = _keras_name(name)
        named[name if short in named else short] = each  # a second one, of an optimizer, is extra
    names = {
        f"block{block}_conv{layer}": f"block{block}.{layer - 1}.conv"
        for block, channels in enumerate(BLOCKS, 1)
        for layer in range(1, len(channels) + 1)
    }
    expected: dict[str, tuple[int, ...]] = {}
    for name, (out, into, height, width) in zip(names, _kernel_shapes(), strict=True):
        expected |= {f"{name}/kernel": (height, width, into, out), f"{name}/bias": (out,)}
    channels = BLOCKS[-1][-1]
    if any(name.startswith(("fc1/", "fc2/")) for name in named):
        expected |= {"fc1/kernel": (POOL5_SIDE**2 * channels, FC), "fc1/bias": (FC,)}
        expected |= {"fc2/kernel": (FC, FC), "fc2/bias": (FC,)}
    if "predictions/kernel" in named:
        expected |= {"predictions/kernel": (FC, CLASSES), "predictions/bias": (CLASSES,)}
    _require_fit(path, expected, named)

    weights = {}
    for theirs, ours in names.items():
        weights[f"{ours}.weight"] = named[f"{theirs}/kernel"].transpose(3, 2, 0, 1)
        weights[f"{ours}.bias"] = named[f"{theirs}/bias"]
    if "fc1/kernel" in expected:
        fc6 = named["fc1/kernel"].reshape(POOL5_SIDE, POOL5_SIDE, channels, FC).transpose(3, 2, 0, 1)
        weights |= _thinned_out(
            fc6, named["fc2/kernel"].transpose(1, 0), named["fc1/bias"], named["fc2/bias"]
        )
    return _finished(path, "caffe_bgr", weights)


def _keras_name(name: str) -> str:
    """`layer/kernel` or `layer/bias` of the names that versions of Keras write; others as they are.

    block1_conv1/block1_conv1/kernel:0, block1_conv1/block1_conv1_W_1:0, block1_conv1/kernel.
    """
    found = re.search(r"(?:^|/)(\w+)(?:/|_)(kernel|bias|W_1|b_1)(?::0)?$", name)
    if not found:
        return name
    return f"{found[1]}/{'kernel' if found[2] in ('kernel', 'W_1') else 'bias'}"


def _thinned_out(
    fc6: np.ndarray, fc7: np.ndarray, fc6_bias: np.ndarray, fc7_bias: np.ndarray
) -> dict[str, np.ndarray]:
    """fc6 and fc7 as SSD's convolutions.

    Args:
        fc6: [4096, 512, 7, 7].
        fc7: [4096, 4096], outputs first.
        fc6_bias, fc7_bias: [4096].
    """
    every = FC // FC_CHANNELS
    return {
        "fc6.conv.weight": fc6[::every, :, ::3, ::3],
        "fc6.conv.bias": fc6_bias[::every],
        "fc7.conv.weight": fc7[::every, ::every, None, None],
        "fc7.conv.bias": fc7_bias[::every],
    }


def _kernel_shapes() -> list[tuple[int, ...]]:
    """[out, in, 3, 3] of the 13 convolutions, in order."""
    outs = [out for block in BLOCKS for out in block]
    return [(out, into, 3, 3) for into, out in zip([3, *outs], outs, strict=False)]


def _require_fit(path: Path, expected: dict[str, tuple[int, ...]], tensors: Tensors) -> None:
    told = misfit(expected, {name: each.shape for name, each in tensors.items()}, TOLD)
    if told:
        raise ValueError(f"{path}: expected the weights of VGG16, without batch norm, got others: {told}")


def _finished(path: Path, wanted: Input, weights: Tensors) -> Backbone:
    finished = {name: np.ascontiguousarray(each, np.float32) for name, each in weights.items()}
    for name, each in finished.items():
        if not np.isfinite(each).all():
            raise ValueError(f"{path}: {name}: expected finite numbers, got NaN or infinity")
    return Backbone(wanted, finished)
