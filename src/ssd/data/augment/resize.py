"""The image stretched to the square that the network takes.

Training may draw the interpolation, one of SSD's Caffe code's five; evaluation is always bilinear.
"""

from typing import Literal

import cv2
import numpy as np

INTERPOLATIONS = (cv2.INTER_LINEAR, cv2.INTER_AREA, cv2.INTER_NEAREST, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4)


def resize(image: np.ndarray, size: int, interpolation: int = cv2.INTER_LINEAR) -> np.ndarray:
    """The image stretched to a square, [size, size, 3] uint8.

    Args:
        image: [H, W, 3] uint8.
        size: the square's side in pixels.
        interpolation: one of OpenCV's.
    """
    return cv2.resize(image, (size, size), interpolation=interpolation)


def shrink(image: np.ndarray, longest: int) -> np.ndarray:
    """The image, made smaller in its own proportions where it is longer than `longest` pixels on a side.

    Args:
        image: [H, W, 3] uint8.
        longest: a side's most pixels.
    """
    height, width = image.shape[:2]
    scale = longest / max(height, width)
    if scale >= 1:
        return image
    sides = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(image, sides, interpolation=cv2.INTER_AREA)


def draw_interpolation(choice: Literal["linear", "random"], rng: np.random.Generator) -> int:
    """OpenCV's number of the bilinear interpolation, or of one of five, each as likely."""
    return cv2.INTER_LINEAR if choice == "linear" else INTERPOLATIONS[rng.integers(len(INTERPOLATIONS))]
