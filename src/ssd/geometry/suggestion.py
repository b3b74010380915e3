"""Sizes of anchors that suit given objects, found by a search that starts from the sizes there are.

Neither in the paper nor in its code. The search is fast because it never makes the anchors: of equal boxes on a
grid, the one whose centre is nearest to an object's, down and across, overlaps it most, so each map, shape and object
is one IoU. Clipping of anchors is left out of it.
"""

from collections.abc import Sequence

import numpy as np

from ssd.geometry.anchors import cell_shapes, map_sizes
from ssd.geometry.boxes import to_cyxhw

TRIED_SIZES = tuple(np.geomspace(0.02, 1.0, 60).round(3).tolist())
"""From 6 pixels of 300 to the whole image, each some 7 % above the one before."""

MAX_ROUNDS = 10
MAX_OBJECTS = 5000


def suggest_sizes(
    gt_boxes: np.ndarray,
    threshold: float,
    input_size: int,
    steps: Sequence[float],
    sizes: Sequence[float],
    ratios: Sequence[Sequence[float]],
) -> tuple[float, ...]:
    """Sizes in the place of `sizes` that cover at least as many of the objects.

    One size after the other takes, of `TRIED_SIZES` between its neighbours, the value with which most objects reach
    the threshold, and of equal ones that with the highest mean of the objects' best IoU; and again, until none
    changes. Of more than `MAX_OBJECTS` objects some are taken, evenly.

    Args:
        gt_boxes: [N, 4] yxyx, the objects of all images together; N at least 1.
        threshold: IoU from which on an object is covered.
        input_size, steps, sizes, ratios: the recipe, as for `make_anchors`.

    Returns:
        as many sizes.
    """
    chosen = np.linspace(0, len(gt_boxes) - 1, min(len(gt_boxes), MAX_OBJECTS)).astype(np.int64)
    gt_cyxhw = to_cyxhw(gt_boxes[chosen].astype(np.float64))
    cells = map_sizes(input_size, steps)
    apart = [step / input_size for step in steps]

    def best_on_map(index: int, of: Sequence[float]) -> np.ndarray:
        shapes = cell_shapes(of[index], of[index + 1], ratios[index], "last")
        return best_ious(gt_cyxhw, cells[index], apart[index], shapes)

    found = list(sizes)
    on_maps = np.stack([best_on_map(index, found) for index in range(len(steps))])
    worth = _worth(on_maps, threshold)
    for _ in range(MAX_ROUNDS):
        before = list(found)
        for place in range(len(found)):
            above = found[place - 1] if place else 0.0
            below = found[place + 1] if place + 1 < len(found) else np.inf
            for value in TRIED_SIZES:
                if not above < value < below:
                    continue
                tried, tried_on_maps = [*found[:place], value, *found[place + 1 :]], on_maps.copy()
                for index in (place - 1, place):  # a size is the large square's of the map before, too
                    if 0 <= index < len(steps):
                        tried_on_maps[index] = best_on_map(index, tried)
                if _worth(tried_on_maps, threshold) > worth:
                    found, on_maps = tried, tried_on_maps
                    worth = _worth(on_maps, threshold)
        if found == before:
            break
    return tuple(found)


def best_ious(
    gt_cyxhw: np.ndarray, cells: int, apart: float, shapes: Sequence[tuple[float, float]]
) -> np.ndarray:
    """The IoU of each object with the box of a grid that overlaps it most, [N].

    Args:
        gt_cyxhw: [N, 4] centre y, centre x, height, width.
        cells: cells on a side of the grid.
        apart: distance of two cells, in the objects' unit.
        shapes: height and width of the boxes of a cell.
    """
    centre, size = gt_cyxhw[:, :2], gt_cyxhw[:, 2:]
    nearest = (np.clip(np.floor(centre / apart), 0, cells - 1) + 0.5) * apart
    distance = np.abs(centre - nearest)
    best = np.zeros(len(gt_cyxhw))
    for shape in np.asarray(shapes):
        # two intervals share the smaller one, or what is left when their centres move apart
        shared = np.minimum(np.minimum(size, shape), (size + shape) / 2 - distance).clip(0).prod(axis=1)
        np.maximum(best, shared / (size.prod(axis=1) + shape.prod() - shared), out=best)
    return best


def _worth(on_maps: np.ndarray, threshold: float) -> tuple[int, float]:
    """How many objects are covered, and the mean of their best IoUs; rounded, so that noise decides nothing."""
    best = on_maps.max(axis=0)
    return int(np.count_nonzero(best >= threshold)), round(float(best.mean()), 6)
