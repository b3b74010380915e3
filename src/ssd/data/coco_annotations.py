"""The annotations of a COCO-format file as a table: an eighth of the memory that its entries take."""

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

_COLUMNS = np.dtype(
    [
        ("id", "<i8"),
        ("image_id", "<i8"),
        ("category_id", "<i8"),
        ("bbox", "<f8", 4),
        ("area", "<f8"),
        ("iscrowd", "?"),
        ("difficult", "?"),
    ]
)
_ROW = struct.Struct("<3q5d2?")
ROW_BYTES = _ROW.size


def packed(entry: Mapping[str, Any]) -> bytes:
    """An annotation of a COCO-format file as a row of the table; its keys are checked, its values are not.

    Raises:
        KeyError: a key that is missing.
        struct.error: no numbers, or ids beyond 64 bits.
    """
    return _ROW.pack(
        entry["id"],
        entry["image_id"],
        entry["category_id"],
        *entry["bbox"],
        entry["area"],
        entry["iscrowd"],
        entry.get("difficult", 0),
    )


def ids_of(row: bytes) -> tuple[int, int, int]:
    """Of what `packed` made: id, image_id and category_id."""
    annotation_id, image_id, category_id, *_ = _ROW.unpack(row)
    return annotation_id, image_id, category_id


class CocoAnnotations:
    """Annotations of a COCO-format file, in the order in which they were given.

    Iterated, it gives the entries of the file, one at a time; by name, a column: id, image_id and category_id [N]
    int64, bbox [N, 4] float64 (left, top, width and height in pixels), area [N] float64, iscrowd and difficult [N]
    bool.
    """

    def __init__(self, rows: np.ndarray) -> None:
        self._rows = rows

    @classmethod
    def of(cls, entries: "Iterable[Mapping[str, Any] | bytes]") -> "CocoAnnotations":
        """The table of entries, or of what `packed` made of them; a table is what it was."""
        if isinstance(entries, cls):
            return entries
        rows = bytearray()
        for each in entries:
            rows += each if isinstance(each, bytes) else packed(each)
        return cls(np.frombuffer(rows, _COLUMNS))

    def __getitem__(self, column: str) -> np.ndarray:
        return self._rows[column]

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for row in self._rows:
            number, image_id, category_id, box, area, crowd, difficult = row.tolist()
            entry = {
                "id": number,
                "image_id": image_id,
                "category_id": category_id,
                "bbox": box.tolist(),
                "area": area,
                "iscrowd": int(crowd),
            }
            yield {**entry, "difficult": 1} if difficult else entry

    def at(self, places: np.ndarray | slice) -> "CocoAnnotations":
        """The annotations at these places, [N] numbers or bool or a slice."""
        return CocoAnnotations(self._rows[places])

    def numbered(self, ids: np.ndarray) -> "CocoAnnotations":
        """The same with other ids, [N]."""
        rows = self._rows.copy()
        rows["id"] = ids
        return CocoAnnotations(rows)

    @property
    def is_counted(self) -> np.ndarray:
        """[N] bool: which are objects that count, no crowds and not marked difficult."""
        return ~(self["iscrowd"] | self["difficult"])

    @property
    def counted(self) -> "CocoAnnotations":
        """Those that count."""
        return self.at(self.is_counted)

    def of_images(self, image_ids: Sequence[int]) -> "AnnotationsOfImages":
        """The annotations of each of these images, those of an image in their order.

        Raises:
            ValueError: an annotation of an image that is not among these.
        """
        ids = np.array(image_ids, np.int64)
        strange = np.setdiff1d(self["image_id"], ids)
        if len(strange):
            raise ValueError(f"expected annotations of known images, got one of image {strange[0]}")
        ascending = ids.argsort(kind="stable")
        places = ascending[ids.searchsorted(self["image_id"], sorter=ascending)]
        in_order = bool(
            np.all(places[1:] >= places[:-1])
        )  # as records have them; the table need not be copied
        return AnnotationsOfImages(
            self if in_order else self.at(places.argsort(kind="stable")),
            np.bincount(places, minlength=len(ids)),
        )


class AnnotationsOfImages(Sequence[CocoAnnotations]):
    """The annotations of images, each image's when it is asked for by its place.

    Args:
        together: those of all, image after image.
        counts: [images] how many each has.
    """

    def __init__(self, together: CocoAnnotations, counts: np.ndarray) -> None:
        self.together = together
        self.counts = counts
        self._ends = counts.cumsum()

    def __len__(self) -> int:
        return len(self.counts)

    def __getitem__(self, image: int) -> CocoAnnotations:  # type: ignore[override]
        """Those of the image at this place, from 0."""
        if not 0 <= image < len(self):
            raise IndexError(image)
        end = int(self._ends[image])
        return self.together.at(slice(end - int(self.counts[image]), end))
