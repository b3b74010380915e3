"""data/raw as a source of photos, whichever layout it has."""

from pathlib import Path

from ssd.data.source import Source
from ssd.data.sources.archive import read_archive
from ssd.data.sources.coco import read_coco
from ssd.data.sources.voc import read_voc
from ssd.files import read_json

_READERS = {"coco": read_coco, "voc": read_voc, "archive": read_archive}


def read_source(folder: Path) -> Source:
    """The data set in `folder`, by the layout that its layout.json names.

    Raises:
        ValueError: no such layout, or a data set that is not as it should be.
    """
    path = folder / "layout.json"
    tree = read_json(path)
    layout = tree.get("layout") if isinstance(tree, dict) else None
    if layout not in tuple(_READERS):
        raise ValueError(f"{path}: expected the layout {' or '.join(_READERS)}, got {layout!r:.200}")
    return _READERS[layout](folder)
