"""Detections as two files in COCO's form, which fit each other.

    from pycocotools.coco import COCO
    found = COCO("images.json").loadRes("detections.json")

`images.json` says which file, and of a video which frame, an image is; `detections.json` repeats it beside each box.
"""

from pathlib import Path
from typing import Any

from ssd.detect.detector import Detections
from ssd.engine.checkpoint import UNUSED
from ssd.files import write_json

DETECTIONS, IMAGES = "detections.json", "images.json"


class Results:
    """Collects the detections of images, numbered 1, 2, … as they come."""

    def __init__(self, classes: dict[int, str]) -> None:
        """No images yet.

        Args:
            classes: names by category id.
        """
        self._classes = classes
        self._images: list[dict[str, Any]] = []
        self._detections: list[dict[str, Any]] = []

    @property
    def images(self) -> int:
        """How many images there are."""
        return len(self._images)

    @property
    def detections(self) -> int:
        """How many detections there are, in all images."""
        return len(self._detections)

    def add(self, file: Path, size: tuple[int, int], found: Detections, frame: int | None = None) -> None:
        """Add an image.

        Args:
            file: the picture or the video.
            size: height and width in pixels.
            found: what was found in it.
            frame: of a video, from 0.
        """
        source = {"file_name": file.as_posix()} | ({} if frame is None else {"frame": frame})
        image_id = len(self._images) + 1
        self._images.append({"id": image_id, **source, "width": size[1], "height": size[0]})
        corner, opposite = found.boxes_xyxy_px[:, :2], found.boxes_xyxy_px[:, 2:]
        for (x, y), (width, height), category_id, score in zip(
            corner.tolist(),
            (opposite - corner).tolist(),
            found.category_ids.tolist(),
            found.scores.tolist(),
            strict=True,
        ):
            bbox = [round(side, 3) for side in (x, y, width, height)]
            self._detections.append(
                {"image_id": image_id, **source, "category_id": category_id, "bbox": bbox, "score": score}
            )

    def write(self, folder: Path) -> None:
        """Write both files."""
        categories = [{"id": each, "name": name} for each, name in self._classes.items() if name != UNUSED]
        write_json(
            folder / IMAGES,
            {"images": self._images, "categories": categories, "annotations": []},
            indent=None,
        )
        write_json(folder / DETECTIONS, self._detections, indent=None)
