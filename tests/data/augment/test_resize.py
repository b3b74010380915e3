import cv2
import numpy as np
import pytest
from pictures import NO_BOXES, noise

from ssd.data.augment.mirror import mirror
from ssd.data.augment.resize import INTERPOLATIONS, draw_interpolation, resize, shrink


@pytest.mark.parametrize(("height", "width"), [(7, 500), (300, 300), (1, 1), (600, 333)])
def test_resizing_gives_a_square_of_any_photo(height: int, width: int) -> None:
    picture = np.full((height, width, 3), (9, 8, 7), np.uint8)
    assert np.array_equal(resize(picture, 300), np.full((300, 300, 3), (9, 8, 7), np.uint8))


def test_a_mirrored_view_is_resized_like_its_copy() -> None:
    mirrored, _ = mirror(noise(50, 40), NO_BOXES)
    np.testing.assert_array_equal(resize(mirrored, 300), resize(np.ascontiguousarray(mirrored), 300))


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize(("height", "width"), [(7, 500), (1, 1), (600, 333), (1, 40)])
def test_every_interpolation_takes_a_photo_of_any_shape(height: int, width: int, interpolation: int) -> None:
    picture = np.full((height, width, 3), (9, 8, 7), np.uint8)
    assert np.array_equal(resize(picture, 30, interpolation), np.full((30, 30, 3), (9, 8, 7), np.uint8))


def test_the_interpolation_shows_in_the_pixels() -> None:
    picture = np.zeros((4, 4, 3), np.uint8)
    picture[:, 2:] = 200
    picture[:, 3:] = 100
    made = {way: resize(picture, 2, way)[0, :, 0].tolist() for way in INTERPOLATIONS}
    assert made[cv2.INTER_NEAREST] == [0, 200]
    assert made[cv2.INTER_AREA] == [0, 150]
    # between the second and third pixel of four: cubic and Lanczos overshoot
    wide = {way: resize(picture[:, :3], 6, way)[0, :, 0].tolist() for way in INTERPOLATIONS}
    assert wide[cv2.INTER_NEAREST] == [0, 0, 0, 0, 200, 200]
    assert wide[cv2.INTER_LINEAR] == [0, 0, 0, 50, 150, 200]
    assert len({tuple(row) for row in wide.values()}) >= 4


def test_each_of_five_interpolations_is_drawn_as_often() -> None:
    rng = np.random.default_rng(1)
    drawn = [draw_interpolation("random", rng) for _ in range(2000)]
    assert set(drawn) == set(INTERPOLATIONS) and len(INTERPOLATIONS) == 5
    for each in INTERPOLATIONS:
        assert drawn.count(each) / 2000 == pytest.approx(0.2, abs=0.03)  # three standard errors


def test_linear_is_linear_and_takes_no_chance() -> None:
    rng = np.random.default_rng(1)
    assert {draw_interpolation("linear", rng) for _ in range(20)} == {cv2.INTER_LINEAR}
    assert rng.random() == np.random.default_rng(1).random()


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [(3000, 4000, (768, 1024)), (4000, 3000, (1024, 768)), (2048, 1, (1024, 1)), (5000, 1, (1024, 1))],
)
def test_a_photo_too_long_is_shrunk_in_its_proportions(
    height: int, width: int, expected: tuple[int, int]
) -> None:
    picture = np.full((height, width, 3), (9, 8, 7), np.uint8)
    assert np.array_equal(shrink(picture, 1024), np.full((*expected, 3), (9, 8, 7), np.uint8))


@pytest.mark.parametrize(("height", "width"), [(480, 640), (1024, 1024), (1, 1)])
def test_a_photo_that_is_not_stays_as_it_is(height: int, width: int) -> None:
    picture = noise(height, width)
    assert shrink(picture, 1024) is picture
