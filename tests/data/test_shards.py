import shutil
import sqlite3
from contextlib import closing

import numpy as np
import pytest

from ssd.data.shards import check_shard, open_shard, read_row
from ssd.runtime import prepare_mindspore

SCHEMA = {
    "key": {"type": "int64", "shape": [1]},
    "small": {"type": "int32", "shape": [-1, 3]},
    "real": {"type": "float32", "shape": [-1]},
    "double": {"type": "float64", "shape": [2]},
    "data": {"type": "bytes"},
}
WIDTHS = [0, -1, 127, -128, 128, 32767, -32768, 32768, 2**31 - 1, -(2**31), 2**31, -(2**63), 2**63 - 1]


def make_rows():
    rng = np.random.default_rng(1)
    for number in WIDTHS:
        count = int(rng.integers(1, 5))
        yield {
            "key": np.array([number], np.int64),
            "small": rng.choice([0, 5, -200, 70_000], (count, 3)).astype(np.int32),
            "real": rng.random(count, np.float32),
            "double": rng.random(2),
            "data": rng.bytes(int(rng.integers(0, 9000))) + b"\0\0",
        }


def read_with_mindspore(path):
    prepare_mindspore()
    from mindspore.mindrecord import FileReader

    reader = FileReader([str(path)], num_consumer=1)
    rows = list(reader.get_next())
    reader.close()
    return rows


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A file of several pages."""
    prepare_mindspore()
    from mindspore.mindrecord import FileWriter

    path = tmp_path_factory.mktemp("shards") / "a.mindrecord"
    writer = FileWriter(str(path))
    writer.set_header_size(1 << 14)
    writer.set_page_size(1 << 15)
    writer.add_schema(SCHEMA)
    for row in make_rows():
        writer.write_raw_data([row])
    writer.commit()
    return path


@pytest.fixture
def shard_path(written, tmp_path):
    """A copy to damage."""
    for name in (written.name, f"{written.name}.db"):
        shutil.copyfile(written.parent / name, tmp_path / name)
    return tmp_path / written.name


def same(left, right):
    return left.keys() == right.keys() and all(
        value == right[name]
        if isinstance(value, bytes)
        else value.dtype == right[name].dtype and np.array_equal(value, right[name])
        for name, value in left.items()
    )


def test_rows_are_read_as_they_were_written(written):
    shard = check_shard(written)
    expected = list(make_rows())
    assert len(shard) == len(expected)
    assert all(same(read_row(shard, row), expected[row]) for row in range(len(shard)))


def test_rows_are_read_as_mindspore_reads_them(written):
    shard = check_shard(written)
    assert all(same(read_row(shard, row), theirs) for row, theirs in enumerate(read_with_mindspore(written)))


def test_the_test_file_has_several_pages(written):
    starts = open_shard(written).spans[:, 0]
    assert len(set((starts - (1 << 14)) // (1 << 15))) > 1


def test_only_the_fields_asked_for_are_read(written):
    assert list(read_row(open_shard(written), 2, {"key"})) == ["key"]


def test_a_missing_index_is_named(shard_path):
    (shard_path.parent / "a.mindrecord.db").unlink()
    with pytest.raises(ValueError, match=r"a\.mindrecord\.db: missing beside a\.mindrecord$"):
        open_shard(shard_path)


def test_a_missing_data_file_is_named(shard_path):
    shard_path.unlink()
    with pytest.raises(ValueError, match=r"a\.mindrecord: missing beside a\.mindrecord\.db$"):
        open_shard(shard_path)


def test_a_file_cut_off_anywhere_is_refused(shard_path):
    whole = shard_path.read_bytes()
    for length in (0, 5, 8, 100, 1 << 14, len(whole) // 2, len(whole) - 1):
        shard_path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"a\.mindrecord: "):
            open_shard(shard_path)
    with pytest.raises(ValueError, match=rf"expected {len(whole)} bytes, got {len(whole) - 1}: cut off"):
        open_shard(shard_path)


@pytest.mark.parametrize("content", [b"", b"garbage", b"SQLite format 3\0" + bytes(5000)])
def test_an_index_that_is_none_is_refused(shard_path, content):
    (shard_path.parent / "a.mindrecord.db").write_bytes(content)
    with pytest.raises(
        ValueError, match=r"a\.mindrecord\.db: expected the index of a MindRecord file, got: "
    ):
        open_shard(shard_path)


def test_a_cut_off_index_is_refused(shard_path):
    path = shard_path.parent / "a.mindrecord.db"
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(ValueError, match=r"a\.mindrecord\.db: "):
        open_shard(shard_path)


def test_a_renamed_file_is_refused(shard_path):
    for suffix in ("", ".db"):
        (shard_path.parent / f"a.mindrecord{suffix}").rename(shard_path.parent / f"b.mindrecord{suffix}")
    with pytest.raises(
        ValueError, match=r"b\.mindrecord\.db: expected the index of b\.mindrecord, got that of"
    ):
        open_shard(shard_path.parent / "b.mindrecord")


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        ("DELETE FROM INDEXES WHERE ROW_ID = 3", "expected row 3, got row 4"),
        ("DELETE FROM INDEXES WHERE ROW_ID = 12", "rows are missing"),
        (
            "UPDATE INDEXES SET PAGE_OFFSET_BLOB = PAGE_OFFSET_BLOB + 1 WHERE ROW_ID = 2",
            "row 2: expected a place",
        ),
        ("UPDATE INDEXES SET PAGE_OFFSET_BLOB_END = 99999 WHERE ROW_ID = 2", "row 2: expected a place"),
        ("UPDATE INDEXES SET PAGE_ID_BLOB = 99 WHERE ROW_ID = 2", "row 2: expected a place"),
        ("UPDATE INDEXES SET PAGE_ID_RAW = 0 WHERE ROW_ID = 2", "row 2: expected a place"),
        ("UPDATE INDEXES SET PAGE_ID_BLOB = 'x' WHERE ROW_ID = 2", "row 2: expected pages and offsets"),
        ("UPDATE INDEXES SET PAGE_OFFSET_RAW = -1 WHERE ROW_ID = 0", "row 0: expected pages and offsets"),
        ("DROP TABLE INDEXES", "no such table: INDEXES"),
        ("UPDATE SHARD_NAME SET NAME = 'other'", "expected the index of a.mindrecord, got that of"),
        ("DELETE FROM SHARD_NAME", "expected the index of a.mindrecord, got that of"),
        (
            "ALTER TABLE INDEXES RENAME TO ROWS; CREATE VIEW INDEXES AS WITH RECURSIVE n(i) AS "
            "(SELECT 0 UNION ALL SELECT i + 1 FROM n) SELECT ROWS.* FROM n, ROWS",  # rows without end
            "no such table: INDEXES",
        ),
    ],
)
def test_an_index_that_leads_astray_is_refused(shard_path, statement, sentence):
    path = shard_path.parent / "a.mindrecord.db"
    with closing(sqlite3.connect(path)) as database, database:
        database.executescript(statement)
    with pytest.raises(ValueError, match=rf"a\.mindrecord\.db: .*{sentence}"):
        open_shard(shard_path)


@pytest.mark.parametrize(
    ("there", "instead"),
    [
        (b'"page_id": 0', b'"page_id": 7'),
        (b'"page_size": 32768', b'"page_size": 99999'),
        (b'"page"', b'"pagf"'),
        (b'"statistics": null', b'"statistics": 1234'),
        (b'"version"', b'"wersion"'),
        (b'"int64"', b'"int65"'),
        (b'"blob_fields"', b'"blob_fields\\"'),
        (b'"page_type": "BLOB', b'"page_type": "BLUB'),
        (b'"row_group_ids": [{"id": 0', b'"row_group_ids": [{"ix": 0'),
        (b'["a.mindrecord"]', b'["b.mindrecord"]'),
        (b'"header_size": 16384', b'"header_size": 00384'),
    ],
)
def test_a_damaged_header_is_refused(shard_path, there, instead):
    whole = shard_path.read_bytes()
    spelled = there if there in whole else there.replace(b": ", b":")
    assert spelled in whole[: 1 << 14]
    shard_path.write_bytes(whole.replace(spelled, instead, 1))
    with pytest.raises(ValueError, match=r"a\.mindrecord: "):
        check_shard(shard_path)


def test_what_sqlite_finds_is_told_on_one_line(shard_path):
    path = shard_path.parent / "a.mindrecord.db"
    whole = path.read_bytes()
    sentences = set()
    for place in range(0, len(whole), 512):
        path.write_bytes(whole[:place] + whole[place : place + 16] + whole[place:])  # all behind it moved on
        with pytest.raises(ValueError) as caught:
            open_shard(shard_path)
        sentences.add(str(caught.value))
    assert any("expected a sound SQLite file" in sentence for sentence in sentences)
    assert not any("\n" in sentence for sentence in sentences)


def test_a_shape_that_no_array_has_is_refused(shard_path):
    shard = open_shard(shard_path)
    shard.fields["key"]["shape"] = [10**30]
    with pytest.raises(ValueError, match=r"a\.mindrecord: row 0: key: expected the shape \[1000"):
        read_row(shard, 0, {"key"})


def test_a_wrong_length_anywhere_in_a_row_is_refused(shard_path):
    whole = shard_path.read_bytes()
    start, _ = open_shard(shard_path).spans[1]
    for offset in (0, 4, 8, 12, 15):  # the row's length, then that of its first field
        damaged = bytearray(whole)
        damaged[start + offset] ^= 1
        shard_path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"a\.mindrecord: row 1: "):
            check_shard(shard_path)


def test_random_damage_is_refused_or_harmless_and_never_another_exception(shard_path):
    rng = np.random.default_rng(5)
    expected = list(make_rows())
    index_path = shard_path.parent / "a.mindrecord.db"
    whole, index = shard_path.read_bytes(), index_path.read_bytes()
    header_length = 8 + int.from_bytes(whole[:8], "little")
    refused = 0
    for round_ in range(300):
        data, database = bytearray(whole), bytearray(index)
        buffer, end = [(data, header_length), (data, len(data)), (database, len(database))][round_ % 3]
        buffer[rng.integers(end)] = rng.integers(256)
        shard_path.write_bytes(data)
        index_path.write_bytes(database)
        try:
            shard = check_shard(shard_path)
        except ValueError as error:
            refused += 1
            assert str(error).startswith(str(shard_path))
        else:
            rows = [read_row(shard, row) for row in range(len(shard))]
            assert [row.keys() for row in rows] == [row.keys() for row in expected]
    assert refused > 60
