"""JSON read by a window is what Python's own decoder makes of the whole, and so is what is wrong with it."""

import io
import json
import re
import tracemalloc
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ssd.data import big_json
from ssd.data.big_json import only, parse_big_json, read_big_json
from ssd.files import parse_json

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)
FILES = st.dictionaries(st.text(max_size=3), st.lists(VALUES, max_size=5) | VALUES, max_size=4) | VALUES
TEXTS = st.builds(json.dumps, FILES, indent=st.sampled_from([None, 0, 2]), ensure_ascii=st.booleans())
WINDOWS = st.integers(1, 40)


def by_window(text: str, window: int) -> Any:
    with patch.object(big_json, "WINDOW", window):
        return parse_big_json(io.BytesIO(text.encode()), "a.json", dict)


def outcome(parse: Any, *arguments: Any) -> tuple[Any, str]:
    """What was parsed, in JSON, which tells 1 from 1.0 and 0.0 from -0.0; or the sentence of the error."""
    try:
        return json.dumps(parse(*arguments)), ""
    except ValueError as error:
        return None, str(error)


@given(TEXTS, WINDOWS)
@example('{"a": [12, 1.5e+10, -3]}', 1)
@example('{"a": 1e5}', 1)
@example("17", 1)
@example(" [1, 2] \n", 1)
@example("{}", 1)
@example('{"a": [], "b": [1], "a": [2]}', 2)
def test_what_is_read_is_what_the_whole_says(text: str, window: int) -> None:
    assert json.dumps(by_window(text, window)) == json.dumps(json.loads(text))


@given(TEXTS, WINDOWS, st.data())
def test_damage_is_told_as_of_the_whole_with_its_line_and_column(
    text: str, window: int, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(text)))
    taken = data.draw(st.integers(0, 3))
    put = data.draw(
        st.sampled_from(["", "{", "}", "[", "]", ",", ":", '"', "x", "-", "1", ".", "\n", " ", "\ufeff"])
    )
    damaged = text[:place] + put + text[place + taken :]
    assert outcome(by_window, damaged, window) == outcome(parse_json, damaged.encode(), "a.json")


def test_bytes_that_are_no_text_are_refused() -> None:
    for data in (b'{"a": ["\xff"]}', b'{"a": ["\xc3'):
        with pytest.raises(ValueError, match=r"a\.json: expected JSON in UTF-8"):
            parse_big_json(io.BytesIO(data), "a.json", dict)


def test_nesting_without_end_is_refused() -> None:
    for text in ("[" * 100_000, '{"a": [' + "[" * 100_000):
        with pytest.raises(ValueError, match="nested too deeply"):
            parse_big_json(io.BytesIO(text.encode()), "a.json", dict)


def test_no_such_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=re.escape(f"{tmp_path / 'a.json'}: no such file")):
        read_big_json(tmp_path / "a.json", dict)


def test_what_is_kept_and_a_window_is_all_that_takes_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    outline = [number / 7 for number in range(200)]
    entries = [{"id": number, "segmentation": [outline]} for number in range(5000)]
    path.write_text(json.dumps({"annotations": entries}), encoding="utf-8")
    size = path.stat().st_size
    assert size > 12 * big_json.WINDOW
    tracemalloc.start()
    tree = read_big_json(path, only({"annotations", "id"}))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert tree == {"annotations": [{"id": number} for number in range(5000)]}
    assert peak < size / 2


def test_a_list_of_the_outermost_object_becomes_what_is_asked_for_and_no_other_value_does() -> None:
    text = b'{"a": [1, 2], "b": [3], "c": {"a": [4]}}'
    read = parse_big_json(io.BytesIO(text), "a.json", dict, {"a": sum, "missing": sum})
    assert read == {"a": 3, "b": [3], "c": {"a": [4]}}
    assert parse_big_json(io.BytesIO(b'{"a": 5}'), "a.json", dict, {"a": sum}) == {"a": 5}
    assert parse_big_json(io.BytesIO(b'{"a": []}'), "a.json", dict, {"a": tuple}) == {"a": ()}


def test_objects_share_the_keys_that_are_kept() -> None:
    text = json.dumps({"images": [{"file_name": str(number)} for number in range(2)]})
    first, second = by_window_of_names(text)
    assert next(iter(first)) is next(iter(second))


def by_window_of_names(text: str) -> list[dict[str, str]]:
    return parse_big_json(io.BytesIO(text.encode()), "a.json", only({"images", "file_name"}))["images"]
