import numpy as np

from ssd.geometry.coverage import by_size, coverage, share

QUARTERS = np.array([[0, 0, 0.5, 0.5], [0, 0.5, 0.5, 1], [0.5, 0, 1, 0.5], [0.5, 0.5, 1, 1]])
HALF_A_QUARTER, SPECK = [0, 0, 0.25, 0.5], [0.6, 0.6, 0.65, 0.65]


def test_an_object_is_covered_from_the_threshold_on_and_counts_are_by_image() -> None:
    images = [np.array([HALF_A_QUARTER, SPECK]), np.zeros((0, 4)), QUARTERS[2:3]]
    covered, matched = coverage(images, QUARTERS, 0.5)
    assert covered.tolist() == [True, False, True]
    # the speck is not covered and has an anchor forced on it all the same
    assert matched.tolist() == [2, 0, 1]
    assert coverage(images, QUARTERS, 0.6)[0].tolist() == [False, False, True]


def test_no_images_and_no_objects_are_measured_without_complaint() -> None:
    covered, matched = coverage([], QUARTERS, 0.5)
    assert covered.shape == (0,) and matched.shape == (0,)
    covered, matched = coverage([np.zeros((0, 4))], QUARTERS, 0.5)
    assert covered.shape == (0,) and matched.tolist() == [0]


def test_every_size_has_its_limits_below_and_not_above() -> None:
    sizes = by_size(np.array([1.0, 32**2 - 1, 32**2, 96**2 - 1, 96**2]))
    assert {name: np.nonzero(members)[0].tolist() for name, members in sizes.items()} == {
        "small": [0, 1],
        "medium": [2, 3],
        "large": [4],
    }


def test_the_share_of_no_objects_is_none() -> None:
    assert share(np.array([True, True, False])) == 0.6667
    assert share(np.zeros(0, bool)) is None
