from pathlib import Path

import numpy as np
import pytest

from ssd.engine.schedule import learning_rates, steps_in

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "schedule.npz")


def test_the_rates_are_the_tutorials() -> None:
    rates = learning_rates(
        int(GOLDEN["steps_per_epoch"]),
        int(GOLDEN["total_epochs"]),
        float(GOLDEN["lr_init"]),
        float(GOLDEN["lr_max"]),
        float(GOLDEN["lr_end"]),
        float(GOLDEN["warmup_epochs"]),
    )
    assert rates.dtype == np.float32
    np.testing.assert_allclose(rates, GOLDEN["lr"], rtol=1e-6, atol=0)


def test_warm_up_is_a_line_from_the_start_to_the_peak_and_then_half_a_cosine_to_the_end() -> None:
    rates = learning_rates(4, 3, start=0.0, peak=1.0, end=0.2, warmup_epochs=1)
    assert len(rates) == 12
    np.testing.assert_allclose(rates[:4], [0, 0.25, 0.5, 0.75])
    assert rates[4] == 1
    assert rates[8] == pytest.approx((1 + 0.2) / 2)  # half way down
    assert rates[11] == pytest.approx(0.2 + 0.8 * (1 + np.cos(np.pi * 7 / 8)) / 2)
    assert (np.diff(rates[:5]) > 0).all() and (np.diff(rates[4:]) < 0).all()


def test_without_warm_up_the_first_rate_is_the_peak() -> None:
    assert learning_rates(5, 2, start=0.001, peak=0.1, end=0.0, warmup_epochs=0)[0] == np.float32(0.1)


def test_warm_up_for_all_of_the_training_never_falls() -> None:
    rates = learning_rates(5, 2, start=0.0, peak=1.0, end=0.5, warmup_epochs=2)
    np.testing.assert_allclose(rates, np.arange(10) / 10)


def test_warm_up_may_be_a_part_of_an_epoch() -> None:
    rates = learning_rates(10, 2, start=0.0, peak=1.0, end=0.0, warmup_epochs=0.5)
    assert rates.argmax() == 5 and rates[5] == 1


@pytest.mark.parametrize("warmup_epochs", [0, 1])
def test_a_training_of_one_step_has_one_finite_rate(warmup_epochs: int) -> None:
    rates = learning_rates(1, 1, start=0.25, peak=1.0, end=0.5, warmup_epochs=warmup_epochs)
    assert rates.tolist() == [0.25 if warmup_epochs else 1.0]


def test_an_epoch_has_as_many_steps_as_full_batches() -> None:
    assert [steps_in(images, 4) for images in (4, 7, 8)] == [1, 1, 2]


def test_fewer_images_than_a_batch_are_refused_with_both_numbers() -> None:
    with pytest.raises(ValueError, match=r"train\.batch_size: expected at most 3, .* got 4"):
        steps_in(3, 4)
