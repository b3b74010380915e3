"""How well the anchors cover the objects of a split, by size and class, and which sizes would suit them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ssd.config import Anchors
from ssd.data.coco_annotations import CocoAnnotations
from ssd.data.source import Category
from ssd.geometry.anchors import make_anchors
from ssd.geometry.boxes import from_xywh_px
from ssd.geometry.coverage import by_size, coverage, share
from ssd.geometry.suggestion import suggest_sizes
from ssd.telling import progress


def measure_coverage(
    anchors: np.ndarray, threshold: float, classes: Sequence[Category], truth: dict[str, Any]
) -> dict[str, Any]:
    """The content of metrics/anchors.json but for the suggestion.

    An object is covered when an anchor reaches the threshold (one that is not covered still gets an anchor of
    its own). Crowds and difficult objects do not count. Sizes go by the annotation's area, as COCO's figures do.
    What cannot be measured, such as the coverage of a class without objects, is None.

    Args:
        anchors: [A, 4] yxyx.
        threshold: IoU from which on an anchor is positive.
        classes: the class list.
        truth: COCO-format ground truth.
    """
    objects, gt_boxes = _objects(truth)
    covered, matched = coverage(progress("match", gt_boxes), anchors, threshold)

    groups = _groups(objects)
    of_class = {each.name: objects["category_id"] == each.category_id for each in classes}
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
    recipe: Anchors, input_size: int, threshold: float, truth: dict[str, Any], covered_now: float | None
) -> dict[str, Any] | None:
    """Sizes that would cover more objects of a split, and how anchors of these sizes would cover them.

    Args:
        recipe: the anchors there are; all but their sizes stays.
        input_size: side of the network's input in pixels.
        threshold: IoU from which on an anchor is positive.
        truth: COCO-format ground truth.
        covered_now: the share of all objects that the recipe's sizes cover.

    Returns:
        sizes (as many as the recipe's) and coverage, as in `measure_coverage`; None where none were found that
        cover more.
    """
    objects, gt_boxes = _objects(truth)
    if not len(objects):
        return None
    sizes = suggest_sizes(
        np.concatenate(gt_boxes), threshold, input_size, recipe.steps, recipe.sizes, recipe.ratios
    )
    anchors = make_anchors(input_size, recipe.steps, sizes, recipe.ratios, recipe.large_square, recipe.clip)
    covered, _ = coverage(progress("match suggestion", gt_boxes), anchors, threshold)
    found = {name: share(covered[members]) for name, members in _groups(objects).items()}
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


def _objects(truth: dict[str, Any]) -> tuple[CocoAnnotations, list[np.ndarray]]:
    """The annotations that count, image by image, and the boxes [G, 4] float32 yxyx of each image.

    Boxes are as training sees them: fractions of the photo's sides.
    """
    images = truth["images"]
    counted = CocoAnnotations.of(truth["annotations"]).counted
    objects = counted.of_images([image["id"] for image in images])
    height, width = (
        np.array([image[side] for image in images], np.int64).repeat(objects.counts)
        for side in ("height", "width")
    )
    gt_boxes = from_xywh_px(objects.together["bbox"], height, width).astype(np.float32)
    return objects.together, np.split(gt_boxes, objects.counts.cumsum())[:-1]


def _groups(objects: CocoAnnotations) -> dict[str, np.ndarray]:
    """Which objects are in each group: all, small, medium, large."""
    return {"all": np.ones(len(objects), bool), **by_size(objects["area"])}
