"""Video files: read frame by frame, written as MPEG-4 of the same size and frame rate, without sound."""

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np

SUFFIXES = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv")


class Video:
    """A video that is open for reading: `with Video(path) as video: for frame in video.frames(): …`.

    Attributes:
        frames_per_second: as the file says.
        size: height and width of its first frame.
        length: frames as the file says, which may be somewhat off; None if it does not say.
    """

    def __init__(self, path: Path) -> None:
        """Open the video and read its first frame.

        Raises:
            ValueError: not a video, one without frames, or one that does not say how fast it is.
        """
        # What is wrong with a file is told here; FFmpeg's own lines have no file name.
        os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
        self._path = path
        self._capture = cv2.VideoCapture(str(path))
        some, self._first = self._capture.read()
        if not some:
            self._capture.release()
            raise ValueError(f"{path}: expected a video, got a file without a frame that can be read")
        self.size = (self._first.shape[0], self._first.shape[1])
        self.frames_per_second = self._capture.get(cv2.CAP_PROP_FPS)
        if not (math.isfinite(self.frames_per_second) and self.frames_per_second > 0):
            self._capture.release()
            raise ValueError(
                f"{path}: expected a video with a frame rate, got {self.frames_per_second} frames per second"
            )
        length = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.length = round(length) if math.isfinite(length) and length > 0 else None

    def __enter__(self) -> "Video":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop reading."""
        self._capture.release()

    def frames(self) -> Iterator[np.ndarray]:
        """Every frame once, [H, W, 3] uint8 RGB, all of one size.

        Raises:
            ValueError: a frame of another size.
        """
        some, frame = True, self._first
        while some:
            if frame.shape[:2] != self.size:
                raise ValueError(
                    f"{self._path}: expected frames of {self.size[1]} x {self.size[0]} pixels, "
                    f"got one of {frame.shape[1]} x {frame.shape[0]}"
                )
            yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
            some, frame = self._capture.read()


class VideoFile:
    """A video that is being written."""

    def __init__(self, path: Path, frames_per_second: float, size: tuple[int, int]) -> None:
        """Begin the file.

        Raises:
            OSError: it cannot be written.
        """
        self._path, self._written = path, 0
        height, width = size
        form = cv2.VideoWriter.fourcc(*"mp4v")
        self._writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, form, frames_per_second, (width, height))
        if not self._writer.isOpened():
            raise OSError(f"{path}: a video of {width} x {height} pixels cannot be written there")

    def write(self, frame: np.ndarray) -> None:
        """Add a frame, [H, W, 3] uint8 RGB."""
        self._writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
        self._written += 1

    def close(self) -> None:
        """End the file as it is."""
        self._writer.release()

    def require_whole(self) -> None:
        """Make sure that every frame is in the file, which is closed: OpenCV says nothing of a full disk.

        Raises:
            OSError: some are not.
        """
        capture = cv2.VideoCapture(str(self._path))
        got = round(capture.get(cv2.CAP_PROP_FRAME_COUNT)) if capture.isOpened() else 0
        capture.release()
        if got != self._written:
            raise OSError(f"{self._path}: expected {self._written} frames after writing, got {got}")


@contextmanager
def writing_video(path: Path, frames_per_second: float, size: tuple[int, int]) -> Iterator[VideoFile]:
    """A video to add frames to; it takes the place of `path` when the block ends without an error.

    Args:
        path: its name ends in .mp4.
        frames_per_second: its speed.
        size: height and width of the frames; of an odd number of pixels the last is left out.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = aside_of(path)
    try:
        file = VideoFile(aside, frames_per_second, size)
        try:
            yield file
        finally:
            file.close()
        file.require_whole()
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def aside_of(path: Path) -> Path:
    """Where a video is written until it is complete; FFmpeg wants the form in the name."""
    return path.with_name(f"{path.stem}.new{path.suffix}")


def drawn_name(path: Path) -> str:
    """The name under which the video is written."""
    return f"{path.stem}.mp4"
