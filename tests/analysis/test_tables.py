"""The two tables of one evaluation."""

from pathlib import Path
from typing import Any

from ssd.analysis.tables import write_tables

BOX = [10.0, 10.0, 20.0, 20.0]


def truth(*objects: int) -> dict[str, Any]:
    """An image each with an object of the given category: 17 cat, 18 dog."""
    annotations = [
        {
            "id": image + 1,
            "image_id": image,
            "category_id": category,
            "bbox": BOX,
            "area": 400.0,
            "iscrowd": 0,
        }
        for image, category in enumerate(objects)
    ]
    categories = [{"id": 17, "name": "cat"}, {"id": 18, "name": "dog"}]
    return {
        "images": [{"id": image} for image in range(len(objects))],
        "annotations": annotations,
        "categories": categories,
    }


def found(image: int, category: int, score: float) -> dict[str, Any]:
    return {"image_id": image, "category_id": category, "bbox": BOX, "score": score}


def test_the_confusion_is_that_at_the_highest_f1(tmp_path: Path):
    write_tables(tmp_path, truth(17, 18), [found(0, 17, 0.9), found(1, 18, 0.5), found(1, 17, 0.3)])
    lines = (tmp_path / "thresholds.csv").read_text().splitlines()
    assert lines[30:32] == ["0.30,0.6667,1.0000,0.8000", "0.31,1.0000,1.0000,1.0000"]
    assert (tmp_path / "confusion.csv").read_text() == "actual,predicted,count\ncat,cat,1\ndog,dog,1\n"


def test_where_nothing_is_right_the_confusion_is_that_of_all_detections(tmp_path: Path):
    write_tables(tmp_path, truth(17), [found(0, 18, 0.02)])
    assert (tmp_path / "confusion.csv").read_text() == "actual,predicted,count\ncat,dog,1\n"


def test_without_images_both_tables_are_there(tmp_path: Path):
    write_tables(tmp_path, truth(), [])
    assert (tmp_path / "thresholds.csv").read_text().splitlines()[1] == "0.01,,,"
    assert (tmp_path / "confusion.csv").read_text() == "actual,predicted,count\n"
