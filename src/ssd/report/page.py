"""The page: everything that is known about one run, laid out by a template as a single HTML file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
import numpy as np

from ssd.analysis.thresholds import Threshold, suggested
from ssd.report import words
from ssd.report.cases import case_of, choose, judge_image
from ssd.report.charts import loss_chart, precision_chart, rate_chart, threshold_chart
from ssd.report.committed import Earlier, differs
from ssd.report.drawing import Photo
from ssd.report.gallery import draw_gallery, draw_strip
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
from ssd.report.mistakes import find_mistakes
from ssd.telling import progress


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
    thresholds: tuple[Threshold, ...]
    classes: dict[int, str]
    train: tuple[Image, ...]
    val: tuple[Image, ...]
    detections: dict[int, list[Detection]]
    earlier: Earlier | None = None


def build_page(
    results: Results, photo: Photo, title: str, photos: int, min_score: float, rng: np.random.Generator
) -> str:
    """The whole page as HTML.

    Args:
        results: what the other stages wrote, and the run to compare with; one of the same figures is left out.
        photo: the encoded photo of a split (train or val) and an image id.
        title: the page's title.
        photos: how many validation images to show.
        min_score: the score from which a detection is shown and counted.
        rng: draws the images between the best and the worst.
    """
    judged = [judge_image(image, results.detections[image.id]) for image in progress("judge", results.val)]
    cases = [
        case_of(image, results.detections[image.id], each, min_score)
        for image, each in zip(results.val, judged, strict=True)
    ]
    mistakes = find_mistakes(cases, judged, results.classes, min_score)
    gallery = draw_gallery(choose(cases, photos, rng), photo, results.classes)
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
        loss_chart=loss_chart(results.epochs),
        rate_chart=rate_chart(results.epochs),
        precision_chart=precision_chart(results.precision, results.evaluation),
        threshold_chart=threshold_chart(results.thresholds),
        best=suggested(results.thresholds),
        earlier=results.earlier if differs(results.earlier, results.evaluation.figures) else None,
        strip=draw_strip(results.train, photo, results.classes),
        cases=cases,
        mistakes=mistakes,
        most_errors=max(mistakes.errors.values()) or 1,
        gallery=gallery,
    )


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
