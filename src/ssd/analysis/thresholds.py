"""Precision, recall and F1 by the score from which a detection counts, and the score that suits best."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ssd.analysis.judging import FALSE, RIGHT, Judged
from ssd.files import write_csv

STEPS = 99
"""Thresholds 0.01, 0.02 … 0.99."""


@dataclass(frozen=True)
class Threshold:
    """All classes together at one least score; None where undefined: no detection, or nothing to find."""

    threshold: float
    precision: float | None
    recall: float | None
    f1: float | None


def sweep(images: Iterable[Judged]) -> list[Threshold]:
    """Precision, recall and F1 over all images, at each threshold.

    precision = right / (right + false), recall = right / objects, F1 = 2 right / (objects + right + false). What is
    ignored is left out.
    """
    thresholds = [step / (STEPS + 1) for step in range(1, STEPS + 1)]
    objects, counts = 0, {verdict: np.zeros(STEPS + 1, np.int64) for verdict in (RIGHT, FALSE)}
    for image in images:
        objects += int(image.objects.counts.sum())
        reached = np.searchsorted(thresholds, image.detections.scores, side="right")
        for verdict, count in counts.items():
            count += np.bincount(reached[image.verdicts == verdict], minlength=STEPS + 1)
    # so many reached this threshold or a higher one
    right, false = (counts[verdict][::-1].cumsum()[::-1][1:].tolist() for verdict in (RIGHT, FALSE))
    rows = []
    for threshold, hits, slips in zip(thresholds, right, false, strict=True):
        rows.append(
            Threshold(
                threshold,
                hits / (hits + slips) if hits + slips else None,
                hits / objects if objects else None,
                2 * hits / (objects + hits + slips) if objects else None,
            )
        )
    return rows


def suggested(rows: Sequence[Threshold]) -> Threshold | None:
    """The threshold of the highest F1, the lowest of equals; None where nothing is right at any."""
    best = max(rows, key=lambda row: row.f1 or 0.0, default=None)
    return best if best is not None and best.f1 else None


def write_thresholds(path: Path, rows: Sequence[Threshold]) -> None:
    """Write thresholds.csv: threshold, precision, recall, f1; an undefined figure is an empty field."""
    write_csv(
        path,
        ("threshold", "precision", "recall", "f1"),
        [
            (f"{row.threshold:.2f}", *(_written(value) for value in (row.precision, row.recall, row.f1)))
            for row in rows
        ],
    )


def _written(value: float | None) -> str | None:
    return None if value is None else f"{value:.4f}"
