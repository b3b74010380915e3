"""Which photos of a train set that comes alone are val.

A photo's file name decides, by its SHA-256, and nothing else: photos that are added or taken away, another order or
other ids move no photo between train and val. So val has the wanted share only about: of n photos, with a standard
deviation of sqrt(n share (1 - share)); of 100 photos and 0.2, mostly 16 to 24. A larger share adds photos to val and
takes none away.

Roboflow gives every version of a photo a name of its own, photo_jpg.rf.<hash>.jpg. What it puts in is left out here:
versions of one photo are in the same split, and the next export has them where this one has them.
"""

import hashlib
import re
from collections.abc import Collection, Mapping
from typing import Any


def is_held_out(file_name: str, share: float) -> bool:
    """Whether the photo of this name is val."""
    photo = re.sub(r"\.rf\.[0-9A-Za-z_-]+(?=\.|$)", "", file_name)
    digest = hashlib.sha256(photo.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64


def hold_out(file_names: Collection[str], share: float, address: str) -> frozenset[str]:
    """The photos that are val, by their names.

    Raises:
        ValueError: all photos are train, or all are val; begins with `address`.
    """
    val = frozenset(name for name in file_names if is_held_out(name, share))
    if len(val) in (0, len(file_names)):
        raise ValueError(
            f"{address}: expected photos for train and for val, got {len(file_names) - len(val)} and {len(val)} by the "
            f"share {share:g} of {len(file_names)}; change it, or give val photos of its own"
        )
    return val


def share_note(held_out: int, photos: int, share: float) -> str:
    """What is told of a train set of so many photos, of which so many are val."""
    return f"val: {held_out} of the {photos} photos of train, chosen by their names (val_fraction {share:g})"


def read_share(layout: Mapping[str, Any], address: str) -> float | None:
    """The share of train that is val, as layout.json has it; None where val has photos of its own.

    Raises:
        ValueError: not a number above 0 and below 1; begins with `address`.
    """
    share = layout.get("val_fraction")
    if share is not None and (type(share) is not float or not 0 < share < 1):
        raise ValueError(
            f"{address}: expected a number above 0 and below 1 as val_fraction, got {share!r:.200}"
        )
    return share
