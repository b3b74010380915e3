"""How well a set of anchors covers ground truth: what the network can be trained on at all."""

from collections.abc import Iterable

import numpy as np

from ssd.geometry.boxes import iou
from ssd.geometry.matching import match_overlaps

SMALL_BELOW_PX = 32**2
MEDIUM_BELOW_PX = 96**2
"""COCO's area limits, in square pixels: small < 32² ≤ medium < 96² ≤ large."""


def coverage(
    gt_boxes: Iterable[np.ndarray], anchors: np.ndarray, threshold: float
) -> tuple[np.ndarray, np.ndarray]:
    """Which ground truths an anchor reaches, and how many anchors of each image are positive.

    Args:
        gt_boxes: one [G, 4] yxyx an image; G may be 0.
        anchors: [A, 4] yxyx.
        threshold: the IoU from which on a ground truth is covered and an anchor positive.

    Returns:
        covered [sum of G] bool, in the order given: has an anchor with IoU >= threshold;
        matched [images] int64: positive anchors, those forced on uncovered ground truths included.
    """
    covered, matched = bytearray(), []
    for of_image in gt_boxes:
        overlaps = iou(of_image, anchors)
        covered += (overlaps.max(axis=1, initial=0) >= threshold).tobytes()
        matched.append(np.count_nonzero(match_overlaps(overlaps, threshold) >= 0))
    return np.frombuffer(covered, bool), np.array(matched, np.int64)


def by_size(areas_px: np.ndarray) -> dict[str, np.ndarray]:
    """Which objects are small, medium, large by COCO's limits: {name: [N] bool}.

    Args:
        areas_px: [N] square pixels of the photo.
    """
    small, large = areas_px < SMALL_BELOW_PX, areas_px >= MEDIUM_BELOW_PX
    return {"small": small, "medium": ~small & ~large, "large": large}


def share(covered: np.ndarray) -> float | None:
    """The part of objects [N] bool that are covered, 4 decimals; None when there are none."""
    return round(float(covered.mean()), 4) if len(covered) else None
