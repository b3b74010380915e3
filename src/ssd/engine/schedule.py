"""The learning rate of every step."""

import numpy as np


def learning_rates(
    steps_per_epoch: int, epochs: int, start: float, peak: float, end: float, warmup_epochs: float
) -> np.ndarray:
    """A line from `start` to `peak` during the warm-up, then half a cosine down to `end` (the tutorial's `get_lr`).

    Returns:
        [steps_per_epoch * epochs] float32, one rate a step.
    """
    steps = steps_per_epoch * epochs
    warmup = int(steps_per_epoch * warmup_epochs)
    step = np.arange(steps, dtype=np.float64)
    rising = start + (peak - start) * step / max(warmup, 1)
    falling = end + (peak - end) * (1 + np.cos(np.pi * (step - warmup) / max(steps - warmup, 1))) / 2
    return np.where(step < warmup, rising, falling).astype(np.float32)


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
