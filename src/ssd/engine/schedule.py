"""The learning rate of every step.

Beyond the tutorial: rates that fall in steps, as SSD's Caffe code and torchvision have them.
"""

from collections.abc import Sequence

import numpy as np

from ssd.config import Train


def learning_rates(rules: Train, steps_per_epoch: int) -> np.ndarray:
    """The rates that the parameters name, [steps_per_epoch * epochs] float32, one a step."""
    if rules.schedule == "steps":
        return stepped_rates(
            steps_per_epoch,
            rules.epochs,
            rules.lr_start,
            rules.lr_max,
            rules.lr_factor,
            rules.milestones,
            rules.warmup_epochs,
        )
    return cosine_rates(
        steps_per_epoch, rules.epochs, rules.lr_start, rules.lr_max, rules.lr_end, rules.warmup_epochs
    )


def cosine_rates(
    steps_per_epoch: int, epochs: int, start: float, peak: float, end: float, warmup_epochs: float
) -> np.ndarray:
    """A line from `start` to `peak` during the warm-up, then half a cosine down to `end` (the tutorial's `get_lr`).

    Returns:
        [steps_per_epoch * epochs] float32, one rate a step.
    """
    warmup = _warmup_steps(steps_per_epoch, warmup_epochs)
    step = np.arange(steps_per_epoch * epochs, dtype=np.float64)
    falling = end + (peak - end) * (1 + np.cos(np.pi * (step - warmup) / max(len(step) - warmup, 1))) / 2
    return _warmed_up(falling, start, peak, warmup)


def stepped_rates(
    steps_per_epoch: int,
    epochs: int,
    start: float,
    peak: float,
    factor: float,
    milestones: Sequence[int],
    warmup_epochs: float,
) -> np.ndarray:
    """A line from `start` to `peak` during the warm-up, then `peak`, times `factor` after each milestone.

    Args:
        steps_per_epoch, epochs: how long it goes.
        start, peak: the first rate of the warm-up, and the rate after it.
        factor: usually 0.1.
        milestones: epochs after whose end the rate falls, as torchvision counts them.
        warmup_epochs: may be 0.

    Returns:
        [steps_per_epoch * epochs] float32, one rate a step.
    """
    step = np.arange(steps_per_epoch * epochs)
    passed = np.searchsorted(np.asarray(milestones) * steps_per_epoch, step, side="right")
    return _warmed_up(peak * factor**passed, start, peak, _warmup_steps(steps_per_epoch, warmup_epochs))


def _warmup_steps(steps_per_epoch: int, warmup_epochs: float) -> int:
    return int(steps_per_epoch * warmup_epochs)


def _warmed_up(rates: np.ndarray, start: float, peak: float, warmup: int) -> np.ndarray:
    """`rates`, the first `warmup` of them replaced by a line from `start` towards `peak`."""
    step = np.arange(len(rates), dtype=np.float64)
    rising = start + (peak - start) * step / max(warmup, 1)
    return np.where(step < warmup, rising, rates).astype(np.float32)


def steps_in(images: int, batch_size: int) -> int:
    """Steps of one epoch: the full batches.

    Raises:
        ValueError: fewer images than one batch takes.
    """
    if images < batch_size:
        raise ValueError(
            f"params.yaml: train.batch_size: expected at most {images}, the number of training images; got {batch_size}"
        )
    return images // batch_size
