"""COCO's JSON files read part after part: of gigabytes of outlines, what is kept and a window of the text.

Each value is parsed by Python's own decoder; here is only the object around the lists, and where the next value is.
"""

import codecs
import json
import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from ssd.files import telling_damage

Kept = Callable[[dict[str, Any]], Any]
"""What is kept of an object in place of it, as soon as it is parsed."""

Lists = Mapping[str, Callable[[Iterable[Any]], Any]]
"""What is made of the items of a list of the outermost object, all of which it takes, in place of a list."""

WINDOW = 1 << 16
"""Bytes that are read at once."""

_SPACE = re.compile(r"[ \t\n\r]*")
_UNFINISHED = 4
"""Characters of a number that may not be taken for a part of it before the next one is seen: 1, then e+5."""


def only(keys: Collection[str]) -> Kept:
    """Of every object these keys alone, which all objects share."""
    return lambda entry: {sys.intern(key): value for key, value in entry.items() if key in keys}


def read_big_json(path: Path, kept: Kept, lists: Lists | None = None) -> Any:
    """The content of a JSON file, of whose lists in the outermost object one item after the other is read.

    Args:
        path: text in UTF-8.
        kept: of each object.
        lists: by the names of lists.

    Raises:
        ValueError: no such file, or not JSON; one sentence with the file and, where known, the line.
    """
    try:
        with path.open("rb") as file:
            return parse_big_json(file, str(path), kept, lists)
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file") from None


def parse_big_json(file: BinaryIO, address: str, kept: Kept, lists: Lists | None = None) -> Any:
    """As `read_big_json`, of an open file.

    Args:
        file: text in UTF-8.
        address: where it is from, with which errors begin.
        kept: of each object.
        lists: by the names of lists.
    """
    with telling_damage(address):
        text = _Text(codecs.iterdecode(iter(lambda: file.read(WINDOW), b""), "utf-8"), kept)
        tree = _outermost(text, kept, lists or {}) if text.next() == "{" else text.value()
        if text.next():
            raise text.error("Extra data")
        return tree


def _outermost(text: "_Text", kept: Kept, lists: Lists) -> Any:
    tree: dict[str, Any] = {}
    text.skip()
    if text.next() == "}":
        text.skip()
        return kept(tree)
    while True:
        if text.next() != '"':
            raise text.error("Expecting property name enclosed in double quotes")
        key = text.value()
        text.expect(":", "Expecting ':' delimiter")
        tree[key] = lists.get(key, list)(_items(text)) if text.next() == "[" else text.value()
        if text.expect(",}", "Expecting ',' delimiter") == "}":
            return kept(tree)


def _items(text: "_Text") -> Iterator[Any]:
    text.skip()
    if text.next() == "]":
        text.skip()
        return
    while True:
        yield text.value()
        if text.expect(",]", "Expecting ',' delimiter") == "]":
            return


class _Text:
    """A text of which a window is in memory, and a place in it.

    Args:
        blocks: the text.
        kept: of each object.
    """

    def __init__(self, blocks: Iterator[str], kept: Kept) -> None:
        self.blocks = blocks
        self.decoder = json.JSONDecoder(object_hook=kept)
        self.window = ""
        self.place = 0
        self.lines_before = 0
        self.column_before = 0
        if self._reads_on() and self.window.startswith("\ufeff"):
            raise self.error("Unexpected UTF-8 BOM (decode using utf-8-sig)")

    def next(self) -> str:
        """The next character that is no white space, which is not passed; nothing at the end."""
        while True:
            match = _SPACE.match(self.window, self.place)
            assert match is not None
            self.place = match.end()
            if self.place < len(self.window):
                return self.window[self.place]
            if not self._reads_on():
                return ""

    def skip(self) -> None:
        """Pass one character."""
        self.place += 1

    def expect(self, characters: str, message: str) -> str:
        """Pass one of these characters."""
        found = self.next()
        if not found or found not in characters:
            raise self.error(message)
        self.skip()
        return found

    def value(self) -> Any:
        """Pass a value."""
        self.next()
        while True:
            try:
                value, end = self.decoder.raw_decode(self.window, self.place)
            except json.JSONDecodeError as error:
                if self._reads_on():
                    continue
                raise self.error(error.msg, error.pos) from None
            if end + _UNFINISHED > len(self.window) and self._reads_on():
                continue
            self.place = end
            return value

    def error(self, message: str, place: int | None = None) -> json.JSONDecodeError:
        """What is wrong at a place in the window, with its line and column in the text."""
        error = json.JSONDecodeError(message, self.window, self.place if place is None else place)
        if error.lineno == 1:
            error.colno += self.column_before
        error.lineno += self.lines_before
        return error

    def _reads_on(self) -> bool:
        """As much again as is left of the window, if there is more; what was passed is let go."""
        passed, left = self.window[: self.place], self.window[self.place :]
        blocks = []
        size = 0
        for block in self.blocks:
            blocks.append(block)
            size += len(block)
            if size >= max(len(left), 1):
                break
        if not blocks:
            return False
        self.lines_before += passed.count("\n")
        self.column_before = len(passed) - passed.rfind("\n") - 1 + self.column_before * ("\n" not in passed)
        self.window, self.place = "".join([left, *blocks]), 0
        return True
