"""From scored boxes to detections: greedy non-maximum suppression, class by class, as everyone has it.

A box goes when its IoU with a better one that stayed is **above** the threshold. All orders are total: equal
scores are settled by label, then by index, so the same input gives the same detections.
"""

import numpy as np

from ssd.geometry.boxes import area

_BLOCK = 64
"""Boxes that are settled among each other at once."""

_BETTER = np.triu(np.ones((_BLOCK, _BLOCK), bool), 1)
"""[row, column]: whether the row is the better box of a block."""

_AHEAD = 4096
"""Boxes of which those that a block suppresses are taken out at once, before their own block comes."""

_PAIRS = 1 << 16
"""Of boxes, of which the IoUs are in memory at once: more take longer, each, to and from memory."""


def nms(boxes: np.ndarray, scores: np.ndarray, iou_threshold: float) -> np.ndarray:
    """Indices of the boxes that stay, by descending score; of equal scores the lower index first.

    Args:
        boxes: [N, 4] yxyx, all of one class.
        scores: [N].
        iou_threshold: a box goes when its IoU with one that stays is above this.

    Returns:
        [K] int64.
    """
    order = np.argsort(-scores, kind="stable")
    return order[_survivors(boxes[order], np.zeros(len(boxes), np.int32), iou_threshold, len(boxes))]


def select_detections(
    boxes: np.ndarray,
    scores: np.ndarray,
    min_score: float,
    candidates_per_class: int,
    nms_iou: float,
    detections_per_image: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The detections of one image.

    Per class, the best `candidates_per_class` boxes that score above `min_score` go through NMS; of all that
    stay, the best `detections_per_image` are detections.

    Args:
        boxes: [A, 4] yxyx, one box an anchor, the same for every class; clipped or not, as they are wanted.
        scores: [A, C] float32; column c is label c + 1: no background.
        min_score: a score must be above this; not below 0.
        candidates_per_class: at most so many of a class enter NMS.
        nms_iou: `nms`'s threshold.
        detections_per_image: at most so many detections, over all classes.

    Returns:
        boxes [D, 4], labels [D] int32, scores [D] float32; by descending score, then label, then anchor.
    """
    columns, anchors = _candidates(scores, min_score, candidates_per_class)
    kept = _survivors(boxes.take(anchors, axis=0), columns, nms_iou, detections_per_image)
    columns, anchors = columns[kept], anchors[kept]
    return boxes[anchors], (columns + 1).astype(np.int32), scores[anchors, columns]


def _candidates(scores: np.ndarray, min_score: float, per_class: int) -> tuple[np.ndarray, np.ndarray]:
    """Class columns and anchors [N] of the best `per_class` of each class that score above the least, best first."""
    above = scores > min_score
    found = np.flatnonzero(above)
    counts = np.bincount(found % max(1, scores.shape[1]))
    if counts.max(initial=0) > per_class:
        for column in np.flatnonzero(counts > per_class).tolist():
            (anchors,) = np.nonzero(above[:, column])
            above[anchors[~_best(scores[anchors, column], per_class)], column] = False
        found = np.flatnonzero(above)
    anchors, columns = np.divmod(found, max(1, scores.shape[1]))
    # a number each, in whose order they are wanted: the score's bits turned over, then class and anchor
    numbers = (~scores.take(found).view(np.uint32)).astype(np.uint64)
    numbers <<= np.uint64(32)
    numbers |= (columns * len(scores) + anchors).astype(np.uint64)
    numbers.sort()
    return np.divmod(numbers.astype(np.uint32).astype(np.int64), max(1, len(scores)))


def _best(scores: np.ndarray, count: int) -> np.ndarray:
    """[N] bool: the `count` highest scores, of equal ones the first; N is above `count`."""
    lowest = np.partition(scores, len(scores) - count)[len(scores) - count]
    best = scores > lowest
    (equal,) = np.nonzero(scores == lowest)
    best[equal[: count - np.count_nonzero(best)]] = True
    return best


def _survivors(boxes: np.ndarray, groups: np.ndarray, iou_threshold: float, limit: int) -> np.ndarray:
    """Greedy suppression within each group, of boxes in descending order, up to `limit` survivors.

    All groups go through together, best boxes first, and it ends with the last survivor wanted: most boxes of
    a crowded image are never compared. A block is of boxes that none before suppresses.

    Args:
        boxes: [N, 4] yxyx, best first.
        groups: [N]; boxes of different groups do not suppress each other.
        iou_threshold: a box goes when its IoU with a survivor is above this.
        limit: at most so many survivors.

    Returns:
        [K] int64, ascending.
    """
    kept = np.zeros(0, np.int64)
    # small numbers are quicker to compare
    numbers = groups.astype(np.uint16) if len(groups) and groups.max() < 1 << 16 else groups
    # two boxes without area overlap by 0, not 0 / 0
    areas = np.maximum(area(boxes), np.finfo(boxes.dtype).tiny)
    found = np.ascontiguousarray(boxes.T), areas, numbers

    def without_suppressed(by: np.ndarray, places: np.ndarray) -> np.ndarray:
        at_once = max(1, _PAIRS // max(1, len(places)))
        for start in range(0, len(by), at_once):
            suppressed = _suppresses(*found, by[start : start + at_once], places, iou_threshold).any(axis=0)
            places = places[~suppressed]
        return places

    for start in range(0, len(boxes), _AHEAD):
        waiting = without_suppressed(kept, np.arange(start, min(start + _AHEAD, len(boxes))))
        while len(waiting):
            block, waiting = waiting[:_BLOCK], waiting[_BLOCK:]
            within = _suppresses(*found, block, block, iou_threshold)
            within &= _BETTER[: len(block), : len(block)]
            block = block[_resolve(within)]
            kept = np.concatenate([kept, block])
            if len(kept) >= limit:
                return kept[:limit]
            waiting = without_suppressed(block, waiting)
    return kept


def _suppresses(
    corners: np.ndarray,
    areas: np.ndarray,
    groups: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    iou_threshold: float,
) -> np.ndarray:
    """[R, C] bool: whether the boxes at `rows` would suppress those at `columns`; by the IoU of `boxes.iou`.

    Args:
        corners: [4, N] ymin, xmin, ymax, xmax.
        areas, groups: [N], of the same boxes; an area is above 0.
        rows, columns: [R], [C] indices of them.
        iou_threshold: above it; not below 0.
    """
    a, b = corners.take(rows, axis=1)[:, :, None], corners.take(columns, axis=1)
    shared, low = np.minimum(a[2], b[2]), np.maximum(a[0], b[0])
    shared -= low
    np.maximum(shared, 0, out=shared)
    width = np.minimum(a[3], b[3])
    width -= np.maximum(a[1], b[1], out=low)
    shared *= width  # 0 or below where the boxes lie apart
    union = np.add(areas.take(rows)[:, None], areas.take(columns), out=width)
    union -= shared
    shared /= union
    overlapping = shared > iou_threshold
    overlapping &= groups.take(rows)[:, None] == groups.take(columns)
    return overlapping


def _resolve(suppresses: np.ndarray) -> np.ndarray:
    """[N] bool, who stays when each, in order, is suppressed by those before that stay.

    Repeats "stays who is suppressed by none of those that stay" until nothing changes: after k rounds the
    first k are right, and in practice all are after a few.

    Args:
        suppresses: [N, N] bool, strictly upper triangular.
    """
    stays = np.ones(len(suppresses), bool)
    while True:
        after = ~suppresses[stays].any(axis=0)
        if np.array_equal(after, stays):
            return stays
        stays = after
