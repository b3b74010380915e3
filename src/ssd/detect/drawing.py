"""Detections drawn into the picture itself, at its own size, in the colours of the report.

Line width and letters grow with the picture, so that they can be read when it is seen as a whole. The letters are
those of Pillow's own font, which are plain Latin: others become their plain relatives or, where they have none,
the category's id is written in place of the name.
"""

import unicodedata
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ssd.detect.detector import Detections
from ssd.report.lettering import COLOURS, Rectangle, free_place, ink_on, short

SMALLEST = 8
"""Height of the smallest letters; a picture in which these find no room gets boxes alone."""

SHADE = (16, 17, 20, 110)
"""Beside a box's line, a pixel wide and half transparent, so that it is seen on a ground of its own colour."""


@dataclass(frozen=True)
class Style:
    """Sizes in pixels.

    Attributes:
        line: width of a box's line.
        letters: height of the letters.
    """

    line: int
    letters: int

    @property
    def margin(self) -> int:
        """Beside the text of a label."""
        return max(2, round(self.letters * 0.3))

    @property
    def label_height(self) -> int:
        """Of a label."""
        return round(self.letters * 1.35)


@dataclass(frozen=True)
class Label:
    """A text on a filled ground; place and size in pixels."""

    left: int
    top: int
    width: int
    text: str
    style: Style


def style_for(height: int, width: int) -> Style:
    """Lines and letters that suit a picture of this size: 2 and 14 pixels in one of 640 x 480."""
    side = (height * width) ** 0.5
    return Style(max(2 if side >= 128 else 1, round(side / 250)), max(11, round(side / 40)))


def colour_of(label: int) -> str:
    """The colour of a class, #rrggbb, by its label: 1, 2, …"""
    return COLOURS[(label - 1) % len(COLOURS)]


def draw(picture: np.ndarray, found: Detections) -> np.ndarray:
    """A copy of the picture with boxes, names and scores drawn in it, the best detection on top.

    Args:
        picture: [H, W, 3] uint8 RGB.
        found: its detections.
    """
    height, width = picture.shape[:2]
    style = style_for(height, width)
    image = Image.fromarray(picture).copy()
    canvas = ImageDraw.Draw(image, "RGBA")
    boxes = pixel_boxes(found.boxes_xyxy_px, height, width)
    labels = place_labels(found, boxes, height, width)
    worst_first = range(len(found) - 1, -1, -1)
    for at in worst_first:
        left, top, right, bottom = boxes[at]
        canvas.rectangle((left - 1, top - 1, right + 1, bottom + 1), outline=SHADE, width=style.line + 2)
        canvas.rectangle(boxes[at], outline=colour_of(found.labels[at]), width=style.line)
    for at in worst_first:
        label = labels[at]
        if label is not None:
            _write(canvas, label, colour_of(found.labels[at]))
    return np.array(image)


def pixel_boxes(boxes_xyxy_px: np.ndarray, height: int, width: int) -> list[tuple[int, int, int, int]]:
    """The first and last column and row of each box: left, top, right, bottom, all inside the picture."""
    first = np.round(boxes_xyxy_px[:, :2]).astype(int)
    last = np.round(boxes_xyxy_px[:, 2:]).astype(int) - 1
    most = [width - 1, height - 1]
    first = np.clip(first, 0, most)
    last = np.clip(np.maximum(last, first), 0, most)
    return [tuple(box) for box in np.concatenate([first, last], axis=1).tolist()]


def place_labels(
    found: Detections, boxes: list[tuple[int, int, int, int]], height: int, width: int
) -> list[Label | None]:
    """The label of each detection, inside the picture and, while there is room, clear of those of better ones.

    None where even the smallest letters are too large for the picture.
    """
    labels: list[Label | None] = []
    taken: list[Rectangle] = []
    for at, (left, top, right, bottom) in enumerate(boxes):
        text = f"{shown_name(found.names[at], found.category_ids[at])} {found.scores[at]:.2f}"
        style = style_for(height, width)
        while style.letters > SMALLEST and (_width(text, style) > width or style.label_height > height):
            style = Style(style.line, style.letters - 1)
        sides = _width(text, style), style.label_height
        box = (left, top, right + 1 - left, bottom + 1 - top)
        place = free_place(box, *sides, (width, height), taken) or free_place(
            box, *sides, (width, height), []
        )
        if place is None:
            labels.append(None)
        else:
            labels.append(Label(round(place[0]), round(place[1]), sides[0], text, style))
            taken.append((*place, *sides))
    return labels


def shown_name(name: str, category_id: int) -> str:
    """The name in letters that the font has."""
    plain = unicodedata.normalize("NFKD", short(name).replace("…", "..."))
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return plain if plain.strip() and plain.isascii() and plain.isprintable() else f"#{category_id}"


def _width(text: str, style: Style) -> int:
    return round(_font(style.letters).getlength(text)) + 2 * style.margin


def _write(canvas: ImageDraw.ImageDraw, label: Label, colour: str) -> None:
    style = label.style
    right, bottom = label.left + label.width - 1, label.top + style.label_height - 1
    canvas.rectangle((label.left, label.top, right, bottom), fill=colour)
    baseline = label.top + round(style.label_height / 2 + style.letters * 0.35)
    at = (label.left + style.margin, baseline)
    canvas.text(at, label.text, fill=ink_on(colour), font=_font(style.letters), anchor="ls")


@cache
def _font(letters: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(letters)
    assert isinstance(font, ImageFont.FreeTypeFont)  # which Pillow's wheels have
    return font
