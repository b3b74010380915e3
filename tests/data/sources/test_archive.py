import json
import shutil

import numpy as np
import pytest
from tiny_raw import NO_SHARED, SHARED, annotation, image, picture, tree

from ssd.data.source import Annotation
from ssd.data.sources.archive import INSTANCES, RECORDS, read_archive
from ssd.runtime import prepare_mindspore

SIZES = {5: (40, 60), 300: (50, 50), 70_000: (30, 20), 8: (20, 20)}

BOXES = {  # ymin, xmin, ymax, xmax, label; category 3 has label 1, category 18 label 2
    5: [[5, 10, 36, 30, 1], [10, 30, 22, 45, 2]],
    300: [[2, 1, 7, 4, 1]],
    70_000: [[0, 0, 30, 20, 2]],
    8: [[1, 1, 4, 4, 1]],
}


def write_shards(folder, name, rows, shards=2, columns=5):
    """MindRecord files in the tutorial's schema, from {image id: table}; MindSpore spreads and orders the rows."""
    prepare_mindspore()
    from mindspore.mindrecord import FileWriter

    writer = FileWriter(str(folder / name), shards)
    writer.add_schema(
        {
            "img_id": {"type": "int32", "shape": [1]},
            "image": {"type": "bytes"},
            "annotation": {"type": "int32", "shape": [-1, columns]},
        }
    )
    writer.set_header_size(1 << 14)
    writer.set_page_size(1 << 15)
    writer.write_raw_data(
        [
            {
                "img_id": np.array([number], np.int32),
                "image": picture(number, *SIZES.get(number, (20, 20))),
                "annotation": np.array(table, np.int32),
            }
            for number, table in rows.items()
        ]
    )
    writer.commit()


def instances():
    """Images 8, 70000 and 300 (a crowd, no record)."""
    return tree(
        [image(8, 20, 20, "a.jpg"), image(70_000, 30, 20, "b.jpg"), image(300, 50, 50, "c.jpg")],
        [
            annotation(11, 8, [1.25, 1.75, 3.5, 2.75]),
            annotation(12, 70_000, [0, 0.4, 20, 29.5], category_id=18),
            annotation(13, 300, [0, 0, 5, 5], iscrowd=1),
        ],
    )


def write_archive(folder, train=None, val=None, annotations=None, columns=5):
    (folder / RECORDS).mkdir(parents=True)
    (folder / INSTANCES).parent.mkdir(parents=True)
    (folder / INSTANCES).write_text(json.dumps(annotations or instances()))
    train = train or {number: BOXES[number] for number in (300, 5)}
    val = val or {number: BOXES[number] for number in (70_000, 8)}
    write_shards(folder / RECORDS, "ssd.mindrecord", train, columns=columns)
    write_shards(folder / RECORDS, "ssd_eval.mindrecord", val)
    return folder


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return write_archive(tmp_path_factory.mktemp("sound") / "raw")


@pytest.fixture
def archive(sound, tmp_path):
    """A copy to damage."""
    return shutil.copytree(sound, tmp_path / "raw")


def test_training_photos_come_from_all_shards_in_ascending_order(sound):
    photos = list(read_archive(sound).train.photos())
    assert [photo.id for photo in photos] == [5, 300]
    assert [photo.encoded for photo in photos] == [picture(5, 40, 60), picture(300, 50, 50)]
    assert [photo.file_name for photo in photos] == ["000000000005.jpg", "000000000300.jpg"]
    assert photos[0].annotations == (
        Annotation(1, 3, (10, 5, 20, 31), 620, False),
        Annotation(2, 18, (30, 10, 15, 12), 180, False),
    )
    assert photos[1].annotations == (Annotation(3, 3, (1, 2, 3, 5), 15, False),)


def test_validation_photos_get_the_annotations_of_the_json(sound):
    photos = list(read_archive(sound).val.photos())
    assert [(photo.id, photo.file_name, photo.height, photo.width) for photo in photos] == [
        (8, "a.jpg", 20, 20),
        (70_000, "b.jpg", 30, 20),
    ]
    assert photos[0].annotations == (Annotation(11, 3, (1.25, 1.75, 3.5, 2.75), 12.5, False),)
    assert photos[1].annotations == (Annotation(12, 18, (0, 0.4, 20, 29.5), 12.5, False),)


def test_the_notes_say_what_is_missing(sound):
    assert read_archive(sound).notes == (
        "train: boxes are the records', in whole pixels, areas are those of the boxes, "
        "and crowds are not marked: they count as objects",
        "val: annotations are those of instances_val2017.json, which agree with the records to the pixel",
        "val: annotations list 3 photos, the records hold 2; the 1 that are missing are not evaluated: ids 300",
    )


def test_a_sixth_column_marks_crowds(tmp_path):
    train = {5: [[5, 10, 36, 30, 1, 0], [0, 0, 40, 60, 2, 1]]}
    source = read_archive(
        write_archive(tmp_path / "raw", train=train | {300: [[1, 1, 3, 3, 1, 0]]}, columns=6)
    )
    assert [each.crowd for each in next(source.train.photos()).annotations] == [False, True]
    assert "crowds" not in source.notes[0]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("ssd.mindrecord1", "ssd.mindrecord1: missing beside ssd.mindrecord1.db"),
        ("ssd.mindrecord1.db", "ssd.mindrecord1.db: missing beside ssd.mindrecord1"),
        ("ssd_eval.mindrecord0.db", "ssd_eval.mindrecord0.db: missing beside ssd_eval.mindrecord0"),
        ("*mindrecord1*", "ssd.mindrecord1: no such file"),
        ("ssd_eval*", "ssd_eval.mindrecord0: no such file"),
    ],
)
def test_a_missing_file_is_named(archive, name, sentence):
    for path in (archive / RECORDS).glob(name):
        path.unlink()
    with pytest.raises(ValueError, match=rf"{sentence}$"):
        read_archive(archive)


def test_a_truncated_data_file_is_named(archive):
    path = archive / RECORDS / "ssd.mindrecord1"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"ssd\.mindrecord1: expected \d+ bytes, got \d+: cut off$"):
        read_archive(archive)


def test_a_garbage_index_is_named(archive):
    (archive / RECORDS / "ssd.mindrecord0.db").write_bytes(b"garbage" * 1000)
    with pytest.raises(ValueError, match=r"ssd\.mindrecord0\.db: .*file is not a database$"):
        read_archive(archive)


def test_a_shard_of_another_set_is_refused(archive):
    for suffix in ("", ".db"):
        shutil.copyfile(
            archive / RECORDS / f"ssd.mindrecord1{suffix}", archive / RECORDS / f"ssd.mindrecord7{suffix}"
        )
    with pytest.raises(ValueError, match=r"ssd\.mindrecord7: expected only what was written together with"):
        read_archive(archive)


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ([[0, 0, 30, 20, 2], [1, 1, 5, 5, 1]], "image 70000: expected 1 annotations, as .* has, got 2"),
        ([[0, 0, 30, 20, 1]], "image 70000 annotation 12: expected category 18 at .* got category 3 at"),
        ([[0, 0, 28, 20, 2]], r"annotation 12: .* got category 18 at \[0, 0, 28, 20\]"),
        ([[0, 0, 30, 20, 3]], "image 70000: expected a label from 1 to 2 and 0 or 1 for crowd, got 3 and 0"),
        ([[0, 0, 30, 20, 0]], "image 70000: expected a label from 1 to 2"),
    ],
)
def test_records_that_disagree_with_the_annotations_are_refused(tmp_path, table, sentence):
    source = read_archive(write_archive(tmp_path / "raw", val={70_000: table, 8: BOXES[8]}))
    with pytest.raises(ValueError, match=sentence):
        list(source.val.photos())


@pytest.mark.parametrize("table", [[[0, 0, 29, 20, 2]], [[0, 0, 30, 20, 2]], [[1, 0, 30, 20, 2]]])
def test_corners_may_be_rounded_either_way(tmp_path, table):
    source = read_archive(write_archive(tmp_path / "raw", val={70_000: table, 8: BOXES[8]}))
    assert len(list(source.val.photos())) == 2


def test_a_photo_that_the_annotations_do_not_list_is_refused(tmp_path):
    raw = write_archive(tmp_path / "raw", val={70_000: BOXES[70_000], 5: BOXES[5]})
    with pytest.raises(ValueError, match=r"ssd_eval\.mindrecord.: image 5: expected an image that .* lists"):
        read_archive(raw)


def test_an_image_in_two_rows_is_refused(archive):
    for path in (archive / RECORDS).glob("ssd.*"):
        path.unlink()
    prepare_mindspore()
    from mindspore.mindrecord import FileWriter

    writer = FileWriter(str(archive / RECORDS / "ssd.mindrecord"))
    writer.add_schema(
        {
            "img_id": {"type": "int32", "shape": [1]},
            "image": {"type": "bytes"},
            "annotation": {"type": "int32", "shape": [-1, 5]},
        }
    )
    row = {"img_id": np.array([5], np.int32), "image": b"x", "annotation": np.array(BOXES[5], np.int32)}
    writer.write_raw_data([row])
    writer.write_raw_data([row])
    writer.commit()
    with pytest.raises(ValueError, match=r"row 1: .* got image 5, which is also row 0 of ssd\.mindrecord$"):
        read_archive(archive)


def test_files_of_another_schema_are_refused(archive):
    for path in (archive / RECORDS).glob("ssd.*"):
        path.unlink()
    prepare_mindspore()
    from mindspore.mindrecord import FileWriter

    writer = FileWriter(str(archive / RECORDS / "ssd.mindrecord"))
    writer.add_schema({"image": {"type": "bytes"}, "label": {"type": "int32", "shape": [-1]}})
    writer.write_raw_data([{"image": b"x", "label": np.array([1], np.int32)}])
    writer.commit()
    with pytest.raises(ValueError, match=r"ssd\.mindrecord: expected whole numbers as img_id and annotation"):
        read_archive(archive)


def test_a_header_that_mindspore_takes_otherwise_is_refused(archive):
    path = archive / RECORDS / "ssd.mindrecord0"
    data = path.read_bytes()
    there = b'"img_id":{"shape":[1],"type":"int32"}'
    assert there in data
    path.write_bytes(data.replace(there, b'"img_id":{"type":"int32"            }'))  # MindSpore leaves it out
    with pytest.raises(
        ValueError, match=r"ssd\.mindrecord0: row 0: expected image .*, got other values from Mind"
    ):
        read_archive(archive)


@pytest.mark.skipif(not (SHARED / "ssd_datasets.zip").is_file(), reason=NO_SHARED)
def test_the_tutorials_archive_holds_coco_photos(tmp_path):
    shutil.unpack_archive(SHARED / "ssd_datasets.zip", tmp_path)
    source = read_archive(tmp_path)
    assert (source.train.count, source.val.count, len(source.categories)) == (80, 69, 80)
    photos = list(source.val.photos())
    assert sum(len(photo.annotations) for photo in photos) == 500
    assert source.notes[2].startswith(
        "val: annotations list 80 photos, the records hold 69; the 11 that are missing"
    )
    for photo in photos:
        assert photo.encoded == (SHARED / "coco_tiny/val2017" / photo.file_name).read_bytes()
