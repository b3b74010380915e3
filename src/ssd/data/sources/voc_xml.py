"""PASCAL VOC's annotation files: one XML file an image, read without document types and entities.

Pixels are counted from 1 and inclusively: xmin and xmax are the first and the last column of an object. In continuous
pixels, where the image reaches from 0 to its width, the object reaches from xmin - 1 to xmax, and is as wide as VOC's
`xmax - xmin + 1`. Some of VOC2012's coordinates have fractions.
"""

import math
from dataclasses import dataclass
from typing import NoReturn
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

MOST_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class VocObject:
    """An object; the box is left, top, width, height in continuous pixels."""

    name: str
    box_xywh_px: tuple[float, float, float, float]
    difficult: bool


@dataclass(frozen=True, slots=True)
class VocAnnotation:
    """Of an image: its size in pixels, None where the file does not say, and its objects."""

    height: int | None
    width: int | None
    objects: tuple[VocObject, ...]


def read_annotation(data: bytes, address: str) -> VocAnnotation:
    """An annotation file: `size`, and of every `object` `name`, `bndbox` and `difficult`, which may be missing.

    A size of zeros, as some labelling tools write it, is none. Parts of objects (VOC's person layout) are not read.

    Args:
        data: the file.
        address: begins the sentences of errors.

    Raises:
        ValueError: one sentence with the item, what was expected and what was found.
    """
    root = _parse(data, address)
    if root.tag != "annotation":
        raise ValueError(f"{address}: expected an annotation, got an element {root.tag!r:.80}")
    height, width = _size(root, address)
    objects = [
        _object(element, f"{address}: object {number}")
        for number, element in enumerate(root.findall("object"), start=1)
    ]
    return VocAnnotation(height, width, tuple(objects))


class _Refused(ValueError):
    """What the parser's handlers raise, to be told from the parser's own errors."""


def _parse(data: bytes, address: str) -> Element:
    """The root of an XML document.

    Entities can only be declared in a document type, and only there can a document name other files: without one, a
    document grows no larger than it is and reads nothing.
    """
    if len(data) > MOST_BYTES:
        raise ValueError(f"{address}: expected at most {MOST_BYTES} bytes of XML, got {len(data)}")

    def refuse(*_: object) -> NoReturn:
        raise _Refused(f"{address}: expected XML without DOCTYPE and ENTITY, got one; remove it")

    builder = TreeBuilder()
    parser = expat.ParserCreate()
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.ExternalEntityRefHandler = refuse
    try:
        parser.Parse(data, True)
    except _Refused:
        raise
    except expat.ExpatError as error:
        raise ValueError(
            f"{address}: expected XML, got {expat.ErrorString(error.code)} in line {error.lineno}, "
            f"column {error.offset + 1}"
        ) from None
    except (LookupError, ValueError) as error:  # an encoding that Python or expat does not know
        raise ValueError(f"{address}: expected XML in a known encoding, got {error}") from None
    return builder.close()


def _size(root: Element, address: str) -> tuple[int | None, int | None]:
    size = root.find("size")
    if size is None:
        return None, None
    height, width = (_number(size, key, f"{address}: size") for key in ("height", "width"))
    if height == width == 0:
        return None, None
    for key, value in (("height", height), ("width", width)):
        if not 1 <= value < 2**31 or value != int(value):
            raise ValueError(f"{address}: size: expected a whole number >= 1 as {key}, got {value:g}")
    return int(height), int(width)


def _object(element: Element, address: str) -> VocObject:
    name = _text(element, "name", address)
    address = f"{address} ({name})"
    boxes = element.findall("bndbox")
    if len(boxes) != 1:
        raise ValueError(f"{address}: expected one bndbox, got {len(boxes) or 'none'}")
    xmin, ymin, xmax, ymax = (
        _number(boxes[0], key, f"{address}: bndbox") for key in ("xmin", "ymin", "xmax", "ymax")
    )
    difficult = 0.0 if element.find("difficult") is None else _number(element, "difficult", address)
    if difficult not in (0, 1):
        raise ValueError(f"{address}: expected 0 or 1 as difficult, got {difficult:g}")
    return VocObject(name, (xmin - 1, ymin - 1, xmax - xmin + 1, ymax - ymin + 1), difficult == 1)


def _text(element: Element, key: str, address: str) -> str:
    children = element.findall(key)
    text = (children[0].text or "").strip() if len(children) == 1 else ""
    if not text:
        got = len(children) if len(children) > 1 else "an empty one" if children else "none"
        raise ValueError(f"{address}: expected one {key}, got {got}")
    return text


def _number(element: Element, key: str, address: str) -> float:
    text = _text(element, key, address)
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not abs(number) < 2**53:
        raise ValueError(f"{address}: expected a number as {key}, got {text!r:.80}")
    return number
