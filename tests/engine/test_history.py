import json
from pathlib import Path

from ssd.engine.history import EpochLosses, write_history

HISTORY = [
    EpochLosses(1, 0.03, 4.5, 1.25, 3.25),
    EpochLosses(2, 0.00012345678, 1.234567, 0.2, 1.034567),
]


def test_the_table_has_a_row_an_epoch_and_the_figures_are_the_last_ones(tmp_path: Path) -> None:
    table, figures = tmp_path / "metrics" / "train.csv", tmp_path / "metrics" / "train.json"
    write_history(table, figures, HISTORY, steps_per_epoch=70, parameters=123, made_by="numpy 9")
    assert table.read_text() == (
        "epoch,lr,loss,loss_box,loss_class\n"
        "1,0.03,4.50000,1.25000,3.25000\n"
        "2,0.000123457,1.23457,0.20000,1.03457\n"
    )
    assert json.loads(figures.read_text()) == {
        "epochs": 2,
        "steps": 140,
        "loss": 1.23457,
        "loss_box": 0.2,
        "loss_class": 1.03457,
        "lr": 0.000123457,
        "parameters": 123,
        "made_by": "numpy 9",
    }


def test_every_epoch_replaces_what_was_written(tmp_path: Path) -> None:
    table, figures = tmp_path / "train.csv", tmp_path / "train.json"
    for epochs in (1, 2):
        write_history(table, figures, HISTORY[:epochs], steps_per_epoch=70, parameters=123, made_by="numpy 9")
    assert len(table.read_text().splitlines()) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["train.csv", "train.json"]
