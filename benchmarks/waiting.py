"""The share of a training step that is spent waiting for data, with one worker.

Run: python benchmarks/waiting.py [--photos FOLDER]. The training of params.yaml, as it is but on these photos and some
epochs short; what hands over the batches is wrapped in a clock on the wall. The first epoch, in which the step is
compiled and photos are decoded for the first time, is told apart. Steps as fast as those of a quarter of VGG16's width
are the hardest case: with a wider network there is more time to make a batch in.
"""

import statistics
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
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
    from ssd.engine.checkpoint import Description, build_network
    from ssd.engine.optimizer import make_optimizer
    from ssd.engine.training import Training
    from ssd.model.loss import make_loss
    from ssd.model.weights import initialise

    params = load_params(ROOT / "params.yaml", Params)
    rules = params.train
    with tempfile.TemporaryDirectory() as folder:
        written = write_photos(photos, Path(folder))
        classes = load_classes(written)
        data = Clocked(training_data(params, open_records(written, "train"), rules.workers))
        steps = len(data.data.records) // data.data.batch_size
        description = Description(
            params.model,
            params.anchors,
            params.targets.variances,
            tuple(each.name for each in classes),
            tuple(each.category_id for each in classes),
            params.loss.scores,
        )
        net = build_network(description)
        initialise(net, rules.seed, params.loss.class_prior, params.model.input)
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
        Row("waiting for data, the first epoch", Times(*[shares[0]] * 3), None, "% of its time", None, ""),
        Row(
            f"waiting for data, the next {EPOCHS - 1} epochs of {steps} steps",
            (median := Times(statistics.median(later), min(later), max(later))),
            None,
            "% of their time",
            median.median,
            "below 2",
        ),
    ]


if __name__ == "__main__":
    chosen = photos_argument(__doc__)
    print(told(chosen))
    print(table(rows(chosen)))
