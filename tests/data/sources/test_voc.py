"""VOC's layout of data/raw: classes, ids, difficult objects; and the same records as from COCO."""

import json
import shutil

import numpy as np
import pytest
from tiny_devkit import (
    TARS,
    TEST_2007,
    from_coco,
    voc,
    write_folder,
    write_original,
    xml,
)
from tiny_raw import (
    LENIENT,
    NO_SHARED,
    SHARED,
    STRICT,
    picture,
    pictures_of,
    train_tree,
    val_tree,
    write_raw,
    write_zip,
)

from ssd.config import Archive, Coco, Dataset, Sample
from ssd.data.audit import audit
from ssd.data.record_writer import write_records
from ssd.data.records import load_classes, load_ground_truth, open_records, without_sentinel
from ssd.data.source import Annotation, Category
from ssd.data.sources.layouts import read_source
from ssd.data.sources.raw import fill_raw
from ssd.data.sources.voc import CLASSES
from ssd.data.summary import class_rows, summarise
from ssd.runtime import prepare_mindspore


@pytest.fixture
def project(tmp_path):
    return write_original(tmp_path)


def fill(project, **changes):
    """data/raw as stage download makes it."""
    raw = project / "raw"
    shutil.rmtree(raw, ignore_errors=True)
    raw.mkdir()
    dataset = Dataset(
        "voc", 0.5, Sample(1, 1, 0), Archive("", None), Coco(None, None, None, None), voc(**changes)
    )
    fill_raw(dataset, raw, project, project / "downloads")
    return raw


def source_of(project, **changes):
    return read_source(fill(project, **changes))


def annotations(split):
    return {photo.id: photo.annotations for photo in split.photos()}


def test_photos_come_in_ascending_order_of_ids_that_tell_year_and_name(project):
    train = source_of(project).train
    photos = list(train.photos())
    assert [photo.id for photo in photos] == [2007000005, 2007000012, 20122008000003]
    assert [photo.file_name for photo in photos] == [
        "VOC2007/JPEGImages/000005.jpg",
        "VOC2007/JPEGImages/000012.jpg",
        "VOC2012/JPEGImages/2008_000003.jpg",
    ]
    assert photos[1].encoded == picture(sum(b"000012"), 40, 60)
    assert [(photo.height, photo.width) for photo in photos] == [(30, 20), (40, 60), (50, 50)]
    assert (train.count, train.most_annotations) == (3, 2)
    assert train.most_bytes == max(len(photo.encoded) for photo in photos)


def test_vocs_twenty_classes_keep_their_labels_whichever_occur(project):
    categories = source_of(project).categories
    assert len(CLASSES) == 20 and tuple(sorted(CLASSES)) == CLASSES
    assert [each.name for each in categories] == list(CLASSES)
    assert (categories[0], categories[11]) == (Category(1, 1, "aeroplane"), Category(12, 12, "dog"))


def test_pixels_are_counted_from_one_and_the_last_one_belongs_to_the_object(project):
    found = annotations(source_of(project).train)
    assert found[2007000012] == (
        Annotation(1, 12, (10, 5, 20, 20), 400, False),
        Annotation(2, 8, (0, 0, 60, 40), 2400, False),
    )
    assert found[20122008000003] == (Annotation(3, 7, (1.5, 2.25, 9, 18), 162, False),)


def test_difficult_objects_are_always_marked_in_val_and_in_train_if_they_are_not_trained_on(project):
    for difficult, marks in (("train", [False, False]), ("ignore", [False, True])):
        source = source_of(project, difficult=difficult)
        assert [each.difficult for each in annotations(source.train)[2007000012]] == marks
        assert [each.difficult for each in annotations(source.val)[2007000001]] == [False, True]


def test_the_notes_say_which_sets_and_how_many_are_difficult(project):
    use = {"train": "are trained on", "ignore": "are not trained on"}
    for difficult, told in use.items():
        assert source_of(project, difficult=difficult).notes == (
            f"train: 2007/trainval + 2012/trainval; 1 of 3 objects are difficult and {told}",
            "val: 2007/test; 1 of 2 objects are difficult and are not counted",
            "boxes cover their pixels whole, from xmin - 1 to xmax; areas are those of the boxes",
        )


@pytest.mark.parametrize("difficult", ["train", "ignore"])
def test_of_train_sets_alone_a_share_is_val(project, difficult):
    # the first 8 bytes of the names' SHA-256, over 2**64: .468 of 2008_000003, .697 of 000012, .853 of 000005
    source = source_of(project, val_sets=(), difficult=difficult)
    assert list(annotations(source.train)) == [2007000005, 2007000012]
    assert list(annotations(source.val)) == [20122008000003]
    assert (source.train.count, source.val.count) == (2, 1)
    assert source.notes[2] == "val: 1 of the 3 photos of train, chosen by their names (val_fraction 0.5)"
    everything = source_of(project, difficult=difficult).train
    assert {**annotations(source.train)} == {
        key: each for key, each in annotations(everything).items() if key != 20122008000003
    }


def test_train_sets_too_small_for_two_splits_are_refused_before_anything_is_copied(project):
    with pytest.raises(ValueError) as caught:
        fill(project, train_sets=("2012/trainval",), val_sets=())
    assert str(caught.value) == (
        "params.yaml: dataset.val_fraction: 2012/trainval: expected photos for train and for val, got 0 and 1 by "
        "the share 0.5 of 1; change it, or give val photos of its own"
    )
    assert list((project / "raw").iterdir()) == []


def test_data_of_ones_own_has_the_classes_that_occur_and_ids_by_name(project):
    write_folder(
        project / "mine",
        learn={"b": ((9, 9), [("zebra", 1, 1, 5, 5, 0)]), "000007": ((9, 9), [("dog", 1, 1, 5, 5, 0)])},
        check={"a": ((9, 9), [("Ape", 1, 1, 5, 5, 0)])},
    )
    source = source_of(project, devkits=("mine",), train_sets=("mine/learn",), val_sets=("mine/check",))
    assert source.categories == (Category(1, 1, "Ape"), Category(2, 2, "dog"), Category(3, 3, "zebra"))
    assert {photo.id: photo.file_name for photo in source.train.photos()} == {
        1: "mine/JPEGImages/000007.jpg",
        3: "mine/JPEGImages/b.jpg",
    }
    assert [photo.id for photo in source.val.photos()] == [2]


def test_ids_do_not_depend_on_what_else_is_used(project):
    both = annotations(source_of(project).train)
    alone = annotations(source_of(project, train_sets=("2007/trainval",)).train)
    assert len(alone) == 2 and set(alone) < set(both)


def test_the_same_file_in_folders_and_in_tars_is_the_same_data(project):
    from_tars = source_of(project)
    in_tars = [list(split.photos()) for split in (from_tars.train, from_tars.val)]
    from_folders = source_of(project, devkits=tuple(name.removesuffix(".tar") for name in TARS))
    assert [list(split.photos()) for split in (from_folders.train, from_folders.val)] == in_tars


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("<annotation>", "expected XML, got no element found in line 1, column 13"),
        ("<!DOCTYPE a><annotation/>", "expected XML without DOCTYPE and ENTITY, got one; remove it"),
        (
            "<annotation><object><name>dog</name></object></annotation>",
            "object 1 (dog): expected one bndbox, got none",
        ),
    ],
)
def test_a_broken_annotation_is_named_with_its_tar(project, text, sentence):
    folder = TARS[0].removesuffix(".tar")
    (project / folder / "VOCdevkit/VOC2007/Annotations/000012.xml").write_text(text)
    raw = fill(project, devkits=(folder, *TARS[1:]))
    with pytest.raises(ValueError) as caught:
        read_source(raw)
    assert str(caught.value) == f"{raw}/0/{TARS[0]}/VOC2007/Annotations/000012.xml: {sentence}"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"devkits": []}, "expected a list of names as devkits, got []"),
        ({"train_sets": "2007/trainval"}, "expected a list of names as train_sets, got '2007/trainval'"),
        ({"val_sets": [7]}, "expected a list of names as val_sets, got [7]"),
        ({"difficult": None}, "expected train or ignore as difficult, got None"),
    ],
)
def test_a_layout_of_another_form_is_named(project, change, sentence):
    path = fill(project) / "layout.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ValueError) as caught:
        read_source(path.parent)
    assert str(caught.value) == f"{path}: {sentence}"


def test_a_size_that_is_not_the_photos_is_named_with_the_image(project):
    folder = TARS[0].removesuffix(".tar")
    wrong = xml((41, 60), [])
    (project / folder / "VOCdevkit/VOC2007/Annotations/000012.xml").write_text(wrong)
    source = source_of(project, devkits=(folder, *TARS[1:]))
    (project / "records").mkdir()
    with pytest.raises(ValueError) as caught:
        write_records(project / "records", source, STRICT)
    assert str(caught.value) == (
        f"{project}/raw: 2007/trainval + 2012/trainval: image 2007000012: expected height 41 and width 60 of "
        f"VOC2007/JPEGImages/000012.jpg, got a picture of height 40 and width 60"
    )


# Records


def rows_of(folder, split):
    """Boxes and class names of each photo of the records, in their order."""
    prepare_mindspore()
    from mindspore.dataset import MindDataset

    files = [str(path) for path in open_records(folder, split).files]
    names = {each.label: each.name for each in load_classes(folder)}
    rows = []
    dataset = MindDataset(files, num_parallel_workers=1, shuffle=False)
    for row in dataset.create_dict_iterator(num_epochs=1, output_numpy=True):
        boxes, labels = without_sentinel(row["boxes"], row["labels"])
        rows.append((row["image"].tobytes(), boxes, [names[label] for label in labels.tolist()]))
    return rows


def records_of(raw, folder, rules=STRICT):
    folder.mkdir()
    source = read_source(raw)
    repairs = write_records(folder, source, rules)
    audit(folder)
    return summarise(folder, repairs, source.notes)


@pytest.mark.parametrize(("difficult", "trained_on"), [("train", ["dog", "cat"]), ("ignore", ["dog"])])
def test_difficult_objects_are_in_the_records_if_they_are_trained_on_and_never_in_vals(
    project, difficult, trained_on
):
    folder = project / "records"
    counts = records_of(fill(project, difficult=difficult), folder)
    assert rows_of(folder, "train")[1][2] == trained_on
    assert rows_of(folder, "val")[0][2] == ["person"]
    truth = load_ground_truth(folder, "val")["annotations"]
    assert [each.get("difficult", 0) for each in truth] == [0, 1]
    assert (counts["val"]["objects"], counts["val"]["difficult"], counts["val"]["crowds"]) == (1, 1, 0)
    assert counts["train"]["objects"] == 1 + len(trained_on)
    assert counts["train"]["difficult"] == 2 - len(trained_on)
    assert dict((name, (train, val)) for name, train, val in class_rows(folder))["dog"] == (1, 0)


def test_a_box_across_the_border_is_repaired_and_counted(project):
    drawn = {"000012": ((40, 60), [("dog", 0, 1, 61, 40, 0), ("cat", 9, 9, 5, 9, 0)])}
    write_folder(project / "mine", learn=drawn, check=TEST_2007)
    raw = fill(project, devkits=("mine",), train_sets=("mine/learn",), val_sets=("mine/check",))
    repairs = records_of(raw, project / "records", LENIENT)["train"]["repairs"]
    assert repairs["box_beyond_image"] == {"count": 1, "first": ["image 2 annotation 1"]}
    assert repairs["box_without_area"] == {"count": 1, "first": ["image 2 annotation 2"]}
    ((_, boxes, _),) = rows_of(project / "records", "train")
    assert boxes.tolist() == [[0, 0, 1, 1]]


def as_both(project, train, val, pictures):
    """The records of two trees, without their crowds, as COCO and as VOC: folders from_coco and from_voc."""
    trees = [
        {**each, "annotations": [one for one in each["annotations"] if not one["iscrowd"]]}
        for each in (train, val)
    ]
    write_raw(project / "coco", *trees)
    for split, content in zip(("train", "val"), trees, strict=True):
        write_zip(
            project / f"coco/{split}.zip",
            {each["file_name"]: pictures[each["file_name"]] for each in content["images"]},
        )
        from_coco(project / "mine", content, pictures, split)
    records_of(project / "coco", project / "from_coco", LENIENT)
    raw = fill(project, devkits=("mine",), train_sets=("mine/train",), val_sets=("mine/val",))
    records_of(raw, project / "from_voc", LENIENT)


def require_the_same_rows(project, split, tolerance):
    """The same photos, boxes and class names; how many objects there are."""
    of_coco, of_voc = (
        {photo: (boxes, names) for photo, boxes, names in rows_of(project / name, split)}
        for name in ("from_coco", "from_voc")
    )
    assert of_coco.keys() == of_voc.keys()
    for photo, (boxes, names) in of_coco.items():
        np.testing.assert_allclose(of_voc[photo][0], boxes, rtol=0, atol=tolerance)
        assert of_voc[photo][1] == names
    return sum(len(names) for _, names in of_coco.values())


def test_a_devkit_made_of_a_coco_data_set_gives_the_same_boxes(project):
    train, val = train_tree(), val_tree()
    pictures = pictures_of(train, "") | pictures_of(val, "")
    as_both(project, train, val, pictures)
    assert require_the_same_rows(project, "train", tolerance=0) == 3
    assert require_the_same_rows(project, "val", tolerance=0) == 1


@pytest.mark.skipif(not SHARED.is_dir(), reason=NO_SHARED)
def test_a_devkit_made_of_photos_of_coco_gives_the_same_boxes(project):
    trees = []
    for split in ("train2017", "val2017"):
        content = json.loads((SHARED / f"coco_tiny/annotations/instances_{split}.json").read_text())
        images = [
            each for each in content["images"] if (SHARED / "coco_tiny" / split / each["file_name"]).is_file()
        ][:12]
        ids = {each["id"] for each in images}
        trees.append(
            {
                "images": images,
                "annotations": [each for each in content["annotations"] if each["image_id"] in ids],
                "categories": content["categories"],
            }
        )
    pictures = {
        each["file_name"]: (SHARED / "coco_tiny" / split / each["file_name"]).read_bytes()
        for split, content in zip(("train2017", "val2017"), trees, strict=True)
        for each in content["images"]
    }
    as_both(project, *trees, pictures)
    # coordinates are counted from 1 and back, which costs a rounding
    assert require_the_same_rows(project, "train", tolerance=1e-6) > 20
    assert require_the_same_rows(project, "val", tolerance=1e-6) > 20
