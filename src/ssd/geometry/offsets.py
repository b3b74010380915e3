"""Boxes as the network speaks of them: relative to an anchor (Liu et al. 2016, eq. 2), and back.

Departures: the order is centre y, centre x, height, width (the paper has x first), and sizes are guarded
both ways, so that neither a box without area nor a wild output becomes infinite.
"""

import math

import numpy as np

from ssd.geometry.boxes import centres_and_sizes, to_yxyx

MIN_SIZE_RATIO = 1e-6
"""A box smaller than this part of its anchor is encoded as if it were this large (MindSpore's tutorial)."""

MAX_LOG_SIZE_RATIO = math.log(1000 / 16)
"""A decoded box is at most 62.5 times as large as its anchor (torchvision's bound): exp cannot overflow."""


def encode(boxes: np.ndarray, anchors: np.ndarray, variances: tuple[float, float]) -> np.ndarray:
    """Offsets of boxes from their anchors: (c - c_a) / size_a / v_centre and ln(size / size_a) / v_size.

    Args:
        boxes: [N, 4] yxyx.
        anchors: [N, 4] yxyx, in the same unit, with positive sizes; row by row the box's own.
        variances: divisors of the encoded centres and sizes, usually (0.1, 0.2).

    Returns:
        [N, 4] cy, cx, h, w; finite; float32 for float32.
    """
    centres, sizes = centres_and_sizes(boxes)
    anchor_centres, anchor_sizes = centres_and_sizes(anchors)
    of_centre, of_size = variances
    moves = (centres - anchor_centres) / anchor_sizes / of_centre
    growths = np.log(np.maximum(sizes / anchor_sizes, MIN_SIZE_RATIO)) / of_size
    return np.concatenate([moves, growths]).T


def decode(offsets: np.ndarray, anchors: np.ndarray, variances: tuple[float, float]) -> np.ndarray:
    """Boxes from offsets: the inverse of `encode` for boxes of 1e-6 to 62.5 times their anchor's size.

    Args:
        offsets: [A, 4] or [B, A, 4] cy, cx, h, w.
        anchors: [A, 4] yxyx.
        variances: as for `encode`.

    Returns:
        yxyx, of the offsets' shape; not clipped; float32 for float32.
    """
    y, x, height, width = np.moveaxis(offsets, -1, 0)
    (anchor_y, anchor_x), (anchor_height, anchor_width) = centres_and_sizes(anchors)
    of_centre, of_size = variances
    boxes_cyxhw = [
        anchor_y + y * of_centre * anchor_height,
        anchor_x + x * of_centre * anchor_width,
        np.exp(np.minimum(height * of_size, MAX_LOG_SIZE_RATIO)) * anchor_height,
        np.exp(np.minimum(width * of_size, MAX_LOG_SIZE_RATIO)) * anchor_width,
    ]
    return to_yxyx(np.stack(boxes_cyxhw, axis=-1))
