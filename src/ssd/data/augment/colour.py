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
    mean = np.float32(_mean_grey(image, float(by_brightness)))
    levels = np.clip((levels - mean) * by_contrast + mean, 0, 255)
    matrix = _COLOURS * by_saturation + _GREYS * (1 - by_saturation)
    changed = cv2.transform(cv2.LUT(image, levels), matrix)
    if by_saturation > 1:  # else there is nothing below 0
        cv2.threshold(changed, 0, 0, cv2.THRESH_TOZERO, dst=changed)
    return cv2.convertScaleAbs(changed)  # to the nearest level, at most 255


def _mean_grey(image: np.ndarray, factor: float) -> float:
    """The mean grey of an image whose levels are taken times a factor and end at 255."""
    return float(np.dot([_mean(plane, factor) for plane in cv2.split(image)], GREY_WEIGHTS))


def _mean(plane: np.ndarray, factor: float) -> float:
    """The mean of a plane, [H, W] uint8, whose levels are taken times a factor and end at 255."""
    if factor <= 1:
        return factor * cv2.mean(plane)[0]
    knee = int(255 / factor)
    _, below = cv2.threshold(plane, knee, 0, cv2.THRESH_TOZERO_INV)
    _, ended = cv2.threshold(plane, knee, 255, cv2.THRESH_BINARY)
    return factor * cv2.mean(below)[0] + cv2.mean(ended)[0]
