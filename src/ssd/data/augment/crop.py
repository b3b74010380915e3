"""One crop at a drawn IoU: the tutorial's step.

Departure from the tutorial: a crop counts when **at least one** object reaches the drawn IoU with it, as SSD's Caffe
code means it; the tutorial's rule lets nearly every crop through.
"""

import numpy as np

from ssd.data.augment.cut import centre_of, cut_out
from ssd.geometry.boxes import area, intersection

CROP_MIN_IOUS = (0.1, 0.3, 0.5, 0.7, 0.9)
CROP_TRIALS = 50
CROP_MIN_SCALE = 0.3
CROP_MAX_ASPECT = 2.0

_PAIRS = 150
"""Pairs of numbers drawn at once: for 50 rectangles 125 are nearly always enough."""


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
    height, width = image.shape[:2]
    part_px = _first_fitting(boxes, min_iou, height, width, rng)
    return (image, boxes, labels) if part_px is None else cut_out(image, boxes, labels, part_px)


def _first_fitting(
    boxes: np.ndarray, min_iou: float, height: int, width: int, rng: np.random.Generator
) -> np.ndarray | None:
    """The first drawn rectangle that an object has this IoU with, and one its centre in; None if none of 50 has.

    All are looked at together, and then the generator is put where it would be had they been drawn one by one.

    Returns:
        [4] ymin, xmin, ymax, xmax in whole pixels.
    """
    before = rng.bit_generator.state
    shares, places, used = _draw_parts(rng)
    sides_px = np.array([height, width])
    sides = shares * sides_px
    origin = (places * (sides_px - sides)).astype(np.int64)
    parts_px = np.concatenate([origin, origin + np.maximum(sides.astype(np.int64), 1)], axis=1)
    parts = parts_px / np.array([height, width, height, width], np.float32)
    shared = intersection(parts, boxes)
    ious = shared / np.maximum(area(parts)[:, None] + area(boxes) - shared, 1e-12)
    centre = centre_of(boxes)
    inside = ((centre >= parts[:, None, :2]) & (centre < parts[:, None, 2:])).all(axis=2)
    (fitting,) = np.nonzero((ious.max(axis=1) >= min_iou) & inside.any(axis=1))
    rng.bit_generator.state = before
    rng.random(used[fitting[0] if len(fitting) else -1])
    return parts_px[fitting[0]] if len(fitting) else None


def _draw_parts(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """50 rectangles: height and width as shares of the image's [50, 2], top and left as shares of the room [50, 2].

    And how many numbers had been drawn after each: two for every shape, taken or not, and two for a place.
    """
    drawn = rng.random((_PAIRS, 2))
    while True:
        shares = CROP_MIN_SCALE + (1 - CROP_MIN_SCALE) * drawn
        aspect = shares[:, 0] / shares[:, 1]
        taken = (aspect >= 1 / CROP_MAX_ASPECT) & (aspect <= CROP_MAX_ASPECT)
        rows = _with_places(taken.tolist())
        if len(rows) == CROP_TRIALS:
            return shares[rows], drawn[[each + 1 for each in rows]], [2 * each + 4 for each in rows]
        drawn = np.concatenate([drawn, rng.random((_PAIRS, 2))])


def _with_places(taken: list[bool]) -> list[int]:
    """Rows of the first 50 pairs, or so many as there are, that are shapes; the pair after each is its place."""
    taken = [*taken[:-1], True]  # found at the end, for want of others
    rows: list[int] = []
    row = -2
    while len(rows) < CROP_TRIALS:
        row = taken.index(True, row + 2) if row < len(taken) - 2 else len(taken) - 1
        if row == len(taken) - 1:
            break
        rows.append(row)
    return rows
