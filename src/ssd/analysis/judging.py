"""Every detection of an image with a verdict, and every object with the detection that found it, at IoU 0.5.

Matching is COCO's: from the highest score down, each detection takes the object of its class that it overlaps most and
that is still free. So what is found from some score on does not depend on what lies below it. All are judged,
where COCO looks at the 100 surest detections of a class in an image.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pycocotools import mask

from ssd.data.coco_annotations import CocoAnnotations
from ssd.data.coco_results import CocoResults

MATCH_IOU = 0.5

RIGHT, FALSE, IGNORED = 0, 1, 2


@dataclass(frozen=True)
class Objects:
    """The ground truth of one image.

    Attributes:
        boxes_xywh: [G, 4] in pixels.
        categories: [G] category ids.
        crowd: [G] whether it is one box around many.
        counts: [G] whether it is to be found; neither a crowd nor a difficult object is.
    """

    boxes_xywh: np.ndarray
    categories: np.ndarray
    crowd: np.ndarray
    counts: np.ndarray


@dataclass(frozen=True)
class Detections:
    """What was detected in one image: boxes_xywh [D, 4] in pixels, categories [D], scores [D]."""

    boxes_xywh: np.ndarray
    categories: np.ndarray
    scores: np.ndarray


@dataclass(frozen=True)
class Judged:
    """One image: its detections from the highest score down, and what became of them.

    Attributes:
        objects: the ground truth.
        detections: as given, sorted by score; of equal scores the first given comes first.
        overlaps: [D, G] IoU; for a crowd the share of the detection that lies in it.
        verdicts: [D] RIGHT, FALSE or IGNORED, which is neither: it overlaps no free object, but lies by half in a
            crowd of its class or overlaps a difficult object of its class.
        taken: [D] the object that a detection found, -1 for none.
        order: [D] where each detection stood in what was given.
    """

    objects: Objects
    detections: Detections
    overlaps: np.ndarray
    verdicts: np.ndarray
    taken: np.ndarray
    order: np.ndarray

    def shown(self, min_score: float) -> int:
        """How many detections have at least this score; they are the first so many."""
        return int(np.count_nonzero(self.detections.scores >= min_score))

    def found(self, min_score: float) -> np.ndarray:
        """[G] whether a detection of at least this score found the object."""
        taken = self.taken[: self.shown(min_score)]
        found = np.zeros(len(self.objects.counts), dtype=bool)
        found[taken[taken >= 0]] = True
        return found


def judge(objects: Objects, detections: Detections) -> Judged:
    """The image with a verdict on every detection."""
    order = np.argsort(-detections.scores, kind="stable")
    ranked = Detections(detections.boxes_xywh[order], detections.categories[order], detections.scores[order])
    overlaps = _overlaps(objects, ranked)
    candidates = (overlaps >= MATCH_IOU) & (ranked.categories[:, None] == objects.categories)
    verdicts = np.full(len(order), FALSE)
    taken = np.full(len(order), -1)
    free = objects.counts.copy()
    for rank in np.flatnonzero(candidates.any(axis=1)):
        near = np.flatnonzero(candidates[rank])
        open_ones = near[free[near]]
        if len(open_ones):
            taken[rank] = open_ones[len(open_ones) - 1 - np.argmax(overlaps[rank, open_ones][::-1])]
            free[taken[rank]] = False
            verdicts[rank] = RIGHT
        elif not objects.counts[near].all():
            verdicts[rank] = IGNORED
    return Judged(objects, ranked, overlaps, verdicts, taken, order)


def _overlaps(objects: Objects, detections: Detections) -> np.ndarray:
    if not len(objects.categories) or not len(detections.categories):
        return np.zeros((len(detections.categories), len(objects.categories)))
    found = np.ascontiguousarray(detections.boxes_xywh, dtype=np.float64)
    truth = np.ascontiguousarray(objects.boxes_xywh, dtype=np.float64)
    return np.asarray(mask.iou(found, truth, objects.crowd.astype(np.uint8).tolist()))


def judge_all(ground_truth: dict[str, Any], detections: Iterable[Mapping[str, Any]]) -> Iterator[Judged]:
    """Every image of a COCO instances file, in its order, judged by COCO results, a list or a table.

    Raises:
        KeyError: a detection in an image that the file does not have.
    """
    image_ids = [image["id"] for image in ground_truth["images"]]
    annotations = CocoAnnotations.of(ground_truth["annotations"]).of_images(image_ids)
    results = CocoResults.of(detections)
    unknown = np.setdiff1d(results.image_ids, image_ids)
    if len(unknown):
        raise KeyError(int(unknown[0]))
    order = np.argsort(results.image_ids, kind="stable")
    starts, ends = (np.searchsorted(results.image_ids, image_ids, side, order) for side in ("left", "right"))
    for objects, start, end in zip(annotations, starts, ends, strict=True):
        found = results.at(order[start:end])
        yield judge(
            Objects(objects["bbox"], objects["category_id"], objects["iscrowd"], objects.is_counted),
            Detections(found.boxes_xywh_px, found.category_ids, found.scores),
        )


def boxes(rows: Sequence[Sequence[float]]) -> np.ndarray:
    """[N, 4] of rows of four, also where there is none."""
    return np.array(rows, dtype=np.float64).reshape(-1, 4)
