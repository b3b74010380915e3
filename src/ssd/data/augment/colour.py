"""The tutorial's colour jitter: brightness, contrast and saturation, each by a factor."""

import cv2
import numpy as np

# ITU-R BT.601, as OpenCV's conversion to grey.
GREY_WEIGHTS = np.array([0.299, 0.587, 0.114], np.float32)

_COLOURS, _GREYS = np.eye(3, dtype=np.float32), np.tile(GREY_WEIGHTS, (3, 1))
_LEVELS = np.arange(256, dtype=np.float32)


def jitter_colour(
    image: np.ndarray, brightness: float, contrast: float, saturation: float, rng: np.random.Generator
) -> np.ndarray:
    """Brightness, contrast and saturation each times a factor from [1 - range, 1 + range], in this order.

    What brightness and contrast make of a level is one table; saturation is one matrix for all pixels. Nothing is
    rounded before the end.
    """
    spreads = np.array([brightness, contrast, saturation])
    by_brightness, by_contrast, by_saturation = (1 - spreads + 2 * spreads * rng.random(3)).astype(np.float32)
    levels = np.minimum(_LEVELS * by_brightness, 255)
    mean = np.float32(_mean_grey(image, levels))
    levels = np.clip((levels - mean) * by_contrast + mean, 0, 255)
    matrix = _COLOURS * by_saturation + _GREYS * (1 - by_saturation)
    changed = cv2.transform(cv2.LUT(image, levels), matrix)
    if by_saturation > 1:  # else there is nothing below 0
        cv2.threshold(changed, 0, 0, cv2.THRESH_TOZERO, dst=changed)
    return cv2.convertScaleAbs(changed)  # to the nearest level, at most 255


def _mean_grey(image: np.ndarray, levels: np.ndarray) -> float:
    """The mean grey of an image whose levels become `levels`, which begin in proportion and may end at 255."""
    planes = cv2.split(image)
    if levels[255] < 255:
        means = [cv2.mean(plane)[0] for plane in planes]
        return float(np.dot(means, GREY_WEIGHTS)) * float(levels[255]) / 255
    counts = [cv2.calcHist([plane], [0], None, [256], [0, 256])[:, 0] for plane in planes]
    return float(np.dot(np.array(counts, np.float64) @ levels, GREY_WEIGHTS)) / (image.size // 3)
