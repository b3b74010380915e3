"""PASCAL VOC's figures for a list of detections: mean average precision at IoU 0.5, as in 2007 and as from 2010 on.

The devkit's rule (VOCevaldet.m; Everingham et al. 2010, section 4.2): of each class, detections are taken from the
highest score down; each goes to the object of its image and class that it overlaps most. From an IoU of 0.5 on it has
found that object, or is false if the object was found before; below, it is false. An object that is difficult is never
missed, and a detection that goes to it is neither right nor false, however many there are. Crowds, which VOC does not
have, are treated like difficult objects.

The devkit counts pixels inclusively, `xmax - xmin + 1`. Boxes here are continuous, and one that covers the pixels xmin
to xmax reaches from xmin - 1 to xmax (see `ssd.data.sources.voc`): the same widths, so that no 1 is added here.

Departure from the devkit: whether a recall reaches 0, 0.1 … 1 is decided in whole numbers, so that 7 of 10 objects are
a recall of 0.7 (in floats, 7 * 0.1 is more). Equal scores keep the order in which the detections are given.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ssd.data.coco_annotations import CocoAnnotations
from ssd.data.coco_results import CocoResults
from ssd.geometry.boxes import from_xywh_px, iou

VOC_FIGURES = ("VOC07", "VOC10")

_MATCH_IOU = 0.5
_RIGHT, _NEITHER, _FALSE = 1, 0, -1


@dataclass(frozen=True)
class VocEvaluation:
    """VOC's figures.

    Attributes:
        figures: "VOC07" (11 points) and "VOC10" (area), means over the classes that have objects to find; None where
            none has.
        classes: the two for each class, in ascending order of category ids; None where it has no object to find.
    """

    figures: dict[str, float | None]
    classes: list[tuple[float | None, float | None]]


def evaluate_voc(ground_truth: dict[str, Any], detections: Iterable[Mapping[str, Any]]) -> VocEvaluation:
    """VOC's figures over all images of the ground truth.

    Args:
        ground_truth: the content of a COCO instances file; annotations may have "difficult": 1.
        detections: COCO results, a list or a table; may be empty.
    """
    annotations = CocoAnnotations.of(ground_truth["annotations"])
    results = CocoResults.of(detections)
    classes: list[tuple[float | None, float | None]] = []
    for category_id in sorted(each["id"] for each in ground_truth["categories"]):
        truth = annotations.at(annotations["category_id"] == category_id)
        objects = len(truth.counted)
        if not objects:
            classes.append((None, None))
            continue
        of_class = np.flatnonzero(results.category_ids == category_id)
        found = results.at(of_class[np.argsort(-results.scores[of_class], kind="stable")])
        verdicts = _judge(
            found.image_ids,
            _edges_px(found.boxes_xywh_px),
            truth["image_id"],
            _edges_px(truth["bbox"]),
            truth.is_counted,
        )
        right = verdicts[verdicts != _NEITHER] == _RIGHT
        classes.append((eleven_point_ap(right, objects), area_ap(right, objects)))
    defined = [(eleven, area) for eleven, area in classes if eleven is not None and area is not None]
    means = np.mean(defined, axis=0).tolist() if defined else [None, None]
    return VocEvaluation(dict(zip(VOC_FIGURES, means, strict=True)), classes)


def _edges_px(boxes_xywh_px: np.ndarray) -> np.ndarray:
    """[N, 4] yxyx in pixels: as fractions of one pixel."""
    return from_xywh_px(boxes_xywh_px, 1, 1)


def _judge(
    image_ids: np.ndarray,
    boxes_px: np.ndarray,
    gt_image_ids: np.ndarray,
    gt_boxes_px: np.ndarray,
    to_find: np.ndarray,
) -> np.ndarray:
    """What becomes of each detection of one class: [D] right, neither or false.

    Args:
        image_ids: [D] of the detections, highest score first.
        boxes_px: [D, 4] yxyx.
        gt_image_ids: [G] of the objects.
        gt_boxes_px: [G, 4] yxyx.
        to_find: [G] bool; the others are difficult.
    """
    verdicts = np.full(len(image_ids), _FALSE)
    by_image, gt_by_image = (np.argsort(each, kind="stable") for each in (image_ids, gt_image_ids))
    wanted: np.ndarray
    wanted, gt_starts = np.unique(gt_image_ids[gt_by_image], return_index=True)
    starts = np.searchsorted(image_ids[by_image], wanted, "left")
    ends = np.searchsorted(image_ids[by_image], wanted, "right")
    for start, end, objects in zip(starts, ends, np.split(gt_by_image, gt_starts[1:]), strict=True):
        rows = by_image[start:end]
        if not len(rows):
            continue
        overlaps = iou(boxes_px[rows], gt_boxes_px[objects])
        best = overlaps.argmax(axis=1)
        near = overlaps.max(axis=1) >= _MATCH_IOU
        finds = to_find[objects][best]
        verdicts[rows[near & ~finds]] = _NEITHER
        finders = np.flatnonzero(near & finds)
        _, first = np.unique(best[finders], return_index=True)
        verdicts[rows[finders[first]]] = _RIGHT
    return verdicts


def eleven_point_ap(right: np.ndarray, objects: int) -> float:
    """VOC2007's average precision: the mean, over recalls 0, 0.1 … 1, of the best precision at this recall or above.

    Args:
        right: [D] bool, of each detection of a class, highest score first; those that are neither are left out.
        objects: how many there are to find, at least 1.
    """
    found, precision = _curve(right)
    at = np.searchsorted(10 * found, np.arange(11) * objects)
    return float(np.append(precision, 0.0)[at].mean())


def area_ap(right: np.ndarray, objects: int) -> float:
    """VOC2010's average precision: the area under the best precision at each recall or above.

    Args:
        right: as of `eleven_point_ap`.
        objects: how many there are to find, at least 1.
    """
    _, precision = _curve(right)
    return float(precision[right].sum() / objects)


def _curve(right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Objects found up to each detection, and the best precision there or later: both [D]."""
    found = np.cumsum(right)
    precision = found / np.arange(1, len(right) + 1)
    return found, np.maximum.accumulate(precision[::-1])[::-1]
