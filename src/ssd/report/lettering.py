"""Names in a picture: how wide they get, how long they may be, in which colours they are written, and where."""

import unicodedata
from collections.abc import Sequence

# Apart from each other and from most photos; with more classes than colours the names tell.
COLOURS = (
    "#ff4d6a", "#19b5ff", "#ffb300", "#2ed573", "#b07cff", "#ff7a1a",
    "#0fd3c4", "#ff74d4", "#b8e000", "#7288ff", "#f7e04b", "#d99168",
)  # fmt: skip
LONGEST_NAME = 26

Rectangle = tuple[float, float, float, float]
"""Left, top, width, height."""


def text_width(text: str) -> float:
    """About how wide `text` is in a plain sans-serif face, in heights of the letters."""
    return sum(_letter_width(letter) for letter in text)


def _letter_width(letter: str) -> float:
    if unicodedata.combining(letter):
        return 0.0
    if unicodedata.east_asian_width(letter) in "WF":
        return 1.0
    if letter in " .,:;'|!ijlftI()[]":
        return 0.3
    if letter in "mwMW@%&":
        return 0.85
    return 0.67 if letter.isupper() else 0.56


def short(name: str) -> str:
    """A class name that fits into a picture."""
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1].rstrip() + "…"


def ink_on(colour: str) -> str:
    """Black or white, whichever reads better on `colour` (#rrggbb); weights of Rec. 709."""
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return "#101114" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.42 else "#ffffff"


def free_place(
    box: Rectangle, width: float, height: float, frame: tuple[float, float], taken: Sequence[Rectangle]
) -> tuple[float, float] | None:
    """Left and top of a label at a box, inside the frame and clear of others; None where there is no such place.

    Above the box is best, then below it, then inside; at its left end rather than at its right.

    Args:
        box: what the label names.
        width: the label's.
        height: the label's.
        frame: width and height of the picture; all in the same unit.
        taken: labels that are there already.
    """
    x, y, box_width, box_height = box
    right, bottom = x + box_width, y + box_height
    places = (
        (x, y - height), (x, bottom), (right - width, y - height), (right - width, bottom),
        (x, y), (x, bottom - height), (right - width, y), (right - width, bottom - height),
    )  # fmt: skip
    for left, top in places:
        left = min(max(left, 0.0), frame[0] - width)
        fits = left >= 0 and 0 <= top <= frame[1] - height
        if fits and not any(_touch((left, top, width, height), other) for other in taken):
            return left, top
    return None


def _touch(one: Rectangle, other: Rectangle) -> bool:
    return all(
        one[side] < other[side] + other[side + 2] and other[side] < one[side] + one[side + 2]
        for side in (0, 1)
    )
