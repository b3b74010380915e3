from pathlib import Path

import numpy as np
import pytest
import yaml

from ssd.config import Train, from_tree
from ssd.engine.schedule import cosine_rates, learning_rates, stepped_rates, steps_in

PARAMS = (Path(__file__).parents[1] / "golden" / "params.yaml").read_text(encoding="utf-8")
GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "schedule.npz")


def test_the_rates_are_the_tutorials() -> None:
    rates = cosine_rates(
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
    rates = cosine_rates(4, 3, start=0.0, peak=1.0, end=0.2, warmup_epochs=1)
    assert len(rates) == 12
    np.testing.assert_allclose(rates[:4], [0, 0.25, 0.5, 0.75])
    assert rates[4] == 1
    assert rates[8] == pytest.approx((1 + 0.2) / 2)  # half way down
    assert rates[11] == pytest.approx(0.2 + 0.8 * (1 + np.cos(np.pi * 7 / 8)) / 2)
    assert (np.diff(rates[:5]) > 0).all() and (np.diff(rates[4:]) < 0).all()


def test_without_warm_up_the_first_rate_is_the_peak() -> None:
    assert cosine_rates(5, 2, start=0.001, peak=0.1, end=0.0, warmup_epochs=0)[0] == np.float32(0.1)


def test_warm_up_for_all_of_the_training_never_falls() -> None:
    rates = cosine_rates(5, 2, start=0.0, peak=1.0, end=0.5, warmup_epochs=2)
    np.testing.assert_allclose(rates, np.arange(10) / 10)


def test_warm_up_may_be_a_part_of_an_epoch() -> None:
    rates = cosine_rates(10, 2, start=0.0, peak=1.0, end=0.0, warmup_epochs=0.5)
    assert rates.argmax() == 5 and rates[5] == 1


@pytest.mark.parametrize("warmup_epochs", [0, 1])
def test_a_training_of_one_step_has_one_finite_rate(warmup_epochs: int) -> None:
    rates = cosine_rates(1, 1, start=0.25, peak=1.0, end=0.5, warmup_epochs=warmup_epochs)
    assert rates.tolist() == [0.25 if warmup_epochs else 1.0]


def test_a_rate_in_steps_falls_after_each_milestone() -> None:
    rates = stepped_rates(2, 5, start=0.25, peak=1.0, factor=0.5, milestones=(2, 4), warmup_epochs=0)
    assert rates.dtype == np.float32
    assert rates.tolist() == [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25]


def test_a_rate_in_steps_has_the_same_warm_up() -> None:
    rates = stepped_rates(4, 3, start=0.0, peak=1.0, factor=0.1, milestones=(2,), warmup_epochs=1)
    cosine = cosine_rates(4, 3, start=0.0, peak=1.0, end=0.0, warmup_epochs=1)
    assert rates[:5].tolist() == cosine[:5].tolist() == [0, 0.25, 0.5, 0.75, 1]
    np.testing.assert_allclose(rates[5:], [1] * 3 + [0.1] * 4, rtol=1e-6)


def test_caffes_and_torchvisions_rates_are_divided_by_ten_twice() -> None:
    rates = stepped_rates(3, 120, start=0.0, peak=0.002, factor=0.1, milestones=(80, 110), warmup_epochs=0)
    of_epochs = rates.reshape(120, 3)
    np.testing.assert_allclose(of_epochs[[0, 79, 80, 109, 110, 119], 0], [2e-3] * 2 + [2e-4] * 2 + [2e-5] * 2)


def test_the_parameters_choose_the_schedule() -> None:
    given = {
        "lr_start": 0.1,
        "lr_max": 0.8,
        "lr_end": 0.2,
        "lr_factor": 0.5,
        "milestones": [2],
        "warmup_epochs": 1,
    }
    tree = yaml.safe_load(PARAMS)["train"] | given | {"epochs": 4}
    cosine = from_tree(Train, tree | {"schedule": "cosine"}, "train")
    steps = from_tree(Train, tree | {"schedule": "steps"}, "train")
    np.testing.assert_array_equal(learning_rates(cosine, 3), cosine_rates(3, 4, 0.1, 0.8, 0.2, 1))
    np.testing.assert_array_equal(learning_rates(steps, 3), stepped_rates(3, 4, 0.1, 0.8, 0.5, (2,), 1))


def test_an_epoch_has_as_many_steps_as_full_batches() -> None:
    assert [steps_in(images, 4) for images in (4, 7, 8)] == [1, 1, 2]


def test_fewer_images_than_a_batch_are_refused_with_both_numbers() -> None:
    with pytest.raises(ValueError, match=r"train\.batch_size: expected at most 3, .* got 4"):
        steps_in(3, 4)
