import json
import os
import stat
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from ssd.config import Coco
from ssd.data.sources.local import copy_annotations, copy_coco, images_named, pack

COCO_TINY = Path(__file__).parents[3] / "../shared/data/coco_tiny"
PLACE = Path("instances.json")


def annotations(*names, **changes):
    """An annotation file with one image a name, ids from 1."""
    images = [{"id": number, "file_name": name} for number, name in enumerate(names, 1)]
    return {"images": images, "annotations": [], "categories": [], **changes}


def data_of(tree):
    return json.dumps(tree).encode()


def zip_of(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


@pytest.fixture
def project(tmp_path):
    """A data set in folders: two photos and a stranger for training, one photo for validation."""
    for split, names in (("train", ["b.jpg", "sub/a.jpg"]), ("val", ["c.jpg"])):
        for name in [*names, "not_named.jpg"]:
            path = tmp_path / "photos" / split / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(f"{split} {name}".encode() * 100)
        (tmp_path / f"{split}.json").write_bytes(data_of(annotations(*names)) + b"\n \n")
    (tmp_path / "raw").mkdir()
    return tmp_path


def coco(**changes):
    paths = {
        "train_images": "photos/train",
        "train_annotations": "train.json",
        "val_images": "photos/val",
        "val_annotations": "val.json",
    }
    return Coco(**{**paths, **changes})


def raw(project, **changes):
    copy_coco(coco(**changes), 0.5, project / "raw", project)
    return project / "raw"


def alone(project, share):
    return copy_coco(coco(val_images=None, val_annotations=None), share, project / "raw", project)


def test_a_folder_becomes_a_stored_zip_of_the_named_images(project):
    with zipfile.ZipFile(raw(project) / "train.zip") as archive:
        assert archive.namelist() == ["b.jpg", "sub/a.jpg"]
        assert archive.read("sub/a.jpg") == b"train sub/a.jpg" * 100
        assert {member.compress_type for member in archive.infolist()} == {zipfile.ZIP_STORED}


def test_annotations_are_copied_byte_for_byte(project):
    assert (raw(project) / "train.json").read_bytes() == (project / "train.json").read_bytes()


def test_exactly_the_four_files_of_the_layout_are_written(project):
    assert sorted(os.listdir(raw(project))) == ["train.json", "train.zip", "val.json", "val.zip"]


def test_a_train_set_alone_is_copied_alone_with_the_share_that_is_val(project):
    # the first 8 bytes of the names' SHA-256, over 2**64: .239 of sub/a.jpg, .477 of b.jpg
    assert alone(project, 0.3) == {"val_fraction": 0.3}
    assert sorted(os.listdir(project / "raw")) == ["train.json", "train.zip"]
    with zipfile.ZipFile(project / "raw/train.zip") as archive:
        assert archive.namelist() == ["b.jpg", "sub/a.jpg"]


@pytest.mark.parametrize(("share", "got"), [(0.2, "2 and 0"), (0.5, "0 and 2")])
def test_a_share_that_leaves_a_split_without_photos_is_refused_before_they_are_copied(project, share, got):
    with pytest.raises(ValueError) as caught:
        alone(project, share)
    assert str(caught.value) == (
        f"params.yaml: dataset.val_fraction: {project / 'train.json'}: expected photos for train and for val, got "
        f"{got} by the share {share} of 2; change it, or give val photos of its own"
    )
    assert not (project / "raw/train.zip").exists()


def test_the_same_photos_make_the_same_zip_whatever_their_order_times_and_modes(tmp_path):
    for folder, names, mode, time in (("one", "ab", 0o600, 1e9), ("two", "ba", 0o755, 1.5e9)):
        (tmp_path / folder).mkdir()
        for name in names:
            path = tmp_path / folder / name
            path.write_bytes(name.encode())
            path.chmod(mode)
            os.utime(path, (time, time))
        pack(tmp_path / folder, names, tmp_path / f"{folder}.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        assert stat.S_IMODE(archive.getinfo("a").external_attr >> 16) == 0o644


def test_a_given_zip_is_copied_as_it_is(project):
    zip_of(project / "photos.zip", {"any/folder/b.jpg": b"1", "other/sub/a.jpg": b"2"})
    copied = raw(project, train_images="photos.zip") / "train.zip"
    assert copied.read_bytes() == (project / "photos.zip").read_bytes()


def test_absolute_paths_and_the_home_folder_are_understood(project, monkeypatch):
    monkeypatch.setenv("HOME", str(project))
    folder = raw(project, train_images=str(project / "photos/train"), val_annotations="~/val.json")
    assert (folder / "val.json").read_bytes() == (project / "val.json").read_bytes()


def test_annotations_may_be_in_a_zip(project):
    content = (project / "train.json").read_bytes()
    zip_of(project / "all.zip", {"annotations/instances_train.json": content})
    folder = raw(project, train_annotations="all.zip/annotations/instances_train.json")
    assert (folder / "train.json").read_bytes() == content


@pytest.mark.parametrize(
    ("key", "path", "sentence"),
    [
        ("train_images", "nowhere", "expected a folder or a zip of images, got no such file: .*nowhere"),
        ("val_images", "gone.zip", r"expected a folder or a zip of images, got no such file: .*gone\.zip"),
        ("train_annotations", "gone.json", r"expected an annotation file, got no such file: .*gone\.json"),
        ("val_annotations", "photos", "expected an annotation file, got a folder: .*photos"),
        (
            "val_annotations",
            "all.zip",
            r"expected a JSON file, got a zip; name the file in it: .*all\.zip/in/v\.json",
        ),
        (
            "val_annotations",
            "all.zip/v.json",
            r"expected v\.json in .*all\.zip, got no such .* it has in/v\.json",
        ),
        (
            "val_annotations",
            "empty.zip/v.json",
            r"expected v\.json in .*empty\.zip, got .* it has no JSON file",
        ),
    ],
)
def test_a_path_that_leads_nowhere_is_named_with_its_parameter(key, path, sentence, project):
    zip_of(project / "all.zip", {"in/v.json": b"{}"})
    zip_of(project / "empty.zip", {})
    with pytest.raises(ValueError, match=rf"^params\.yaml: dataset\.coco\.{key}: {sentence}$"):
        raw(project, **{key: path})


@pytest.mark.parametrize("key", ["train_images", "train_annotations"])
def test_a_file_that_should_be_a_zip_and_is_none_is_named(key, project):
    (project / "photos.zip").write_bytes(b"not a zip")
    path = "photos.zip" if key == "train_images" else "photos.zip/train.json"
    with pytest.raises(ValueError, match=r"photos\.zip: expected a whole zip file"):
        raw(project, **{key: path})


def test_an_image_missing_in_the_folder_is_named_with_file_and_id(project):
    (project / "photos/train/sub/a.jpg").unlink()
    with pytest.raises(
        ValueError,
        match=r"train\.json: image 2: expected sub/a\.jpg in .*photos/train, got .* \(1 of 2 images are miss",
    ):
        raw(project)


def test_an_image_missing_in_the_zip_is_named_with_file_and_id(project):
    zip_of(project / "photos.zip", {"in/xb.jpg": b"", "in/sub/a.jpg": b""})
    with pytest.raises(
        ValueError, match=r"train\.json: image 1: expected b\.jpg in .*photos\.zip, got no such"
    ):
        raw(project, train_images="photos.zip")


def test_a_fault_of_the_validation_set_is_found_before_any_image_is_copied(project):
    (project / "photos/val/c.jpg").unlink()
    with pytest.raises(ValueError, match=r"val\.json: image 1: expected c\.jpg"):
        raw(project)
    assert not (project / "raw/train.zip").exists()


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "expected JSON, got Expecting value in line 1, column 1"),
        (b'{"images": [],\n]', "expected JSON, got .* in line 2, column 1"),
        (b'{"images": "\xff"}', "expected JSON in UTF-8, got a byte that is not .*"),
        (b"[" * 200_000, "expected JSON, got lists or objects nested too deeply"),
        (b"[]", "expected COCO annotations with a list of images, got none"),
        (data_of({"images": []}), "expected COCO annotations with a list of annotations, got none"),
        (
            data_of(annotations(categories={})),
            "expected COCO annotations with a list of categories, got none",
        ),
        (data_of(annotations(images=None)), "expected COCO annotations with a list of images, got none"),
        (data_of(annotations()), "expected at least one image, got an empty list"),
        (data_of(annotations(images=[7])), r"images\[0\]: expected an image with a file_name, got 7"),
        (data_of(annotations("a", None)), r"images\[1\]: expected an image with a file_name, got \{.*None\}"),
        (data_of(annotations("")), r"images\[0\]: expected an image with a file_name, got .*"),
        (data_of(annotations("../a.jpg")), r"image 1: .* inside the images' folder, got '\.\./a\.jpg'"),
        (data_of(annotations("a/../../b")), r"image 1: .* inside the images' folder, got 'a/\.\./\.\./b'"),
        (data_of(annotations("a", "..\\b.jpg")), r"image 2: .* inside the images' folder, got '\.\./b\.jpg'"),
        (data_of(annotations("a", "/../b.jpg")), r"image 2: .* inside the images' folder, got '\.\./b\.jpg'"),
    ],
)
def test_annotations_of_another_form_are_refused_with_their_place(tmp_path, data, sentence):
    (tmp_path / "copy.json").write_bytes(data)
    with pytest.raises(ValueError, match=rf"^instances\.json: {sentence}$"):
        images_named(tmp_path / "copy.json", PLACE)


def test_a_file_name_that_no_disk_can_hold_is_a_missing_image(project):
    (project / "train.json").write_bytes(data_of(annotations("b.jpg", "a\0b", "\ud800")))
    with pytest.raises(ValueError, match=r"train\.json: image 2: expected .* \(2 of 3 images are missing\)"):
        raw(project)


def test_a_small_zip_that_declares_gigabytes_of_annotations_is_refused_before_they_are_unpacked(tmp_path):
    path = tmp_path / "all.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.json", b"0" * 4096)
    data = bytearray(path.read_bytes())
    place = data.index(b"PK\x01\x02") + 24
    assert int.from_bytes(data[place : place + 4], "little") == 4096
    data[place : place + 4] = (3 << 30).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"all\.zip: expected at most 1,073,741,824 bytes unpacked from"):
        copy_annotations(path / "a.json", "key", tmp_path / "copy.json")
    assert not (tmp_path / "copy.json").exists()


def test_an_image_listed_twice_is_packed_once(project):
    (project / "val.json").write_bytes(data_of(annotations("c.jpg", "c.jpg")))
    with zipfile.ZipFile(raw(project) / "val.zip") as archive:
        assert archive.namelist() == ["c.jpg"]


def test_annotations_are_copied_with_all_their_bytes_from_a_folder_and_from_a_zip(project):
    given, copy = project / "val.json", project / "copy.json"
    with zipfile.ZipFile(project / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(given, "in/val.json")
    for place in (given, project / "all.zip/in/val.json"):
        copy_annotations(place, "key", copy)
        assert copy.read_bytes() == given.read_bytes()
        copy.unlink()


@pytest.mark.skipif(not COCO_TINY.is_dir(), reason="needs ../shared/data/coco_tiny")
def test_photos_of_coco_arrive_as_they_are(tmp_path):
    (tmp_path / "raw").mkdir()
    paths = coco(
        train_images="train2017",
        train_annotations="annotations/instances_train2017.json",
        val_images="val2017",
        val_annotations="annotations/instances_val2017.json",
    )
    copy_coco(paths, 0.5, tmp_path / "raw", COCO_TINY)
    with zipfile.ZipFile(tmp_path / "raw/val.zip") as archive:
        assert len(archive.namelist()) == 80
        for name in archive.namelist():
            assert archive.read(name) == (COCO_TINY / "val2017" / name).read_bytes()


def test_outlines_are_let_go_while_an_annotation_file_is_parsed(tmp_path):
    outline = [[float(number) for number in range(100)]]
    objects = [{"id": each, "image_id": 1, "segmentation": outline} for each in range(1, 1001)]
    copy = tmp_path / "copy.json"
    copy.write_bytes(data_of(annotations("a.jpg", annotations=objects)))
    tracemalloc.start()
    assert images_named(copy, PLACE) == {"a.jpg": 1}
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < copy.stat().st_size  # the outlines alone would be seven times as much
