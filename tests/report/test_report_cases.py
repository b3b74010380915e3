"""Each image judged by itself, and the choice of what to show."""

import numpy as np
import pytest

from ssd.report.cases import Case, choose, judge, spread
from ssd.report.inputs import Detection, Image, Object

DOG, CAT = 18, 17
SQUARE = (10.0, 10.0, 20.0, 20.0)


def image_with(*objects: Object, image_id: int = 1) -> Image:
    return Image(image_id, 100, 100, objects)


def case_of(image_id: int, objects: int, found: int) -> Case:
    things = tuple(Object(DOG, (30.0 * i, 0.0, 20.0, 20.0), False) for i in range(objects))
    detections = [Detection(DOG, thing.box_xywh, 0.9) for thing in things[:found]]
    return judge(image_with(*things, image_id=image_id), detections, 0.5)


def test_a_detection_on_its_object_is_right_and_one_beside_it_is_false():
    image = image_with(Object(DOG, SQUARE, False))
    case = judge(image, [Detection(DOG, (60, 60, 20, 20), 0.6), Detection(DOG, (11, 11, 20, 20), 0.9)], 0.5)
    assert [found.score for found in case.detections] == [0.9, 0.6]
    assert case.verdicts == ("right", "false")
    assert case.found == (True,)
    assert case.f1 == pytest.approx(2 / 3)


def test_an_object_is_found_once_and_by_the_surest_detection():
    case = judge(
        image_with(Object(DOG, SQUARE, False)),
        [Detection(DOG, SQUARE, 0.7), Detection(DOG, (11, 10, 20, 20), 0.8)],
        0.5,
    )
    assert case.verdicts == ("right", "false")
    assert case.detections[0].score == 0.8


def test_an_iou_of_exactly_a_half_is_enough_and_less_is_not():
    image = image_with(Object(DOG, (0.0, 0.0, 20.0, 20.0), False))
    assert judge(image, [Detection(DOG, (0, 0, 20, 10), 0.9)], 0.5).verdicts == ("right",)
    assert judge(image, [Detection(DOG, (0, 0, 20, 9.9), 0.9)], 0.5).verdicts == ("false",)


def test_a_detection_of_another_class_finds_nothing():
    case = judge(image_with(Object(CAT, SQUARE, False)), [Detection(DOG, SQUARE, 0.9)], 0.5)
    assert (case.right, case.false, case.objects) == (0, 1, 1)
    assert case.f1 == 0


def test_detections_below_the_least_score_do_not_count_and_one_at_it_does():
    image = image_with(Object(DOG, SQUARE, False))
    assert judge(image, [Detection(DOG, SQUARE, 0.49)], 0.5).detections == ()
    assert judge(image, [Detection(DOG, SQUARE, 0.5)], 0.5).right == 1


def test_a_difficult_object_is_neither_found_nor_missed_and_detections_on_it_are_ignored():
    image = image_with(Object(DOG, SQUARE, False, difficult=True))
    assert (judge(image, [], 0.5).objects, judge(image, [], 0.5).f1) == (0, 1.0)
    # inside, which would do for a crowd, but with too small an IoU
    corner = Detection(DOG, (10.0, 10.0, 10.0, 9.0), 0.7)
    case = judge(image, [Detection(DOG, SQUARE, 0.9), Detection(DOG, SQUARE, 0.8), corner], 0.5)
    assert case.verdicts == ("ignored", "ignored", "false")
    assert case.found == (False,)


def test_a_crowd_is_neither_found_nor_missed_and_detections_in_it_are_ignored():
    crowd = Object(DOG, (0.0, 0.0, 100.0, 50.0), True)
    case = judge(image_with(crowd), [Detection(DOG, SQUARE, 0.9), Detection(CAT, SQUARE, 0.8)], 0.5)
    assert case.verdicts == ("ignored", "false")
    assert (case.objects, case.right, case.false) == (0, 0, 1)


def test_an_image_without_objects_counts_one_until_something_is_found_in_it():
    assert judge(image_with(), [], 0.5).f1 == 1
    assert judge(image_with(), [Detection(DOG, SQUARE, 0.9)], 0.5).f1 == 0


def test_each_error_has_its_kind_or_reason():
    image = image_with(Object(DOG, SQUARE, False), Object(CAT, (50.0, 50.0, 20.0, 20.0), False))
    found = [Detection(DOG, SQUARE, 0.9), Detection(DOG, SQUARE, 0.8), Detection(CAT, (50, 50, 20, 20), 0.2)]
    case = judge(image, found, 0.5)
    assert case.kinds == (None, "duplicate")
    assert case.reasons == (None, "score")
    assert (case.missed, case.false, case.errors) == (1, 1, 2)


def test_the_worst_have_the_most_errors_and_none_is_without():
    # errors: 2 of 2 missed, 3 of 9 missed, none, none
    cases = [case_of(1, 2, 0), case_of(2, 9, 6), case_of(3, 1, 1), case_of(4, 1, 1), case_of(5, 5, 4)]
    choice = choose(cases, 5, np.random.default_rng(0))
    assert [case.image.id for case in choice.best] == [3, 4]
    assert [case.image.id for case in choice.worst] == [2, 1]
    faultless = [case_of(image_id, 1, 1) for image_id in range(6)]
    choice = choose(faultless, 6, np.random.default_rng(0))
    assert choice.worst == ()
    assert len(choice.best + choice.between) == 6


def test_the_best_the_worst_and_the_others_are_a_third_each_and_ties_go_to_the_lower_id():
    cases = [case_of(image_id, 2, found) for image_id, found in enumerate([2, 0, 1, 2, 0, 1, 2, 0, 1])]
    choice = choose(cases, 6, np.random.default_rng(0))
    assert [case.image.id for case in choice.best] == [0, 3]
    assert [case.image.id for case in choice.worst] == [1, 4]
    assert {case.image.id for case in choice.between} < {2, 5, 6, 7, 8}
    assert len(choice.between) == 2


@pytest.mark.parametrize(("photos", "images"), [(1, 5), (2, 5), (7, 5), (4, 1), (3, 0), (12, 30)])
def test_no_image_is_shown_twice_and_as_many_as_there_are(photos: int, images: int):
    cases = [case_of(image_id, 1, image_id % 2) for image_id in range(images)]
    choice = choose(cases, photos, np.random.default_rng(0))
    ids = [case.image.id for case in choice.best + choice.worst + choice.between]
    assert len(ids) == len(set(ids)) == min(photos, images)


def test_the_draw_is_the_same_from_the_same_generator():
    cases = [case_of(image_id, 1, image_id % 2) for image_id in range(50)]
    first, second = (choose(cases, 12, np.random.default_rng(4)) for _ in range(2))
    assert first == second


def test_sample_images_lie_at_even_distances_and_have_objects():
    thing = Object(DOG, SQUARE, False)
    images = [image_with(*([] if i % 2 else [thing]), image_id=i) for i in range(16)]
    assert [image.id for image in spread(images, 4)] == [2, 6, 10, 14]
    assert [image.id for image in spread(images[1:2], 4)] == [1]
    assert spread([], 4) == ()
