"""Each validation image judged by itself, and those that the page shows: best, worst, some between."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pycocotools import mask

from ssd.report.inputs import Detection, Image

MATCH_IOU = 0.5

Verdict = Literal["right", "false", "ignored"]


@dataclass(frozen=True)
class Case:
    """An image, what was detected in it from the least score on, and what became of each box.

    `verdicts` goes with `detections` (highest score first), `found` with `image.objects`; a crowd or a
    difficult object is never found and never missed.
    """

    image: Image
    detections: tuple[Detection, ...]
    verdicts: tuple[Verdict, ...]
    found: tuple[bool, ...]

    @property
    def objects(self) -> int:
        """Ground-truth objects, crowds and difficult ones apart."""
        return sum(thing.counts for thing in self.image.objects)

    @property
    def right(self) -> int:
        """Objects that were found, which are also the detections that found one."""
        return sum(self.found)

    @property
    def false(self) -> int:
        """Detections that found nothing."""
        return self.verdicts.count("false")

    @property
    def f1(self) -> float:
        """2 right / (objects + right + false); 1 where there was nothing to find and nothing was found."""
        boxes = self.objects + self.right + self.false
        return 2 * self.right / boxes if boxes else 1.0


@dataclass(frozen=True)
class Choice:
    """The cases that the page shows; no case is shown twice."""

    best: tuple[Case, ...]
    worst: tuple[Case, ...]
    between: tuple[Case, ...]


def judge(image: Image, detections: Sequence[Detection], min_score: float) -> Case:
    """The image with a verdict on every detection of at least `min_score`.

    Matching is COCO's at IoU 0.5: from the highest score down, each detection takes the object of its class
    that it overlaps most and that is still free. One that overlaps no free object but lies by half in a crowd
    of its class, or overlaps a difficult object of its class, is ignored: neither right nor false.
    """
    kept = sorted((found for found in detections if found.score >= min_score), key=lambda found: -found.score)
    free = [thing.counts for thing in image.objects]
    verdicts: list[Verdict] = []
    for found, overlaps in zip(kept, _overlaps(image, kept), strict=True):
        candidates = [
            index
            for index, thing in enumerate(image.objects)
            if thing.category_id == found.category_id and overlaps[index] >= MATCH_IOU
        ]
        open_ones = [index for index in candidates if free[index]]
        if open_ones:
            free[max(open_ones, key=lambda index: overlaps[index])] = False
            verdicts.append("right")
        else:
            uncounted = any(not image.objects[index].counts for index in candidates)
            verdicts.append("ignored" if uncounted else "false")
    taken = tuple(thing.counts and not left for thing, left in zip(image.objects, free, strict=True))
    return Case(image, tuple(kept), tuple(verdicts), taken)


def _overlaps(image: Image, detections: Sequence[Detection]) -> np.ndarray:
    """[D, G] IoU of detections and objects; for a crowd the share of the detection that lies in it."""
    if not detections or not image.objects:
        return np.zeros((len(detections), len(image.objects)))
    found = np.array([detection.box_xywh for detection in detections], dtype=np.float64)
    truth = np.array([thing.box_xywh for thing in image.objects], dtype=np.float64)
    return np.asarray(mask.iou(found, truth, [int(thing.crowd) for thing in image.objects]))


def choose(cases: Sequence[Case], photos: int, rng: np.random.Generator) -> Choice:
    """A third each of the highest F1, of the lowest, and of a draw from the rest; ties go to the lower id.

    Args:
        cases: one a validation image.
        photos: how many to choose in all; fewer where there are fewer cases.
        rng: what the draw is made with.
    """
    photos = min(photos, len(cases))
    best_count, worst_count = (photos + 2) // 3, (photos + 1) // 3
    best = sorted(cases, key=lambda case: (-case.f1, case.image.id))[:best_count]
    rest = [case for case in cases if case not in best]
    worst = sorted(rest, key=lambda case: (case.f1, case.image.id))[:worst_count]
    rest = sorted((case for case in rest if case not in worst), key=lambda case: case.image.id)
    drawn = rng.permutation(len(rest))[: photos - best_count - worst_count]
    return Choice(tuple(best), tuple(worst), tuple(rest[index] for index in sorted(drawn)))


def spread(images: Sequence[Image], count: int) -> tuple[Image, ...]:
    """At most `count` images at even distances through the split, those with objects if there are any."""
    filled = [image for image in images if image.objects] or list(images)
    count = min(count, len(filled))
    return tuple(filled[(2 * index + 1) * len(filled) // (2 * count)] for index in range(count))
