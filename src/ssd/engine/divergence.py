"""Why a loss is not finite, as far as the step itself can tell."""

from collections.abc import Sequence

import numpy as np

ADVICE = "try a lower train.lr_max, a longer train.warmup_epochs or a train.clip_norm"

HUGE_PIXEL = 256.0
"""Larger than any input: 0 to 255 less the mean is the widest."""

HUGE_OFFSET = 50.0
"""A box of a hundredth of a pixel gives some 40 against the smallest anchor of SSD300, one without width 69."""

TOLD = 5
"""How many of the losses before are told."""


def likely_cause(
    steps_taken: int, before: Sequence[float], rate: float, pixels: np.ndarray, offsets: np.ndarray
) -> str:
    """What the step points to, and what to try: a clause that ends the sentence.

    What the batch shows comes first, then that nothing was learnt yet, then the course of the losses.

    Args:
        steps_taken: before this one, in all epochs.
        before: the losses before, the latest last; of the steps of the epoch, or in its first of the epochs.
        rate: the learning rate of the latest step.
        pixels: of the batch, [B, 3, S, S].
        offsets: target offsets of the batch, [B, A, 4].
    """
    for name, values, huge, look_at in (
        ("pixels", pixels, HUGE_PIXEL, "model.input and the images"),
        ("target offsets", offsets, HUGE_OFFSET, "the boxes of these images for one without area"),
    ):
        if not np.isfinite(values).all():
            return f"the batch's {name} are not finite: look at {look_at}"
        largest = np.abs(values).max(initial=0)
        if largest > huge:
            return f"the batch's {name} reach {largest:.4g}, where {huge:g} is more than enough: look at {look_at}"
    if steps_taken == 0:
        return (
            "it is the first step, so not the rate but the first weights or the scale of the input are at fault: "
            "look at model.pretrained and model.input"
        )
    latest = list(before)[-TOLD:]
    told = ", ".join(f"{loss:.4g}" for loss in latest)
    if len(latest) > 1 and latest[-1] > 2 * min(latest):
        return (
            f"the losses before grew ({told}) at a learning rate of {rate:.4g}, which is too high: {ADVICE}"
        )
    return f"the losses before did not grow ({told}; learning rate {rate:.4g}): {ADVICE}, and look at these images"
