"""Verdicts on detections, by hand and against pycocotools."""

import json
from pathlib import Path

import numpy as np
import pytest
from one_image import CAT, DOG, image
from pycocotools.coco import COCO as Truth
from pycocotools.cocoeval import COCOeval

from ssd.analysis.judging import FALSE, IGNORED, RIGHT, judge_all

SQUARE = (10.0, 10.0, 20.0, 20.0)
COCO = json.loads((Path(__file__).parents[1] / "golden" / "coco.json").read_text())


def test_the_surest_detection_finds_the_object_and_the_next_is_false():
    judged = image([(DOG, SQUARE)], [(DOG, SQUARE, 0.7), (DOG, (11.0, 10.0, 20.0, 20.0), 0.8)])
    assert judged.order.tolist() == [1, 0]
    assert judged.verdicts.tolist() == [RIGHT, FALSE]
    assert judged.taken.tolist() == [0, -1]


def test_a_detection_takes_the_free_object_that_it_overlaps_most():
    near, nearer = (0.0, 0.0, 10.0, 14.0), (0.0, 0.0, 10.0, 12.0)
    twice = [(DOG, (0.0, 0.0, 10.0, 10.0), 0.9), (DOG, (0.0, 0.0, 10.0, 11.0), 0.8)]
    assert image([(DOG, near), (DOG, nearer)], twice).taken.tolist() == [1, 0]


def test_an_iou_of_exactly_a_half_is_enough_and_another_class_never_is():
    half = (0.0, 0.0, 10.0, 5.0)
    objects = [(DOG, (0.0, 0.0, 10.0, 10.0))]
    assert image(objects, [(DOG, half, 0.5)]).verdicts.tolist() == [RIGHT]
    assert image(objects, [(DOG, (0.0, 0.0, 10.0, 4.9), 0.5)]).verdicts.tolist() == [FALSE]
    assert image(objects, [(CAT, half, 0.5)]).verdicts.tolist() == [FALSE]


def test_what_lies_in_a_crowd_or_on_a_difficult_object_of_its_class_is_ignored():
    crowd = image([(DOG, (0.0, 0.0, 100.0, 100.0))], [(DOG, SQUARE, 0.9), (CAT, SQUARE, 0.8)], crowd=(0,))
    assert crowd.verdicts.tolist() == [IGNORED, FALSE]
    difficult = image([(DOG, SQUARE)], [(DOG, SQUARE, 0.9)], difficult=(0,))
    assert difficult.verdicts.tolist() == [IGNORED]
    assert difficult.found(0.0).tolist() == [False]


def test_what_is_found_from_a_score_on_does_not_depend_on_what_lies_below():
    judged = image([(DOG, SQUARE), (CAT, SQUARE)], [(DOG, SQUARE, 0.5), (CAT, SQUARE, 0.4)])
    assert judged.shown(0.5) == 1
    assert judged.found(0.5).tolist() == [True, False]
    assert judged.found(0.4).tolist() == [True, True]
    assert judged.found(0.6).tolist() == [False, False]


@pytest.mark.parametrize("objects", [[], [(DOG, SQUARE)]])
@pytest.mark.parametrize("detections", [[], [(CAT, SQUARE, 0.5)]])
def test_empty_images_and_images_without_detections_are_judged(objects: list, detections: list):
    judged = image(objects, detections)
    assert judged.overlaps.shape == (len(detections), len(objects))
    assert judged.verdicts.tolist() == [FALSE] * len(detections)


def test_every_verdict_is_that_of_pycocotools():
    truth = Truth()
    truth.dataset = json.loads(json.dumps(COCO["ground_truth"]))
    truth.createIndex()
    coco = COCOeval(truth, truth.loadRes(json.loads(json.dumps(COCO["detections"]))), "bbox")
    coco.evaluate()
    expected = {"right": 0, "ignored": 0, "all": 0}
    for each in coco.evalImgs:
        if each is not None and each["aRng"] == [0, 1e10]:
            ignored = each["dtIgnore"][0].astype(bool)
            expected["right"] += int(((each["dtMatches"][0] > 0) & ~ignored).sum())
            expected["ignored"] += int(ignored.sum())
            expected["all"] += len(ignored)
    verdicts = np.concatenate(
        [image.verdicts for image in judge_all(COCO["ground_truth"], COCO["detections"])]
    )
    assert (verdicts == RIGHT).sum() == expected["right"] > 20
    assert (verdicts == IGNORED).sum() == expected["ignored"]
    assert (
        len(verdicts) == len(COCO["detections"]) > expected["all"]
    )  # COCO looks at 100 of a class and image


def test_a_detection_in_an_image_that_is_not_there_is_an_error():
    stray = {**COCO["detections"][0], "image_id": 10**9}
    with pytest.raises(KeyError, match="1000000000"):
        next(judge_all(COCO["ground_truth"], [*COCO["detections"], stray]))
