"""What a step whose loss is not finite points to."""

import numpy as np
import pytest

from ssd.engine.divergence import ADVICE, likely_cause

PIXELS, OFFSETS = np.full((2, 3, 4, 4), 151.0, np.float32), np.full((2, 5, 4), -17.0, np.float32)


def with_one(values: np.ndarray, value: float) -> np.ndarray:
    changed = values.copy()
    changed.flat[7] = value
    return changed


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_batch_that_is_not_finite_is_at_fault_whatever_the_losses_were(value: float) -> None:
    before = [1.0, 100.0]
    of_pixels = likely_cause(9, before, 0.1, with_one(PIXELS, value), OFFSETS)
    assert of_pixels == "the batch's pixels are not finite: look at model.input and the images"
    of_offsets = likely_cause(0, [], 0.1, PIXELS, with_one(OFFSETS, value))
    assert (
        of_offsets
        == "the batch's target offsets are not finite: look at the boxes of these images for one without area"
    )


def test_a_box_without_width_is_seen_by_its_offset() -> None:
    # ln(1e-6) / 0.2
    told = likely_cause(9, [1.0], 0.1, PIXELS, with_one(OFFSETS, -69.08))
    assert told.startswith(
        "the batch's target offsets reach 69.08, where 50 is more than enough: look at the boxes"
    )


def test_pixels_on_another_scale_are_told() -> None:
    told = likely_cause(9, [1.0], 0.1, with_one(PIXELS, -65535), OFFSETS)
    assert told.startswith(
        "the batch's pixels reach 6.554e+04, where 256 is more than enough: look at model.input"
    )


def test_in_the_first_step_the_rate_has_done_nothing_yet() -> None:
    told = likely_cause(0, [], 0.1, PIXELS, OFFSETS)
    assert told.startswith("it is the first step, so not the rate")
    assert told.endswith("look at model.pretrained and model.input")


def test_losses_that_grew_speak_against_the_rate_and_the_last_five_are_told() -> None:
    told = likely_cause(6, [9.0, 3.0, 3.5, 3.25, 4.0, 6.5], 0.05, PIXELS, OFFSETS)
    assert told == (
        "the losses before grew (3, 3.5, 3.25, 4, 6.5) at a learning rate of 0.05, which is too high: "
        + ADVICE
    )


@pytest.mark.parametrize("before", [[3.0], [3.0, 6.0], [9.0, 3.0]])
def test_losses_that_did_not_grow_leave_it_open(before: list[float]) -> None:
    told = likely_cause(6, before, 0.05, PIXELS, OFFSETS)
    losses = ", ".join(f"{loss:g}" for loss in before)
    assert told == (
        f"the losses before did not grow ({losses}; learning rate 0.05): {ADVICE}, and look at these images"
    )


def test_a_batch_without_anchors_is_not_at_fault() -> None:
    assert likely_cause(0, [], 0.1, PIXELS, OFFSETS[:, :0]).startswith("it is the first step")
