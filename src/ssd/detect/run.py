"""Detection from files to files: pictures and videos drawn, results in COCO's form."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

from ssd.detect.detector import Detector
from ssd.detect.drawing import draw
from ssd.detect.inputs import Job, Jobs
from ssd.detect.pictures import read_picture, write_picture
from ssd.detect.results import DETECTIONS, IMAGES, Results
from ssd.detect.videos import Video, writing_video
from ssd.telling import progress

Thing = TypeVar("Thing")


@dataclass(frozen=True)
class Outcome:
    """What became of the jobs.

    Attributes:
        results: of all that could be read.
        pictures, videos: how many of each were drawn.
        faults: a sentence for each picture that could not be read or drawn.
    """

    results: Results
    pictures: int
    videos: int
    faults: tuple[str, ...]

    def told(self, out: Path) -> str:
        """One line that says what was written to `out`."""
        frames = self.results.images - self.pictures
        parts = [_counted(self.pictures, "picture")] if self.pictures else []
        if self.videos:
            parts.append(f"{_counted(self.videos, 'video')} of {_counted(frames, 'frame')}")
        found = _counted(self.results.detections, "detection")
        return f"{out}: drew {' and '.join(parts)}; {found} in {DETECTIONS}, their files in {IMAGES}"


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def detect_files(detector: Detector, jobs: Jobs, out: Path, batch_size: int) -> Outcome:
    """Detect on every picture and video, draw them, and write the results; a picture that is none is passed over.

    Args:
        detector: finds the objects.
        jobs: as `gather` gives them.
        out: the folder for the results.
        batch_size: pictures that are in memory together; the detector's.

    Raises:
        ValueError: a video that cannot be read, before any work; or one whose frames change their size.
        OSError: a file cannot be written.
    """
    results, faults = Results(detector.classes), []
    for job in jobs.videos:  # one that is none is told of before any work
        Video(job.source).close()
    if jobs.pictures:
        with progress("detect", jobs.pictures) as bar:
            for batch in _batches(bar, batch_size):
                faults += _detect_pictures(detector, batch, results)
    drawn = results.images
    for job in jobs.videos:
        _detect_video(detector, job, results, batch_size)
    if results.images:
        results.write(out)
    return Outcome(results, drawn, len(jobs.videos), tuple(faults))


def _detect_pictures(detector: Detector, jobs: list[Job], results: Results) -> list[str]:
    """Of a batch; a sentence for each that failed."""
    faults, pictures = [], {}
    for job in jobs:
        try:
            pictures[job] = read_picture(job.source)
        except ValueError as error:
            faults.append(str(error))
    for (job, picture), found in zip(
        pictures.items(), detector.detect_all(list(pictures.values())), strict=True
    ):
        try:
            write_picture(job.out, draw(picture, found))
        except ValueError as error:
            faults.append(str(error))
        else:
            results.add(job.source, (picture.shape[0], picture.shape[1]), found)
    return faults


def _detect_video(detector: Detector, job: Job, results: Results, batch_size: int) -> None:
    number = 0
    with (
        Video(job.source) as video,
        writing_video(job.out, video.frames_per_second, video.size) as file,
        progress(job.source.name, video.frames(), video.length, unit="frame") as bar,
    ):
        for batch in _batches(bar, batch_size):
            for frame, found in zip(batch, detector.detect_all(batch), strict=True):
                file.write(draw(frame, found))
                results.add(job.source, video.size, found, number)
                number += 1


def _batches(things: Iterable[Thing], size: int) -> Iterator[list[Thing]]:
    """Lists of `size` things, the last one perhaps shorter."""
    iterator = iter(things)
    while batch := list(islice(iterator, size)):
        yield batch
