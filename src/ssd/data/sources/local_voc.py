"""A VOC-format data set on this machine, copied: every devkit that is used as one tar."""

import os
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ssd.config import Voc
from ssd.data.sources.devkit import Devkits, Found
from ssd.data.sources.held_out import hold_out
from ssd.data.sources.local import copy_file
from ssd.telling import progress


def copy_voc(voc: Voc, val_fraction: float, folder: Path, project: Path) -> dict[str, Any]:
    """Write the devkits' tars into `folder`; what layout.json says of them.

    A tar is copied as it is; of a directory the files are packed that the image sets need. A devkit that nothing is
    needed of is left out. All files are found before any is copied.

    Args:
        voc: where the devkits are, and which sets make train and val.
        val_fraction: the share of train's photos that is val if val has no sets.
        folder: an existing folder.
        project: the folder that relative paths count from.

    Raises:
        ValueError: something is missing or not what it should be; begins with the parameter or the file.
    """
    paths = [project / os.path.expanduser(path) for path in voc.devkits]
    for index, path in enumerate(paths):
        if not path.exists():
            raise ValueError(
                f"params.yaml: dataset.voc.devkits[{index}]: expected a folder or a tar, got no such file: {path}"
            )
    devkits = Devkits(paths)
    sets = {"train": voc.train_sets, "val": voc.val_sets}
    splits = devkits.splits(sets, "params.yaml: dataset.voc.")
    if not voc.val_sets:
        names_of_train = [image.name for image in splits["train"].images]
        hold_out(
            names_of_train, val_fraction, f"params.yaml: dataset.val_fraction: {' + '.join(voc.train_sets)}"
        )
    needed: dict[int, dict[str, Found]] = {}
    for of_split in splits.values():
        files = [
            *of_split.lists,
            *(each.annotation for each in of_split.images),
            *(each.photo for each in of_split.images),
        ]
        for found in files:
            needed.setdefault(found.devkit, {})[f"{found.folder}/{found.name}"] = found
    names = []
    for number in sorted(needed):
        path = paths[number]
        # in a folder of its own: of a tar whose parts lie outermost, its name is the name of the folder
        names.append(f"{number}/{Path(os.path.abspath(path)).name.removesuffix('.tar')}.tar")
        (folder / names[-1]).parent.mkdir()
        if path.is_dir():
            pack(needed[number].items(), folder / names[-1])
        else:
            copy_file(path, folder / names[-1])
    return {
        "devkits": names,
        "train_sets": list(voc.train_sets),
        "val_sets": list(voc.val_sets),
        "difficult": voc.difficult,
        **({} if voc.val_sets else {"val_fraction": val_fraction}),
    }


def pack(files: Iterable[tuple[str, Found]], target: Path) -> None:
    """Write files, each under its name, as a tar: sorted, same files same bytes."""
    with tarfile.open(target, "w:", format=tarfile.PAX_FORMAT) as archive:
        for name, found in progress(f"pack {target.name}", sorted(files), unit="file"):
            entry = tarfile.TarInfo(name)  # no owner, no time
            entry.size = found.stored.size
            with found.stored.path.open("rb") as file:
                archive.addfile(entry, file)
