"""Which files are taken, where they are drawn, and what is refused before any work."""

from pathlib import Path

import pytest

from ssd.detect.inputs import Job, gather


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """a.jpg, b.PNG, notes.txt, clip.mp4 and a folder in/c.jpg."""
    for name in ("b.PNG", "a.jpg", "notes.txt", "clip.mp4", "in/c.jpg"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return tmp_path / "photos"


def names(jobs: tuple[Job, ...]) -> list[str]:
    return [job.source.name for job in jobs]


def test_of_a_folder_the_pictures_are_taken_in_the_order_of_their_names(folder: Path) -> None:
    jobs = gather([folder], folder / "out")
    assert jobs.pictures == (
        Job(folder / "a.jpg", folder / "out/a.jpg"),
        Job(folder / "b.PNG", folder / "out/b.PNG"),
    )
    assert jobs.videos == ()


def test_pictures_folders_and_videos_may_be_mixed(folder: Path) -> None:
    jobs = gather([folder / "clip.mp4", folder / "in", folder / "a.jpg"], folder / "out")
    assert names(jobs.pictures) == ["c.jpg", "a.jpg"]
    assert jobs.videos == (Job(folder / "clip.mp4", folder / "out/clip.mp4"),)


def test_a_file_that_is_given_twice_is_taken_once(folder: Path) -> None:
    jobs = gather([folder / "b.PNG", folder, folder / "in" / ".." / "a.jpg"], folder / "out")
    assert names(jobs.pictures) == ["b.PNG", "a.jpg"]


def refusal(given: list[Path], out: Path) -> str:
    with pytest.raises(ValueError) as caught:
        gather(given, out)
    return str(caught.value)


def test_a_missing_file_is_refused(folder: Path) -> None:
    assert (
        refusal([folder, folder / "no.jpg"], folder / "out") == f"{folder / 'no.jpg'}: no such file or folder"
    )


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"")
    assert refusal([tmp_path], tmp_path / "out") == (
        f"{tmp_path}: expected a folder with pictures (.jpg, .jpeg, .png, .bmp, .webp), got one without"
    )


def test_an_out_folder_that_is_a_file_is_refused(folder: Path) -> None:
    out = folder / "notes.txt"
    assert refusal([folder / "a.jpg"], out) == f"{out}: expected a folder to write into, got a file"


@pytest.mark.parametrize(
    ("first", "second", "drawn"),
    [("1/a.jpg", "2/a.jpg", "a.jpg"), ("a.mov", "a.avi", "a.mp4"), ("a.tif", "2/a.tif.png", "a.tif.png")],
)
def test_two_files_that_would_be_drawn_in_one_are_refused(
    tmp_path: Path, first: str, second: str, drawn: str
) -> None:
    for name in (first, second):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    out = tmp_path / "out"
    assert refusal([tmp_path / first, tmp_path / second], out) == (
        f"{tmp_path / second}: expected names that differ, got one that is drawn in {out / drawn} as "
        f"{tmp_path / first} is; detect on them apart, each with its own --out"
    )


def test_a_picture_is_not_drawn_over_itself(folder: Path) -> None:
    assert refusal([folder / "a.jpg"], folder / "in" / "..") == (
        f"{folder / 'in' / '..' / 'a.jpg'}: expected a place of its own, got a file that is read; "
        "give another --out"
    )


def test_a_picture_is_not_drawn_over_the_file_that_another_is_a_link_to(folder: Path) -> None:
    (folder / "in" / "a.jpg").symlink_to(folder / "a.jpg")
    assert "a file that is read" in refusal([folder / "in" / "a.jpg"], folder)


def test_a_video_is_not_written_aside_over_another(folder: Path) -> None:
    (folder / "new").mkdir()
    for name in ("clip.new.mp4", "new/clip.mp4"):
        (folder / name).write_bytes(b"")
    assert "a file that is read" in refusal([folder / "clip.new.mp4", folder / "new/clip.mp4"], folder)
