"""VOC devkits brought into data/raw."""

import os
import tarfile

import pytest
from tiny_devkit import TARS, TEST_2007, TRAIN_2012, voc, write_folder, write_original, write_tar

from ssd.data.sources.local_voc import copy_voc


@pytest.fixture
def project(tmp_path):
    (tmp_path / "raw").mkdir()
    return write_original(tmp_path)


def files_in(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def copied(project, **changes):
    return copy_voc(voc(**changes), 0.5, project / "raw", project)


FOLDERS = tuple(name.removesuffix(".tar") for name in TARS)


def test_tars_are_copied_as_they_are_and_the_layout_names_them(project):
    layout = copied(project, difficult="ignore")
    assert layout == {
        "devkits": [f"{number}/{name}" for number, name in enumerate(TARS)],
        "train_sets": ["2007/trainval", "2012/trainval"],
        "val_sets": ["2007/test"],
        "difficult": "ignore",
    }
    assert files_in(project / "raw") == layout["devkits"]
    for number, name in enumerate(TARS):
        assert (project / "raw" / str(number) / name).read_bytes() == (project / name).read_bytes()


def test_of_a_folder_exactly_what_the_sets_need_is_packed(project):
    write_folder(project / FOLDERS[0] / "VOCdevkit/VOC2007", other={"000099": ((5, 5), [])})
    layout = copied(project, devkits=(FOLDERS[0], *TARS[1:]))
    assert layout["devkits"][0] == f"0/{TARS[0]}"
    with tarfile.open(project / "raw" / layout["devkits"][0]) as archive:
        assert archive.getnames() == [
            "VOC2007/Annotations/000005.xml",
            "VOC2007/Annotations/000012.xml",
            "VOC2007/ImageSets/Main/trainval.txt",
            "VOC2007/JPEGImages/000005.jpg",
            "VOC2007/JPEGImages/000012.jpg",
        ]
        photo = archive.extractfile("VOC2007/JPEGImages/000012.jpg").read()
    assert photo == (project / FOLDERS[0] / "VOCdevkit/VOC2007/JPEGImages/000012.jpg").read_bytes()


def test_the_same_files_make_the_same_tar_whatever_their_times_and_modes(project):
    copied(project, devkits=FOLDERS)
    first = {name: (project / "raw" / name).read_bytes() for name in files_in(project / "raw")}
    for path in (project / FOLDERS[0]).rglob("*.xml"):
        path.chmod(0o600)
        os.utime(path, (1e9, 1e9))
    (project / "raw").rename(project / "old")
    (project / "raw").mkdir()
    copied(project, devkits=FOLDERS)
    assert {name: (project / "raw" / name).read_bytes() for name in files_in(project / "raw")} == first


def test_a_devkit_that_nothing_is_needed_of_is_not_copied(project):
    layout = copied(project, train_sets=("2007/trainval",))
    assert layout["devkits"] == [f"{number}/{TARS[number]}" for number in (0, 1)]
    assert files_in(project / "raw") == layout["devkits"]


def test_absolute_paths_and_the_home_folder_are_understood(project, monkeypatch):
    monkeypatch.setenv("HOME", str(project))
    layout = copied(project, devkits=(str(project / TARS[0]), f"~/{TARS[1]}", TARS[2]))
    assert files_in(project / "raw") == layout["devkits"]


def test_a_devkit_that_is_not_there_is_named_with_its_parameter(project):
    with pytest.raises(ValueError) as caught:
        copied(project, devkits=(TARS[0], "gone.tar"))
    assert str(caught.value) == (
        f"params.yaml: dataset.voc.devkits[1]: expected a folder or a tar, got no such file: {project / 'gone.tar'}"
    )


def test_a_fault_is_found_before_anything_is_copied(project):
    with pytest.raises(
        ValueError, match=r"^params\.yaml: dataset\.voc\.val_sets: 2007/no: expected one of the sets"
    ):
        copied(project, val_sets=("2007/test", "2007/no"))
    assert files_in(project / "raw") == []


def test_a_tar_that_would_lead_out_is_refused(project):
    write_tar(
        project / "evil.tar", write_folder(project / "x", a=TRAIN_2012, b=TEST_2007), "VOCdevkit/../../x"
    )
    with pytest.raises(ValueError, match=r"evil\.tar: .* got a step out of the folder$"):
        copied(project, devkits=("evil.tar",), train_sets=("x/a",), val_sets=("x/b",))
