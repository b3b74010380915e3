"""The page: everything that is known about one run, laid out by a template as a single HTML file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
import numpy as np

from ssd.report import words
from ssd.report.cases import Case, Choice, choose, judge, spread
from ssd.report.drawing import Frame, Photo, Picture, draw_case, draw_truth
from ssd.report.figures import Chart, Series, line_chart
from ssd.report.inputs import (
    SIZES,
    AnchorFit,
    ClassCount,
    ClassFigures,
    Coverage,
    Data,
    Detection,
    Epoch,
    Evaluation,
    Image,
    Precision,
    Training,
)

CASE_FRAME = Frame(320, 240)
STRIP_FRAME = Frame(300, 225)
STRIP_PHOTOS = 8
# Bytes of JPEG for all photos of the strip and of the cases; in the page they take a third more.
STRIP_BUDGET = 600_000
CASES_BUDGET = 3_000_000


@dataclass(frozen=True)
class Results:
    """What the other stages found out, as read by `ssd.report.inputs`."""

    data: Data
    class_counts: tuple[ClassCount, ...]
    anchors: AnchorFit
    epochs: tuple[Epoch, ...]
    training: Training
    evaluation: Evaluation
    class_figures: tuple[ClassFigures, ...]
    precision: tuple[Precision, ...]
    classes: dict[int, str]
    train: tuple[Image, ...]
    val: tuple[Image, ...]
    detections: dict[int, list[Detection]]


@dataclass(frozen=True)
class Shown:
    """A validation image as the page shows it."""

    case: Case
    picture: Picture


@dataclass(frozen=True)
class Group:
    """Validation images under one heading, with how they were chosen."""

    name: str
    chosen: str
    shown: tuple[Shown, ...]


def build_page(
    results: Results, photo: Photo, title: str, photos: int, min_score: float, rng: np.random.Generator
) -> str:
    """The whole page as HTML.

    Args:
        results: what the other stages wrote.
        photo: the encoded photo of a split (train or val) and an image id.
        title: the page's title.
        photos: how many validation images to show.
        min_score: the score from which a detection is shown and counted.
        rng: draws the images between the best and the worst.
    """
    cases = [judge(image, results.detections[image.id], min_score) for image in results.val]
    groups = _groups(choose(cases, photos, rng), photo, results.classes)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["words"] = words
    return environment.get_template("page.html.j2").render(
        results=results,
        title=title,
        min_score=min_score,
        class_counts=sorted(results.class_counts, key=lambda row: (-row.train, -row.val)),
        most_common=_highest_share(results),
        covered=sorted(results.anchors.classes.items(), key=_by_coverage),
        class_tables=_columns(sorted(results.class_figures, key=_by_ap)),
        sizes=SIZES,
        loss_chart=_loss_chart(results.epochs),
        rate_chart=_rate_chart(results.epochs),
        precision_chart=_precision_chart(results.precision, results.evaluation),
        strip=_strip(results, photo),
        cases=cases,
        groups=groups,
        photo_columns=_photo_columns(groups),
    )


def _photo_columns(groups: Sequence[Group]) -> int:
    """Three or four photos beside each other, whichever leaves less of the longest row empty."""
    most = max((len(group.shown) for group in groups), default=0)
    return 3 if most < 4 or -most % 3 < -most % 4 else 4


def _highest_share(results: Results) -> float:
    """The largest share that one class has of the objects of a split."""
    shares = [
        count / split.objects
        for row in results.class_counts
        for count, split in ((row.train, results.data.train), (row.val, results.data.val))
        if split.objects
    ]
    return max(shares, default=0.0) or 1.0


def _by_coverage(item: tuple[str, Coverage]) -> tuple[bool, float, int]:
    """Least covered first, classes without objects last."""
    found = item[1]
    return found.share is None, found.share or 0.0, -found.objects


def _by_ap(row: ClassFigures) -> tuple[bool, float, float]:
    """Highest AP first, undefined last."""
    return row.ap is None, -(row.ap or 0.0), -(row.ap50 or 0.0)


def _columns(rows: Sequence[ClassFigures]) -> list[list[ClassFigures]]:
    """The rows in one to three columns of equal length, by how many there are."""
    columns = 1 if len(rows) <= 12 else 2 if len(rows) <= 30 else 3
    length = -(-len(rows) // columns)
    return [list(rows[start : start + length]) for start in range(0, len(rows), length)]


def _loss_chart(epochs: Sequence[Epoch]) -> Chart | None:
    return line_chart(
        "Loss by epoch",
        "epoch",
        [row.epoch for row in epochs],
        [
            Series("total", [row.loss for row in epochs], 1),
            Series("classes", [row.loss_class for row in epochs], 2),
            Series("boxes", [row.loss_box for row in epochs], 3),
        ],
        whole_x=True,
    )


def _rate_chart(epochs: Sequence[Epoch]) -> Chart | None:
    series = [Series("learning rate", [row.lr for row in epochs], 1)]
    return line_chart("Learning rate by epoch", "epoch", [row.epoch for row in epochs], series, whole_x=True)


def _precision_chart(curve: Sequence[Precision], evaluation: Evaluation) -> Chart | None:
    figures = evaluation.figures
    series = [
        Series("mean of IoU .50–.95", [row.mean for row in curve], 1, f"AP {words.figure(figures['AP'])}"),
        Series("IoU .50", [row.iou50 for row in curve], 2, f"AP50 {words.figure(figures['AP50'])}"),
        Series("IoU .75", [row.iou75 for row in curve], 3, f"AP75 {words.figure(figures['AP75'])}"),
    ]
    return line_chart("Precision by recall", "recall", [row.recall for row in curve], series, y_top=1.0)


def _strip(results: Results, photo: Photo) -> list[tuple[Image, Picture]]:
    budget = STRIP_BUDGET // STRIP_PHOTOS
    return [
        (image, draw_truth(image, photo("train", image.id), STRIP_FRAME, budget, results.classes))
        for image in spread(results.train, STRIP_PHOTOS)
    ]


def _groups(choice: Choice, photo: Photo, classes: dict[int, str]) -> list[Group]:
    budget = CASES_BUDGET // max(1, len(choice.best) + len(choice.worst) + len(choice.between))

    def shown(cases: Sequence[Case]) -> tuple[Shown, ...]:
        return tuple(
            Shown(case, draw_case(case, photo("val", case.image.id), CASE_FRAME, budget, classes))
            for case in cases
        )

    groups = (
        Group("Best", "The highest F1; of equals, the lower image id.", shown(choice.best)),
        Group("Worst", "The lowest F1; of equals, the lower image id.", shown(choice.worst)),
        Group("Between", "A draw from all the others, the same on every run.", shown(choice.between)),
    )
    return [group for group in groups if group.shown]
