"""Layout `coco` of data/raw: COCO instances files and zips of images, checked and read one photo at a time.

A category is a class, even one of which there is no object, with one exception: one without a single annotation, in
train and in val, that another category names as its supercategory. Roboflow writes such a one, with id 0, before its
classes. It is left out, and a note says so.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

from ssd.data.source import MOST_BYTES, Category, Photo, Source, Split, in_label_order
from ssd.data.sources.coco_instances import Instances, Listed, read_instances
from ssd.data.sources.held_out import hold_out, read_share, share_note
from ssd.data.sources.unpack import reading_zip
from ssd.files import read_json


def read_coco(folder: Path) -> Source:
    """The data set in `folder`: train.json, train.zip, val.json, val.zip, or only train's, of which a share is val.

    Raises:
        ValueError: one sentence with the file, the item, what was expected and what was found.
    """
    share = read_share(read_json(folder / "layout.json"), str(folder / "layout.json"))
    if share is not None:
        return _read_train_alone(folder, share)
    train, val = (read_instances(folder / f"{name}.json") for name in ("train", "val"))
    _require_same_categories(train.categories, val.categories, folder)
    categories, left_out = _classes(train.categories, train.groups & val.groups, folder)
    return Source(
        categories=categories,
        train=_split(folder, "train", train),
        val=_split(folder, "val", val),
        notes=(
            *left_out,
            *(f"{name}: {note}" for name, file in (("train", train), ("val", val)) for note in file.notes),
        ),
    )


def _classes(
    categories: tuple[Category, ...], groups: frozenset[int], folder: Path
) -> tuple[tuple[Category, ...], list[str]]:
    """The categories that are not `groups`, with their labels, and a note on those that are."""
    names = {each.category_id: each.name for each in categories if each.category_id not in groups}
    if not names:
        raise ValueError(f"{folder / 'train.json'}: expected a category that is no supercategory, got none")
    return in_label_order(names), [
        f"category {each.category_id} ({each.name}) is no class: no annotation has it, and others name it as their "
        "supercategory"
        for each in categories
        if each.category_id in groups
    ]


def _read_train_alone(folder: Path, share: float) -> Source:
    file = read_instances(folder / "train.json")
    _find_members(folder / "train.zip", file.images, folder / "train.json")  # no file is in both splits
    held_out = hold_out([image.file_name for image in file.images], share, str(folder / "train.json"))
    train = replace(file, images=tuple(each for each in file.images if each.file_name not in held_out))
    val = replace(file, images=tuple(each for each in file.images if each.file_name in held_out))
    categories, left_out = _classes(file.categories, file.groups, folder)
    return Source(
        categories=categories,
        train=_split(folder, "train", train),
        val=replace(_split(folder, "train", val), name="val"),
        notes=(
            *left_out,
            *file.notes,
            share_note(len(val.images), len(file.images), share),
        ),
    )


def _require_same_categories(train: tuple[Category, ...], val: tuple[Category, ...], folder: Path) -> None:
    in_train, in_val = ({each.category_id: each.name for each in given} for given in (train, val))
    for category_id in sorted({*in_train, *in_val}):
        expected, got = in_train.get(category_id), in_val.get(category_id)
        if expected != got:
            raise ValueError(
                f"{folder / 'val.json'}: category {category_id}: expected {expected or 'none'}, "
                f"as in train.json, got {got or 'none'}"
            )


def _split(folder: Path, name: str, file: Instances) -> Split:
    annotations, images = folder / f"{name}.json", folder / f"{name}.zip"
    members = _find_members(images, file.images, annotations)

    def photos() -> Iterator[Photo]:
        with reading_zip(images) as archive:
            for image, (member, _) in zip(file.images, members, strict=True):
                yield Photo(
                    id=image.id,
                    file_name=image.file_name,
                    height=image.height,
                    width=image.width,
                    encoded=archive.read(member),
                    annotations=file.annotations.get(image.id, ()),
                )

    return Split(
        name=name,
        address=str(annotations),
        photos=photos,
        count=len(file.images),
        most_bytes=max(size for _, size in members),
        most_annotations=max(file.annotations.count(image.id) for image in file.images),
    )


def _find_members(path: Path, images: tuple[Listed, ...], annotations: Path) -> list[tuple[str, int]]:
    """Name and size of each image's file in the zip: at this full path, or else the one that ends in /file_name."""
    by_name: dict[str, list[tuple[str, str, int]]] = {}
    with reading_zip(path) as archive:
        for member in archive.infolist():
            tidy = PurePosixPath(member.filename)
            by_name.setdefault(tidy.name, []).append((str(tidy), member.filename, member.file_size))
    found: list[tuple[str, int]] = []
    owner: dict[str, int] = {}
    for image in images:
        wanted = PurePosixPath(image.file_name)
        near = [each for each in by_name.get(wanted.name, []) if f"/{each[0]}".endswith(f"/{wanted}")]
        fits = [each for each in near if each[0] == str(wanted)] or near
        address = f"{annotations}: image {image.id}"
        if len(fits) != 1:
            got = " and ".join(each[0] for each in fits[:2]) if fits else "no such file"
            raise ValueError(f"{address}: expected one file {image.file_name} in {path}, got {got}")
        _, member_name, size = fits[0]
        if member_name in owner:
            raise ValueError(
                f"{address}: expected a file of its own, got {member_name}, "
                f"which is image {owner[member_name]}"
            )
        if size > MOST_BYTES:
            raise ValueError(f"{address}: expected a file of at most {MOST_BYTES} bytes, got {size}")
        owner[member_name] = image.id
        found.append((member_name, size))
    return found
