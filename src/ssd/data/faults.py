"""What is wrong with one record, in our schema or in that of MindSpore's tutorial: every fault, a sentence each."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ssd.data.expected import Expected
from ssd.data.records import row_sha256, without_sentinel

TUTORIAL_CLASSES = 80
"""Labels of the tutorial's records go from 1 to here: COCO's classes."""

_JPEG, _JPEG_END = b"\xff\xd8", b"\xff\xd9"


@dataclass(frozen=True)
class Picture:
    """What decoding a photo showed.

    Attributes:
        size: height and width in pixels; None if there is no picture.
        complaint: what the decoder said beside it.
    """

    size: tuple[int, int] | None
    complaint: str = ""


def record_faults(
    row: Mapping[str, Any], picture: Picture, classes: int | None, expected: Expected | None
) -> Iterator[str]:
    """What is wrong with a row of our records.

    Args:
        row: the fields of `records.SCHEMA`, the photo as bytes.
        picture: the photo decoded.
        classes: the number of classes; None if it is not known.
        expected: what the row must be; None if it is not known.
    """
    faults = list(_own_faults(row, picture, classes))
    if expected is None:
        if not faults and picture.complaint:
            faults.append(_damaged(row["image"], picture))
    else:
        faults += _differences(row, picture, expected, faults)
        # A photo may have come to the records with what the decoder complains of: its checksum decides.
        if not faults and row_sha256(row) != expected.checksum:
            said = f"; {picture.complaint}" if picture.complaint else ""
            faults.append(
                f"expected values of sha256 {expected.checksum}, got {row_sha256(row)}: "
                f"changed since they were written{said}"
            )
    yield from faults


def tutorial_faults(row: Mapping[str, Any], picture: Picture) -> Iterator[str]:
    """What is wrong with a row of the tutorial's records: img_id, image and annotation (see `sources.archive`)."""
    if row["img_id"].size != 1 or row["img_id"].min() < 0:
        yield f"expected one number >= 0 as img_id, got {row['img_id'].tolist()}"
    yield from _picture_faults(row["image"], picture)
    if picture.size is not None and picture.complaint:
        yield _damaged(row["image"], picture)
    table = row["annotation"]
    if not len(table):
        yield "expected at least one box, got none, which MindSpore reads back as garbage"
    unknown = table[(table[:, 4] < 1) | (table[:, 4] > TUTORIAL_CLASSES)]
    if len(unknown):
        yield f"expected labels from 1 to {TUTORIAL_CLASSES}, got {unknown[:, 4].tolist()}"
    if table.shape[1] > 5 and not np.isin(table[:, 5], (0, 1)).all():
        yield f"expected 0 or 1 for crowd, got {table[:, 5].tolist()}"
    most = picture.size or (np.inf, np.inf)
    astray = table[~_lie_inside(table[:, :4], most)][:, :4]
    if len(astray):
        where = f"inside the picture of {picture.size}" if picture.size else "in pixels >= 0"
        yield f"expected boxes with area {where}, got {astray.tolist()}"


def _own_faults(row: Mapping[str, Any], picture: Picture, classes: int | None) -> Iterator[str]:
    """What is wrong whatever the ground truth says."""
    yield from _picture_faults(row["image"], picture)
    boxes, labels = row["boxes"], row["labels"]
    if boxes.shape != (labels.size, 4) or labels.ndim != 1 or not labels.size:
        yield (
            f"expected a label for each box and at least one, "
            f"got boxes {boxes.shape} and labels {labels.shape}"
        )
        return
    most = np.inf if classes is None else classes
    if np.any(labels < 0) or np.any(labels > most) or (np.any(labels == 0) and labels.size > 1):
        known = "1 on" if classes is None else f"1 to {classes}"
        yield f"expected labels from {known}, or only a 0, got {labels.tolist()}"
    real, _ = without_sentinel(boxes, labels)
    astray = real[~_lie_inside(real, (1, 1))]
    if len(astray):
        yield f"expected boxes with area in [0, 1], got {astray.tolist()}"


def _differences(
    row: Mapping[str, Any], picture: Picture, expected: Expected, faults: list[str]
) -> Iterator[str]:
    """What is not as the ground truth says; of boxes and labels only if they are possible in themselves."""
    if row["image_id"].tolist() != [expected.image_id]:
        yield f"expected its row, got that of image {row['image_id'].tolist()}"
    stored = *row["height"].tolist(), *row["width"].tolist()
    if not stored == (picture.size or stored) == expected.size:
        of_picture = f" for a picture of {picture.size}" if picture.size else ""
        yield f"expected height and width {expected.size}, got {stored}{of_picture}"
    if faults:
        return
    boxes, labels = without_sentinel(row["boxes"], row["labels"])
    if not (np.array_equal(boxes, expected.boxes) and np.array_equal(labels, expected.labels)):
        yield f"expected the {len(expected.labels)} objects of the ground truth, got {len(boxes)} others"


def _picture_faults(encoded: bytes, picture: Picture) -> Iterator[str]:
    if picture.size is None:
        cut = encoded.startswith(_JPEG) and not encoded.endswith(_JPEG_END)
        what = "of a JPEG without its end marker: cut short" if cut else "that are none"
        said = f"; {picture.complaint}" if picture.complaint else ""
        yield f"expected a picture, got {len(encoded)} bytes {what}{said}"


def _damaged(encoded: bytes, picture: Picture) -> str:
    return (
        f"expected a sound picture, got {len(encoded)} bytes of which the decoder says: {picture.complaint}"
    )


def _lie_inside(boxes: np.ndarray, most: tuple[float, float]) -> np.ndarray:
    """Whether each box, [N, 4] yxyx, has area and lies between 0 and (height, width): [N] bool; NaN does not."""
    return np.all((boxes >= 0) & (boxes <= np.array([*most, *most])), axis=1) & np.all(
        boxes[:, :2] < boxes[:, 2:], axis=1
    )
