"""Files written whole or not at all: everything is written aside, then renamed.

What goes wrong stays an OSError, with the file that was to be written; `told` makes the sentence of it.
"""

import csv
import errno
import hashlib
import io
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

_ADVICE: Mapping[int | None, str] = MappingProxyType(
    {
        errno.ENOSPC: "make room on its disk",
        errno.EDQUOT: "make room, or have the quota raised",
        errno.EFBIG: "raise the limit on the size of files (ulimit -f)",
        errno.EROFS: "make its file system writable",
        errno.EACCES: "check the permissions of the file and its folder",
        errno.EPERM: "check the permissions of the file and its folder",
        errno.EIO: "check its disk",
    }
)


def told(error: OSError | ValueError) -> str:
    """One sentence: about a failed system call the file, the cause and, where known, what to do; else its own."""
    if not isinstance(error, OSError) or error.filename is None or error.strerror is None:
        return str(error)
    to_do = _ADVICE.get(error.errno)
    return f"{os.fspath(error.filename)}: {error.strerror}" + (f"; {to_do} and run again" if to_do else "")


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path`; its folder is made, and what was there stays until the new file is complete."""
    write_parts(path, [data])


def write_parts(path: Path, parts: Iterable[bytes | memoryview]) -> None:
    """As `write_bytes`, one part after the other, of which there need not be two at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(path.name + ".new")
    try:
        with aside.open("wb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    except OSError as error:  # which names the file aside, or, on a full disk, none
        raise OSError(error.errno, error.strerror, str(path)) from None
    finally:
        _remove(aside)


def require_room(path: Path, start: int, size: int) -> None:
    """Make sure that a file at `path` could have bytes from `start` on, for a library that does not say why not.

    Args:
        path: of which nothing is read or written.
        start, size: in bytes; what is before `start` takes no room.

    Raises:
        OSError: what writing them meets; it names `path`.
    """
    aside = path.with_name(path.name + ".room")
    try:
        with aside.open("wb") as file:
            file.seek(start)
            file.write(bytes(size))
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
    finally:
        _remove(aside)


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
    table = io.StringIO(newline="")
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_text(path, table.getvalue())


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        ValueError: no such file, or not JSON; one sentence with the file and, where known, the line.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file") from None
    return parse_json(data, str(path))


def parse_json(data: bytes, address: str) -> Any:
    """What `data` says in JSON.

    Args:
        data: the text in UTF-8.
        address: where it is from, with which errors begin.

    Raises:
        ValueError: not JSON; one sentence with the address and, where known, the line.
    """
    with telling_damage(address):
        return json.loads(data.decode("utf-8"))


@contextmanager
def telling_damage(address: str) -> Iterator[None]:
    """Make one sentence, with the address and, where known, the line, of what is wrong with a text in JSON."""
    try:
        yield
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
    try:
        _settle(path, aside, old)
        aside.mkdir(parents=True)
        yield aside
        if os.path.lexists(path):
            os.replace(path, old)
        os.replace(aside, path)
    except OSError as error:
        if error.errno and (error.filename is None or error.filename == str(aside)):
            raise OSError(error.errno, error.strerror, str(path)) from None
        raise
    finally:
        _settle(path, aside, old)


def _settle(path: Path, aside: Path, old: Path) -> None:
    """End a change of places, done or not: `path` is what it was if nothing new came there, the others are gone."""
    if os.path.lexists(old) and not os.path.lexists(path):
        os.replace(old, path)
    _remove(aside)
    _remove(old)


def _remove(path: Path) -> None:
    """Remove a folder with all it holds, a file or a link, if there is one.

    Where there is none nothing is tried: on a read-only disk that would be an error of its own.
    """
    if path.is_dir() and not path.is_symlink():
        try:
            shutil.rmtree(path)
        except OSError as error:  # which names a file as seen from its folder
            raise OSError(error.errno, error.strerror, str(path)) from None
    elif os.path.lexists(path):
        path.unlink()


def folder_told(path: Path) -> str:
    """How many files a folder has, in it and in folders in it, and their size together."""
    sizes = [each.stat().st_size for each in path.rglob("*") if each.is_file()]
    return f"{len(sizes)} files of {sum(sizes) / 1e6:.1f} MB"


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
