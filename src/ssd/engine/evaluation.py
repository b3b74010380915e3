"""COCO's figures for a list of detections, by pycocotools; and the files of them and of VOC's figures.

Difficult objects, which COCO does not have, are ignored as COCO ignores objects of another size: one that is not found
is not missed, and one detection that overlaps it by the IoU in question, and no other object, is not false. Unlike a
crowd it is measured by the IoU; unlike VOC's rule, a second detection on it is false.
"""

import contextlib
import io
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ssd.data.coco_annotations import CocoAnnotations
from ssd.data.coco_results import CocoResults
from ssd.engine.coco_by_class import measure
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
        coco = measure(ground_truth, CocoResults.of(detections))
    # precision [IoU, recall, class, area, limit], recall [IoU, class, area, limit]; area 0: all, limit 2: 100.
    precision, recall = coco.eval["precision"][:, :, :, 0, 2], coco.eval["recall"][:, :, 0, 2]
    figures = {name: _defined(value) for name, value in zip(FIGURES, coco.stats.tolist(), strict=True)}
    with_truth = (precision > -1).any(axis=(0, 1))
    curves = precision[:, :, with_truth]
    thresholds = coco.params.iouThrs.round(2).tolist()
    return Evaluation(
        figures,
        _by_class(ground_truth, coco.params.catIds, precision, recall),
        coco.params.recThrs,
        {
            "AP50": curves[thresholds.index(0.5)].mean(axis=1) if with_truth.any() else np.array([]),
            "AP75": curves[thresholds.index(0.75)].mean(axis=1) if with_truth.any() else np.array([]),
            "AP": curves.mean(axis=(0, 2)) if with_truth.any() else np.array([]),
        },
    )


def _by_class(
    ground_truth: dict[str, Any],
    category_ids: list[int],
    precision: np.ndarray,
    recall: np.ndarray,
) -> list[tuple[str, float | None, float | None, float | None, int]]:
    names = {category["id"]: category["name"] for category in ground_truth["categories"]}
    annotations = CocoAnnotations.of(ground_truth["annotations"])
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
