"""A whole SSD300 of torchvision as a checkpoint of this project.

What differs there: boxes are x, y, w, h (here cy, cx, h, w); the input is RGB (here BGR: the first kernel is turned
round) less .48235, .45882, .40784 of 255 (here 123, 117, 104, which is the same to a thousandth); anchors wider or
higher than the image are cut to its size about their centre (`clip` is size).
"""

from pathlib import Path

import mindspore as ms
import numpy as np

from ssd.config import Anchors, Model
from ssd.engine.checkpoint import UNUSED, Description, build_network, save_checkpoint
from ssd.geometry.anchors import anchors_per_cell, make_anchors
from ssd.model.detector import SSD
from ssd.model.misfit import misfit
from ssd.model.weight_files import Tensors, read_tensors

MODEL = Model(
    input_size=300,
    width=1.0,
    batch_norm=False,
    heads="conv",
    dropout=0.0,
    l2_norm=True,
    input="caffe_bgr",
    pretrained=None,
    pretrained_sha256=None,
)
RECIPE = Anchors(
    steps=(8.0, 16.0, 32.0, 64.0, 100.0, 300.0),
    sizes=(0.07, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05),
    ratios=((2.0,), (2.0, 3.0), (2.0, 3.0), (2.0, 3.0), (2.0,), (2.0,)),
    large_square="second",
    clip="size",
)
VARIANCES = (0.1, 0.2)
TOLD = 5

# COCO's 80 classes in runs of consecutive ids, each by its first.
COCO_RUNS = {
    1: "person,bicycle,car,motorcycle,airplane,bus,train,truck,boat,traffic light,fire hydrant",
    13: "stop sign,parking meter,bench,bird,cat,dog,horse,sheep,cow,elephant,bear,zebra,giraffe",
    27: "backpack,umbrella",
    31: (
        "handbag,tie,suitcase,frisbee,skis,snowboard,sports ball,kite,baseball bat,baseball glove,skateboard,"
        "surfboard,tennis racket,bottle"
    ),
    46: (
        "wine glass,cup,fork,knife,spoon,bowl,banana,apple,sandwich,orange,broccoli,carrot,hot dog,pizza,donut,"
        "cake,chair,couch,potted plant,bed"
    ),
    67: "dining table",
    70: "toilet",
    72: "tv,laptop,mouse,remote,keyboard,cell phone,microwave,oven,toaster,sink,refrigerator",
    84: "book,clock,vase,scissors,teddy bear,hair drier,toothbrush",
}
Classes = dict[int, str]
"""Names by category id, in the order of the labels."""


def coco_classes() -> Classes:
    """The labels of torchvision's detectors: COCO's ids 1 to 90; the ten that COCO does not use are `UNUSED`."""
    named = {
        category_id: name
        for first, names in COCO_RUNS.items()
        for category_id, name in enumerate(names.split(","), first)
    }
    return {category_id: named.get(category_id, UNUSED) for category_id in range(1, max(named) + 1)}


def convert_torchvision(source: Path, out: Path, classes: Classes) -> None:
    """Write the checkpoint of an SSD300 that torchvision trained (`ssd300_vgg16`).

    Args:
        source: its weights, as `read_tensors` takes them.
        out: the checkpoint; `.safetensors`.
        classes: of its labels 1, 2, …

    Raises:
        ValueError: a file that cannot be read, another network, or another number of classes.
    """
    if out.suffix != ".safetensors":
        raise ValueError(f"{out}: expected a name that ends in .safetensors, got {out.suffix!r}")
    description = Description(MODEL, RECIPE, VARIANCES, tuple(classes.values()), tuple(classes), "softmax")
    net = build_network(description)
    weights = torchvision_weights(read_tensors(source), source, net)
    for parameter in net.get_parameters():
        parameter.set_data(ms.Tensor(weights[parameter.name]))
    anchors = make_anchors(
        MODEL.input_size, RECIPE.steps, RECIPE.sizes, RECIPE.ratios, RECIPE.large_square, RECIPE.clip
    )
    save_checkpoint(out, net, anchors, description)


def torchvision_weights(tensors: Tensors, path: Path, net: SSD) -> dict[str, np.ndarray]:
    """The weights of `net` of those by torchvision's names.

    Args:
        tensors: of an `ssd300_vgg16`, as read from `path`.
        path: for errors.
        net: for as many classes; its parameters give the shapes.

    Raises:
        ValueError: another network, or another number of classes.
    """
    in_cell, columns = anchors_per_cell(RECIPE.ratios)[0], net.class_heads.values
    bias = tensors.get("head.classification_head.module_list.0.bias", np.zeros(in_cell * columns))
    if bias.ndim == 1 and len(bias) % in_cell == 0 and len(bias) != in_cell * columns:
        raise ValueError(
            f"{path}: expected scores of {columns} classes with the background, got {len(bias) // in_cell}; "
            "give the records whose classes it was trained on (--records)"
        )
    names = torchvision_names()
    shapes = {each.name: each.shape for each in net.get_parameters()}
    told = misfit(
        {theirs: shapes[ours] for ours, theirs in names.items()},
        {name: each.shape for name, each in tensors.items()},
        TOLD,
    )
    if told:
        raise ValueError(f"{path}: expected torchvision's SSD300 on VGG16 (ssd300_vgg16), got others: {told}")

    weights = {}
    for ours, theirs in names.items():
        weight = tensors[theirs].astype(np.float32)
        if not np.isfinite(weight).all():
            raise ValueError(f"{path}: {theirs}: expected finite numbers, got NaN or infinity")
        if ours == "backbone.block1.0.conv.weight":
            weight = weight[:, ::-1]
        if ours.startswith("box_heads."):
            of_anchors = weight.reshape(-1, 4, *weight.shape[1:])
            weight = of_anchors[:, [1, 0, 3, 2]].reshape(weight.shape)
        weights[ours] = np.ascontiguousarray(weight)
    return weights


def torchvision_names() -> dict[str, str]:
    """torchvision's name of each of our parameters."""
    layers = {"fc6.conv": "extra.0.7.1", "fc7.conv": "extra.0.7.3"}
    for block, places in enumerate(((0, 2), (5, 7), (10, 12, 14), (17, 19, 21)), 1):
        layers |= {f"block{block}.{layer}.conv": f"features.{place}" for layer, place in enumerate(places)}
    layers |= {f"block5.{layer}.conv": f"extra.0.{1 + 2 * layer}" for layer in range(3)}
    layers = {f"backbone.{ours}": f"backbone.{theirs}" for ours, theirs in layers.items()}
    for extra in range(4):
        for layer in range(2):
            layers[f"extras.{extra}.{layer}.conv"] = f"backbone.extra.{extra + 1}.{2 * layer}"
    for ours, theirs in (("box_heads", "regression_head"), ("class_heads", "classification_head")):
        layers |= {f"{ours}.heads.{place}.out": f"head.{theirs}.module_list.{place}" for place in range(6)}
    names = {
        f"{ours}.{kind}": f"{theirs}.{kind}" for ours, theirs in layers.items() for kind in ("weight", "bias")
    }
    return names | {"l2_norm.scale": "backbone.scale_weight"}
