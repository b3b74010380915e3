"""What is done to a training image, in which order: one function a policy, a list of steps to read downwards.

`tutorial` is MindSpore's: one crop, mirroring, a bilinear resize, colour jitter. `ssd` is that of SSD's Caffe code
(Liu et al. 2016, sections 2.2 and 3.6; `ssd_pascal.py`): distorted colours, the image small on a large canvas, one of
seven sampled parts, a resize with a drawn interpolation, mirroring; its values there are crop 1, mirror 0.5, colour
0.5, contrast 0.5, saturation 0.5, brightness_shift 32, hue 18, shuffle_channels 0, expand 0.5, expand_max 4,
interpolation random. `none` shows training what evaluation sees.

Departure from Caffe: photos longer than 1024 pixels, which COCO and VOC do not have, are shrunk first, since a canvas
16 times as large as a camera's photo takes half a gigabyte.
"""

import numpy as np

from ssd.config import Augment
from ssd.data.augment.colour import jitter_colour
from ssd.data.augment.crop import crop
from ssd.data.augment.distort import distort, shuffle_channels
from ssd.data.augment.expand import expand
from ssd.data.augment.mirror import mirror
from ssd.data.augment.resize import draw_interpolation, resize, shrink
from ssd.data.augment.samplers import crop_to_sample

LONGEST = 1024
"""Pixels on a side of a photo, at most, that policy `ssd` works on."""


def augment(
    image: np.ndarray,
    boxes: np.ndarray,
    labels: np.ndarray,
    rules: Augment,
    size: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A random variant of an image with its objects, as large as the network's input.

    Args:
        image: [H, W, 3] uint8 RGB.
        boxes: [G, 4] yxyx; G may be 0.
        labels: [G].
        rules: the policy, its chances and ranges.
        size: side of the network's input.
        rng: all that chance comes from.

    Returns:
        image [size, size, 3] uint8, boxes [G', 4] and labels [G'] of the objects that stay; G' may be 0.
    """
    if rules.policy == "tutorial":
        return tutorial(image, boxes, labels, rules, size, rng)
    if rules.policy == "ssd":
        return ssd(image, boxes, labels, rules, size, rng)
    return resize(image, size), boxes, labels


def tutorial(
    image: np.ndarray,
    boxes: np.ndarray,
    labels: np.ndarray,
    rules: Augment,
    size: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """As `augment`: the steps of MindSpore's tutorial."""
    if rng.random() < rules.crop:
        image, boxes, labels = crop(image, boxes, labels, rng)
    if rng.random() < rules.mirror:
        image, boxes = mirror(image, boxes)
    changes_colour = rng.random() < rules.colour
    image = resize(image, size, draw_interpolation(rules.interpolation, rng))
    if changes_colour:
        image = jitter_colour(image, rules.brightness, rules.contrast, rules.saturation, rng)
    return image, boxes, labels


def ssd(
    image: np.ndarray,
    boxes: np.ndarray,
    labels: np.ndarray,
    rules: Augment,
    size: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """As `augment`: the steps of SSD's Caffe code."""
    image = shrink(image, LONGEST)
    image = distort(
        image, rules.colour, rules.brightness_shift, rules.contrast, rules.saturation, rules.hue, rng
    )
    if rng.random() < rules.shuffle_channels:
        image = shuffle_channels(image, rng)
    if rng.random() < rules.expand:
        image, boxes = expand(image, boxes, rules.expand_max, rng)
    if rng.random() < rules.crop:
        image, boxes, labels = crop_to_sample(image, boxes, labels, rng)
    image = resize(image, size, draw_interpolation(rules.interpolation, rng))
    if rng.random() < rules.mirror:
        image, boxes = mirror(image, boxes)
    return image, boxes, labels
