import dataclasses
import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_raw import LENIENT, STRICT, picture

from ssd.data.decode import decode
from ssd.data.repairs import NAMED, Repairs, to_record_boxes
from ssd.data.source import Annotation, Photo

SIZE = {"height": 40, "width": 60}
ENCODED = picture(1, **SIZE)


def photo(*boxes, category_id=3, crowd=False, encoded=ENCODED, size=(40, 60)):
    annotations = [
        Annotation(number, category_id, tuple(map(float, box)), 50.0, crowd)
        for number, box in enumerate(boxes, 1)
    ]
    return Photo(12, "12.jpg", *size, encoded, tuple(annotations))


def lenient():
    return Repairs("train.json", {3, 18}, LENIENT)


def counts(repairs):
    return {kind: found["count"] for kind, found in repairs.tree().items() if found["count"]}


def mended(box):
    """The annotation after repair, None if it was dropped, and the counts."""
    repairs = lenient()
    annotations = repairs.apply(photo(box)).annotations
    return (annotations[0] if annotations else None), counts(repairs)


@pytest.mark.parametrize("box", [(0, 0, 60, 40), (10.25, 5.5, 20.125, 30.75), (59, 39, 1, 1)])
def test_a_box_inside_stays_as_it_is(box):
    found, counted = mended(box)
    assert found == photo(box).annotations[0]
    assert counted == {}


@pytest.mark.parametrize(
    ("box", "cut"),
    [
        ((-5, 10, 10, 10), (0, 10, 5, 10)),
        ((10, -5, 10, 10), (10, 0, 10, 5)),
        ((55, 10, 10, 10), (55, 10, 5, 10)),
        ((10, 35, 10, 10), (10, 35, 10, 5)),
        ((-10, -10, 100, 100), (0, 0, 60, 40)),
        ((0, 0, 60.02, 40), (0, 0, 60, 40)),
        ((0, 0, 1e308, 1e308), (0, 0, 60, 40)),
    ],
)
def test_a_box_beyond_the_image_is_cut_and_counted(box, cut):
    found, counted = mended(box)
    assert found.box_xywh_px == cut
    assert counted == {"box_beyond_image": 1}


def test_the_area_of_a_cut_box_is_at_most_that_of_what_is_left():
    assert mended((-5, 10, 10, 9))[0].area_px == 45
    assert mended((-5, 10, 10, 20))[0].area_px == 50


def test_a_hundredth_of_a_pixel_is_cut_without_counting():
    found, counted = mended((0, 0, 60.005, 40))
    assert found.box_xywh_px == (0, 0, 60, 40)
    assert counted == {}


@pytest.mark.parametrize(
    "box",
    [
        (10, 10, 0, 5), (10, 10, 5, 0), (10, 10, -5, 5), (10, 10, 5, -5),
        (60, 10, 5, 5), (10, 40, 5, 5), (-5, 10, 5, 5), (10, -5, 5, 5), (-1e308, 0, 1e300, 5), (1e308, 0, 1e308, 5),
        (30, 20, 1e-7, 5),
    ],
)  # fmt: skip
def test_a_box_of_which_no_area_is_left_is_dropped_and_counted(box):
    assert mended(box) == (None, {"box_without_area": 1})


def test_an_unknown_category_is_dropped_and_counted():
    repairs = lenient()
    assert repairs.apply(photo((1, 1, 5, 5), category_id=4)).annotations == ()
    assert counts(repairs) == {"unknown_category": 1}


@pytest.mark.parametrize(
    "encoded", [b"", b"no picture", ENCODED[:-2], ENCODED[: len(ENCODED) // 2], bytes(500)]
)
def test_an_unreadable_photo_is_left_out_and_counted(encoded):
    repairs = lenient()
    assert repairs.apply(photo((1, 1, 5, 5), encoded=encoded)) is None
    assert repairs.tree()["unreadable_image"] == {"count": 1, "first": ["image 12"]}


def test_crowds_are_repaired_like_objects():
    repairs = lenient()
    crowds = repairs.apply(photo((-5, 0, 10, 10), (70, 0, 5, 5), crowd=True)).annotations
    assert [each.box_xywh_px for each in crowds] == [(0, 0, 5, 10)]
    assert counts(repairs) == {"box_beyond_image": 1, "box_without_area": 1}


def test_the_first_five_of_each_kind_are_named():
    repairs = lenient()
    repairs.apply(photo(*[(10, 10, 0, 0)] * 7))
    assert NAMED == 5
    assert repairs.tree()["box_without_area"] == {
        "count": 7,
        "first": [f"image 12 annotation {number}" for number in range(1, 6)],
    }


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        (
            photo((-5, 10, 10, 10)),
            "image 12 annotation 1: expected a box inside the image of width 60 and height 40, "
            "got x, y, width, height [-5.0, 10.0, 10.0, 10.0]; mindrecord.box_beyond_image: repair lets it pass",
        ),
        (
            photo((5, 10, 0, 10)),
            "image 12 annotation 1: expected a box with area inside the image of width 60 and height 40, "
            "got x, y, width, height [5.0, 10.0, 0.0, 10.0]; mindrecord.box_without_area: drop lets it pass",
        ),
        (
            photo((5, 5, 5, 5), category_id=99),
            "image 12 annotation 1: expected a category_id that is listed in categories, got 99; "
            "mindrecord.unknown_category: drop lets it pass",
        ),
        (
            photo(encoded=b"x"),
            "image 12: expected a picture that OpenCV can read as 12.jpg, got 1 bytes that are damaged or none; "
            "mindrecord.unreadable_image: drop lets it pass",
        ),
    ],
)
def test_a_strict_rule_stops_with_file_and_item(bad, sentence):
    with pytest.raises(ValueError) as caught:
        Repairs("train.json", {3, 18}, STRICT).apply(bad)
    assert str(caught.value) == f"train.json: {sentence}"


def test_each_rule_is_applied_on_its_own():
    rules = dataclasses.replace(STRICT, box_beyond_image="repair")
    repairs = Repairs("train.json", {3}, rules)
    assert len(repairs.apply(photo((-5, 10, 10, 10))).annotations) == 1
    with pytest.raises(ValueError, match="expected a box with area"):
        repairs.apply(photo((70, 10, 10, 10)))


def test_the_picture_decides_its_size_and_annotations_must_agree():
    assert lenient().apply(photo(size=(None, None))).height == 40
    with pytest.raises(ValueError) as caught:
        lenient().apply(photo(size=(60, 40)))
    assert str(caught.value) == (
        "train.json: image 12: expected height 60 and width 40 of 12.jpg, got a picture of height 40 and width 60"
    )


def with_orientation(encoded, orientation):
    """The JPEG with an EXIF block that says how to turn it."""
    tiff = b"II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00" + bytes(
        [orientation, 0, 0, 0, 0, 0, 0, 0]
    )
    block = b"Exif\x00\x00" + tiff
    return encoded[:2] + b"\xff\xe1" + (len(block) + 2).to_bytes(2, "big") + block + encoded[2:]


def test_orientation_in_the_file_is_ignored():
    turned = with_orientation(ENCODED, 6)
    honoured = cv2.imdecode(np.frombuffer(turned, np.uint8), cv2.IMREAD_COLOR)
    assert honoured.shape == (60, 40, 3)  # so the block is one that OpenCV would follow
    assert np.array_equal(decode(turned), decode(ENCODED))


def test_decoded_pixels_are_rgb():
    blue = cv2.imencode(".png", np.full((2, 3, 3), (255, 0, 0), np.uint8))[1].tobytes()
    assert decode(blue).tolist() == [[[0, 0, 255]] * 3] * 2


def test_record_boxes_are_fractions_in_yxyx():
    boxes = to_record_boxes(photo((15, 10, 30, 20)).annotations, **SIZE)
    assert boxes.dtype == np.float32
    assert boxes.tolist() == [[0.25, 0.25, 0.75, 0.75]]
    assert to_record_boxes((), **SIZE).shape == (0, 4)


@given(st.lists(st.tuples(*[st.floats(-100, 100)] * 4), max_size=5))
def test_whatever_the_boxes_what_is_kept_lies_inside_with_area(boxes):
    annotations = lenient().apply(photo(*boxes)).annotations
    record = to_record_boxes(annotations, **SIZE)
    assert np.all((record >= 0) & (record <= 1))
    assert np.all(record[:, :2] < record[:, 2:])
    for each in annotations:
        x, y, width, height = each.box_xywh_px
        assert min(x, y) >= 0
        assert x + width <= 60 * (1 + math.ulp(1)) and y + height <= 40 * (1 + math.ulp(1))
