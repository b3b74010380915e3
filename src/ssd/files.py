"""Files written whole or not at all: everything is written aside, then renamed."""

import csv
import hashlib
import io
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path`; its folder is made, and what was there stays until the new file is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(path.name + ".new")
    try:
        with aside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    except OSError as error:
        error.filename = error.filename or str(path)  # a full disk names no file
        raise
    finally:
        aside.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8 with the line ends it has."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, tree: Any, indent: int | None = 2) -> None:
    """Write `tree` as JSON, keys in the order given; `indent` None: all on one line.

    Raises:
        ValueError: a number that is not finite, which JSON does not have.
    """
    write_text(path, json.dumps(tree, indent=indent, ensure_ascii=False, allow_nan=False) + "\n")


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a table with one header line and `\\n` line ends; None becomes an empty field."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(path.name + ".new")
    try:
        with aside.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(header)
            writer.writerows(rows)
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def read_json(path: Path, object_hook: Callable[[dict[str, Any]], Any] | None = None) -> Any:
    """The content of a JSON file.

    Args:
        path: the file.
        object_hook: as of `json.loads`: what to make of each object.

    Raises:
        ValueError: no such file, or not JSON; one sentence with the file and, where known, the line.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file") from None
    return parse_json(data, str(path), object_hook)


def parse_json(data: bytes, address: str, object_hook: Callable[[dict[str, Any]], Any] | None = None) -> Any:
    """What `data` says in JSON.

    Args:
        data: the text in UTF-8.
        address: where it is from, with which errors begin.
        object_hook: as of `json.loads`.

    Raises:
        ValueError: not JSON; one sentence with the address and, where known, the line.
    """
    try:
        return json.loads(data.decode("utf-8"), object_hook=object_hook)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{address}: expected JSON in UTF-8, got a byte that is not ({error.reason})"
        ) from None
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{address}: expected JSON, got {error.msg} in line {error.lineno}, column {error.colno}"
        ) from None
    except RecursionError:
        raise ValueError(f"{address}: expected JSON, got lists or objects nested too deeply") from None
    except ValueError as error:  # a number of thousands of digits
        raise ValueError(f"{address}: expected JSON, got {error}") from None


def read_csv(path: Path) -> list[dict[str, str]]:
    """The rows of a table written by `write_csv`, each a dict by the header's names.

    Raises:
        ValueError: no such file, or not a table in UTF-8.
    """
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file") from None
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path}: expected a table in UTF-8, got a byte that is not ({error.reason})"
        ) from None
    if text and not text.endswith("\n"):
        raise ValueError(f"{path}: expected a table that ends with a line end, got one that is cut off")
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""))
        if reader.fieldnames is None:
            raise ValueError(f"{path}: expected a table with a header, got an empty file")
        return list(reader)
    except csv.Error as error:
        raise ValueError(f"{path}: expected a table, got one that cannot be read ({error})") from None


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """A new, empty folder to fill; it takes the place of `path` when the block ends without an error.

    On an error the new folder is removed and `path` is as it was; so it is when a run that was killed while
    the folders changed places is followed by another.
    """
    aside, old = path.with_name(path.name + ".new"), path.with_name(path.name + ".old")
    _settle(path, aside, old)
    aside.mkdir(parents=True)
    try:
        yield aside
        if os.path.lexists(path):
            os.replace(path, old)
        os.replace(aside, path)
    finally:
        _settle(path, aside, old)


def _settle(path: Path, aside: Path, old: Path) -> None:
    """End a change of places, done or not: `path` is what it was if nothing new came there, the others are gone."""
    if os.path.lexists(old) and not os.path.lexists(path):
        os.replace(old, path)
    _remove(aside)
    _remove(old)


def _remove(path: Path) -> None:
    """Remove a folder with all it holds, a file or a link, if there is one."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
