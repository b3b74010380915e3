"""Videos read and written frame by frame."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from ssd.detect.videos import Video, aside_of, drawn_name, writing_video


def frame(number: int, height: int = 48, width: int = 64) -> np.ndarray:
    """One grey for each number, [48, 64, 3] uint8."""
    return np.full((height, width, 3), 20 + 40 * number, np.uint8)


def write(path: Path, frames: int, frames_per_second: float = 12.5) -> Path:
    with writing_video(path, frames_per_second, (48, 64)) as file:
        for number in range(frames):
            file.write(frame(number))
    return path


def test_a_video_keeps_its_frames_their_order_size_and_rate(tmp_path: Path) -> None:
    path = write(tmp_path / "new" / "a.mp4", 5)
    with Video(path) as video:
        assert (video.size, video.frames_per_second, video.length) == ((48, 64), 12.5, 5)
        frames = list(video.frames())
    assert [round(each.mean() / 10) for each in frames] == [2, 6, 10, 14, 18]
    assert {(each.shape, each.dtype) for each in frames} == {((48, 64, 3), np.dtype(np.uint8))}
    assert [each.name for each in path.parent.iterdir()] == ["a.mp4"]


def test_colours_are_rgb_on_both_ways(tmp_path: Path) -> None:
    red = np.zeros((48, 64, 3), np.uint8)
    red[:, :, 0] = 220
    with writing_video(tmp_path / "a.mp4", 10, (48, 64)) as file:
        file.write(red)
    with Video(tmp_path / "a.mp4") as video:
        (got,) = video.frames()
    assert got[:, :, 0].mean() > 190 and got[:, :, 1:].mean() < 30


def test_an_old_video_stays_if_the_new_one_is_not_completed(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", 2)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="stop"), writing_video(path, 10, (48, 64)) as file:
        file.write(frame(1))
        raise ValueError("stop")
    assert path.read_bytes() == before
    assert not aside_of(path).exists()


def test_a_frame_that_did_not_come_into_the_file_is_told_of(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with pytest.raises(OSError) as caught, writing_video(path, 10, (48, 64)) as file:
        file.write(frame(0))
        file.write(frame(1, 20, 20))  # which OpenCV drops without a word
    assert str(caught.value) == f"{aside_of(path)}: expected 2 frames after writing, got 1"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [b"", b"no video"])
def test_what_is_no_video_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(ValueError) as caught:
        Video(path)
    assert str(caught.value) == f"{path}: expected a video, got a file without a frame that can be read"


def test_a_video_without_frames_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.avi"
    cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48)).release()
    with pytest.raises(ValueError, match="without a frame"):
        Video(path)


def test_a_video_is_drawn_as_mp4() -> None:
    assert drawn_name(Path("folder/clip.avi")) == "clip.mp4"
