"""Outputs of a network as they are for real photos, without a trained one: made of the objects of each photo.

Every anchor has the boxes' offsets of the object that it overlaps most, off by some noise, and a score of that object's
class that falls with the overlap; some other classes are nearly as likely, and noise is everywhere. That is what an
image of a trained detector looks like to NMS: heaps of boxes on each object, and few alone.
"""

import numpy as np

from ssd.geometry.boxes import iou, to_cyxhw
from ssd.geometry.offsets import encode

VARIANCES = (0.1, 0.2)


def outputs_of(
    boxes: np.ndarray, labels: np.ndarray, anchors: np.ndarray, classes: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Offsets [A, 4] and scores [A, C] of one photo, float32.

    Args:
        boxes: [G, 4] yxyx; G may be 0.
        labels: [G], 1 to C.
        anchors: [A, 4] yxyx.
        classes: C.
        seed: of the noise.
    """
    rng = np.random.default_rng(seed)
    count = len(anchors)
    offsets = rng.normal(0, 0.3, (count, 4)).astype(np.float32)
    logits = rng.normal(-7.5, 1.0, (count, classes)).astype(np.float32)
    if len(boxes):
        overlaps = iou(boxes.astype(np.float32), anchors)
        best, overlap = overlaps.argmax(axis=0), overlaps.max(axis=0)
        (near,) = np.nonzero(overlap > 0.1)
        near = near[(to_cyxhw(boxes[best[near]])[:, 2:] > 1e-3).all(axis=1)]
        offsets[near] += encode(boxes[best[near]], anchors[near], VARIANCES).astype(np.float32)
        for shift, strength in ((0, 12.0), (1, 8.0), (2, 7.0)):
            columns = (labels[best[near]] - 1 + shift) % classes
            logits[near, columns] += strength * np.minimum(overlap[near] * 1.5, 1)
    return offsets, (1 / (1 + np.exp(-logits))).astype(np.float32)


def least_score(scores: np.ndarray, candidates: int) -> float:
    """The score above which so many, and no more, of [A, C] are."""
    return float(np.partition(scores.ravel(), -candidates - 1)[-candidates - 1])
