"""The line charts of the page."""

from collections.abc import Sequence

from ssd.analysis.thresholds import Threshold, suggested
from ssd.report import words
from ssd.report.figures import Chart, Series, line_chart
from ssd.report.inputs import Epoch, Evaluation, Precision


def loss_chart(epochs: Sequence[Epoch]) -> Chart | None:
    """The losses by epoch; None where none was recorded."""
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


def rate_chart(epochs: Sequence[Epoch]) -> Chart | None:
    """The learning rate by epoch; None where none was recorded."""
    series = [Series("learning rate", [row.lr for row in epochs], 1)]
    return line_chart("Learning rate by epoch", "epoch", [row.epoch for row in epochs], series, whole_x=True)


def precision_chart(curve: Sequence[Precision], evaluation: Evaluation) -> Chart | None:
    """Precision by recall; None where there is nothing to find."""
    figures = evaluation.figures
    series = [
        Series("mean of IoU .50–.95", [row.mean for row in curve], 1, f"AP {words.figure(figures['AP'])}"),
        Series("IoU .50", [row.iou50 for row in curve], 2, f"AP50 {words.figure(figures['AP50'])}"),
        Series("IoU .75", [row.iou75 for row in curve], 3, f"AP75 {words.figure(figures['AP75'])}"),
    ]
    return line_chart("Precision by recall", "recall", [row.recall for row in curve], series, y_top=1.0)


def threshold_chart(rows: Sequence[Threshold]) -> Chart | None:
    """Precision, recall and F1 by the least score, the highest F1 marked; None where there is nothing to find."""
    best = suggested(rows)
    return line_chart(
        "Precision, recall and F1 by least score",
        "least score",
        [row.threshold for row in rows],
        [
            Series("F1", [row.f1 for row in rows], 1),
            Series("precision", [row.precision for row in rows], 2),
            Series("recall", [row.recall for row in rows], 3),
        ],
        y_top=1.0,
        mark=None if best is None else (best.threshold, f"{best.threshold:.2f}"),
    )
