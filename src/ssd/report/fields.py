"""Values of JSON files and tables that are read by name and kind, with errors that say where."""

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ssd.files import read_csv, read_json

Box = tuple[float, float, float, float]


class Value:
    """A value of a JSON file that knows its address; what does not fit is a ValueError beginning with it."""

    __slots__ = ("key", "parent", "value")

    def __init__(self, value: Any, parent: "Value | None", key: str) -> None:
        """The value at `key` of `parent`: `.name` or `[index]`; the whole of a file has its path as key."""
        self.value, self.parent, self.key = value, parent, key

    @property
    def address(self) -> str:
        """The file and the way to the value in it; put together only when an error asks for it."""
        if self.parent is None:
            return self.key
        if self.parent.parent is None:
            return f"{self.parent.address}: {self.key.lstrip('.')}"
        return f"{self.parent.address}{self.key}"

    def __getitem__(self, key: str) -> "Value":
        """The value of a section under `key`, which must be there."""
        if key not in self._section():
            raise ValueError(f"{self.address}: expected the key {key}, got {', '.join(self.value) or 'none'}")
        return Value(self.value[key], self, f".{key}")

    def has(self, key: str) -> bool:
        """Whether a section has the key."""
        return key in self._section()

    def items(self) -> Iterator[tuple[str, "Value"]]:
        """The keys and values of a section."""
        return ((key, Value(value, self, f".{key}")) for key, value in self._section().items())

    def __iter__(self) -> Iterator["Value"]:
        """The values of a list."""
        if not isinstance(self.value, list):
            raise self._not("a list")
        return (Value(value, self, f"[{index}]") for index, value in enumerate(self.value))

    def text(self) -> str:
        """The value as text."""
        if not isinstance(self.value, str):
            raise self._not("text")
        return self.value

    def whole(self) -> int:
        """The value as a whole number."""
        if type(self.value) is not int:
            raise self._not("a whole number")
        return self.value

    def identifier(self) -> int:
        """The value as a whole number of at most 18 digits, which fits an array."""
        if abs(self.whole()) >= 10**18:
            raise self._not("a whole number of at most 18 digits")
        return self.value

    def positive(self) -> int:
        """The value as a whole number from 1 on."""
        if self.whole() < 1:
            raise self._not("a whole number from 1 on")
        return self.value

    def number(self) -> float:
        """The value as a finite number."""
        if not _is_number(self.value):
            raise self._not("a finite number")
        return float(self.value)

    def number_or_none(self) -> float | None:
        """The value as a number; None for null and for what is not a number (Python's JSON has NaN)."""
        undefined = self.value is None or (isinstance(self.value, float) and math.isnan(self.value))
        return None if undefined else self.number()

    def box_xywh(self) -> Box:
        """The value as a box."""
        box = self.value
        if not isinstance(box, list) or len(box) != 4 or not all(map(_is_number, box)):
            raise self._not("four finite numbers x, y, width, height")
        x, y, width, height = map(float, box)
        return x, y, width, height

    def _section(self) -> dict[str, Any]:
        if not isinstance(self.value, dict):
            raise self._not("a section")
        return self.value

    def _not(self, expected: str) -> ValueError:
        got = repr(self.value)
        got = got if len(got) <= 60 else f"{got[:57]}..."
        return ValueError(f"{self.address}: expected {expected}, got {got}")


def _is_number(value: Any) -> bool:
    """Whether a value is a number that is finite as a float."""
    if type(value) is int:
        return -(2**1000) < value < 2**1000
    return type(value) is float and math.isfinite(value)


@dataclass(frozen=True)
class Row:
    """A line of a table together with its address."""

    fields: dict[str, str]
    address: str

    def has(self, column: str) -> bool:
        """Whether the table has the column."""
        return column in self.fields

    def text(self, column: str) -> str:
        """The field as it stands."""
        if self.fields.get(column) is None:
            known = ", ".join(key for key, value in self.fields.items() if key and value is not None)
            raise ValueError(f"{self.address}: expected a field {column}, got {known or 'none'}")
        return self.fields[column]

    def whole(self, column: str) -> int:
        """The field as a whole number."""
        text = self.text(column)
        try:
            return int(text)
        except ValueError:
            raise self._not(column, "a whole number") from None

    def number_or_none(self, column: str) -> float | None:
        """The field as a number; None where it is empty or not finite."""
        text = self.text(column)
        if text == "":
            return None
        try:
            number = float(text)
        except ValueError:
            raise self._not(column, "a number or nothing") from None
        return number if math.isfinite(number) else None

    def number(self, column: str) -> float:
        """The field as a finite number."""
        number = self.number_or_none(column)
        if number is None:
            raise self._not(column, "a finite number")
        return number

    def _not(self, column: str, expected: str) -> ValueError:
        return ValueError(f"{self.address}: {column}: expected {expected}, got {self.text(column)!r}")


def read_tree(path: Path) -> Value:
    """The whole of a JSON file."""
    return Value(read_json(path), None, str(path))


def read_table(path: Path, *columns: str, optional: Collection[str] = ()) -> Iterator[Row]:
    """The rows of a CSV file under its header, counted from 1.

    Args:
        path: the file.
        columns: its header.
        optional: those of the columns that it may lack.

    Raises:
        ValueError: rows under another header than `columns`.
    """
    rows = read_csv(path)
    got = tuple(rows[0]) if rows else ()
    if rows and got != tuple(name for name in columns if name in got or name not in optional):
        raise ValueError(f"{path}: expected the columns {', '.join(columns)}, got {', '.join(map(str, got))}")
    return (Row(fields, f"{path}: row {number}") for number, fields in enumerate(rows, start=1))
