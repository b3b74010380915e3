"""From an encoded photo to pixels, the one way everywhere."""

import cv2
import numpy as np


def decode(encoded: bytes, *, upright: bool = False) -> np.ndarray | None:
    """The photo as [H, W, 3] uint8 RGB, also if it is grey; None if it is damaged, cut off or no picture.

    Transparency is left out: what is stored under it counts.

    Args:
        encoded: the file's bytes.
        upright: turn the picture as its EXIF orientation says. Otherwise the pixels are as stored, because
            annotations refer to the stored picture.
    """
    if not encoded:
        return None
    flags = cv2.IMREAD_COLOR if upright else cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        picture = cv2.imdecode(np.frombuffer(encoded, np.uint8), flags)
    except cv2.error:  # such as a picture of more pixels than OpenCV takes
        return None
    return None if picture is None else cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def decode_checked(encoded: bytes, address: str) -> np.ndarray:
    """As `decode`, of a photo of records, which were checked.

    Args:
        encoded: the file's bytes.
        address: where they are from, for the message.

    Raises:
        ValueError: it is damaged all the same.
    """
    picture = decode(encoded)
    if picture is None:
        raise ValueError(f"{address}: expected a photo, got {len(encoded)} bytes that are none")
    return picture
