"""What dropout keeps in a step, drawn outside of the network.

Departure from the tutorial: `nn.Dropout`'s masks differ from run to run on the CPU, so the masks are drawn here, from
the seed and the step alone, and are inputs of the training step (`VGG16`).
"""

import numpy as np

ALL = slice(None)


def keep_masks(
    shape: tuple[int, ...], probability: float, seed: int, step: int, share: slice = ALL
) -> tuple[np.ndarray, np.ndarray] | tuple[()]:
    """The masks of fc6 and fc7 in a step; none where the probability is 0.

    Args:
        shape: of fc6's output and of fc7's, [B, C, H, W].
        probability: of a value to be dropped; below 1.
        seed: of the training.
        step: from 0, over all epochs.
        share: the rows that are wanted.

    Returns:
        two arrays, of `shape` the share, float32: 0 where a value is dropped, else 1 / (1 - probability), so that the
        mean stays.
    """
    if probability == 0:
        return ()
    rng = np.random.default_rng([seed, step])
    fc6, fc7 = (
        (rng.random(shape, np.float32)[share] >= probability) / np.float32(1 - probability) for _ in range(2)
    )
    return fc6, fc7
