"""The feature maps that anchors lie on: of SSD300 (Liu et al. 2016, figure 2) and SSD512 (the authors' Caffe model)."""

from collections.abc import Sequence

from ssd.geometry.anchors import map_sizes

MAP_CELLS = {300: (38, 19, 10, 5, 3, 1), 512: (64, 32, 16, 8, 4, 2, 1)}
"""Cells on a side of each map by `input_size`: conv4_3, fc7, and one an extra layer."""


def require_map_cells(input_size: int, steps: Sequence[float]) -> None:
    """Make sure that anchors with these steps lie on the feature maps of the network.

    Raises:
        ValueError: they lie on others.
    """
    of_network, cells = MAP_CELLS[input_size], map_sizes(input_size, steps)
    if cells != of_network:
        raise ValueError(
            f"anchors.steps: expected those of SSD{input_size}'s {len(of_network)} feature maps, "
            f"{list(of_network)} cells a side, got {list(cells)}"
        )
