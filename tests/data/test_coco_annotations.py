"""Annotations as a table say what their entries say, in a fraction of the memory."""

import json
import struct
import tracemalloc
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssd.data.coco_annotations import CocoAnnotations, ids_of, packed

NUMBERS = st.floats(-1e6, 1e6)
IDS = st.integers(0, 2**63 - 1)
ENTRIES = st.lists(
    st.fixed_dictionaries(
        {
            "id": IDS,
            "image_id": IDS,
            "category_id": IDS,
            "bbox": st.lists(NUMBERS, min_size=4, max_size=4),
            "area": NUMBERS,
            "iscrowd": st.integers(0, 1),
        },
        optional={"difficult": st.just(1)},
    ),
    max_size=8,
)


def entry(number: int, image_id: int = 1, **changes: Any) -> dict[str, Any]:
    box = [number + 0.25, 2.0, 30.0, 40.5]
    entry = {"id": number, "image_id": image_id, "category_id": 3, "bbox": box, "area": 1215.0, "iscrowd": 0}
    return {**entry, **changes}


@given(ENTRIES)
def test_entries_come_out_as_they_went_in(entries: list[dict[str, Any]]) -> None:
    table = CocoAnnotations.of(iter(entries))
    assert list(table) == entries and len(table) == len(entries)
    assert json.dumps(list(table), sort_keys=True) == json.dumps(entries, sort_keys=True)
    assert list(CocoAnnotations.of(map(packed, entries))) == entries
    assert list(table.counted) == [
        each for each in entries if not each["iscrowd"] and not each.get("difficult")
    ]
    assert CocoAnnotations.of(table) is table


def test_columns_are_of_the_shapes_and_types_that_are_told() -> None:
    for count in (0, 2):
        table = CocoAnnotations.of(map(entry, range(count)))
        assert table["bbox"].shape == (count, 4)
        assert [table[name].dtype.str for name in ("id", "image_id", "category_id", "bbox", "area")] == (
            ["<i8"] * 3 + ["<f8"] * 2
        )
        assert {table[name].dtype.str for name in ("iscrowd", "difficult")} == {"|b1"}


def test_image_by_image_the_order_of_each_stays() -> None:
    table = CocoAnnotations.of(entry(number, image) for number, image in enumerate((9, 4, 9, 7, 4, 9)))
    of_images = table.of_images([7, 8, 9, 4])
    assert of_images.together["id"].tolist() == [3, 0, 2, 5, 1, 4]
    assert of_images.counts.tolist() == [1, 0, 3, 2]
    assert [each["id"].tolist() for each in of_images] == [[3], [], [0, 2, 5], [1, 4]]
    for place in (-1, 4):
        with pytest.raises(IndexError):
            of_images[place]
    none = CocoAnnotations.of([]).of_images([])
    assert (list(none), len(none.together), len(none.counts)) == ([], 0, 0)


def test_an_annotation_of_no_image_is_refused() -> None:
    for image_ids in ([1, 3], []):
        with pytest.raises(ValueError, match="known images, got one of image 2"):
            CocoAnnotations.of([entry(1, 2)]).of_images(image_ids)


def test_a_row_tells_its_ids_and_takes_others() -> None:
    row = packed(entry(5, 6))
    assert ids_of(row) == (5, 6, 3)
    before = CocoAnnotations.of([row])
    after = before.numbered(np.array([2**40]))
    assert (before["id"].tolist(), after["id"].tolist()) == ([5], [2**40])
    assert list(after) == [entry(5, 6, id=2**40)]


def test_what_is_missing_or_no_number_is_refused() -> None:
    with pytest.raises(KeyError, match="area"):
        packed({key: value for key, value in entry(1).items() if key != "area"})
    for changes in ({"id": "1"}, {"image_id": 2**63}, {"bbox": [1, 2, 3, None]}, {"bbox": [1, 2, 3]}):
        with pytest.raises(struct.error):
            packed(entry(1, **changes))


def test_it_takes_a_fraction_of_the_entries_memory() -> None:
    def kept(make: Callable[[Iterable[dict[str, Any]]], Any]) -> int:
        tracemalloc.start()
        held = make(json.loads(json.dumps(entry(number))) for number in range(2000))
        taken, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(held) == 2000
        return taken

    assert kept(lambda entries: CocoAnnotations.of(map(packed, entries))) < kept(list) / 5
