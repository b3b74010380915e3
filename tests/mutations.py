"""Damage to files, drawn from a generator: the same generator makes the same damage."""

import io
import json
import pickle
import re
import sqlite3
import zipfile
import zlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import numpy as np

KINDS = ("truncate", "flip", "swap", "duplicate", "empty", "type")

_BLOCKS = (16, 64, 512, 4096)


def truncate(data: bytes, rng: np.random.Generator) -> bytes:
    """A beginning of `data`, by one byte too short at least."""
    return data[: int(rng.integers(1, len(data)))]


def flip(data: bytes, rng: np.random.Generator) -> bytes:
    """One bit turned round; every other time among the first 4 KiB, where headers are."""
    place = int(rng.integers(len(data) if rng.random() < 0.5 else min(len(data), 4096)))
    return data[:place] + bytes([data[place] ^ 1 << int(rng.integers(8))]) + data[place + 1 :]


def swap(data: bytes, rng: np.random.Generator) -> bytes:
    """Two blocks of one size in each other's place."""
    size = _block(data, rng)
    first, second = sorted(int(each) * size for each in rng.choice(len(data) // size, 2, replace=False))
    between = data[first + size : second]
    return (
        data[:first]
        + data[second : second + size]
        + between
        + data[first : first + size]
        + data[second + size :]
    )


def duplicate(data: bytes, rng: np.random.Generator) -> bytes:
    """A block twice, one after the other."""
    size = _block(data, rng)
    start = int(rng.integers(len(data) // size)) * size
    return data[: start + size] + data[start : start + size] + data[start + size :]


def empty(data: bytes, rng: np.random.Generator) -> bytes:
    """Nothing."""
    return b""


def _block(data: bytes, rng: np.random.Generator) -> int:
    return int(rng.choice([size for size in _BLOCKS if 4 * size <= len(data)] or [1]))


def replaced(data: bytes, rng: np.random.Generator) -> bytes:
    """Another kind of file in place of `data`."""
    others = [other() for other in _OTHERS]
    return others[int(rng.integers(len(others)))]


def _zip_file() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("../../outside", b"x")
    return file.getvalue()


def _pickled() -> bytes:
    """An array of objects, which is a pickle that would write a file if it were read."""
    file = io.BytesIO()
    np.save(file, np.array([_Touch()], object), allow_pickle=True)
    return file.getvalue()


class _Touch:
    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (Path("executed"),)


def _array() -> bytes:
    file = io.BytesIO()
    np.save(file, np.arange(12.0).reshape(3, 4))
    return file.getvalue()


def _vast_array() -> bytes:
    return _array().replace(b"(3, 4), }" + 11 * b" ", b"(300000000000, 4), }")


def _database() -> bytes:
    with closing(sqlite3.connect(":memory:")) as database:
        database.executescript("CREATE TABLE SHARD_NAME(NAME TEXT); CREATE TABLE INDEXES(ROW_ID INT);")
        return database.serialize()


_OTHERS: tuple[Callable[[], bytes], ...] = (
    lambda: b"<!DOCTYPE html><html><body>404 Not Found</body></html>\n",
    lambda: b"%PDF-1.7\n\x00\xff\n",
    lambda: b'{"a": [1, 2, {"b": null}]}\n',
    lambda: b"[1, 2, 3]\n",
    lambda: b"a,b\n1,2\n",
    lambda: b"key: [value\n",
    lambda: bytes(4096),
    lambda: np.random.default_rng(0).bytes(4096),
    lambda: zlib.compress(b"x" * 4096),
    lambda: b"\xff\xfe" + "text in UTF-16".encode("utf-16-le"),
    lambda: (30).to_bytes(8, "little") + b'{"__metadata__":{"a":"b"}}    ',
    lambda: b"[" * 100_000,
    lambda: cv2.imencode(".png", np.zeros((7, 5, 3), np.uint8))[1].tobytes(),
    lambda: pickle.dumps(_Touch()),
    _zip_file,
    _pickled,
    _array,
    _vast_array,
    _database,
)

STRANGE: tuple[Any, ...] = (
    *(None, True, False, -1, 0, 2, 2**31, 2**63, 10**400, 1.5, 1e308, -1e-300, float("nan"), float("inf")),
    *("", "text", "a\nb", "\x1b[31mred", "\ud800", "../../outside", "/etc/passwd", "x" * 100_000),
    *([], {}, [[]], [None] * 4, {"a": 1}),
)


def retyped_json(data: bytes, rng: np.random.Generator) -> bytes:
    """JSON in which one value is of another type, or gone, or there under another key."""
    tree = json.loads(data)
    places = list(_places(tree))
    parent, key = places[int(rng.integers(len(places)))]
    change = rng.random()
    if change < 0.1:
        del parent[key]
    elif change < 0.15 and isinstance(parent, dict):
        parent[f"{key}x"] = parent.pop(key)
    elif change < 0.2:
        parent[key] = [parent[key]]
    else:
        parent[key] = STRANGE[int(rng.integers(len(STRANGE)))]
    return json.dumps(tree).encode()


def _places(tree: Any) -> Any:
    for key in tree if isinstance(tree, dict) else range(len(tree)):
        yield tree, key
        if isinstance(tree[key], dict | list):
            yield from _places(tree[key])


_STRANGE_YAML = (
    *(
        "",
        "[]",
        "{}",
        "[1, 2]",
        "{a: 1}",
        "text",
        "true",
        "-1",
        "1.5",
        "1e999",
        ".nan",
        "0x10",
        "9" * 5000,
        "~",
    ),
    *("&a [*a]", "*nowhere", "!!binary aGk=", "!!python/object/apply:os.mkdir [executed]", "!!int abc"),
    *('"\\ud800"', '"a\\nb"', "[" * 3000, "'", '"\\x1b[31m"', "? a\n  : b", "|\n    a\n    b", "2001-01-01"),
    "[&a [1, 1, 1, 1, 1, 1, 1, 1, 1], &b [*a, *a, *a, *a, *a, *a, *a, *a, *a], &c [*b, *b, *b, *b, *b, *b, *b, *b],"
    " &d [*c, *c, *c, *c, *c, *c, *c, *c], &e [*d, *d, *d, *d, *d, *d, *d, *d], [*e, *e, *e, *e, *e, *e, *e, *e]]",
)


def retyped_yaml(data: bytes, rng: np.random.Generator) -> bytes:
    """YAML in which the value of one line is of another type."""
    lines = data.decode().splitlines()
    keyed = [number for number, line in enumerate(lines) if re.match(r" *[a-z_0-9]+:", line)]
    number = keyed[int(rng.integers(len(keyed)))]
    key = lines[number].partition(":")[0]
    lines[number] = f"{key}: {_STRANGE_YAML[int(rng.integers(len(_STRANGE_YAML)))]}"
    return ("\n".join(lines) + "\n").encode("utf-8")


_STRANGE_TEXTS = ("", "text", "-1", "1e999", "nan", "0x10", "&x;", "<a/>", "]]>", "\ud7ff", "9" * 5000, "1.5")


def retyped_xml(data: bytes, rng: np.random.Generator) -> bytes:
    """XML in which one text is another, one element gone, or a document type added."""
    text = data.decode()
    if rng.random() < 0.15:
        entity = '<!DOCTYPE annotation [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
        return (entity + text).encode()
    found = list(re.finditer(r"<(\w+)>([^<]*)</\1>", text))
    one = found[int(rng.integers(len(found)))]
    start, end = one.span() if rng.random() < 0.2 else one.span(2)
    strange = "" if start == one.start() else _STRANGE_TEXTS[int(rng.integers(len(_STRANGE_TEXTS)))]
    return (text[:start] + strange + text[end:]).encode()


_STATEMENTS = (
    "DELETE FROM INDEXES WHERE ROW_ID = (SELECT max(ROW_ID) FROM INDEXES)",
    "DELETE FROM INDEXES",
    "UPDATE INDEXES SET PAGE_OFFSET_BLOB = PAGE_OFFSET_BLOB + 8",
    "UPDATE INDEXES SET PAGE_OFFSET_BLOB_END = 9223372036854775807",
    "UPDATE INDEXES SET PAGE_OFFSET_BLOB_END = -1",
    "UPDATE INDEXES SET PAGE_ID_BLOB = 'text'",
    "UPDATE INDEXES SET PAGE_ID_RAW = x'00'",
    "UPDATE SHARD_NAME SET NAME = '../../outside'",
    "UPDATE SHARD_NAME SET NAME = x'ff'",
    "DROP TABLE SHARD_NAME",
    "ALTER TABLE INDEXES RENAME TO ROWS; CREATE VIEW INDEXES AS WITH RECURSIVE n(i) AS "
    "(SELECT 0 UNION ALL SELECT i + 1 FROM n) SELECT ROWS.*, i FROM n, ROWS",
    "ALTER TABLE INDEXES RENAME TO ROWS; CREATE VIEW INDEXES AS SELECT * FROM ROWS",
)


def retyped_database(data: bytes, rng: np.random.Generator) -> bytes:
    """An index of MindRecord whose tables say something else."""
    with closing(sqlite3.connect(":memory:")) as database:
        database.deserialize(data)
        database.executescript(_STATEMENTS[int(rng.integers(len(_STATEMENTS)))])
        database.commit()
        return database.serialize()


def retyped_safetensors(data: bytes, rng: np.random.Generator) -> bytes:
    """Weights whose header says something else of one tensor, or of the whole; the offsets fit."""
    length = int.from_bytes(data[:8], "little")
    header = retyped_json(data[8 : 8 + length], rng)
    if rng.random() < 0.5:
        tree = json.loads(data[8 : 8 + length])
        names = [name for name in tree if name != "__metadata__"]
        entry = tree[names[int(rng.integers(len(names)))]]
        entry["dtype"] = str(rng.choice(["I32", "U32", "F64", "BF16", "F8_E4M3", "BOOL", "X"]))
        header = json.dumps(tree).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + data[8 + length :]


def retyped_mindrecord(data: bytes, rng: np.random.Generator) -> bytes:
    """A MindRecord file whose header says something else; its pages stay where they are."""
    length = int.from_bytes(data[:8], "little")
    room = json.loads(data[8 : 8 + length])["header_size"]
    while True:
        header = retyped_json(data[8 : 8 + length], rng)
        if 8 + len(header) <= room:
            return (len(header).to_bytes(8, "little") + header).ljust(room, b"\0") + data[room:]


PLAIN = {"truncate": truncate, "flip": flip, "swap": swap, "duplicate": duplicate, "empty": empty}

RETYPED = {
    ".json": retyped_json,
    ".yaml": retyped_yaml,
    ".xml": retyped_xml,
    ".db": retyped_database,
    ".safetensors": retyped_safetensors,
    ".mindrecord": retyped_mindrecord,
    ".mindrecord0": retyped_mindrecord,
}


def mutated(kind: str, name: str, data: bytes, seed: int) -> bytes:
    """`data`, the content of a file `name`, damaged in one of `KINDS`, and never the same as it was."""
    rng = np.random.default_rng([seed, *kind.encode(), *name.encode()])
    while True:
        damage = PLAIN.get(kind) or (
            RETYPED.get(Path(name).suffix, replaced) if rng.random() < 0.7 else replaced
        )
        changed = damage(data, rng)
        if changed != data:
            return changed
