import numpy as np
import pytest
from mindspore import Tensor

from ssd.model.heads import MultiBox

MAPS = ((2, 3), (1, 2))  # rows and columns, not square: a swap would show
PER_CELL = (2, 1)
VALUES = 3


def test_outputs_go_map_by_map_row_by_row_cell_by_cell_and_the_anchors_of_a_cell_innermost() -> None:
    boxes = MultiBox("conv", (1, 1), PER_CELL, VALUES)
    for head, count in zip(boxes.heads, PER_CELL, strict=True):
        kernel = np.zeros((count * VALUES, 1, 3, 3), np.float32)
        kernel[:, :, 1, 1] = 1
        head.out.weight.set_data(Tensor(kernel))
        head.out.bias.set_data(Tensor(np.arange(count * VALUES, dtype=np.float32)))
    # every cell of every map has a number of its own, its place in the order
    maps, expected = [], []
    for number, ((rows, columns), count) in enumerate(zip(MAPS, PER_CELL, strict=True)):
        cells = np.zeros((1, 1, rows, columns), np.float32)
        for row in range(rows):
            for column in range(columns):
                cells[0, 0, row, column] = cell = 1000 * (number + 1) + 100 * row + 10 * column
                for anchor in range(count):
                    expected.append([cell + anchor * VALUES + value for value in range(VALUES)])
        maps.append(Tensor(cells))
    assert boxes(tuple(maps)).asnumpy().tolist() == [expected]


@pytest.mark.parametrize("kind", ["separable", "conv"])
def test_both_kinds_of_head_give_one_row_an_anchor(kind: str) -> None:
    heads = MultiBox(kind, (2, 4), PER_CELL, VALUES).set_train(False)
    maps = (Tensor(np.ones((5, 2, 2, 3), np.float32)), Tensor(np.ones((5, 4, 1, 2), np.float32)))
    assert heads(maps).shape == (5, 2 * 3 * 2 + 1 * 2 * 1, VALUES)


def test_a_separable_head_filters_each_channel_apart_before_it_mixes_them() -> None:
    heads = MultiBox("separable", (4,), (1,), 2)
    shapes = {parameter.name: parameter.shape for parameter in heads.trainable_params()}
    assert shapes == {
        "heads.0.depthwise.weight": (4, 1, 3, 3),
        "heads.0.norm.gamma": (4,),
        "heads.0.norm.beta": (4,),
        "heads.0.out.weight": (2, 4, 1, 1),
        "heads.0.out.bias": (2,),
    }


def test_a_number_of_maps_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="argument"):
        MultiBox("conv", (1, 1), (2,), VALUES)
