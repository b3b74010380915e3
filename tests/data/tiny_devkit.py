"""Small VOC devkits, drawn or made of a COCO data set."""

import tarfile
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from tiny_raw import picture

from ssd.config import Voc

# Photo, size, and objects as name, first and last column and row counted from 1, difficult.
Drawn = dict[str, tuple[tuple[int, int], list[tuple[str, float, float, float, float, int]]]]

TARS = ("VOCtrainval_06-Nov-2007.tar", "VOCtest_06-Nov-2007.tar", "VOCtrainval_11-May-2012.tar")

TRAIN_2007: Drawn = {
    "000012": ((40, 60), [("dog", 11, 6, 30, 25, 0), ("cat", 1, 1, 60, 40, 1)]),
    "000005": ((30, 20), []),
}
TEST_2007: Drawn = {"000001": ((20, 20), [("person", 1, 1, 10, 5, 0), ("dog", 5, 5, 20, 20, 1)])}
TRAIN_2012: Drawn = {"2008_000003": ((50, 50), [("car", 2.5, 3.25, 10.5, 20.25, 0)])}


def xml(size: tuple[int, int] | None, objects: list[tuple[str, float, float, float, float, int]]) -> str:
    """An annotation file."""
    parts = ["<annotation>"]
    if size:
        parts.append(f"<size><width>{size[1]}</width><height>{size[0]}</height><depth>3</depth></size>")
    for name, xmin, ymin, xmax, ymax, difficult in objects:
        parts.append(
            f"<object><name>{escape(name)}</name><difficult>{difficult}</difficult><bndbox><xmin>{xmin}</xmin>"
            f"<ymin>{ymin}</ymin><xmax>{xmax}</xmax><ymax>{ymax}</ymax></bndbox>"
            f"<part><name>head</name><bndbox><xmin>1</xmin></bndbox></part></object>"
        )
    return "\n".join([*parts, "</annotation>\n"])


def write_folder(folder: Path, **sets: Drawn) -> Path:
    """A folder of a devkit with these sets, each with its images; pictures are drawn by their names."""
    for name, drawn in sets.items():
        for image, (size, objects) in drawn.items():
            files = {
                f"Annotations/{image}.xml": xml(size, objects).encode(),
                f"JPEGImages/{image}.jpg": picture(sum(image.encode()), *size),
            }
            for path, data in files.items():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_bytes(data)
        listing = folder / f"ImageSets/Main/{name}.txt"
        listing.parent.mkdir(parents=True, exist_ok=True)
        listing.write_text("".join(f"{image}\n" for image in drawn))
    return folder


def write_tar(path: Path, folder: Path, arcname: str) -> Path:
    with tarfile.open(path, "w:") as archive:
        archive.add(folder, arcname)
    return path


def write_original(project: Path) -> Path:
    """Three tars in the form of the originals: VOC2007 for training, VOC2007 for testing, VOC2012."""
    for name, year, sets in (
        ("VOCtrainval_06-Nov-2007", "VOC2007", {"trainval": TRAIN_2007, "train": TRAIN_2007}),
        ("VOCtest_06-Nov-2007", "VOC2007", {"test": TEST_2007}),
        ("VOCtrainval_11-May-2012", "VOC2012", {"trainval": TRAIN_2012}),
    ):
        write_folder(project / name / "VOCdevkit" / year, **sets)
        write_tar(project / f"{name}.tar", project / name / "VOCdevkit", "VOCdevkit")
    return project


def voc(**changes: Any) -> Voc:
    """The usual split 07+12 of the tars of `write_original`."""
    given: dict[str, Any] = {
        "devkits": TARS,
        "train_sets": ("2007/trainval", "2012/trainval"),
        "val_sets": ("2007/test",),
        "difficult": "train",
    }
    return Voc(**{**given, **changes})


def from_coco(folder: Path, tree: dict[str, Any], pictures: dict[str, bytes], set_name: str) -> Path:
    """A COCO data set as a folder of a devkit: pixels counted from 1, the last one included; crowds as difficult.

    Args:
        folder: to write to.
        tree: the content of an instances file.
        pictures: encoded pictures by file name.
        set_name: the image set to list the images in.
    """
    names = {each["id"]: each["name"] for each in tree["categories"]}
    for image in tree["images"]:
        objects = []
        for each in tree["annotations"]:
            if each["image_id"] == image["id"]:
                x, y, width, height = each["bbox"]
                objects.append(
                    (names[each["category_id"]], x + 1, y + 1, x + width, y + height, each["iscrowd"])
                )
        stem = Path(image["file_name"]).stem
        for path, data in (
            (f"Annotations/{stem}.xml", xml((image["height"], image["width"]), objects).encode()),
            (f"JPEGImages/{image['file_name']}", pictures[image["file_name"]]),
        ):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
    listing = folder / f"ImageSets/Main/{set_name}.txt"
    listing.parent.mkdir(parents=True, exist_ok=True)
    listing.write_text("\n".join(Path(image["file_name"]).stem for image in tree["images"]) + "\n")
    return folder
