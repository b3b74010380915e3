"""VOC's annotation files: pixels from 1, and nothing that XML can be abused for."""

import pytest
from tiny_devkit import xml

from ssd.data.sources.voc_xml import VocAnnotation, VocObject, read_annotation

PLACE = "a.xml"


def sentence_of(data: str | bytes) -> str:
    with pytest.raises(ValueError) as caught:
        read_annotation(data if isinstance(data, bytes) else data.encode(), PLACE)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def one(body: str) -> str:
    return f"<annotation><object><name>dog</name>{body}</object></annotation>"


BOX = "<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>3</xmax><ymax>4</ymax></bndbox>"


def test_a_box_reaches_from_one_before_its_first_pixel_to_its_last():
    # 5 pixels wide from the very left, rows 2 to 11
    said = read_annotation(
        xml((40, 60), [("dog", 1, 2, 5, 11, 0), ("cat", 2.5, 3, 9.25, 3, 1)]).encode(), PLACE
    )
    assert said == VocAnnotation(
        40,
        60,
        (VocObject("dog", (0, 1, 5, 10), False), VocObject("cat", (1.5, 2, 7.75, 1), True)),
    )


def test_the_whole_image_is_the_whole_image():
    (whole,) = read_annotation(xml((375, 500), [("dog", 1, 1, 500, 375, 0)]).encode(), PLACE).objects
    assert whole.box_xywh_px == (0, 0, 500, 375)


def test_what_may_be_missing_is_difficult_and_the_size():
    assert read_annotation(one(BOX).encode(), PLACE) == VocAnnotation(
        None, None, (VocObject("dog", (0, 1, 3, 3), False),)
    )
    assert read_annotation(xml((0, 0), []).encode(), PLACE) == VocAnnotation(None, None, ())


def test_encodings_are_those_that_the_file_declares():
    text = xml((5, 5), [("größe", 1, 1, 2, 2, 0)])
    latin = '<?xml version="1.0" encoding="iso-8859-1"?>' + text
    for data in (text.encode(), ("\ufeff" + text).encode(), text.encode("utf-16"), latin.encode("latin-1")):
        assert read_annotation(data, PLACE).objects[0].name == "größe"


@pytest.mark.parametrize(
    "doctype",
    [
        '<!DOCTYPE annotation [<!ENTITY a "xxxxxxxxxx"><!ENTITY b "&a;&a;&a;&a;">]>',
        '<!DOCTYPE annotation [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE annotation [<!ENTITY % a SYSTEM "http://127.0.0.1/a"> %a;]>',
        '<!DOCTYPE annotation SYSTEM "http://127.0.0.1/voc.dtd">',
        "<!DOCTYPE annotation>",
    ],
)
def test_document_types_and_entities_are_refused(doctype):
    text = doctype + one(BOX.replace("<xmin>1<", "<xmin>&a;<"))
    assert sentence_of(text) == "a.xml: expected XML without DOCTYPE and ENTITY, got one; remove it"


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ("", "expected XML, got no element found in line 1, column 1"),
        ("<annotation><object></annotation>", "expected XML, got mismatched tag in line 1, column 23"),
        ("<annotation>\n&a;</annotation>", "expected XML, got undefined entity in line 2, column 1"),
        (b"\xff\xfe\xfd", "expected XML, got "),
        (b"<annotation>\xff</annotation>", "expected XML, got not well-formed (invalid token) in line 1"),
        ('<?xml version="1.0" encoding="klingon"?><annotation/>', "expected XML"),
        (
            '<?xml version="1.0" encoding="euc-jp"?><annotation/>',
            "expected XML in a known encoding, got multi-byte",
        ),
        ("<html/>", "expected an annotation, got an element 'html'"),
        (
            "<annotation><object/></annotation>",
            "object 1: expected one name, got none",
        ),
        (
            "<annotation><object><name> </name></object></annotation>",
            "object 1: expected one name, got an empty one",
        ),
        (
            one(BOX)[:-13] + "<object><name>cat</name></object></annotation>",
            "object 2 (cat): expected one bndbox, got none",
        ),
        (one(BOX + BOX), "object 1 (dog): expected one bndbox, got 2"),
        (one("<part>" + BOX + "</part>"), "object 1 (dog): expected one bndbox, got none"),
        (one(BOX.replace("<ymax>4</ymax>", "")), "object 1 (dog): bndbox: expected one ymax, got none"),
        (
            one(BOX.replace("<ymax>4", "<ymax>four")),
            "object 1 (dog): bndbox: expected a number as ymax, got 'four'",
        ),
        (
            one(BOX.replace("<ymax>4", "<ymax>nan")),
            "object 1 (dog): bndbox: expected a number as ymax, got 'nan'",
        ),
        (one(BOX.replace("<ymax>4", "<ymax>1e99")), "object 1 (dog): bndbox: expected a number as ymax"),
        (one(BOX + "<difficult>2</difficult>"), "object 1 (dog): expected 0 or 1 as difficult, got 2"),
        (
            "<annotation><size><width>5</width></size></annotation>",
            "size: expected one height, got none",
        ),
        (
            "<annotation><size><width>5</width><height>0</height></size></annotation>",
            "size: expected a whole number >= 1 as height, got 0",
        ),
        (
            "<annotation><size><width>5.5</width><height>2</height></size></annotation>",
            "size: expected a whole number >= 1 as width, got 5.5",
        ),
    ],
)
def test_what_is_wrong_is_one_sentence(data, sentence):
    assert sentence_of(data).startswith(f"a.xml: {sentence}")


def test_a_deeply_nested_file_does_no_harm():
    depth = 100_000
    assert sentence_of("<a>" * depth + "</a>" * depth) == "a.xml: expected an annotation, got an element 'a'"


def test_a_huge_file_is_refused():
    assert sentence_of(b" " * (17 << 20)) == "a.xml: expected at most 16777216 bytes of XML, got 17825792"
