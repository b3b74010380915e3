import numpy as np
import pytest
from pictures import noise

from ssd.data.augment.colour import jitter_colour


def test_colour_leaves_shape_and_type_and_the_given_picture() -> None:
    picture = noise(13, 17)
    before = picture.copy()
    changed = jitter_colour(picture, 0.4, 0.4, 0.4, np.random.default_rng(3))
    assert changed.shape == picture.shape and changed.dtype == np.uint8
    assert not np.array_equal(changed, picture)
    np.testing.assert_array_equal(picture, before)


def test_colour_with_no_range_changes_nothing() -> None:
    picture = noise(13, 17)
    np.testing.assert_array_equal(jitter_colour(picture, 0.0, 0.0, 0.0, np.random.default_rng(3)), picture)


@pytest.mark.parametrize("seed", range(5))
def test_brightness_is_a_factor_within_its_range(seed: int) -> None:
    picture = np.full((4, 4, 3), 100, np.uint8)
    changed = jitter_colour(picture, 0.4, 0.0, 0.0, np.random.default_rng(seed))
    factor = np.random.default_rng(seed).uniform(0.6, 1.4)
    assert (changed == round(100 * factor)).all()
    # one grey: contrast and saturation have nothing to work on
    np.testing.assert_array_equal(jitter_colour(picture, 0.4, 0.9, 0.9, np.random.default_rng(seed)), changed)


def test_contrast_is_the_distance_from_the_mean_grey() -> None:
    picture = np.stack([np.full((2, 2, 3), 80, np.uint8), np.full((2, 2, 3), 120, np.uint8)]).reshape(4, 2, 3)
    rng = np.random.default_rng(2)
    changed = jitter_colour(picture, 0.0, 0.5, 0.0, rng)
    factor = np.random.default_rng(2).uniform(size=2)[1] + 0.5
    assert changed[0, 0].tolist() == [round(100 - 20 * factor)] * 3
    assert changed[3, 1].tolist() == [round(100 + 20 * factor)] * 3


def test_saturation_is_the_distance_from_the_pixels_own_grey() -> None:
    picture = np.full((2, 2, 3), (200, 100, 50), np.uint8)
    grey = 0.299 * 200 + 0.587 * 100 + 0.114 * 50
    factor = np.random.default_rng(4).uniform(size=3)[2] + 0.5
    expected = [round(grey + (value - grey) * factor) for value in (200, 100, 50)]
    assert jitter_colour(picture, 0.0, 0.0, 0.5, np.random.default_rng(4))[1, 0].tolist() == expected


def test_what_is_too_bright_is_cut_before_the_contrast() -> None:
    picture = np.stack([np.full((2, 2, 3), 0, np.uint8), np.full((2, 2, 3), 200, np.uint8)]).reshape(4, 2, 3)
    by_brightness, by_contrast, _ = np.random.default_rng(9).uniform(size=3) * 1.8 + 0.1
    assert by_brightness > 1.3 and by_contrast < 1
    changed = jitter_colour(picture, 0.9, 0.9, 0.0, np.random.default_rng(9))
    assert changed[0, 0].tolist() == [round(127.5 - 127.5 * by_contrast)] * 3
    assert changed[3, 1].tolist() == [round(127.5 + 127.5 * by_contrast)] * 3


def test_colours_that_leave_the_range_are_cut_and_never_wrap_round() -> None:
    picture = np.full((4, 4, 3), 255, np.uint8)
    picture[:2] = 0
    for seed in range(20):
        changed = jitter_colour(picture, 0.9, 0.9, 0.9, np.random.default_rng(seed)).astype(int)
        assert (changed[2:] >= changed[:2]).all()
