"""The photos of the page: training images with their objects, validation images with what was detected."""

from collections.abc import Sequence
from dataclasses import dataclass

from ssd.report.cases import Case, Choice, spread
from ssd.report.drawing import Frame, Photo, Picture, draw_case, draw_truth
from ssd.report.inputs import Image

CASE_FRAME = Frame(320, 240)
STRIP_FRAME = Frame(300, 225)
STRIP_PHOTOS = 8
# Bytes of JPEG for all photos of the strip and of the cases; in the page they take a third more.
STRIP_BUDGET = 600_000
CASES_BUDGET = 3_000_000


@dataclass(frozen=True)
class Shown:
    """A validation image as the page shows it."""

    case: Case
    picture: Picture


@dataclass(frozen=True)
class Gallery:
    """Validation images by how they were chosen, and how many stand beside each other."""

    best: tuple[Shown, ...]
    worst: tuple[Shown, ...]
    between: tuple[Shown, ...]
    columns: int


def draw_strip(images: Sequence[Image], photo: Photo, classes: dict[int, str]) -> list[Picture]:
    """Training images at even distances through the set."""
    budget = STRIP_BUDGET // STRIP_PHOTOS
    return [
        draw_truth(image, photo("train", image.id), STRIP_FRAME, budget, classes)
        for image in spread(images, STRIP_PHOTOS)
    ]


def draw_gallery(choice: Choice, photo: Photo, classes: dict[int, str]) -> Gallery:
    """The chosen validation images."""
    groups = (choice.best, choice.worst, choice.between)
    budget = CASES_BUDGET // max(1, sum(map(len, groups)))
    best, worst, between = (
        tuple(
            Shown(case, draw_case(case, photo("val", case.image.id), CASE_FRAME, budget, classes))
            for case in cases
        )
        for cases in groups
    )
    return Gallery(best, worst, between, _columns(max(map(len, groups))))


def _columns(most: int) -> int:
    """Three or four photos beside each other, whichever leaves less of the longest row empty."""
    return 3 if most < 4 or -most % 3 < -most % 4 else 4
