"""The error analysis of a few images."""

from ssd.report.cases import case_of, judge_image
from ssd.report.inputs import Detection, Image, Object
from ssd.report.mistakes import Mistakes, find_mistakes

DOG, CAT = 18, 17
SQUARE, ASIDE = (10.0, 10.0, 20.0, 20.0), (60.0, 60.0, 20.0, 20.0)


def mistakes(*images: tuple[list[Object], list[Detection]]) -> Mistakes:
    pictures = [Image(number, 100, 100, tuple(objects)) for number, (objects, _) in enumerate(images)]
    judged = [judge_image(image, found) for image, (_, found) in zip(pictures, images, strict=True)]
    cases = [
        case_of(image, found, each, 0.5)
        for image, (_, found), each in zip(pictures, images, judged, strict=True)
    ]
    return find_mistakes(cases, judged, {CAT: "cat", DOG: "dog"}, 0.5)


def test_errors_are_counted_from_the_least_score_on_and_weighed_at_every_score():
    found = mistakes(
        ([Object(DOG, SQUARE, False)], [Detection(DOG, SQUARE, 0.9), Detection(DOG, ASIDE, 0.95)]),
        ([Object(CAT, SQUARE, False)], [Detection(CAT, SQUARE, 0.3), Detection(CAT, ASIDE, 0.4)]),
    )
    assert {kind: count for kind, count in found.errors.items() if count} == {"background": 1, "missed": 1}
    assert {reason: count for reason, count in found.reasons.items() if count} == {"score": 1}
    assert (found.false, found.unfound) == (1, 1)
    # each class: AP50 0.5 with a false detection before the right one, at any score
    assert found.mended["background"] == 0.5
    assert found.mended["missed"] == 0
    assert found.matrix.rows[2][1].count == 1


def test_missed_are_those_at_which_no_wrong_class_and_no_loose_box_lies():
    found = mistakes(([Object(DOG, SQUARE, False), Object(DOG, ASIDE, False)], [Detection(CAT, SQUARE, 0.9)]))
    assert found.errors["missed"] == 1
    assert found.unfound == 2
    assert (found.reasons["class"], found.reasons["nothing"]) == (1, 1)


def test_without_objects_nothing_can_be_mended():
    assert mistakes(([], [Detection(CAT, SQUARE, 0.9)])).mended == {}
    assert mistakes().false == 0


def test_boxes_without_measure_are_errors_like_others():
    wild = [Detection(DOG, (-1e300, 0.0, 1e301, 1e301), 0.9), Detection(DOG, (5.0, 5.0, -9.0, -9.0), 0.8)]
    found = mistakes(([Object(DOG, SQUARE, False), Object(CAT, (0.0, 0.0, 0.0, 0.0), False)], wild))
    assert (found.false, found.unfound) == (2, 2)
