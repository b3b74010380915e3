"""The page as a whole."""

import dataclasses
import re
from html.parser import HTMLParser
from typing import Any

import cv2
import numpy as np
import pytest

from ssd.analysis.thresholds import Threshold
from ssd.report import inputs
from ssd.report.committed import Earlier
from ssd.report.page import Results, build_page

EVIL = '<b>&"猫"</b>'


def results(images: int = 9, classes: int = 3, epochs: int = 4, detected: bool = True) -> Results:
    """A small run; the first class has a name that must be escaped."""
    names = {10 * i + 3: EVIL if i == 0 else f"class{i}" for i in range(classes)}
    split = inputs.Split(
        images, 2 * images, 0, 0, 0, {"small": 0, "medium": images, "large": images},
        (inputs.Repair("box_without_area", 1, (f"image {EVIL}",)),),
    )  # fmt: skip
    things = tuple(
        inputs.Object(category, (5.0 + 30 * i, 5.0, 25.0, 25.0), False)
        for i, category in enumerate(list(names)[:2])
    )
    pictures = tuple(inputs.Image(i, 80, 60, things) for i in range(1, images + 1))
    found = [inputs.Detection(thing.category_id, thing.box_xywh, 0.87) for thing in things]
    figure = 0.5 if detected else None
    return Results(
        data=inputs.Data(classes, split, split, ("a note",)),
        class_counts=tuple(inputs.ClassCount(name, 4, 2) for name in names.values()),
        anchors=inputs.AnchorFit(
            8732, 21.3, 0.5,
            {size: inputs.Coverage(9, 0.9) for size in ("all", "small", "medium", "large")},
            {name: inputs.Coverage(4, None if i else 0.25) for i, name in enumerate(names.values())},
            inputs.Suggestion((0.05, 0.125, 1.0), 0.96) if detected else None,
        ),
        epochs=tuple(inputs.Epoch(e, 0.1 / e, 3.0 / e, 1.0 / e, 2.0 / e) for e in range(1, epochs + 1)),
        training=inputs.Training(epochs, 10 * epochs, 0.75, 0.25, 0.5, 2_310_452),
        evaluation=inputs.Evaluation(dict.fromkeys(inputs.FIGURES, figure), images, 2 * images, 5),
        class_figures=tuple(
            inputs.ClassFigures(name, figure, figure, figure, {"VOC07": figure, "VOC10": figure}, 2)
            for name in names.values()
        ),
        precision=tuple(inputs.Precision(r / 100, figure, figure, figure) for r in range(101)),
        thresholds=tuple(
            Threshold(t / 100, figure, figure, figure if t < 50 else 0.0) for t in range(1, 100)
        ),
        classes=names,
        train=pictures,
        val=pictures,
        detections={picture.id: list(found[: picture.id % 3]) if detected else [] for picture in pictures},
    )  # fmt: skip


def page(of: Results, photos: int = 6) -> str:
    encoded = cv2.imencode(".jpg", np.full((60, 80, 3), 99, np.uint8))[1].tobytes()
    return build_page(of, lambda split, image_id: encoded, "A <run>", photos, 0.4, np.random.default_rng(0))


class Outline(HTMLParser):
    """Checks that every tag is closed in order; keeps the text and all attributes."""

    VOID = frozenset({"meta", "link", "br", "img", "col", "input"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.count: dict[str, int] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += attrs
        self.count[tag] = self.count.get(tag, 0) + 1
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += attrs
        self.count[tag] = self.count.get(tag, 0) + 1

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def read(html: str) -> Outline:
    outline = Outline()
    outline.feed(html)
    outline.close()
    assert outline.open == []
    return outline


def test_the_page_goes_from_the_verdict_over_data_training_and_errors_to_the_images():
    html = page(results())
    text = read(html).text
    assert text.startswith(
        "A <run> A <run> AP 0.500 AP50 0.500 over 9 validation images with 18 objects. 4 epochs (40 steps)"
    )
    assert re.findall(r"<h2>(.*?)</h2>", html) == [
        "Data",
        "Anchors",
        "Training",
        "Evaluation",
        "Error analysis",
        "More validation images",
    ]
    for part in (
        "2,310,452",
        "a note",
        "90.0% of 9",
        "an object. With anchors.sizes of 0.05, 0.125, 1.0,",
        "Loss by epoch",
        "Learning rate by epoch",
        "AP @[.50:.95]",
    ):
        assert part in text
    assert text.index("Worst photos The") < text.index("Best The") < text.index("Between A")


def test_the_same_results_make_the_same_bytes():
    assert page(results()) == page(results())


def test_the_page_asks_nothing_of_the_network():
    html = page(results())
    outline = read(html)
    links = [value for name, value in outline.attributes if name in ("src", "href", "xlink:href", "action")]
    assert links
    assert all(link is not None and link.startswith(("data:", "#")) for link in links)
    assert "script" not in outline.count
    assert not re.search(r"@import|url\(|https?:", html)


def test_names_notes_and_the_title_are_escaped():
    html = page(results())
    assert "<b>&" not in html
    outline = read(html)
    assert outline.text.count(EVIL) >= 4  # by class, coverage, table, on photos
    assert f"{EVIL} 0.87" in outline.text
    assert f"(image {EVIL})" in outline.text


def test_as_many_photos_are_shown_as_were_asked_for():
    groups = page(results(images=20), photos=12).split('<section id="errors">')[1]
    assert groups.count("<image ") == 12
    assert groups.count("<figcaption><span>found ") == 12
    assert page(results(images=2), photos=12).split('<section id="errors">')[1].count("<image ") == 2


def test_each_photo_says_what_was_found():
    text = read(page(results(images=3), photos=3)).text
    assert "found 2 of 2, none false F1 1.00 · image 2" in text
    assert "found 1 of 2, none false F1 0.67 · image 1" in text
    assert "found 0 of 2, none false missed: 2 nothing F1 0.00 · image 3" in text
    assert "Over 3 images: found 3 of 6 objects (50.0%)" in text


@pytest.mark.parametrize(
    "odd",
    [
        {"detected": False},
        {"epochs": 1},
        {"epochs": 0},
        {"classes": 80},
        {"classes": 1},
        {"images": 1},
        {"images": 0},
    ],
    ids=str,
)
def test_odd_runs_still_make_a_whole_page(odd: dict[str, Any]):
    outline = read(page(results(**odd)))
    assert "nan" not in outline.text
    assert "None" not in outline.text


def test_eighty_classes_stand_in_three_tables_and_all_are_there():
    html = page(results(classes=80))
    assert html.count('<table class="classes">') == 3
    assert all(html.count(f">class{i}<") >= 3 for i in range(1, 80))


def table_rows(html: str) -> list[list[str]]:
    """The texts in the cells of the tables by class, row by row, headers too."""
    tables = re.split('<table class="classes(?: compared)?">', html)[1:]
    rows = [row for table in tables for row in table.split("</table>")[0].split("<tr>")[1:]]
    return [
        [re.sub("<.*?>", "", cell).strip() for cell in re.findall(r"<t[hd]\b.*?</t[hd]>", row)]
        for row in rows
    ]


def test_vocs_figures_of_each_class_stand_under_their_names_in_its_row():
    of = results(classes=2)
    figures = (
        inputs.ClassFigures("cat", 0.25, 0.5, 0.375, {"VOC07": 0.625, "VOC10": 0.75}, 4),
        inputs.ClassFigures("dog", 0.125, 0.5, 0.375, {"VOC07": None, "VOC10": 1.0}, 1234),
    )
    assert table_rows(page(dataclasses.replace(of, class_figures=figures))) == [
        ["Class", "", "AP", "AP50", "AR100", "VOC07", "VOC10", "Objects"],
        ["cat", "", "0.250", "0.500", "0.375", "0.625", "0.750", "4"],
        ["dog", "", "0.125", "0.500", "0.375", "–", "1.000", "1,234"],
    ]


def test_without_vocs_figures_the_table_has_no_columns_for_them():
    figures = (inputs.ClassFigures("cat", 0.25, 0.5, 0.375, {}, 4),)
    html = page(dataclasses.replace(results(classes=1), class_figures=figures))
    assert table_rows(html) == [
        ["Class", "", "AP", "AP50", "AR100", "Objects"],
        ["cat", "", "0.250", "0.500", "0.375", "4"],
    ]


@pytest.mark.parametrize("voc", [{}, {"VOC07": 0.5, "VOC10": 0.5}], ids=["without", "with"])
def test_a_table_by_class_has_as_many_columns_in_every_row_as_it_declares(voc: dict[str, float | None]):
    of = results(classes=80)
    figures = tuple(dataclasses.replace(each, voc=voc) for each in of.class_figures)
    html = page(dataclasses.replace(of, class_figures=figures))
    rows = table_rows(html)
    assert len(rows) == 80 + 3
    assert {len(row) for row in rows} == {6 + len(voc)}
    assert html.count("<col>") + html.count("<col class=") == 3 * (6 + len(voc))


def test_undefined_figures_are_dashes_and_the_verdict_says_why():
    text = read(page(results(detected=False))).text
    assert "No figure over 9 validation images" in text
    assert "AP75 AP @.75 –" in text
    assert "There is no precision at any recall to draw." in text


def test_data_without_repairs_and_notes_says_so():
    of = results()
    clean = dataclasses.replace(of.data.train, repairs=())
    tidy = dataclasses.replace(of, data=inputs.Data(3, clean, clean, ()))
    assert "nothing was repaired and nothing left out" in read(page(tidy)).text


def test_a_photo_that_cannot_be_read_is_named():
    with pytest.raises(ValueError, match=r"^val image 2: expected an encoded photo"):
        build_page(results(), lambda split, image_id: b"", "t", 3, 0.4, np.random.default_rng(0))


def earlier(**changed: float | None) -> Earlier:
    """Another run, which differs from `results()` in these figures."""
    return Earlier(
        "the last committed run", "As it was", dict.fromkeys(inputs.FIGURES, 0.5) | changed, {"class1": 0.75}
    )


def test_the_verdict_stands_beside_that_of_another_run():
    text = read(page(dataclasses.replace(results(), earlier=earlier(AP=0.4375, AP50=0.625)))).text
    assert "AP 0.500 +0.062 AP50 0.500 −0.125 over 9" in text
    assert "Against the last committed run: AP 0.438, AP50 0.625. As it was" in text
    assert "AP75 AP @.75 ±0.000 0.500" in text


def test_the_ap_of_a_class_stands_beside_its_change_where_the_other_run_had_the_class():
    rows = table_rows(page(dataclasses.replace(results(classes=2), earlier=earlier(AP=0.25))))
    assert rows[0][:4] == ["Class", "", "AP", "±"]
    assert sorted(row[3] for row in rows[1:]) == ["", "−0.250"]
    assert {len(row) for row in rows} == {9}


def test_a_run_of_the_same_figures_is_not_compared():
    assert page(dataclasses.replace(results(), earlier=earlier())) == page(results())


def test_a_figure_that_the_other_run_lacks_has_no_change():
    of = earlier(AP=0.25)
    del of.figures["VOC07"]
    text = read(page(dataclasses.replace(results(), earlier=of))).text
    assert "VOC07 11 points 0.500" in text
    assert "VOC10 area ±0.000 0.500" in text


def test_the_best_threshold_is_told_and_marked():
    html = page(results())
    text = read(html).text
    assert "highest at a least score of 0.01: F1 0.500, precision 0.500, recall 0.500." in text
    assert "This page shows and counts from 0.4 on (report.min_score)." in text
    assert html.count('<path class="mark"') == 1


def test_errors_are_told_by_kind_and_reason_with_what_mending_them_brings():
    of = results(images=2, classes=2)
    thing = of.val[0].objects[0]
    other = dataclasses.replace(thing, category_id=13)
    boxes = [inputs.Detection(each.category_id, each.box_xywh, 0.9) for each in (thing, thing, other)]
    found = {1: boxes, 2: []}
    rows = page(dataclasses.replace(of, detections=found)).split('<table class="kinds">')
    cells = [re.sub(r"<.*?>|\s+", " ", row).split() for row in rows[1].split("</tbody>")[0].split("<tr")[2:]]
    # 4 objects, of which 1 is found, once more and as another class too; the 3 others are missed
    assert [row[-2] for row in cells] == ["1", "0", "0", "1", "0", "3", "2", "3"]
    assert "Nothing" in rows[2]
    assert re.search(r"Nothing.*?>3<", rows[2], re.DOTALL)


def test_many_classes_are_confused_in_a_map_and_few_in_a_table():
    few, many = page(results(classes=20)), page(results(classes=21))
    assert few.count('<table class="matrix dense">') == 1
    assert 'class="map"' not in few
    assert many.count('<svg class="map"') == 1
    assert '<table class="matrix' not in many
    assert "class1 found: 3" in many
