import json
import zipfile
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from ssd.data.sources import shapes, textures
from ssd.data.sources.sample import CATEGORIES, EMPTY_EVERY, MAX_SIZE, MIN_SIZE, draw_picture, draw_sample

FILES = ("train.zip", "train.json", "val.zip", "val.json")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    draw_sample(folder, train_images=50, val_images=6, seed=1)
    return folder


def read(folder: Path, split: str) -> dict:
    return json.loads((folder / f"{split}.json").read_text())


def test_only_the_four_files_are_written(drawn: Path) -> None:
    assert sorted(path.name for path in drawn.iterdir()) == sorted(FILES)


def test_the_same_seed_draws_the_same_bytes(drawn: Path, tmp_path: Path) -> None:
    draw_sample(tmp_path, train_images=50, val_images=6, seed=1)
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (drawn / name).read_bytes(), name


def test_another_seed_draws_other_pictures(drawn: Path, tmp_path: Path) -> None:
    draw_sample(tmp_path, train_images=2, val_images=1, seed=2)
    with zipfile.ZipFile(tmp_path / "train.zip") as other, zipfile.ZipFile(drawn / "train.zip") as one:
        assert other.read("train/000001.jpg") != one.read("train/000001.jpg")


def test_more_pictures_leave_the_earlier_ones_as_they_were(drawn: Path, tmp_path: Path) -> None:
    draw_sample(tmp_path, train_images=8, val_images=2, seed=1)
    for split, count in (("train", 8), ("val", 2)):
        few, many = read(tmp_path, split), read(drawn, split)
        assert few["images"] == many["images"][:count]
        assert few["annotations"] == [entry for entry in many["annotations"] if entry["image_id"] <= count]
        with (
            zipfile.ZipFile(tmp_path / f"{split}.zip") as short,
            zipfile.ZipFile(drawn / f"{split}.zip") as long,
        ):
            assert short.namelist() == long.namelist()[:count]
            for name in short.namelist():
                assert short.read(name) == long.read(name), name


def test_train_and_val_share_no_picture(drawn: Path) -> None:
    with zipfile.ZipFile(drawn / "train.zip") as train, zipfile.ZipFile(drawn / "val.zip") as val:
        pictures = {train.read(name) for name in train.namelist()}
        assert len(pictures) == 50
        assert not pictures & {val.read(name) for name in val.namelist()}


def test_members_are_stored_sorted_and_have_the_size_that_the_json_says(drawn: Path) -> None:
    images = read(drawn, "train")["images"]
    with zipfile.ZipFile(drawn / "train.zip") as archive:
        assert archive.namelist() == [f"train/{image['file_name']}" for image in images]
        assert archive.namelist() == sorted(archive.namelist())
        assert {member.compress_type for member in archive.infolist()} == {zipfile.ZIP_STORED}
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        for image in images:
            picture = cv2.imdecode(np.frombuffer(archive.read(f"train/{image['file_name']}"), np.uint8), 1)
            assert picture.shape == (image["height"], image["width"], 3)
    assert len({(image["height"], image["width"]) for image in images}) > 2


def test_boxes_lie_inside_their_image_and_hold_their_area(drawn: Path) -> None:
    tree = read(drawn, "train")
    images = {image["id"]: image for image in tree["images"]}
    for annotation in tree["annotations"]:
        x, y, width, height = annotation["bbox"]
        image = images[annotation["image_id"]]
        assert 0 <= x < x + width <= image["width"] + 0.01
        assert 0 <= y < y + height <= image["height"] + 0.01
        assert width > 5 and height > 5 and max(width, height) <= MAX_SIZE + 0.1
        # A star covers least of its box; a square's mask may bleed by an eighth of a pixel a side.
        assert 0.15 * width * height < annotation["area"] < 1.03 * width * height


def test_every_kind_and_every_size_occurs(drawn: Path) -> None:
    tree = read(drawn, "train")
    assert [category["id"] for category in tree["categories"]] == [1, 3, 4, 7, 9]
    kinds = Counter(annotation["category_id"] for annotation in tree["annotations"])
    assert set(kinds) == set(CATEGORIES.values())
    assert min(kinds.values()) > 0.1 * sum(kinds.values())
    areas = np.array([annotation["area"] for annotation in tree["annotations"]])
    small, large = (areas < 32**2).mean(), (areas > 96**2).mean()
    assert small > 0.1 and large > 0.1 and small + large < 0.8
    assert [annotation["id"] for annotation in tree["annotations"]] == list(range(1, len(areas) + 1))


def test_one_picture_in_twenty_five_has_no_objects(drawn: Path) -> None:
    tree = read(drawn, "train")
    used = Counter(annotation["image_id"] for annotation in tree["annotations"])
    assert {image["id"] for image in tree["images"]} - set(used) == {EMPTY_EVERY, 2 * EMPTY_EVERY}
    assert max(used.values()) <= 6


@pytest.mark.parametrize("kind", shapes.KINDS)
@pytest.mark.parametrize("size", [20.0, 61.3, 200.0])
def test_a_box_is_tight_around_the_drawn_shape(kind: str, size: float) -> None:
    rng = np.random.default_rng(3)
    for _ in range(4):
        outline = shapes.random_outline(rng, kind, size).moved(150 + rng.uniform(), 150 + rng.uniform())
        mask = shapes.mask(outline).clipped(300, 300)
        page = np.zeros((300, 300), np.uint8)
        page[mask.window] = mask.cover
        rows, columns = (np.flatnonzero(page.max(axis) >= 16) for axis in (1, 0))
        painted = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
        xmin, ymin, xmax, ymax = outline.extent
        np.testing.assert_allclose([xmin, ymin, xmax, ymax], painted, atol=1.0)
        assert max(xmax - xmin, ymax - ymin) == pytest.approx(size, abs=0.05)


def test_a_mask_covers_as_much_as_its_outline_encloses() -> None:
    rng = np.random.default_rng(4)
    for kind in shapes.KINDS:
        outline = shapes.random_outline(rng, kind, 90.0).moved(0.3, 0.7)
        areas = [cv2.contourArea(contour) / shapes.UNITS**2 for contour in outline.contours]
        # The filling includes the fine pixels on the border, 1/8 pixel around.
        assert shapes.mask(outline).area == pytest.approx(areas[0] - sum(areas[1:]), rel=0.03)


def test_a_mask_lies_where_its_outline_lies() -> None:
    square = shapes.Outline((np.array([[0, 0], [640, 0], [640, 640], [0, 640]], np.int32),)).moved(5.5, 3.0)
    mask = shapes.mask(square).clipped(40, 40)
    page = np.zeros((40, 40), int)
    page[mask.window] = mask.cover
    assert square.extent == (5.5, 3.0, 15.5, 13.0)
    weight = page / page.sum()
    assert (weight.sum(0) * (np.arange(40) + 0.5)).sum() == pytest.approx(10.5, abs=0.15)
    assert (weight.sum(1) * (np.arange(40) + 0.5)).sum() == pytest.approx(8.0, abs=0.15)
    assert (page[4:12, 7:15] == 255).all()


def test_sizes_of_whole_objects_reach_over_the_promised_range() -> None:
    longest = [
        max(drawn.box_xywh_px[2:]) for number in range(1, 60) for drawn in draw_picture(5, "val", number)[1]
    ]
    assert min(longest) < 1.3 * MIN_SIZE
    assert 0.85 * MAX_SIZE < max(longest) <= MAX_SIZE + 0.1


@pytest.mark.parametrize("kind", textures.TEXTURES)
def test_a_texture_has_both_tones_and_the_shape_asked_for(kind: str) -> None:
    weight = textures.weights(np.random.default_rng(0), kind, 70, 90, 12.0)
    assert weight.shape == (70, 90) and weight.dtype == np.uint8
    assert weight.min() < 100 and weight.max() > 150


def test_blending_ends_at_its_two_tones() -> None:
    first, second = np.array([10, 20, 30], np.uint8), np.array([250, 0, 99], np.uint8)
    picture = textures.blend(first, second, np.array([[0, 255]], np.uint8))
    assert picture.tolist() == [[[10, 20, 30], [250, 0, 99]]]
