"""Anchors as what they are, grids of boxes of one shape, so that the few that overlap a box are found by arithmetic.

SSD300 has 8732 anchors in 30 grids; of them a box reaches an IoU of 0.5 with some twenty. The overlap of a box with the
anchors of a grid falls with the distance of the centres, in height and width apart: the nearest anchor tells the best
IoU that the grid has, and for any IoU how many rows and columns around the box can reach it.
"""

from typing import NamedTuple

import numpy as np

from ssd.geometry.boxes import area

_SLACK = 1e-3
"""Part of an IoU, and of a cell, by which more is looked at than need be: the grids are known up to rounding."""

COMPLETE_FROM = 1 + _SLACK / 2
"""Times the IoU that `overlapping` tells: above it none is missing, rounding or not."""


class AnchorGrids(NamedTuple):
    """K grids that hold A anchors in all; y before x. What is floating is float32.

    Attributes:
        step: [2, K, 1] from a centre to the next.
        shape: [2, K, 1] height and width of the anchors of each, in steps.
        first: [2, K, 1] centre of the anchor of the first row and column, in steps.
        last: [2, K, 1] number of the last row and column, from 0.
        width: [K] columns.
        start: [K] where the anchors of each begin in `members`.
        members: [A] indices of anchors, rows outer.
        corners: [4, A] yxyx, the anchors themselves.
        areas: [A] theirs.
        smallest: side of the smallest box for which rounding is no matter.
    """

    step: np.ndarray
    shape: np.ndarray
    first: np.ndarray
    last: np.ndarray
    width: np.ndarray
    start: np.ndarray
    members: np.ndarray
    corners: np.ndarray
    areas: np.ndarray
    smallest: float


def find_grids(anchors: np.ndarray) -> AnchorGrids | None:
    """The grids that anchors [A, 4] yxyx form; None if they form none, as anchors held inside the image may."""
    if not len(anchors):
        return None
    corners = anchors.astype(np.float64).T.reshape(2, 2, -1)
    rounding = 1e-6 * float(np.abs(corners).max())
    size, centre = corners[1] - corners[0], (corners[0] + corners[1]) / 2
    height, width = (_numbered(side, 10 * rounding) for side in size)
    _, group = np.unique(height * len(anchors) + width, return_inverse=True)
    grids, members = [], []
    for number in range(int(group.max()) + 1):
        (of_group,) = np.nonzero(group == number)
        row, column = (_numbered(side, 10 * rounding) for side in centre[:, of_group])
        cells = int(row.max()) + 1, int(column.max()) + 1
        if cells[0] * cells[1] != len(of_group):
            return None
        of_group = of_group[np.lexsort((column, row))]
        table = centre[:, of_group].reshape(2, *cells)
        first, last = table[:, 0, 0], table[:, -1, -1]
        step = np.where(np.array(cells) > 1, (last - first) / np.maximum(np.array(cells) - 1, 1), 1.0)
        ideal = first[:, None, None] + step[:, None, None] * np.indices(cells)
        if np.abs(table - ideal).max() > rounding or (step <= 10 * rounding).any():
            return None
        grids.append([step, size[:, of_group[0]] / step, first / step, np.array(cells) - 1])
        members.append(of_group)
    step, shape, first, last = np.array(grids, np.float64).transpose(1, 2, 0)[..., None].astype(np.float32)
    start = np.cumsum([0] + [len(each) for each in members[:-1]])
    return AnchorGrids(
        step=step,
        shape=shape,
        first=first,
        last=last,
        width=last[1, :, 0].astype(np.int64) + 1,
        start=start,
        members=np.concatenate(members),
        corners=np.ascontiguousarray(anchors.T),
        areas=area(anchors),
        smallest=1e3 * rounding,
    )


def _numbered(values: np.ndarray, apart: float) -> np.ndarray:
    """[N], 0 for the smallest value and those as good as equal to it, 1 for the next, …"""
    order = np.argsort(values, kind="stable")
    numbers = np.empty(len(values), np.int64)
    numbers[order] = np.cumsum(np.diff(values[order], prepend=values[order[0]]) > apart)
    return numbers


def overlapping(
    grids: AnchorGrids, boxes: np.ndarray, threshold: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None:
    """For each box all anchors from some IoU on that the best of them has, and perhaps more.

    Args:
        grids: of the anchors.
        boxes: [G, 4] yxyx; G is not 0.
        threshold: above 0.

    Returns:
        [G] that IoU, at most `threshold`; and [P] each: indices of boxes, ascending, every one there; indices of
        anchors; IoUs, the very numbers of `boxes.iou`. None if a box is tiny, or far from the anchors.
    """
    step, shape, first, last = grids[:4]
    low, high = np.ascontiguousarray(boxes.T, np.float32).reshape(2, 2, 1, -1)
    size = high - low
    if np.minimum.reduce(size, axis=None) < grids.smallest:
        return None
    place = (low + high) / 2 / step  # [2, K, G], in steps, as all that follow
    place -= first
    size = size / step
    away = np.rint(place)  # of the nearest anchor's centre, and then from it
    np.maximum(away, 0, out=away)
    np.minimum(away, last, out=away)
    away -= place
    np.abs(away, out=away)
    most = np.minimum(size, shape)
    half = size + shape
    half /= 2
    reach = half - away
    np.minimum(reach, most, out=reach)
    np.maximum(reach, 0, out=reach)
    shared = reach[0] * reach[1]
    areas = size[0] * size[1] + shape[0] * shape[1]
    at_least = np.minimum(np.maximum.reduce(shared / (areas - shared), axis=0), threshold)
    if np.minimum.reduce(at_least) <= 0:
        return None
    at_least *= 1 - _SLACK
    needed = areas * (at_least / (1 + at_least))  # of an area that is shared

    (chosen,) = np.nonzero((shared >= needed).T.ravel())
    box, grid = np.divmod(chosen, len(grids.width))
    chosen = grid * len(boxes) + box
    place, half, most = (each.reshape(2, -1).take(chosen, axis=1) for each in (place, half, most))
    half -= needed.take(chosen) / most[::-1]
    half += _SLACK
    begin = np.ceil(place - half)
    np.maximum(begin, 0, out=begin)
    end = np.floor(place + half)
    np.minimum(end, last[..., 0].take(grid, axis=1), out=end)
    end -= begin
    end += 1
    counts, anchor = _windows(grids, grid, begin.astype(np.int64), end.astype(np.int64))
    box = box.repeat(counts)
    return at_least, box, anchor, _ious(grids, boxes, box, anchor)


def _windows(
    grids: AnchorGrids, grid: np.ndarray, begin: np.ndarray, lengths: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """How many anchors lie in each of W windows, [W], and which, [P], window after window.

    Args:
        grids: of the anchors.
        grid: [W] in which grid the window lies.
        begin: [2, W] its first row and column.
        lengths: [2, W] its rows and columns.
    """
    columns, width = lengths[1], grids.width.take(grid)
    counts = lengths[0] * columns
    ends = counts.cumsum()
    window = np.arange(len(counts)).repeat(counts)
    number = np.arange(len(window))  # in its window, row after row
    number -= (ends - counts).take(window)
    member = number // columns.take(window)
    member *= (width - columns).take(window)
    member += number
    member += (grids.start.take(grid) + begin[0] * width + begin[1]).take(window)
    return counts, grids.members.take(member)


def _ious(grids: AnchorGrids, boxes: np.ndarray, box: np.ndarray, anchor: np.ndarray) -> np.ndarray:
    """[P] the IoUs of pairs of a box and an anchor, by their indices; the very numbers of `boxes.iou`."""
    a, b = np.ascontiguousarray(boxes.T).take(box, axis=1), grids.corners.take(anchor, axis=1)
    sides = np.minimum(a[2:], b[2:])
    sides -= np.maximum(a[:2], b[:2])
    np.maximum(sides, 0, out=sides)
    ious = sides[0] * sides[1]
    union = area(boxes).take(box) + grids.areas.take(anchor)
    union -= ious
    ious /= union
    return ious
