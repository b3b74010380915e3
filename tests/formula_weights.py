"""The recorded networks' weights and pictures, by their formula."""

import zlib

import numpy as np

SALT = "ssd-golden-open-1"
KERNEL_SIZES = {"OIHW": (1, 2, 3), "HWIO": (0, 1, 2)}
SCALES = ("backbone.scale_weight", "backbone.l2_norm.weight")
INPUT_AXIS = {"OIHW": 1, "HWIO": 2}


def formula_weight(name: str, shape: tuple[int, ...], layout: str = "OIHW") -> np.ndarray:
    """One parameter of a recorded network."""
    drawn = _random(name).standard_normal(shape)
    if len(shape) == 1:
        return ((20 + drawn) if name in SCALES else 0.1 * drawn).astype(np.float32)
    first_scale = 1 / 64 if shape[INPUT_AXIS[layout]] == 3 else 1
    fan_in = np.prod([shape[axis] for axis in KERNEL_SIZES[layout]])
    return (drawn * np.sqrt(2 / fan_in) * first_scale).astype(np.float32)


def formula_picture(number: int, height: int, width: int) -> np.ndarray:
    """One recorded picture, [height, width, 3] uint8 RGB."""
    drawn = _random(f"image{number}")
    coarse = (
        drawn.randint(0, 206, (-(-height // 20), -(-width // 20), 3)).repeat(20, axis=0).repeat(20, axis=1)
    )
    return (coarse[:height, :width] + drawn.randint(0, 50, (height, width, 3))).astype(np.uint8)


def _random(name: str) -> np.random.RandomState:
    return np.random.RandomState(zlib.crc32(f"{SALT}|{name}".encode()) & 0xFFFFFFFF)
