"""The default boxes of SSD (Liu et al. 2016, section 2.2), described by values.

Departures from the paper: the sizes are given, not computed from a smallest and a largest one (the
published models do not follow the formula). The implementations differ in what they clip, see `make_anchors`; none
of the ways keeps the boxes inside the image.
"""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from ssd.config import Clip
from ssd.geometry.boxes import to_yxyx

_CLIPPED = {"none": slice(0), "size": slice(2, 4), "centre_and_size": slice(4)}
"""Which of centre y, centre x, height, width are held in [0, 1]."""


def map_sizes(input_size: int, steps: Sequence[float]) -> tuple[int, ...]:
    """Cells on a side of each feature map: `ceil(input_size / step)`; for 300 and 8 that is 38."""
    return tuple(math.ceil(input_size / step) for step in steps)


def anchors_per_cell(ratios: Sequence[Sequence[float]]) -> tuple[int, ...]:
    """Anchors in a cell of each feature map: two squares, and two boxes for each ratio."""
    return tuple(2 + 2 * len(of_map) for of_map in ratios)


def make_anchors(
    input_size: int,
    steps: Sequence[float],
    sizes: Sequence[float],
    ratios: Sequence[Sequence[float]],
    large_square: Literal["second", "last"],
    clip: Clip = "none",
) -> np.ndarray:
    """All anchors, map after map, rows outer, columns inner, the boxes of a cell innermost.

    A cell has a square of size s, for each ratio r a box s√r wide and s/√r high and the same one turned,
    and a square of size √(s·s′), s′ being the size of the next map.

    Args:
        input_size: side of the network's input in pixels.
        steps: pixels of the input between two cells, one a feature map.
        sizes: s of each map, and one more for the last map's large square; fractions of the input.
        ratios: the ratios of each map, above 1.
        large_square: place of the large square in its cell, "second" (Caffe's) or "last" (MindSpore's).
        clip: what is held in [0, 1]: "none" (Caffe, MindSpore's tutorial), "size" (height and width: torchvision) or
            "centre_and_size" (centre, height and width: amdegroot, lufficc).

    Returns:
        [A, 4] float32 yxyx fractions, computed in float64; some cross the border of the image.
    """
    maps = []
    cells_of = map_sizes(input_size, steps)
    for cells, step, size, next_size, of_map in zip(
        cells_of, steps, sizes[:-1], sizes[1:], ratios, strict=True
    ):
        shapes = cell_shapes(size, next_size, of_map, large_square)
        centre = (np.arange(cells) + 0.5) * step / input_size
        boxes_cyxhw = np.empty((cells, cells, len(shapes), 4))
        boxes_cyxhw[..., 0] = centre[:, None, None]
        boxes_cyxhw[..., 1] = centre[None, :, None]
        boxes_cyxhw[..., 2:] = shapes
        maps.append(boxes_cyxhw.reshape(-1, 4))
    all_cyxhw = np.concatenate(maps)
    held = all_cyxhw[:, _CLIPPED[clip]]
    np.clip(held, 0, 1, out=held)
    return to_yxyx(all_cyxhw).astype(np.float32)


def cell_shapes(
    size: float, next_size: float, ratios: Sequence[float], large_square: Literal["second", "last"]
) -> list[tuple[float, float]]:
    """Height and width of the boxes of one cell, in order."""
    large = math.sqrt(size * next_size)
    shapes = [(size, size)]
    for ratio in ratios:
        long, short = size * math.sqrt(ratio), size / math.sqrt(ratio)
        shapes += [(short, long), (long, short)]
    shapes.insert(1 if large_square == "second" else len(shapes), (large, large))
    return shapes
