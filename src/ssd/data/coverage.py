"""How well the anchors cover the objects of a split, by size and class, and which sizes would suit them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ssd.config import Anchors
from ssd.data.objects import Objects
from ssd.data.source import Category
from ssd.geometry.anchors import make_anchors
from ssd.geometry.coverage import coverage, share
from ssd.geometry.suggestion import suggest_sizes
from ssd.telling import progress


def measure_coverage(
    anchors: np.ndarray, threshold: float, classes: Sequence[Category], objects: Objects
) -> dict[str, Any]:
    """The content of metrics/anchors.json but for the suggestion.

    An object is covered when an anchor reaches the threshold (one that is not covered still gets an anchor of
    its own). Sizes go by the annotation's area, as COCO's figures do. What cannot be measured, such as the coverage of
    a class without objects, is None.

    Args:
        anchors: [A, 4] yxyx.
        threshold: IoU from which on an anchor is positive.
        classes: the class list.
        objects: of the split.
    """
    covered, matched = coverage(progress("match", objects), anchors, threshold)
    groups = objects.groups()
    of_class = {each.name: objects.category_ids == each.category_id for each in classes}
    return {
        "anchors": len(anchors),
        "matched_per_image": round(float(matched.mean()), 4) if len(matched) else None,
        "threshold": threshold,
        "coverage": {name: share(covered[members]) for name, members in groups.items()},
        "objects": {name: int(members.sum()) for name, members in groups.items()},
        "classes": {
            name: {"objects": int(members.sum()), "coverage": share(covered[members])}
            for name, members in of_class.items()
        },
    }


def suggest(
    recipe: Anchors, input_size: int, threshold: float, objects: Objects, covered_now: float | None
) -> dict[str, Any] | None:
    """Sizes that would cover more objects of a split, and how anchors of these sizes would cover them.

    Args:
        recipe: the anchors there are; all but their sizes stays.
        input_size: side of the network's input in pixels.
        threshold: IoU from which on an anchor is positive.
        objects: of the split.
        covered_now: the share of all objects that the recipe's sizes cover.

    Returns:
        sizes (as many as the recipe's) and coverage, as in `measure_coverage`; None where none were found that
        cover more.
    """
    if not len(objects.boxes):
        return None
    sizes = suggest_sizes(objects.boxes, threshold, input_size, recipe.steps, recipe.sizes, recipe.ratios)
    anchors = make_anchors(input_size, recipe.steps, sizes, recipe.ratios, recipe.large_square, recipe.clip)
    covered, _ = coverage(progress("match suggestion", objects), anchors, threshold)
    found = {name: share(covered[members]) for name, members in objects.groups().items()}
    return {"sizes": list(sizes), "coverage": found} if (found["all"] or 0) > (covered_now or 0) else None


def told(metrics: dict[str, Any]) -> str:
    """What was measured and what is suggested, in one line, of the content of metrics/anchors.json."""
    objects, suggested = metrics["objects"]["all"], metrics["suggested"]
    if not objects:
        return f"{metrics['anchors']} anchors, and no training objects to hold them against"
    now = f"the anchors cover {metrics['coverage']['all']:.2%} of {objects} training objects"
    if suggested is None:
        return f"{now}; no other anchors.sizes were found that cover more"
    return f"{now}; with anchors.sizes {suggested['sizes']} it would be {suggested['coverage']['all']:.2%}"
