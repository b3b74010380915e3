"""The error analysis of the page: kinds of errors with their counts and weight, reasons of missing, confusion."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ssd.analysis.confusion import confuse
from ssd.analysis.errors import KINDS, REASONS, Reason, gains
from ssd.analysis.judging import Judged
from ssd.report.cases import Case
from ssd.report.matrix import Matrix, lay_out


@dataclass(frozen=True)
class Mistakes:
    """What is wrong and why.

    Attributes:
        errors: from the page's least score on: false detections by kind, and "missed", the objects that are missed by
            TIDE's rule.
        reasons: objects that no detection from that score on finds, by reason.
        mended: by how much AP50, over all detections, would rise were one kind of error mended; see
            `ssd.analysis.errors.Gain`. Empty where AP50 is undefined.
        matrix: the confusion of classes from that score on.
    """

    errors: dict[str, int]
    reasons: dict[Reason, int]
    mended: dict[str, float]
    matrix: Matrix

    @property
    def false(self) -> int:
        """All false detections."""
        return sum(self.errors[kind] for kind in KINDS)

    @property
    def unfound(self) -> int:
        """All objects that are not found."""
        return sum(self.reasons.values())


def find_mistakes(
    cases: Sequence[Case], judged: Sequence[Judged], classes: Mapping[int, str], min_score: float
) -> Mistakes:
    """The mistakes over all validation images.

    Args:
        cases: the images as they are from `min_score` on.
        judged: the same images with all detections.
        classes: names by category id.
        min_score: the score from which a detection counts.
    """
    kinds = Counter(kind for case in cases for kind in case.kinds)
    reasons = Counter(reason for case in cases for reason in case.reasons)
    return Mistakes(
        {kind: kinds[kind] for kind in KINDS} | {"missed": reasons["score"] + reasons["nothing"]},
        {reason: reasons[reason] for reason in REASONS},
        gains(judged, classes).mended,
        lay_out(confuse(judged, classes, min_score)),
    )
