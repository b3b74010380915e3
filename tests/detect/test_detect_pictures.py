"""Picture files of every kind, read and written."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from exif import save_turned

from ssd.data.decode import decode
from ssd.detect.pictures import drawn_name, read_picture, write_picture


def scene() -> np.ndarray:
    """Red at the left, blue at the right, [40, 80, 3] uint8 RGB."""
    picture = np.zeros((40, 80, 3), np.uint8)
    picture[:, :40], picture[:, 40:] = (200, 10, 20), (10, 20, 200)
    return picture


def save(path: Path, stored: np.ndarray) -> Path:
    """Write what OpenCV takes: grey, BGR or BGRA."""
    assert cv2.imwrite(str(path), stored)
    return path


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_picture_is_turned_as_its_exif_orientation_says(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    save_turned(path, scene())
    picture = read_picture(path)
    assert picture.shape == (40, 80, 3)
    assert np.abs(picture.astype(int) - scene()).mean() < 3


def test_photos_of_a_data_set_stay_as_stored(tmp_path: Path) -> None:
    save_turned(tmp_path / "a.jpg", scene())
    assert decode((tmp_path / "a.jpg").read_bytes()).shape == (80, 40, 3)


def test_a_grey_picture_has_three_equal_channels(tmp_path: Path) -> None:
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
    np.testing.assert_array_equal(read_picture(save(tmp_path / "a.png", grey)), np.dstack([grey] * 3))


def test_the_transparency_of_a_picture_is_left_out(tmp_path: Path) -> None:
    alpha = np.full((40, 80), 7, np.uint8)
    stored = np.dstack([scene()[:, :, ::-1], alpha])
    np.testing.assert_array_equal(read_picture(save(tmp_path / "a.png", stored)), scene())


def test_sixteen_bits_become_eight(tmp_path: Path) -> None:
    stored = scene()[:, :, ::-1].astype(np.uint16) * 257
    np.testing.assert_array_equal(read_picture(save(tmp_path / "a.png", stored)), scene())


@pytest.mark.parametrize("name", ["a.png", "a.PNG", "a.bmp", "a.jpg", "a.JPEG", "a.webp"])
def test_what_is_written_is_read_again(tmp_path: Path, name: str) -> None:
    write_picture(tmp_path / "new" / name, scene())
    picture = read_picture(tmp_path / "new" / name)
    assert picture.shape == scene().shape
    assert np.abs(picture.astype(int) - scene()).mean() < (1 if name[2] in "pbP" else 3)
    assert [path.name for path in (tmp_path / "new").iterdir()] == [name]


@pytest.mark.parametrize(
    ("name", "drawn"),
    [("a.jpg", "a.jpg"), ("A.PNG", "A.PNG"), ("a.tif", "a.tif.png"), ("photo", "photo.png")],
)
def test_a_picture_keeps_its_name_if_it_can_be_written_so(name: str, drawn: str) -> None:
    assert drawn_name(Path("folder") / name) == drawn


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ValueError) as caught:
        read_picture(tmp_path / "a.jpg")
    assert str(caught.value) == f"{tmp_path / 'a.jpg'}: no such file"


@pytest.mark.parametrize("encoded", [b"", b"no picture", cv2.imencode(".jpg", scene())[1].tobytes()[:400]])
def test_what_is_no_picture_or_half_a_one_is_one_sentence(tmp_path: Path, encoded: bytes) -> None:
    (tmp_path / "a.jpg").write_bytes(encoded)
    with pytest.raises(ValueError) as caught:
        read_picture(tmp_path / "a.jpg")
    assert str(caught.value) == (
        f"{tmp_path / 'a.jpg'}: expected a picture, got {len(encoded)} bytes that are none"
    )


def test_a_picture_too_large_for_its_form_is_one_sentence_and_the_old_one_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.webp"
    path.write_bytes(b"old")
    with pytest.raises(ValueError) as caught:
        write_picture(path, np.zeros((1, 20000, 3), np.uint8))
    assert str(caught.value) == f"{path}: expected a picture that .webp holds, got 20000 x 1 pixels"
    assert path.read_bytes() == b"old"
