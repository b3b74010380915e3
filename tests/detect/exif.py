"""A photo whose EXIF orientation says to turn it by a quarter, clockwise."""

from pathlib import Path

import numpy as np
from PIL import Image

ORIENTATION = 0x0112


def save_turned(path: Path, upright: np.ndarray) -> None:
    """Write the picture lying on its side, with the note that puts it upright.

    Args:
        path: its name ends in .jpg or .png.
        upright: [H, W, 3] uint8 RGB, as it should be seen.
    """
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    Image.fromarray(np.rot90(upright)).save(path, exif=exif, quality=100, subsampling=0)
