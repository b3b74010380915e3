import numpy as np
from pictures import boxes_of, noise, some_objects, white_box_px

from ssd.data.augment.mirror import mirror


def test_mirroring_moves_a_box_to_where_its_pixels_are() -> None:
    picture = np.zeros((60, 100, 3), np.uint8)
    picture[10:30, 5:45] = 255
    mirrored, boxes = mirror(picture, boxes_of([[10, 5, 30, 45]], 60, 100))
    assert white_box_px(mirrored) == [10, 55, 30, 95]
    np.testing.assert_allclose(boxes * (60, 100, 60, 100), [[10, 55, 30, 95]], atol=1e-4)
    assert boxes.dtype == np.float32


def test_mirroring_twice_changes_nothing() -> None:
    picture, boxes = noise(31, 47), some_objects(np.random.default_rng(1), 31, 47, 6)
    twice, boxes_twice = mirror(*mirror(picture, boxes))
    np.testing.assert_array_equal(twice, picture)
    np.testing.assert_allclose(boxes_twice, boxes, atol=1e-6)
