"""How wide a name gets, how long it may be, and in which ink it is written."""

import unicodedata

LONGEST_NAME = 26


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
