"""Caffe's batch samplers: seven look for a part of the image, one of the parts found is taken.

From SSD's Caffe code (`GenerateBatchSamples` with the samplers of `ssd_pascal.py`; Liu et al. 2016, section 2.2).
The first sampler has the whole image; five want a part in which at least one object reaches an IoU with the part; the
last is free, but for wanting an object in the image. Which parts are likely follows from all seven running: a hard
IoU is found seldom, and then is only one of the parts to choose from.

Departures from Caffe: a part begins and ends at the nearest whole pixels, and objects are cut to these (Caffe cuts
pixels down and boxes not at all, up to a pixel apart).
"""

import numpy as np

from ssd.data.augment.cut import cut_out
from ssd.geometry.boxes import clip, iou

WHOLE = np.array([0.0, 0.0, 1.0, 1.0])
MIN_IOUS = (0.1, 0.3, 0.5, 0.7, 0.9, 0.0)
"""Of the six samplers beside the whole image's; any object has an IoU of at least 0 with any part: the free one."""

TRIALS = 50
MIN_SCALE, MAX_SCALE = 0.3, 1.0
MIN_ASPECT, MAX_ASPECT = 0.5, 2.0


def crop_to_sample(
    image: np.ndarray, boxes: np.ndarray, labels: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One of the parts that the samplers find, and the objects whose centre is inside, cut to it.

    Every part found is as likely. No object may be left: such a part is background. Without objects the whole
    image is the one part.
    """
    found = [WHOLE, *(part for min_iou in MIN_IOUS if (part := find_part(boxes, min_iou, rng)) is not None)]
    part = found[rng.integers(len(found))]
    return cut_out(image, boxes, labels, to_whole_pixels(part, image))


def find_part(boxes: np.ndarray, min_iou: float, rng: np.random.Generator) -> np.ndarray | None:
    """The first of 50 drawn parts with which an object has at least this IoU: [4] yxyx; None if there is none."""
    parts = draw_parts(TRIALS, rng)
    (reached,) = np.nonzero((iou(parts, boxes) >= min_iou).any(axis=1))
    return parts[reached[0]] if len(reached) else None


def draw_parts(count: int, rng: np.random.Generator) -> np.ndarray:
    """Parts of the unit square: [count, 4] yxyx.

    With a scale s drawn from [0.3, 1], the area is s². Width by height (as fractions) is drawn from [1/2, 2] and, so
    that both fit, cut to [s², 1/s²]: many large parts are as wide or as high as the image. They lie anywhere.
    """
    scale = rng.uniform(MIN_SCALE, MAX_SCALE, count)
    aspect = np.clip(rng.uniform(MIN_ASPECT, MAX_ASPECT, count), scale**2, 1 / scale**2)
    size = np.stack([scale / np.sqrt(aspect), scale * np.sqrt(aspect)], axis=1)
    origin = rng.uniform(0, 1, (count, 2)) * (1 - size)
    return clip(np.concatenate([origin, origin + size], axis=1))  # what was rounded beyond the border


def to_whole_pixels(part: np.ndarray, image: np.ndarray) -> np.ndarray:
    """A part, [4] yxyx, at the nearest whole pixels: [4] ymin, xmin, ymax, xmax; at least one pixel each way."""
    sides_px = np.array(image.shape[:2])
    begin_px, end_px = np.rint(part.reshape(2, 2) * sides_px).astype(np.int64)
    begin_px = np.minimum(begin_px, sides_px - 1)
    return np.concatenate([begin_px, np.maximum(end_px, begin_px + 1)])
