"""Files of the other stages at the door."""

import json
from pathlib import Path
from typing import Any

import pytest

from ssd.analysis.thresholds import Threshold
from ssd.report import inputs

CLASSES = {18: "dog"}
TRUTH = {
    "images": [
        {"id": 9, "file_name": "b.jpg", "width": 30, "height": 20},
        {"id": 2, "file_name": "a.jpg", "width": 10, "height": 20},
    ],
    "annotations": [
        {"id": 1, "image_id": 9, "category_id": 18, "bbox": [1, 2, 3, 4.5], "area": 13.5, "iscrowd": 1},
    ],
    "categories": [{"id": 18, "name": "dog"}],
}


def written(tmp_path: Path, tree: Any) -> Path:
    path = tmp_path / "file.json"
    path.write_text(tree if isinstance(tree, str) else json.dumps(tree), encoding="utf-8")
    return path


def test_images_come_in_order_of_id_with_their_objects(tmp_path: Path):
    first, second = inputs.read_images(written(tmp_path, TRUTH), CLASSES)
    assert (first.id, first.width, first.height, first.objects) == (2, 10, 20, ())
    assert second.objects == (inputs.Object(18, (1.0, 2.0, 3.0, 4.5), True),)


def test_a_difficult_object_is_read_as_one_that_does_not_count(tmp_path: Path):
    difficult = {**TRUTH["annotations"][0], "iscrowd": 0, "difficult": 1}
    plain = {**difficult, "difficult": 0}
    _, image = inputs.read_images(written(tmp_path, TRUTH | {"annotations": [difficult, plain]}), CLASSES)
    assert [thing.counts for thing in image.objects] == [False, True]


def test_every_image_has_a_list_of_detections(tmp_path: Path):
    images = inputs.read_images(written(tmp_path, TRUTH), CLASSES)
    found = written(tmp_path, [{"image_id": 2, "category_id": 18, "bbox": [0, 0, 1, 1], "score": 0.5}])
    detections = inputs.read_detections(found, images, CLASSES)
    assert detections == {2: [inputs.Detection(18, (0.0, 0.0, 1.0, 1.0), 0.5)], 9: []}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"image_id": 3}, r"\[0\].image_id: expected an image of the split, got 3"),
        ({"category_id": 1}, r"\[0\].category_id: expected one of the class list, got 1"),
        ({"score": None}, r"\[0\].score: expected a finite number, got None"),
        ({"score": True}, r"\[0\].score: expected a finite number, got True"),
        ({"score": 10**400}, r"\[0\].score: expected a finite number, got 10{56}\.\.\."),
        (
            {"bbox": [0, 0, 1, -(10**400)]},
            r"\[0\].bbox: expected four finite numbers x, y, width, height, got .*",
        ),
        (
            {"bbox": [1, 2, 3]},
            r"\[0\].bbox: expected four finite numbers x, y, width, height, got \[1, 2, 3\]",
        ),
        ({"bbox": {}}, r"\[0\].bbox: expected four finite numbers x, y, width, height, got {}"),
    ],
)
def test_a_damaged_detection_is_named(tmp_path: Path, change: dict[str, Any], sentence: str):
    images = inputs.read_images(written(tmp_path, TRUTH), CLASSES)
    found = {"image_id": 2, "category_id": 18, "bbox": [0, 0, 1, 1], "score": 0.5} | change
    path = written(tmp_path, [found])
    with pytest.raises(ValueError, match=f"^{path}: {sentence}$"):
        inputs.read_detections(path, images, CLASSES)


def test_an_image_without_extent_is_named(tmp_path: Path):
    path = written(tmp_path, TRUTH | {"images": [{"id": 9, "width": 0, "height": 20}]})
    with pytest.raises(ValueError, match=r"images\[0\].width: expected a whole number from 1 on, got 0$"):
        inputs.read_images(path, CLASSES)


@pytest.mark.parametrize(
    ("tree", "sentence"),
    [
        ([], r"expected a section, got \[\]"),
        ({}, r"expected the key epochs, got none"),
        ({"epochs": 1.5}, r"epochs: expected a whole number, got 1.5"),
        ({"epochs": 1, "steps": 2, "loss": "low"}, r"loss: expected a finite number, got 'low'"),
        ("{", r"expected JSON, got .* in line 1, column 2"),
    ],
)
def test_a_damaged_summary_is_named(tmp_path: Path, tree: Any, sentence: str):
    path = written(tmp_path, tree)
    with pytest.raises(ValueError, match=f"^{path}: {sentence}$"):
        inputs.read_training(path)


def test_figures_that_are_null_or_not_a_number_are_undefined(tmp_path: Path):
    figures = dict.fromkeys(inputs.FIGURES, 0.5) | {"APs": None, "ARs": float("nan")}
    read = inputs.read_evaluation(written(tmp_path, figures | {"images": 1, "objects": 2, "detections": 3}))
    assert read.figures["AP"] == 0.5
    assert read.figures["APs"] is read.figures["ARs"] is None


def test_empty_fields_of_a_table_are_undefined(tmp_path: Path):
    path = tmp_path / "per_class.csv"
    path.write_text(
        'class,AP,AP50,AR100,VOC07,VOC10,objects\n"dog, hot",,nan,0.5,,0.25,3\n', encoding="utf-8"
    )
    voc = {"VOC07": None, "VOC10": 0.25}
    assert inputs.read_class_figures(path) == (inputs.ClassFigures("dog, hot", None, None, 0.5, voc, 3),)


@pytest.mark.parametrize(
    ("header", "row", "voc"),
    [
        ("class,AP,AP50,AR100,objects", "dog,0.1,0.2,0.3,4", {}),
        ("class,AP,AP50,AR100,VOC07,objects", "dog,0.1,0.2,0.3,0.5,4", {"VOC07": 0.5}),
    ],
)
def test_a_table_of_classes_may_lack_vocs_figures(
    tmp_path: Path, header: str, row: str, voc: dict[str, float]
):
    path = tmp_path / "per_class.csv"
    path.write_text(f"{header}\n{row}\n", encoding="utf-8")
    assert inputs.read_class_figures(path) == (inputs.ClassFigures("dog", 0.1, 0.2, 0.3, voc, 4),)


def test_a_table_of_classes_may_lack_nothing_else_and_has_its_columns_in_order(tmp_path: Path):
    path = tmp_path / "per_class.csv"
    for header in ("class,AP,AP50,objects", "class,AP,AP50,AR100,VOC10,VOC07,objects"):
        path.write_text(f"{header}\n{','.join('0' * (header.count(',') + 1))}\n", encoding="utf-8")
        with pytest.raises(
            ValueError, match=r"expected the columns class, AP, .*, VOC07, VOC10, objects, got"
        ):
            inputs.read_class_figures(path)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("1,0.1,2,1", "expected a field loss_class, got epoch, lr, loss, loss_box"),
        ("one,0.1,2,1,1", "epoch: expected a whole number, got 'one'"),
        ("1,fast,2,1,1", "lr: expected a number or nothing, got 'fast'"),
    ],
)
def test_a_damaged_row_is_named(tmp_path: Path, line: str, sentence: str):
    path = tmp_path / "train.csv"
    path.write_text(f"epoch,lr,loss,loss_box,loss_class\n1,0.1,3,2,1\n{line}\n", encoding="utf-8")
    with pytest.raises(ValueError, match=f"^{path}: row 2: {sentence}$"):
        inputs.read_epochs(path)


def test_a_table_that_is_not_text_is_named(tmp_path: Path):
    path = tmp_path / "train.csv"
    path.write_bytes(b"epoch\n\xff\n")
    with pytest.raises(ValueError, match=r"expected a table in UTF-8"):
        inputs.read_epochs(path)


def test_a_table_under_another_header_is_named_with_its_columns(tmp_path: Path):
    path = tmp_path / "pr.csv"
    path.write_text("recall,precision\n0.1,0.5\n", encoding="utf-8")
    with pytest.raises(
        ValueError, match=r"expected the columns recall, AP50, AP75, AP, got recall, precision$"
    ):
        inputs.read_precision(path)


@pytest.mark.parametrize("read", [inputs.read_epochs, inputs.read_class_counts, inputs.read_class_figures])
def test_one_line_of_garbage_is_no_table(tmp_path: Path, read):
    path = tmp_path / "table.csv"
    path.write_text("garbage\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"expected at least one row under a header, got none$"):
        read(path)


ANCHORS = {
    "anchors": 8732,
    "matched_per_image": 3.5,
    "threshold": 0.5,
    "coverage": {"all": 1.0, "small": 1.0, "medium": None, "large": None},
    "objects": dict.fromkeys(("all", "small", "medium", "large"), 4),
    "classes": {"dog": {"objects": 4, "coverage": 1.0}},
}


def test_suggested_sizes_are_read_and_may_be_missing_where_there_are_no_objects(tmp_path: Path):
    suggested = {"sizes": [0.1, 1.0], "coverage": {"all": 0.5, "small": None, "medium": None, "large": 0.5}}
    read = inputs.read_anchors(written(tmp_path, ANCHORS | {"suggested": suggested}))
    assert read.suggested == inputs.Suggestion((0.1, 1.0), 0.5)
    assert inputs.read_anchors(written(tmp_path, ANCHORS | {"suggested": None})).suggested is None
    with pytest.raises(ValueError, match=r"suggested\.sizes\[0\]: expected a finite number, got None$"):
        inputs.read_anchors(written(tmp_path, ANCHORS | {"suggested": suggested | {"sizes": [None]}}))


def test_thresholds_are_read_with_what_is_undefined(tmp_path: Path):
    path = tmp_path / "thresholds.csv"
    path.write_text("threshold,precision,recall,f1\n0.50,0.5,1.0,0.6667\n0.99,,0.0,0.0\n", encoding="utf-8")
    assert inputs.read_thresholds(path) == (Threshold(0.5, 0.5, 1.0, 0.6667), Threshold(0.99, None, 0.0, 0.0))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "threshold,precision,recall,f1\nhigh,1,1,1\n",
            "row 1: threshold: expected a number or nothing, got 'high'",
        ),
        ("threshold,precision,recall,f1\n", "expected at least one row under a header, got none"),
        ("threshold,f1\n0.5,1\n", "expected the columns threshold, precision, recall, f1, got threshold, f1"),
    ],
)
def test_a_damaged_table_of_thresholds_is_named(tmp_path: Path, text: str, sentence: str):
    path = tmp_path / "thresholds.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=f"^{path}: {sentence}$"):
        inputs.read_thresholds(path)


def test_a_category_id_that_no_array_can_hold_is_named(tmp_path: Path):
    path = written(tmp_path, [{"category_id": 10**18, "name": "dog"}])
    with pytest.raises(
        ValueError, match=rf"^{path}: \[0\].category_id: expected a whole number of at most 18 digits"
    ):
        inputs.read_classes(path)
    assert inputs.read_classes(written(tmp_path, [{"category_id": 10**18 - 1, "name": "dog"}])) == {
        10**18 - 1: "dog"
    }
