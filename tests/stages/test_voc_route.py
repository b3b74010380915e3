"""The same photos as a COCO data set and as a VOC devkit, through the stages: the same boxes and the same AP.

The photos are COCO's, and the COCO data set says of them what a devkit can say:

- boxes lie on 64ths of a pixel, which are exact in binary: counting from 1 and back costs no rounding, so that
  everything but the ids of images and annotations has to be equal to the bit;
- areas are the boxes', because VOC has no outlines; COCO's own would call other objects small, medium and large;
- categories are the names that occur, in alphabetical order and numbered from 1, as those of a devkit's records are.

VOC has no crowds. `plain` leaves them out of both. `crowded` has them, in the devkit as difficult objects which are not
trained on: boxes and VOC's figures are the same then, COCO's figures forgive less (see the last test).
"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from tiny_devkit import from_coco
from tiny_raw import NO_SHARED, SHARED

from ssd.config import load_params
from ssd.data.records import load_ground_truth, open_records, without_sentinel
from ssd.data.shards import open_shard, read_row
from ssd.data.source import SPLITS
from stages import anchors, download, mindrecord

ROOT = Path(__file__).resolve().parents[2]
TINY = SHARED / "coco_tiny"
PHOTOS = {"train": 24, "val": 24}
"""The first so many of each split."""
ROUTES = ("coco", "voc")

pytestmark = pytest.mark.skipif(not TINY.is_dir(), reason=NO_SHARED)


@dataclass(frozen=True)
class Routes:
    """The projects of the two routes with the same photos, COCO's first."""

    projects: tuple[Path, Path]

    def contents(self, path: str) -> list[bytes]:
        return [(project / path).read_bytes() for project in self.projects]

    def trees(self, path: str) -> list[Any]:
        return [json.loads(data) for data in self.contents(path)]

    def ground_truths(self, split: str) -> list[dict[str, Any]]:
        return [load_ground_truth(project / "data/records", split) for project in self.projects]

    def coco_ids(self, split: str) -> dict[int, int]:
        """COCO's id of every image by the one it has on VOC's route, where they are numbered; found by file name."""
        of_coco, of_voc = (
            {Path(image["file_name"]).name: image["id"] for image in truth["images"]}
            for truth in self.ground_truths(split)
        )
        assert of_coco.keys() == of_voc.keys()
        return {of_voc[name]: of_coco[name] for name in of_voc}


def instances(crowds: bool) -> dict[str, dict[str, Any]]:
    """Of each split the content of an instances file with the first photos, in a devkit's terms."""
    trees = {}
    for split in SPLITS:
        given = json.loads((TINY / f"annotations/instances_{split}2017.json").read_text())
        names = {each["id"]: each["name"] for each in given["categories"]}
        images = {each["id"]: each for each in given["images"][: PHOTOS[split]]}
        annotations = []
        for each in given["annotations"]:
            if each["image_id"] in images and (crowds or not each["iscrowd"]):
                image, (x, y, width, height) = images[each["image_id"]], each["bbox"]
                left, top = round(64 * x) / 64, round(64 * y) / 64
                right = min(round(64 * (x + width)) / 64, image["width"])
                bottom = min(round(64 * (y + height)) / 64, image["height"])
                box = {"bbox": [left, top, right - left, bottom - top]}
                area = {"area": (right - left) * (bottom - top), "name": names[each["category_id"]]}
                annotations.append({**each, **box, **area, "segmentation": []})
        trees[split] = {"images": list(images.values()), "annotations": annotations}
    classes = sorted({each["name"] for tree in trees.values() for each in tree["annotations"]})
    for tree in trees.values():
        tree["categories"] = [{"id": number, "name": name} for number, name in enumerate(classes, start=1)]
        for each in tree["annotations"]:
            each["category_id"] = 1 + classes.index(each.pop("name"))
    return trees


def run(project: Path, *stages: Any) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        for stage in stages:
            stage.main()


def both(folder: Path, crowds: bool) -> Routes:
    """The two projects after stages download, mindrecord and anchors."""
    trees = instances(crowds)
    for split, tree in trees.items():
        (folder / f"{split}.json").write_text(json.dumps(tree))
        pictures = {
            each["file_name"]: (TINY / f"{split}2017" / each["file_name"]).read_bytes()
            for each in tree["images"]
        }
        from_coco(folder / "tiny", tree, pictures, split)
    parameters = yaml.safe_load((ROOT / "params.yaml").read_text())
    parameters["model"]["width"] = 0.03125
    for split in SPLITS:
        parameters["dataset"]["coco"][f"{split}_images"] = str(TINY / f"{split}2017")
        parameters["dataset"]["coco"][f"{split}_annotations"] = f"../{split}.json"
        parameters["dataset"]["voc"][f"{split}_sets"] = [f"tiny/{split}"]
    parameters["dataset"]["voc"] |= {"devkits": ["../tiny"], "difficult": "ignore"}
    for route in ROUTES:
        (folder / route).mkdir()
        parameters["dataset"]["source"] = route
        (folder / route / "params.yaml").write_text(yaml.safe_dump(parameters))
        run(folder / route, download, mindrecord, anchors)
    return Routes((folder / "coco", folder / "voc"))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Routes:
    return both(tmp_path_factory.mktemp("plain"), crowds=False)


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Routes:
    return both(tmp_path_factory.mktemp("crowded"), crowds=True)


def rows_of(project: Path, split: str) -> Iterator[dict[str, Any]]:
    """What the records hold, photo after photo."""
    records = open_records(project / "data/records", split)
    shards = {path: open_shard(path) for path in records.files}
    for number in range(len(records)):
        path, row = records.place(number)
        yield read_row(shards[path], row)


def require_the_same_rows(routes: Routes, split: str) -> int:
    """Photo, size, boxes and labels are equal to the bit, row by row; how many objects there are."""
    objects = 0
    for of_coco, of_voc in zip(*(rows_of(project, split) for project in routes.projects), strict=True):
        assert routes.coco_ids(split)[of_voc.pop("image_id").item()] == of_coco.pop("image_id").item()
        assert of_voc.pop("image") == of_coco.pop("image")
        assert of_coco["boxes"].dtype == np.float32
        for name, expected in of_coco.items():
            np.testing.assert_array_equal(of_voc[name], expected, name)
        objects += len(without_sentinel(of_coco["boxes"], of_coco["labels"])[1])
    return objects


def told(routes: Routes, split: str, *, crowds_are_difficult: bool = False) -> list[list[dict[str, Any]]]:
    """The annotations of the ground truths, without their ids and with COCO's ids of images."""
    of_coco, of_voc = ([{**each} for each in truth["annotations"]] for truth in routes.ground_truths(split))
    for each in of_coco + of_voc:
        del each["id"]
    for each in of_voc:
        each["image_id"] = routes.coco_ids(split)[each["image_id"]]
    for each in of_coco if crowds_are_difficult else ():
        if each["iscrowd"]:
            each |= {"iscrowd": 0, "difficult": 1}
    return [of_coco, of_voc]


# Boxes


@pytest.mark.parametrize("split", SPLITS)
def test_every_record_has_the_same_photo_boxes_and_labels(plain, split):
    objects = require_the_same_rows(plain, split)
    assert objects == len(plain.ground_truths(split)[0]["annotations"]) > 90
    fractions = [box % 1 for each in plain.ground_truths(split)[1]["annotations"] for box in each["bbox"]]
    assert np.count_nonzero(fractions) > len(fractions) / 2, "whole pixels only would prove less"


def test_the_classes_are_the_same_and_many_occur_in_both_splits(plain):
    of_coco, of_voc = plain.contents("data/records/classes.json")
    assert of_coco == of_voc
    of_coco, of_voc = plain.contents("metrics/classes.csv")
    assert of_coco == of_voc
    in_both = set.intersection(
        *({each["category_id"] for each in plain.ground_truths(split)[0]["annotations"]} for split in SPLITS)
    )
    assert len(in_both) > 10


@pytest.mark.parametrize("split", SPLITS)
def test_the_ground_truths_differ_in_ids_and_names_of_files_only(plain, split):
    of_coco, of_voc = told(plain, split)
    assert of_voc == of_coco
    of_coco, of_voc = plain.ground_truths(split)
    assert of_voc["categories"] == of_coco["categories"]
    ids = [image["id"] for image in of_coco["images"]]
    assert [plain.coco_ids(split)[image["id"]] for image in of_voc["images"]] == ids
    for image, expected in zip(of_voc["images"], of_coco["images"], strict=True):
        assert image["file_name"] == f"tiny/JPEGImages/{expected['file_name']}"
        assert (image["height"], image["width"]) == (expected["height"], expected["width"])


def test_everything_is_counted_alike(plain):
    of_coco, of_voc = plain.trees("metrics/mindrecord.json")
    assert of_coco.pop("notes") == []
    assert of_voc.pop("notes")[-1].startswith("boxes cover their pixels whole")
    assert of_voc == of_coco
    assert {split: of_coco[split]["images"] for split in SPLITS} == PHOTOS
    of_coco, of_voc = (tree["splits"] for tree in plain.trees("data/records/manifest.json"))
    for split in SPLITS:
        for name in ("images", "objects"):
            assert of_voc[split][name] == of_coco[split][name]
        rows = [[file["rows"] for file in each[split]["files"]] for each in (of_coco, of_voc)]
        assert rows == [[PHOTOS[split]]] * 2


def test_the_anchors_and_what_they_cover_are_the_same(plain):
    for path in ("data/anchors.npy", "metrics/anchors.json"):
        of_coco, of_voc = plain.contents(path)
        assert of_voc == of_coco


# AP


def disturbed(truth: dict[str, Any], seed: int) -> list[dict[str, Any]]:
    """Detections as of a middling detector: objects moved, missed, found twice, taken for others, and plain errors."""
    rng = np.random.default_rng(seed)
    classes = [each["id"] for each in truth["categories"]]
    detections = []
    for each in truth["annotations"]:
        for _ in range(rng.choice([0, 1, 2], p=[0.2, 0.65, 0.15])):
            x, y, width, height = each["bbox"]
            dx, dy, wider, higher = rng.normal(0, 0.08, 4)
            box = [x + dx * width, y + dy * height, width * np.exp(wider), height * np.exp(higher)]
            right = rng.uniform() < 0.9
            category_id = each["category_id"] if right else int(rng.choice(classes))
            detections.append((each["image_id"], category_id, box, rng.uniform(0.3, 1)))
        if rng.uniform() < 0.3:
            box = [*rng.uniform(0, 300, 2), *rng.uniform(10, 150, 2)]
            detections.append((each["image_id"], each["category_id"], box, rng.uniform(0, 0.7)))
    keys = ("image_id", "category_id", "bbox", "score")
    return [
        dict(zip(keys, (image, category, [round(float(v), 2) for v in box], float(score)), strict=True))
        for image, category, box, score in detections
    ]


def measured(truth: dict[str, Any], detections: list[dict[str, Any]]) -> tuple[dict[str, Any], list[Any]]:
    """COCO's twelve figures and VOC's two, and both of every class."""
    from ssd.engine.evaluation import evaluate
    from ssd.engine.voc_evaluation import evaluate_voc

    coco, voc = evaluate(truth, detections), evaluate_voc(truth, detections)
    return coco.figures | voc.figures, [*zip(coco.classes, voc.classes, strict=True)]


def with_vocs_ids(routes: Routes, detections: list[dict[str, Any]]) -> list[dict[str, Any]]:
    of_voc = {coco_id: voc_id for voc_id, coco_id in routes.coco_ids("val").items()}
    return [{**each, "image_id": of_voc[each["image_id"]]} for each in detections]


@pytest.mark.parametrize("seed", [0, 1])
def test_the_same_detections_have_the_same_ap_and_ar_over_all_and_of_every_class(plain, seed):
    of_coco, of_voc = plain.ground_truths("val")
    detections = disturbed(of_coco, seed)
    figures, classes = measured(of_coco, detections)
    assert measured(of_voc, with_vocs_ids(plain, detections)) == (figures, classes)
    assert len(figures) == 14
    assert all(0.05 < figure < 0.95 for figure in figures.values()), figures


def test_a_pixel_more_or_less_would_show_in_the_figures(plain):
    of_coco, of_voc = plain.ground_truths("val")
    detections = disturbed(of_coco, 0)
    figures, _ = measured(of_coco, detections)
    pixel_further = [
        {**each, "bbox": [each["bbox"][0] + 1, each["bbox"][1] + 1, *each["bbox"][2:]]}
        for each in of_voc["annotations"]
    ]
    moved, _ = measured({**of_voc, "annotations": pixel_further}, with_vocs_ids(plain, detections))
    assert all(moved[name] != figures[name] for name in ("AP", "AP75", "APs", "AR100"))


def test_a_checkpoint_detects_and_measures_the_same_on_both_routes(plain):
    from ssd.engine.checkpoint import build_network, load_anchors, save_checkpoint
    from ssd.model.weights import initialise
    from stages import evaluate, train

    project = plain.projects[0]
    params = load_params(project / "params.yaml", train.Params)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        description = train.describe(params)
    net = build_network(description)
    initialise(net, 1, params.loss.class_prior)
    checkpoint = project / "models/ssd.safetensors"
    save_checkpoint(checkpoint, net, load_anchors(project / "data/anchors.npy"), description)
    other = plain.projects[1] / "models/ssd.safetensors"
    other.parent.mkdir()
    shutil.copy(checkpoint, other)

    for project in plain.projects:
        run(project, evaluate)
    of_coco, of_voc = plain.trees("data/detections.json")
    ids = plain.coco_ids("val")
    assert [{**each, "image_id": ids[each["image_id"]]} for each in of_voc] == of_coco
    assert {each["image_id"] for each in of_coco} == set(ids.values())
    for path in ("metrics/evaluate.json", "metrics/per_class.csv", "metrics/pr.csv"):
        of_coco, of_voc = plain.contents(path)
        assert of_voc == of_coco


# Crowds


@pytest.mark.parametrize("split", SPLITS)
def test_a_crowd_and_a_difficult_object_leave_the_same_boxes_to_train_on(crowded, split):
    objects = require_the_same_rows(crowded, split)
    of_coco, of_voc = told(crowded, split, crowds_are_difficult=True)
    assert of_voc == of_coco
    counts = [tree[split] for tree in crowded.trees("metrics/mindrecord.json")]
    assert [each["objects"] for each in counts] == [objects, objects]
    crowds = {"train": 4, "val": 3}[split]  # on three photos of each
    assert [(each.pop("crowds"), each.pop("difficult")) for each in counts] == [(crowds, 0), (0, crowds)]
    assert counts[0] == counts[1]


def test_beside_crowds_vocs_figures_are_the_same_and_cocos_forgive_a_crowd_more(crowded):
    of_coco, of_voc = crowded.ground_truths("val")
    detections = disturbed(of_coco, 2)
    for each in of_coco["annotations"]:
        if each["iscrowd"]:  # a corner of the crowd: within it, but with a small IoU
            x, y, width, height = each["bbox"]
            corner = {"bbox": [x, y, width / 3, height / 3], "score": 0.99}
            detections.append({**{key: each[key] for key in ("image_id", "category_id")}, **corner})
    figures, _ = measured(of_coco, detections)
    on_voc, _ = measured(of_voc, with_vocs_ids(crowded, detections))
    for name in figures:
        if name.startswith(("VOC", "AR")):
            assert on_voc[name] == figures[name], name
            assert 0.05 < figures[name] < 0.95
        else:  # COCO ignores whatever lies within a crowd, of a difficult object the first that overlaps it by the IoU
            assert on_voc[name] <= figures[name], name
    assert on_voc["AP"] < figures["AP"]
