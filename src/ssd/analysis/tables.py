"""The tables that DVC draws and the report reads: thresholds.csv and confusion.csv."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ssd.analysis.confusion import confuse, write_confusion
from ssd.analysis.judging import judge_all
from ssd.analysis.thresholds import suggested, sweep, write_thresholds


def write_tables(folder: Path, ground_truth: dict[str, Any], detections: Sequence[dict[str, Any]]) -> None:
    """Write both tables into `folder`.

    The confusion is that from the threshold of the highest F1 on; where nothing is right, that of all detections.

    Args:
        folder: where to.
        ground_truth: the content of a COCO instances file.
        detections: COCO results of its categories.
    """
    classes = {category["id"]: category["name"] for category in ground_truth["categories"]}
    # judged twice: kept, the verdicts would take a third of what the detections do
    rows = sweep(judge_all(ground_truth, detections))
    best = suggested(rows)
    write_thresholds(folder / "thresholds.csv", rows)
    images = judge_all(ground_truth, detections)
    write_confusion(folder / "confusion.csv", confuse(images, classes, best.threshold if best else 0.0))
