"""The check of MindRecord files as a tool: every fault of ours or the tutorial's, told as it is found.

MindSpore's reader can crash, hang or hand out damaged values: all is read in plain Python (`shards`), photos are
decoded in a process of their own (`decode_guarded`). Where a manifest lies beside the files, they must be what it
describes: the files by their hashes, each row by its checksum and the ground truth. The tutorial's files have no
checksums: a changed picture is found there only if the decoder notices.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ssd.data.decode_guarded import GuardedDecoder
from ssd.data.expected import Expected, load_expected
from ssd.data.faults import record_faults, tutorial_faults
from ssd.data.records import CHECKSUMS, CLASSES, MANIFEST, SCHEMA, read_manifest, require_as_written
from ssd.data.shards import Shard, check_unused, open_shard, read_row
from ssd.data.source import SPLITS
from ssd.files import read_json, sha256
from ssd.telling import LOG, progress

_WHOLE = ("int32", "int64")


def check_files(paths: Sequence[Path]) -> None:
    """Check MindRecord files record by record; print each fault, or in the end one sentence of what was checked.

    Args:
        paths: MindRecord files, or folders of them such as data/records.

    Raises:
        ValueError: there are faults; the sentence says how many.
    """
    with GuardedDecoder() as measure:
        checker = _Checker(measure)
        for folder, names in _by_folder(paths).items():
            checker.check_folder(folder, names)
    what = f"{_count(checker.records, 'record')} in {_count(checker.files, 'MindRecord file')}"
    if checker.faults:
        raise ValueError(f"{_count(checker.faults, 'fault')} found by checking {what}")
    beyond = (
        ", and all that the manifest says"
        if checker.manifests
        else " (without a manifest a changed picture that still decodes cannot be seen)"
    )
    LOG.info(f"checked {what}: index, schema, picture, boxes and labels of every record{beyond}: no fault")


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _by_folder(paths: Iterable[Path]) -> dict[Path, set[str] | None]:
    """The names of the files to check in each folder; None for all."""
    wanted: dict[Path, set[str] | None] = {}
    for path in paths:
        if path.is_dir():
            wanted[path] = None
        else:
            names = wanted.setdefault(path.parent, set())
            if names is not None:
                names.add(path.name.removesuffix(".db"))
    return wanted


class _Checker:
    """Checks folders and counts what it saw."""

    def __init__(self, measure: GuardedDecoder) -> None:
        self._measure = measure
        self._told: set[str] = set()
        self.files = self.records = self.manifests = 0

    @property
    def faults(self) -> int:
        """How many faults were told."""
        return len(self._told)

    def check_folder(self, folder: Path, names: set[str] | None) -> None:
        """Check the files of these names, all if None, against the manifest beside them if there is one."""
        wanted = _mindrecord_files(folder) if names is None else sorted(names)
        manifest = self._open_manifest(folder, names is None)
        classes = self._count_classes(folder, manifest is not None)
        listed: set[str] = set()
        entries = manifest["splits"] if manifest else {}
        for split in SPLITS if entries else ():
            entry = entries[split]
            of_split = {file["name"] for file in entry["files"]}
            listed |= of_split
            if names is None or of_split & names:
                self._check_split(folder, split, entry, names, classes)
        others = [name for name in wanted if name not in listed]
        if manifest and names is None:
            for name in others:
                self._tell(f"{folder / name}: expected a file that {MANIFEST} lists, got another")
        if not others and not listed:
            self._tell(f"{folder}: expected MindRecord files, got a folder without any")
        self._check_others(folder, others, classes)

    def _open_manifest(self, folder: Path, whole: bool) -> dict[str, Any] | None:
        """The manifest in a folder; None without one, which is a fault where a whole folder of ours is checked."""
        path = folder / MANIFEST
        if not path.exists():
            for name in (CHECKSUMS, CLASSES) if whole else ():
                if (folder / name).exists():
                    self._tell(f"{path}: missing beside {name}")
            return None
        try:
            manifest = read_manifest(folder)
        except (ValueError, OSError) as error:
            self._tell(str(error))
            return None
        self.manifests += 1
        for name in (CLASSES, CHECKSUMS, *(f"{split}.json" for split in SPLITS)):
            self._is_as_written(folder, name)
        return manifest

    def _is_as_written(self, folder: Path, name: str) -> bool:
        try:
            require_as_written(folder, name)
        except (ValueError, OSError) as error:
            self._tell(str(error))
            return False
        return True

    def _count_classes(self, folder: Path, described: bool) -> int | None:
        """How many classes the list beside the records has; None without a list that can be relied on.

        Args:
            folder: of the records.
            described: whether there is a manifest that describes the list.
        """
        path = folder / CLASSES
        if not path.exists() or (described and not self._is_as_written(folder, CLASSES)):
            return None
        try:
            entries = read_json(path)
        except (ValueError, OSError) as error:
            self._tell(str(error))
            return None
        if not isinstance(entries, list):
            self._tell(f"{path}: expected a list of classes, got {entries!r:.100}")
            return None
        return len(entries)

    def _check_split(
        self,
        folder: Path,
        split: str,
        entry: dict[str, Any],
        names: set[str] | None,
        classes: int | None,
    ) -> None:
        """Check the files of one split of our records, all or those of these names."""
        files, expected = entry["files"], self._expect(folder, split)
        rows = sum(file["rows"] for file in files)
        manifest = f"{folder / MANIFEST}: {split}: expected"
        if entry["images"] != rows:
            self._tell(f"{manifest} {rows} images, as its files have rows, got {entry['images']}")
        if expected is not None and len(expected) != rows:
            self._tell(f"{manifest} {len(expected)} rows, as {split}.json has images, got files of {rows}")
            expected = expected if len(files) == 1 else None
        first = 0
        seen: dict[int, str] = {}
        for file in files:
            last = first + file["rows"] if len(files) > 1 else None
            if names is None or file["name"] in names:
                wanted = expected and [expected[row] for row in range(len(expected))[first:last]]
                self._check_described(folder, file, seen, classes, wanted)
            first += file["rows"]

    def _check_described(
        self,
        folder: Path,
        file: dict[str, Any],
        seen: dict[int, str],
        classes: int | None,
        expected: Sequence[Expected] | None,
    ) -> None:
        """Check a file as the manifest describes it; for the rest see `_check_rows`."""
        path = folder / file["name"]
        before = self.faults
        shard = self._open(path)
        if shard is not None:
            if len(shard) != file["rows"]:
                self._tell(f"{path}: expected {file['rows']} rows, as {MANIFEST} says, got {len(shard)}")
            self._check_rows(shard, seen, classes, expected)
        sound = shard is not None and expected is not None and self.faults == before
        for changed, digest in (
            (path, file["sha256"]),
            (path.with_name(f"{path.name}.db"), file["index_sha256"]),
        ):
            self._check_hash(changed, digest, sound)

    def _expect(self, folder: Path, split: str) -> Sequence[Expected] | None:
        try:
            return load_expected(folder, split)
        except (ValueError, OSError) as error:
            self._tell(str(error))
        except (LookupError, TypeError, AttributeError, OverflowError):
            self._tell(
                f"{folder / split}.json: expected what the mindrecord stage writes, got something else, "
                f"or classes.json and checksums.json that do not fit it"
            )
        return None

    def _check_hash(self, path: Path, expected: str, sound: bool) -> None:
        if not path.is_file():
            return  # which was told
        try:
            got = sha256(path)
        except OSError as error:
            self._tell(str(error))
            return
        if got != expected:
            where = "in bytes that no record uses: " * sound
            self._tell(f"{path}: expected sha256 {expected}, got {got}: {where}changed since it was written")

    def _check_others(self, folder: Path, names: Sequence[str], classes: int | None) -> None:
        """Check files that no manifest describes."""
        seen: dict[tuple[str, ...], dict[int, str]] = {}
        for name in names:
            shard = self._open(folder / name)
            if shard is None:
                continue
            if shard.siblings not in seen:
                seen[shard.siblings] = {}
                for sibling in shard.siblings:
                    if sibling not in names and not (folder / sibling).is_file():
                        self._tell(f"{folder / sibling}: missing; it was written together with {name}")
            self._check_rows(shard, seen[shard.siblings], classes, None)

    def _open(self, path: Path) -> Shard | None:
        self.files += 1
        try:
            return open_shard(path, self._tell)
        except (ValueError, OSError) as error:
            self._tell(f"{error}; its records were not read")
            return None

    def _check_rows(
        self, shard: Shard, seen: dict[int, str], classes: int | None, expected: Sequence[Expected] | None
    ) -> None:
        """Check all rows of a file.

        Args:
            shard: the file.
            seen: the place of each image id so far, in this file and those it belongs to; is added to.
            classes: the number of classes, if it is known.
            expected: what the rows must be, in their order; None if it is not known.
        """
        key = _id_field(shard)
        if key is None:
            self._tell(
                f"{shard.path}: expected the schema of our records or the tutorial's, got "
                f"{shard.fields!r:.300}; of its records only the lengths were checked"
            )
        # Where rows are missing or too many, they are told apart by their image ids and not by their places.
        placed = expected is not None and len(expected) == len(shard)
        by_id = {} if placed or expected is None else {each.image_id: each for each in expected}
        left, last = dict(by_id), -1
        for row in progress(f"check {shard.path.name}", range(len(shard)), unit="record"):
            self.records += 1
            place = f"row {row} of {shard.path.name}"
            address = f"{shard.path}: row {row}"
            wanted = expected[row] if expected is not None and placed else None
            if min(*shard.spans[row], *shard.raw_spans[row]) < 0:
                if wanted:  # the index does not know whose it is
                    self._tell(f"{address}: image {wanted.image_id}: not read: its place is damaged")
                continue
            try:
                fields = read_row(shard, row)
                check_unused(shard, row)
            except (ValueError, OSError) as error:
                of_image = f"image {wanted.image_id}: " if wanted else ""
                self._tell(f"{address}: {of_image}{str(error).removeprefix(f'{address}: ')}")
                continue
            if key is None:
                continue
            image_id = int(fields[key].item())
            address += f": image {wanted.image_id if wanted else image_id}"
            if image_id in seen and not (wanted and wanted.image_id == image_id):
                self._tell(
                    f"{address}: expected an image of its own, got image {image_id}, "
                    f"which is also {seen[image_id]}"
                )
            elif by_id and image_id not in by_id:
                self._tell(
                    f"{address}: expected an image that the ground truth has in this file, got another"
                )
            elif by_id and image_id < last:
                self._tell(f"{address}: expected image ids in ascending order, got it after image {last}")
            wanted = wanted or by_id.get(image_id)
            last = max(last, image_id)
            seen.setdefault(image_id, place)
            left.pop(image_id, None)
            picture = self._measure(fields["image"])
            if key == "image_id":
                faults = record_faults(fields, picture, classes, wanted)
            else:
                faults = tutorial_faults(fields, picture)
            for fault in faults:
                self._tell(f"{address}: {fault}")
        for image_id in left:
            self._tell(
                f"{shard.path}: image {image_id}: expected a row that can be read, "
                f"as the ground truth has it, got none"
            )

    def _tell(self, sentence: str) -> None:
        if sentence not in self._told:  # both splits need the class list
            self._told.add(sentence)
            tqdm.write(sentence)


def _mindrecord_files(folder: Path) -> list[str]:
    """The names of the MindRecord files in a folder, also of those of which only data or index is there."""
    try:
        names = {path.name.removesuffix(".db") for path in folder.iterdir()}
    except OSError:
        return []
    return sorted(name for name in names if ".mindrecord" in name)


def _id_field(shard: Shard) -> str | None:
    """The field of the image id: image_id in our records, img_id in the tutorial's; None in others."""
    if shard.fields == SCHEMA:
        return "image_id"
    kinds = {name: (entry["type"], entry.get("shape")) for name, entry in shard.fields.items()}
    whole = kinds.keys() == {"img_id", "image", "annotation"} and (
        kinds["img_id"][0] in _WHOLE and kinds["annotation"][0] in _WHOLE
    )
    if not whole or kinds["image"] != ("bytes", None) or kinds["img_id"][1] != [1]:
        return None
    return "img_id" if kinds["annotation"][1] in ([-1, 5], [-1, 6]) else None
