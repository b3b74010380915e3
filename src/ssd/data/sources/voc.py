"""Layout `voc` of data/raw: VOC devkits in tars, whose annotations are read first and photos one at a time.

Classes are VOC's twenty, in alphabetical order, if the data has no other, so that labels are the same whichever of
them occur; else the names in the data, in alphabetical order. Category ids are 1…

Ids of images are whole numbers that stay the same whatever else is used: of VOC's own images the year of the folder
followed by the digits of the name (VOC2007/000012 → 2007000012, VOC2012/2008_000003 → 20122008000003). Images with
other names are numbered from 1 in the order of folders and names, over both splits.

Boxes are continuous pixels (see `voc_xml`); areas, which VOC does not have, are the boxes'.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ssd.data.source import MOST_BYTES, SPLITS, Annotation, Photo, Source, Split, in_label_order
from ssd.data.sources.devkit import Devkits, VocImage
from ssd.data.sources.held_out import hold_out, read_share, share_note
from ssd.data.sources.voc_xml import VocAnnotation, read_annotation
from ssd.files import read_json
from ssd.telling import progress

CLASSES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *(
        "diningtable",
        "dog",
        "horse",
        "motorbike",
        "person",
        "pottedplant",
        "sheep",
        "sofa",
        "train",
        "tvmonitor",
    ),
)
"""VOC's classes since 2007."""


@dataclass(frozen=True)
class _Listed:
    """An image with its id and what its annotation file says."""

    id: int
    image: VocImage
    said: VocAnnotation


def read_voc(folder: Path) -> Source:
    """The data set in `folder`: the tars and image sets that layout.json names.

    Difficult objects are marked in val; in train only if they are not to be trained on.

    Raises:
        ValueError: one sentence with the file, the item, what was expected and what was found.
    """
    layout = _read_layout(folder / "layout.json")
    sets = {split: layout[f"{split}_sets"] for split in SPLITS}
    devkits = Devkits([folder / name for name in layout["devkits"]])
    images = {
        split: found.images for split, found in devkits.splits(sets, f"{folder / 'layout.json'}: ").items()
    }
    share = layout["val_fraction"]
    if share is not None:
        held_out = hold_out([image.name for image in images["train"]], share, str(folder / "layout.json"))
        images = {
            "train": tuple(image for image in images["train"] if image.name not in held_out),
            "val": tuple(image for image in images["train"] if image.name in held_out),
        }
        sets["val"] = sets["train"]
    ids = image_ids([image for split in SPLITS for image in images[split]])
    listed = {
        split: sorted(
            (
                _Listed(ids[image.folder, image.name], image, _read(image))
                for image in progress(f"read {split}", images[split], unit="annotation")
            ),
            key=lambda each: each.id,
        )
        for split in SPLITS
    }
    names = {thing.name for split in SPLITS for each in listed[split] for thing in each.said.objects}
    categories = in_label_order(dict(enumerate(class_names(names), start=1)))
    numbers = {each.name: each.category_id for each in categories}
    marks = {"train": layout["difficult"] == "ignore", "val": True}
    train, val = (
        _split(split, f"{folder}: {' + '.join(sets[split])}", listed[split], numbers, marks[split])
        for split in SPLITS
    )
    return Source(
        categories,
        train,
        val,
        notes=(
            *(_note(split, sets[split], listed[split], marks[split]) for split in SPLITS),
            *(
                []
                if share is None
                else [share_note(len(listed["val"]), sum(map(len, listed.values())), share)]
            ),
            "boxes cover their pixels whole, from xmin - 1 to xmax; areas are those of the boxes",
        ),
    )


def class_names(names: set[str]) -> tuple[str, ...]:
    """The class list of data with objects of these names."""
    return CLASSES if names <= set(CLASSES) else tuple(sorted(names))


def image_ids(images: Sequence[VocImage]) -> dict[tuple[str, str], int]:
    """The id of each image by its folder and name."""
    keys = sorted({(image.folder, image.name) for image in images})
    ids, number = {}, 0
    for folder, name in keys:
        year = re.fullmatch(r"VOC((?:19|20)[0-9]{2})", folder)
        digits = re.fullmatch(r"([0-9]{4}_)?[0-9]{6}", name)
        if year and digits:
            ids[folder, name] = int(year[1] + name.replace("_", ""))
        else:
            number += 1
            ids[folder, name] = number
    return ids


def _read_layout(path: Path) -> dict[str, Any]:
    layout = read_json(path)
    share = read_share(layout, str(path))
    for key in ("devkits", "train_sets", "val_sets"):
        names = layout.get(key)
        empty = not names and not (key == "val_sets" and share is not None)
        if not isinstance(names, list) or empty or not all(isinstance(name, str) for name in names):
            raise ValueError(f"{path}: expected a list of names as {key}, got {names!r:.200}")
    if layout.get("difficult") not in ("train", "ignore"):
        raise ValueError(
            f"{path}: expected train or ignore as difficult, got {layout.get('difficult')!r:.200}"
        )
    return {**layout, "val_fraction": share}


def _read(image: VocImage) -> VocAnnotation:
    annotation, photo = image.annotation.stored, image.photo.stored
    if photo.size > MOST_BYTES:
        raise ValueError(f"{photo.address}: expected a file of at most {MOST_BYTES} bytes, got {photo.size}")
    return read_annotation(annotation.read(), annotation.address)


def _split(
    name: str, address: str, listed: Sequence[_Listed], numbers: dict[str, int], marks_difficult: bool
) -> Split:
    def photos() -> Iterator[Photo]:
        first_id = 1
        for each in listed:
            annotations = _annotations(each.said, first_id, numbers, marks_difficult)
            first_id += len(annotations)
            yield Photo(
                id=each.id,
                file_name=f"{each.image.folder}/{each.image.photo.name}",
                height=each.said.height,
                width=each.said.width,
                encoded=each.image.photo.stored.read(),
                annotations=annotations,
            )

    return Split(
        name=name,
        address=address,
        photos=photos,
        count=len(listed),
        most_bytes=max(each.image.photo.stored.size for each in listed),
        most_annotations=max(len(each.said.objects) for each in listed),
    )


def _annotations(
    said: VocAnnotation, first_id: int, numbers: dict[str, int], marks_difficult: bool
) -> tuple[Annotation, ...]:
    return tuple(
        Annotation(
            id=annotation_id,
            category_id=numbers[thing.name],
            box_xywh_px=thing.box_xywh_px,
            area_px=max(thing.box_xywh_px[2], 0.0) * max(thing.box_xywh_px[3], 0.0),
            crowd=False,
            difficult=thing.difficult and marks_difficult,
        )
        for annotation_id, thing in enumerate(said.objects, start=first_id)
    )


def _note(split: str, sets: Sequence[str], listed: Sequence[_Listed], marks_difficult: bool) -> str:
    things = [thing for each in listed for thing in each.said.objects]
    difficult = sum(thing.difficult for thing in things)
    use = (
        "are not counted" if split == "val" else "are not trained on" if marks_difficult else "are trained on"
    )
    return f"{split}: {' + '.join(sets)}; {difficult} of {len(things)} objects are difficult and {use}"
