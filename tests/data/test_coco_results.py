"""COCO results as a table."""

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssd.data.coco_results import CocoResults, write_coco_results
from ssd.files import write_json

WHOLE = st.integers(0, 2**62)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)
ENTRY = st.fixed_dictionaries(
    {
        "image_id": WHOLE,
        "category_id": WHOLE,
        "bbox": st.lists(NUMBER, min_size=4, max_size=4),
        "score": NUMBER,
    }
)


def entry(number: int) -> dict[str, Any]:
    return {
        "image_id": number,
        "category_id": number % 7,
        "bbox": [number + 0.1, 2.0, 3.0, 4.0],
        "score": 1 / (1 + number),
    }


@given(st.lists(ENTRY, max_size=5))
def test_entries_come_back_as_they_were(entries: list[dict[str, Any]]) -> None:
    table = CocoResults.of(iter(entries))
    assert len(table) == len(entries)
    assert list(table) == entries
    assert table.boxes_xywh_px.shape == (len(entries), 4)
    assert CocoResults.of(table) is table


def test_many_entries_come_back_in_their_order() -> None:
    entries = [entry(number) for number in range(10_000)]
    assert list(CocoResults.of(entries)) == entries


def test_some_are_taken_by_number_by_truth_and_by_slice() -> None:
    table = CocoResults.of(entry(number) for number in range(20))
    assert list(table.at(np.array([7, 2]))) == [entry(7), entry(2)]
    assert list(table.at(table.category_ids == 3)) == [entry(3), entry(10), entry(17)]
    assert list(table.at(slice(5, 7))) == [entry(5), entry(6)]


@given(st.lists(ENTRY, max_size=5))
def test_the_file_is_what_json_makes_of_the_list(
    tmp_path_factory: pytest.TempPathFactory, entries: list[dict[str, Any]]
) -> None:
    folder = tmp_path_factory.mktemp("results")
    table = CocoResults.of(entries)
    write_coco_results(folder / "table.json", table)
    write_json(folder / "list.json", list(table), indent=None)
    assert (folder / "table.json").read_bytes() == (folder / "list.json").read_bytes()


def test_a_score_that_json_does_not_have_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "detections.json"
    path.write_text("old")
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_coco_results(path, CocoResults.of([entry(1) | {"score": float("nan")}]))
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_long_list_is_written_in_the_memory_of_a_short_one(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        table = CocoResults.of(entry(number) for number in range(count))
        tracemalloc.start()
        write_coco_results(tmp_path / "detections.json", table)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert peak(40_000) < 1.1 * peak(10_000)


def test_a_table_takes_less_than_a_fifth_of_what_the_list_does() -> None:
    def kept(make: Any) -> int:
        tracemalloc.start()
        held = make(entry(number) for number in range(20_000))
        size = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        assert len(held) == 20_000
        return size

    assert kept(CocoResults.of) < kept(list) / 5


def test_a_table_is_made_in_little_more_than_it_takes() -> None:
    tracemalloc.start()
    table = CocoResults.of(entry(number) for number in range(100_000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.5 * sum(column.nbytes for column in vars(table).values())
