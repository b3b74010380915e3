"""What it costs to keep states of a training: the time of writing one beside that of the steps between two.

Run from the project's folder: `python benchmarks/checkpoint_cost.py`. It takes the network, the optimizer and the batch
of params.yaml, noise for images, and writes the states into a temporary folder.
"""

import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from ssd.config import Params, load_params
from ssd.engine.checkpoint import Description, build_network
from ssd.engine.optimizer import make_optimizer
from ssd.engine.state import save_state
from ssd.engine.training import Training
from ssd.geometry.anchors import make_anchors
from ssd.model.loss import make_loss
from ssd.model.weights import initialise

WARM_UP, ROUNDS, STEPS_A_ROUND = 6, 5, 4
CLASSES = ("circle", "square", "triangle", "star", "ring")


class Noise:
    """The same batch of noise over and over, one positive anchor in a hundred."""

    def __init__(self, params: Params, anchors: int) -> None:
        rng = np.random.default_rng(1)
        batch, size = params.train.batch_size, params.model.input_size
        labels = (rng.random((batch, anchors)) < 0.01).astype(np.int32)
        self.batch = (
            rng.standard_normal((batch, 3, size, size)).astype(np.float32),
            np.zeros((batch, anchors, 4), np.float32),
            labels,
        )

    def batches(self, epoch: int, start: int) -> list:
        """One epoch of as many steps as are taken here."""
        return [self.batch] * (WARM_UP + ROUNDS * STEPS_A_ROUND - start)

    def image_ids(self, epoch: int, step: int) -> tuple[int, ...]:
        """None: noise has no ids."""
        return ()


def main() -> None:
    """Alternate steps and states, and print the medians and what states cost at `train.checkpoint_every`."""
    params = load_params("params.yaml", Params)
    recipe, rules = params.anchors, params.train
    anchors = make_anchors(
        params.model.input_size, recipe.steps, recipe.sizes, recipe.ratios, recipe.large_square, recipe.clip
    )
    ids = tuple(range(1, 1 + len(CLASSES)))
    net = build_network(
        Description(params.model, recipe, params.targets.variances, CLASSES, ids, params.loss.scores)
    )
    initialise(net, rules.seed, params.loss.class_prior)
    rates = np.full(WARM_UP + ROUNDS * STEPS_A_ROUND, 1e-5, np.float32)
    optimizer = make_optimizer(
        net, rules.optimizer, rates, rules.momentum, rules.weight_decay, rules.bias_lr_factor
    )
    training = Training(net, make_loss(params.loss), optimizer, Noise(params, len(anchors)), rates, 1)
    steps = training.steps()
    for _ in range(WARM_UP):
        next(steps)
    step_times, state_times = [], []
    with tempfile.TemporaryDirectory(dir=".") as folder:
        for _ in range(ROUNDS):
            begin = time.perf_counter()
            for _ in range(STEPS_A_ROUND):
                next(steps)
            middle = time.perf_counter()
            save_state(Path(folder), training.state())
            step_times.append((middle - begin) / STEPS_A_ROUND)
            state_times.append(time.perf_counter() - middle)
        size = max(Path(folder).iterdir()).stat().st_size
    step, state = statistics.median(step_times), statistics.median(state_times)
    share = state / (step * rules.checkpoint_every)
    print(
        f"a state of {size / 1e6:.0f} MB takes as long as {state / step:.2f} steps "
        f"(from {min(state_times) / step:.2f} to {max(state_times) / step:.2f}); "
        f"every {rules.checkpoint_every} steps that is {share:.2%} of the training"
    )


if __name__ == "__main__":
    main()
