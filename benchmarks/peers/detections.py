"""The tutorial's way from outputs to detections: class by class, and in a class one survivor after the other.

The tutorial counts one pixel more on each side of a box and has no limit but one a class. Here both can be set, so
that the same loop can be asked for the same detections as ours: its work is the same either way.
"""

from typing import Any

import numpy as np


def suppress(boxes: np.ndarray, scores: np.ndarray, threshold: float, limit: int, more: float) -> list[int]:
    """Indices of the boxes of one class that stay, best first.

    Args:
        boxes: [N, 4] yxyx.
        scores: [N].
        threshold: a box goes above this IoU with a better one.
        limit: survivors at most.
        more: is added to each side: 1 for pixels, as the tutorial has it.
    """
    top, left, bottom, right = (boxes[:, column] for column in range(4))
    areas = (right - left + more) * (bottom - top + more)
    waiting = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while waiting.size > 0:
        best, others = waiting[0], waiting[1:]
        kept.append(best)
        if len(kept) >= limit:
            break
        height = np.minimum(bottom[best], bottom[others]) - np.maximum(top[best], top[others]) + more
        width = np.minimum(right[best], right[others]) - np.maximum(left[best], left[others]) + more
        shared = np.maximum(0.0, width) * np.maximum(0.0, height)
        overlap = shared / (areas[best] + areas[others] - shared)
        waiting = others[np.where(overlap <= threshold)[0]]
    return kept


def detections_of(
    boxes: np.ndarray,
    scores: np.ndarray,
    image_id: int,
    photo_px: tuple[int, int],
    category_ids: tuple[int, ...],
    min_score: float = 0.1,
    threshold: float = 0.6,
    limit: int = 100,
    more: float = 1.0,
) -> list[dict[str, Any]]:
    """COCO results of one image, class after class.

    Args:
        boxes: [A, 4] yxyx fractions.
        scores: [A, C] of the classes without the background.
        image_id: the image's.
        photo_px: height and width.
        category_ids: of the classes.
        min_score: a score must be above this.
        threshold, limit, more: as in `suppress`, class by class.
    """
    height, width = photo_px
    found_boxes: list[list[float]] = []
    found_scores: list[float] = []
    found_categories: list[int] = []
    for column, category_id in enumerate(category_ids):
        of_class = scores[:, column]
        above = of_class > min_score
        if above.any():
            candidates = boxes[above] * [height, width, height, width]
            candidate_scores = of_class[above]
            kept = suppress(candidates, candidate_scores, threshold, limit, more)
            found_boxes += candidates[kept].tolist()
            found_scores += candidate_scores[kept].tolist()
            found_categories += [category_id] * len(kept)
    results = []
    for box, score, category_id in zip(found_boxes, found_scores, found_categories, strict=True):
        results.append(
            {
                "image_id": image_id,
                "bbox": [box[1], box[0], box[3] - box[1], box[2] - box[0]],
                "score": score,
                "category_id": category_id,
            }
        )
    return results
