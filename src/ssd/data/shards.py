"""MindRecord files read in plain Python, without MindSpore: every length is checked before it is used.

MindSpore's reader in C++ trusts what it reads: a damaged file ends it with a segmentation fault or in an
endless loop. `check_shard` goes through all that leads the reader, so that a file which passes can be given
to it. (It cannot see a changed pixel: that is what the hashes of our manifest are for.) What is wrong is an
error, or is told to a `Refuse` of the caller's own, who then gets the rows that are left.

The format, as MindSpore 2.10 writes it: the data file begins with the length of a JSON header (8 bytes,
little endian) and that header, padded to `header_size`; pages of `page_size` follow, of which some hold the
rows (BLOB_DATA), some what we do not use (RAW_DATA). `<file>.db` is an SQLite file that says on which page,
from where to where, each row lies. A row is its length (8 bytes, little endian), and its fields in the order
of `blob_fields`, each after its length (8 bytes, big endian). Whole numbers are packed: their count (4 bytes,
big endian), two bits for each that tell its bytes (1, 2, 4, 8), then the numbers, little endian.
"""

import json
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np

_HEADER = {
    "header_size": int,
    "page_size": int,
    "compression_size": int,
    "shard_id": int,
    "page": list,
    "schema": list,
    "shard_addresses": list,
    "version": str,
    "index_fields": type(None),
    "statistics": type(None),
}
_PAGE = {
    "page_id": int,
    "page_size": int,
    "page_type": str,
    "page_type_id": int,
    "shard_id": int,
    "start_row_id": int,
    "end_row_id": int,
    "row_group_ids": list,
}
_MOST_HEADER = 128 << 20
_MOST_SECONDS = 30.0
"""How long SQLite may work on an index; a sound one of a million rows takes less than two seconds."""

_COLUMNS = (
    "PAGE_ID_RAW, PAGE_OFFSET_RAW, PAGE_OFFSET_RAW_END, PAGE_ID_BLOB, PAGE_OFFSET_BLOB, PAGE_OFFSET_BLOB_END"
)

Refuse = Callable[[str], None]
"""What is done with the sentence about something that is wrong, in a place behind which one can read on."""


def raise_error(sentence: str) -> None:
    """Raise it as a ValueError: the first fault is the last."""
    raise ValueError(sentence)


@dataclass(frozen=True)
class Shard:
    """One MindRecord file whose header and index hang together.

    Attributes:
        path: the data file.
        siblings: the names of all files that were written together with it, itself among them.
        fields: names and schema entries ({"type", "shape"}) of a row's fields, in the order they are stored.
        spans: [N, 2] int64, first byte and end of each row in the data file; -1 if its place was refused.
        raw_spans: [N, 2] int64, the same of the part that we do not use.
    """

    path: Path
    siblings: tuple[str, ...]
    fields: dict[str, dict[str, Any]]
    spans: np.ndarray
    raw_spans: np.ndarray

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.spans)


def check_shard(path: Path) -> Shard:
    """The shard, after the lengths of all its rows, fields and packed numbers were found to fit together.

    Raises:
        ValueError: as `open_shard`, or a row whose lengths do not add up.
    """
    shard = open_shard(path)
    numbers = {name for name, entry in shard.fields.items() if entry["type"] != "bytes"}
    for row in range(len(shard)):
        read_row(shard, row, numbers)
        check_unused(shard, row)
    return shard


def check_unused(shard: Shard, row: int) -> None:
    """Check the length of the part of a row that we do not use; MindSpore reads it.

    Raises:
        ValueError: it does not fit.
    """
    start, end = map(int, shard.raw_spans[row])
    with shard.path.open("rb") as file:
        if _read_length(file, start, "little") != end - start - 8:
            raise ValueError(f"{shard.path}: row {row}: its unused part has a damaged length")


def read_row(shard: Shard, row: int, names: Collection[str] | None = None) -> dict[str, Any]:
    """The fields of a row, as MindSpore's FileReader gives them: bytes, or arrays by the schema's type and shape.

    Args:
        shard: the file.
        row: from 0.
        names: the fields to read, in place of all.

    Raises:
        ValueError: damaged lengths, or a value that does not fit the schema.
    """
    fields: dict[str, Any] = {}
    with shard.path.open("rb") as file:
        for name, start, size in _walk_fields(shard, file, row):
            if names is not None and name not in names:
                continue
            file.seek(start)
            fields[name] = _to_value(file.read(size), shard.fields[name], f"{shard.path}: row {row}: {name}")
    return fields


def open_shard(path: Path, refuse: Refuse = raise_error) -> Shard:
    """The shard, after header, index and the size of the data file were found to fit together.

    Args:
        path: the data file.
        refuse: is told what is wrong with single rows, in place of an error at the first one.

    Raises:
        ValueError: one sentence with the file, what was expected and what was found.
    """
    index_path = path.with_name(path.name + ".db")
    for needed, other in ((path, index_path), (index_path, path)):
        if not needed.is_file():
            beside = f"missing beside {other.name}" if other.is_file() else "no such file"
            raise ValueError(f"{needed}: {beside}")
    header = _read_header(path)
    pages = _read_pages(header, path, refuse)
    rows = _read_index(index_path, path.name, refuse)
    raw, blob = ([page if page[0] == kind else None for page in pages] for kind in ("RAW_DATA", "BLOB_DATA"))
    geometry = header["header_size"], header["page_size"], path.stat().st_size
    return Shard(
        path=path,
        siblings=_read_siblings(header, path),
        fields=_read_fields(header, path),
        spans=_to_spans([row and row[3:] for row in rows], blob, *geometry, index_path, refuse),
        raw_spans=_to_spans([row and row[:3] for row in rows], raw, *geometry, index_path, refuse),
    )


def _read_header(path: Path) -> dict[str, Any]:
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or not 0 < length <= min(size - 8, _MOST_HEADER):
            raise ValueError(
                f"{path}: expected a MindRecord file, got {size} bytes that say their header has {length}"
            )
        text = file.read(length)
    try:
        header = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError(f"{path}: expected a MindRecord file, got a header that is not JSON") from None
    _require(header, _HEADER, f"{path}: header")
    if header["header_size"] < length + 8:
        raise ValueError(
            f"{path}: expected a header of at most {header['header_size']} bytes, got {length + 8}"
        )
    return header


def _read_pages(header: dict[str, Any], path: Path, refuse: Refuse) -> list[tuple[str, int]]:
    """Kind and number of bytes of each page; the file is long enough for them."""
    pages: list[tuple[str, int]] = []
    for number, page in enumerate(header["page"]):
        address = f"{path}: header: page {number}"
        _require(page, _PAGE, address)
        for group in page["row_group_ids"]:
            _require(group, {"id": int, "offset": int}, address)
        if page["page_id"] != number or page["page_type"] not in ("RAW_DATA", "BLOB_DATA"):
            raise ValueError(f"{address}: expected its number and kind, got {page!r:.200}")
        if page["page_size"] > header["page_size"]:
            raise ValueError(
                f"{address}: expected at most {header['page_size']} bytes, got {page['page_size']}"
            )
        pages.append((page["page_type"], page["page_size"]))
    if pages:
        expected = header["header_size"] + (len(pages) - 1) * header["page_size"] + pages[-1][1]
        if path.stat().st_size < expected:
            refuse(f"{path}: expected {expected} bytes, got {path.stat().st_size}: cut off")
    return pages


def _require(entry: Any, keys: dict[str, type], address: str) -> None:
    """An object with values of these types; whole numbers are not negative. MindSpore aborts without them."""
    for key, kind in keys.items():
        value = entry.get(key, ...) if isinstance(entry, dict) else ...
        if not (_is_count(value) if kind is int else isinstance(value, kind)):
            got = "none" if value is ... else repr(value)
            raise ValueError(f"{address}: expected {key}, as MindSpore writes it, got {got:.200}")


def _read_siblings(header: dict[str, Any], path: Path) -> tuple[str, ...]:
    names = header["shard_addresses"]
    if not all(isinstance(name, str) for name in names) or path.name not in names:
        raise ValueError(
            f"{path}: expected a file that still has the name it was written under, "
            f"got one written as {names!r:.200}"
        )
    return tuple(names)


def _read_fields(header: dict[str, Any], path: Path) -> dict[str, dict[str, Any]]:
    try:
        (entry,) = header["schema"]
        fields = {name: entry["schema"][name] for name in entry["blob_fields"]}
        sound = all(isinstance(each["type"], str) for each in fields.values())
        sound = sound and all(isinstance(each.get("shape", []), list) for each in fields.values())
    except (KeyError, TypeError, ValueError, AttributeError):
        sound = False
    if not sound or len(fields) < 2 or len(fields) != len(entry["schema"]):
        raise ValueError(
            f"{path}: expected a schema of arrays and bytes, got {str(header.get('schema'))[:200]}"
        )
    return fields


def _read_index(path: Path, name: str, refuse: Refuse) -> list[tuple[int, ...] | None]:
    """Six numbers for each row: page, start, end of the unused part; the same of the row; None if refused."""
    until = time.monotonic() + _MOST_SECONDS
    try:
        with closing(
            sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
        ) as database:
            database.set_progress_handler(lambda: time.monotonic() > until, 100_000)
            verdict = database.execute("PRAGMA integrity_check").fetchall()
            # A view of the same name, or a virtual table, could go on for ever.
            tables = database.execute(
                "SELECT name FROM sqlite_master WHERE sql LIKE 'CREATE TABLE%'"
            ).fetchall()
            for table in ("SHARD_NAME", "INDEXES"):
                if (table,) not in tables:
                    raise ValueError(
                        f"{path}: expected the index of a MindRecord file, got: no such table: {table}"
                    )
            names = database.execute("SELECT NAME FROM SHARD_NAME").fetchall()
            rows = database.execute(f"SELECT ROW_ID, {_COLUMNS} FROM INDEXES ORDER BY ROW_ID").fetchall()
    except sqlite3.Error as error:
        raise ValueError(f"{path}: expected the index of a MindRecord file, got: {error}") from None
    for (message,) in verdict:
        if message != "ok":
            refuse(f"{path}: expected a sound SQLite file, got: {' '.join(str(message).split()):.200}")
    if names != [(name,)]:
        raise ValueError(f"{path}: expected the index of {name}, got that of {names!r:.200}")
    return _in_order(rows, path, refuse)


def _in_order(rows: list[tuple[Any, ...]], path: Path, refuse: Refuse) -> list[tuple[int, ...] | None]:
    """The numbers of rows 0, 1, 2, …; None for a row whose numbers are not what they should be."""
    places: list[tuple[int, ...] | None] = []
    for row in rows:
        if row[0] != len(places):
            refuse(f"{path}: expected row {len(places)}, got row {row[0]!r:.50}")
            if not _is_count(row[0]) or not len(places) < row[0] <= 2 * len(rows):
                continue
            places += [None] * (row[0] - len(places))
        if all(map(_is_count, row)):
            places.append(row[1:])
        else:
            refuse(f"{path}: row {row[0]}: expected pages and offsets, got {row!r:.200}")
            places.append(None)
    return places


def _to_spans(
    places: list[tuple[int, ...] | None],
    pages: list[tuple[str, int] | None],
    header_size: int,
    page_size: int,
    file_size: int,
    path: Path,
    refuse: Refuse,
) -> np.ndarray:
    """First byte and end in the data file, [N, 2], of rows that fill their pages one after the other.

    A row that was refused has -1, and the row after it may begin anywhere.

    Args:
        places: page, start and end on it, of each row.
        pages: kind and size of each page; None for a page of the other kind.
        header_size: bytes before the first page.
        page_size: bytes from the start of a page to that of the next.
        file_size: bytes of the data file.
        path: the index, for the sentences of errors.
        refuse: is told of every row without a place.
    """
    spans = np.full((len(places), 2), -1, np.int64)
    filled: dict[int, int] = {}
    after_gap, whole = False, True
    for row, place in enumerate(places):
        if place is None:
            after_gap, whole = True, False
            continue
        page, start, end = place
        known = pages[page] if page < len(pages) else None
        follows = start == filled.get(page, 0) or (after_gap and start > filled.get(page, 0))
        if known is None or not follows or not start + 8 <= end <= known[1]:
            refuse(
                f"{path}: row {row}: expected a place after the row before it, "
                f"got bytes {start} to {end} of page {page}"
            )
            after_gap, whole = True, False
            continue
        filled[page], after_gap = end, False
        first = header_size + page * page_size
        if first + end > file_size:
            refuse(f"{path}: row {row}: expected its end within {file_size} bytes, got it at {first + end}")
            continue
        spans[row] = first + start, first + end
    for page, known in enumerate(pages):
        if whole and known is not None and filled.get(page, 0) != known[1]:
            refuse(
                f"{path}: expected rows that fill the {known[1]} bytes of page {page}, "
                f"got {filled.get(page, 0)}: rows are missing"
            )
    return spans


def _walk_fields(shard: Shard, file: IO[bytes], row: int) -> Iterator[tuple[str, int, int]]:
    """Name, first byte and size of each field of a row, whose lengths fit exactly."""
    start, end = map(int, shard.spans[row])
    address = f"{shard.path}: row {row}"
    length = _read_length(file, start, "little")
    if length != end - start - 8:
        raise ValueError(f"{address}: expected {end - start - 8} bytes, got a length of {length}")
    place = start + 8
    for name in shard.fields:
        size = _read_length(file, place, "big") if place + 8 <= end else -1
        if not 0 <= size <= end - place - 8:
            raise ValueError(f"{address}: {name}: expected at most {end - place - 8} bytes, got {size}")
        yield name, place + 8, size
        place += 8 + size
    if place != end:
        raise ValueError(f"{address}: expected {len(shard.fields)} fields, got {end - place} bytes more")


def _read_length(file: IO[bytes], place: int, order: Literal["little", "big"]) -> int:
    file.seek(place)
    return int.from_bytes(file.read(8), order)


def _to_value(data: bytes, entry: dict[str, Any], address: str) -> Any:
    """A field as bytes or as an array, by its entry in the schema."""
    kind = entry["type"]
    if kind == "bytes":
        return data
    if kind in ("int32", "int64"):
        numbers = _unpack_ints(data, address).astype(kind)
    elif kind in ("float32", "float64") and len(data) % np.dtype(kind).itemsize == 0:
        numbers = np.frombuffer(data, f"<{kind[0]}{np.dtype(kind).itemsize}")
    else:
        raise ValueError(f"{address}: expected bytes or numbers, got {len(data)} bytes of type {kind}")
    shape = entry.get("shape", [-1])
    try:
        return numbers.reshape(shape)
    except (ValueError, TypeError, OverflowError):
        raise ValueError(
            f"{address}: expected the shape {shape!r:.100}, got {numbers.size} numbers"
        ) from None


def _unpack_ints(data: bytes, address: str) -> np.ndarray:
    """Whole numbers from their packed form, [N] int64."""
    count = int.from_bytes(data[:4], "big")
    start = 4 + (count + 3) // 4
    if start > len(data) or len(data) < 4:
        raise ValueError(f"{address}: expected {count} packed numbers, got {len(data)} bytes")
    codes = np.unpackbits(np.frombuffer(data[4:start], np.uint8)).reshape(-1, 2) @ np.array([2, 1], np.uint8)
    sizes = 1 << codes[:count].astype(np.int64)
    ends = start + np.cumsum(sizes)
    if (int(ends[-1]) if count else start) != len(data):
        raise ValueError(f"{address}: expected {count} packed numbers, got {len(data)} bytes")
    return np.array(
        [
            int.from_bytes(data[end - size : end], "little", signed=True)
            for size, end in zip(sizes.tolist(), ends.tolist(), strict=True)
        ],
        np.int64,
    )


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0
