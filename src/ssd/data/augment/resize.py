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


def draw_interpolation(choice: Literal["linear", "random"], rng: np.random.Generator) -> int:
    """OpenCV's number of the bilinear interpolation, or of one of five, each as likely."""
    return cv2.INTER_LINEAR if choice == "linear" else INTERPOLATIONS[rng.integers(len(INTERPOLATIONS))]
