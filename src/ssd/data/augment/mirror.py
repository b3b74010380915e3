"""Left and right exchanged."""

import cv2
import numpy as np


def mirror(image: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The image and its boxes with left and right exchanged."""
    mirrored = boxes.copy()
    mirrored[:, [1, 3]] = 1 - boxes[:, [3, 1]]
    return cv2.flip(image, 1), mirrored
