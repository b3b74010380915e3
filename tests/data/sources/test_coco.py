import copy
import hashlib
import json
import math
import re

import pytest
from tiny_raw import NO_SHARED, SHARED, annotation, image, picture, tree, write_raw, write_zip
from tiny_raw import train_tree as fresh_train

from ssd.data.source import Annotation, Category
from ssd.data.sources.coco import read_coco
from ssd.data.sources.coco_instances import read_instances
from ssd.data.sources.held_out import is_held_out
from ssd.data.sources.layouts import read_source
from ssd.files import write_json


def read_changed(tmp_path, change):
    """Read train.json after `change` was made to it."""
    content = copy.deepcopy(fresh_train())
    change(content)
    path = tmp_path / "train.json"
    path.write_text(json.dumps(content))
    return read_instances(path)


def test_photos_come_in_ascending_order_with_their_bytes_and_annotations(tmp_path):
    source = read_coco(write_raw(tmp_path))
    photos = list(source.train.photos())
    assert [photo.id for photo in photos] == [4, 12, 30]
    assert [photo.encoded for photo in photos] == [
        picture(4, 50, 50),
        picture(12, 30, 20),
        picture(30, 40, 60),
    ]
    assert [(photo.height, photo.width) for photo in photos] == [(50, 50), (30, 20), (40, 60)]
    assert [[each.id for each in photo.annotations] for photo in photos] == [[9], [], [7, 8, 5]]


def test_boxes_keep_their_fractions_of_a_pixel(tmp_path):
    photo = next(read_coco(write_raw(tmp_path)).train.photos())
    assert photo.annotations == (Annotation(9, 3, (1.5, 2.5, 3.25, 4.75), 12.5, False),)


def test_a_split_says_how_much_there_is_to_read(tmp_path):
    source = read_coco(write_raw(tmp_path))
    assert (source.train.count, source.train.most_annotations) == (3, 3)
    assert source.train.most_bytes == max(len(photo.encoded) for photo in source.train.photos())


def test_labels_follow_ascending_category_ids(tmp_path):
    source = read_coco(write_raw(tmp_path))
    assert source.categories == (Category(1, 3, "car"), Category(2, 18, "dog"))


def test_photos_are_read_one_at_a_time(tmp_path):
    raw = write_raw(tmp_path)
    path = raw / "train.zip"
    damaged = path.read_bytes().replace(picture(30, 40, 60)[-40:], bytes(40))
    path.write_bytes(damaged)
    photos = read_coco(raw).train.photos()
    assert [next(photos).id, next(photos).id] == [4, 12]
    with pytest.raises(ValueError, match=r"train\.zip: expected a whole zip file, got damage"):
        next(photos)


@pytest.mark.parametrize("inside", ["", "train2017/", "a/b/", "./x/"])
def test_a_file_is_found_in_any_folder_of_the_zip(tmp_path, inside):
    raw = write_raw(tmp_path)
    write_zip(raw / "val.zip", {f"{inside}2.jpg": b"found", f"{inside}12.jpg": b"ends alike"})
    assert [photo.encoded for photo in read_coco(raw).val.photos()] == [b"found"]


def test_a_full_path_wins_over_the_end_of_another(tmp_path):
    raw = write_raw(tmp_path)
    write_zip(raw / "val.zip", {"old/2.jpg": b"other", "2.jpg": b"found"})
    assert next(read_coco(raw).val.photos()).encoded == b"found"


@pytest.mark.parametrize(
    ("members", "got"),
    [
        (["a/2.jpg", "b/2.jpg"], "a/2.jpg and b/2.jpg"),
        (["3.jpg"], "no such file"),
        (["12.jpg"], "no such file"),
    ],
)
def test_a_file_that_is_not_there_exactly_once_is_named(tmp_path, members, got):
    raw = write_raw(tmp_path)
    write_zip(raw / "val.zip", dict.fromkeys(members, b""))
    sentence = rf"val\.json: image 2: expected one file 2\.jpg in .*val\.zip, got {got}$"
    with pytest.raises(ValueError, match=sentence):
        read_coco(raw)


def test_an_image_that_would_unpack_to_more_than_a_record_holds_is_refused(tmp_path):
    folder = write_raw(tmp_path)
    data = bytearray((folder / "train.zip").read_bytes())
    place = data.index(b"PK\x01\x02") + 24
    data[place : place + 4] = (1 << 30).to_bytes(4, "little")
    (folder / "train.zip").write_bytes(data)
    with pytest.raises(
        ValueError, match=r"train\.json: image 30: expected a file of at most \d+ bytes, got 1073741824"
    ):
        read_coco(folder)


def test_two_images_cannot_share_a_file_of_the_zip(tmp_path):
    val = tree([image(2, 20, 20, "2.jpg"), image(3, 20, 20, "a/2.jpg")], [])
    raw = write_raw(tmp_path, val=val)
    write_zip(raw / "val.zip", {"a/2.jpg": b""})
    with pytest.raises(
        ValueError, match=r"image 3: expected a file of its own, got a/2\.jpg, which is image 2"
    ):
        read_coco(raw)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda t: t["images"].append(image(4, 1, 1, "x")),
            "image 4: expected an id of its own, got that of 4.jpg for x",
        ),
        (
            lambda t: t["images"].append(image(5, 1, 1, "4.jpg")),
            "image 5: expected a file_name of its own, got 4.jpg, which is image 4",
        ),
        (lambda t: t["images"][0].pop("width"), "image 30: missing key width"),
        (
            lambda t: t["images"][0].update(height=40.0),
            "image 30: expected a whole number >= 1 as height, got 40.0",
        ),
        (
            lambda t: t["images"][0].update(height=0),
            "image 30: expected a whole number >= 1 as height, got 0",
        ),
        (
            lambda t: t["images"][0].update(id="30"),
            "image at place 0: expected a whole number >= 0 as id, got '30'",
        ),
        (lambda t: t["images"][0].update(id=-1), "image -1: expected a whole number >= 0 as id, got -1"),
        (lambda t: t["images"][0].update(id=2**63), f"expected a whole number >= 0 as id, got {2**63}"),
        (
            lambda t: t["images"][0].update(id=True),
            "image at place 0: expected a whole number >= 0 as id, got True",
        ),
        (lambda t: t["images"][0].update(file_name=7), "image 30: expected text as file_name, got 7"),
        (lambda t: t["images"].insert(0, 7), "image at place 0: expected an object, got 7"),
        (lambda t: t["images"].clear(), "expected at least one image, got none"),
        (
            lambda t: t["annotations"].append(annotation(7, 4, [1, 1, 1, 1])),
            "annotation 7: expected an id of its own, got one that image 30 has, too",
        ),
        (
            lambda t: t["annotations"][0].update(image_id=31),
            "annotation 7: expected the id of a listed image as image_id, got 31",
        ),
        (
            lambda t: t["annotations"][0].update(bbox=[1, 2, 3]),
            "image 30 annotation 7: expected 4 finite numbers as bbox, got [1, 2, 3]",
        ),
        (
            lambda t: t["annotations"][0].update(bbox=[1, 2, "3", 4]),
            "annotation 7: expected 4 finite numbers as bbox",
        ),
        (
            lambda t: t["annotations"][0].update(bbox=[1, 2, math.nan, 4]),
            "annotation 7: expected 4 finite numbers as bbox",
        ),
        (
            lambda t: t["annotations"][0].update(bbox=[1, 2, math.inf, 4]),
            "annotation 7: expected 4 finite numbers as bbox",
        ),
        (
            lambda t: t["annotations"][0].update(bbox=[1, 2, 10**400, 4]),
            "annotation 7: expected 4 finite numbers as bbox",
        ),
        (
            lambda t: t["annotations"][0].update(bbox=[1, 2, True, 4]),
            "annotation 7: expected 4 finite numbers as bbox",
        ),
        (lambda t: t["annotations"][0].update(iscrowd=2), "annotation 7: expected 0 or 1 as iscrowd, got 2"),
        (
            lambda t: t["annotations"][0].update(area=-1),
            "annotation 7: expected a number >= 0 as area, got -1",
        ),
        (
            lambda t: t["annotations"][0].update(category_id="car"),
            "annotation 7: expected a whole number >= 0 as category_id, got 'car'",
        ),
        *(
            (lambda t, key=key: t["annotations"][0].pop(key), f"missing key {key}")
            for key in ("id", "image_id", "category_id", "bbox", "area", "iscrowd")
        ),
        (lambda t: t["annotations"].insert(0, [1]), "annotation at place 0: expected an object, got [1]"),
        (
            lambda t: t["categories"].append({"id": 3, "name": "cat"}),
            "category 3: expected an id of its own, got that of 'car' for 'cat'",
        ),
        (
            lambda t: t["categories"].append({"id": 4, "name": "car"}),
            "category 4: expected a name of its own, got 'car' a second time",
        ),
        (
            lambda t: t["categories"].append({"id": 4, "name": ""}),
            "category 4: expected text as name, got ''",
        ),
        (
            lambda t: t["categories"].append({"id": 4, "name": "\ud800"}),
            "category 4: expected text as name, got '\\ud800'",
        ),
        (lambda t: t["categories"].clear(), "expected at least one category, got none"),
        (lambda t: t.pop("annotations"), "missing key annotations; expected images, annotations, categories"),
        (lambda t: t.update(images={}), "images: expected a list, got {}"),
    ],
)
def test_a_wrong_annotation_file_is_refused_by_file_and_item(tmp_path, change, sentence):
    with pytest.raises(
        ValueError, match=rf"^{re.escape(str(tmp_path))}/train\.json: .*{re.escape(sentence)}"
    ):
        read_changed(tmp_path, change)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"{", "expected JSON, got Expecting property name"),
        (b"[]", "expected an object with images, annotations, categories, got list"),
        (b"\xff", "expected JSON in UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        (b"1" * 5000, "expected JSON, got Exceeds the limit"),
    ],
)
def test_what_is_no_annotation_file_is_refused(tmp_path, content, sentence):
    path = tmp_path / "val.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"val\.json: .*{sentence}"):
        read_instances(path)


def test_a_missing_annotation_file_is_named(tmp_path):
    (tmp_path / "layout.json").write_text('{"layout": "coco"}')
    with pytest.raises(ValueError, match=r"train\.json: no such file"):
        read_coco(tmp_path)


@pytest.mark.parametrize(
    ("categories", "sentence"),
    [
        (
            [{"id": 3, "name": "car"}, {"id": 18, "name": "cat"}],
            "category 18: expected dog, as in train.json, got cat",
        ),
        ([{"id": 3, "name": "car"}], "category 18: expected dog, as in train.json, got none"),
        (
            [{"id": 3, "name": "car"}, {"id": 18, "name": "dog"}, {"id": 1, "name": "cow"}],
            "category 1: expected none, as in train.json, got cow",
        ),
    ],
)
def test_both_splits_must_have_the_same_categories(tmp_path, categories, sentence):
    val = tree([image(2, 20, 20)], []) | {"categories": categories}
    with pytest.raises(ValueError, match=rf"val\.json: {sentence}$"):
        read_coco(write_raw(tmp_path, val=val))


def test_the_order_of_categories_does_not_matter(tmp_path):
    val = tree([image(2, 20, 20)], [])
    val["categories"].reverse()
    assert len(read_coco(write_raw(tmp_path, val=val)).categories) == 2


def test_annotation_0_gets_a_free_id_because_pycocotools_would_not_see_it(tmp_path):
    val = tree([image(2, 20, 20)], [annotation(0, 2, [0, 0, 5, 5]), annotation(6, 2, [1, 1, 5, 5])])
    source = read_coco(write_raw(tmp_path, val=val))
    assert [each.id for each in next(source.val.photos()).annotations] == [7, 6]
    assert source.notes == ("val: annotation 0 has the id 7 here, because pycocotools takes 0 for none",)


def alone(folder, share, train=None):
    """A folder of layout coco that has train alone."""
    raw = write_raw(folder, train=train)
    (raw / "val.json").unlink()
    (raw / "val.zip").unlink()
    (raw / "layout.json").write_text(json.dumps({"layout": "coco", "val_fraction": share}))
    return raw


def test_of_a_train_set_alone_a_share_is_val_with_its_photos_and_annotations(tmp_path):
    # the first 8 bytes of SHA-256, over 2**64: .721 of 12.jpg, .862 of 30.jpg, .676 of 4.jpg
    assert [is_held_out(name, 0.7) for name in ("12.jpg", "30.jpg", "4.jpg")] == [False, False, True]
    source = read_source(alone(tmp_path, 0.7))
    photos = {split.name: list(split.photos()) for split in (source.train, source.val)}
    assert {name: [photo.id for photo in each] for name, each in photos.items()} == {
        "train": [12, 30],
        "val": [4],
    }
    assert photos["val"][0].encoded == picture(4, 50, 50)
    assert [len(photo.annotations) for photo in photos["train"]] == [0, 3]
    assert (source.train.count, source.train.most_annotations) == (2, 3)
    assert (source.val.count, source.val.most_annotations) == (1, 1)
    assert source.categories == (Category(1, 3, "car"), Category(2, 18, "dog"))
    assert source.notes == ("val: 1 of the 3 photos of train, chosen by their names (val_fraction 0.7)",)


def test_of_a_train_set_alone_the_other_splits_errors_name_its_file(tmp_path):
    source = read_coco(alone(tmp_path, 0.7))
    assert source.val.address == source.train.address == str(tmp_path / "train.json")


def test_the_two_splits_of_a_train_set_alone_cannot_share_a_file(tmp_path):
    names = "4.jpg", "z/4.jpg"
    assert [is_held_out(name, 0.7) for name in names] == [True, False]
    raw = alone(tmp_path, 0.7, train=tree([image(1, 9, 9, names[0]), image(2, 9, 9, names[1])], []))
    write_zip(raw / "train.zip", {"z/4.jpg": picture(4, 9, 9)})
    with pytest.raises(
        ValueError, match=r"image 2: expected a file of its own, got z/4\.jpg, which is image 1"
    ):
        read_coco(raw)


def test_the_same_photo_under_another_id_stays_in_its_split(tmp_path):
    other = fresh_train()
    for each in other["images"]:
        each["id"] += 100
    for each in other["annotations"]:
        each["image_id"] += 100
    source = read_coco(alone(tmp_path, 0.7, train=other))
    assert [photo.file_name for photo in source.val.photos()] == ["4.jpg"]


@pytest.mark.parametrize(("share", "train", "val"), [(0.01, 3, 0), (0.99, 0, 3)])
def test_a_share_that_leaves_no_photos_to_a_split_is_refused(tmp_path, share, train, val):
    with pytest.raises(ValueError, match=rf"train\.json: expected photos for .* got {train} and {val} by"):
        read_coco(alone(tmp_path, share))


@pytest.mark.parametrize("share", [0, 1.0, -0.5, "0.2", True, []])
def test_a_layout_with_a_share_that_is_none_is_refused(tmp_path, share):
    with pytest.raises(ValueError, match=r"layout\.json: expected a number above 0 and below 1 as val_fract"):
        read_coco(alone(tmp_path, share))


def test_an_unknown_layout_is_refused(tmp_path):
    (tmp_path / "layout.json").write_text('{"layout": "yolo"}')
    with pytest.raises(
        ValueError, match=r"layout\.json: expected the layout coco or voc or archive, got 'yolo'"
    ):
        read_source(tmp_path)


@pytest.fixture
def archive(tmp_path):
    """An unpacked archive of one file, which nobody can read as what it is named."""
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets/a").write_bytes(b"content")
    write_json(
        tmp_path / "layout.json",
        {"layout": "archive", "sha256": {"datasets/a": hashlib.sha256(b"content").hexdigest()}},
    )
    return tmp_path


def test_an_archive_that_is_as_it_was_unpacked_is_read(archive):
    with pytest.raises(ValueError, match=r"instances_val2017\.json: no such file"):
        read_source(archive)


def test_an_archive_that_was_changed_since_it_was_unpacked_is_refused(archive):
    (archive / "datasets/a").write_bytes(b"contend")
    with pytest.raises(ValueError, match=r"datasets/a: expected sha256 '\w{64}', got \w{64}: changed since"):
        read_source(archive)
    (archive / "datasets/a").unlink()
    with pytest.raises(ValueError, match=r"datasets/a: expected sha256 '\w{64}', got no such file"):
        read_source(archive)


@pytest.mark.parametrize("hashes", [None, {}, []])
def test_an_archive_without_hashes_is_refused(archive, hashes):
    write_json(archive / "layout.json", {"layout": "archive", "sha256": hashes})
    with pytest.raises(
        ValueError, match=r"layout\.json: expected the hashes of all files, got none; run the down"
    ):
        read_source(archive)


@pytest.mark.skipif(not (SHARED / "coco_tiny").is_dir(), reason=NO_SHARED)
def test_real_annotation_files_are_read_whole():
    train, val = (
        read_instances(SHARED / f"coco_tiny/annotations/instances_{name}2017.json")
        for name in ("train", "val")
    )
    for file, annotations, crowds in ((train, 705, 6), (val, 815, 11)):
        every = [each for of_image in file.annotations.values() for each in of_image]
        assert (len(file.images), len(file.categories), len(every)) == (80, 80, annotations)
        assert sum(each.crowd for each in every) == crowds
    assert train.categories[-1] == Category(80, 90, "toothbrush")
