"""Stage report: one page of pictures and numbers about the run, to open in a browser.

Reads params.yaml (report), data/records, data/detections.json and metrics; writes report/index.html. Where this is a
repository of Git whose HEAD has other figures in metrics/evaluate.json, the page compares with them. With --against it
compares with another run, and writes work/against/index.html.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ssd.config import Report, load_params
from ssd.data.photos import open_photos
from ssd.files import replacing_folder, write_text
from ssd.report import inputs
from ssd.report.committed import Earlier, of, of_head
from ssd.report.page import Results, build_page
from ssd.telling import LOG
from stages import run_stage

OPTIONS = {
    "--against": {
        "metavar": "RUN",
        "help": "compare with this run instead: a revision of Git, such as v1 or an experiment's name, or a folder",
    }
}
EVALUATION = Path("metrics/evaluate.json")
CLASSES = Path("metrics/per_class.csv")


@dataclass(frozen=True)
class Params:
    """What this stage reads of params.yaml."""

    report: Report


def main() -> None:
    """Read what the other stages found out, lay it out, write the page."""
    write_page(Path("report"), of_head(EVALUATION, CLASSES))
    LOG.info("report/index.html: one page, to open in a browser")


def compare(against: str) -> None:
    """Write the page beside another run, apart from DVC's outputs."""
    write_page(Path("work/against"), of(against, EVALUATION, CLASSES))
    LOG.info("work/against/index.html")


def write_page(place: Path, earlier: Earlier | None) -> None:
    """Write the folder of the page."""
    wanted = load_params("params.yaml", Params).report
    records = Path("data/records")
    page = build_page(
        read_results(records, Path("data/detections.json"), Path("metrics"), earlier),
        open_photos(records),
        wanted.title,
        wanted.photos,
        wanted.min_score,
        np.random.default_rng(0),  # the same images are drawn whenever the detections are the same
    )
    with replacing_folder(place) as folder:
        write_text(folder / "index.html", page)


def read_results(records: Path, detections: Path, metrics: Path, earlier: Earlier | None) -> Results:
    """The facts of all the files together."""
    classes = inputs.read_classes(records / "classes.json")
    val = inputs.read_images(records / "val.json", classes)
    return Results(
        data=inputs.read_data(metrics / "mindrecord.json"),
        class_counts=inputs.read_class_counts(metrics / "classes.csv"),
        anchors=inputs.read_anchors(metrics / "anchors.json"),
        epochs=inputs.read_epochs(metrics / "train.csv"),
        training=inputs.read_training(metrics / "train.json"),
        evaluation=inputs.read_evaluation(metrics / "evaluate.json"),
        class_figures=inputs.read_class_figures(metrics / "per_class.csv"),
        precision=inputs.read_precision(metrics / "pr.csv"),
        thresholds=inputs.read_thresholds(metrics / "thresholds.csv"),
        classes=classes,
        train=inputs.read_images(records / "train.json", classes),
        val=val,
        detections=inputs.read_detections(detections, val, classes),
        earlier=earlier,
    )


if __name__ == "__main__":
    run_stage(main, __doc__, OPTIONS, compare)
