"""By hand, and against recordings of the default boxes of seven implementations.

Of the recorded boxes every 11th row is kept (37th of SSD512's), which meets every place in a cell, and the sum of all.
"""

import math
from pathlib import Path

import numpy as np
import pytest

from ssd.geometry.anchors import anchors_per_cell, make_anchors, map_sizes
from ssd.geometry.boxes import to_cyxhw

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "anchors.npz")

STEPS = (8, 16, 32, 64, 100, 300)
RATIOS = ((2,), (2, 3), (2, 3), (2, 3), (2,), (2,))
TUTORIAL = (300, STEPS, (0.1, 0.27, 0.44, 0.61, 0.78, 0.95, 1.0), RATIOS, "last")
VOC300 = (300, STEPS, (0.1, 0.2, 0.37, 0.54, 0.71, 0.88, 1.05), RATIOS, "second")
COCO300 = (300, STEPS, (0.07, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05), RATIOS, "second")
STEPS_512 = (8, 16, 32, 64, 128, 256, 512)
RATIOS_512 = ((2,), (2, 3), (2, 3), (2, 3), (2, 3), (2,), (2,))


def ssd512(*sizes_px: float) -> tuple:
    return (512, STEPS_512, tuple(size / 512 for size in sizes_px), RATIOS_512, "second")


# Caffe's layer cuts the sizes of the published SSD512 models to whole pixels; the others do not.
VOC512 = ssd512(35, 76, 153, 230, 307, 384, 460, 537)
COCO512 = ssd512(20, 51, 133, 215, 296, 378, 460, 542)
VOC512_UNCUT = ssd512(35.84, 76.8, 153.6, 230.4, 307.2, 384, 460.8, 537.6)
COCO512_UNCUT = ssd512(20.48, 51.2, 133.12, 215.04, 296.96, 378.88, 460.8, 542.72)
# a slip in lufficc's file: 537.65 where the other models have 537.6
LUFFICC_VOC512 = ssd512(35.84, 76.8, 153.6, 230.4, 307.2, 384, 460.8, 537.65)

REFERENCES = {
    "tutorial": (*TUTORIAL, "none"),
    "caffe_voc300": (*VOC300, "none"),
    "caffe_coco300": (*COCO300, "none"),
    "caffe_voc512": (*VOC512, "none"),
    "caffe_coco512": (*COCO512, "none"),
    "mmdet_voc300": (*VOC300, "none"),
    "mmdet_coco300": (*COCO300, "none"),
    "mmdet_voc512": (*VOC512, "none"),
    "mmdet_coco512": (*COCO512, "none"),
    "ssd_keras_voc300": (*VOC300, "none"),
    "ssd_keras_coco300": (*COCO300, "none"),
    "ssd_keras_voc512": (*VOC512_UNCUT, "none"),
    "ssd_keras_coco512": (*COCO512_UNCUT, "none"),
    "torchvision_voc300": (*VOC300, "size"),
    "torchvision_coco300": (*COCO300, "size"),
    "torchvision_coco512": (*COCO512_UNCUT, "size"),
    "amdegroot_voc300": (*VOC300, "centre_and_size"),
    "amdegroot_coco300": (*COCO300, "centre_and_size"),
    "lufficc_voc300": (*VOC300, "centre_and_size"),
    "lufficc_coco300": (*COCO300, "centre_and_size"),
    "lufficc_voc512": (*LUFFICC_VOC512, "centre_and_size"),
    "lufficc_coco512": (*COCO512_UNCUT, "centre_and_size"),
}


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
    ("recipe", "clip", "centres", "sizes"),
    [
        (TUTORIAL, "none", 4443.9467, 1766.1728),
        (VOC300, "none", 4443.9467, 1510.4293),
        (COCO300, "none", 4443.9467, 1172.1980),
        (VOC300, "centre_and_size", 4443.1467, 1510.1480),
        (VOC512, "none", 12282.0, 3105.5545),
    ],
)
def test_the_sums_of_each_recipe_are_the_published_ones(
    recipe: tuple, clip: str, centres: float, sizes: float
) -> None:
    sums = to_cyxhw(make_anchors(*recipe, clip).astype(np.float64)).sum(axis=0)
    np.testing.assert_allclose(sums, [centres, centres, sizes, sizes], atol=1e-3)


def test_every_recorded_reference_has_its_recipe() -> None:
    assert {name for name in GOLDEN.files if not name.endswith("_sum")} == REFERENCES.keys()


@pytest.mark.parametrize("reference", REFERENCES)
def test_each_anchor_is_where_the_reference_has_it(reference: str) -> None:
    anchors = make_anchors(*REFERENCES[reference])
    stride = 37 if "512" in reference else 11
    np.testing.assert_allclose(anchors[::stride], GOLDEN[reference], atol=1e-6, rtol=0)
    of_all = anchors.astype(np.float64).sum(axis=0)
    np.testing.assert_allclose(of_all, GOLDEN[f"{reference}_sum"], atol=1e-6 * len(anchors), rtol=0)


def test_anchors_are_not_clipped_unless_it_is_wanted() -> None:
    anchors = make_anchors(*VOC300)
    assert anchors.min() < 0 and anchors.max() > 1
    np.testing.assert_array_equal(anchors, make_anchors(*VOC300, "none"))


def test_clipped_sizes_are_at_most_the_image_and_centres_stay() -> None:
    # a square of 2, and one of sqrt(2 * 0.5) = 1, over a cell in the middle and one beyond the border
    recipe = (100, (75,), (2.0, 0.5), ((),), "last")
    assert to_cyxhw(make_anchors(*recipe))[[0, -1]].tolist() == [[0.375, 0.375, 2, 2], [1.125, 1.125, 1, 1]]
    assert to_cyxhw(make_anchors(*recipe, "size"))[[0, -1]].tolist() == [
        [0.375, 0.375, 1, 1],
        [1.125, 1.125, 1, 1],
    ]


def test_clipped_centres_come_to_the_border_and_leave_half_of_their_box_outside() -> None:
    recipe = (100, (75,), (2.0, 0.5), ((),), "last")
    assert to_cyxhw(make_anchors(*recipe, "centre_and_size"))[[0, -1]].tolist() == [
        [0.375, 0.375, 1, 1],
        [1, 1, 1, 1],
    ]
