"""Image sets of devkits in directories and tars."""

import shutil

import pytest
from tiny_devkit import TARS, TEST_2007, TRAIN_2007, TRAIN_2012, write_folder, write_original, write_tar

from ssd.data.sources.devkit import Devkits


@pytest.fixture
def project(tmp_path):
    return write_original(tmp_path)


def splits(project, train=("2007/trainval", "2012/trainval"), val=("2007/test",), devkits=TARS):
    return Devkits([project / name for name in devkits]).splits({"train": train, "val": val}, "params: ")


def named(of_split):
    return [f"{image.folder}/{image.name}" for image in of_split.images]


FOLDERS = tuple(name.removesuffix(".tar") for name in TARS)


@pytest.mark.parametrize("devkits", [TARS, FOLDERS, tuple(f"{name}/VOCdevkit" for name in FOLDERS)])
def test_the_sets_of_tars_and_of_folders_are_found_with_their_files(project, devkits):
    found = splits(project, devkits=devkits)
    assert named(found["train"]) == ["VOC2007/000005", "VOC2007/000012", "VOC2012/2008_000003"]
    assert named(found["val"]) == ["VOC2007/000001"]
    image = found["train"].images[1]
    original = project / FOLDERS[0] / "VOCdevkit/VOC2007"
    assert image.photo.stored.read() == (original / "JPEGImages/000012.jpg").read_bytes()
    assert image.annotation.stored.read() == (original / "Annotations/000012.xml").read_bytes()
    assert image.photo.stored.size == (original / "JPEGImages/000012.jpg").stat().st_size


def test_a_set_may_name_its_folder_whole(project):
    assert named(splits(project, train=("VOC2012/trainval",))["train"]) == ["VOC2012/2008_000003"]


def test_a_directory_of_ones_own_is_a_folder_by_its_name(project):
    write_folder(project / "mine", learn=TRAIN_2012, check={"a": ((5, 5), [])})
    found = splits(project, ("mine/learn",), ("mine/check",), devkits=("mine",))
    assert (named(found["train"]), named(found["val"])) == (["mine/2008_000003"], ["mine/a"])


def test_a_tar_without_a_folder_is_one_by_its_name(project):
    write_tar(project / "mine.tar", write_folder(project / "x", learn=TRAIN_2012, check=TEST_2007), ".")
    assert named(splits(project, ("mine/learn",), ("mine/check",), devkits=("mine.tar",))["val"]) == [
        "mine/000001"
    ]


@pytest.mark.parametrize("suffix", [".JPG", ".png", ".jpeg"])
def test_photos_may_be_of_another_kind(project, suffix):
    folder = write_folder(project / "mine", learn=TRAIN_2012, check=TEST_2007)
    (folder / "JPEGImages/000001.jpg").rename(folder / f"JPEGImages/000001{suffix}")
    found = splits(project, ("mine/learn",), ("mine/check",), devkits=("mine",))
    assert found["val"].images[0].photo.name == f"JPEGImages/000001{suffix}"


def test_an_image_that_two_sets_of_a_split_name_is_there_once(project):
    assert named(splits(project, train=("2007/train", "2007/trainval"))["train"]) == [
        "VOC2007/000005",
        "VOC2007/000012",
    ]


def test_an_image_in_train_and_in_val_is_refused(project):
    with pytest.raises(ValueError) as caught:
        splits(project, train=("2007/trainval",), val=("2007/test", "2007/train"))
    assert str(caught.value) == (
        "params: val_sets: image 000005 of VOC2007: expected an image that is not in train_sets (2007/trainval), "
        "got one that is"
    )


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("2008/train", "expected one of the folders VOC2007, VOC2012, got neither 2008 nor VOC2008"),
        (
            "2007/val",
            "expected one of the sets of VOC2007 (test, train, trainval), "
            "got no file ImageSets/Main/val.txt in {paths}",
        ),
    ],
)
def test_an_unknown_set_is_named_with_the_known_ones(project, name, sentence):
    with pytest.raises(ValueError) as caught:
        splits(project, train=(name,))
    paths = ", ".join(str(project / name) for name in TARS)
    assert str(caught.value) == f"params: train_sets: {name}: {sentence.format(paths=paths)}"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "expected at least one image, got none"),
        (" \n\n", "expected at least one image, got none"),
        (
            "000012  1\n",
            "line 1: expected the name of an image alone, got '000012  1'; the lists of single classes",
        ),
        ("\n../../x\n", "line 2: expected the name of an image, got '../../x': a step out of the folder"),
        ("/etc/x\n", "line 1: expected the name of an image, got '/etc/x': an absolute path"),
        ("000012\n000099\n", "line 2: image 000099: expected one file Annotations/000099.xml in "),
        (b"\xff", "expected UTF-8 text, got a byte that is not"),
    ],
)
def test_a_list_that_is_none_is_named_with_its_line(project, text, sentence):
    path = project / "VOCtrainval_06-Nov-2007/VOCdevkit/VOC2007/ImageSets/Main/trainval.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError) as caught:
        splits(project, devkits=FOLDERS)
    assert str(caught.value).startswith(f"{path}: {sentence}")


def test_a_list_with_blank_lines_a_mark_and_windows_line_ends_is_read(project):
    path = project / "VOCtrainval_06-Nov-2007/VOCdevkit/VOC2007/ImageSets/Main/trainval.txt"
    path.write_bytes(b"\xef\xbb\xbf000012 \r\n\r\n000005\r\n")
    assert named(splits(project, ("2007/trainval",), devkits=FOLDERS)["train"]) == [
        "VOC2007/000005",
        "VOC2007/000012",
    ]


@pytest.mark.parametrize("part", ["Annotations/000012.xml", "JPEGImages/000012.jpg"])
def test_a_missing_file_is_named_with_list_line_and_image(project, part):
    (project / "VOCtrainval_06-Nov-2007/VOCdevkit/VOC2007" / part).unlink()
    with pytest.raises(ValueError) as caught:
        splits(project, devkits=FOLDERS)
    assert "ImageSets/Main/trainval.txt: line 1: image 000012: expected one file " + part in str(caught.value)
    assert str(caught.value).endswith("got no such file")


def test_a_file_that_two_devkits_hold_is_ambiguous(project):
    shutil.copytree(project / FOLDERS[0], project / "again")
    with pytest.raises(
        ValueError, match=r"expected one file ImageSets/Main/trainval\.txt in .*, got \S+ and \S+$"
    ):
        splits(project, devkits=(*TARS, "again"))


def test_two_photos_of_one_name_are_ambiguous(project):
    folder = write_folder(project / "mine", learn=TRAIN_2007, check=TEST_2007)
    shutil.copy(folder / "JPEGImages/000001.jpg", folder / "JPEGImages/000001.png")
    with pytest.raises(ValueError, match=r"line 1: image 000001: expected one .* got \S+\.jpg and \S+\.png$"):
        splits(project, ("mine/learn",), ("mine/check",), devkits=("mine",))


def test_a_devkit_without_a_folder_and_one_that_is_not_there_are_named(project):
    (project / "nothing").mkdir()
    with pytest.raises(
        ValueError, match=r"nothing: expected a folder with Annotations, ImageSets, JPEGImages some"
    ):
        splits(project, devkits=("nothing",))
    with pytest.raises(ValueError, match=r"gone\.tar: expected a folder or a tar, got no such file$"):
        splits(project, devkits=("gone.tar",))
