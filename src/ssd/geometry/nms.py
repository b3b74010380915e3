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

_MANY = 8
"""One in so many scores above the least: then it is quicker to turn all of them round than to sort these."""


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
        scores: [A, C]; column c is label c + 1: no background.
        min_score: a score must be above this.
        candidates_per_class: at most so many of a class enter NMS.
        nms_iou: `nms`'s threshold.
        detections_per_image: at most so many detections, over all classes.

    Returns:
        boxes [D, 4], labels [D] int32, scores [D] float32; by descending score, then label, then anchor.
    """
    columns, anchors, candidate_scores = _candidates(scores, min_score)
    kept = _best_of_each(columns, candidate_scores, candidates_per_class)
    columns, anchors, candidate_scores = columns[kept], anchors[kept], candidate_scores[kept]
    # candidates are in order of class and anchor, so a stable sort settles equal scores as promised
    order = np.argsort(-candidate_scores, kind="stable")
    columns, anchors, candidate_scores = columns[order], anchors[order], candidate_scores[order]
    kept = _survivors(boxes[anchors], columns, nms_iou, detections_per_image)
    return (
        boxes[anchors[kept]],
        (columns[kept] + 1).astype(np.int32),
        candidate_scores[kept].astype(np.float32),
    )


def _candidates(scores: np.ndarray, min_score: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Class columns, anchors and scores [N] of what scores above the least, in order of class and anchor."""
    found = np.flatnonzero(scores > min_score)
    if len(found) * _MANY > scores.size:
        by_class = np.ascontiguousarray(scores.T)
        columns, anchors = np.nonzero(by_class > min_score)
        return columns, anchors, by_class[columns, anchors]
    anchors, columns = np.divmod(found, scores.shape[1] or 1)
    # small numbers are sorted by their digits, in linear time
    short = columns.astype(np.uint16) if scores.shape[1] <= 1 << 16 else columns
    order = np.argsort(short, kind="stable")
    return columns[order], anchors[order], scores.reshape(-1)[found[order]]


def _best_of_each(groups: np.ndarray, scores: np.ndarray, count: int) -> np.ndarray:
    """[N] bool: the `count` highest scores of each group, of equal ones the first; `groups` ascends."""
    kept = np.ones(len(scores), bool)
    counts = np.bincount(groups)
    if not len(counts) or counts.max() <= count:
        return kept
    ends = np.cumsum(counts)
    starts = ends - counts
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        if end - start > count:
            of_group = scores[start:end]
            lowest = np.partition(of_group, end - start - count)[end - start - count]
            above = of_group > lowest
            (equal,) = np.nonzero(of_group == lowest)
            above[equal[: count - np.count_nonzero(above)]] = True
            kept[start:end] = above
    return kept


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
