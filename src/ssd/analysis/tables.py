"""The tables that DVC draws and the report reads: thresholds.csv and confusion.csv."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ssd.analysis.confusion import confuse, write_confusion
from ssd.analysis.judging import judge_all
from ssd.analysis.thresholds import suggested, sweep, write_thresholds
from ssd.data.coco_results import CocoResults


def write_tables(folder: Path, ground_truth: dict[str, Any], detections: Iterable[Mapping[str, Any]]) -> None:
    """Write both tables into `folder`.

    The confusion is that from the threshold of the highest F1 on; where nothing is right, that of all detections.

    Args:
        folder: where to.
        ground_truth: the content of a COCO instances file.
        detections: COCO results of its categories, a list or a table.
    """
    results = CocoResults.of(detections)
    classes = {category["id"]: category["name"] for category in ground_truth["categories"]}
    # judged twice: kept, the verdicts would take twice what the detections do
    rows = sweep(judge_all(ground_truth, results))
    best = suggested(rows)
    write_thresholds(folder / "thresholds.csv", rows)
    images = judge_all(ground_truth, results)
    write_confusion(folder / "confusion.csv", confuse(images, classes, best.threshold if best else 0.0))
