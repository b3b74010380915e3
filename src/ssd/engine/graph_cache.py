"""Graphs that MindSpore compiled, kept for the next process that wants the same.

MindSpore keeps what its front end makes of a cell, and takes it back by its place among the compiled graphs and a hash
of the script that was started: whether the cell is still the same it does not ask. Here a graph is kept under the
`fingerprint` of all that it is made of, code and versions among it. Values of parameters are no part of a graph:
weights, moments and learning rates are those of the process that runs it.
"""

import io
import os
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import mindspore as ms

from ssd.engine.fingerprint import fingerprint
from ssd.files import write_bytes

SWITCH = "MS_COMPILER_CACHE_ENABLE"
"""MindSpore's own switch, an environment variable; where the user has set it, nothing is kept here."""

KEPT = 16
"""So many graphs are kept, the ones last used; each takes about a megabyte before it is packed."""

_PLACE = Path("rank_0") / "graph_cache"
_NAMES = {"compile_cache_0.mindir", "compile_dependency.hash"}
"""What MindSpore leaves of a process' first graph that is kept; a later one has another number, and is not."""


@contextmanager
def kept_graph(folder: Path, ingredients: Any) -> Iterator[None]:
    """The graph that is compiled inside, and it alone, is taken from `folder` or put there.

    A damaged file is as good as none, and a graph that cannot be put there is lost: it can be compiled again.

    Args:
        folder: of graphs; made if it is not there.
        ingredients: a dataclass of what the graph is made of, beside the code and the versions.
    """
    if SWITCH in os.environ:
        yield
        return
    path = folder / f"{fingerprint(ingredients, [])[:32]}.zip"
    with TemporaryDirectory(prefix="graph-") as place:
        before = _unpack(path, Path(place))
        # Not by MindSpore's environment variables: its threads may read the environment while it is changed.
        ms.set_context(enable_compile_cache=True, compile_cache_path=place)
        try:
            yield
        finally:
            ms.set_context(enable_compile_cache=False)
        after = _read(Path(place))
    if after.keys() == _NAMES and after != before:
        with suppress(OSError):
            _keep(path, after)


def _unpack(path: Path, place: Path) -> dict[str, bytes]:
    """Lay the files of a kept graph out where MindSpore looks for them; none if it is damaged, or there is no room."""
    try:
        with zipfile.ZipFile(path) as packed:
            if set(packed.namelist()) != _NAMES:
                return {}
            files = {name: packed.read(name) for name in _NAMES}
        os.utime(path)  # it was used
    except (OSError, zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError):
        return {}
    try:
        (place / _PLACE).mkdir(parents=True)
        for name, data in files.items():
            (place / _PLACE / name).write_bytes(data)
    except OSError:  # no room: MindSpore must not find a part of it
        shutil.rmtree(place / _PLACE, ignore_errors=True)
        return {}
    return files


def _read(place: Path) -> dict[str, bytes]:
    """The files that MindSpore has there now."""
    return {path.name: path.read_bytes() for path in place.joinpath(_PLACE).glob("*")}


def _keep(path: Path, files: dict[str, bytes]) -> None:
    """Write a graph aside and rename it, since others may write the same; remove the ones least used."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
        for name in sorted(files):
            target.writestr(name, files[name])
    aside = path.with_name(f"{path.name}.{os.getpid()}")
    write_bytes(aside, packed.getvalue())
    os.replace(aside, path)
    for old in sorted(path.parent.iterdir(), key=_last_used)[:-KEPT]:
        old.unlink(missing_ok=True)


def _last_used(path: Path) -> float:
    """When a graph was used last; 0 if another process has removed it."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
