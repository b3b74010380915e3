"""Zip archives from elsewhere: refused when damaged, or when unpacking them would do harm."""

import errno
import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

from tqdm import tqdm

from ssd.telling import gauge

# What zipfile raises for damaged bytes; and OSError "invalid argument", when they send it to a place below 0.
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, struct.error, UnicodeDecodeError, NotImplementedError)


@contextmanager
def reading_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """The open zip at `path`; damage that shows while it is read leaves the block as one sentence.

    Raises:
        ValueError: not a zip, a damaged one, or a member that is encrypted or neither stored nor deflated.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                if member.flag_bits & 0x1:
                    raise ValueError(
                        f"{path}: {member.filename}: expected a member without password, got an encrypted one"
                    )
                if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise ValueError(
                        f"{path}: {member.filename}: expected a stored or deflated member, "
                        f"got compression method {member.compress_type}"
                    )
            yield archive
    except (*_DAMAGE, OSError) as error:
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise
        damage = str(error) or type(error).__name__
        raise ValueError(f"{path}: expected a whole zip file, got damage ({damage})") from None


def file_names(path: Path) -> list[str]:
    """The files of a zip, folders left out, `./` and `//` tidied.

    Raises:
        ValueError: as `reading_zip`.
    """
    with reading_zip(path) as archive:
        return [str(PurePosixPath(member.filename)) for member in archive.infolist() if not member.is_dir()]


def check_zip(path: Path, max_bytes: int = 64 << 30, max_members: int = 100_000) -> None:
    """Read all of a zip and compare every member with its CRC, as `unpack` does, without writing anything.

    Raises:
        ValueError: as `unpack`.
    """
    with (
        _harmless_zip(path, max_bytes, max_members) as (archive, targets),
        _bar("check", path, targets) as bar,
        open(os.devnull, "wb") as nowhere,
    ):
        for member in targets.values():
            with archive.open(member) as source:
                pour(source, nowhere, bar)


def unpack(path: Path, folder: Path, max_bytes: int = 64 << 30, max_members: int = 100_000) -> None:
    """Unpack the zip at `path` into `folder`, every member compared with its CRC.

    Names are looked at before anything is written. Times, permissions and empty folders are not taken over.

    Args:
        path: the zip.
        folder: an existing folder; after an error it may hold a part of the files.
        max_bytes: most bytes that it may unpack to; above 1 GiB also at most a hundredfold of the zip.
        max_members: most members.

    Raises:
        ValueError: a damaged zip, a name that leads out of `folder`, a link, a name given twice, or too much.
    """
    with (
        _harmless_zip(path, max_bytes, max_members) as (archive, targets),
        _bar("unpack", path, targets) as bar,
    ):
        for target, member in targets.items():
            (folder / target).parent.mkdir(parents=True, exist_ok=True)
            with archive.open(member) as source, (folder / target).open("xb") as file:
                pour(source, file, bar)


def pour(source: IO[bytes], target: IO[bytes], bar: "tqdm[Any]") -> None:
    """Copy all of `source` to `target`, telling `bar` the bytes."""
    while block := source.read(1 << 20):
        target.write(block)
        bar.update(len(block))


def _bar(verb: str, path: Path, targets: dict[str, zipfile.ZipInfo]) -> "tqdm[Any]":
    total = sum(member.file_size for member in targets.values())
    return gauge(f"{verb} {path.name}", total, "B")


@contextmanager
def _harmless_zip(
    path: Path, max_bytes: int, max_members: int
) -> Iterator[tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]]:
    """The open zip and its files by the path to unpack each to, once its directory is found harmless.

    The directory's word on sizes is enough: `zipfile` reads no more of a member than is declared there.
    """
    with reading_zip(path) as archive:
        members = archive.infolist()
        for member in members:
            _require_harmless_member(member, path)
        require_bounded(members, path, max_bytes, max_members)
        yield archive, _targets(members, path)


def _require_harmless_member(member: zipfile.ZipInfo, path: Path) -> None:
    name = member.orig_filename  # as in the archive: `filename` is cut at a NUL
    kind = stat.S_IFMT(member.external_attr >> 16)
    problem = name_problem(name)
    if problem is None and kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        problem = "a link or a device"
    if problem is not None:
        raise ValueError(
            f"{path}: {name!r}: expected plain files and folders inside the archive, got {problem}; "
            f"nothing was unpacked"
        )


def name_problem(name: str) -> str | None:
    """What keeps `name` from being that of a file inside a folder; None if nothing does."""
    if "\\" in name:
        return "a backslash"
    if name.startswith("/") or re.match(r"[A-Za-z]:", name):
        return "an absolute path"
    if ".." in name.split("/"):
        return "a step out of the folder"
    if not PurePosixPath(name).parts or re.search(r"[\x00-\x1f\x7f]", name):
        return "no usable name"
    return None


def require_bounded(
    members: list[zipfile.ZipInfo], path: Path, max_bytes: int, max_members: int = 100_000
) -> None:
    """Make sure that members of the zip at `path` unpack to no more than is allowed; parameters as of `unpack`.

    Raises:
        ValueError: too many bytes or members.
    """
    size = path.stat().st_size
    limit = min(max_bytes, max(1 << 30, 100 * size))
    total = sum(member.file_size for member in members)
    if total > limit:
        raise ValueError(
            f"{path}: expected at most {limit:,} bytes unpacked from {size:,}, got {total:,}; "
            f"nothing was unpacked"
        )
    if len(members) > max_members:
        raise ValueError(
            f"{path}: expected at most {max_members:,} members, got {len(members):,}; nothing was unpacked"
        )


def _targets(members: list[zipfile.ZipInfo], path: Path) -> dict[str, zipfile.ZipInfo]:
    """The files by their tidied names; no name twice, and none that is both a file and a folder."""
    targets: dict[str, zipfile.ZipInfo] = {}
    files = [(str(PurePosixPath(member.filename)), member) for member in members if not member.is_dir()]
    folders = {str(parent) for target, _ in files for parent in PurePosixPath(target).parents}
    for target, member in files:
        if target in targets or target in folders:
            raise ValueError(f"{path}: {target}: expected each name once, got it twice; nothing was unpacked")
        targets[target] = member
    return targets
