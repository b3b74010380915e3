"""Random changes to a training image and its boxes: crop, mirror, colour.

Every function takes a generator and draws from it alone. Images are [H, W, 3] uint8 RGB, boxes [G, 4] yxyx
fractions of the image.

Departure from the tutorial: a crop counts when **at least one** object reaches the drawn IoU with it, as SSD's Caffe
code means it; the tutorial's rule lets nearly every crop through.
"""

import cv2
import numpy as np

from ssd.config import Augment
from ssd.geometry.boxes import area, clip, intersection

CROP_MIN_IOUS = (0.1, 0.3, 0.5, 0.7, 0.9)
CROP_TRIALS = 50
CROP_MIN_SCALE = 0.3
CROP_MAX_ASPECT = 2.0

# ITU-R BT.601, as OpenCV's conversion to grey.
GREY_WEIGHTS = np.array([0.299, 0.587, 0.114], np.float32)


def augment(
    image: np.ndarray, boxes: np.ndarray, labels: np.ndarray, policy: Augment, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A random variant of an image with its objects.

    Returns:
        image [H', W', 3] uint8, boxes [G', 4] and labels [G'] of the objects that stay.
    """
    if rng.random() < policy.crop:
        image, boxes, labels = crop(image, boxes, labels, rng)
    if rng.random() < policy.mirror:
        image, boxes = mirror(image, boxes)
    if rng.random() < policy.colour:
        image = jitter_colour(image, policy.brightness, policy.contrast, policy.saturation, rng)
    return image, boxes, labels


def crop(
    image: np.ndarray, boxes: np.ndarray, labels: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A part of the image in which at least one object has a drawn IoU with the part (Liu et al. 2016, section 2.2).

    Its sides are 0.3 to 1 of the image's; the ratio of these fractions is between 1/2 and 2 (Caffe's aspect, which
    the longest photo has room for). Objects whose centre is inside stay, cut to the part. Without objects, or
    when 50 draws find no such part, everything comes back as it was.
    """
    if not len(boxes):
        return image, boxes, labels
    height, width = image.shape[:2]
    min_iou = rng.choice(CROP_MIN_IOUS)
    for _ in range(CROP_TRIALS):
        part_px = _draw_part_px(height, width, rng)
        part = part_px / np.array([height, width, height, width], np.float32)
        shared = intersection(part[None], boxes)[0]
        ious = shared / np.maximum(area(part[None]) + area(boxes) - shared, 1e-12)
        centre_yx = (boxes[:, :2] + boxes[:, 2:]) / 2
        inside = np.all((centre_yx >= part[:2]) & (centre_yx < part[2:]), axis=1)
        if ious.max() < min_iou or not inside.any():
            continue
        top, left, bottom, right = part_px
        origin, size = np.tile(part[:2], 2), np.tile(part[2:] - part[:2], 2)
        return image[top:bottom, left:right], clip((boxes[inside] - origin) / size), labels[inside]
    return image, boxes, labels


def _draw_part_px(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """A rectangle in whole pixels: [4] ymin, xmin, ymax, xmax."""
    while True:
        part_height, part_width = rng.uniform(CROP_MIN_SCALE, 1, 2)
        if 1 / CROP_MAX_ASPECT <= part_height / part_width <= CROP_MAX_ASPECT:
            break
    part_height, part_width = part_height * height, part_width * width
    top, left = rng.uniform(0, 1, 2) * (height - part_height, width - part_width)
    top, left = int(top), int(left)
    return np.array([top, left, top + max(1, int(part_height)), left + max(1, int(part_width))])


def mirror(image: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Left and right exchanged."""
    ymin, xmin, ymax, xmax = boxes.T
    return image[:, ::-1], np.stack([ymin, 1 - xmax, ymax, 1 - xmin], axis=1)


def jitter_colour(
    image: np.ndarray, brightness: float, contrast: float, saturation: float, rng: np.random.Generator
) -> np.ndarray:
    """Brightness, contrast and saturation each times a factor from [1 - range, 1 + range], in this order."""
    by_brightness, by_contrast, by_saturation = (
        np.float32(rng.uniform(1 - spread, 1 + spread)) for spread in (brightness, contrast, saturation)
    )
    changed = image.astype(np.float32) * by_brightness
    np.clip(changed, 0, 255, out=changed)
    mean = np.float32(np.mean(changed @ GREY_WEIGHTS))
    changed = (changed - mean) * by_contrast + mean
    np.clip(changed, 0, 255, out=changed)
    grey = (changed @ GREY_WEIGHTS)[..., None]
    changed = (changed - grey) * by_saturation + grey
    return np.clip(np.rint(changed), 0, 255).astype(np.uint8)


def resize(image: np.ndarray, size: int) -> np.ndarray:
    """The image stretched to a square, [size, size, 3] uint8, bilinear."""
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR)
