"""How often an object of one class was detected as another, or not at all.

Detections are matched at IoU 0.5: first those that are right, as everywhere here, so that the diagonal counts what was
found; then from the highest score down each of the others takes the object, of whatever class, that it overlaps most
and that is still free. What remains is background: objects that were missed, and detections of nothing, of which
second detections of a found object are some.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ssd.analysis.judging import FALSE, MATCH_IOU, Judged
from ssd.files import write_csv

BACKGROUND = "background"


@dataclass(frozen=True)
class Confusion:
    """Counts from a least score on.

    Attributes:
        names: the classes in the order of the class list.
        counts: [C + 1, C + 1] rows: what there was, columns: what was detected; last of both: background.
    """

    names: tuple[str, ...]
    counts: np.ndarray

    def pairs(self) -> list[tuple[str, str, int]]:
        """(actual, detected, count) of two different classes, the most frequent first, background apart."""
        counts = self.counts[:-1, :-1].copy()
        np.fill_diagonal(counts, 0)
        rows, columns = np.nonzero(counts)
        order = np.argsort(-counts[rows, columns], kind="stable")
        return [
            (self.names[rows[i]], self.names[columns[i]], int(counts[rows[i], columns[i]])) for i in order
        ]


def confuse(images: Iterable[Judged], classes: Mapping[int, str], min_score: float) -> Confusion:
    """The confusion of classes over all images.

    Args:
        images: judged.
        classes: names by category id, in the order of the class list.
        min_score: the score from which a detection counts.
    """
    index = {category: place for place, category in enumerate(classes)}
    background = len(index)
    counts = np.zeros((background + 1, background + 1), dtype=np.int64)
    for image in images:
        actual = [index[category] for category in image.objects.categories.tolist()]
        detected = [index[category] for category in image.detections.categories.tolist()]
        shown = image.shown(min_score)
        found = image.found(min_score)
        for place in np.flatnonzero(found):
            counts[actual[place], actual[place]] += 1
        free = image.objects.counts & ~found
        for rank in np.flatnonzero(image.verdicts[:shown] == FALSE):
            open_ones = np.flatnonzero(free & (image.overlaps[rank] >= MATCH_IOU))
            if len(open_ones):
                place = open_ones[np.argmax(image.overlaps[rank, open_ones])]
                free[place] = False
                counts[actual[place], detected[rank]] += 1
            else:
                counts[background, detected[rank]] += 1
        for place in np.flatnonzero(free):
            counts[actual[place], background] += 1
    return Confusion(tuple(classes.values()), counts)


def write_confusion(path: Path, confusion: Confusion) -> None:
    """Write confusion.csv: actual, predicted (DVC's word), count; pairs that do not occur are left out."""
    names: Sequence[str] = (*confusion.names, BACKGROUND)
    write_csv(
        path,
        ("actual", "predicted", "count"),
        [
            (names[row], names[column], int(confusion.counts[row, column]))
            for row, column in np.argwhere(confusion.counts)
        ],
    )
