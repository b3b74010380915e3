"""How well the anchors cover the objects of a split, by size and class."""

from typing import Any

import numpy as np
from tqdm import tqdm

from ssd.data.source import is_counted
from ssd.geometry.boxes import from_xywh_px
from ssd.geometry.coverage import by_size, coverage, share


def measure_coverage(
    anchors: np.ndarray, threshold: float, classes: list[dict[str, Any]], truth: dict[str, Any]
) -> dict[str, Any]:
    """The content of metrics/anchors.json.

    An object is covered when an anchor reaches the threshold (one that is not covered still gets an anchor of
    its own). Crowds and difficult
    objects do not count. Sizes go by the annotation's area, as COCO's figures do. What cannot be
    measured, such as the coverage of a class without objects, is None.

    Args:
        anchors: [A, 4] yxyx.
        threshold: IoU from which on an anchor is positive.
        classes: the content of classes.json.
        truth: COCO-format ground truth.
    """
    of_image: dict[int, list[dict[str, Any]]] = {image["id"]: [] for image in truth["images"]}
    for annotation in truth["annotations"]:
        if is_counted(annotation):
            of_image[annotation["image_id"]].append(annotation)
    gt_boxes = [_gt_boxes(image, of_image[image["id"]]) for image in truth["images"]]
    covered, matched = coverage(tqdm(gt_boxes, unit="image", disable=None), anchors, threshold)

    objects = [annotation for annotations in of_image.values() for annotation in annotations]
    category_ids = np.array([annotation["category_id"] for annotation in objects], np.int64)
    sizes = by_size(np.array([annotation["area"] for annotation in objects], np.float64))
    groups = {"all": np.ones(len(objects), bool), **sizes}
    of_class = {each["name"]: category_ids == each["category_id"] for each in classes}
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


def _gt_boxes(image: dict[str, Any], annotations: list[dict[str, Any]]) -> np.ndarray:
    """[G, 4] float32 yxyx, as training sees them: fractions of the photo's sides."""
    boxes_xywh_px = np.array([annotation["bbox"] for annotation in annotations], np.float64).reshape(-1, 4)
    return from_xywh_px(boxes_xywh_px, image["height"], image["width"]).astype(np.float32)
