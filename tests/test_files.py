"""Files are written whole or not at all, and in one form."""

import csv
import errno
import hashlib
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssd.files import (
    read_csv,
    read_json,
    replacing_folder,
    require_room,
    sha256,
    told,
    write_bytes,
    write_csv,
    write_json,
    write_parts,
    write_text,
)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def fill(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "file.txt").write_text(text)
    return folder


def failing(*_args):
    raise OSError(errno.ENOSPC, "No space left on device")


def rows_that_fail():
    yield (1, 2)
    raise ValueError("the second row")


class Stopped(BaseException):
    """As KeyboardInterrupt: not an Exception."""


# One file


def test_a_file_is_written_with_its_folders_and_leaves_nothing_beside_it(tmp_path):
    path = tmp_path / "some" / "folder" / "file.bin"
    write_bytes(path, b"\x00\n\r\n")
    assert path.read_bytes() == b"\x00\n\r\n"
    assert names_in(path.parent) == ["file.bin"]


def test_parts_make_one_file_and_one_that_fails_leaves_the_old_one(tmp_path):
    path = tmp_path / "file.bin"
    write_parts(path, iter([b"a", memoryview(b"b\n"), b"", b"c"]))
    assert path.read_bytes() == b"ab\nc"

    def failing_parts():
        yield b"new"
        raise ValueError("the second part")

    with pytest.raises(ValueError, match="the second part"):
        write_parts(path, failing_parts())
    assert path.read_bytes() == b"ab\nc"
    assert names_in(tmp_path) == ["file.bin"]


def test_text_is_utf_8_with_the_line_ends_it_has(tmp_path):
    write_text(tmp_path / "file.txt", "größer\r\n→\n")
    assert (tmp_path / "file.txt").read_bytes() == "größer\r\n→\n".encode()


def test_a_file_replaces_the_old_one(tmp_path):
    write_text(tmp_path / "file.txt", "old and longer")
    write_text(tmp_path / "file.txt", "new")
    assert (tmp_path / "file.txt").read_text() == "new"


@pytest.mark.parametrize("call", ["replace", "fsync"])
def test_a_write_that_fails_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch, call):
    path = tmp_path / "file.txt"
    path.write_text("old")
    monkeypatch.setattr(os, call, failing)
    with pytest.raises(OSError, match=r"No space left on device: .*file\.txt"):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert names_in(tmp_path) == ["file.txt"]


def test_a_table_whose_rows_fail_half_way_leaves_the_old_one_and_no_litter(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(ValueError, match="the second row"):
        write_csv(path, ("a", "b"), rows_that_fail())
    assert path.read_text() == "old"
    assert names_in(tmp_path) == ["table.csv"]


@pytest.mark.parametrize("tree", [{"a": float("nan")}, [float("inf")], {"a": object()}])
def test_what_json_does_not_have_leaves_the_old_file_and_no_litter(tmp_path, tree):
    path = tmp_path / "tree.json"
    path.write_text("old")
    with pytest.raises((ValueError, TypeError)):
        write_json(path, tree)
    assert path.read_text() == "old"
    assert names_in(tmp_path) == ["tree.json"]


def test_a_link_into_a_cache_is_replaced_and_not_written_through(tmp_path):
    cached = tmp_path / "cached"
    for link, make in (("hard", os.link), ("soft", os.symlink)):
        cached.write_text("in the cache")
        make(cached, tmp_path / link)
        write_text(tmp_path / link, "new")
        assert cached.read_text() == "in the cache"
        assert (tmp_path / link).read_text() == "new"


# JSON and CSV


def test_json_keeps_the_order_of_keys_and_ends_with_a_line_end(tmp_path):
    write_json(tmp_path / "tree.json", {"b": 1, "a": [0.5, None, "größer"]})
    expected = '{\n  "b": 1,\n  "a": [\n    0.5,\n    null,\n    "größer"\n  ]\n}\n'
    assert (tmp_path / "tree.json").read_bytes() == expected.encode()


def test_json_without_indent_is_one_line(tmp_path):
    write_json(tmp_path / "tree.json", [{"a": 1}, {"a": 2}], indent=None)
    assert (tmp_path / "tree.json").read_text() == '[{"a": 1}, {"a": 2}]\n'


TREES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(TREES)
def test_json_comes_back_as_it_was(tmp_path_factory, tree):
    path = tmp_path_factory.getbasetemp() / "tree.json"
    write_json(path, tree)
    assert read_json(path) == tree


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "expected JSON, got Expecting value in line 1, column 1"),
        (b'{"a": 1,\n "b"', "expected JSON, got Expecting ':' delimiter in line 2, column 5"),
        (b'"\xff"', "expected JSON in UTF-8, got a byte that is not (invalid start byte)"),
        (b"[" * 200_000, "expected JSON, got lists or objects nested too deeply"),
    ],
)
def test_a_file_that_is_not_json_is_named(tmp_path, data, sentence):
    path = tmp_path / "tree.json"
    path.write_bytes(data)
    with pytest.raises(ValueError) as caught:
        read_json(path)
    assert str(caught.value) == f"{path}: {sentence}"


@pytest.mark.parametrize("read", [read_json, read_csv])
def test_a_file_that_is_not_there_is_named(tmp_path, read):
    with pytest.raises(ValueError) as caught:
        read(tmp_path / "missing")
    assert str(caught.value) == f"{tmp_path / 'missing'}: no such file"


def test_a_table_has_unix_line_ends_quotes_where_needed_and_nothing_for_none(tmp_path):
    write_csv(
        tmp_path / "table.csv", ("class", "AP"), [("cat, small", 0.5), ('"dog"', None), ("größe", "0.1000")]
    )
    expected = 'class,AP\n"cat, small",0.5\n"""dog""",\ngröße,0.1000\n'
    assert (tmp_path / "table.csv").read_bytes() == expected.encode()
    assert names_in(tmp_path) == ["table.csv"]


def test_a_table_comes_back_by_the_names_of_its_header(tmp_path):
    write_csv(tmp_path / "table.csv", ("class", "AP"), [("two\nlines", 0.5), ("cat", None)])
    assert read_csv(tmp_path / "table.csv") == [
        {"class": "two\nlines", "AP": "0.5"},
        {"class": "cat", "AP": ""},
    ]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "expected a table with a header, got an empty file"),
        (b"a,b\n1,2", "expected a table that ends with a line end, got one that is cut off"),
        (b"a\n\xff\n", "expected a table in UTF-8, got a byte that is not (invalid start byte)"),
        (
            b"a\n" + b"9" * 200_000 + b"\n",
            "expected a table, got one that cannot be read (field larger than field limit",
        ),
    ],
)
def test_a_file_that_is_not_a_table_is_named(tmp_path, data, sentence):
    path = tmp_path / "table.csv"
    path.write_bytes(data)
    limit = csv.field_size_limit(131_072)  # a library of another test in this process may have raised it
    try:
        with pytest.raises(ValueError) as caught:
            read_csv(path)
    finally:
        csv.field_size_limit(limit)
    assert str(caught.value).startswith(f"{path}: {sentence}")


# Folders


def test_a_folder_appears_when_it_is_complete(tmp_path):
    path = tmp_path / "some" / "folder"
    with replacing_folder(path) as folder:
        assert names_in(folder) == []
        fill(folder, "new")
        assert not path.exists()
    assert (path / "file.txt").read_text() == "new"
    assert names_in(path.parent) == ["folder"]


def test_a_folder_takes_the_place_of_the_old_one_with_nothing_of_it_left(tmp_path):
    path = fill(tmp_path / "folder", "old")
    (path / "only in the old one").touch()
    with replacing_folder(path) as folder:
        fill(folder, "new")
        assert (path / "file.txt").read_text() == "old"
    assert names_in(path) == ["file.txt"]
    assert (path / "file.txt").read_text() == "new"
    assert names_in(tmp_path) == ["folder"]


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt, SystemExit, Stopped])
def test_an_error_while_a_folder_is_filled_leaves_the_old_one_and_no_litter(tmp_path, error):
    path = fill(tmp_path / "folder", "old")
    with pytest.raises(error), replacing_folder(path) as folder:
        fill(folder, "new")
        raise error("half way")
    assert (path / "file.txt").read_text() == "old"
    assert names_in(tmp_path) == ["folder"]


def test_an_error_while_the_first_folder_is_filled_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match="half way"), replacing_folder(tmp_path / "folder") as folder:
        fill(folder, "new")
        raise ValueError("half way")
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("failing_call", [1, 2], ids=["moving the old one away", "moving the new one in"])
@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_an_error_while_the_folders_change_places_leaves_the_old_one(
    tmp_path, monkeypatch, failing_call, error
):
    path, replace, calls = fill(tmp_path / "folder", "old"), os.replace, []

    def failing_once(*places):
        calls.append(places)
        if len(calls) == failing_call:
            raise error("at the worst time")
        replace(*places)

    monkeypatch.setattr(os, "replace", failing_once)
    with pytest.raises(error, match="at the worst time"), replacing_folder(path) as folder:
        fill(folder, "new")
    assert (path / "file.txt").read_text() == "old"
    assert names_in(tmp_path) == ["folder"]


def test_what_a_killed_run_left_behind_is_cleared_away(tmp_path):
    path = fill(tmp_path / "folder", "old")
    fill(tmp_path / "folder.new", "half")
    fill(tmp_path / "folder.old", "older")
    with replacing_folder(path) as folder:
        assert names_in(folder) == []
        assert (path / "file.txt").read_text() == "old"
    assert names_in(tmp_path) == ["folder"]


def test_a_folder_that_a_killed_run_had_moved_away_comes_back_before_anything_else(tmp_path):
    fill(tmp_path / "folder.old", "old")
    with pytest.raises(ValueError), replacing_folder(tmp_path / "folder"):
        raise ValueError
    assert (tmp_path / "folder" / "file.txt").read_text() == "old"
    assert names_in(tmp_path) == ["folder"]


def test_a_link_to_a_folder_is_replaced_and_what_it_led_to_is_untouched(tmp_path):
    cached = fill(tmp_path / "cached", "in the cache")
    (tmp_path / "folder").symlink_to(cached)
    with replacing_folder(tmp_path / "folder") as folder:
        fill(folder, "new")
    assert (tmp_path / "folder" / "file.txt").read_text() == "new"
    assert not (tmp_path / "folder").is_symlink()
    assert (cached / "file.txt").read_text() == "in the cache"


def test_a_file_in_the_way_of_a_folder_is_replaced(tmp_path):
    (tmp_path / "folder").write_text("a file")
    with replacing_folder(tmp_path / "folder") as folder:
        fill(folder, "new")
    assert names_in(tmp_path) == ["folder"]
    assert (tmp_path / "folder" / "file.txt").read_text() == "new"


@pytest.mark.parametrize(
    ("error", "named"),
    [(OSError(errno.ENOSPC, "full"), "folder"), (OSError(errno.EIO, "broken", "elsewhere"), "elsewhere")],
)
def test_an_error_without_a_file_that_ends_the_filling_of_a_folder_gets_its_name(tmp_path, error, named):
    with pytest.raises(OSError) as caught, replacing_folder(tmp_path / "folder"):
        raise error
    assert Path(caught.value.filename).name == named


def test_litter_that_cannot_be_removed_is_told_by_its_path(tmp_path, monkeypatch):
    fill(tmp_path / "folder.new", "half")

    def read_only(*_args):
        raise OSError(errno.EROFS, "Read-only file system", "file.txt")

    monkeypatch.setattr(shutil, "rmtree", read_only)
    with pytest.raises(OSError) as caught, replacing_folder(tmp_path / "folder"):
        pass
    assert caught.value.filename == str(tmp_path / "folder.new")


# Room


def test_room_is_looked_for_and_given_back(tmp_path):
    require_room(tmp_path / "file", 1 << 30, 1000)
    assert names_in(tmp_path) == []


def test_room_that_is_not_there_is_told_with_the_file_that_wanted_it(tmp_path):
    with pytest.raises(OSError) as caught:
        require_room(tmp_path / "none" / "file", 0, 1)
    assert (caught.value.errno, caught.value.filename) == (errno.ENOENT, str(tmp_path / "none" / "file"))


# What is told


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (OSError("no number"), "no number"),
        (OSError(errno.ENOSPC, "Full"), "[Errno 28] Full"),
        (OSError(errno.ENOSPC, "Full", "a"), "a: Full; make room on its disk and run again"),
        (OSError(errno.ENOTDIR, "Not a directory", Path("a")), "a: Not a directory"),
    ],
)
def test_an_error_of_the_system_is_a_sentence_with_file_cause_and_what_to_do(error, sentence):
    assert told(error) == sentence


# Digests


@pytest.mark.parametrize(
    "data", [b"", b"abc", b"x" * ((2 << 20) + 1)], ids=["empty", "short", "several blocks"]
)
def test_the_digest_is_that_of_the_whole_file(tmp_path, data):
    (tmp_path / "file").write_bytes(data)
    assert sha256(tmp_path / "file") == hashlib.sha256(data).hexdigest()
