"""Every source brought into one of three layouts of data/raw, which `layout.json` names.

`coco`: train.zip, val.zip (images, in any folder inside), train.json, val.json (COCO instances, as given); of a train
set alone train.zip and train.json, and layout.json says which share of it is val.
`voc`: tars of VOC devkits; layout.json names them, the image sets of train and val, and the rule for difficult objects.
`archive`: the unpacked archive of MindSpore's SSD tutorial; layout.json has the hashes of its files.
"""

import re
from pathlib import Path
from typing import Any

from ssd.config import Archive, Dataset
from ssd.data.sources.fetch import fetch
from ssd.data.sources.local import copy_coco
from ssd.data.sources.local_voc import copy_voc
from ssd.data.sources.sample import draw_sample
from ssd.data.sources.unpack import check_zip, file_names, unpack
from ssd.files import sha256, write_json
from ssd.telling import LOG

MINDRECORDS = "datasets/MindRecord_COCO"
VAL_ANNOTATIONS = "datasets/annotations/instances_val2017.json"


def fill_raw(dataset: Dataset, folder: Path, project: Path, downloads: Path) -> None:
    """Fill `folder` with the data set that `dataset` describes, and with layout.json.

    Args:
        dataset: where the data comes from.
        folder: an existing, empty folder.
        project: the folder that relative paths of `dataset.coco` and `dataset.voc` count from.
        downloads: the folder of downloaded files, which outlives `folder`; a file already there is used.

    Raises:
        ValueError: a source that is not as it should be; one sentence with its address.
    """
    layout: dict[str, Any] = {"layout": "coco"}
    if dataset.source == "sample":
        draw_sample(folder, dataset.sample.train_images, dataset.sample.val_images, dataset.sample.seed)
    elif dataset.source == "archive":
        _fill_from_archive(dataset.archive, folder, downloads)
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        layout = {
            "layout": "archive",
            "sha256": {path.relative_to(folder).as_posix(): sha256(path) for path in files},
        }
    elif dataset.source == "voc":
        layout = {"layout": "voc", **copy_voc(dataset.voc, dataset.val_fraction, folder, project)}
    else:
        layout |= copy_coco(dataset.coco, dataset.val_fraction, folder, project)
    write_json(folder / "layout.json", layout)


def _fill_from_archive(archive: Archive, folder: Path, downloads: Path) -> None:
    path = downloads / archive_name(archive.url)
    digest = fetch(archive.url, path, archive.sha256, check_archive)
    try:
        _require_tutorial(path)
        unpack(path, folder)
    except ValueError as error:
        raise ValueError(f"{error}; replace the file, or remove it to have it downloaded again") from None
    if archive.sha256 is None:
        LOG.info("sha256 of %s: %s; set dataset.archive.sha256 to check it", path.name, digest)


def archive_name(url: str) -> str:
    """The name of the archive on disk: the address's own if it ends in .zip, to keep two archives apart."""
    name = re.search(r"([^/\\?#]+\.zip)([?#].*)?$", url)
    return name[1] if name else "ssd_datasets.zip"


def check_archive(path: Path) -> None:
    """Read the zip at `path` and find it whole, harmless, and with all files of the tutorial's archive.

    Raises:
        ValueError: it is not; begins with `path`.
    """
    _require_tutorial(path)
    check_zip(path)


def _require_tutorial(path: Path) -> None:
    """The zip has what later stages read: shards numbered without a gap, their indexes, and annotations."""
    names = set(file_names(path))
    wanted = [VAL_ANNOTATIONS]
    for stem in (f"{MINDRECORDS}/ssd.mindrecord", f"{MINDRECORDS}/ssd_eval.mindrecord"):
        pattern = re.compile(re.escape(stem) + r"([0-9]+)(\.db)?")
        numbers = {match[1] for name in names if (match := pattern.fullmatch(name))}
        width = max(map(len, numbers), default=1)
        shards = [f"{stem}{number:0{width}}" for number in range(len(numbers) or 1)]
        wanted += [file for shard in shards for file in (shard, f"{shard}.db")]
    missing = [name for name in wanted if name not in names]
    if missing:
        raise ValueError(
            f"{path}: expected the archive of MindSpore's SSD tutorial, "
            f"got a zip without {' and '.join(missing)}"
        )
