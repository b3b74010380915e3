"""Each validation image judged by itself, and those that the page shows: best, worst, some between."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ssd.analysis import judging
from ssd.analysis.errors import KINDS, Kind, Reason, reasons, slips
from ssd.report.inputs import Detection, Image

Verdict = Literal["right", "false", "ignored"]

_VERDICTS: dict[int, Verdict] = {
    judging.RIGHT: "right",
    judging.FALSE: "false",
    judging.IGNORED: "ignored",
}


@dataclass(frozen=True)
class Case:
    """An image, what was detected in it from the least score on, and what became of each box.

    `verdicts` and `kinds`, of the error or None, go with `detections` (highest score first), `found` and
    `reasons`, of its being missed or None, with `image.objects`; a crowd or a difficult object is never found and
    never missed.
    """

    image: Image
    detections: tuple[Detection, ...]
    verdicts: tuple[Verdict, ...]
    found: tuple[bool, ...]
    kinds: tuple[Kind | None, ...]
    reasons: tuple[Reason | None, ...]

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
    def missed(self) -> int:
        """Objects that were not found."""
        return self.objects - self.right

    @property
    def errors(self) -> int:
        """What was missed and what is false."""
        return self.missed + self.false

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


def judge_image(image: Image, detections: Sequence[Detection]) -> judging.Judged:
    """The image with a verdict on every detection."""
    objects = image.objects
    return judging.judge(
        judging.Objects(
            judging.boxes([thing.box_xywh for thing in objects]),
            np.array([thing.category_id for thing in objects], dtype=np.int64),
            np.array([thing.crowd for thing in objects], dtype=bool),
            np.array([thing.counts for thing in objects], dtype=bool),
        ),
        judging.Detections(
            judging.boxes([found.box_xywh for found in detections]),
            np.array([found.category_id for found in detections], dtype=np.int64),
            np.array([found.score for found in detections], dtype=np.float64),
        ),
    )


def case_of(image: Image, detections: Sequence[Detection], judged: judging.Judged, min_score: float) -> Case:
    """The image as it is from `min_score` on, with the kind of each error; `judged` is `judge_image` of the same."""
    shown = judged.shown(min_score)
    wrong = slips(judged, min_score)
    kinds = dict(zip(wrong.ranks.tolist(), (KINDS[kind] for kind in wrong.kinds.tolist()), strict=True))
    return Case(
        image,
        tuple(detections[place] for place in judged.order[:shown].tolist()),
        tuple(_VERDICTS[verdict] for verdict in judged.verdicts[:shown].tolist()),
        tuple(judged.found(min_score).tolist()),
        tuple(kinds.get(rank) for rank in range(shown)),
        tuple(reasons(judged, min_score)),
    )


def judge(image: Image, detections: Sequence[Detection], min_score: float) -> Case:
    """The image with a verdict on every detection of at least `min_score`."""
    return case_of(image, detections, judge_image(image, detections), min_score)


def choose(cases: Sequence[Case], photos: int, rng: np.random.Generator) -> Choice:
    """A third each of the highest F1, of the most errors, and of a draw from the rest; ties go to the lower id.

    Of equally many errors the lower F1 is worse; an image without errors is never among the worst.

    Args:
        cases: one a validation image.
        photos: how many to choose in all; fewer where there are fewer cases.
        rng: what the draw is made with.
    """
    photos = min(photos, len(cases))
    best_count, worst_count = (photos + 2) // 3, (photos + 1) // 3
    best = sorted(cases, key=lambda case: (-case.f1, case.image.id))[:best_count]
    rest = [case for case in cases if case not in best]
    faulty = [case for case in rest if case.errors]
    worst = sorted(faulty, key=lambda case: (-case.errors, case.f1, case.image.id))[:worst_count]
    rest = sorted((case for case in rest if case not in worst), key=lambda case: case.image.id)
    drawn = rng.permutation(len(rest))[: photos - len(best) - len(worst)]
    return Choice(tuple(best), tuple(worst), tuple(rest[index] for index in sorted(drawn)))


def spread(images: Sequence[Image], count: int) -> tuple[Image, ...]:
    """At most `count` images at even distances through the split, those with objects if there are any."""
    filled = [image for image in images if image.objects] or list(images)
    count = min(count, len(filled))
    return tuple(filled[(2 * index + 1) * len(filled) // (2 * count)] for index in range(count))
