"""Boxes and their overlap: yxyx fractions inside, other forms at the doors.

Coordinates are taken one by one: over the last axis of [N, 4], or half of it, NumPy takes five times as long.
Inclusive pixel counts (the `+1` of older code) appear nowhere: a box is as wide as `xmax - xmin`.
"""

import numpy as np


def area(boxes: np.ndarray) -> np.ndarray:
    """The areas of boxes, in the square of their unit; a box whose corners are swapped has none.

    Args:
        boxes: [N, 4] yxyx.

    Returns:
        [N], of the boxes' dtype.
    """
    height = np.maximum(boxes[:, 2] - boxes[:, 0], 0)
    width = np.maximum(boxes[:, 3] - boxes[:, 1], 0)
    return height * width


def intersection(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The area each box of `a` shares with each box of `b`.

    Args:
        a: [N, 4] yxyx.
        b: [M, 4] yxyx, in the same unit.

    Returns:
        [N, M], of the wider of the two dtypes.
    """
    a_ymin, a_xmin, a_ymax, a_xmax = (column[:, None] for column in np.ascontiguousarray(a.T))
    b_ymin, b_xmin, b_ymax, b_xmax = np.ascontiguousarray(b.T)
    # in place: with [N, M] large, the time is the memory's
    height = np.minimum(a_ymax, b_ymax)
    height -= np.maximum(a_ymin, b_ymin)
    np.maximum(height, 0, out=height)
    width = np.minimum(a_xmax, b_xmax)
    width -= np.maximum(a_xmin, b_xmin)
    np.maximum(width, 0, out=width)
    height *= width
    return height


def iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union of each box of `a` with each box of `b`; 0 where both have no area, never NaN.

    Args:
        a: [N, 4] yxyx, floating.
        b: [M, 4] yxyx, in the same unit.

    Returns:
        [N, M] in [0, 1], of the wider of the two dtypes.
    """
    shared = intersection(a, b)
    union = area(a)[:, None] + area(b)
    union -= shared
    # The smallest normal number: a subnormal one may be flushed to zero, depending on what else is loaded.
    np.maximum(union, np.finfo(union.dtype).tiny, out=union)
    shared /= union
    return shared


def clip(boxes: np.ndarray) -> np.ndarray:
    """Boxes [..., 4] yxyx cut to the image, [0, 1]; one outside becomes a line on the border."""
    return np.clip(boxes, 0, 1)


def centres_and_sizes(boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centres y, x and sizes height, width, [2, ...] both, of boxes [..., 4] yxyx."""
    corners = np.ascontiguousarray(np.moveaxis(boxes, -1, 0))
    sizes = corners[2:] - corners[:2]
    return corners[:2] + sizes / 2, sizes


def to_cyxhw(boxes: np.ndarray) -> np.ndarray:
    """Boxes [..., 4] yxyx as centre and size: centre y, centre x, height, width."""
    centres, sizes = centres_and_sizes(boxes)
    return np.stack([*centres, *sizes], axis=-1)


def to_yxyx(boxes_cyxhw: np.ndarray) -> np.ndarray:
    """Boxes [..., 4] given as centre y, centre x, height, width, as yxyx."""
    y, x, height, width = np.moveaxis(boxes_cyxhw, -1, 0)
    half_height, half_width = height / 2, width / 2
    return np.stack([y - half_height, x - half_width, y + half_height, x + half_width], axis=-1)


def from_xywh_px(boxes_xywh_px: np.ndarray, height: int | np.ndarray, width: int | np.ndarray) -> np.ndarray:
    """COCO's boxes as yxyx fractions of their image.

    Args:
        boxes_xywh_px: [N, 4] left, top, width, height in pixels.
        height: the image's, in pixels, or those of the images of each box, [N].
        width: as `height`.

    Returns:
        [N, 4] yxyx; not clipped; float32 stays float32, whole numbers become float64.
    """
    x, y, box_width, box_height = np.moveaxis(boxes_xywh_px, -1, 0)
    return np.stack([y / height, x / width, (y + box_height) / height, (x + box_width) / width], axis=-1)


def to_xywh_px(boxes: np.ndarray, height: int, width: int) -> np.ndarray:
    """Boxes as COCO writes them: [N, 4] left, top, width, height in pixels of an image of this size.

    Args:
        boxes: [N, 4] yxyx fractions.
        height: the image's, in pixels.
        width: the image's, in pixels.
    """
    ymin, xmin, ymax, xmax = np.moveaxis(boxes, -1, 0)
    return np.stack([xmin * width, ymin * height, (xmax - xmin) * width, (ymax - ymin) * height], axis=-1)
