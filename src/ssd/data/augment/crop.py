"""One crop at a drawn IoU: the tutorial's step.

Departure from the tutorial: a crop counts when **at least one** object reaches the drawn IoU with it, as SSD's Caffe
code means it; the tutorial's rule lets nearly every crop through.
"""

import numpy as np

from ssd.data.augment.cut import centred_in, cut_out, fractions_of
from ssd.geometry.boxes import area, intersection

CROP_MIN_IOUS = (0.1, 0.3, 0.5, 0.7, 0.9)
CROP_TRIALS = 50
CROP_MIN_SCALE = 0.3
CROP_MAX_ASPECT = 2.0


def crop(
    image: np.ndarray, boxes: np.ndarray, labels: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A part of the image in which at least one object has a drawn IoU with the part (Liu et al. 2016, section 2.2).

    Its sides are 0.3 to 1 of the image's; the ratio of these fractions is between 1/2 and 2 (Caffe's aspect, which
    the longest photo has room for). Objects whose centre is inside stay, cut to the part. Without objects, or
    when 50 draws find no such part, everything comes back as it was.
    """
    if not len(boxes):
        return image, boxes, labels
    height, width = image.shape[:2]
    min_iou = rng.choice(CROP_MIN_IOUS)
    for _ in range(CROP_TRIALS):
        part_px = _draw_part_px(height, width, rng)
        part = fractions_of(part_px, image)
        shared = intersection(part[None], boxes)[0]
        ious = shared / np.maximum(area(part[None]) + area(boxes) - shared, 1e-12)
        if ious.max() >= min_iou and centred_in(part, boxes).any():
            return cut_out(image, boxes, labels, part_px)
    return image, boxes, labels


def _draw_part_px(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """A rectangle in whole pixels: [4] ymin, xmin, ymax, xmax."""
    while True:
        part_height, part_width = rng.uniform(CROP_MIN_SCALE, 1, 2)
        if 1 / CROP_MAX_ASPECT <= part_height / part_width <= CROP_MAX_ASPECT:
            break
    part_height, part_width = part_height * height, part_width * width
    top, left = rng.uniform(0, 1, 2) * (height - part_height, width - part_width)
    top, left = int(top), int(left)
    return np.array([top, left, top + max(1, int(part_height)), left + max(1, int(part_width))])
