import dataclasses
import json
import shutil
import signal
import sqlite3
import time
from contextlib import closing, nullcontext

import cv2
import numpy as np
import pytest
from tiny_raw import NO_SHARED, SHARED, STRICT, picture, write_raw

from ssd.data import check, decode_guarded
from ssd.data.check import check_files
from ssd.data.decode_guarded import GuardedDecoder
from ssd.data.faults import Picture
from ssd.data.record_writer import write_records
from ssd.data.records import CHECKSUMS, row_sha256
from ssd.data.shards import open_shard, read_row
from ssd.data.sources.coco import read_coco
from ssd.files import sha256, write_json
from ssd.runtime import prepare_mindspore


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Records of train 4, 12, 30 in two files, and of val 2."""
    raw = write_raw(tmp_path_factory.mktemp("check") / "raw")
    folder = raw.parent / "records"
    folder.mkdir()
    write_records(folder, read_coco(raw), dataclasses.replace(STRICT, images_per_file=2))
    return folder


@pytest.fixture
def records(written, tmp_path):
    """A copy to damage."""
    return shutil.copytree(written, tmp_path / "records")


@pytest.fixture(scope="module")
def decoder():
    """One for all tests: starting its process takes a third of a second."""
    with GuardedDecoder() as measure:
        yield measure


@pytest.fixture
def faults(capsys, monkeypatch, decoder):
    """A function: the faults that are told of these paths."""
    monkeypatch.setattr(check, "GuardedDecoder", lambda: nullcontext(decoder))

    def find(*paths):
        try:
            check_files(paths)
        except ValueError as error:
            told = capsys.readouterr().out.splitlines()
            assert told, error
            assert str(error).startswith(f"{len(told)} fault{'s' * (len(told) > 1)} found by checking ")
            return told
        told = capsys.readouterr().out
        assert told.startswith("checked ") and told.endswith(": no fault\n") and told.count("\n") == 1
        return []

    return find


def flip(path, place, bit=0):
    data = bytearray(path.read_bytes())
    data[place] ^= 1 << bit
    path.write_bytes(data)


def span_of(path, row, field):
    """First byte and end of a field of bytes or numbers, found by its content."""
    shard = open_shard(path)
    start, end = map(int, shard.spans[row])
    stored = path.read_bytes()[start:end]
    value = read_row(shard, row)[field]
    content = value if isinstance(value, bytes) else value.tobytes()
    assert stored.count(content) == 1
    first = start + stored.index(content)
    return first, first + len(content)


def write_rows(path, rows, schema):
    prepare_mindspore()
    from mindspore.mindrecord import FileWriter

    writer = FileWriter(str(path))
    writer.set_header_size(1 << 14)
    writer.set_page_size(1 << 15)
    writer.add_schema(schema)
    for row in rows:
        writer.write_raw_data([row])
    writer.commit()
    return path


TUTORIAL = {
    "img_id": {"type": "int32", "shape": [1]},
    "image": {"type": "bytes"},
    "annotation": {"type": "int32", "shape": [-1, 5]},
}


def tutorial_row(number, table, encoded=None):
    return {
        "img_id": np.array([number], np.int32),
        "image": picture(number, 20, 30) if encoded is None else encoded,
        "annotation": np.array(table, np.int32),
    }


def sql(path, statement):
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(statement)


# Sound sets


def test_sound_records_are_told_in_one_sentence(written, capsys):
    check_files([written])
    assert capsys.readouterr().out == (
        "checked 4 records in 3 MindRecord files: index, schema, picture, boxes and labels of every record, "
        "and all that the manifest says: no fault\n"
    )


def test_single_files_are_checked_by_the_data_file_or_its_index(written, capsys):
    check_files([written / "train-01.mindrecord.db", written / "train-01.mindrecord"])
    assert capsys.readouterr().out.startswith("checked 1 record in 1 MindRecord file: ")


@pytest.mark.skipif(not (SHARED / "ssd_datasets.zip").exists(), reason=NO_SHARED)
def test_the_tutorials_own_records_are_sound(tmp_path, capsys):
    shutil.unpack_archive(SHARED / "ssd_datasets.zip", tmp_path)
    check_files([tmp_path / "datasets/MindRecord_COCO"])
    assert capsys.readouterr().out == (
        "checked 149 records in 4 MindRecord files: index, schema, picture, boxes and labels of every record "
        "(without a manifest a changed picture that still decodes cannot be seen): no fault\n"
    )


def test_what_is_checked_stays_as_it_is(records, faults):
    before = {path.name: path.read_bytes() for path in records.iterdir()}
    assert faults(records) == []
    assert {path.name: path.read_bytes() for path in records.iterdir()} == before


# Damage of our records


def test_every_fault_is_told_with_file_row_and_image(records, faults):
    path = records / "train-00.mindrecord"
    for row in (0, 1):
        first, end = span_of(path, row, "image")
        flip(path, (first + end) // 2)
    (records / "val-00.mindrecord.db").unlink()
    told = faults(records)
    assert [each.partition(": expected")[0] for each in told] == [
        f"{path}: row 0: image 4",
        f"{path}: row 1: image 12",
        f"{path}",
        f"{records}/val-00.mindrecord.db: missing beside val-00.mindrecord; its records were not read",
    ]
    assert "changed since they were written" in told[0]
    assert "changed since it was written" in told[2]


def test_a_flipped_bit_that_still_decodes_is_told_by_row_and_image(records, faults):
    """Of the bits of a photo most only change pixels."""
    path = records / "train-01.mindrecord"
    whole = path.read_bytes()
    first, end = span_of(path, 0, "image")
    rng = np.random.default_rng(3)
    by_checksum = 0
    for _ in range(40):
        path.write_bytes(whole)
        flip(path, int(rng.integers(first, end)), int(rng.integers(8)))
        told = faults(records)
        assert told[0].startswith(f"{path}: row 0: image 30: expected ")
        assert told[-1].startswith(f"{path}: expected sha256 ") and "in bytes that no" not in told[-1]
        by_checksum += "expected values of sha256" in told[0]
    assert by_checksum > 20


def test_flipped_bits_anywhere_in_a_set_are_all_found(records, faults):
    """Whatever byte of whatever file: also what lies where no record is, since the hashes see it."""
    rng = np.random.default_rng(7)
    paths = sorted(records.iterdir())
    harmless = 0
    for round_ in range(180):
        path = paths[round_ % len(paths)]
        whole = path.read_bytes()
        flip(path, int(rng.integers(len(whole))), int(rng.integers(8)))
        if not faults(records):
            # Only the manifest has no hash: what JSON does not read, as the white space between its parts.
            assert path.name == "manifest.json"
            assert json.loads(path.read_text()) == json.loads(whole)
            harmless += 1
        path.write_bytes(whole)
    assert harmless < 10
    assert faults(records) == []


def test_bits_in_all_parts_of_a_record_name_the_record(records, faults):
    path = records / "train-01.mindrecord"
    whole = path.read_bytes()
    start, end = map(int, open_shard(path).spans[0])
    rng = np.random.default_rng(11)
    first, last = span_of(path, 0, "image")
    places = [place for place in range(start, end) if not first <= place < last]
    sound, unused = read_row(open_shard(path), 0), 0
    for place in rng.choice(places, 60, replace=False):
        flip(path, int(place), int(rng.integers(8)))
        told = faults(records)
        if not told[0].startswith(f"{path}: row 0: image 30: "):
            # Two bits tell the size of a packed number, four of them share a byte: one number leaves six unused.
            assert len(told) == 1 and "in bytes that no record uses" in told[0]
            assert row_sha256(read_row(open_shard(path), 0)) == row_sha256(sound)
            unused += 1
        path.write_bytes(whole)
    assert unused < 10


def test_a_changed_byte_that_no_record_uses_is_told_as_such(records, faults):
    path = records / "val-00.mindrecord"
    header = 8 + int.from_bytes(path.read_bytes()[:8], "little")
    flip(path, header + 50)
    (told,) = faults(records)
    assert told.startswith(f"{path}: expected sha256 ")
    assert told.endswith(": in bytes that no record uses: changed since it was written")


def test_a_file_cut_off_tells_which_records_are_lost(records, faults):
    path = records / "train-00.mindrecord"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    told = faults(path)
    assert told[0] == f"{path}: expected {len(whole)} bytes, got {len(whole) - 1}: cut off"
    assert any(each.startswith(f"{path}: row 1: image 12: not read") for each in told)
    assert not any(each.startswith(f"{path}: row 0: image 4") for each in told)


@pytest.mark.parametrize("length", [0, 1, 7, 8, 100, 5000, 1 << 14, 30_000, -1])
def test_a_file_cut_off_anywhere_is_told(records, faults, length):
    path = records / "train-00.mindrecord"
    path.write_bytes(path.read_bytes()[:length])
    assert all(each.startswith(f"{path}") for each in faults(records))
    assert faults(path)


def test_exchanged_indexes_are_told_of_both_files(records, faults):
    one, other = records / "train-00.mindrecord.db", records / "train-01.mindrecord.db"
    one_data, other_data = one.read_bytes(), other.read_bytes()
    one.write_bytes(other_data)
    other.write_bytes(one_data)
    told = faults(records)
    assert told[0].startswith(f"{one}: expected the index of train-00.mindrecord, got that of ")
    assert any(each.startswith(f"{other}: expected the index of train-01.mindrecord") for each in told)


@pytest.mark.parametrize("name", ["train-00.mindrecord", "train-00.mindrecord.db"])
def test_a_deleted_file_is_told(records, faults, name):
    (records / name).unlink()
    assert any(each.startswith(f"{records / name}: missing beside ") for each in faults(records))
    assert any(each.startswith(f"{records / name}: missing beside ") for each in faults(records / name))


@pytest.mark.parametrize("name", ["classes.json", "checksums.json", "train.json", "val.json"])
@pytest.mark.parametrize("content", [None, b"", b"[]", b"\xff", b"[" * 100_000])
def test_damage_beside_the_records_is_told_and_the_records_are_read_all_the_same(
    records, faults, name, content
):
    (records / name).unlink()
    if content is not None:
        (records / name).write_bytes(content)
    flip(records / "train-00.mindrecord", span_of(records / "train-00.mindrecord", 0, "image")[0])
    told = faults(records)
    assert sum(each.startswith(f"{records / name}: ") for each in told) == 1
    assert any(each.startswith(f"{records}/train-00.mindrecord: row 0: image 4: ") for each in told)


@pytest.mark.parametrize("content", [None, b"", b"[]", b'{"format": 1}', b"\xff"])
def test_records_without_a_manifest_are_no_sound_folder(records, faults, content):
    (records / "manifest.json").unlink()
    if content is not None:
        (records / "manifest.json").write_bytes(content)
    told = faults(records)
    assert all(each.startswith(f"{records}/manifest.json: ") for each in told)


def test_every_damaged_place_of_an_index_is_told(records, faults):
    index = records / "train-00.mindrecord.db"
    sql(index, "UPDATE INDEXES SET PAGE_OFFSET_BLOB = PAGE_OFFSET_BLOB + 1")
    told = faults(records / "train-00.mindrecord")
    for row, image_id in ((0, 4), (1, 12)):
        address = f"{records}/train-00.mindrecord: row {row}: image {image_id}: "
        assert any(each.startswith(address) for each in told)
    assert any(each.startswith(f"{index}: row 0: expected a place") for each in told)


def test_a_row_missing_from_the_index_is_told_by_its_image(records, faults):
    sql(records / "train-00.mindrecord.db", "DELETE FROM INDEXES WHERE ROW_ID = 0")
    told = faults(records / "train-00.mindrecord")
    assert f"{records}/train-00.mindrecord.db: expected row 0, got row 1" in told
    assert f"{records}/train-00.mindrecord: row 0: image 4: not read: its place is damaged" in told


def test_row_numbers_from_far_away_take_no_memory(records, faults):
    sql(records / "train-00.mindrecord.db", f"UPDATE INDEXES SET ROW_ID = {2**62} WHERE ROW_ID = 1")
    assert f"{records}/train-00.mindrecord.db: expected row 1, got row {2**62}" in faults(records)


def test_an_index_that_never_ends_is_left(records, faults):
    index = records / "val-00.mindrecord.db"
    sql(index, "DROP TABLE SHARD_NAME")
    sql(
        index,
        "CREATE VIEW SHARD_NAME AS WITH RECURSIVE n(NAME) AS "
        "(SELECT 'a' UNION ALL SELECT 'a' FROM n) SELECT NAME FROM n",
    )
    begun = time.monotonic()
    assert (
        f"{index}: expected the index of a MindRecord file, got: no such table: SHARD_NAME; "
        in faults(records / "val-00.mindrecord")[0]
    )
    assert time.monotonic() - begun < 30


def our_rows(records):
    return [
        read_row(shard, row)
        for shard in (open_shard(records / f"train-0{number}.mindrecord") for number in (0, 1))
        for row in range(len(shard))
    ]


def replace_rows(records, rows, name="train-01.mindrecord"):
    """A file of train with other rows, its manifest as it was."""
    from ssd.data.records import SCHEMA

    for suffix in ("", ".db"):
        (records / f"{name}{suffix}").unlink()
    return write_rows(records / name, rows, SCHEMA)


def test_duplicated_rows_are_told_by_both_places(records, faults):
    *_, last = our_rows(records)
    path = replace_rows(records, [last, last])
    told = faults(records)
    assert f"{path}: expected 1 rows, as manifest.json says, got 2" in told
    assert (
        f"{path}: row 1: image 30: expected an image of its own, got image 30, "
        f"which is also row 0 of train-01.mindrecord"
    ) in told


def test_a_row_of_another_file_is_told_as_the_duplicate_that_it_is(records, faults):
    first, *_ = our_rows(records)
    path = replace_rows(records, [first])
    told = faults(records)
    assert any(
        each == f"{path}: row 0: image 30: expected an image of its own, got image 4, "
        f"which is also row 0 of train-00.mindrecord"
        for each in told
    )
    assert f"{path}: row 0: image 30: expected its row, got that of image [4]" in told


def test_a_missing_row_is_told_by_its_image(records, faults):
    _, second, _ = our_rows(records)
    path = replace_rows(records, [second], "train-00.mindrecord")
    told = faults(records)
    assert f"{path}: expected 2 rows, as manifest.json says, got 1" in told
    assert f"{path}: image 4: expected a row that can be read, as the ground truth has it, got none" in told


def test_files_that_the_manifest_does_not_know_are_told_and_checked(records, faults):
    *_, last = our_rows(records)
    from ssd.data.records import SCHEMA

    path = write_rows(records / "more.mindrecord", [last | {"labels": last["labels"] + 5}], SCHEMA)
    told = faults(records)
    assert told[0] == f"{path}: expected a file that manifest.json lists, got another"
    assert told[1].startswith(
        f"{path}: row 0: image 30: expected labels from 1 to 2, or only a 0, got [6, 7]"
    )
    assert len(told) == 2


@pytest.mark.parametrize(
    ("changes", "sentences"),
    [
        ({"labels": np.array([7], np.int32)}, ["expected labels from 1 to 2"]),
        ({"labels": np.array([0, 1], np.int32)}, ["expected a label for each box"]),
        ({"boxes": np.array([[0, 0, np.nan, 1]], np.float32)}, ["expected boxes with area in [0, 1], got"]),
        ({"boxes": np.array([[0, 0, 1.25, 1]], np.float32)}, ["expected boxes with area in [0, 1], got"]),
        ({"boxes": np.array([[0.5, 0, 0.5, 1]], np.float32)}, ["expected boxes with area in [0, 1], got"]),
        ({"image": b"none"}, ["expected a picture, got 4 bytes that are none"]),
        ({"image": b""}, ["expected a picture, got 0 bytes that are none"]),
        ({"image": picture(3, 20, 20)[:-2]}, ["of a JPEG without its end marker: cut short"]),
        ({"image": picture(3, 20, 20)[:700]}, ["of a JPEG without its end marker: cut short"]),
        (
            {"image": b"none", "labels": np.array([7], np.int32)},
            ["expected a picture", "expected labels from 1 to 2"],
        ),
    ],
)
def test_a_file_alone_is_checked_by_what_it_says_itself(tmp_path, faults, changes, sentences):
    from ssd.data.records import SCHEMA

    row = {
        "image_id": np.array([3], np.int64),
        "height": np.array([20], np.int32),
        "width": np.array([20], np.int32),
        "image": picture(3, 20, 20),
        "boxes": np.array([[0, 0, 0.5, 0.5]], np.float32),
        "labels": np.array([1], np.int32),
    }
    write_json(tmp_path / "classes.json", [{}, {}])
    path = write_rows(tmp_path / "a.mindrecord", [row, row | {"image_id": np.array([4])} | changes], SCHEMA)
    told = faults(path)
    assert len(told) == len(sentences)
    for each, sentence in zip(told, sentences, strict=True):
        assert each.startswith(f"{path}: row 1: image 4: ") and sentence in each


@pytest.mark.parametrize(
    ("name", "change", "sentence"),
    [
        (
            "train.json",
            lambda tree: tree["images"][0].update(height=0),
            "image 4: expected height and width in",
        ),
        (
            "train.json",
            lambda tree: tree.pop("annotations"),
            "expected what the mindrecord stage writes, got",
        ),
        (
            "train.json",
            lambda tree: tree["annotations"].append(7),
            "expected what the mindrecord stage writes",
        ),
        (
            "train.json",
            lambda tree: tree["annotations"][0].update(category_id=5),
            "image 4 annotation 9: expected a known category, got 5",
        ),
        ("checksums.json", lambda tree: tree["train"].pop(), "train: expected 3 checksums, got 2"),
    ],
)
def test_what_was_forged_with_its_hash_is_told_and_no_error_of_the_program(
    records, faults, name, change, sentence
):
    tree = json.loads((records / name).read_text())
    change(tree)
    write_json(records / name, tree)
    manifest = json.loads((records / "manifest.json").read_text())
    manifest["files"][name] = sha256(records / name)
    write_json(records / "manifest.json", manifest)
    (told,) = faults(records)
    assert told.startswith(f"{records / name}: {sentence}")


# Others' records


def test_every_fault_of_the_tutorials_records_is_told(tmp_path, faults):
    sound = [[1, 1, 5, 5, 1], [0, 0, 20, 30, 80]]
    path = write_rows(
        tmp_path / "ssd.mindrecord0",
        [
            tutorial_row(5, sound),
            tutorial_row(6, [[1, 1, 5, 5, 81], [1, 1, 5, 5, 0]]),
            tutorial_row(7, [[1, 1, 21, 5, 1], [5, 1, 5, 9, 2], [-1, 0, 3, 3, 3], *sound]),
            tutorial_row(5, sound),
            tutorial_row(-1, sound, picture(1, 20, 30)),
            tutorial_row(9, sound, picture(9, 20, 30)[:500]),
        ],
        TUTORIAL,
    )
    told = faults(tmp_path)
    assert told[:4] == [
        f"{path}: row 1: image 6: expected labels from 1 to 80, got [81, 0]",
        f"{path}: row 2: image 7: expected boxes with area inside the picture of (20, 30), "
        f"got [[1, 1, 21, 5], [5, 1, 5, 9], [-1, 0, 3, 3]]",
        f"{path}: row 3: image 5: expected an image of its own, got image 5, "
        f"which is also row 0 of ssd.mindrecord0",
        f"{path}: row 4: image -1: expected one number >= 0 as img_id, got [-1]",
    ]
    assert told[4].startswith(
        f"{path}: row 5: image 9: expected a picture, got 500 bytes of a JPEG without its end marker: cut short"
    )
    assert len(told) == 5


def test_what_the_decoder_says_of_a_damaged_photo_is_a_fault_where_no_checksum_is(tmp_path, faults):
    smooth = np.full((200, 300, 3), 77, np.uint8)
    encoded = cv2.imencode(".jpg", smooth)[1].tobytes()
    path = write_rows(
        tmp_path / "ssd.mindrecord0",
        [tutorial_row(5, [[1, 1, 5, 5, 1]], encoded[:-40] + bytes(8) + encoded[-2:])],
        TUTORIAL,
    )
    (told,) = faults(path)
    assert told.startswith(f"{path}: row 0: image 5: expected a ") and "Corrupt JPEG data" in told


def test_a_shard_that_was_written_together_with_others_misses_them(tmp_path, faults):
    prepare_mindspore()
    from mindspore.mindrecord import FileWriter

    writer = FileWriter(str(tmp_path / "ssd.mindrecord"), 2)
    writer.add_schema(TUTORIAL)
    writer.write_raw_data([tutorial_row(number, [[1, 1, 5, 5, 1]]) for number in range(6)])
    writer.commit()
    assert faults(tmp_path) == []
    for suffix in ("", ".db"):
        (tmp_path / f"ssd.mindrecord1{suffix}").unlink()
    assert faults(tmp_path) == [
        f"{tmp_path}/ssd.mindrecord1: missing; it was written together with ssd.mindrecord0"
    ]


def test_an_unknown_schema_is_told(tmp_path, faults):
    path = write_rows(
        tmp_path / "a.mindrecord",
        [{"key": np.array([1], np.int64), "data": b"12"}],
        {"key": {"type": "int64", "shape": [1]}, "data": {"type": "bytes"}},
    )
    (told,) = faults(path)
    assert told.startswith(f"{path}: expected the schema of our records or the tutorial's, got ")


def test_what_is_no_mindrecord_file_is_told(tmp_path, faults):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.mindrecord").write_text("text")
    paths = [tmp_path / "empty", tmp_path / "none", tmp_path / "text.mindrecord"]
    assert faults(*paths) == [
        f"{tmp_path}/empty: expected MindRecord files, got a folder without any",
        f"{tmp_path}/none: no such file; its records were not read",
        f"{tmp_path}/text.mindrecord.db: missing beside text.mindrecord; its records were not read",
    ]


# The decoder's own process


def kill_itself(_):
    import os

    os.kill(os.getpid(), signal.SIGSEGV)


def never_return(_):
    time.sleep(600)


def serve_badly(connection, decode, monkeypatched=decode_guarded):
    monkeypatched.decode = decode
    monkeypatched._serve(connection)


def crashing(connection):
    serve_badly(connection, kill_itself)


def hanging(connection):
    serve_badly(connection, never_return)


def test_photos_are_measured_and_damage_is_heard(capfd):
    encoded = picture(1, 40, 60)
    with GuardedDecoder() as measure:
        assert measure(encoded) == Picture((40, 60), "")
        assert measure(b"") == Picture(None, "")
        assert measure(encoded[:-300]).size is None
        assert measure(encoded) == Picture((40, 60), "")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("serve", "patience_s", "sentence"),
    [
        (crashing, 20, f"its decoder crashed, exit code {-signal.SIGSEGV}"),
        (hanging, 0.5, "its decoder took more than 0.5 s"),
    ],
)
def test_a_photo_that_ends_its_decoder_is_told_and_the_next_is_read(monkeypatch, serve, patience_s, sentence):
    good = decode_guarded._serve
    with GuardedDecoder(patience_s) as measure:
        monkeypatch.setattr(decode_guarded, "_serve", serve)
        assert measure(picture(1, 8, 8)) == Picture(None, sentence)
        monkeypatch.setattr(decode_guarded, "_serve", good)
        assert measure(picture(1, 8, 8)).size == (8, 8)


# The checksum


def test_the_checksum_of_a_row_depends_on_every_field_and_on_nothing_else(records):
    row = our_rows(records)[2]
    checksums = json.loads((records / CHECKSUMS).read_text())
    assert row_sha256(row) == checksums["train"][2]
    changed = [
        row | {"image_id": row["image_id"] + 1},
        row | {"height": row["height"] + 1},
        row | {"width": row["width"] + 1},
        row | {"image": row["image"] + b"\0"},
        row | {"boxes": np.nextafter(row["boxes"], np.float32(2))},
        row | {"labels": row["labels"][::-1]},
    ]
    assert len({row_sha256(each) for each in [row, *changed]}) == 7
