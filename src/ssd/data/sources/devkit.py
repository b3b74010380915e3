"""PASCAL VOC's folders, in directories and tars, as one: image sets, and the two files of each of their images.

A folder has Annotations, JPEGImages and ImageSets inside, and is known by its own name wherever it lies:
VOCdevkit/VOC2007 in a tar, or a directory that is given itself. The same folder may be spread over several devkits, as
VOC2007 is over a tar for training and one for testing.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ssd.data.sources.tars import Stored, tar_files
from ssd.data.sources.unpack import name_problem

PARTS = ("Annotations", "ImageSets", "JPEGImages")

_PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Found:
    """A file of a folder: `name` counts from the folder, `devkit` is the place of its devkit in the list of them."""

    folder: str
    name: str
    devkit: int
    stored: Stored


@dataclass(frozen=True, slots=True)
class VocImage:
    """An image of a set: its name, as the set has it, and its files."""

    folder: str
    name: str
    annotation: Found
    photo: Found


@dataclass(frozen=True)
class ImageSets:
    """The images of one split, in the order of folders and names, and the files that list them."""

    lists: tuple[Found, ...]
    images: tuple[VocImage, ...]


class Devkits:
    """All files of some devkits, by folder and by name inside it."""

    def __init__(self, paths: Sequence[Path]) -> None:
        """The devkits at `paths`, each a directory or a tar.

        Raises:
            ValueError: no such file, not a tar, or one that is not harmless; or no folder in it.
        """
        self._paths = tuple(paths)
        self._files: dict[str, dict[str, list[Found]]] = {}
        self._photos: dict[str, dict[str, list[Found]]] = {}
        for number, path in enumerate(paths):
            count = 0
            for folder, name, stored in _files_of(path):
                found = Found(folder, name, number, stored)
                self._files.setdefault(folder, {}).setdefault(name, []).append(found)
                stem, suffix = os.path.splitext(name)
                if name.startswith("JPEGImages/") and suffix.lower() in _PICTURES:
                    self._photos.setdefault(folder, {}).setdefault(stem, []).append(found)
                count += 1
            if not count:
                raise ValueError(
                    f"{path}: expected a folder with {', '.join(PARTS)} somewhere inside, got none"
                )

    def splits(self, sets: Mapping[str, Sequence[str]], address: str) -> dict[str, ImageSets]:
        """The images of each split; one that several sets of a split name is there once.

        Args:
            sets: by the name of the split, its sets: 2007/trainval.
            address: where `sets` is from; `address` + split + "_sets" begins the sentences about them.

        Raises:
            ValueError: an unknown set, a list that is none, an image without its files, or one in both splits.
        """
        found = {split: self._split(names, f"{address}{split}_sets") for split, names in sets.items()}
        owner: dict[tuple[str, str], str] = {}
        for split, of_split in found.items():
            for image in of_split.images:
                other = owner.setdefault((image.folder, image.name), split)
                if other != split:
                    raise ValueError(
                        f"{address}{split}_sets: image {image.name} of {image.folder}: expected an image that is not "
                        f"in {other}_sets ({', '.join(sets[other])}), got one that is"
                    )
        return found

    def _split(self, names: Sequence[str], address: str) -> ImageSets:
        lists, images = [], {}
        for name in names:
            listing = self._listing(name, address)
            lists.append(listing)
            for image in self._images(listing):
                images[image.folder, image.name] = image
        return ImageSets(tuple(lists), tuple(images[key] for key in sorted(images)))

    def _listing(self, name: str, address: str) -> Found:
        given, _, set_name = name.partition("/")
        folder = given if given in self._files else f"VOC{given}"
        if folder not in self._files:
            raise ValueError(
                f"{address}: {name}: expected one of the folders {', '.join(sorted(self._files))}, "
                f"got neither {given} nor {folder}"
            )
        wanted = f"ImageSets/Main/{set_name}.txt"
        if wanted not in self._files[folder]:
            known = [
                PurePosixPath(each).stem for each in self._files[folder] if each.startswith("ImageSets/Main/")
            ]
            known.sort(key=lambda each: ("_" in each, each))  # those of one class, aeroplane_train, last
            told = ", ".join(known[:_SHOWN]) + (", …" if len(known) > _SHOWN else "")
            raise ValueError(
                f"{address}: {name}: expected one of the sets of {folder} ({told or 'it has none'}), "
                f"got no file {wanted} in {', '.join(map(str, self._paths))}"
            )
        return self._one(self._files[folder][wanted], f"{address}: {name}", wanted)

    def _images(self, listing: Found) -> Iterator[VocImage]:
        address, folder = listing.stored.address, listing.folder
        try:
            lines = listing.stored.read().decode("utf-8-sig").splitlines()
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{address}: expected UTF-8 text, got a byte that is not ({error.reason})"
            ) from None
        if not any(line.strip() for line in lines):
            raise ValueError(f"{address}: expected at least one image, got none")
        for number, line in enumerate(lines, start=1):
            name = line.strip()
            if not name:
                continue
            place = f"{address}: line {number}"
            if len(name.split()) != 1:
                raise ValueError(
                    f"{place}: expected the name of an image alone, got {name!r:.200}; "
                    f"the lists of single classes, which mark images with 1 and -1, are not sets to train on"
                )
            if name_problem(name):
                raise ValueError(
                    f"{place}: expected the name of an image, got {name!r:.200}: {name_problem(name)}"
                )
            xml = f"Annotations/{name}.xml"
            yield VocImage(
                folder,
                name,
                annotation=self._one(self._files[folder].get(xml, []), f"{place}: image {name}", xml),
                photo=self._one(
                    self._photos.get(folder, {}).get(f"JPEGImages/{name}", []),
                    f"{place}: image {name}",
                    f"JPEGImages/{name}.jpg",
                ),
            )

    def _one(self, found: list[Found], address: str, wanted: str) -> Found:
        if len(found) != 1:
            got = " and ".join(each.stored.address for each in found[:2]) or "no such file"
            places = ", ".join(str(path) for path in self._paths)
            raise ValueError(f"{address}: expected one file {wanted} in {places}, got {got}")
        return found[0]


def _files_of(path: Path) -> Iterator[tuple[str, str, Stored]]:
    """Folder, name inside it, and place of the files of a devkit that lie in one of `PARTS`."""
    own_name = Path(os.path.abspath(path)).name
    if path.is_dir():
        for root in (path, *sorted(path.glob("*")), *sorted(path.glob("*/*"))):
            if (root / PARTS[0]).is_dir():
                for file in _walk(root):
                    name = file.relative_to(root).as_posix()
                    yield (
                        own_name if root == path else root.name,
                        name,
                        Stored(str(file), file, 0, file.stat().st_size),
                    )
    elif path.is_file():
        for member, stored in tar_files(path).items():
            parts = member.split("/")
            place = next((index for index, part in enumerate(parts[:-1]) if part in PARTS), None)
            if place is not None:
                folder = parts[place - 1] if place else own_name.removesuffix(".tar")
                yield folder, "/".join(parts[place:]), stored
    else:
        raise ValueError(f"{path}: expected a folder or a tar, got no such file")


def _walk(root: Path) -> Iterator[Path]:
    for part in PARTS:
        for folder, _, names in os.walk(root / part):
            yield from (file for name in sorted(names) if (file := Path(folder, name)).is_file())
