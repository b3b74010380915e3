"""What becomes of damaged files: tries of `mutations`, each on a small project whose earlier outputs are all there.

A worker process runs the stages' own `main`, through `run_stage` as the command line does, or the doors that `train`
and `evaluate` read through (their networks would take minutes to compile). It says what it is about to try, so that a
crash or a hang is known by its try. A try survives when it ended

- refused: exit code 1 and one sentence that names the file; every file is as it was; or
- right: nothing refused, and the result is the right one. The right one is that of the sound file, or, where the
  damaged file is whole data of its own (a digit of JSON, a pixel of a loose photo), what an independent reading of it
  gives.

`python tests/damage.py` prints the table of docs/reliability.md.
"""

import argparse
import contextlib
import io
import json
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
LIMIT = 60.0
"""Seconds from which a try counts as hanging."""


class Try(NamedTuple):
    """One damage to one file."""

    target: str
    kind: str
    seed: int


class Outcome(NamedTuple):
    """What became of a try; `told` is the sentence, or what went wrong. Lost is what is neither refused nor right."""

    what: str
    told: str


def tries(targets: Iterable[str], kinds: Iterable[str], seeds: int) -> list[Try]:
    """Every kind of damage to every target, `seeds` times."""
    kinds = list(kinds)
    return [Try(target, kind, seed) for target in targets for kind in kinds for seed in range(seeds)]


WORKER = (sys.executable, str(Path(__file__).resolve()), "--worker")


def run(
    plan: list[Try], folder: Path, worker: Sequence[str] = WORKER, limit: float = LIMIT
) -> dict[Try, Outcome]:
    """The outcome of every try; a worker that dies or hangs is followed by another, which goes on behind it.

    Args:
        plan: what to try.
        folder: for the projects; made anew for each worker.
        worker: the command; it gets the folder as argument and the plan as JSON on stdin.
        limit: seconds of a try.
    """
    outcomes: dict[Try, Outcome] = {}
    while rest := [each for each in plan if each not in outcomes]:
        shutil.rmtree(folder / "work", ignore_errors=True)
        (folder / "work").mkdir(parents=True)
        outcomes.update(_run_worker(rest, folder / "work", worker, limit))
    return outcomes


def _run_worker(plan: list[Try], folder: Path, command: Sequence[str], limit: float) -> dict[Try, Outcome]:
    """What one worker got through; if it died, the last is the try that it died of."""
    outcomes: dict[Try, Outcome] = {}
    current: Try | None = None
    with (
        (folder / "stderr").open("wb") as stderr,
        subprocess.Popen(
            [*command, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, text=True
        ) as worker,
    ):
        assert worker.stdin is not None
        worker.stdin.write(json.dumps(plan))
        worker.stdin.close()
        lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=_pass_on, args=(worker.stdout, lines)).start()
        try:
            # before the first try it imports MindSpore and makes the sound projects
            while line := lines.get(timeout=limit if current else 10 * limit):
                tree = json.loads(line)
                if "begun" in tree:
                    current = Try(*tree["begun"])
                else:
                    outcomes[Try(*tree["try"])] = Outcome(*tree["outcome"])
        except queue.Empty:
            worker.kill()
            if current is not None:
                outcomes[current] = Outcome("hang", f"no end after {limit:g} s")
    if current is None or (current in outcomes and len(outcomes) < len(plan) and worker.returncode >= 0):
        told = (folder / "stderr").read_text(errors="replace")
        raise RuntimeError(f"the worker ended with {worker.returncode} between tries: {told}")
    outcomes.setdefault(current, Outcome("crash", f"the interpreter ended with {worker.returncode}"))
    return outcomes


def _pass_on(stream: IO[str], lines: queue.SimpleQueue[str]) -> None:
    for line in stream:
        lines.put(line)
    lines.put("")


# ---- in the worker --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Target:
    """A file to damage.

    Attributes:
        project: which sound project it is in.
        file: its path there.
        run: what reads it: gives a result that can be compared, or raises.
        judge: given the project and a result that is not the sound one's: None if it is right, else why not.
            None in its place: no other result is right.
    """

    project: str
    file: str
    run: Callable[[Path], Any]
    judge: Callable[[Path, Any], str | None] | None = None


class Refused(Exception):
    """A stage ended with a sentence."""


def stage(name: str) -> None:
    """Run a stage as `python -m stages.NAME` does.

    Raises:
        Refused: it ended with exit code 1 and a sentence.
    """
    import importlib

    module = importlib.import_module(f"stages.{name}")
    before = snapshot(Path())
    through_run_stage(module.main)
    left = [path for path in snapshot(Path()) if path not in before and path.endswith((".new", ".old"))]
    assert not left, f"left behind: {left}"


def through_run_stage(main: Callable[[], None]) -> None:
    """Run `main` as the command line does."""
    from stages import run_stage

    before = snapshot(Path())
    sys.argv = ["stages.try"]
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            run_stage(main, None)
    except SystemExit as end:
        after = snapshot(Path())
        changed = sorted(
            path
            for path in {*before, *after}
            if before.get(path) != after.get(path) and not path.startswith("work/")
        )
        assert not changed, f"refused with {end.code!r}, but these files changed: {changed}"
        raise Refused(end.code) from None


def door(read: Callable[[], Any]) -> Any:
    """What `read` gives, through `run_stage`."""
    result: list[Any] = []
    through_run_stage(lambda: result.append(read()))
    return result[0]


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file of a folder."""
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def work(plan: list[Try], folder: Path) -> Iterator[dict[str, Any]]:
    """Try after try: a line when it begins, a line with its outcome."""
    from mutations import mutated

    wanted = targets()
    sound = sound_projects(folder, {wanted[each.target].project for each in plan})
    right: dict[str, Any] = {}
    for target in {each.target for each in plan}:
        with project_of(sound, wanted[target], folder):
            right[target] = wanted[target].run(Path())
    for each in plan:
        target = wanted[each.target]
        yield {"begun": each}
        with project_of(sound, target, folder) as path:
            damaged = path / target.file
            damaged.write_bytes(mutated(each.kind, damaged.name, damaged.read_bytes(), each.seed))
            yield {"try": each, "outcome": outcome(target, right[each.target], damaged)}


@contextlib.contextmanager
def project_of(sound: dict[str, Path], target: Target, folder: Path) -> Iterator[Path]:
    """A copy of the target's sound project, as the current folder."""
    path = folder / "project"
    shutil.copytree(sound[target.project], path)
    os.chdir(path)
    try:
        yield path
    finally:
        os.chdir(folder)
        shutil.rmtree(path)


def outcome(target: Target, right: Any, damaged: Path) -> Outcome:
    """What becomes of the current project, in which a file was damaged."""
    content = damaged.read_bytes()
    try:
        result = target.run(Path())
        wrong = None
        if not same(result, right):
            wrong = target.judge(Path(), result) if target.judge else "accepted, with another result"
    except Refused as refused:
        (told,) = refused.args
        if not isinstance(told, str) or not told.startswith("error: ") or not told.isprintable():
            return Outcome("no sentence", repr(told)[:1000])
        if not any(name in told for name in (damaged.name, damaged.name.split(".")[0])):
            return Outcome("no name", told[:1000])
        if len(told) > 1500:
            return Outcome("too long", told[:1500])
        return Outcome("refused", told)
    except Exception:
        return Outcome("traceback", traceback.format_exc()[-3000:])
    if Path("executed").exists() or Path("../outside").exists() or Path("../../outside").exists():
        return Outcome("executed", "something outside was written, or the file's code was run")
    if damaged.read_bytes() != content:
        return Outcome("changed", "the damaged file itself was changed")
    return Outcome("wrong", wrong) if wrong else Outcome("right", "")


def same(a: Any, b: Any) -> bool:
    """Equality of trees with arrays in them."""
    import numpy as np

    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return np.array_equal(a, b)
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return bool(a == b)


# ---- the sound projects ---------------------------------------------------------------------------------------------


def sound_projects(folder: Path, names: set[str]) -> dict[str, Path]:
    """A project of each kind with all its outputs."""
    made = {}
    for name in sorted(names):
        path = folder / "sound" / name
        path.mkdir(parents=True)
        os.chdir(path)
        text = (ROOT / "params.yaml").read_text(encoding="utf-8")
        for old, new in (
            ("  box_beyond_image: repair", "  box_beyond_image: error"),
            ("  box_without_area: drop", "  box_without_area: error"),
            *_MAKERS[name](),
        ):
            assert re.search(old, text), old
            text = re.sub(old, new, text, count=1)
        Path("params.yaml").write_text(text, encoding="utf-8")
        for each in ("download", "mindrecord", "anchors"):
            stage(each)
        _write_rest()
        stage("report")
        made[name] = path
    os.chdir(folder)
    return made


def _make_archive() -> list[tuple[str, str]]:
    from test_archive import write_archive

    write_archive(Path("archive"))
    Path("work/downloads").mkdir(parents=True)
    shutil.make_archive("work/downloads/ssd_datasets", "zip", "archive")
    shutil.rmtree("archive")
    return [("  source: sample ", "  source: archive ")]


def _make_coco() -> list[tuple[str, str]]:
    from tiny_raw import pictures_of, train_tree, val_tree

    block = ["  coco:"]
    for split, tree in (("train", train_tree()), ("val", val_tree())):
        Path(f"given/{split}").mkdir(parents=True)
        Path(f"given/{split}.json").write_text(json.dumps(tree, indent=1))
        for name, data in pictures_of(tree, "").items():
            Path(f"given/{split}/{name}").write_bytes(data)
        for key, file in (("images", split), ("annotations", f"{split}.json")):
            block.append(f"    {split}_{key}: given/{file}")
    return [("  source: sample ", "  source: coco "), (r"  coco:\n(    .*\n)*", "\n".join([*block, ""]))]


def _make_voc() -> list[tuple[str, str]]:
    from tiny_devkit import TARS, write_original

    write_original(Path())
    shutil.rmtree(TARS[1].removesuffix(".tar"))
    Path("kit").mkdir()
    shutil.move(TARS[0].removesuffix(".tar") + "/VOCdevkit/VOC2007", "kit/VOC2007")
    os.remove(TARS[0])
    return [
        ("  source: sample ", "  source: voc "),
        (f"    - {TARS[0]}", "    - kit"),
    ]


_MAKERS: dict[str, Callable[[], list[tuple[str, str]]]] = {
    "archive": _make_archive,
    "coco": _make_coco,
    "voc": _make_voc,
}


def _write_rest() -> None:
    """What train and evaluate leave behind, of a network that learnt nothing and detections that know everything."""
    from small_detector import ANCHORS, DESCRIPTION

    from ssd.analysis.tables import write_tables
    from ssd.data.records import load_ground_truth, open_records
    from ssd.engine.checkpoint import build_network, save_checkpoint
    from ssd.engine.evaluation import evaluate, write_evaluation
    from ssd.engine.history import EpochLosses, write_history
    from ssd.engine.voc_evaluation import evaluate_voc
    from ssd.files import write_json
    from ssd.model.weights import initialise

    net = build_network(DESCRIPTION)
    initialise(net, 1, 0.01)
    save_checkpoint(Path("models/ssd.safetensors"), net, ANCHORS, DESCRIPTION)
    truth = load_ground_truth(Path("data/records"), "val")
    detections = [
        {
            "image_id": each["image_id"],
            "category_id": each["category_id"],
            "bbox": each["bbox"],
            "score": round(0.9 - 0.01 * number, 2),
        }
        for number, each in enumerate(truth["annotations"])
    ]
    write_json(Path("data/detections.json"), detections, indent=None)
    images = len(open_records(Path("data/records"), "val"))
    write_evaluation(
        Path("metrics"), evaluate(truth, detections), evaluate_voc(truth, detections), images, len(detections)
    )
    write_tables(Path("metrics"), truth, detections)
    history = [EpochLosses(number, 0.1, 3.0 / number, 1.0, 2.0) for number in (1, 2, 3)]
    write_history(Path("metrics/train.csv"), Path("metrics/train.json"), history, 10, 1000, "a test")


# ---- the targets ----------------------------------------------------------------------------------------------------


def targets() -> dict[str, Target]:
    """Every file to damage, by the name that the table has for it."""
    tutorial = "data/raw/datasets/MindRecord_COCO"
    records = "data/records"
    return {
        "tutorial's zip": Target("archive", "work/downloads/ssd_datasets.zip", run_download),
        "tutorial's MindRecord, in its zip": Target(
            "archive", f"{tutorial}/ssd.mindrecord0", run_zipped, judge_archive
        ),
        "tutorial's .db, in its zip": Target(
            "archive", f"{tutorial}/ssd.mindrecord1.db", run_zipped, judge_archive
        ),
        "tutorial's MindRecord": Target("archive", f"{tutorial}/ssd.mindrecord0", run_mindrecord),
        "tutorial's MindRecord, .db": Target(
            "archive", f"{tutorial}/ssd_eval.mindrecord1.db", run_mindrecord
        ),
        "records": Target("coco", f"{records}/train-00.mindrecord", run_records),
        "records, .db": Target("coco", f"{records}/val-00.mindrecord.db", run_records),
        "records, manifest.json": Target("coco", f"{records}/manifest.json", run_records, judge_records),
        "records, train.json": Target("coco", f"{records}/train.json", run_anchors),
        "records, classes.json": Target("coco", f"{records}/classes.json", run_anchors),
        "annotation JSON": Target("coco", "given/train.json", run_source, judge_coco),
        "VOC XML": Target("voc", "kit/VOC2007/Annotations/000012.xml", run_source, judge_voc),
        "VOC tar": Target("voc", "VOCtest_06-Nov-2007.tar", run_source, judge_voc),
        "image": Target("coco", "given/train/30.jpg", run_source, judge_coco),
        "checkpoint": Target("coco", "models/ssd.safetensors", run_checkpoint),
        "anchors file": Target("coco", "data/anchors.npy", run_anchors_file),
        "params.yaml": Target("coco", "params.yaml", run_params, judge_params),
        "detections.json": Target("coco", "data/detections.json", run_report, judge_report),
        "records, at the report": Target("coco", f"{records}/val-00.mindrecord", run_report),
        "metrics/anchors.json": Target("coco", "metrics/anchors.json", run_report, judge_report),
        "metrics/train.csv": Target("coco", "metrics/train.csv", run_report, judge_report),
    }


def run_download(project: Path) -> Any:
    stage("download")
    return snapshot(Path("data/raw"))


def run_zipped(project: Path) -> Any:
    """The file was damaged before the zip was made, which is whole."""
    shutil.make_archive("work/downloads/ssd_datasets", "zip", "data/raw", "datasets")
    return run_source(project)


def run_mindrecord(project: Path) -> Any:
    stage("mindrecord")
    return snapshot(Path("data/records")) | {"metrics": Path("metrics/mindrecord.json").read_bytes()}


def run_source(project: Path) -> Any:
    stage("download")
    return run_mindrecord(project)


def run_records(project: Path) -> Any:
    """As train and evaluate open them."""
    from ssd.data.records import load_classes, load_ground_truth, open_records

    folder = Path("data/records")
    return door(
        lambda: (
            load_classes(folder),
            *((open_records(folder, split), load_ground_truth(folder, split)) for split in ("train", "val")),
        )
    )


def run_anchors(project: Path) -> Any:
    stage("anchors")
    return {path: Path(path).read_bytes() for path in ("data/anchors.npy", "metrics/anchors.json")}


def run_checkpoint(project: Path) -> Any:
    """As evaluate reads it, short of compiling."""
    from small_detector import weights_of

    from ssd.engine.checkpoint import load_checkpoint, load_network

    def read() -> Any:
        checkpoint = load_checkpoint(Path("models/ssd.safetensors"))
        return checkpoint.description, checkpoint.anchors.tobytes(), load_network(checkpoint)

    description, anchors, net = door(read)
    return {"description": description, "anchors": anchors, **weights_of(net)}


def run_anchors_file(project: Path) -> Any:
    """As train reads it."""
    from ssd.config import Params, load_params
    from ssd.engine.checkpoint import load_anchors, require_recipe

    path = Path("data/anchors.npy")

    def read() -> Any:
        anchors = load_anchors(path)
        params = load_params("params.yaml", Params)
        require_recipe(anchors, params.anchors, params.model.input_size, path)
        return anchors

    return door(read)


def run_params(project: Path) -> Any:
    from ssd.config import Params, load_params

    return door(lambda: load_params("params.yaml", Params))


def run_report(project: Path) -> Any:
    stage("report")
    return snapshot(Path("report"))


def judge_records(project: Path, result: Any) -> str | None:
    """A count of objects is the audit's to compare; all else of the manifest leads to the files."""
    from dataclasses import replace

    sound = [replace(records, objects=0) for records, _ in result[1:]]
    truth = [truth for _, truth in result[1:]]
    for records, expected in zip(sound, truth, strict=True):
        if records.image_ids != tuple(image["id"] for image in expected["images"]):
            return "other images"
        if not all(path.is_file() for path in records.files):
            return "files that are not there"
    return None


def written() -> dict[str, dict[str, Any]]:
    """The ground truth in the records, by split."""
    return {split: json.loads(Path(f"data/records/{split}.json").read_text()) for split in ("train", "val")}


def stored(split: str) -> dict[int, bytes]:
    """The photos in the records, by image id."""
    from ssd.data.records import open_records
    from ssd.data.shards import open_shard, read_row

    records = open_records(Path("data/records"), split)
    places = [records.place(row) for row in range(len(records))]
    return {
        image_id: read_row(open_shard(path), row, {"image"})["image"]
        for image_id, (path, row) in zip(records.image_ids, places, strict=True)
    }


def judge_archive(project: Path, result: Any) -> str | None:
    """Photos and boxes for training are those that MindSpore's own reader gives."""
    from mindspore.mindrecord import FileReader

    folder = Path("data/raw/datasets/MindRecord_COCO")
    photos, boxes = {}, []
    for path in sorted(folder.glob("ssd.mindrecord?")):
        for row in FileReader([str(path)], num_consumer=1).get_next():
            image_id = int(row["img_id"].item())
            photos[image_id] = row["image"]
            boxes += [
                [image_id, [left, top, right - left, bottom - top], (3, 18)[label - 1]]
                for top, left, bottom, right, label in row["annotation"].tolist()
            ]
    got = [
        [each["image_id"], each["bbox"], each["category_id"]] for each in written()["train"]["annotations"]
    ]
    return None if stored("train") == photos and sorted(got) == sorted(boxes) else "other photos or boxes"


def judge_coco(project: Path, result: Any) -> str | None:
    """Every image and annotation of the given file is in the records as it is given, and every photo byte for byte."""
    for split, truth in written().items():
        given = json.loads(Path(f"given/{split}.json").read_bytes())
        keys = {
            "images": ("id", "file_name", "width", "height"),
            "annotations": ("id", "image_id", "category_id", "bbox", "area", "iscrowd"),
            "categories": ("id", "name"),
        }
        for name, wanted in keys.items():
            of_records = sorted(json.dumps([float_of(each[key]) for key in wanted]) for each in truth[name])
            of_given = sorted(json.dumps([float_of(each[key]) for key in wanted]) for each in given[name])
            if of_records != of_given:
                return f"{split}: other {name} than those given: {of_records} for {of_given}"[:500]
        photos = {
            each["id"]: Path(f"given/{split}/{each['file_name']}").read_bytes() for each in given["images"]
        }
        if stored(split) != photos:
            return f"{split}: other photos than those given"
    return None


def float_of(value: Any) -> Any:
    """Numbers as floats, in lists too, so that 1 and 1.0 are one."""
    if isinstance(value, list):
        return [float_of(each) for each in value]
    return float(value) if isinstance(value, int | float) else value


def judge_voc(project: Path, result: Any) -> str | None:
    """Objects and photos are those that the standard library reads from the files."""
    import tarfile

    files = {
        f"VOC2007/{path.relative_to('kit/VOC2007').as_posix()}": path.read_bytes()
        for path in Path("kit/VOC2007").rglob("*")
        if path.is_file()
    }
    for tar in Path().glob("*.tar"):
        with tarfile.open(tar) as archive:
            for member in archive.getmembers():
                if member.isfile():
                    files[member.name.removeprefix("VOCdevkit/")] = archive.extractfile(member).read()  # type: ignore[union-attr]
    for split, truth in written().items():
        names = {each["id"]: each["name"] for each in truth["categories"]}
        photos = stored(split)
        for image in truth["images"]:
            if photos[image["id"]] != files[image["file_name"]]:
                return f"{image['file_name']}: another photo"
            stem = image["file_name"].replace("JPEGImages", "Annotations").rpartition(".")[0]
            root = ElementTree.fromstring(files[f"{stem}.xml"])
            expected = []
            for element in root.findall("object"):
                corners = [float(element.find("bndbox").find(key).text) for key in _CORNERS]  # type: ignore[union-attr, arg-type]
                left, top, right, bottom = corners
                box = [left - 1, top - 1, right - left + 1, bottom - top + 1]
                expected.append([element.find("name").text.strip(), box])  # type: ignore[union-attr]
            got = [
                [names[each["category_id"]], each["bbox"]]
                for each in truth["annotations"]
                if each["image_id"] == image["id"]
            ]
            if got != expected:
                return f"{stem}: expected the objects {expected}, got {got}"
    return None


_CORNERS = ("xmin", "ymin", "xmax", "ymax")


def judge_params(project: Path, result: Any) -> str | None:
    """The values are those that PyYAML reads as plain text."""
    import dataclasses

    import yaml

    texts = dict(_leaves(yaml.load(Path("params.yaml").read_bytes(), yaml.BaseLoader)))
    got = dict(_leaves(dataclasses.asdict(result)))
    for place in {*texts, *got}:
        text, value = texts.get(place), got.get(place, ...)
        fits = (
            (value is None and text in ("", "~", "null", "Null", "NULL"))
            or value == text
            or (type(value) is bool and text is not None and text.lower() == str(value).lower())
            or (type(value) in (int, float) and text is not None and float(text) == value)
        )
        if not fits:
            return f"{place}: {value!r} for {text!r}"
    return None


def _leaves(tree: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from _leaves(value, (*place, key))
    elif isinstance(tree, list | tuple):
        for index, value in enumerate(tree):
            yield from _leaves(value, (*place, index))
        if not tree:
            yield place, "[]"
    else:
        yield place, tree


def judge_report(project: Path, result: Any) -> str | None:
    """Other numbers make another page; it is whole, and shows its photos and as many detections as the file has."""
    page = result["report/index.html"].decode()
    if list(result) != ["report/index.html"] or not page.rstrip().endswith("</html>"):
        return "not one whole page"
    pictures = page.count("data:image/jpeg;base64,")
    if pictures != PICTURES:
        return f"expected {PICTURES} pictures, got {pictures}"
    found = sum(each["score"] >= 0.4 for each in json.loads(Path("data/detections.json").read_bytes()))
    return None if f"Image 2 with {found} detections" in page else f"expected {found} detections on image 2"


PICTURES = 3
"""Of the sound project's report: two training photos with objects, one validation photo."""


# ---- the table ------------------------------------------------------------------------------------------------------


def survived(outcome: Outcome) -> bool:
    """Whether nothing went wrong."""
    return outcome.what in ("refused", "right")


def table(outcomes: dict[Try, Outcome], column: str) -> str:
    """Tries counted by `target` or `kind`, in Markdown."""
    rows: dict[str, Counter[str]] = {}
    for each, outcome in outcomes.items():
        count = rows.setdefault(getattr(each, column), Counter())
        count.update(["tries", outcome.what, "survived" if survived(outcome) else "lost"])
    total = sum(rows.values(), Counter())
    heads = ("tries", "survived", "refused", "right", "lost")
    lines = [f"| {column} | " + " | ".join(heads) + " |", "|---" + "|--:" * len(heads) + "|"]
    for name, count in [*rows.items(), ("all", total)]:
        lines.append(f"| {name} | " + " | ".join(str(count[head]) for head in heads) + " |")
    return "\n".join(lines)


def prepare_imports() -> None:
    """Make this checkout's package and the tests' own modules importable."""
    for place in ("src", ".", "tests", "tests/data", "tests/data/sources", "tests/engine"):
        sys.path.insert(0, str(ROOT / place))


def _main() -> None:
    parser = argparse.ArgumentParser(
        description="Damage files of small projects and print what became of each try."
    )
    parser.add_argument("--seeds", type=int, default=5, help="tries of each damage to each file")
    parser.add_argument("--only", help="the one target to damage")
    parser.add_argument("--kind", help="the one kind of damage")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    prepare_imports()
    if arguments.worker:
        out, sys.stdout = sys.stdout, sys.stderr
        for line in work([Try(*each) for each in json.load(sys.stdin)], arguments.worker.resolve()):
            print(json.dumps(line), file=out, flush=True)
        return
    from mutations import KINDS

    names = [arguments.only] if arguments.only else list(targets())
    plan = tries(names, [arguments.kind] if arguments.kind else KINDS, arguments.seeds)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        outcomes = run(plan, Path(folder))
    print(table(outcomes, "target"), table(outcomes, "kind"), sep="\n\n")
    print(f"\n{len(plan)} tries in {time.monotonic() - started:.0f} s")
    for each, outcome in outcomes.items():
        if not survived(outcome):
            print(f"lost: {each}: {outcome.what}: {outcome.told}")


if __name__ == "__main__":
    _main()
