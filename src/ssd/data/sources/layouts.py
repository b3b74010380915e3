"""data/raw as a source of photos, whichever layout it has."""

from pathlib import Path
from typing import Any

from ssd.data.source import Source
from ssd.data.sources.archive import read_archive
from ssd.data.sources.coco import read_coco
from ssd.data.sources.voc import read_voc
from ssd.files import read_json, sha256

_AGAIN = "run the download stage again"

_READERS = {"coco": read_coco, "voc": read_voc, "archive": read_archive}


def read_source(folder: Path) -> Source:
    """The data set in `folder`, by the layout that its layout.json names.

    Raises:
        ValueError: no such layout, or a data set that is not as it should be.
    """
    path = folder / "layout.json"
    tree = read_json(path)
    layout = tree.get("layout") if isinstance(tree, dict) else None
    if layout == "archive":
        _require_unchanged(folder, tree)
    if layout not in tuple(_READERS):
        raise ValueError(f"{path}: expected the layout {' or '.join(_READERS)}, got {layout!r:.200}")
    return _READERS[layout](folder)


def _require_unchanged(folder: Path, layout: dict[str, Any]) -> None:
    """The files of the archive are those that were unpacked: MindRecord has no checksums of its own."""
    hashes = layout.get("sha256")
    if not isinstance(hashes, dict) or not hashes:
        raise ValueError(f"{folder / 'layout.json'}: expected the hashes of all files, got none; {_AGAIN}")
    for name, expected in hashes.items():
        path = folder / name
        got = sha256(path) if path.is_file() else "no such file"
        if got != expected:
            raise ValueError(
                f"{path}: expected sha256 {expected!r:.200}, got {got}: changed since it was unpacked; {_AGAIN}"
            )
