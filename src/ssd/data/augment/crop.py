"""One crop at a drawn IoU: the tutorial's step.

Departure from the tutorial: a crop counts when **at least one** object reaches the drawn IoU with it, as SSD's Caffe
code means it; the tutorial's rule lets nearly every crop through.
"""

import numpy as np

from ssd.data.augment.cut import cut_out

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
    min_iou = CROP_MIN_IOUS[rng.integers(len(CROP_MIN_IOUS))]
    part_px = _first_fitting(boxes, min_iou, np.array(image.shape[:2]), rng)
    return (image, boxes, labels) if part_px is None else cut_out(image, boxes, labels, part_px)


def _first_fitting(
    boxes: np.ndarray, min_iou: float, sides_px: np.ndarray, rng: np.random.Generator
) -> np.ndarray | None:
    """The first drawn rectangle that an object has this IoU with, and one its centre in; None if none of 50 has.

    All are looked at together, and then the generator is put where it would be had they been drawn one by one.
    Vertical and horizontal coordinates are in rows, both of which every step takes at once: with so few numbers the
    time is that of the calls.

    Args:
        boxes: [G, 4] yxyx.
        min_iou: that one of them should have with the rectangle.
        sides_px: [2] the image's height and width.
        rng: where the rectangles come from.

    Returns:
        [4] ymin, xmin, ymax, xmax in whole pixels.
    """
    before = rng.bit_generator.state
    shares, places, used = _draw_parts(rng)
    image_px = sides_px[:, None, None]
    parts_px = shares * image_px
    begin_px = (places * (image_px - parts_px)).astype(np.int64)
    end_px = begin_px + np.maximum(parts_px.astype(np.int64), 1)
    begin, end = begin_px / image_px, end_px / image_px
    box_begin, box_end = boxes.T.reshape(2, 2, 1, -1)
    shared = _product(np.maximum(np.minimum(end, box_end) - np.maximum(begin, box_begin), 0))
    union = _product(end - begin) + _product(np.maximum(box_end - box_begin, 0)) - shared
    centre = (box_begin + box_end) / 2
    centred = _product((centre >= begin) & (centre < end))
    fitting = (shared >= min_iou * union).any(axis=1) & centred.any(axis=1)
    first = int(fitting.argmax())
    rng.bit_generator.state = before
    if not fitting[first]:
        rng.random(used[-1])
        return None
    rng.random(used[first])
    return np.concatenate([begin_px[:, first, 0], end_px[:, first, 0]])


def _product(sides: np.ndarray) -> np.ndarray:
    """Areas of sides [2, ...], heights and widths; of what holds vertically and horizontally, whether both do."""
    return sides[0] * sides[1]


def _draw_parts(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """50 rectangles: shares of the image's height and width and places in the room beside them, [2, 50, 1] both.

    And how many numbers had been drawn after each: two for every shape, taken or not, and two for a place.
    """
    drawn = rng.random((_PAIRS, 2))
    while True:
        shares = CROP_MIN_SCALE + (1 - CROP_MIN_SCALE) * drawn
        aspect = shares[:, 0] / shares[:, 1]
        taken = (aspect >= 1 / CROP_MAX_ASPECT) & (aspect <= CROP_MAX_ASPECT)
        rows = _with_places(taken.tolist())
        if len(rows) == CROP_TRIALS:
            at = np.array(rows)
            return shares[at].T[..., None], drawn[at + 1].T[..., None], [2 * row + 4 for row in rows]
        drawn = np.concatenate([drawn, rng.random((_PAIRS, 2))])


def _with_places(taken: list[bool]) -> list[int]:
    """Rows of the first 50 pairs, or so many as there are, that are shapes; the pair after each is its place."""
    rows: list[int] = []
    is_place = False
    for row, is_shape in enumerate(taken[:-1]):
        if is_place:
            is_place = False
        elif is_shape:
            rows.append(row)
            is_place = True
    return rows[:CROP_TRIALS]
