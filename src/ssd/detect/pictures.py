"""Picture files: read upright, written in the form of their name."""

from pathlib import Path

import cv2
import numpy as np

from ssd.data.decode import decode
from ssd.files import write_bytes

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
"""Of the forms that are written too; any other that OpenCV reads is taken, and written as PNG."""

_QUALITY = [cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_WEBP_QUALITY, 95]


def read_picture(path: Path) -> np.ndarray:
    """The picture as one looks at it, [H, W, 3] uint8 RGB.

    JPEG and PNG are turned as their EXIF orientation says; OpenCV does not know that of WebP.

    Raises:
        ValueError: no such file, or not a picture that OpenCV can read.
    """
    try:
        encoded = path.read_bytes()
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file") from None
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror})") from None
    picture = decode(encoded, upright=True)
    if picture is None:
        raise ValueError(f"{path}: expected a picture, got {len(encoded)} bytes that are none")
    return picture


def drawn_name(path: Path) -> str:
    """The name under which the picture is written: its own, if it can be."""
    return path.name if path.suffix.lower() in SUFFIXES else f"{path.name}.png"


def write_picture(path: Path, picture: np.ndarray) -> None:
    """Write [H, W, 3] uint8 RGB in the form that the name says; what was there stays until it is complete.

    Raises:
        ValueError: the form does not hold a picture of this size.
    """
    try:
        done, encoded = cv2.imencode(path.suffix.lower(), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), _QUALITY)
    except cv2.error:
        done = False
    if not done:
        height, width = picture.shape[:2]
        raise ValueError(
            f"{path}: expected a picture that {path.suffix} holds, got {width} x {height} pixels"
        )
    write_bytes(path, encoded.tobytes())
