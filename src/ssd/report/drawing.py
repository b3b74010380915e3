"""Photos as JPEG, and the boxes and names to draw over them: by the browser, so crisp and in any script.

A picture is laid out in a frame of fixed size, whatever the proportions of the photo, so that line widths and
letters are of one size over the whole page. All lengths are units of the frame, about a pixel of the screen.
"""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from ssd.report.cases import Case
from ssd.report.inputs import Detection, Image, Object
from ssd.report.lettering import COLOURS, free_place, ink_on, short, text_width

Photo = Callable[[str, int], bytes]

LETTERS = 11.0
LABEL_HEIGHT = 15.0


@dataclass(frozen=True)
class Frame:
    """Where a picture has its place: width and height in units, about pixels of the screen."""

    width: int
    height: int


@dataclass(frozen=True)
class Outline:
    """A box; `kind` is right, false, ignored, truth, missed or crowd, each drawn its way by page.css."""

    kind: str
    x: float
    y: float
    width: float
    height: float
    colour: str
    title: str


@dataclass(frozen=True)
class Label:
    """A name to write, in `ink` on `colour`."""

    kind: str
    x: float
    y: float
    width: float
    text: str
    colour: str
    ink: str


@dataclass(frozen=True)
class Picture:
    """A photo in its frame, with everything drawn over it."""

    frame: Frame
    x: float
    y: float
    width: float
    height: float
    jpeg: str
    outlines: tuple[Outline, ...]
    labels: tuple[Label, ...]
    description: str


def jpeg(encoded: bytes, frame: Frame, budget: int, address: str) -> bytes:
    """The photo as a JPEG fine enough for the frame, and coarser where it takes more than `budget` bytes.

    Encoded anew, so without what a camera or an editor wrote into the file; an orientation noted there is
    ignored, as it is everywhere in this project.

    Raises:
        ValueError: not a photo that OpenCV can read; the sentence begins with `address`.
    """
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    pixels = cv2.imdecode(np.frombuffer(encoded, np.uint8), flags) if encoded else None
    if pixels is None:
        raise ValueError(f"{address}: expected an encoded photo, got {len(encoded)} bytes that are none")
    height, width = pixels.shape[:2]
    for fineness, quality in ((2.0, 84), (1.5, 82), (1.2, 80), (1.0, 76), (0.75, 70)):
        scale = min(1.0, fineness * frame.width / width, fineness * frame.height / height)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA) if scale < 1 else pixels
        data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
        if len(data) <= budget:
            break
    return data


def draw_case(case: Case, encoded: bytes, frame: Frame, budget: int, classes: Mapping[int, str]) -> Picture:
    """The photo with its detections in their class's colour and the ground truth dashed."""
    drawing = _Drawing(case.image, frame, classes)
    for thing, found, reason in zip(case.image.objects, case.found, case.reasons, strict=True):
        kind = "crowd" if not thing.counts else "truth" if found else "missed"
        drawing.outline(kind, thing, f"missed ({reason}): " if reason else _uncounted(thing))
    for detection, verdict, error in zip(case.detections, case.verdicts, case.kinds, strict=True):
        before = {"right": "", "false": f"false ({error}): ", "ignored": "not counted: "}[verdict]
        drawing.outline(verdict, detection, before)
    for detection, verdict in zip(case.detections, case.verdicts, strict=True):
        name = short(classes[detection.category_id])
        cross = "× " if verdict == "false" else ""
        drawing.label(verdict, detection, f"{cross}{name} {detection.score:.2f}")
    for thing, found in zip(case.image.objects, case.found, strict=True):
        if thing.counts and not found:
            drawing.label("missed", thing, short(classes[thing.category_id]))
    description = f"Image {case.image.id} with {len(case.detections)} detections and {case.objects} objects"
    return drawing.picture(jpeg(encoded, frame, budget, f"val image {case.image.id}"), description)


def draw_truth(
    image: Image, encoded: bytes, frame: Frame, budget: int, classes: Mapping[int, str]
) -> Picture:
    """A training photo with its objects in their class's colour."""
    drawing = _Drawing(image, frame, classes)
    for thing in image.objects:
        drawing.outline("right" if thing.counts else "crowd", thing, _uncounted(thing))
    for thing in sorted(image.objects, key=lambda thing: -thing.box_xywh[2] * thing.box_xywh[3]):
        if thing.counts:
            drawing.label("right", thing, short(classes[thing.category_id]))
    description = f"Training image {image.id} with {len(image.objects)} objects"
    return drawing.picture(jpeg(encoded, frame, budget, f"train image {image.id}"), description)


def _uncounted(thing: Object) -> str:
    """What to say before the name of a box that need not be found."""
    return "crowd of " if thing.crowd else "difficult: " if thing.difficult else ""


class _Drawing:
    """The shapes of one picture as they are added; a label that finds no free place is left out."""

    def __init__(self, image: Image, frame: Frame, classes: Mapping[int, str]) -> None:
        self._frame = frame
        self._classes = classes
        self._colours = {category: COLOURS[i % len(COLOURS)] for i, category in enumerate(classes)}
        self._scale = min(frame.width / image.width, frame.height / image.height)
        self._width, self._height = image.width * self._scale, image.height * self._scale
        self._x, self._y = (frame.width - self._width) / 2, (frame.height - self._height) / 2
        self._outlines: list[Outline] = []
        self._labels: list[Label] = []

    def outline(self, kind: str, box: Object | Detection, prefix: str) -> None:
        name = self._classes[box.category_id]
        score = f" {box.score:.2f}" if isinstance(box, Detection) else ""
        x, y, width, height = self._place(box)
        colour = self._colours[box.category_id]
        self._outlines.append(Outline(kind, x, y, width, height, colour, f"{prefix}{name}{score}"))

    def label(self, kind: str, box: Object | Detection, text: str) -> None:
        width = round(text_width(text) * LETTERS + 8, 1)
        taken = [(label.x, label.y, label.width, LABEL_HEIGHT) for label in self._labels]
        frame = (self._frame.width, self._frame.height)
        place = free_place(self._place(box), width, LABEL_HEIGHT, frame, taken)
        if place is not None:
            left, top = (round(at, 1) for at in place)
            colour = "#16181d" if kind == "missed" else self._colours[box.category_id]
            self._labels.append(Label(kind, left, top, width, text, colour, ink_on(colour)))

    def picture(self, jpeg: bytes, description: str) -> Picture:
        x, y, width, height = (round(side, 1) for side in (self._x, self._y, self._width, self._height))
        data = base64.b64encode(jpeg).decode("ascii")
        outlines, labels = tuple(self._outlines), tuple(self._labels)
        return Picture(self._frame, x, y, width, height, data, outlines, labels, description)

    def _place(self, box: Object | Detection) -> tuple[float, float, float, float]:
        """The box in units of the frame, cut at the photo's border."""
        x, y, width, height = (side * self._scale for side in box.box_xywh)
        left, right = (min(max(at, 0.0), self._width) for at in (x, x + width))
        top, bottom = (min(max(at, 0.0), self._height) for at in (y, y + height))
        width, height = right - left, bottom - top
        return round(self._x + left, 1), round(self._y + top, 1), round(width, 1), round(height, 1)
