"""Caffe's expansion: the image somewhere on a larger canvas, so that its objects are small ones.

From SSD's Caffe code (`ExpandImage`; Liu et al. 2016, section 3.6, "zoom out").
"""

import cv2
import numpy as np

FILL_RGB = (123, 117, 104)
"""Caffe's mean of ImageNet; the input's normalisation makes it nearly 0."""


def expand(
    image: np.ndarray, boxes: np.ndarray, max_ratio: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The image anywhere on a canvas of the mean colour, whose sides are 1 to `max_ratio` times the image's.

    The whole canvas is made, although a crop may follow: half a millisecond for a photo of 500 x 375 (as long as a
    resize), but at a ratio of 4 it has 16 times the bytes of the image, over 500 MB for one of 12 megapixels.
    """
    height, width = image.shape[:2]
    ratio = rng.uniform(1, max_ratio)
    canvas_height, canvas_width = int(height * ratio), int(width * ratio)
    top = int(rng.integers(0, canvas_height - height, endpoint=True))
    left = int(rng.integers(0, canvas_width - width, endpoint=True))
    below, beside = canvas_height - height - top, canvas_width - width - left
    canvas = cv2.copyMakeBorder(image, top, below, left, beside, cv2.BORDER_CONSTANT, value=FILL_RGB)
    moved_px = boxes * (height, width, height, width) + (top, left, top, left)
    return canvas, moved_px / (canvas_height, canvas_width, canvas_height, canvas_width)
