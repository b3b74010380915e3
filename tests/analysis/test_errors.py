"""Kinds of errors and what mending them brings, by hand; AP50 against pycocotools."""

import json
from pathlib import Path

import numpy as np
import pytest
from one_image import CAT, DOG, image

from ssd.analysis.errors import KINDS, average_precision, gains, reasons, slips
from ssd.analysis.judging import Judged, judge_all

COCO = json.loads((Path(__file__).parents[1] / "golden" / "coco.json").read_text())
BOX = (0.0, 0.0, 10.0, 10.0)
FAR = (50.0, 50.0, 10.0, 10.0)


def height(iou: float) -> tuple[float, ...]:
    """A box that overlaps BOX by just this IoU, from within."""
    return (0.0, 0.0, 10.0, 10 * iou)


def kinds(judged: Judged, min_score: float = 0.0) -> list[str]:
    return [KINDS[kind] for kind in slips(judged, min_score).kinds]


@pytest.mark.parametrize(
    ("category", "box", "kind"),
    [
        (DOG, height(0.49), "localisation"),
        (DOG, height(0.1), "localisation"),
        (DOG, height(0.09), "background"),
        (DOG, FAR, "background"),
        (CAT, height(0.5), "classification"),
        (CAT, height(0.49), "both"),
        (CAT, height(0.1), "both"),
        (CAT, height(0.09), "background"),
    ],
)
def test_a_false_detection_has_one_kind_by_class_and_iou(category: int, box: tuple[float, ...], kind: str):
    judged = image([(DOG, BOX)], [(category, box, 0.9)])
    assert kinds(judged) == [kind]
    assert slips(judged).meant.tolist() == [0 if kind in ("localisation", "classification") else -1]


def test_a_second_detection_of_a_found_object_is_a_duplicate():
    judged = image([(DOG, BOX)], [(DOG, BOX, 0.9), (DOG, height(0.8), 0.8)])
    assert kinds(judged) == ["duplicate"]
    assert slips(judged).ranks.tolist() == [1]
    assert kinds(judged, 0.85) == []


def test_localisation_goes_before_classification_and_that_before_duplicate():
    beside = (0.0, 7.0, 10.0, 10.0)  # IoU 3/17 with BOX
    assert kinds(image([(DOG, BOX), (CAT, beside)], [(DOG, beside, 0.9)])) == ["localisation"]
    judged = image([(DOG, BOX), (CAT, BOX)], [(DOG, BOX, 0.9), (DOG, BOX, 0.8)])
    assert kinds(judged) == ["classification"]
    assert slips(judged).meant.tolist() == [1]


def test_crowds_and_difficult_objects_are_no_objects():
    assert kinds(image([(DOG, BOX)], [(DOG, height(0.4), 0.9)], difficult=(0,))) == ["background"]
    assert kinds(image([(DOG, BOX)], [(CAT, BOX, 0.9)], crowd=(0,))) == ["background"]


@pytest.mark.parametrize(
    ("detections", "reason"),
    [
        ([(DOG, BOX, 0.9)], None),
        ([(CAT, BOX, 0.9)], "class"),
        ([(DOG, height(0.3), 0.9)], "box"),
        ([(DOG, height(0.3), 0.9), (CAT, BOX, 0.8)], "class"),
        ([(DOG, BOX, 0.3)], "score"),
        ([(DOG, height(0.3), 0.9), (DOG, BOX, 0.3)], "box"),
        ([(CAT, BOX, 0.3)], "nothing"),
        ([(CAT, height(0.3), 0.9)], "nothing"),
        ([], "nothing"),
    ],
)
def test_an_object_is_missed_for_the_first_reason_that_fits(detections: list, reason: str | None):
    assert reasons(image([(DOG, BOX)], detections), 0.5) == [reason]


def test_what_need_not_be_found_is_not_missed():
    assert reasons(image([(DOG, BOX), (DOG, FAR)], [], crowd=(0,), difficult=(1,)), 0.5) == [None, None]


@pytest.mark.parametrize(
    ("right", "objects", "expected"),
    [
        ([True, True], 2, 1.0),
        ([True, False], 1, 1.0),
        ([False, True], 1, 0.5),
        ([True], 2, 51 / 101),  # precision 1 up to recall .50
        ([True, False, True], 2, (51 + 50 * 2 / 3) / 101),
        ([], 3, 0.0),
    ],
)
def test_average_precision_is_the_mean_at_101_recalls(right: list[bool], objects: int, expected: float):
    scores = np.linspace(0.9, 0.1, len(right))
    assert average_precision(scores, np.array(right, dtype=bool), objects) == pytest.approx(expected)


@pytest.mark.parametrize("part", ["all_images", "first_half_of_detections"])
def test_ap50_is_that_of_pycocotools(part: str):
    detections = COCO["detections"]
    detections = detections if part == "all_images" else detections[: len(detections) // 2]
    images = list(judge_all(COCO["ground_truth"], detections))
    gain = gains(images, [category["id"] for category in COCO["ground_truth"]["categories"]])
    assert gain.ap50 == pytest.approx(COCO["expected"][part]["stats"]["AP50"], abs=1e-12)
    assert min(gain.mended.values()) >= 0


def test_mending_the_only_error_brings_ap50_to_one():
    for kind, box, category in (
        ("localisation", height(0.3), DOG),
        ("classification", BOX, CAT),
    ):
        gain = gains([image([(DOG, BOX)], [(category, box, 0.9)])], [CAT, DOG])
        assert gain.ap50 == 0
        assert [each for each, value in gain.mended.items() if value] == [kind]
        assert gain.mended[kind] == 1


@pytest.mark.parametrize(
    ("kind", "second"), [("background", (DOG, FAR)), ("both", (DOG, (0.0, 7.0, 10.0, 10.0)))]
)
def test_mending_a_surer_false_detection_takes_it_away(kind: str, second: tuple[int, tuple[float, ...]]):
    objects = [(DOG, (20.0, 20.0, 10.0, 10.0)), (CAT, BOX)]
    found = [(DOG, (20.0, 20.0, 10.0, 10.0), 0.5), (CAT, BOX, 0.5)]
    gain = gains([image(objects, [*found, (*second, 0.9)])], [CAT, DOG])
    assert gain.ap50 == pytest.approx((0.5 + 1) / 2)
    assert gain.mended[kind] == gain.mended["false"] == pytest.approx(0.25)
    assert gain.mended["missed"] == gain.mended["unfound"] == 0


def test_mending_duplicates_takes_them_away():
    detections = [(DOG, BOX, 0.9), (DOG, BOX, 0.8), (DOG, FAR, 0.7)]
    gain = gains([image([(DOG, BOX), (DOG, FAR)], detections)], [DOG])
    assert gain.ap50 == pytest.approx((51 + 50 * 2 / 3) / 101)
    assert gain.mended["duplicate"] == pytest.approx(1 - gain.ap50)


def test_only_the_surest_of_several_errors_at_one_object_is_mended_and_the_others_go():
    detections = [(DOG, height(0.3), 0.9), (DOG, height(0.4), 0.8), (DOG, FAR, 0.7)]
    gain = gains([image([(DOG, BOX), (DOG, FAR)], detections)], [DOG])
    # before: false, false, right of 2; after: right, right
    assert gain.ap50 == pytest.approx(51 * (1 / 3) / 101)
    assert gain.mended["localisation"] == pytest.approx(1 - gain.ap50)


def test_an_error_at_an_object_that_is_found_is_mended_by_taking_it_away():
    gain = gains([image([(DOG, BOX)], [(CAT, BOX, 0.9), (DOG, BOX, 0.8)])], [CAT, DOG])
    assert gain.ap50 == 1  # there is no cat, so that its AP is undefined
    gain = gains(
        [image([(DOG, BOX), (CAT, FAR)], [(CAT, BOX, 0.9), (DOG, BOX, 0.8), (CAT, FAR, 0.7)])], [CAT, DOG]
    )
    assert gain.mended["classification"] == pytest.approx(0.25)


def test_mending_missed_objects_takes_them_from_what_there_is_to_find():
    gain = gains([image([(DOG, BOX), (DOG, FAR)], [(DOG, BOX, 0.9)])], [DOG])
    assert gain.ap50 == pytest.approx(51 / 101)
    assert gain.mended["missed"] == gain.mended["unfound"] == pytest.approx(50 / 101)
    assert gain.mended["false"] == 0


def test_an_object_that_a_mended_error_would_find_is_unfound_but_not_missed():
    gain = gains(
        [image([(DOG, BOX), (DOG, FAR)], [(DOG, BOX, 0.9), (DOG, (50.0, 50.0, 10.0, 4.0), 0.8)])], [DOG]
    )
    assert gain.mended["missed"] == 0
    assert gain.mended["unfound"] == pytest.approx(1 - gain.ap50)


def test_a_class_of_which_no_object_is_left_counts_nothing():
    gain = gains([image([(DOG, BOX), (CAT, FAR)], [(DOG, BOX, 0.9)])], [CAT, DOG])
    assert gain.ap50 == 0.5
    assert gain.mended["missed"] == 0


def test_without_objects_there_is_nothing_to_gain():
    assert gains([image([], [(DOG, BOX, 0.9)])], [DOG]).ap50 is None
    assert gains([], [DOG]).mended == {}
