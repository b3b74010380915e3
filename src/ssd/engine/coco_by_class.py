"""pycocotools' precision and recall, class by class and some images at a time: the same numbers in less memory.

pycocotools keeps what becomes of every detection, in each image, class and range of sizes, as objects, and accumulates
all IoUs at once. Here what its `evaluate` finds is kept of one class, as bits, and its `accumulate` gets one IoU,
range of sizes and limit of detections after the other, all images as if they were one.

Difficult objects, which COCO does not have, are ignored as COCO ignores objects of another size.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, product
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval, Params

from ssd.data.coco_annotations import CocoAnnotations
from ssd.data.coco_results import CocoResults

_IMAGES = 250
"""Images of which pycocotools has the objects and detections of a class at once."""


def measure(ground_truth: dict[str, Any], detections: CocoResults) -> COCOeval:
    """Evaluate, accumulate and summarize the boxes of all classes; pycocotools prints as it goes.

    Args:
        ground_truth: the content of a COCO instances file, with at least one category.
        detections: of its images.

    Returns:
        `eval` has precision and recall, `stats` the figures, as of pycocotools at once; `evalImgs` is empty.
    """
    categories, objects = ground_truth["categories"], CocoAnnotations.of(ground_truth["annotations"])
    images = np.unique([each["id"] for each in ground_truth["images"]])
    measured = COCOeval(_indexed(categories, []), None, "bbox")
    parts = [
        _accumulated(_outcomes(category, categories, images, objects, detections), measured.params)
        for category in measured.params.catIds
    ]
    precision, recall = (np.stack(of_classes, axis=-3) for of_classes in zip(*parts, strict=True))
    measured.eval = {"precision": precision, "recall": recall}
    measured.summarize()
    return measured


class _SomeImages(COCOeval):
    """COCO's evaluation that ignores difficult objects, which by itself it does with crowds alone."""

    def _prepare(self) -> None:
        super()._prepare()
        for annotation in chain.from_iterable(self._gts.values()):
            annotation["ignore"] = not annotation["counts"]


@dataclass(frozen=True)
class _Outcomes:
    """What becomes of the detections of one class, image by image, those of an image by falling score.

    Attributes:
        objects: of each range of areas, how many there are to find.
        scores: [D].
        ranks: [D] int16, how many detections of its image come before each.
        matched: [area, ceil(IoU / 8), D] uint8, a bit for each IoU: whether it has an object.
        ignored: as `matched`: whether it is neither right nor false.
    """

    objects: np.ndarray
    scores: np.ndarray
    ranks: np.ndarray
    matched: np.ndarray
    ignored: np.ndarray

    @classmethod
    def of(cls, found: Sequence[dict[str, Any] | None], params: Params) -> "_Outcomes":
        """From what `COCOeval.evaluate` found of one class: all images in the first range of areas, in the next, …"""
        images = len(found) // len(params.areaRng)
        areas = [
            [each for each in found[start : start + images] if each is not None]
            for start in range(0, len(found), images)
        ]
        scores = [np.array(each["dtScores"], float) for each in areas[0]]
        none = np.zeros((len(params.iouThrs), 0))
        matched, ignored = (
            np.stack([np.concatenate([none, *(each[key] for each in area)], axis=1) != 0 for area in areas])
            for key in ("dtMatches", "dtIgnore")
        )
        return cls(
            np.array([sum(np.count_nonzero(each["gtIgnore"] == 0) for each in area) for area in areas]),
            np.concatenate([none[0], *scores]),
            np.concatenate([none[0], *(np.arange(len(each)) for each in scores)]).astype(np.int16),
            np.packbits(matched, axis=1),
            np.packbits(ignored, axis=1),
        )

    @classmethod
    def together(cls, parts: Sequence["_Outcomes"]) -> "_Outcomes":
        """Those of several parts of the images."""
        return cls(
            np.sum([part.objects for part in parts], axis=0),
            *(
                np.concatenate([getattr(part, name) for part in parts], axis=-1)
                for name in ("scores", "ranks", "matched", "ignored")
            ),
        )

    def at(self, places: np.ndarray) -> "_Outcomes":
        """Of the detections at these places, [N] numbers or [D] bool."""
        return _Outcomes(
            self.objects,
            self.scores[places],
            self.ranks[places],
            self.matched[..., places],
            self.ignored[..., places],
        )

    def as_one_image(self, area: int, iou: int) -> dict[str, Any]:
        """What `COCOeval.accumulate` reads, as if all detections and objects were of one image."""
        byte, shift = iou // 8, 7 - iou % 8
        return {
            "dtScores": self.scores,
            "dtMatches": self.matched[area, byte][None] >> shift & 1,
            "dtIgnore": self.ignored[area, byte][None] >> shift & 1,
            "gtIgnore": np.zeros(self.objects[area]),
        }


def _outcomes(
    category: int,
    categories: list[dict[str, Any]],
    images: np.ndarray,
    objects: CocoAnnotations,
    detections: CocoResults,
) -> _Outcomes:
    """Of one of the classes, in the order of image ids, which ascend."""
    parts = []
    for some, to_find, found in zip(
        np.split(images, range(_IMAGES, len(images), _IMAGES)),
        _by_parts(objects["image_id"], objects["category_id"] == category, images),
        _by_parts(detections.image_ids, detections.category_ids == category, images),
        strict=True,
    ):
        truth, results = _truth(categories, objects.at(to_find)), _results(categories, detections.at(found))
        evaluation = _SomeImages(truth, results, "bbox")
        evaluation.params.imgIds, evaluation.params.catIds = some.tolist(), [category]
        evaluation.evaluate()
        parts.append(_Outcomes.of(evaluation.evalImgs, evaluation.params))
    return _Outcomes.together(parts)


def _accumulated(outcomes: _Outcomes, params: Params) -> tuple[np.ndarray, np.ndarray]:
    """Precision [IoU, recall, area, limit] and recall [IoU, area, limit] of one class, -1 where undefined."""
    sizes = len(params.areaRng), len(params.maxDets)
    precision = np.empty((len(params.iouThrs), len(params.recThrs), *sizes))
    recall = np.empty((len(params.iouThrs), *sizes))
    # sorted once, since accumulate sorts what is sorted in no time, and leaves equal scores in their order
    ranked = outcomes.at((-outcomes.scores).argsort(kind="stable"))
    for limit, most in enumerate(params.maxDets):
        shown = ranked.at(ranked.ranks < most)
        for area, iou in product(range(len(params.areaRng)), range(len(params.iouThrs))):
            one = COCOeval(iouType="bbox")
            one.params = one._paramsEval = copy.copy(params)
            one.params.imgIds, one.params.catIds = [0], [0]
            one.params.iouThrs, one.params.areaRng = params.iouThrs[[iou]], [params.areaRng[area]]
            one.params.maxDets = [len(shown.scores)]
            one.evalImgs = [shown.as_one_image(area, iou)]
            one.accumulate()
            precision[iou, :, area, limit] = one.eval["precision"][0, :, 0, 0, 0]
            recall[iou, area, limit] = one.eval["recall"][0, 0, 0, 0]
    return precision, recall


def _by_parts(image_ids: np.ndarray, of_class: np.ndarray, images: np.ndarray) -> list[np.ndarray]:
    """The places of those of a class, image by image, for some images at a time.

    Args:
        image_ids: [N] of objects or detections.
        of_class: [N] bool.
        images: all ids, ascending.
    """
    places = np.flatnonzero(of_class)
    places = places[image_ids[places].argsort(kind="stable")]
    return np.split(places, image_ids[places].searchsorted(images[_IMAGES::_IMAGES]))


def _indexed(categories: list[dict[str, Any]], annotations: list[dict[str, Any]]) -> COCO:
    """These annotations; images are not asked for."""
    coco = COCO()
    coco.dataset = {"annotations": annotations, "categories": categories}
    coco.createIndex()
    return coco


def _truth(categories: list[dict[str, Any]], annotations: CocoAnnotations) -> COCO:
    """Entries of annotations, which pycocotools adds keys to, and whether they count."""
    counted = zip(annotations, annotations.is_counted.tolist(), strict=True)
    return _indexed(categories, [{**each, "counts": counts} for each, counts in counted])


def _results(categories: list[dict[str, Any]], detections: CocoResults) -> COCO:
    """What `COCO.loadRes` makes of detections, which cannot take none, and gives each an outline too.

    The outlines, which the figures of boxes do not look at, would take half of the memory.
    """
    annotations = []
    for number, each in enumerate(detections, 1):
        area = each["bbox"][2] * each["bbox"][3]
        annotations.append({**each, "id": number, "area": area, "iscrowd": 0})
    return _indexed(categories, annotations)
