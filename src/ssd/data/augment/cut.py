"""A part of an image cut out, with the objects that stay in it: what every crop ends in."""

import numpy as np

from ssd.geometry.boxes import clip


def fractions_of(part_px: np.ndarray, image: np.ndarray) -> np.ndarray:
    """A rectangle in pixels, [4] ymin, xmin, ymax, xmax, as fractions of the image."""
    height, width = image.shape[:2]
    return part_px / np.array([height, width, height, width], np.float32)


def centred_in(part: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Which boxes have their centre in the part, its upper and left border included: [G] bool."""
    centre_yx = (boxes[:, :2] + boxes[:, 2:]) / 2
    return np.all((centre_yx >= part[:2]) & (centre_yx < part[2:]), axis=1)


def cut_out(
    image: np.ndarray, boxes: np.ndarray, labels: np.ndarray, part_px: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The part of the image, and of the objects those whose centre is inside, cut to it.

    Args:
        image: [H, W, 3] uint8.
        boxes: [G, 4] yxyx.
        labels: [G].
        part_px: [4] ymin, xmin, ymax, xmax in whole pixels, inside the image, at least one pixel each way.

    Returns:
        a view of the part, boxes [G', 4] as fractions of it, labels [G'].
    """
    top, left, bottom, right = part_px
    part = fractions_of(part_px, image)
    stays = centred_in(part, boxes)
    corners = (boxes[stays].reshape(-1, 2, 2) - part[:2]) / (part[2:] - part[:2])
    return image[top:bottom, left:right], clip(corners.reshape(-1, 4)), labels[stays]
