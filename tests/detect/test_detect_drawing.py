"""Boxes and labels in the picture itself."""

import numpy as np
import pytest

from ssd.detect.detector import Detections
from ssd.detect.drawing import SMALLEST, colour_of, draw, pixel_boxes, place_labels, shown_name, style_for
from ssd.report.lettering import COLOURS

GREY = 128


def found(
    boxes_xyxy_px: list[tuple[float, float, float, float]], labels: list[int], name: str = "cat"
) -> Detections:
    """Detections of falling scores from .9 on."""
    scores = 0.9 - 0.01 * np.arange(len(labels))
    numbers = np.array(labels, np.int64)
    boxes = np.array(boxes_xyxy_px, np.float64).reshape(-1, 4)
    return Detections(boxes, scores, numbers, numbers, (name,) * len(labels))


def rgb(label: int) -> list[int]:
    return [int(colour_of(label)[at : at + 2], 16) for at in (1, 3, 5)]


def plain(height: int, width: int) -> np.ndarray:
    return np.full((height, width, 3), GREY, np.uint8)


def test_a_box_is_drawn_where_it_is_in_the_colour_of_its_class() -> None:
    picture = plain(240, 320)
    drawn = draw(picture, found([(100, 80, 180, 140)], [2]))
    assert drawn.shape == picture.shape and drawn.dtype == np.uint8
    mine = (drawn == rgb(2)).all(axis=2)
    assert mine[80:82, 100:180].all() and mine[138:140, 100:180].all()
    assert mine[80:140, 100:102].all() and mine[80:140, 178:180].all()
    assert not mine[140:].any() and not mine[:, 180:].any() and not mine[:, :100].any()
    assert (drawn[84:136, 104:176] == GREY).all()  # the object can be seen
    assert (picture == GREY).all()  # the original is as it was


def test_a_picture_without_detections_is_the_picture() -> None:
    np.testing.assert_array_equal(draw(plain(24, 32), found([], [])), plain(24, 32))


def test_a_class_keeps_its_colour_whatever_else_is_there() -> None:
    assert colour_of(3) == COLOURS[2]
    assert colour_of(3 + len(COLOURS)) == COLOURS[2]
    assert len({colour_of(label) for label in range(1, 13)}) == 12


def test_a_box_over_the_border_is_cut_there_and_an_empty_one_is_a_line() -> None:
    boxes = np.array([[-5.0, -9.0, 400.0, 300.0], [10.4, 20.6, 10.4, 30.4], [318.0, 239.6, 319.0, 239.9]])
    assert pixel_boxes(boxes, 240, 320) == [(0, 0, 319, 239), (10, 21, 10, 29), (318, 239, 318, 239)]
    draw(plain(240, 320), found([tuple(box) for box in boxes.tolist()], [1, 1, 1]))


@pytest.mark.parametrize(("height", "width"), [(240, 320), (480, 640), (3000, 4000), (200, 1600), (120, 100)])
def test_labels_stay_in_the_picture_and_are_filled_with_the_colour_of_the_class(
    height: int, width: int
) -> None:
    boxes = [
        (0, 0, width, height),
        (width - 9, height - 9, width, height),
        (0, height - 9, 9, height),
        (width - 9, 0, width, 9),
    ]
    detections = found(boxes, [1, 2, 3, 4])
    labels = place_labels(detections, pixel_boxes(detections.boxes_xyxy_px, height, width), height, width)
    drawn = draw(plain(height, width), detections)
    for number, label in enumerate(labels, 1):
        assert label is not None and label.style.letters >= SMALLEST
        assert 0 <= label.left <= label.left + label.width <= width
        assert 0 <= label.top <= label.top + label.style.label_height <= height
        ground = drawn[label.top + 1, label.left + 1 : label.left + label.width - 1]
        assert (ground == rgb(number)).all(axis=1).all()


def test_labels_do_not_cover_each_other_while_there_is_room() -> None:
    detections = found([(100, 100, 200, 160)] * 6, [1] * 6)
    labels = place_labels(detections, pixel_boxes(detections.boxes_xyxy_px, 240, 320), 240, 320)
    for at, label in enumerate(labels):
        for other in labels[:at]:
            beside = label.left >= other.left + other.width or other.left >= label.left + label.width
            apart = abs(label.top - other.top) >= label.style.label_height
            assert beside or apart


def test_every_detection_has_its_label_also_in_a_crowd() -> None:
    detections = found([(100, 100, 200, 160)] * 100, [1] * 100)
    labels = place_labels(detections, pixel_boxes(detections.boxes_xyxy_px, 240, 320), 240, 320)
    assert all(label is not None for label in labels)


def test_lines_and_letters_grow_with_the_picture() -> None:
    sizes = [style_for(*size) for size in ((90, 60), (240, 320), (480, 640), (3000, 4000))]
    assert [(style.line, style.letters) for style in sizes] == [(1, 11), (2, 11), (2, 14), (14, 87)]


def test_letters_shrink_until_a_long_name_fits_and_are_left_out_where_none_would() -> None:
    for width, shown in ((110, True), (30, False)):
        detections = found([(2, 20, 20, 30)], [1], "x" * 20)
        drawn_boxes = pixel_boxes(detections.boxes_xyxy_px, 60, width)
        (label,) = place_labels(detections, drawn_boxes, 60, width)
        assert (label is not None) is shown
        if label is not None:
            assert SMALLEST <= label.style.letters < 11
        drawn = draw(plain(60, width), detections)
        assert (drawn[20:30, 2] == rgb(1)).all()


def test_the_label_says_name_and_score() -> None:
    detections = found([(10, 50, 90, 90)], [1])
    (label,) = place_labels(detections, pixel_boxes(detections.boxes_xyxy_px, 240, 320), 240, 320)
    assert label.text == "cat 0.90"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("cat", "cat"),
        ("Käfer", "Kafer"),
        ("猫", "#17"),
        ("", "#17"),
        ("a\nb", "#17"),
        ("y" * 40, "y" * 25 + "..."),
    ],
)
def test_a_name_is_shown_in_letters_that_the_font_has(name: str, shown: str) -> None:
    assert shown_name(name, 17) == shown
