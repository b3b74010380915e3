"""The share of a training step that is spent waiting for data, with one worker.

Run: python benchmarks/waiting.py [--photos FOLDER]. The training of params.yaml, as it is but on these photos and some
epochs short; what hands over the batches is wrapped in a clock on the wall. The first epoch, in which the step is
compiled and photos are decoded for the first time, is told apart. Steps as fast as those of a network as narrow as
the sample's are the hardest case: with a wider network there is more time to make a batch in.
"""

import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from first_network import first_network
from input_pipeline import training_data
from measure import Row, Times, table
from photos import ROOT, photos_argument, told, write_photos

from ssd.config import Params, load_params
from ssd.data.dataset import TrainingData
from ssd.data.records import load_classes, open_records

EPOCHS = 3


class Clocked:
    """A training's data that notes how long each batch was waited for, and when it was handed over."""

    def __init__(self, data: TrainingData) -> None:
        self.data = data
        self.waited: list[float] = []
        self.at: list[float] = []

    def batches(self, epoch: int, start: int) -> Iterator[Iterable[np.ndarray]]:
        """Those of the data."""
        coming = self.data.batches(epoch, start)
        while True:
            begin = time.perf_counter()
            batch = next(coming, None)
            if batch is None:
                return
            self.at.append(time.perf_counter())
            self.waited.append(self.at[-1] - begin)
            yield batch

    def image_ids(self, epoch: int, step: int) -> Sequence[int]:
        """Those of the data."""
        return self.data.image_ids(epoch, step)


def rows(photos: Path | None) -> list[Row]:
    """The share of the first epoch and of the others."""
    from ssd.engine.optimizer import make_optimizer
    from ssd.engine.training import Training
    from ssd.model.loss import make_loss

    params = load_params(ROOT / "params.yaml", Params)
    rules = params.train
    with tempfile.TemporaryDirectory() as folder:
        written = write_photos(photos, Path(folder))
        classes = load_classes(written)
        data = Clocked(training_data(params, open_records(written, "train"), rules.workers))
        steps = len(data.data.records) // data.data.batch_size
        net, _ = first_network(params, classes, rules.seed)
        rates = np.full(EPOCHS * steps, 1e-5, np.float32)
        optimizer = make_optimizer(net, rules.optimizer, rates, rules.momentum, 0.0, rules.bias_lr_factor)
        for _ in Training(net, make_loss(params.loss), optimizer, data, rates, EPOCHS).steps():
            pass
    shares = []
    for epoch in range(EPOCHS):
        of_epoch = slice(epoch * steps, (epoch + 1) * steps)
        waited = data.waited[of_epoch]
        # from the moment when the first batch is asked for to that when the last step begins
        lasted = data.at[of_epoch][-1] - data.at[of_epoch][0] + waited[0]
        shares.append(100 * sum(waited) / lasted)
    later = shares[1:]
    return [
        Row("waiting for data, the first epoch", Times.of(shares[:1]), None, "% of its time", None, ""),
        Row(
            f"waiting for data, the next {EPOCHS - 1} epochs of {steps} steps",
            (of_later := Times.of(later)),
            None,
            "% of their time",
            of_later.median,
            "below 2",
        ),
    ]


if __name__ == "__main__":
    chosen = photos_argument(__doc__)
    print(told(chosen))
    print(table(rows(chosen)))
