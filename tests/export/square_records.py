"""Records of two photos with a yellow square and one without."""

import json
from pathlib import Path

import cv2
from small_detector import BOX_XYWH_PX, HEIGHT, WIDTH, empty_photo, photo
from tiny_raw import STRICT, write_zip

from ssd.data.record_writer import write_records
from ssd.data.sources.coco import read_coco

CLASSES = {3: "disc", 7: "square"}


def records_of(folder: Path, classes: dict[int, str]) -> Path:
    """Records of the photo with the square, the empty one, and the first again, in both splits."""
    raw = folder / "raw"
    raw.mkdir()
    encoded = [cv2.imencode(".png", each[:, :, ::-1])[1].tobytes() for each in (photo(), empty_photo())]
    tree = {
        "info": {},
        "images": [
            {"id": number, "file_name": f"{number}.png", "height": HEIGHT, "width": WIDTH}
            for number in (1, 2, 3)
        ],
        "annotations": [
            {
                "id": number,
                "image_id": number,
                "category_id": 7,
                "bbox": BOX_XYWH_PX,
                "area": 1.0,
                "iscrowd": 0,
            }
            for number in (1, 3)
        ],
        "categories": [{"id": number, "name": name} for number, name in classes.items()],
    }
    for split in ("train", "val"):
        (raw / f"{split}.json").write_text(json.dumps(tree))
        write_zip(
            raw / f"{split}.zip", {f"images/{number}.png": encoded[1 - number % 2] for number in (1, 2, 3)}
        )
    (raw / "layout.json").write_text('{"layout": "coco"}')
    (folder / "records").mkdir()
    write_records(folder / "records", read_coco(raw), STRICT)
    return folder / "records"
