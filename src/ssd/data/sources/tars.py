"""Tar archives from elsewhere, read in place: where each file lies, refused when damaged or not harmless."""

import tarfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ssd.data.sources.unpack import name_problem

_COMPRESSED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}


@dataclass(frozen=True, slots=True)
class Stored:
    """Some bytes of a file: all of it, or a member of a tar. `address` names them in sentences."""

    address: str
    path: Path
    offset: int
    size: int

    def read(self) -> bytes:
        """The bytes.

        Raises:
            ValueError: fewer than there were.
        """
        with self.path.open("rb") as file:
            file.seek(self.offset)
            data = file.read(self.size)
        if len(data) != self.size:
            raise ValueError(f"{self.address}: expected {self.size} bytes, got {len(data)}")
        return data


def tar_files(path: Path) -> dict[str, Stored]:
    """The files of an uncompressed tar by their tidied names, folders left out.

    Raises:
        ValueError: not a tar, a compressed or a damaged one; a name that leads out of it or is given twice, a link, a
            device or a sparse file.
    """
    with path.open("rb") as file:
        start = file.read(6)
    for magic, name in _COMPRESSED.items():
        if start.startswith(magic):
            raise ValueError(
                f"{path}: expected a tar that is not compressed, because its files are read in place, got {name}; "
                f"unpack it and name the folder"
            )
    files: dict[str, Stored] = {}
    length = path.stat().st_size
    try:
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                if not 0 <= member.size <= length:  # below 0, tarfile would go round in circles
                    raise _Refused(
                        f"{path}: expected a whole tar file, got {member.name!r} with a size of {member.size} bytes"
                    )
                problem = _problem(member)
                if problem:
                    raise _Refused(
                        f"{path}: {member.name!r}: expected plain files and folders inside the archive, got {problem}"
                    )
                if member.isdir():
                    continue
                tidy = str(PurePosixPath(member.name))
                if tidy in files:
                    raise _Refused(f"{path}: {tidy}: expected each name once, got it twice")
                files[tidy] = Stored(f"{path}/{tidy}", path, member.offset_data, member.size)
            end = archive.offset
    except _Refused:
        raise
    except (tarfile.TarError, EOFError, OverflowError, ValueError, MemoryError) as error:
        # the latter two: headers whose size is below 0, or vast
        damage = str(error) or type(error).__name__
        raise ValueError(f"{path}: expected a whole tar file, got damage ({damage})") from None
    _require_end(path, end)
    return files


class _Refused(ValueError):
    """What is found here, to be told from what tarfile raises."""


def _problem(member: tarfile.TarInfo) -> str | None:
    if not member.isdir() and member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
        return "a link, a device or a sparse file"
    if member.sparse is not None:
        return "a sparse file"
    return None if member.isdir() and member.name in ("", ".") else name_problem(member.name)


def _require_end(path: Path, end: int) -> None:
    """A block of zeros after the last member: tarfile takes a damaged header for the end."""
    with path.open("rb") as file:
        file.seek(end)
        block = file.read(tarfile.BLOCKSIZE)
    if block != bytes(tarfile.BLOCKSIZE):
        got = "the end of the file" if not block else "something else"
        raise ValueError(
            f"{path}: expected a whole tar file, got {got} in place of its end mark at byte {end}"
        )
