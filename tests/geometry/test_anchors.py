"""By hand, and against recordings of MindSpore's SSD tutorial and Caffe's PriorBoxLayer.

Of the recorded boxes every 11th row is kept (37th of SSD512's), which meets every place in a cell.
"""

import math
from pathlib import Path

import numpy as np
import pytest

from ssd.geometry.anchors import anchors_per_cell, make_anchors, map_sizes
from ssd.geometry.boxes import to_cyxhw

GOLDEN = Path(__file__).parents[1] / "golden" / "anchors.npz"

STEPS = (8, 16, 32, 64, 100, 300)
RATIOS = ((2,), (2, 3), (2, 3), (2, 3), (2,), (2,))
TUTORIAL = (300, STEPS, (0.1, 0.27, 0.44, 0.61, 0.78, 0.95, 1.0), RATIOS, "last")
VOC300 = (300, STEPS, (0.1, 0.2, 0.37, 0.54, 0.71, 0.88, 1.05), RATIOS, "second")
COCO300 = (300, STEPS, (0.07, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05), RATIOS, "second")
VOC512 = (
    512,
    (8, 16, 32, 64, 128, 256, 512),
    tuple(size / 512 for size in (35, 76, 153, 230, 307, 384, 460, 537)),
    ((2,), (2, 3), (2, 3), (2, 3), (2, 3), (2,), (2,)),
    "second",
)


def test_ssd300_has_six_maps_of_38_to_1_cells() -> None:
    assert map_sizes(300, STEPS) == (38, 19, 10, 5, 3, 1)


def test_ssd512_has_seven_maps_of_64_to_1_cells() -> None:
    assert map_sizes(512, VOC512[1]) == (64, 32, 16, 8, 4, 2, 1)


def test_a_cell_has_two_squares_and_two_boxes_a_ratio() -> None:
    assert anchors_per_cell(RATIOS) == (4, 6, 6, 6, 4, 4)
    assert anchors_per_cell(((),)) == (2,)


@pytest.mark.parametrize(("recipe", "count"), [(TUTORIAL, 8732), (VOC300, 8732), (VOC512, 24564)])
def test_there_are_as_many_anchors_as_the_maps_have_boxes(recipe: tuple, count: int) -> None:
    anchors = make_anchors(*recipe)
    assert anchors.shape == (count, 4) and anchors.dtype == np.float32
    cells = (side * side for side in map_sizes(recipe[0], recipe[1]))
    assert count == sum(map(math.prod, zip(cells, anchors_per_cell(recipe[3]), strict=True)))


def test_a_map_of_one_cell_by_hand_with_the_large_square_last() -> None:
    shapes = to_cyxhw(make_anchors(100, (100,), (0.25, 1.0), ((4,),), "last"))
    # a square of 0.25; 0.5 wide and 0.125 high; turned; a square of sqrt(0.25 * 1)
    assert shapes.tolist() == [
        [0.5, 0.5, 0.25, 0.25],
        [0.5, 0.5, 0.125, 0.5],
        [0.5, 0.5, 0.5, 0.125],
        [0.5, 0.5, 0.5, 0.5],
    ]


def test_the_large_square_second_moves_nothing_else() -> None:
    last = make_anchors(100, (100,), (0.25, 1.0), ((4, 9),), "last")
    second = make_anchors(100, (100,), (0.25, 1.0), ((4, 9),), "second")
    assert second.tolist() == last[[0, 5, 1, 2, 3, 4]].tolist()


def test_columns_run_faster_than_rows() -> None:
    centres = to_cyxhw(make_anchors(100, (50,), (0.5, 0.5), ((),), "last"))[::2, :2]
    assert centres.tolist() == [[0.25, 0.25], [0.25, 0.75], [0.75, 0.25], [0.75, 0.75]]


@pytest.mark.parametrize(
    ("recipe", "centres", "sizes"),
    [
        (TUTORIAL, 4443.9467, 1766.1728),
        (VOC300, 4443.9467, 1510.4293),
        (COCO300, 4443.9467, 1172.1980),
        (VOC512, 12282.0, 3105.5545),
    ],
)
def test_the_sums_of_each_recipe_are_the_published_ones(recipe: tuple, centres: float, sizes: float) -> None:
    sums = to_cyxhw(make_anchors(*recipe).astype(np.float64)).sum(axis=0)
    np.testing.assert_allclose(sums, [centres, centres, sizes, sizes], atol=1e-3)


@pytest.mark.parametrize(
    ("name", "recipe", "stride"),
    [("tutorial", TUTORIAL, 11), ("voc300", VOC300, 11), ("coco300", COCO300, 11), ("voc512", VOC512, 37)],
)
def test_each_anchor_is_where_the_reference_has_it(name: str, recipe: tuple, stride: int) -> None:
    with np.load(GOLDEN) as golden:
        np.testing.assert_allclose(make_anchors(*recipe)[::stride], golden[name], atol=1e-6, rtol=0)


def test_anchors_are_not_clipped() -> None:
    anchors = make_anchors(*VOC300)
    assert anchors.min() < 0 and anchors.max() > 1
