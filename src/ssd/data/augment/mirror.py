"""Left and right exchanged."""

import cv2
import numpy as np


def mirror(image: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The image and its boxes with left and right exchanged."""
    ymin, xmin, ymax, xmax = boxes.T
    return cv2.flip(image, 1), np.stack([ymin, 1 - xmax, ymax, 1 - xmin], axis=1)
