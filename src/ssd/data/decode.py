"""From an encoded photo to pixels, the one way everywhere."""

import cv2
import numpy as np


def decode(encoded: bytes) -> np.ndarray | None:
    """The photo as [H, W, 3] uint8 RGB, also if it is grey; None if it is damaged, cut off or no picture.

    The pixels are as stored: EXIF orientation is ignored, because annotations refer to the stored picture.
    """
    if not encoded:
        return None
    try:
        picture = cv2.imdecode(
            np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
        )
    except cv2.error:  # such as a picture of more pixels than OpenCV takes
        return None
    return None if picture is None else cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
