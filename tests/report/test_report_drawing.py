"""Photos, boxes and names in their frame."""

import base64

import cv2
import numpy as np
import pytest

from ssd.report.cases import judge
from ssd.report.drawing import Frame, Picture, draw_case, draw_truth, jpeg
from ssd.report.inputs import Detection, Image, Object
from ssd.report.lettering import COLOURS, ink_on, short, text_width

FRAME = Frame(320, 240)
CLASSES = {17: "cat", 18: "dog"}


def photo(height: int, width: int) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return cv2.imencode(".png", noise)[1].tobytes()


def drawn(width: int, height: int, objects: list[Object], detections: list[Detection]) -> Picture:
    case = judge(Image(7, width, height, tuple(objects)), detections, 0.5)
    return draw_case(case, photo(height, width), FRAME, 1_000_000, CLASSES)


def test_a_tall_photo_stands_in_the_middle_of_the_frame_and_its_boxes_with_it():
    picture = drawn(50, 100, [], [Detection(18, (0, 50, 50, 50), 0.9)])
    assert (picture.x, picture.y, picture.width, picture.height) == (100.0, 0.0, 120.0, 240.0)
    outline = picture.outlines[0]
    assert (outline.x, outline.y, outline.width, outline.height) == (100.0, 120.0, 120.0, 120.0)


def test_a_box_beyond_the_photo_is_cut_at_its_border():
    outline = drawn(320, 240, [], [Detection(17, (-50, 200, 100, 100), 0.9)]).outlines[0]
    assert (outline.x, outline.y, outline.width, outline.height) == (0.0, 200.0, 50.0, 40.0)


def test_each_box_is_drawn_as_what_became_of_it():
    objects = [
        Object(17, (0, 0, 50, 50), False),
        Object(18, (100, 100, 50, 50), False),
        Object(18, (200, 0, 90, 90), True),
    ]
    found = [
        Detection(17, (0, 0, 50, 50), 0.9),
        Detection(17, (10, 180, 30, 30), 0.8),
        Detection(18, (210, 10, 40, 40), 0.7),
    ]
    picture = drawn(320, 240, objects, found)
    kinds = [outline.kind for outline in picture.outlines]
    assert kinds == ["truth", "missed", "crowd", "right", "false", "ignored"]
    assert [label.text for label in picture.labels] == ["cat 0.90", "× cat 0.80", "dog 0.70", "dog"]
    assert picture.outlines[1].title == "missed (nothing): dog"


def test_a_class_has_its_colour_everywhere():
    picture = drawn(320, 240, [], [Detection(18, (0, 50, 50, 50), 0.9), Detection(18, (90, 50, 50, 50), 0.8)])
    assert {shape.colour for shape in picture.outlines + picture.labels} == {COLOURS[1]}


def test_labels_stay_in_the_frame_and_do_not_cover_each_other():
    rng = np.random.default_rng(3)
    crowded = [Detection(18, (*rng.uniform(0, 300, 2), 30.0, 30.0), 0.9) for _ in range(80)]
    labels = drawn(320, 240, [], crowded).labels
    assert 10 < len(labels) < 80
    for at, label in enumerate(labels):
        assert 0 <= label.x <= label.x + label.width <= FRAME.width
        assert 0 <= label.y <= label.y + 15 <= FRAME.height
        for other in labels[:at]:
            beside = label.x >= other.x + other.width or other.x >= label.x + label.width
            assert beside or abs(label.y - other.y) >= 15


def test_training_photos_show_names_without_scores():
    image = Image(3, 320, 240, (Object(17, (10, 50, 60, 60), False),))
    picture = draw_truth(image, photo(240, 320), FRAME, 1_000_000, CLASSES)
    assert [label.text for label in picture.labels] == ["cat"]


def test_a_photo_becomes_a_jpeg_of_twice_the_frame_at_most_and_keeps_its_proportions():
    data = jpeg(photo(900, 1800), FRAME, 10_000_000, "val image 1")
    assert data[:2] == b"\xff\xd8"
    assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape == (320, 640, 3)


def test_a_photo_smaller_than_the_frame_keeps_its_size():
    data = jpeg(photo(20, 30), FRAME, 10_000_000, "val image 1")
    assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape == (20, 30, 3)


def test_a_photo_is_made_coarser_until_it_keeps_to_its_budget():
    fine, coarse = (jpeg(photo(480, 640), FRAME, budget, "val image 1") for budget in (10**7, 60_000))
    assert len(coarse) <= 60_000 < len(fine)


def test_an_orientation_noted_in_the_photo_is_ignored_and_not_handed_on():
    plain = cv2.imencode(".jpg", np.zeros((20, 40, 3), np.uint8))[1].tobytes()
    tiff = b"MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00"
    exif = b"Exif\x00\x00" + tiff
    turned = plain[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + plain[2:]
    assert cv2.imdecode(np.frombuffer(turned, np.uint8), cv2.IMREAD_COLOR).shape[:2] == (40, 20)
    data = jpeg(turned, FRAME, 10**7, "val image 1")
    assert b"Exif" not in data
    assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape[:2] == (20, 40)


@pytest.mark.parametrize("damaged", [b"", b"no photo"])
def test_what_is_no_photo_is_named(damaged: bytes):
    image = Image(3, 320, 240, ())
    with pytest.raises(
        ValueError, match=r"^train image 3: expected an encoded photo, got \d bytes that are none$"
    ):
        draw_truth(image, damaged, FRAME, 1000, CLASSES)


def test_the_jpeg_stands_in_the_picture_as_base64():
    picture = drawn(32, 24, [], [])
    assert base64.b64decode(picture.jpeg)[:2] == b"\xff\xd8"


def test_wide_scripts_take_more_room_and_accents_none():
    assert text_width("猫") > text_width("m") > text_width("a") > text_width("i")
    assert text_width("e\u0301") == text_width("e")


def test_a_long_name_ends_in_an_ellipsis():
    assert short("dog") == "dog"
    assert short("a" * 40) == "a" * 25 + "…"


def test_every_colour_is_written_on_in_an_ink_that_can_be_read():
    def luminance(colour: str) -> float:
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for colour in COLOURS:
        low, high = sorted((luminance(colour), luminance(ink_on(colour))))
        assert (high + 0.05) / (low + 0.05) > 4.5  # WCAG 2.1, contrast (minimum)
