"""From files to files: drawn pictures and videos, and results in COCO's form."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from exif import save_turned
from pycocotools.coco import COCO
from small_detector import DESCRIPTION, HEIGHT, WIDTH, empty_photo, photo

from ssd.detect.detector import Detections, Detector
from ssd.detect.drawing import draw
from ssd.detect.inputs import gather
from ssd.detect.pictures import read_picture
from ssd.detect.results import Results
from ssd.detect.run import Outcome, detect_files
from ssd.detect.videos import Video, writing_video


def save(path: Path, picture: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), picture[:, :, ::-1])
    return path


def save_video(path: Path, frames: int) -> Path:
    """The photo, moved to the right by eight pixels a frame."""
    with writing_video(path, 12.5, (HEIGHT, WIDTH)) as file:
        for number in range(frames):
            file.write(np.roll(photo(), 8 * number, axis=1))
    return path


def run(detector: Detector, given: list[Path], out: Path, batch_size: int = 1) -> Outcome:
    return detect_files(detector, gather(given, out), out, batch_size)


@pytest.fixture
def read() -> Callable[[Path], dict[str, list[list]]]:
    """Of a folder of results: score, category and box of each detection, by file."""

    def by_file(out: Path) -> dict[str, list[list]]:
        images = json.loads((out / "images.json").read_text())["images"]
        rows: dict[str, list[list]] = {image["file_name"]: [] for image in images}
        for each in json.loads((out / "detections.json").read_text()):
            rows[each["file_name"]].append([each["score"], each["category_id"], *each["bbox"]])
        return rows

    return by_file


def rows_of(found: Detections) -> list[list]:
    sizes = found.boxes_xyxy_px[:, 2:] - found.boxes_xyxy_px[:, :2]
    boxes_xywh_px = np.concatenate([found.boxes_xyxy_px[:, :2], sizes], axis=1).round(3)
    table = zip(found.scores.tolist(), found.category_ids.tolist(), boxes_xywh_px.tolist(), strict=True)
    return [[score, category_id, *box] for score, category_id, box in table]


def test_what_is_drawn_and_what_is_written_is_what_the_detector_says(
    detector: Detector, tmp_path: Path, read: Callable[[Path], dict[str, list[list]]]
) -> None:
    paths = [
        save(tmp_path / "square.png", photo()),
        save(tmp_path / "small.png", photo()[::3, ::2]),
        save(tmp_path / "empty.png", empty_photo()),
    ]
    outcome = run(detector, paths, tmp_path / "out", 2)
    assert (outcome.pictures, outcome.videos, outcome.faults) == (3, 0, ())
    rows = read(tmp_path / "out")
    assert list(rows) == [path.as_posix() for path in paths]
    for path in paths:
        found = detector.detect(path)
        assert rows[path.as_posix()] == rows_of(found)
        drawn = read_picture(tmp_path / "out" / path.name)
        np.testing.assert_array_equal(drawn, draw(read_picture(path), found))
    assert len(rows[paths[0].as_posix()]) > 0


def test_pycocotools_reads_the_results(detector: Detector, tmp_path: Path) -> None:
    path = save(tmp_path / "square.png", photo())
    run(detector, [save(tmp_path / "empty.png", empty_photo()), path], tmp_path / "out")
    coco = COCO(str(tmp_path / "out/images.json"))
    results = coco.loadRes(str(tmp_path / "out/detections.json"))
    (image,) = (
        each for each in results.loadImgs(results.getImgIds()) if each["file_name"] == path.as_posix()
    )
    assert (image["width"], image["height"]) == (WIDTH, HEIGHT)
    annotations = results.loadAnns(results.getAnnIds([image["id"]]))
    best = max(annotations, key=lambda each: each["score"])
    assert [best["score"], best["category_id"], *best["bbox"]] == rows_of(detector.detect(path))[0]
    (category,) = results.loadCats([best["category_id"]])
    assert category == {"id": 7, "name": DESCRIPTION.class_names[1]}


def test_a_turned_photo_is_drawn_upright_and_its_boxes_are_of_the_upright_picture(
    detector: Detector, tmp_path: Path, read: Callable[[Path], dict[str, list[list]]]
) -> None:
    turned, upright = tmp_path / "turned.png", save(tmp_path / "upright.png", photo())
    save_turned(turned, photo())
    run(detector, [turned, upright], tmp_path / "out")
    rows = read(tmp_path / "out")
    assert rows[turned.as_posix()] == rows[upright.as_posix()] != []
    one, other = (cv2.imread(str(tmp_path / "out" / path.name)) for path in (turned, upright))
    np.testing.assert_array_equal(one, other)


def test_a_video_keeps_rate_and_size_and_every_frame_is_drawn(detector: Detector, tmp_path: Path) -> None:
    path = save_video(tmp_path / "clip.mp4", 5)
    outcome = run(detector, [path], tmp_path / "out", 2)
    assert (outcome.pictures, outcome.videos, outcome.results.images) == (0, 1, 5)
    with Video(path) as video, Video(tmp_path / "out/clip.mp4") as drawn:
        assert drawn.frames_per_second == video.frames_per_second == 12.5
        assert drawn.size == (HEIGHT, WIDTH)
        frames, results = list(video.frames()), list(drawn.frames())
    assert len(results) == 5
    images = json.loads((tmp_path / "out/images.json").read_text())["images"]
    assert [image["frame"] for image in images] == [0, 1, 2, 3, 4]
    assert {image["file_name"] for image in images} == {path.as_posix()}
    detections = json.loads((tmp_path / "out/detections.json").read_text())
    for number, (frame, result) in enumerate(zip(frames, results, strict=True)):
        found = detector.detect(frame)
        written = [each for each in detections if each["frame"] == number]
        assert (
            [[each["score"], each["category_id"], *each["bbox"]] for each in written] == rows_of(found) != []
        )
        # the form of the video loses something
        to_drawn, to_plain = (
            np.abs(result - each.astype(int)).mean() for each in (draw(frame, found), frame)
        )
        assert to_drawn < to_plain / 2


def test_a_picture_that_is_none_is_told_of_and_the_others_are_done(
    detector: Detector, tmp_path: Path, read: Callable[[Path], dict[str, list[list]]]
) -> None:
    good = [save(tmp_path / f"{name}.png", photo()) for name in ("a", "c")]
    bad = tmp_path / "b.png"
    bad.write_bytes(b"no picture")
    old = save(tmp_path / "out/b.png", empty_photo()).read_bytes()
    outcome = run(detector, [tmp_path], tmp_path / "out", 4)
    assert outcome.faults == (f"{bad}: expected a picture, got 10 bytes that are none",)
    assert outcome.pictures == 2
    assert list(read(tmp_path / "out")) == [path.as_posix() for path in good]
    assert (tmp_path / "out/b.png").read_bytes() == old


def test_earlier_results_stay_where_nothing_could_be_read(detector: Detector, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/detections.json").write_text("old")
    assert len(run(detector, [tmp_path / "a.png"], tmp_path / "out").faults) == 1
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["detections.json"]
    assert (tmp_path / "out/detections.json").read_text() == "old"


def test_a_video_that_is_none_is_refused_before_any_work(detector: Detector, tmp_path: Path) -> None:
    good = save(tmp_path / "a.png", photo())
    (tmp_path / "b.mp4").write_bytes(b"no video")
    with pytest.raises(ValueError, match=r"b\.mp4: expected a video"):
        run(detector, [good, tmp_path / "b.mp4"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_no_input_is_changed(detector: Detector, tmp_path: Path) -> None:
    paths = [save(tmp_path / "in/a.png", photo()), save_video(tmp_path / "in/b.mp4", 2)]
    before = [path.read_bytes() for path in paths]
    run(detector, paths, tmp_path / "out")
    assert [path.read_bytes() for path in paths] == before
    assert sorted(os.listdir(tmp_path / "in")) == ["a.png", "b.mp4"]


@pytest.mark.parametrize(
    ("pictures", "videos", "frames", "told"),
    [
        (1, 0, 0, "out: drew 1 picture; 0 detections in detections.json, their files in images.json"),
        (
            2,
            1,
            3,
            "out: drew 2 pictures and 1 video of 3 frames; 0 detections in detections.json, their files in images.json",
        ),
        (
            0,
            2,
            1,
            "out: drew 2 videos of 1 frame; 0 detections in detections.json, their files in images.json",
        ),
    ],
)
def test_the_last_line_says_what_was_written(pictures: int, videos: int, frames: int, told: str) -> None:
    results = Results({1: "cat"})
    none = Detections(np.zeros((0, 4)), np.zeros(0), np.zeros(0, int), np.zeros(0, int), ())
    for number in range(pictures + frames):
        results.add(Path(f"{number}.png"), (3, 4), none)
    assert Outcome(results, pictures, videos, ()).told(Path("out")) == told
