"""Boxes as the network speaks of them: relative to an anchor (Liu et al. 2016, eq. 2), and back.

Departures: the order is centre y, centre x, height, width (the paper has x first), and sizes are guarded
both ways, so that neither a box without area nor a wild output becomes infinite.
"""

import math

import numpy as np

from ssd.geometry.boxes import to_cyxhw, to_yxyx

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
    target, anchor = to_cyxhw(boxes), to_cyxhw(anchors)
    centre = (target[..., :2] - anchor[..., :2]) / anchor[..., 2:] / variances[0]
    size = np.log(np.maximum(target[..., 2:] / anchor[..., 2:], MIN_SIZE_RATIO)) / variances[1]
    return np.concatenate([centre, size], axis=-1)


def decode(offsets: np.ndarray, anchors: np.ndarray, variances: tuple[float, float]) -> np.ndarray:
    """Boxes from offsets: the inverse of `encode` for boxes of 1e-6 to 62.5 times their anchor's size.

    Args:
        offsets: [A, 4] or [B, A, 4] cy, cx, h, w.
        anchors: [A, 4] yxyx.
        variances: as for `encode`.

    Returns:
        yxyx, of the offsets' shape; not clipped; float32 for float32.
    """
    anchor = to_cyxhw(anchors)
    centre = anchor[..., :2] + offsets[..., :2] * variances[0] * anchor[..., 2:]
    size = np.exp(np.minimum(offsets[..., 2:] * variances[1], MAX_LOG_SIZE_RATIO)) * anchor[..., 2:]
    return to_yxyx(np.concatenate([centre, size], axis=-1))
