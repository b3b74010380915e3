"""The losses of a training as files, rewritten after every epoch so that `dvc exp show` is live."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ssd.files import write_csv, write_json


@dataclass(frozen=True)
class EpochLosses:
    """Mean losses of one epoch and the learning rate of its last step."""

    epoch: int
    lr: float
    loss: float
    loss_box: float
    loss_class: float


def write_history(
    csv_path: Path,
    json_path: Path,
    history: Sequence[EpochLosses],
    steps_per_epoch: int,
    parameters: int,
    made_by: str,
) -> None:
    """Write one row an epoch to `csv_path`, and the last epoch's figures to `json_path`.

    Args:
        csv_path: the table.
        json_path: the figures.
        history: the epochs so far, at least one.
        steps_per_epoch: training steps in an epoch.
        parameters: trainable numbers of the network.
        made_by: what the figures' last digits depend on: versions and processor.
    """
    header = ("epoch", "lr", "loss", "loss_box", "loss_class")
    rows = [
        (each.epoch, f"{each.lr:.6g}", f"{each.loss:.5f}", f"{each.loss_box:.5f}", f"{each.loss_class:.5f}")
        for each in history
    ]
    write_csv(csv_path, header, rows)
    last = history[-1]
    write_json(
        json_path,
        {
            "epochs": last.epoch,
            "steps": last.epoch * steps_per_epoch,
            "loss": round(last.loss, 5),
            "loss_box": round(last.loss_box, 5),
            "loss_class": round(last.loss_class, 5),
            "lr": float(f"{last.lr:.6g}"),
            "parameters": parameters,
            "made_by": made_by,
        },
    )
