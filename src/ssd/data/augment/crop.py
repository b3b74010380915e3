"""One crop at a drawn IoU: the tutorial's step.

Departure from the tutorial: a crop counts when **at least one** object reaches the drawn IoU with it, as SSD's Caffe
code means it; the tutorial's rule lets nearly every crop through.
"""

from collections.abc import Iterator

import numpy as np

from ssd.data.augment.cut import centre_of, cut_out
from ssd.geometry.boxes import area, intersection

CROP_MIN_IOUS = (0.1, 0.3, 0.5, 0.7, 0.9)
CROP_TRIALS = (10, 40)
"""Of the 50 rectangles so many are looked at together: in most images one of the first ten fits."""

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
    min_iou = rng.choice(CROP_MIN_IOUS)
    part_px = _first_fitting(boxes, min_iou, *image.shape[:2], rng)
    return (image, boxes, labels) if part_px is None else cut_out(image, boxes, labels, part_px)


def _first_fitting(
    boxes: np.ndarray, min_iou: float, height: int, width: int, rng: np.random.Generator
) -> np.ndarray | None:
    """The first drawn rectangle that an object has this IoU with, and one its centre in; None if none of 50 has.

    Rectangles are drawn ahead, and then the generator is put where it had been had they been drawn one by one.

    Returns:
        [4] ymin, xmin, ymax, xmax in whole pixels.
    """
    before = rng.bit_generator.state
    centre, areas = centre_of(boxes), area(boxes)
    drawn = _draw_parts(rng)
    found, used = None, 0
    for together in CROP_TRIALS:
        numbers = [next(drawn) for _ in range(together)]
        shares = np.array([each[:4] for each in numbers])
        sides = shares[:, :2] * (height, width)
        origin = (shares[:, 2:] * ((height, width) - sides)).astype(np.int64)
        parts_px = np.concatenate([origin, origin + np.maximum(sides.astype(np.int64), 1)], axis=1)
        parts = parts_px / np.array([height, width, height, width], np.float32)
        shared = intersection(parts, boxes)
        ious = shared / np.maximum(area(parts)[:, None] + areas - shared, 1e-12)
        inside = ((centre >= parts[:, None, :2]) & (centre < parts[:, None, 2:])).all(axis=2)
        (fitting,) = np.nonzero((ious.max(axis=1) >= min_iou) & inside.any(axis=1))
        used = numbers[fitting[0] if len(fitting) else -1][4]
        if len(fitting):
            found = parts_px[fitting[0]]
            break
    rng.bit_generator.state = before
    rng.random(used)
    return found


def _draw_parts(rng: np.random.Generator) -> Iterator[tuple[float, float, float, float, int]]:
    """Rectangles without end: height, width as shares, top, left as shares of the room; numbers drawn so far."""
    number, drawn = 0, rng.random(128).tolist()
    while True:
        if len(drawn) < number + 4:
            drawn += rng.random(128).tolist()
        height, width = (CROP_MIN_SCALE + (1 - CROP_MIN_SCALE) * each for each in drawn[number : number + 2])
        number += 2
        if 1 / CROP_MAX_ASPECT <= height / width <= CROP_MAX_ASPECT:
            yield height, width, drawn[number], drawn[number + 1], (number := number + 2)
