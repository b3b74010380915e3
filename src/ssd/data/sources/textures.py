"""Two-tone textures, in whole numbers where possible: their bytes should not depend on the processor."""

import math
from collections.abc import Sequence

import cv2
import numpy as np

TEXTURES = ("gradient", "stripes", "checks", "clouds", "blobs")


def weights(rng: np.random.Generator, kind: str, height: int, width: int, period: float) -> np.ndarray:
    """How much of the second tone each pixel has: [height, width] uint8, 0 none, 255 all.

    Args:
        rng: where phase, angle and noise come from.
        kind: one of `TEXTURES`.
        height: pixels.
        width: pixels.
        period: size of the pattern in pixels; a gradient has none.
    """
    if kind == "gradient":
        return _gradient(rng, height, width)
    if kind == "stripes":
        return _stripes(rng, height, width, period, rng.uniform(0, math.pi))
    if kind == "checks":
        angle = rng.uniform(0, math.pi)
        return _either(
            _stripes(rng, height, width, period, angle),
            _stripes(rng, height, width, period, angle + math.pi / 2),
        )
    if kind == "clouds":
        coarse, fine = (_noise(rng, height, width, cell) for cell in (2 * period, period / 2))
        return ((2 * coarse.astype(np.uint16) + fine) // 3).astype(np.uint8)
    return _blobs(rng, height, width, period)


def blend(first: np.ndarray, second: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """`first` where `weight` [H, W] is 0, `second` where it is 255, in between a mixture: [H, W, 3] uint8.

    Args:
        first: a picture [H, W, 3] or one colour [3], uint8.
        second: the same.
        weight: [H, W] uint8.
    """
    share = weight.astype(np.uint16)
    rest = 255 - share
    mixed = np.empty((*weight.shape, 3), np.uint8)
    for channel in range(3):  # over all three NumPy's innermost loop would be of three steps
        mixture = first[..., channel] * rest + second[..., channel] * share + 127
        # the same as // 255, which takes much longer
        mixed[..., channel] = (mixture + 1 + (mixture >> 8)) >> 8
    return mixed


def colour(rng: np.random.Generator, low: int = 0, high: int = 255) -> np.ndarray:
    """A random colour [3] uint8, each channel from `low` to `high`."""
    return rng.integers(low, high + 1, 3).astype(np.uint8)


def near(rng: np.random.Generator, tone: np.ndarray, reach: int) -> np.ndarray:
    """A colour [3] uint8 whose channels are at most `reach` from those of `tone`."""
    return np.clip(tone.astype(int) + rng.integers(-reach, reach + 1, 3), 0, 255).astype(np.uint8)


def far(rng: np.random.Generator, tones: Sequence[np.ndarray], distance: int) -> np.ndarray:
    """A colour [3] uint8 at least `distance` (sum of channels) from all `tones`, or the farthest found."""
    candidates = rng.integers(0, 256, (40, 3))
    distances = np.abs(candidates[:, None] - np.asarray(tones, int)[None]).sum(2).min(1)
    good = np.flatnonzero(distances >= distance)
    return candidates[good[0] if len(good) else distances.argmax()].astype(np.uint8)


def _gradient(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    angle = rng.uniform(0, 2 * math.pi)
    along = _along(height, width, angle)
    low, high = along.min(), along.max()
    return np.floor((along - low) * (255 / max(high - low, 1.0))).astype(np.uint8)


def _stripes(rng: np.random.Generator, height: int, width: int, period: float, angle: float) -> np.ndarray:
    phase = _along(height, width, angle) / period + rng.uniform()
    wave = np.abs(2 * (phase - np.floor(phase)) - 1)
    return np.floor(np.clip((wave - 0.5) * (period / 2) + 0.5, 0, 1) * 255).astype(np.uint8)


def _either(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    a, b = first.astype(np.uint32), second.astype(np.uint32)
    return ((a * (255 - b) + b * (255 - a)) // 255).astype(np.uint8)


def _noise(rng: np.random.Generator, height: int, width: int, cell: float) -> np.ndarray:
    rows, columns = (max(2, math.ceil(side / max(cell, 1.0)) + 1) for side in (height, width))
    small = rng.integers(0, 256, (rows, columns), np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR_EXACT)


def _blobs(rng: np.random.Generator, height: int, width: int, period: float) -> np.ndarray:
    spots = np.zeros((height, width), np.uint8)
    count = min(200, max(3, round(height * width / (2 * period) ** 2)))
    for y, x, share in rng.uniform(size=(count, 3)):
        radius = max(1, round(period * (0.3 + 0.5 * share)))
        cv2.circle(spots, (int(x * width), int(y * height)), radius, (int(120 + 135 * share),), cv2.FILLED)
    side = 2 * max(1, round(period / 3)) + 1
    return cv2.GaussianBlur(spots, (side, side), 0)


def _along(height: int, width: int, angle: float) -> np.ndarray:
    """Each pixel's position in the direction `angle` (radians), in pixels: [height, width]."""
    # Rounded, so that the last bit of another library's sine changes nothing.
    right, down = round(math.cos(angle), 6), round(math.sin(angle), 6)
    return np.arange(width) * right + np.arange(height)[:, None] * down
