"""The objects of a split, read in blocks, are those of its ground truth."""

import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ssd.data import objects
from ssd.data.objects import load_objects
from ssd.data.records import CHECKSUMS, CLASSES, make_manifest


def annotation(number: int, image_id: int, **changes: Any) -> dict[str, Any]:
    box = [float(number), 2.0, 10.0, 20.5]
    entry = {"id": number, "image_id": image_id, "category_id": number % 3, "bbox": box, "area": 9.5 * number}
    return {**entry, "iscrowd": 0, **changes}


def records(folder: Path, images: list[int], annotations: list[dict[str, Any]]) -> Path:
    """A folder with the ground truth alone that records of these photos have."""
    sizes = [{"id": each, "file_name": f"{each}.jpg", "width": 100 + each, "height": 60} for each in images]
    tree = {"images": sizes, "annotations": annotations, "categories": [{"id": 1, "name": "cup"}]}
    for name in ("train.json", "val.json", CLASSES, CHECKSUMS):
        (folder / name).write_text(json.dumps(tree))
    manifest = make_manifest(folder, {"train": [], "val": []}, {"train": 0, "val": 0})
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.mark.parametrize("at_once", [1, 2, 4096])
def test_they_are_those_that_count_image_by_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(objects, "_AT_ONCE", at_once)
    given = [
        annotation(1, 3),
        annotation(2, 3, iscrowd=1),
        annotation(3, 3),
        annotation(4, 8, difficult=1),
        annotation(5, 9),
    ]
    found = load_objects(records(tmp_path, [3, 5, 8, 9], given), "val")
    assert [len(each) for each in found] == [2, 0, 0, 1]
    counted = [(given[0], 103), (given[2], 103), (given[4], 109)]
    expected = [
        (y / 60, x / width, (y + down) / 60, (x + across) / width)
        for (x, y, across, down), width in ((each["bbox"], width) for each, width in counted)
    ]
    np.testing.assert_array_equal(found.boxes, np.array(expected, np.float32))
    np.testing.assert_array_equal(np.concatenate(list(found)), found.boxes)
    assert found.areas_px.tolist() == [each["area"] for each, _ in counted]
    assert found.category_ids.tolist() == [each["category_id"] for each, _ in counted]
    assert found.groups()["small"].tolist() == [True, True, True]


def test_without_annotations_or_images_there_are_none(tmp_path: Path) -> None:
    found = load_objects(records(tmp_path, [1, 2], []), "train")
    assert [each.shape for each in found] == [(0, 4), (0, 4)]
    found = load_objects(records(tmp_path, [], []), "train")
    assert len(found) == 0 and found.boxes.shape == (0, 4)


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    folder = records(tmp_path, [1], [annotation(1, 1)])
    (folder / "train.json").write_text("{}")
    with pytest.raises(ValueError, match=r"train\.json: expected sha256"):
        load_objects(folder, "train")


def test_an_image_more_takes_little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "_AT_ONCE", 64)

    def peak(images: int) -> int:
        given = [annotation(7 * image + each, image) for image in range(images) for each in range(7)]
        folder = records(tmp_path, list(range(images)), given)
        del given
        tracemalloc.start()
        load_objects(folder, "train")
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    few, many = 500, 2500
    assert peak(many) - peak(few) < 700 * (many - few)  # as entries they would take 4 kB
