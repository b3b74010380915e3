"""The tutorial's colour jitter: brightness, contrast and saturation, each by a factor."""

import numpy as np

# ITU-R BT.601, as OpenCV's conversion to grey.
GREY_WEIGHTS = np.array([0.299, 0.587, 0.114], np.float32)


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
