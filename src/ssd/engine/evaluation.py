"""COCO's figures for a list of detections, by pycocotools; and the files of them and of VOC's figures.

Difficult objects, which COCO does not have, are ignored as COCO ignores objects of another size: one that is not found
is not missed, and one detection that overlaps it by the IoU in question, and no other object, is not false. Unlike a
crowd it is measured by the IoU; unlike VOC's rule, a second detection on it is false.
"""

import contextlib
import copy
import io
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from ssd.data.coco_annotations import CocoAnnotations
from ssd.data.coco_results import CocoResults
from ssd.engine.voc_evaluation import VOC_FIGURES, VocEvaluation
from ssd.files import write_csv, write_json

FIGURES = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl")

PROTOCOL = (
    "all: every image of the validation set counts, those without objects too; crowds and difficult objects are "
    "neither found nor missed",
    "COCO figures: detections in a crowd are ignored; the first detection on a difficult object is ignored, by its IoU "
    "as for any object, a second one is false",
    "VOC07, VOC10: IoU 0.5; every detection on a difficult object or a crowd is ignored, both by their IoU; VOC07 "
    "takes the precision at 11 recalls, VOC10 the area",
)
"""How the figures treat what is no plain object: a list in evaluate.json, which DVC's tables of metrics leave out."""


_IMAGES = 1000
"""Images of which pycocotools has the objects and detections of a class at once."""


@dataclass(frozen=True)
class Evaluation:
    """COCO's figures.

    Attributes:
        figures: the twelve, by their usual names; None where undefined.
        classes: for each class, in the order of the categories: name, AP, AP50, AR100 (None where it has no
            ground truth) and the number of its objects, without crowds and difficult ones.
        recall: [101] the recalls at which precision is taken.
        precision: "AP50", "AP75", "AP": [101] precision at each recall, averaged over the classes with ground
            truth ("AP": over the ten IoUs too); empty where no class has any.
    """

    figures: dict[str, float | None]
    classes: list[tuple[str, float | None, float | None, float | None, int]]
    recall: np.ndarray
    precision: dict[str, np.ndarray]


def evaluate(ground_truth: dict[str, Any], detections: Iterable[Mapping[str, Any]]) -> Evaluation:
    """COCO's box figures over all images of the ground truth, also those without objects or detections.

    Args:
        ground_truth: the content of a COCO instances file, with at least one category.
        detections: COCO results of images of the ground truth, a list or a table; may be empty.
    """
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints as it goes
        coco = _Evaluation(ground_truth)
        coco.measure(CocoResults.of(detections))
        coco.summarize()
    # precision [IoU, recall, class, area, limit], recall [IoU, class, area, limit]; area 0: all, limit 2: 100.
    precision, recall = coco.eval["precision"][:, :, :, 0, 2], coco.eval["recall"][:, :, 0, 2]
    figures = {name: _defined(value) for name, value in zip(FIGURES, coco.stats.tolist(), strict=True)}
    with_truth = (precision > -1).any(axis=(0, 1))
    curves = precision[:, :, with_truth]
    thresholds = coco.params.iouThrs.round(2).tolist()
    return Evaluation(
        figures,
        _by_class(ground_truth["categories"], coco.objects, coco.params.catIds, precision, recall),
        coco.params.recThrs,
        {
            "AP50": curves[thresholds.index(0.5)].mean(axis=1) if with_truth.any() else np.array([]),
            "AP75": curves[thresholds.index(0.75)].mean(axis=1) if with_truth.any() else np.array([]),
            "AP": curves.mean(axis=(0, 2)) if with_truth.any() else np.array([]),
        },
    )


class _Evaluation(COCOeval):
    """COCO's evaluation that ignores difficult objects, which by itself it does with crowds alone."""

    eval: dict[str, np.ndarray]
    evalImgs: list[dict[str, Any] | None]

    def __init__(self, ground_truth: dict[str, Any]) -> None:
        super().__init__(_indexed(ground_truth, []), None, "bbox")
        self.params.imgIds = [each["id"] for each in ground_truth["images"]]
        self.ground_truth = ground_truth
        self.objects = CocoAnnotations.of(ground_truth["annotations"])

    def measure(self, detections: CocoResults) -> None:
        """Evaluate and accumulate, class by class and some images at a time, with the same outcome as all at once.

        What pycocotools keeps of 80 classes in a crowded image takes nearly half a megabyte, and 90 kB what it wants
        to be told of 100 detections.
        """
        categories, images = np.unique(self.params.catIds).tolist(), np.unique(self.params.imgIds)
        some_images = [images[start : start + _IMAGES].tolist() for start in range(0, len(images), _IMAGES)]
        parts: list[dict[str, np.ndarray]] = []
        for category in categories:
            self.params.catIds = [category]
            of_images = _by_image(self.objects.at(self.objects["category_id"] == category))
            of_class = _ordered(detections.at(detections.category_ids == category))
            begins = of_class.image_ids.searchsorted(images[::_IMAGES]).tolist()
            outcomes: list[list[dict[str, Any] | None]] = [[] for _ in self.params.areaRng]
            for some, begin, end in zip(some_images, begins, [*begins[1:], len(of_class)], strict=True):
                self.params.imgIds = some
                truth = [each for image in some for each in of_images.get(image, [])]
                self.cocoGt = _indexed(self.ground_truth, truth)
                self.cocoDt = _results(self.ground_truth, of_class.at(slice(begin, end)))
                self.evaluate()
                for number, outcome in enumerate(outcomes):
                    outcome += self.evalImgs[number * len(some) : (number + 1) * len(some)]
            self.params.imgIds = images.tolist()
            self._paramsEval = copy.deepcopy(self.params)
            self.evalImgs = list(chain.from_iterable(outcomes))
            self.accumulate()
            parts.append(self.eval)
        self.params.catIds = categories
        self.eval = {
            "precision": np.concatenate([each["precision"] for each in parts], axis=2),
            "recall": np.concatenate([each["recall"] for each in parts], axis=1),
        }

    def evaluateImg(self, *of_image: Any) -> dict[str, Any] | None:
        """What `accumulate` reads of an image, a class and a range of sizes: matches as yes or no, not by ids."""
        found = super().evaluateImg(*of_image)
        return found and {
            "dtScores": np.array(found["dtScores"]),
            "dtMatches": found["dtMatches"] != 0,
            "dtIgnore": found["dtIgnore"],
            "gtIgnore": found["gtIgnore"],
        }

    def _prepare(self) -> None:
        super()._prepare()
        for annotations in self._gts.values():
            for annotation in annotations:
                annotation["ignore"] = not annotation["counts"]


def _by_image(annotations: CocoAnnotations) -> dict[int, list[dict[str, Any]]]:
    """Entries of annotations, which pycocotools adds keys to, by their images, and whether they count."""
    found: dict[int, list[dict[str, Any]]] = {}
    for each, counts in zip(annotations, annotations.is_counted.tolist(), strict=True):
        found.setdefault(each["image_id"], []).append({**each, "counts": counts})
    return found


def _ordered(detections: CocoResults) -> CocoResults:
    """Detections image by image, those of an image in their order."""
    return detections.at(detections.image_ids.argsort(kind="stable"))


def _indexed(ground_truth: dict[str, Any], annotations: list[dict[str, Any]]) -> COCO:
    """These annotations, with the categories of the ground truth; its images are not asked for."""
    coco = COCO()
    coco.dataset = {"annotations": annotations, "categories": ground_truth["categories"]}
    coco.createIndex()
    return coco


def _results(ground_truth: dict[str, Any], detections: CocoResults) -> COCO:
    """What `COCO.loadRes` makes of detections, which cannot take none, and gives each an outline too.

    The outlines, which the figures of boxes do not look at, would take half of the memory.
    """
    annotations = []
    for number, each in enumerate(detections, 1):
        area = each["bbox"][2] * each["bbox"][3]
        annotations.append({**each, "id": number, "area": area, "iscrowd": 0})
    return _indexed(ground_truth, annotations)


def _by_class(
    categories: list[dict[str, Any]],
    annotations: CocoAnnotations,
    category_ids: list[int],
    precision: np.ndarray,
    recall: np.ndarray,
) -> list[tuple[str, float | None, float | None, float | None, int]]:
    names = {category["id"]: category["name"] for category in categories}
    objects = Counter(annotations.counted["category_id"].tolist())
    rows = []
    for index, category_id in enumerate(category_ids):
        rows.append(
            (
                names[category_id],
                _defined(precision[:, :, index].mean()),
                _defined(precision[0, :, index].mean()),
                _defined(recall[:, index].mean()),
                objects[category_id],
            )
        )
    return rows


def _defined(value: float) -> float | None:
    """pycocotools says -1 for what is undefined."""
    return None if value <= -1 else float(value)


def told(evaluation: Evaluation, images: int, detections: int) -> str:
    """The main figures in one line."""
    figures = ", ".join(
        f"{name} {'undefined' if value is None else f'{value:.4f}'}"
        for name, value in evaluation.figures.items()
        if name in ("AP", "AP50", "AR100")
    )
    return f"{figures}, of {detections} detections on {images} images"


def write_evaluation(
    folder: Path, evaluation: Evaluation, voc: VocEvaluation, images: int, detections: int
) -> None:
    """Write evaluate.json (the figures, counts and how it was counted), per_class.csv and pr.csv into `folder`."""
    objects = sum(row[-1] for row in evaluation.classes)
    figures = {
        name: value if value is None else round(value, 4)
        for name, value in {**evaluation.figures, **voc.figures}.items()
    }
    write_json(
        folder / "evaluate.json",
        {**figures, "images": images, "objects": objects, "detections": detections, "protocol": PROTOCOL},
    )
    write_csv(
        folder / "per_class.csv",
        ("class", "AP", "AP50", "AR100", *VOC_FIGURES, "objects"),
        [
            (name, *(value if value is None else f"{value:.4f}" for value in (*values, *of_voc)), count)
            for (name, *values, count), of_voc in zip(evaluation.classes, voc.classes, strict=True)
        ],
    )
    curves = [evaluation.precision[name] for name in ("AP50", "AP75", "AP")]
    write_csv(
        folder / "pr.csv",
        ("recall", "AP50", "AP75", "AP"),
        [
            (f"{recall:.2f}", *(f"{value:.4f}" for value in values))
            for recall, *values in zip(
                evaluation.recall.tolist(), *(curve.tolist() for curve in curves), strict=False
            )
        ],
    )
