import numpy as np
import pytest

from ssd.engine.dropout import keep_masks

SHAPE = (2, 16, 19, 19)


def test_without_dropout_there_are_no_masks() -> None:
    assert keep_masks(SHAPE, 0.0, 1, 0) == ()


@pytest.mark.parametrize("probability", [0.25, 0.5])
def test_so_many_values_are_dropped_and_the_others_are_raised_so_that_the_mean_stays(
    probability: float,
) -> None:
    for mask in keep_masks(SHAPE, probability, 1, 0):
        assert mask.shape == SHAPE and mask.dtype == np.float32
        assert np.unique(mask).tolist() == [0, np.float32(1 / (1 - probability))]
        assert (mask == 0).mean() == pytest.approx(probability, abs=0.02)
        assert mask.mean() == pytest.approx(1, abs=0.03)


def test_the_masks_depend_on_the_seed_and_the_step_and_differ_from_each_other() -> None:
    fc6, fc7 = keep_masks(SHAPE, 0.5, 1, 7)
    assert not np.array_equal(fc6, fc7)
    np.testing.assert_array_equal(keep_masks(SHAPE, 0.5, 1, 7), (fc6, fc7))
    for seed, step in ((1, 8), (2, 7), (7, 1)):
        assert not np.array_equal(keep_masks(SHAPE, 0.5, seed, step)[0], fc6)
