"""How well the anchors cover the objects of a split, by size and class, and which sizes would suit them."""

from collections.abc import Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Objects(Sequence[np.ndarray]):
    """The objects of a split that count, crowds and difficult ones do not; a sequence of the boxes of each image.

    Attributes:
        boxes: [N, 4] float32 yxyx, image by image, as training sees them: fractions of the photo's sides.
        areas_px: [N] as annotated.
        category_ids: [N].
        ends: [images + 1] where the objects of each image end, after a 0.
    """

    boxes: np.ndarray
    areas_px: np.ndarray
    category_ids: np.ndarray
    ends: np.ndarray

    @classmethod
    def of(cls, truth: dict[str, Any]) -> "Objects":
        """Those of a COCO-format ground truth."""
        annotations, images = CocoAnnotations.of(truth["annotations"]), truth["images"]
        counted = annotations.counted.of_images([image["id"] for image in images])
        height, width = (
            np.array([image[side] for image in images], np.int64).repeat(counted.counts)
            for side in ("height", "width")
        )
        together = counted.together
        return cls(
            from_xywh_px(together["bbox"], height, width).astype(np.float32),
            together["area"].copy(),
            together["category_id"].copy(),
            np.concatenate([[0], counted.counts.cumsum()]),
        )

    def __len__(self) -> int:
        """Number of images."""
        return len(self.ends) - 1

    def __getitem__(self, image: int) -> np.ndarray:  # type: ignore[override]
        """The boxes of the image at this place, from 0: [G, 4]."""
        return self.boxes[self.ends[image] : self.ends[image + 1]]

    def groups(self) -> dict[str, np.ndarray]:
        """Which objects, [N] bool, are in each group: all, small, medium, large."""
        return {"all": np.ones(len(self.boxes), bool), **by_size(self.areas_px)}


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
