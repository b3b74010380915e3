"""Caffe's photometric distortion: brightness, contrast, saturation and hue, each by chance (Howard 2013).

From SSD's Caffe code (`ApplyDistort`). Each change is a table of 256 levels, rounded and cut to 0..255 before the
next, as OpenCV's `convertTo` does there. Contrast is a factor on the levels themselves, not on their distance from
the mean, so it changes brightness too.

Departures from Caffe: hues turn round the circle, where Caffe stops at 0 those that would fall below (reds only
become orange, never pink); a range of 0 leaves the pixels alone, where Caffe takes them to HSV and back.
"""

import cv2
import numpy as np

HUES = 180
"""OpenCV's hues: half degrees, so that they fit a byte."""


def distort(
    image: np.ndarray,
    chance: float,
    brightness: float,
    contrast: float,
    saturation: float,
    hue: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """The image with its colours changed; contrast comes second or, as often, last.

    Args:
        image: [H, W, 3] uint8 RGB.
        chance: of each of the four changes.
        brightness, contrast, saturation, hue: how far each may go, as in the functions below; 0: not at all.
        rng: all that chance comes from.
    """
    changes = [
        (shift_brightness, brightness),
        (scale_contrast, contrast),
        (scale_saturation, saturation),
        (turn_hue, hue),
    ]
    if rng.random() < 0.5:
        changes.append(changes.pop(1))
    for change, reach in changes:
        if rng.random() < chance and reach > 0:
            image = change(image, reach, rng)
    return image


def shift_brightness(image: np.ndarray, reach: float, rng: np.random.Generator) -> np.ndarray:
    """All levels plus one number from [-reach, reach], of 255."""
    return cv2.LUT(image, _levels(1, rng.uniform(-reach, reach)))


def scale_contrast(image: np.ndarray, reach: float, rng: np.random.Generator) -> np.ndarray:
    """All levels times one factor from [1 - reach, 1 + reach]."""
    return cv2.LUT(image, _levels(rng.uniform(1 - reach, 1 + reach), 0))


def scale_saturation(image: np.ndarray, reach: float, rng: np.random.Generator) -> np.ndarray:
    """The saturation (of HSV) times one factor from [1 - reach, 1 + reach]."""
    return _through_hsv(image, 1, _levels(rng.uniform(1 - reach, 1 + reach), 0))


def turn_hue(image: np.ndarray, reach: float, rng: np.random.Generator) -> np.ndarray:
    """The hue (of HSV) turned by one angle from [-reach, reach], in half degrees."""
    turned = np.rint(np.arange(256) + rng.uniform(-reach, reach)) % HUES
    return _through_hsv(image, 0, turned.astype(np.uint8))


def shuffle_channels(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The three colour planes in another, or by chance the same, order."""
    return image[..., rng.permutation(3)]


def _levels(factor: float, shift: float) -> np.ndarray:
    """What each of the 256 levels becomes: [256] uint8; computed in float32, as OpenCV does."""
    levels = np.arange(256, dtype=np.float32) * np.float32(factor) + np.float32(shift)
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)


def _through_hsv(image: np.ndarray, channel: int, table: np.ndarray) -> np.ndarray:
    """The image with one channel of its hue, saturation and value passed through a table."""
    tables = np.tile(np.arange(256, dtype=np.uint8)[:, None], 3)
    tables[:, channel] = table
    hsv = cv2.LUT(cv2.cvtColor(image, cv2.COLOR_RGB2HSV), tables[None])
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
