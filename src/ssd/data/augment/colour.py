"""The tutorial's colour jitter: brightness, contrast and saturation, each by a factor."""

import cv2
import numpy as np

# ITU-R BT.601, as OpenCV's conversion to grey.
GREY_WEIGHTS = np.array([0.299, 0.587, 0.114], np.float32)

_LEVELS = np.arange(256, dtype=np.float32)


def jitter_colour(
    image: np.ndarray, brightness: float, contrast: float, saturation: float, rng: np.random.Generator
) -> np.ndarray:
    """Brightness, contrast and saturation each times a factor from [1 - range, 1 + range], in this order.

    What brightness and contrast make of a level is one table; saturation is one matrix for all pixels. Nothing is
    rounded before the end.
    """
    by_brightness, by_contrast, by_saturation = (
        np.float32(rng.uniform(1 - spread, 1 + spread)) for spread in (brightness, contrast, saturation)
    )
    levels = np.clip(_LEVELS * by_brightness, 0, 255)
    mean = np.float32(_mean_grey(image, levels))
    levels = np.clip((levels - mean) * by_contrast + mean, 0, 255)
    matrix = np.eye(3, dtype=np.float32) * by_saturation + (1 - by_saturation) * GREY_WEIGHTS
    changed = cv2.transform(cv2.LUT(image, levels), matrix)
    if by_saturation > 1:  # else there is nothing below 0
        cv2.threshold(changed, 0, 0, cv2.THRESH_TOZERO, dst=changed)
    return cv2.convertScaleAbs(changed)  # to the nearest level, at most 255


def _mean_grey(image: np.ndarray, levels: np.ndarray) -> float:
    """The mean grey of an image whose levels become `levels`, which begin in proportion and may end at 255."""
    if levels[255] < 255:
        return float(np.dot(cv2.mean(image)[:3], GREY_WEIGHTS)) * float(levels[255]) / 255
    counts = [cv2.calcHist([image], [channel], None, [256], [0, 256])[:, 0] for channel in range(3)]
    return float(np.dot(np.array(counts, np.float64) @ levels, GREY_WEIGHTS)) / (image.size // 3)
