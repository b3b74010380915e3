"""A COCO-format data set on this machine, copied: images as one zip a split, annotations as they are.

Where train is given alone it is copied alone: what of it is val is decided where it is read (see `held_out`).
"""

import os
import shutil
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import IO, Any

from ssd.config import Coco
from ssd.data.big_json import only, parse_big_json
from ssd.data.sources.held_out import hold_out
from ssd.data.sources.photo_names import photo_name
from ssd.data.sources.unpack import file_names, pour, reading_zip, require_bounded
from ssd.telling import gauge, progress

MOST_BYTES = 8 << 30
"""Largest annotation file in a zip."""

_naming = only({"images", "annotations", "categories", "id", "file_name"})


def _but_annotations(entry: dict[str, Any]) -> dict[str, Any] | None:
    """What names an image; of annotations, of which there are many, nothing."""
    return None if "image_id" in entry and "file_name" not in entry else _naming(entry)


def copy_coco(coco: Coco, val_fraction: float, folder: Path, project: Path) -> dict[str, Any]:
    """Write train.zip, train.json, val.zip and val.json, or only train's, into `folder`; what layout.json says of them.

    Zips of images and annotation files are copied as they are; a folder of images is packed, as far as the
    annotations name them. Folders that stand before the names of all images alike, and not on the disk, are looked
    over: images/a.jpg is a.jpg if every image is found so. All is looked at before the images, which take the time,
    are copied.

    Args:
        coco: where images and annotations are; no path is None, except both of val.
        val_fraction: the share of train's photos that is val if val is not given.
        folder: an existing folder.
        project: the folder that relative paths count from.

    Raises:
        ValueError: something is missing or not what it should be; begins with the parameter or the file.
    """
    splits = [("train", coco.train_images, coco.train_annotations)]
    if coco.val_annotations is not None:
        splits.append(("val", coco.val_images, coco.val_annotations))
    train_alone = len(splits) == 1
    images = {}
    for split, given_images, given_annotations in splits:
        key = f"params.yaml: dataset.coco.{split}"
        annotations = _located(project, given_annotations)
        copy_annotations(annotations, f"{key}_annotations", folder / f"{split}.json")
        source = _located(project, given_images)
        named = images_named(folder / f"{split}.json", annotations)
        if train_alone:
            hold_out(named, val_fraction, f"params.yaml: dataset.val_fraction: {annotations}")
        images[split] = source, named, _require_images(named, annotations, source, f"{key}_images")
    for split, (source, named, extra) in images.items():
        if source.is_dir():
            pack(source, named, folder / f"{split}.zip", extra)
        else:
            copy_file(source, folder / f"{split}.zip")
    return {"val_fraction": val_fraction} if train_alone else {}


def _located(project: Path, given: str | None) -> Path:
    assert given is not None  # `Dataset` has checked it
    return project / os.path.expanduser(given)


def copy_annotations(path: Path, key: str, target: Path) -> None:
    """Copy an annotation file, which may be a member of a zip: `all.zip/annotations/train.json`.

    Raises:
        ValueError: no such file or member; begins with `key`, the name of the parameter.
    """
    if path.is_file():
        if zipfile.is_zipfile(path):
            raise ValueError(
                f"{key}: expected a JSON file, got a zip; name the file in it: {path}/{_a_json_of(path)}"
            )
        copy_file(path, target)
        return
    for parent in path.parents:
        if parent.is_file():
            member = path.relative_to(parent).as_posix()
            with reading_zip(parent) as archive:
                if member in archive.namelist():
                    entry = archive.getinfo(member)
                    require_bounded([entry], parent, MOST_BYTES)
                    with archive.open(entry) as given:
                        _copy(given, target, entry.file_size)
                    return
            raise ValueError(
                f"{key}: expected {member} in {parent}, got no such member; it has {_a_json_of(parent)}"
            )
    raise ValueError(
        f"{key}: expected an annotation file, got {'a folder' if path.is_dir() else 'no such file'}: {path}"
    )


def _a_json_of(path: Path) -> str:
    return next((name for name in sorted(file_names(path)) if name.endswith(".json")), "no JSON file")


def images_named(copy: Path, path: Path) -> dict[str, Any]:
    """The ids of the images that an annotation file lists, by file name.

    Args:
        copy: the file.
        path: where it is from, for the sentences of errors.

    Raises:
        ValueError: not JSON, not COCO's form, no images, or a file name that leads out of the images' folder.
    """
    with copy.open("rb") as file:
        tree = parse_big_json(file, str(path), _but_annotations)
    for part in ("images", "annotations", "categories"):
        if not isinstance(tree, dict) or not isinstance(tree.get(part), list):
            raise ValueError(f"{path}: expected COCO annotations with a list of {part}, got none")
    if not tree["images"]:
        raise ValueError(f"{path}: expected at least one image, got an empty list")
    named = {}
    for index, image in enumerate(tree["images"]):
        name = image.get("file_name") if isinstance(image, dict) else None
        if not isinstance(name, str) or not name:
            raise ValueError(
                f"{path}: images[{index}]: expected an image with a file_name, got {image!r:.200}"
            )
        name = photo_name(name)
        if ".." in PurePosixPath(name).parts:
            raise ValueError(
                f"{path}: image {image.get('id')}: expected a file_name inside the images' folder, "
                f"got {name!r}"
            )
        named[name] = image.get("id")
    return named


def _require_images(named: dict[str, Any], annotations: Path, source: Path, key: str) -> int:
    """Every named image is in `source`: in a folder under its name, in a zip in any folder.

    Returns:
        How many folders stand before every name that `source` does not have.
    """
    extra = 0
    if source.is_dir():
        extra, missing = _find_images(list(named), source)
    elif source.is_file():
        present = {tail for name in file_names(source) for tail in _tails(name)}
        missing = [name for name in named if str(PurePosixPath(name)) not in present]
    else:
        raise ValueError(f"{key}: expected a folder or a zip of images, got no such file: {source}")
    if missing:
        raise ValueError(
            f"{annotations}: image {named[missing[0]]}: expected {missing[0]} in {source}, got no such file "
            f"({len(missing)} of {len(named)} images are missing)"
        )
    return extra


def _find_images(names: list[str], source: Path) -> tuple[int, list[str]]:
    """How many folders to leave out before every name so that most images are in `source`, and who is not then.

    The fewest folders win. Without them every image must still have a name of its own.
    """
    best = 0, [name for name in names if not (source / name).is_file()]
    for extra in range(1, min(name.count("/") for name in names) + 1):
        ends = [_end(name, extra) for name in names]
        if best[1] and len(set(ends)) == len(ends):
            missing = [name for name, end in zip(names, ends, strict=True) if not (source / end).is_file()]
            best = min(best, (extra, missing), key=lambda each: len(each[1]))
    return best


def _end(name: str, extra: int) -> str:
    """`name` without its first `extra` folders."""
    return name.split("/", extra)[extra]


def _tails(name: str) -> Iterable[str]:
    """`a/b/c` → `a/b/c`, `b/c`, `c`."""
    parts = name.split("/")
    return ("/".join(parts[start:]) for start in range(len(parts)))


def pack(source: Path, names: Iterable[str], target: Path, extra: int = 0) -> None:
    """Write the files `names` of the folder `source` as a zip: stored, sorted, same files same bytes.

    The first `extra` folders of each name are not in `source`.
    """
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name in progress(f"pack {target.name}", sorted(names)):
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # Unix, also on Windows
            entry.external_attr = 0o644 << 16
            path = source / _end(name, extra)
            entry.file_size = path.stat().st_size
            with path.open("rb") as image, archive.open(entry, "w") as member:
                shutil.copyfileobj(image, member)


def copy_file(source: Path, target: Path) -> None:
    """Copy a file, telling how far it is."""
    with source.open("rb") as given:
        _copy(given, target, source.stat().st_size)


def _copy(given: IO[bytes], target: Path, size: int) -> None:
    with target.open("wb") as copy, gauge(f"copy {target.name}", size, "B") as bar:
        pour(given, copy, bar)
