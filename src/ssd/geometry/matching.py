"""Which ground truth each anchor answers for, by the rule of SSD's Caffe code (`MatchBBox`, PER_PREDICTION).

First every ground truth gets an anchor of its own: the pair with the highest IoU of all is made, both are
taken out, then the next. Of equal pairs the lowest anchor goes first, then the lowest ground truth. After
that, each anchor left whose best IoU reaches the threshold answers for that ground truth, of equal ones the
first.

What holds: no ground truth takes another's own anchor. A pair that does not overlap is never made, so a
ground truth without area gets no anchor. One that overlaps at least G anchors, where G is the number of
ground truths of the image, always gets its own.

Departure: Caffe calls an IoU below 1e-6 no overlap; here every IoU above 0 counts.
"""

import heapq

import numpy as np

from ssd.geometry.boxes import iou


def match(gt_boxes: np.ndarray, anchors: np.ndarray, threshold: float) -> np.ndarray:
    """For each anchor the ground truth it answers for, or -1: it is a negative.

    Args:
        gt_boxes: [G, 4] yxyx; G may be 0.
        anchors: [A, 4] yxyx, in the same unit.
        threshold: an anchor is positive from this IoU on; above 0.

    Returns:
        [A] int32, index into `gt_boxes` or -1.
    """
    return match_overlaps(iou(gt_boxes, anchors), threshold)


def match_overlaps(overlaps: np.ndarray, threshold: float) -> np.ndarray:
    """`match` for IoUs that are known already.

    Args:
        overlaps: [G, A], the IoU of each ground truth with each anchor; not changed.
        threshold: as for `match`.

    Returns:
        [A] int32, index of the ground truth or -1.
    """
    matched = np.full(overlaps.shape[1], -1, np.int32)
    if not len(overlaps):
        return matched
    (above,) = np.nonzero((overlaps >= threshold).any(axis=0))
    matched[above] = overlaps[:, above].argmax(axis=0)
    for anchor, gt in _own_anchors(overlaps).items():
        matched[anchor] = gt
    return matched


def _own_anchors(overlaps: np.ndarray) -> dict[int, int]:
    """One anchor for each ground truth, where there is one it overlaps: {anchor: ground truth}."""
    owner: dict[int, int] = {}
    best = overlaps.argmax(axis=1)
    queue = [(-overlaps[gt, anchor], anchor, gt) for gt, anchor in enumerate(best.tolist())]
    heapq.heapify(queue)
    while queue and queue[0][0] < 0:
        _, anchor, gt = heapq.heappop(queue)
        if anchor not in owner:
            owner[anchor] = gt
            continue
        free = overlaps[gt].copy()
        free[list(owner)] = 0
        anchor = int(free.argmax())
        heapq.heappush(queue, (-free[anchor], anchor, gt))
    return owner
