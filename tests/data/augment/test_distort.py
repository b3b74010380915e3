"""Colours by the pixel, with numbers to check by hand."""

import colorsys

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import noise

from ssd.data.augment import distort as steps
from ssd.data.augment.distort import (
    distort,
    scale_contrast,
    scale_saturation,
    shift_brightness,
    shuffle_channels,
    turn_hue,
)

CHANGES = {
    "brightness": shift_brightness,
    "contrast": scale_contrast,
    "saturation": scale_saturation,
    "hue": turn_hue,
}
each_change = pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)


class Drawn:
    """A generator whose every draw is known."""

    def __init__(self, value: float) -> None:
        self.value = value

    def uniform(self, low: float, high: float) -> float:
        assert low <= self.value <= high
        return self.value


def one_pixel(*rgb: int) -> np.ndarray:
    return np.full((1, 1, 3), rgb, np.uint8)


def test_brightness_adds_one_number_to_all_levels() -> None:
    assert shift_brightness(one_pixel(0, 100, 255), 32.0, Drawn(20.4))[0, 0].tolist() == [20, 120, 255]
    assert shift_brightness(one_pixel(0, 100, 255), 32.0, Drawn(-20.6))[0, 0].tolist() == [0, 79, 234]


def test_contrast_is_a_factor_of_the_levels_themselves() -> None:
    assert scale_contrast(one_pixel(10, 101, 200), 0.5, Drawn(1.5))[0, 0].tolist() == [15, 152, 255]
    assert scale_contrast(one_pixel(10, 101, 200), 0.5, Drawn(0.6))[0, 0].tolist() == [6, 61, 120]


def test_levels_are_rounded_and_cut_as_opencv_does() -> None:
    levels = np.tile(np.arange(256, dtype=np.uint8)[:, None, None], (1, 1, 3))
    for factor in np.linspace(0.5, 1.5, 41):
        found = scale_contrast(levels, 0.5, Drawn(float(factor)))
        np.testing.assert_array_equal(found, cv2.convertScaleAbs(levels, alpha=float(factor)))


def test_saturation_moves_the_weaker_colours_away_from_the_strongest() -> None:
    # value 200, saturation (200 - 100) / 200; halved: the weakest becomes 200 - 50
    assert scale_saturation(one_pixel(200, 100, 100), 0.5, Drawn(0.5))[0, 0] == pytest.approx(
        [200, 150, 150], abs=1
    )
    assert scale_saturation(one_pixel(200, 100, 100), 0.5, Drawn(1.5))[0, 0] == pytest.approx(
        [200, 50, 50], abs=1
    )
    # full already: it stays at 255 and does not begin again at 0
    assert scale_saturation(one_pixel(200, 0, 0), 0.5, Drawn(1.5))[0, 0].tolist() == [200, 0, 0]
    assert scale_saturation(one_pixel(90, 90, 90), 0.5, Drawn(1.5))[0, 0].tolist() == [90, 90, 90]


@pytest.mark.parametrize(
    ("before", "half_degrees", "after"),
    [
        ((255, 0, 0), 30.0, (255, 255, 0)),
        ((255, 255, 0), -30.0, (255, 0, 0)),
        ((0, 0, 255), 60.0, (255, 0, 0)),  # round the circle
        ((255, 0, 0), -60.0, (0, 0, 255)),  # and the other way
        ((77, 77, 77), 60.0, (77, 77, 77)),
    ],
)
def test_the_hue_turns_round_the_circle(before: tuple, half_degrees: float, after: tuple) -> None:
    assert turn_hue(one_pixel(*before), 90.0, Drawn(half_degrees))[0, 0].tolist() == list(after)


@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255), st.floats(-18, 18))
def test_a_turned_hue_keeps_value_and_saturation(red: int, green: int, blue: int, angle: float) -> None:
    changed = turn_hue(one_pixel(red, green, blue), 18.0, Drawn(angle))[0, 0]
    _, before_s, before_v = colorsys.rgb_to_hsv(red / 255, green / 255, blue / 255)
    _, after_s, after_v = colorsys.rgb_to_hsv(*(changed / 255).tolist())
    assert after_v == pytest.approx(before_v, abs=1.01 / 255)
    assert after_s * after_v == pytest.approx(before_s * before_v, abs=3.01 / 255)


def test_the_channels_come_in_every_order() -> None:
    orders = {
        tuple(shuffle_channels(one_pixel(1, 2, 3), np.random.default_rng(seed))[0, 0]) for seed in range(60)
    }
    assert orders == {(1, 2, 3), (1, 3, 2), (2, 1, 3), (2, 3, 1), (3, 1, 2), (3, 2, 1)}


@each_change
def test_a_change_leaves_shape_and_type_and_the_given_picture(change) -> None:
    picture = noise(13, 17)
    before = picture.copy()
    changed = change(
        picture, 0.4 if change in (scale_contrast, scale_saturation) else 15.0, np.random.default_rng(3)
    )
    assert changed.shape == picture.shape and changed.dtype == np.uint8
    assert not np.array_equal(changed, picture)
    np.testing.assert_array_equal(picture, before)


@each_change
def test_a_change_is_drawn_evenly_from_its_range(change, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    class Asked:
        def uniform(self, low: float, high: float) -> float:
            asked.append((low, high))
            return (low + high) / 2

    change(noise(2, 2), 0.25, Asked())
    assert asked == [(0.75, 1.25) if change in (scale_contrast, scale_saturation) else (-0.25, 0.25)]


def traced(monkeypatch: pytest.MonkeyPatch, seed: int, chance: float, **ranges: float) -> list[str]:
    """The names of the changes that a distortion makes, in their order."""
    made = []
    for name, change in CHANGES.items():

        def noted(image, reach, rng, name=name, change=change):
            made.append(name)
            return change(image, reach, rng)

        monkeypatch.setattr(steps, change.__name__, noted)
    values = {"brightness": 32.0, "contrast": 0.5, "saturation": 0.5, "hue": 18.0} | ranges
    distort(noise(2, 2), chance, **values, rng=np.random.default_rng(seed))
    monkeypatch.undo()
    return made


def test_contrast_is_second_or_last_by_a_coin(monkeypatch: pytest.MonkeyPatch) -> None:
    orders = [tuple(traced(monkeypatch, seed, 1.0)) for seed in range(300)]
    assert set(orders) == {
        ("brightness", "contrast", "saturation", "hue"),
        ("brightness", "saturation", "hue", "contrast"),
    }
    assert orders.count(orders[0]) / 300 == pytest.approx(0.5, abs=0.09)  # three standard errors


def test_each_change_has_its_own_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    made = [set(traced(monkeypatch, seed, 0.5)) for seed in range(600)]
    for name in CHANGES:
        assert np.mean([name in each for each in made]) == pytest.approx(0.5, abs=0.062)
    assert np.mean([not each for each in made]) == pytest.approx(1 / 16, abs=0.03)
    assert np.mean([len(each) == 4 for each in made]) == pytest.approx(1 / 16, abs=0.03)


def test_a_chance_of_zero_or_ranges_of_zero_change_nothing() -> None:
    picture = noise(13, 17)
    for seed in range(10):
        rng = np.random.default_rng(seed)
        np.testing.assert_array_equal(distort(picture, 0.0, 32.0, 0.5, 0.5, 18.0, rng), picture)
        np.testing.assert_array_equal(distort(picture, 1.0, 0.0, 0.0, 0.0, 0.0, rng), picture)


def test_the_distortion_is_its_changes_one_after_the_other() -> None:
    picture = noise(20, 30)
    for seed in range(10):
        rng = np.random.default_rng(seed)
        order = ["brightness", "contrast", "saturation", "hue"]
        if rng.random() < 0.5:
            order = ["brightness", "saturation", "hue", "contrast"]
        expected = picture
        for name in order:
            if rng.random() < 0.5:
                reach = {"brightness": 32.0, "contrast": 0.5, "saturation": 0.5, "hue": 18.0}[name]
                expected = CHANGES[name](expected, reach, rng)
        found = distort(picture, 0.5, 32.0, 0.5, 0.5, 18.0, np.random.default_rng(seed))
        np.testing.assert_array_equal(found, expected)
