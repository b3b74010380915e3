import dataclasses
import hashlib
import json
import shutil

import numpy as np
import pytest
from tiny_raw import CATEGORIES, LENIENT, STRICT, annotation, image, picture, train_tree, tree, write_raw

from ssd.data.audit import audit
from ssd.data.record_writer import fitting_sizes, write_records
from ssd.data.records import (
    load_classes,
    load_ground_truth,
    open_records,
    with_sentinel,
    without_sentinel,
)
from ssd.data.source import Category, Split
from ssd.data.sources.coco import read_coco
from ssd.data.summary import class_rows, summarise
from ssd.runtime import prepare_mindspore


def write(raw, folder, rules=STRICT):
    folder.mkdir()
    return write_records(folder, read_coco(raw), rules)


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    return write_raw(tmp_path_factory.mktemp("records") / "raw")


@pytest.fixture(scope="module")
def written(raw):
    folder = raw.parent / "records"
    write(raw, folder, dataclasses.replace(STRICT, images_per_file=2))
    return folder


@pytest.fixture
def records(written, tmp_path):
    """A copy to damage."""
    return shutil.copytree(written, tmp_path / "records")


def rows_of(folder, split):
    """All rows as MindSpore reads them by their numbers."""
    prepare_mindspore()
    from mindspore.dataset import MindDataset, SubsetSampler

    found = open_records(folder, split)
    dataset = MindDataset([str(path) for path in found.files], sampler=SubsetSampler(list(range(len(found)))))
    return list(dataset.create_dict_iterator(num_epochs=1, output_numpy=True))


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_rows_hold_photos_in_order_with_boxes_as_fractions(written):
    first, second, third = rows_of(written, "train")
    assert [row["image_id"].tolist() for row in (first, second, third)] == [[4], [12], [30]]
    assert third["image"].tobytes() == picture(30, 40, 60)
    assert (third["height"].tolist(), third["width"].tolist()) == ([40], [60])
    expected = np.array(
        [[5.5 / 40, 10.25 / 60, 36.25 / 40, 30.375 / 60], [0.25, 0.5, 22.5 / 40, 0.75]], np.float32
    )
    assert np.array_equal(third["boxes"], expected)
    assert third["labels"].tolist() == [1, 2]


def test_crowds_are_no_objects_of_a_row_but_stay_in_the_ground_truth(written):
    assert len(rows_of(written, "train")[2]["labels"]) == 2
    crowds = [each["id"] for each in load_ground_truth(written, "train")["annotations"] if each["iscrowd"]]
    assert crowds == [8]


def test_a_photo_without_objects_carries_a_sentinel_that_reading_takes_away(written):
    row = rows_of(written, "train")[1]
    assert (row["boxes"].tolist(), row["labels"].tolist()) == ([[0, 0, 0, 0]], [0])
    boxes, labels = without_sentinel(row["boxes"], row["labels"])
    assert (boxes.shape, labels.shape) == ((0, 4), (0,))


def test_the_sentinel_goes_as_it_came():
    boxes, labels = np.array([[0, 0, 0.5, 1]], np.float32), np.array([3], np.int32)
    for given in ((boxes, labels), (boxes[:0], labels[:0])):
        for before, after in zip(given, without_sentinel(*with_sentinel(*given)), strict=True):
            assert np.array_equal(before, after) and before.dtype == after.dtype


def test_the_ground_truth_keeps_every_digit_and_only_what_is_in_the_records(written):
    truth = load_ground_truth(written, "train")
    assert {**truth, "annotations": list(truth["annotations"])} == {
        "images": [
            {"id": number, "file_name": f"{number}.jpg", "width": width, "height": height}
            for number, width, height in ((4, 50, 50), (12, 20, 30), (30, 60, 40))
        ],
        "annotations": [
            {key: value for key, value in each.items() if key != "segmentation"}
            for number in (9, 7, 8, 5)
            for each in train_tree()["annotations"]
            if each["id"] == number
        ],
        "categories": sorted(CATEGORIES, key=lambda each: each["id"]),
    }


def test_the_class_list_is_in_label_order(written):
    assert load_classes(written) == (Category(1, 3, "car"), Category(2, 18, "dog"))


def test_files_hold_at_most_the_wanted_number_of_rows(written):
    found = open_records(written, "train")
    assert [path.name for path in found.files] == ["train-00.mindrecord", "train-01.mindrecord"]
    assert (found.rows, found.image_ids, found.objects, len(found)) == ((2, 1), (4, 12, 30), 3, 3)
    assert [found.place(row)[1] for row in range(3)] == [0, 1, 0]
    assert found.place(2)[0] == found.files[1]


def test_the_same_source_gives_the_same_bytes(raw, written, tmp_path):
    write(raw, tmp_path / "again", dataclasses.replace(STRICT, images_per_file=2))
    assert contents(tmp_path / "again") == contents(written)


def test_the_rows_do_not_depend_on_how_they_are_spread_over_files(raw, written, tmp_path):
    write(raw, tmp_path / "one", STRICT)
    one, several = (contents(folder) for folder in (tmp_path / "one", written))
    assert one["train.json"] == several["train.json"]
    assert [row["image_id"].item() for row in rows_of(tmp_path / "one", "train")] == [4, 12, 30]


def test_files_can_be_read_by_others_than_their_owner(written):
    assert {path.stat().st_mode & 0o444 for path in written.iterdir()} == {0o444}


def test_small_data_takes_little_room(written):
    assert all(path.stat().st_size < 120_000 for path in written.glob("*.mindrecord"))


@pytest.mark.parametrize("bytes_", [1000, 9_000, 300_000])
def test_rows_of_the_largest_size_fit_header_and_pages(tmp_path, bytes_):
    prepare_mindspore()
    from mindspore.mindrecord import FileReader, FileWriter

    rows = 60
    header, page = fitting_sizes(Split("train", "", lambda: iter(()), rows, bytes_, 10), rows)
    writer = FileWriter(str(tmp_path / "full.mindrecord"))
    writer.set_header_size(header)
    writer.set_page_size(page)
    writer.add_schema({"image": {"type": "bytes"}, "boxes": {"type": "float32", "shape": [-1, 4]}})
    for _ in range(rows):
        writer.write_raw_data([{"image": bytes(bytes_), "boxes": np.ones((10, 4), np.float32)}])
    writer.commit()
    assert FileReader(str(tmp_path / "full.mindrecord"), num_consumer=1).len() == rows


def test_header_and_pages_stay_within_mindspores_limits():
    header, page = fitting_sizes(Split("train", "", lambda: iter(()), 118_287, 128 << 20, 100), 118_287)
    assert 16 << 10 <= header <= 128 << 20
    assert 128 << 20 < page <= 256 << 20


def test_repairs_are_counted_and_what_was_dropped_is_gone_everywhere(tmp_path):
    train = tree(
        [image(1, 40, 60), image(2, 40, 60)],
        [
            annotation(5, 1, [50, 10, 20, 10]),
            annotation(6, 1, [5, 5, 0, 5]),
            annotation(7, 1, [1, 1, 5, 5], 99),
        ],
    )
    repairs = write(write_raw(tmp_path / "raw", train=train), tmp_path / "records", LENIENT)
    audit(tmp_path / "records")
    truth = load_ground_truth(tmp_path / "records", "train")
    assert [(each["id"], each["bbox"]) for each in truth["annotations"]] == [(5, [50.0, 10.0, 10.0, 10.0])]
    found = summarise(tmp_path / "records", repairs, ("a note",))
    assert found["notes"] == ["a note"]
    assert found["train"] == {
        "images": 2,
        "objects": 1,
        "crowds": 0,
        "difficult": 0,
        "images_without_objects": 1,
        "small": 1,
        "medium": 0,
        "large": 0,
        "repairs": {
            "box_beyond_image": {"count": 1, "first": ["image 1 annotation 5"]},
            "box_without_area": {"count": 1, "first": ["image 1 annotation 6"]},
            "unknown_category": {"count": 1, "first": ["image 1 annotation 7"]},
            "unreadable_image": {"count": 0, "first": []},
        },
    }
    assert class_rows(tmp_path / "records") == [("car", 1, 1), ("dog", 0, 0)]


def test_a_split_of_which_no_photo_can_be_read_is_refused(raw, tmp_path):
    source = read_coco(raw)
    blank = [dataclasses.replace(photo, encoded=b"") for photo in source.val.photos()]
    source = dataclasses.replace(source, val=dataclasses.replace(source.val, photos=lambda: iter(blank)))
    (tmp_path / "records").mkdir()
    with pytest.raises(ValueError, match=r"val\.json: expected at least one readable image, got none"):
        write_records(tmp_path / "records", source, LENIENT)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "train-01.mindrecord.db",
            "train-01.mindrecord.db: missing beside train-01.mindrecord; run the mindrecord stage",
        ),
        (
            "train-01.mindrecord",
            "train-01.mindrecord: missing beside train-01.mindrecord.db; run the mindrecord stage",
        ),
        ("train.json", "train.json: missing beside manifest.json; run the mindrecord stage"),
        ("manifest.json", "manifest.json: no such file"),
    ],
)
def test_a_missing_file_of_the_records_is_named(records, name, sentence):
    (records / name).unlink()
    with pytest.raises(ValueError, match=f"/{sentence}"):
        open_records(records, "train")


@pytest.mark.parametrize("name", ["train-00.mindrecord", "train-00.mindrecord.db", "train.json"])
@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: data[:-9] + b"#" + data[-8:]])
def test_a_changed_file_of_the_records_is_named_with_both_hashes(records, name, damage):
    whole = (records / name).read_bytes()
    (records / name).write_bytes(damage(whole))
    expected, got = (hashlib.sha256(data).hexdigest() for data in (whole, damage(whole)))
    sentence = (
        f"/{name}: expected sha256 {expected}, as manifest.json has, got {got}: "
        f"truncated or changed since it was written"
    )
    with pytest.raises(ValueError, match=sentence):
        open_records(records, "train")


def test_the_other_split_is_not_read(records):
    (records / "val-00.mindrecord").unlink()
    assert len(open_records(records, "train")) == 3


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: manifest.update(format=2),
        lambda manifest: manifest.pop("splits"),
        lambda manifest: manifest["splits"]["train"].pop("files"),
        lambda manifest: manifest["splits"]["train"]["files"][0].update(rows="2"),
        lambda manifest: manifest["splits"]["train"]["files"][0].update(name="../train-00.mindrecord"),
        lambda manifest: manifest["splits"]["train"]["files"].append(7),
        lambda manifest: manifest["files"].pop("val.json"),
        lambda manifest: manifest["files"].update({"val.json": None}),
    ],
)
def test_a_manifest_of_another_kind_is_refused(records, change):
    manifest = json.loads((records / "manifest.json").read_text())
    change(manifest)
    (records / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ValueError, match=r"manifest\.json: expected a manifest of records in format 1"):
        open_records(records, "train")


def forge(records, split="train", rows=None, **changes):
    """Records whose hashes are right and whose content is not: other rows, or another ground truth."""
    prepare_mindspore()
    from mindspore.mindrecord import FileWriter

    from ssd.data.records import CHECKSUMS, SCHEMA, make_manifest, row_sha256
    from ssd.files import write_json

    if rows is not None:
        for path in records.glob(f"{split}-*"):
            path.unlink()
        writer = FileWriter(str(records / f"{split}-00.mindrecord"))
        writer.add_schema(SCHEMA)
        for row in rows:
            writer.write_raw_data([row])
        writer.commit()
        checksums = json.loads((records / CHECKSUMS).read_text())
        write_json(records / CHECKSUMS, checksums | {split: [row_sha256(row) for row in rows]})
    if changes:
        truth = json.loads((records / f"{split}.json").read_text())
        write_json(
            records / f"{split}.json", {name: changes.get(name, value) for name, value in truth.items()}
        )
    manifest = json.loads((records / "manifest.json").read_text())
    files = {
        name: [(file["name"], file["rows"]) for file in entry["files"]]
        for name, entry in manifest["splits"].items()
    }
    if rows is not None:
        files[split] = [(f"{split}-00.mindrecord", len(rows))]
    objects = {name: entry["objects"] for name, entry in manifest["splits"].items()}
    write_json(records / "manifest.json", make_manifest(records, files, objects))
    return records


def val_row(**changes):
    """The only row of val, as it should be, and with changes."""
    row = {
        "image_id": np.array([2], np.int64),
        "height": np.array([20], np.int32),
        "width": np.array([20], np.int32),
        "image": picture(2, 20, 20),
        "boxes": np.array([[0, 0, 0.25, 0.5]], np.float32),
        "labels": np.array([1], np.int32),
    }
    return row | changes


def test_sound_records_pass_the_check(records):
    audit(records)
    audit(forge(records, "val", [val_row()]))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"image_id": np.array([3], np.int64)}, r"expected its row, got that of image \[3\]"),
        ({"image": b"none"}, "expected a picture, got 4 bytes that are none"),
        (
            {"image": picture(2, 20, 20)[:-2]},
            r"expected a picture, got \d+ bytes of a JPEG without its end marker: cut short",
        ),
        ({"image": picture(2, 20, 21)}, r"width \(20, 20\), got \(20, 20\) for a picture of \(20, 21\)"),
        ({"height": np.array([21], np.int32)}, r"width \(20, 20\), got \(21, 20\)"),
        ({"labels": np.array([3], np.int32)}, r"expected labels from 1 to 2, or only a 0, got \[3\]"),
        ({"labels": np.array([-1], np.int32)}, r"expected labels from 1 to 2, or only a 0, got \[-1\]"),
        ({"labels": np.array([1, 1], np.int32)}, "expected a label for each box and at least one"),
        ({"labels": np.array([2], np.int32)}, "expected the 1 objects of the ground truth, got 1 others"),
        ({"labels": np.array([0], np.int32)}, "expected the 1 objects of the ground truth, got 0 others"),
        ({"boxes": np.array([[0, 0, 0.25, 0.75]], np.float32)}, "expected the 1 objects of the ground truth"),
        ({"boxes": np.array([[0, 0, 0.25, 1.5]], np.float32)}, r"expected boxes with area in \[0, 1\]"),
        ({"boxes": np.array([[0, 0.5, 0.25, 0.5]], np.float32)}, r"expected boxes with area in \[0, 1\]"),
        ({"boxes": np.array([[0, 0, 0.25, np.nan]], np.float32)}, r"expected boxes with area in \[0, 1\]"),
    ],
)
def test_a_wrong_record_fails_the_check_by_file_and_image(records, changes, sentence):
    with pytest.raises(ValueError, match=rf"val-00\.mindrecord: image 2: .*{sentence}"):
        audit(forge(records, "val", [val_row(**changes)]))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"annotations": []}, "val.json: expected 1 objects, as the manifest says, got 0"),
        (
            {"annotations": [annotation(1, 9, [0, 0, 1, 1])]},
            "val.json: image 9 annotation 1: expected an id of",
        ),
        (
            {"annotations": [annotation(1, 2, [0, 0, 10, 5])] * 2},
            "val.json: image 2 annotation 1: expected an id of its own",
        ),
        ({"categories": CATEGORIES}, "val.json: expected the categories of classes.json, got others"),
        (
            {"images": [image(2, 20, 20), image(1, 20, 20)]},
            "manifest.json: val: expected 2 images, as val.json has, got 1",
        ),
    ],
)
def test_a_wrong_ground_truth_fails_the_check(records, changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        audit(forge(records, "val", **changes))


def test_a_record_that_is_not_what_was_written_fails_the_check_though_it_could_be(records):
    """A photo of the same size, with the hash of its file, but not with its own."""
    forge(records, "val", [val_row(image=picture(9, 20, 20))])
    path = records / "checksums.json"
    checksums = json.loads(path.read_text())
    checksums["val"] = ["0" * 64]
    path.write_text(json.dumps(checksums))
    forge(records)
    with pytest.raises(
        ValueError, match=rf"image 2: expected values of sha256 {'0' * 64}, got [0-9a-f]+: ch"
    ):
        audit(records)


def test_image_ids_must_ascend(records):
    rows = [val_row(), val_row(image_id=np.array([1], np.int64))]
    images = [image(2, 20, 20), image(1, 20, 20)]
    with pytest.raises(ValueError, match=r"val\.json: expected image ids in ascending order, each once"):
        audit(forge(records, "val", rows, images=images))


def test_more_rows_than_the_manifest_says_fail_the_check(records):
    forge(records, "val", [val_row(), val_row()])
    manifest = json.loads((records / "manifest.json").read_text())
    manifest["splits"]["val"]["images"] = manifest["splits"]["val"]["files"][0]["rows"] = 1
    (records / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ValueError, match=r"val-00\.mindrecord: expected 1 rows, as the manifest says, got 2"):
        audit(records)
