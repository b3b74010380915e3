"""What labelling tools export in COCO's form, brought from their folders into records."""

import json
from pathlib import Path

import pytest
from tiny_devkit import write_folder
from tiny_raw import STRICT, picture, write_zip

from ssd.config import Archive, Coco, Dataset, Sample, Voc
from ssd.data.record_writer import write_records
from ssd.data.records import load_classes, load_ground_truth
from ssd.data.source import Source
from ssd.data.sources.layouts import read_source
from ssd.data.sources.raw import fill_raw

SIZE = (20, 30)
SHARE = 0.5  # of the names below, "1.jpg" to "6.jpg" with what stands around them, neither all nor none


def put(folder: Path, names: list[str]) -> None:
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(picture(number, *SIZE))


def listed(names, first=1):
    return [
        {"id": first + place, "file_name": name, "height": SIZE[0], "width": SIZE[1]}
        for place, name in enumerate(names)
    ]


def boxes(images, category_ids, first=1, **more):
    """One box an image, of one category after the other."""
    return [
        {
            "id": first + place,
            "image_id": image["id"],
            "category_id": category_ids[place % len(category_ids)],
            "bbox": [1.5, 2, 10.5, 8],
            **more,
        }
        for place, image in enumerate(images)
    ]


def source_of(project: Path, **coco: str) -> Source:
    """The source that stages download and mindrecord make of the data in `project`."""
    paths = {
        key: coco.get(key) for key in ("train_images", "train_annotations", "val_images", "val_annotations")
    }
    dataset = Dataset(
        "coco", SHARE, Sample(1, 1, 0), Archive("", None), Coco(**paths), Voc((), (), (), "train")
    )
    (project / "raw").mkdir()
    fill_raw(dataset, project / "raw", project, project / "downloads")
    return read_source(project / "raw")


def records_of(project: Path, source: Source) -> tuple[list[str], int, int]:
    """The names of the classes, and the photos of train and val, as the records of `source` have them."""
    folder = project / "records"
    folder.mkdir()
    write_records(folder, source, STRICT)
    truths = [load_ground_truth(folder, split) for split in ("train", "val")]
    for truth in truths:
        assert len(truth["annotations"]) == len(truth["images"])
        assert {each["area"] for each in truth["annotations"]} == {84.0}
        assert {each["iscrowd"] for each in truth["annotations"]} == {0}
    return [each.name for each in load_classes(folder)], *(len(truth["images"]) for truth in truths)


def roboflow(project, group, classes=("car", "dog")):
    """train and valid, each with _annotations.coco.json beside its photos; ids from 0, and a group with id 0."""
    categories = [{"id": 0, "name": group, "supercategory": "none"}] + [
        {"id": number, "name": name, "supercategory": group} for number, name in enumerate(classes, 1)
    ]
    for split, count in (("train", 4), ("valid", 2)):
        names = [f"{split}{number}_jpg.rf.{number:032x}.jpg" for number in range(count)]
        put(project / split, names)
        images = listed(names, first=0)
        tree = {
            "info": {"year": "2024"},
            "licenses": [],
            "categories": categories,
            "images": [{**each, "license": 1, "date_captured": ""} for each in images],
            "annotations": boxes(images, [1, 2], 0, area=84, iscrowd=0, segmentation=[]),
        }
        (project / split / "_annotations.coco.json").write_text(json.dumps(tree))
    return {
        "train_images": "train",
        "train_annotations": "train/_annotations.coco.json",
        "val_images": "valid",
        "val_annotations": "valid/_annotations.coco.json",
    }


def test_a_folder_of_roboflow_becomes_records_without_a_class_for_its_group(tmp_path):
    source = source_of(tmp_path, **roboflow(tmp_path, "traffic"))
    assert source.notes == (
        "category 0 (traffic) is no class: no annotation has it, and others name it as their supercategory",
        "train: annotation 0 has the id 4 here, because pycocotools takes 0 for none",
        "val: annotation 0 has the id 2 here, because pycocotools takes 0 for none",
    )
    assert [(each.label, each.category_id) for each in source.categories] == [(1, 1), (2, 2)]
    assert records_of(tmp_path, source) == (["car", "dog"], 4, 2)


def test_a_group_of_roboflow_may_have_the_name_of_a_class(tmp_path):
    source = source_of(tmp_path, **roboflow(tmp_path, "car"))
    assert [(each.category_id, each.name) for each in source.categories] == [(1, "car"), (2, "dog")]


def test_a_category_that_one_annotation_has_is_a_class_though_others_name_it(tmp_path):
    paths = roboflow(tmp_path, "traffic")
    path = tmp_path / paths["val_annotations"]
    tree = json.loads(path.read_text())
    tree["annotations"][0]["category_id"] = 0
    path.write_text(json.dumps(tree))
    assert [each.name for each in source_of(tmp_path, **paths).categories] == ["traffic", "car", "dog"]


def test_a_category_without_annotations_that_none_names_is_a_class(tmp_path):
    paths = roboflow(tmp_path, "traffic", ("car", "dog", "cow"))
    assert [each.name for each in source_of(tmp_path, **paths).categories] == ["car", "dog", "cow"]


@pytest.mark.parametrize("subfolder", ["", "camera one/"])
def test_a_folder_of_cvat_becomes_records(tmp_path, subfolder):
    names = [f"{subfolder}{number}.jpg" for number in range(1, 7)]
    put(tmp_path / "images", names)
    images = listed(names)
    (tmp_path / "annotations").mkdir()
    tree = {
        "licenses": [{"name": "", "id": 0, "url": ""}],
        "info": {"contributor": "", "date_created": ""},
        "categories": [{"id": each, "name": f"c{each}", "supercategory": ""} for each in (1, 2)],
        "images": [{**each, "license": 0, "flickr_url": "", "coco_url": ""} for each in images],
        "annotations": boxes(
            images, [1, 2], segmentation=[], area=84.0, iscrowd=0, attributes={"occluded": False}
        ),
    }
    (tmp_path / "annotations/instances_default.json").write_text(json.dumps(tree))
    source = source_of(
        tmp_path, train_images="images", train_annotations="annotations/instances_default.json"
    )
    classes, train, val = records_of(tmp_path, source)
    assert (classes, train + val) == (["c1", "c2"], 6)
    assert source.notes == (f"val: {val} of the 6 photos of train, chosen by their names (val_fraction 0.5)",)


@pytest.mark.parametrize(
    "prefix",
    ["images/", "images\\", "/label-studio/data/upload/7/", "C:\\data\\upload\\7\\", "https://a.b/x/"],
)
@pytest.mark.parametrize("given", ["images", "images.zip", "."])
def test_a_folder_of_label_studio_is_read_whatever_it_writes_before_the_names(tmp_path, prefix, given):
    names = [f"{number:08x}-{number}.jpg" for number in range(1, 7)]
    put(tmp_path / "images", names)
    write_zip(
        tmp_path / "images.zip",
        {f"images/{name}": (tmp_path / "images" / name).read_bytes() for name in names},
    )
    images = listed([prefix + name for name in names], first=0)
    tree = {
        "images": images,
        "categories": [{"id": 0, "name": "car"}, {"id": 1, "name": "dog"}],
        "annotations": boxes(images, [0, 1], 0, segmentation=[], ignore=0, iscrowd=0, area=84.0),
        "info": {"version": "1.0"},
    }
    (tmp_path / "result.json").write_text(json.dumps(tree))
    if given != "images" and not prefix.startswith("images"):
        with pytest.raises(
            ValueError, match=r"result\.json: image 0: expected .* \(6 of 6 images are missing\)"
        ):
            source_of(tmp_path, train_images=given, train_annotations="result.json")
        return
    source = source_of(tmp_path, train_images=given, train_annotations="result.json")
    photos = {photo.id: photo.encoded for split in (source.train, source.val) for photo in split.photos()}
    assert photos == {number: (tmp_path / "images" / name).read_bytes() for number, name in enumerate(names)}
    assert [(each.label, each.category_id, each.name) for each in source.categories] == [
        (1, 0, "car"),
        (2, 1, "dog"),
    ]


def test_photos_that_label_studio_gives_no_size_get_that_of_the_picture(tmp_path):
    names = [f"{number}.jpg" for number in range(1, 7)]
    put(tmp_path / "images", names)
    images = listed(names)
    images[0] |= {"height": None, "width": None}
    del images[1]["height"], images[1]["width"]
    tree = {"images": images, "categories": [{"id": 0, "name": "car"}], "annotations": boxes(images, [0])}
    (tmp_path / "result.json").write_text(json.dumps(tree))
    source = source_of(tmp_path, train_images="images", train_annotations="result.json")
    assert records_of(tmp_path, source)[0] == ["car"]
    of_splits = [load_ground_truth(tmp_path / "records", split)["images"] for split in ("train", "val")]
    assert {(each["height"], each["width"]) for images in of_splits for each in images} == {SIZE}


def test_a_folder_of_fiftyone_becomes_records(tmp_path):
    names = [f"{number}.jpg" for number in range(1, 7)]
    put(tmp_path / "data", names)
    images = listed(names)
    tree = {
        "info": {"year": "", "version": "", "description": "Exported from FiftyOne"},
        "licenses": [],
        "categories": [{"id": each, "name": f"c{each}", "supercategory": None} for each in (0, 1)],
        "images": [{**each, "license": None, "coco_url": None} for each in images],
        "annotations": boxes(images, [0, 1], area=84.0),  # iscrowd is written only if the labels have it
    }
    (tmp_path / "labels.json").write_text(json.dumps(tree))
    source = source_of(tmp_path, train_images="data", train_annotations="labels.json")
    assert source.notes[0] == "annotations have no iscrowd: they are no crowds"
    classes, train, val = records_of(tmp_path, source)
    assert (classes, train + val) == (["c0", "c1"], 6)


def test_a_voc_folder_of_cvat_becomes_records(tmp_path):
    drawn = {str(number): (SIZE, [("car", 2, 3, 15, 8, 0)]) for number in range(1, 7)}
    write_folder(tmp_path / "mine", default=drawn)
    (tmp_path / "mine/labelmap.txt").write_text("# label:color_rgb:parts:actions\ncar:1,2,3::\n")
    dataset = Dataset(
        "voc",
        SHARE,
        Sample(1, 1, 0),
        Archive("", None),
        Coco(None, None, None, None),
        Voc(("mine",), ("mine/default",), (), "train"),
    )
    (tmp_path / "raw").mkdir()
    fill_raw(dataset, tmp_path / "raw", tmp_path, tmp_path / "downloads")
    classes, train, val = records_of(tmp_path, read_source(tmp_path / "raw"))
    assert train + val == 6 and "car" in classes


def test_annotations_without_iscrowd_are_objects_and_a_note_says_so(tmp_path):
    put(tmp_path, names := [f"{number}.jpg" for number in range(1, 7)])
    images = listed(names)
    tree = {
        "images": images,
        "categories": [{"id": 1, "name": "car"}],
        "annotations": boxes(images, [1]),
    }
    (tmp_path / "a.json").write_text(json.dumps(tree))
    source = source_of(tmp_path, train_images=".", train_annotations="a.json")
    assert source.notes[:2] == (
        "annotations have no area: it is the box's",
        "annotations have no iscrowd: they are no crowds",
    )
    records_of(tmp_path, source)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"bbox": []},
            "expected 4 finite numbers as bbox, got []; segmentations are not read: export boxes with them",
        ),
        ({"image_id": "1"}, "expected a whole number >= 0 as image_id, got '1'"),
        ({"category_id": 1.0}, "expected a whole number >= 0 as category_id, got 1.0"),
    ],
)
def test_what_cannot_be_understood_is_refused_by_annotation(tmp_path, change, sentence):
    put(tmp_path, names := [f"{number}.jpg" for number in range(1, 7)])
    images = listed(names)
    tree = {"images": images, "categories": [{"id": 1, "name": "car"}], "annotations": boxes(images, [1])}
    tree["annotations"][0] |= change
    (tmp_path / "a.json").write_text(json.dumps(tree))
    with pytest.raises(ValueError) as caught:
        source_of(tmp_path, train_images=".", train_annotations="a.json")
    assert str(caught.value).startswith(str(tmp_path / "raw/train.json") + ": ")
    assert str(caught.value).endswith(f"annotation 1: {sentence}")


def test_one_photo_that_is_missing_is_named_though_a_folder_stands_before_all_names(tmp_path):
    put(tmp_path / "images", names := [f"{number}.jpg" for number in range(1, 7)])
    (tmp_path / "images/3.jpg").unlink()
    images = listed([f"upload/{name}" for name in names])
    tree = {"images": images, "categories": [{"id": 1, "name": "car"}], "annotations": []}
    (tmp_path / "a.json").write_text(json.dumps(tree))
    with pytest.raises(
        ValueError, match=r"image 3: expected upload/3\.jpg in .*/images.*\(1 of 6 images are miss"
    ):
        source_of(tmp_path, train_images="images", train_annotations="a.json")


def test_a_folder_is_not_overlooked_where_two_photos_would_be_one(tmp_path):
    put(tmp_path / "images", ["1.jpg"])
    tree = {
        "images": listed(["a/1.jpg", "b/1.jpg"]),
        "categories": [{"id": 1, "name": "car"}],
        "annotations": [],
    }
    (tmp_path / "a.json").write_text(json.dumps(tree))
    with pytest.raises(ValueError, match=r"image 1: expected a/1\.jpg in .*\(2 of 2 images are missing\)"):
        source_of(tmp_path, train_images="images", train_annotations="a.json")
