"""By hand, and against recordings of pycocotools: crowds, gaps, empty images, a class without objects."""

import contextlib
import copy
import csv
import io
import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO as PlainCOCO
from pycocotools.cocoeval import COCOeval

from ssd.data.coco_results import CocoResults
from ssd.engine import coco_by_class
from ssd.engine.evaluation import FIGURES, PROTOCOL, Evaluation, evaluate, write_evaluation
from ssd.engine.voc_evaluation import evaluate_voc

COCO = json.loads((Path(__file__).parents[1] / "golden" / "coco.json").read_text())


DETECTIONS = 20
"""Of each image, where memory is looked at."""


def truth(objects: list[tuple[int, int]], images: int = 2) -> dict[str, Any]:
    """Objects given as (image, category), each a box of 40 x 50 pixels; categories 2 and 5."""
    return {
        "images": [{"id": number, "width": 100, "height": 100} for number in range(1, images + 1)],
        "annotations": [
            {
                "id": number,
                "image_id": image,
                "category_id": category,
                "bbox": [10.0, 20.0, 40.0, 50.0],
                "area": 2000.0,
                "iscrowd": 0,
            }
            for number, (image, category) in enumerate(objects, start=1)
        ],
        "categories": [{"id": 2, "name": "cup"}, {"id": 5, "name": "hat"}],
    }


def detection(
    image: int, category: int, score: float = 0.9, bbox: tuple[float, ...] = (10.0, 20.0, 40.0, 50.0)
) -> dict[str, Any]:
    return {"image_id": image, "category_id": category, "bbox": list(bbox), "score": score}


@pytest.fixture(scope="module")
def measured() -> Evaluation:
    return evaluate(COCO["ground_truth"], COCO["detections"])


@pytest.mark.parametrize("case", ["all_images", "first_half_of_detections"])
def test_figures_and_classes_are_pycocotools(case: str) -> None:
    detections = COCO["detections"]
    if case == "first_half_of_detections":
        detections = detections[: len(detections) // 2]
    found, expected = evaluate(COCO["ground_truth"], detections), COCO["expected"][case]
    assert tuple(found.figures) == FIGURES == tuple(expected["stats"])
    for name, value in expected["stats"].items():
        assert found.figures[name] == pytest.approx(value, abs=1e-12), name
    categories = COCO["ground_truth"]["categories"]
    assert [row[0] for row in found.classes] == [category["name"] for category in categories]
    for category, row in zip(categories, found.classes, strict=True):
        of_class = expected["per_class"][str(category["id"])]
        for ours, name in zip(row[1:4], ("AP", "AP50", "AR100"), strict=True):
            if of_class[name] == -1:
                assert ours is None, (row[0], name)
            else:
                assert ours == pytest.approx(of_class[name], abs=1e-12), (row[0], name)


@pytest.mark.parametrize("images_at_a_time", [1, 3, 1000])
def test_class_by_class_and_some_images_at_a_time_is_what_pycocotools_measures_at_once(
    monkeypatch: pytest.MonkeyPatch, images_at_a_time: int
) -> None:
    monkeypatch.setattr(coco_by_class, "_IMAGES", images_at_a_time)
    measured = evaluate(COCO["ground_truth"], COCO["detections"])
    with contextlib.redirect_stdout(io.StringIO()):
        truth = PlainCOCO()
        truth.dataset = copy.deepcopy(COCO["ground_truth"])
        truth.createIndex()
        at_once = COCOeval(truth, truth.loadRes(copy.deepcopy(COCO["detections"])), "bbox")
        at_once.evaluate()
        at_once.accumulate()
        at_once.summarize()
    assert list(measured.figures.values()) == at_once.stats.tolist()
    precision, recall = at_once.eval["precision"][:, :, :, 0, 2], at_once.eval["recall"][:, :, 0, 2]
    assert len(measured.classes) == precision.shape[2] > 1
    for number, row in enumerate(measured.classes):
        of_class = precision[:, :, number].mean(), precision[0, :, number].mean(), recall[:, number].mean()
        assert row[1:4] == tuple(None if value == -1 else value for value in of_class), row[0]
    precision = precision[:, :, (precision > -1).any(axis=(0, 1))]
    np.testing.assert_array_equal(measured.precision["AP"], precision.mean(axis=(0, 2)))
    np.testing.assert_array_equal(measured.precision["AP50"], precision[0].mean(axis=1))
    np.testing.assert_array_equal(measured.precision["AP75"], precision[5].mean(axis=1))


def test_a_detection_more_of_a_class_takes_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coco_by_class, "_IMAGES", 10)

    def peak(images: int) -> int:
        given = truth([(image, 2) for image in range(1, images + 1)], images)
        boxes = [(10.0 + place, 20.0, 40.0, 50.0) for place in range(DETECTIONS)]
        found = CocoResults.of(
            detection(image, 2, 1 - place / 100, box)
            for image in range(1, images + 1)
            for place, box in enumerate(boxes)
        )
        tracemalloc.start()
        evaluate(given, found)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    few, many = 50, 150
    assert (
        peak(many) - peak(few) < 300 * (many - few) * DETECTIONS
    )  # pycocotools at once: some 4,000 a detection


def test_the_curves_are_precision_at_101_recalls_whose_mean_is_the_figure(measured: Evaluation) -> None:
    np.testing.assert_allclose(measured.recall, np.arange(101) / 100)
    for name, curve in measured.precision.items():
        assert curve.shape == (101,)
        assert curve.mean() == pytest.approx(measured.figures[name], abs=1e-12), name
    assert list(measured.precision) == ["AP50", "AP75", "AP"]


def test_objects_of_a_class_are_counted_without_crowds(measured: Evaluation) -> None:
    annotations = COCO["ground_truth"]["annotations"]
    assert any(each["iscrowd"] for each in annotations)
    for category, row in zip(COCO["ground_truth"]["categories"], measured.classes, strict=True):
        expected = [
            each for each in annotations if each["category_id"] == category["id"] and not each["iscrowd"]
        ]
        assert row[4] == len(expected)


def test_measuring_leaves_ground_truth_and_detections_as_they_were() -> None:
    given, found = truth([(1, 2)]), [detection(1, 2)]
    before = copy.deepcopy((given, found))
    evaluate(given, found)
    assert (given, found) == before


def test_perfect_detections_score_one_where_there_is_something_to_find() -> None:
    found = evaluate(truth([(1, 2), (2, 5)]), [detection(1, 2), detection(2, 5)])
    for name in ("AP", "AP50", "AP75", "APm", "AR1", "AR10", "AR100", "ARm"):
        assert found.figures[name] == pytest.approx(1), name
    for name in ("APs", "APl", "ARs", "ARl"):  # 2000 square pixels are medium
        assert found.figures[name] is None, name
    assert found.classes == [
        (name, pytest.approx(1), pytest.approx(1), pytest.approx(1), 1) for name in ("cup", "hat")
    ]
    assert found.precision["AP"] == pytest.approx(1)


def test_the_right_box_of_the_wrong_class_counts_for_nothing() -> None:
    assert evaluate(truth([(1, 2)]), [detection(1, 5)]).figures["AP50"] == 0


def test_a_detection_on_an_image_without_objects_costs_precision() -> None:
    alone = evaluate(truth([(1, 2)]), [detection(1, 2, score=0.5)])
    with_false_alarm = evaluate(truth([(1, 2)]), [detection(1, 2, score=0.5), detection(2, 2, score=0.9)])
    assert alone.figures["AP50"] == pytest.approx(1)
    assert with_false_alarm.figures["AP50"] == pytest.approx(0.5)


def difficult_second() -> dict[str, Any]:
    """One object on image 1, and a difficult one on image 2."""
    given = truth([(1, 2), (2, 2)])
    given["annotations"][1]["difficult"] = 1
    return given


def test_a_difficult_object_is_not_missed_and_the_first_detection_on_it_is_not_false() -> None:
    for found in (
        evaluate(difficult_second(), [detection(1, 2)]),
        evaluate(difficult_second(), [detection(1, 2, score=0.5), detection(2, 2, score=0.9)]),
    ):
        assert found.figures["AP"] == pytest.approx(1)
        assert found.figures["AR100"] == pytest.approx(1)
        assert found.classes[0][-1] == 1


def test_a_second_detection_on_a_difficult_object_is_false_with_coco_and_with_voc_it_is_not() -> None:
    detections = [detection(2, 2, score=0.9), detection(2, 2, score=0.8), detection(1, 2, score=0.5)]
    assert evaluate(difficult_second(), detections).figures["AP50"] == pytest.approx(0.5)
    assert evaluate_voc(difficult_second(), detections).figures["VOC10"] == 1


def test_a_difficult_object_is_measured_by_its_iou_and_a_crowd_by_the_detection_alone() -> None:
    corner = detection(2, 2, score=0.9, bbox=(10.0, 20.0, 10.0, 10.0))
    detections = [corner, detection(1, 2, score=0.5)]
    assert evaluate(difficult_second(), detections).figures["AP50"] == pytest.approx(0.5)
    crowd = truth([(1, 2), (2, 2)])
    crowd["annotations"][1]["iscrowd"] = 1
    assert evaluate(crowd, detections).figures["AP50"] == pytest.approx(1)


def test_no_detections_are_figures_of_zero() -> None:
    found = evaluate(truth([(1, 2)]), [])
    assert found.figures["AP"] == found.figures["AP50"] == found.figures["AR100"] == 0
    assert found.figures["APs"] is None
    assert found.classes == [("cup", 0.0, 0.0, 0.0, 1), ("hat", None, None, None, 0)]
    assert (found.precision["AP50"] == 0).all()


@pytest.mark.parametrize("detections", [[], [detection(1, 2)]])
def test_no_ground_truth_leaves_every_figure_undefined(detections: list[dict[str, Any]]) -> None:
    found = evaluate(truth([]), detections)
    assert set(found.figures.values()) == {None}
    assert found.classes == [("cup", None, None, None, 0), ("hat", None, None, None, 0)]
    assert all(len(curve) == 0 for curve in found.precision.values())


def test_the_three_files_say_what_was_measured(tmp_path: Path) -> None:
    given = truth([(1, 2), (1, 2), (2, 2)]), [detection(1, 2)]
    write_evaluation(tmp_path, evaluate(*given), evaluate_voc(*given), images=2, detections=1)
    figures = json.loads((tmp_path / "evaluate.json").read_text())
    assert list(figures) == [*FIGURES, "VOC07", "VOC10", "images", "objects", "detections", "protocol"]
    assert (figures["VOC07"], figures["VOC10"]) == (0.3636, 0.3333)  # 4 of 11 recalls; a third of the area
    assert figures["protocol"] == list(PROTOCOL)
    assert figures["AR100"] == 0.3333 and figures["APs"] is None
    assert (figures["images"], figures["objects"], figures["detections"]) == (2, 3, 1)
    classes = (tmp_path / "per_class.csv").read_text().splitlines()
    assert classes == [
        "class,AP,AP50,AR100,VOC07,VOC10,objects",
        "cup,0.3366,0.3366,0.3333,0.3636,0.3333,3",
        "hat,,,,,,0",
    ]
    with (tmp_path / "pr.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 101
    # one of three objects found: right up to a recall of a third
    assert rows[33] == {"recall": "0.33", "AP50": "1.0000", "AP75": "1.0000", "AP": "1.0000"}
    assert rows[34] == {"recall": "0.34", "AP50": "0.0000", "AP75": "0.0000", "AP": "0.0000"}


def test_files_without_anything_to_measure_are_written_all_the_same(tmp_path: Path) -> None:
    nothing = truth([]), []
    write_evaluation(tmp_path, evaluate(*nothing), evaluate_voc(*nothing), images=2, detections=0)
    assert json.loads((tmp_path / "evaluate.json").read_text())["AP"] is None
    assert (tmp_path / "pr.csv").read_text() == "recall,AP50,AP75,AP\n"
