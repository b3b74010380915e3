"""Pictures, boxes and rules that the tests of the steps share."""

import numpy as np

from ssd.config import Augment

NOTHING = Augment(
    policy="tutorial",
    crop=0.0,
    mirror=0.0,
    colour=0.0,
    brightness=0.0,
    contrast=0.0,
    saturation=0.0,
    interpolation="linear",
    brightness_shift=0.0,
    hue=0.0,
    shuffle_channels=0.0,
    expand=0.0,
    expand_max=1.0,
)
CAFFE = Augment(
    policy="ssd",
    crop=1.0,
    mirror=0.5,
    colour=0.5,
    brightness=0.0,
    contrast=0.5,
    saturation=0.5,
    interpolation="random",
    brightness_shift=32.0,
    hue=18.0,
    shuffle_channels=0.0,
    expand=0.5,
    expand_max=4.0,
)
NO_BOXES, NO_LABELS = np.zeros((0, 4), np.float32), np.zeros(0, np.int32)


def ruled_picture(height: int, width: int) -> np.ndarray:
    """Every pixel tells its row and column: [H, W, 3] uint8, at most 256 x 256."""
    rows, columns = np.meshgrid(np.arange(height), np.arange(width), indexing="ij")
    return np.stack([rows, columns, np.zeros_like(rows)], axis=-1).astype(np.uint8)


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def boxes_of(boxes_px: list[list[int]], height: int, width: int) -> np.ndarray:
    """Boxes given in pixels, yxyx, as fractions."""
    return (np.array(boxes_px, np.float64) / (height, width, height, width)).astype(np.float32)


def white_box_px(picture: np.ndarray) -> list[int]:
    """Where the white pixels are: ymin, xmin, ymax, xmax."""
    rows, columns = np.nonzero((picture == 255).all(axis=2))
    return [rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]


def some_objects(rng: np.random.Generator, height: int, width: int, count: int) -> np.ndarray:
    """[count, 4] float32 boxes of whole pixels."""
    boxes_px = []
    for _ in range(count):
        ymin, xmin = int(rng.integers(0, height)), int(rng.integers(0, width))
        ymax, xmax = int(rng.integers(ymin + 1, height + 1)), int(rng.integers(xmin + 1, width + 1))
        boxes_px.append([ymin, xmin, ymax, xmax])
    return boxes_of(boxes_px, height, width)
