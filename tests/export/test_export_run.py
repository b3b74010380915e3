"""The whole of an export: the file, the JSON beside it, and what is refused."""

import dataclasses
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from small_detector import BOX_XYWH_PX, RULES, photo
from square_records import records_of

from ssd.engine.checkpoint import Checkpoint
from ssd.export import run as run_module
from ssd.export.comparison import Comparison
from ssd.export.formats import NEEDED, Format
from ssd.export.run import beside, export
from ssd.export.runners import Outputs
from ssd.files import read_json, sha256
from ssd.geometry.boxes import iou

SIDES = ("checkpoint", "export")


def require(kind: Format) -> None:
    for name in NEEDED[kind]:
        pytest.importorskip(name, reason="needs the extra export")


@pytest.mark.parametrize("kind", ["mindir", "onnx"])
def test_an_export_detects_what_the_checkpoint_detects(
    kind: Format, checkpoint: Checkpoint, records: Path, tmp_path: Path
) -> None:
    require(kind)
    out = tmp_path / "new" / f"ssd.{kind}"
    found = export(checkpoint.path, out, kind, RULES, records)
    assert sorted(path.name for path in out.parent.iterdir()) == [out.name, f"{out.name}.json"]
    assert found.fault() is None
    assert found.figures is not None
    assert found.figures[0]["AP"] == pytest.approx(found.figures[1]["AP"], abs=1e-3)
    assert found.figures[0]["AP50"] == 1.0, "it learnt the photo by heart"

    told = read_json(beside(out))
    assert told["comparison"] == found.tree()
    assert told["comparison"]["images"] == 3
    assert told["sha256"] == sha256(out)
    assert told["checkpoint_sha256"] == sha256(checkpoint.path)
    assert (told["class_names"], told["category_ids"]) == (["disc", "square"], [3, 7])
    assert told["input"]["shape"] == [1, 300, 300, 3]
    names = ["boxes", "scores"]
    if kind == "onnx":
        names += ["detected_boxes", "detected_labels", "detected_scores"]
    assert list(told["outputs"]) == names
    assert told["outputs"]["scores"]["shape"] == [1, 8732, 2]
    assert told["nms"]["inside"] == (kind == "onnx")
    assert told["nms"]["nms_iou"] == 0.5


def test_the_file_of_onnx_carries_its_description_and_runs_elsewhere(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    require("onnx")
    import onnxruntime

    out = tmp_path / "ssd.onnx"
    found = export(checkpoint.path, out, "onnx", RULES, None, nms=False)
    assert (found.images, found.figures) == (4, None)
    session = onnxruntime.InferenceSession(out)
    told = json.loads(session.get_modelmeta().custom_metadata_map["ssd"])
    both = read_json(beside(out))
    assert told == {name: value for name, value in both.items() if name not in ("comparison", "sha256")}
    assert not told["nms"]["inside"]
    assert [(each.name, each.type, each.shape) for each in session.get_inputs()] == [
        ("image", "tensor(uint8)", [1, 300, 300, 3])
    ]
    assert [(each.name, each.shape) for each in session.get_outputs()] == [
        ("boxes", [1, 8732, 4]),
        ("scores", [1, 8732, 2]),
    ]


def test_the_example_of_the_page_finds_the_square(
    checkpoint: Checkpoint,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    require("onnx")
    export(checkpoint.path, tmp_path / "models/ssd.onnx", "onnx", RULES, None)
    cv2.imwrite(str(tmp_path / "photo.jpg"), cv2.cvtColor(photo(), cv2.COLOR_RGB2BGR))
    page = (Path(__file__).parents[2] / "docs/export.md").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    exec(page.partition("```python\n")[2].partition("```")[0], {})
    name, _, *box = capsys.readouterr().out.splitlines()[0].replace(",", "").split()
    assert name == "square"
    found = np.array([[float(each.strip("[]")) for each in box]])
    left, top, width, height = BOX_XYWH_PX
    assert iou(found, np.array([[left, top, left + width, top + height]], float))[0, 0] > 0.5


@pytest.fixture
def no_graph(monkeypatch: pytest.MonkeyPatch) -> list[Comparison]:
    """Without a graph: what is compared is what this list holds."""
    found = [Comparison(1, 1e-6, 1e-6, (1, 1), None)]

    def nothing(image: np.ndarray) -> Outputs:
        raise AssertionError

    monkeypatch.setattr(run_module, "graph_bytes", lambda *_: b"graph")
    monkeypatch.setattr(run_module, "make_run", lambda *_: nothing)
    monkeypatch.setattr(run_module, "compare", lambda *_: found[-1])
    return found


def test_an_export_that_differs_is_not_written(
    checkpoint: Checkpoint, tmp_path: Path, no_graph: list[Comparison]
) -> None:
    out = tmp_path / "ssd.mindir"
    out.write_bytes(b"an older one")
    no_graph.append(dataclasses.replace(no_graph[0], boxes=0.2))
    with pytest.raises(ValueError, match=r"ssd\.mindir: expected boxes and scores within .*; not written$"):
        export(checkpoint.path, out, "mindir", RULES, None)
    assert out.read_bytes() == b"an older one"
    assert [path.name for path in tmp_path.iterdir()] == ["ssd.mindir"]


def test_some_images_are_the_first_with_their_objects_alone(
    checkpoint: Checkpoint, records: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_graph: list
) -> None:
    given = []
    monkeypatch.setattr(run_module, "compare", lambda *all_of_it: given.append(all_of_it) or no_graph[0])
    rules = dataclasses.replace(RULES, batch_size=2)
    for images in (1, 2, 3, 7, None):
        export(checkpoint.path, tmp_path / "ssd.mindir", "mindir", rules, records, images=images)
    for (_, _, batches, _, truth), expected in zip(
        given, ([1], [1, 2], [1, 2, 3], [1, 2, 3], [1, 2, 3]), strict=True
    ):
        ids = [int(number[0]) for _, numbers, _ in batches for number in numbers]
        assert ids == [image["id"] for image in truth["images"]] == expected
        assert {each["image_id"] for each in truth["annotations"]} == {1, 3} & set(expected)


def test_no_images_are_refused(checkpoint: Checkpoint, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^images: expected a number >= 1, got 0$"):
        export(checkpoint.path, tmp_path / "ssd.mindir", "mindir", RULES, None, images=0)


def test_records_of_other_classes_are_refused(
    checkpoint: Checkpoint, tmp_path: Path, no_graph: list[Comparison]
) -> None:
    others = records_of(tmp_path, {3: "disc", 7: "cube"})
    with pytest.raises(ValueError) as raised:
        export(checkpoint.path, tmp_path / "ssd.mindir", "mindir", RULES, others)
    assert str(raised.value) == (
        f"{checkpoint.path}: expected the data's 2 classes (disc 3, cube 7), "
        "got a checkpoint of 2 (disc 3, square 7)"
    )
    assert not (tmp_path / "ssd.mindir").exists()


def test_records_that_are_not_there_are_told(checkpoint: Checkpoint, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none/manifest\.json: no such file$"):
        export(checkpoint.path, tmp_path / "ssd.mindir", "mindir", RULES, tmp_path / "none")
