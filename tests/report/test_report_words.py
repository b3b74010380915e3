"""Numbers and findings in words."""

import pytest

from ssd.analysis.errors import KINDS, REASONS
from ssd.report import inputs, words
from ssd.report.cases import judge
from ssd.report.committed import Earlier


def evaluation(ap: float | None, images: int = 100) -> inputs.Evaluation:
    return inputs.Evaluation(dict.fromkeys(inputs.FIGURES, ap), images, 5, 5)


def test_the_verdict_says_what_the_figures_were_taken_over():
    assert words.verdict(evaluation(0.4126)) == "over 100 validation images with 5 objects."
    assert words.verdict(evaluation(0.0, 1)) == "over 1 validation image with 5 objects."


@pytest.mark.parametrize(
    ("number", "text", "direction"),
    [
        (0.0125, "+0.013", "up"),
        (-0.25, "−0.250", "down"),
        (0.0, "±0.000", "same"),
        (-0.0004, "±0.000", "same"),
        (None, "", "same"),
    ],
)
def test_a_change_has_a_sign_and_a_direction_unless_it_cannot_be_seen(
    number: float | None, text: str, direction: str
):
    assert (words.change(number), words.direction(number)) == (text, direction)


def test_another_run_is_told_by_its_name_and_two_figures():
    earlier = Earlier("v1, commit 0123abcd of 2026-01-02", "", {"AP": 0.5, "AP50": None}, {})
    assert words.compared(earlier) == "Against v1, commit 0123abcd of 2026-01-02: AP 0.500, AP50 –."


def test_without_a_right_detection_no_threshold_is_suggested():
    assert words.threshold(None, 0.4) == "Nothing is right at any score, so that none can be suggested."


def test_an_image_is_blamed_by_reason_and_kind():
    box, far = (0.0, 0.0, 10.0, 10.0), (30.0, 30.0, 10.0, 10.0)
    things = (inputs.Object(1, box, False), inputs.Object(1, far, False), inputs.Object(2, far, False))
    found = [inputs.Detection(2, box, 0.9), inputs.Detection(1, (60.0, 0.0, 5.0, 5.0), 0.8)]
    assert words.blamed(judge(inputs.Image(1, 99, 99, things), found, 0.5)) == (
        "missed: 1 wrong class, 2 nothing; false: 1 wrong class, 1 background"
    )
    assert words.blamed(judge(inputs.Image(1, 99, 99, ()), [], 0.5)) == ""


def test_every_kind_and_reason_has_its_words():
    assert {kind for kind, *_ in words.ERRORS} == {*KINDS, "missed"}
    assert tuple(reason for reason, *_ in words.REASONS) == REASONS


def test_a_verdict_without_figures_says_so():
    sentence = "No figure over 100 validation images: there is nothing in them to find."
    assert words.verdict(evaluation(None)) == sentence


@pytest.mark.parametrize(
    ("share", "text"),
    [(None, "–"), (0, "0%"), (1, "100%"), (0.5, "50.0%"), (0.9999, "99.9%"), (0.00001, "0.1%")],
)
def test_a_share_is_never_rounded_to_all_or_nothing(share: float | None, text: str):
    assert words.percent(share) == text


@pytest.mark.parametrize(
    ("number", "text"), [(999, "999"), (36_580, "37 k"), (999_999, "1.0 M"), (26_285_486, "26.3 M")]
)
def test_large_counts_are_short(number: int, text: str):
    assert words.short_count(number) == text


def test_a_count_agrees_with_its_noun():
    assert [words.count(n, "class", "classes") for n in (0, 1, 2000)] == [
        "no classes",
        "1 class",
        "2,000 classes",
    ]


def test_a_suggestion_names_the_sizes_as_params_yaml_has_them():
    assert words.suggestion(inputs.Suggestion((0.05, 0.125, 1.0), 0.96)) == (
        "With anchors.sizes of 0.05, 0.125, 1.0, 96.0% of all training objects would be covered."
    )


def test_a_repair_says_what_became_of_the_boxes_and_where_the_first_are():
    one = inputs.Repair("box_without_area", 1, ("image 12 annotation 345",))
    many = inputs.Repair("box_beyond_image", 7, ("image 1 annotation 2", "image 3 annotation 4"))
    new = inputs.Repair("strange_new_thing", 2, ())
    assert words.repaired(one, "Training") == (
        "Training: 1 box had no area and was left out (image 12 annotation 345)."
    )
    assert words.repaired(many, "Validation") == (
        "Validation: 7 boxes reached beyond their images and were cut at the border "
        "(first image 1 annotation 2; image 3 annotation 4)."
    )
    assert words.repaired(new, "Training") == "Training: 2 strange new thing."


def test_an_image_is_told_by_what_was_found_in_it():
    box = (0.0, 0.0, 10.0, 10.0)
    thing, found = inputs.Object(1, box, False), inputs.Detection(1, box, 0.9)
    filled, empty = inputs.Image(1, 50, 50, (thing,)), inputs.Image(2, 50, 50, ())
    assert words.told(judge(filled, [found, found], 0.5)) == "found 1 of 1, 1 false"
    assert words.told(judge(filled, [], 0.5)) == "found 0 of 1, none false"
    assert words.told(judge(empty, [found], 0.5)) == "nothing to find, 1 false detection"


def test_all_images_together_are_told_with_both_shares():
    box = (0.0, 0.0, 10.0, 10.0)
    image = inputs.Image(1, 50, 50, (inputs.Object(1, box, False),))
    found = inputs.Detection(1, box, 0.9)
    cases = [judge(image, detections, 0.5) for detections in ([found], [found, found], [])]
    assert words.balance(cases) == (
        "Over 3 images: found 2 of 3 objects (66.7%), with 1 false detection "
        "(66.7% of the detections are right); 1 image without a fault."
    )
    assert words.balance(cases[2:]) == (
        "Over 1 image: found 0 of 1 object (0%), with no false detections; no images without a fault."
    )


def test_the_figures_are_explained_in_cocos_order_and_then_vocs():
    named = [key for _, _, rows in words.MEANINGS for key, _, _ in rows]
    assert named == list(inputs.FIGURES)
