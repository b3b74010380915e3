"""What to detect on and where to draw it, settled before any work; nothing here needs MindSpore."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ssd.detect import pictures, videos


@dataclass(frozen=True)
class Job:
    """A file, and the file to draw it in."""

    source: Path
    out: Path


@dataclass(frozen=True)
class Jobs:
    """All that was asked for, in the order in which it was."""

    pictures: tuple[Job, ...]
    videos: tuple[Job, ...]


def gather(given: Sequence[Path], out: Path) -> Jobs:
    """The pictures and videos that are given, and those of folders, each once.

    A file is a video if its name ends as one; anything else should be a picture. Of a folder the pictures are taken
    whose name ends as one, in the order of their names, without those of folders in it.

    Args:
        given: files and folders.
        out: the folder to draw into; it need not be there.

    Raises:
        ValueError: no such file, a folder without pictures, two files that would be drawn in one, or a file that
            would be overwritten.
    """
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out}: expected a folder to write into, got a file")
    of_pictures: list[Job] = []
    of_videos: list[Job] = []
    seen: set[Path] = set()
    for source in (each for path in given for each in _files(path)):
        if source.resolve() not in seen:
            seen.add(source.resolve())
            if source.suffix.lower() in videos.SUFFIXES:
                of_videos.append(Job(source, out / videos.drawn_name(source)))
            else:
                of_pictures.append(Job(source, out / pictures.drawn_name(source)))
    _require_apart([*of_pictures, *of_videos])
    return Jobs(tuple(of_pictures), tuple(of_videos))


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise ValueError(f"{path}: no such file or folder")
    found = sorted(
        each for each in path.iterdir() if each.suffix.lower() in pictures.SUFFIXES and each.is_file()
    )
    if not found:
        raise ValueError(
            f"{path}: expected a folder with pictures ({', '.join(pictures.SUFFIXES)}), got one without"
        )
    return found


def _require_apart(jobs: list[Job]) -> None:
    """Make sure that nothing is written twice, or over a file that is read."""
    read = {place for job in jobs for place in (_place(job.source), job.source.resolve())}
    drawn: dict[Path, Path] = {}
    for job in jobs:
        if job.out in drawn:
            raise ValueError(
                f"{job.source}: expected names that differ, got one that is drawn in {job.out} as "
                f"{drawn[job.out]} is; detect on them apart, each with its own --out"
            )
        drawn[job.out] = job.source
        if _place(job.out) in read or _place(videos.aside_of(job.out)) in read:
            raise ValueError(
                f"{job.out}: expected a place of its own, got a file that is read; give another --out"
            )


def _place(path: Path) -> Path:
    """Where a file's name stands, which may be a link to somewhere else."""
    return path.parent.resolve() / path.name
