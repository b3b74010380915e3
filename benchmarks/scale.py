"""Whether stages take as much time for an image, and no more memory, when there are many of them.

Run from the project's folder: `python benchmarks/scale.py --photos FOLDER`. The photos of a folder like COCO's
(train2017 and instances_train2017.json, somewhere in it) are repeated under other ids, or those that the sample draws
without one, until there are as many for training and as many for validation as each size says. They become a project
in a temporary folder, whose stages run as processes of their own, one after the other.

The network of evaluate is the slimmest there is, with first weights: its outputs are noise, of which so many are above
the least score that NMS gets some 500 candidates an image and leaves up to 100. Time is that of the processor, of all
threads; memory the largest that a stage's process, or one that it started, had at once.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import cycle, islice, pairwise
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import yaml
from first_network import first_network
from measure import Row, Times

ROOT = Path(__file__).resolve().parents[1]
SIZES = (1000, 4000, 16000)
STAGES = ("download", "mindrecord", "anchors", "evaluate")
WIDTH = 0.03125
CANDIDATES = 500


@dataclass(frozen=True)
class Run:
    """What a stage took for a number of images.

    Attributes:
        stage: its name.
        images: of train, and as many of val.
        seconds: of the processor.
        wall: seconds on the clock, beside whatever else ran.
        megabytes: the most memory of one process.
    """

    stage: str
    images: int
    seconds: float
    wall: float
    megabytes: float


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=Path, help="a folder like COCO's; without it the sample is drawn")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="images of each split")
    parser.add_argument(
        "--folder", type=Path, help="where there is room for the largest size, three times over"
    )
    given = parser.parse_args()
    runs = measure(given.photos, given.sizes, given.folder)
    print(table(runs))


def rows(photos: Path | None = None, sizes: tuple[int, ...] = SIZES) -> list[Row]:
    """The growth of time and memory of each stage, for a table of all that is claimed."""
    return growth(measure(photos, sizes, None))


def measure(photos: Path | None, sizes: tuple[int, ...], folder: Path | None) -> list[Run]:
    """Run the stages for each size."""
    runs = []
    for images in sizes:
        with tempfile.TemporaryDirectory(prefix="scale-", dir=folder) as name:
            project = Path(name)
            apart(lay_out, project, photos.resolve() if photos else None, images)
            for stage in STAGES:
                if stage == "evaluate":
                    apart(save_noise, project)
                runs.append(run(project, stage, images))
                print(
                    f"{stage}, {images} images: {runs[-1].seconds:.1f} s of the processor, "
                    f"{runs[-1].wall:.1f} s on the clock, {runs[-1].megabytes:.0f} MB",
                    file=sys.stderr,
                    flush=True,
                )
    return runs


def apart(work: Callable[..., object], *arguments: object) -> None:
    """Work in a process of its own: the memory that this one has counts as that of the stages it starts."""
    with get_context("spawn").Pool(1) as processes:
        processes.apply(work, arguments)


def run(project: Path, stage: str, images: int) -> Run:
    """Run a stage of a project as a process, and see what it took."""
    command = [sys.executable, "-m", f"stages.{stage}"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    begin = os.times().elapsed
    process = subprocess.Popen(command, cwd=project, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    seconds, wall = usage.ru_utime + usage.ru_stime, os.times().elapsed - begin
    return Run(stage, images, seconds, wall, usage.ru_maxrss / 1024)


def lay_out(project: Path, photos: Path | None, images: int) -> None:
    """Write params.yaml, and a data set of so many images of each split from few photos."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["model"]["width"] = WIDTH
    sides = {}
    for split in ("train", "val"):
        found, truth = (of_folder if photos else drawn)(photos or project, split)
        sides[split] = repeat(project / "source", split, found, truth, images)
    params["dataset"]["source"] = "coco"
    params["dataset"]["coco"] = {
        key: str(path)
        for split, (folder, file) in sides.items()
        for key, path in ((f"{split}_images", folder), (f"{split}_annotations", file))
    }
    # Photos may lack what the recipe wants; this is about time.
    params["mindrecord"] |= {"box_without_area": "drop", "unreadable_image": "error"}
    (project / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")


def of_folder(photos: Path, split: str) -> tuple[Path, dict]:
    """The folder of a split's photos in one like COCO's, and its annotations."""
    (folder,) = photos.rglob(f"{split}2017")
    (file,) = photos.rglob(f"instances_{split}2017.json")
    return folder, json.loads(file.read_text(encoding="utf-8"))


def drawn(project: Path, split: str) -> tuple[Path, dict]:
    """A hundred drawn photos, by stage download, in a folder of their own."""
    place = project / "drawn"
    if not place.exists():
        place.mkdir()
        params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
        params["dataset"]["source"] = "sample"
        params["dataset"]["sample"] |= {"train_images": 100, "val_images": 100}
        (place / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
        run(place, "download", 100)
        for each in ("train", "val"):
            packed = place / "data" / "raw" / f"{each}.zip"
            subprocess.run([sys.executable, "-m", "zipfile", "-e", packed, place / each], check=True)
    truth = json.loads((place / "data" / "raw" / f"{split}.json").read_text(encoding="utf-8"))
    return place / split, truth


def repeat(source: Path, split: str, photos: Path, truth: dict, images: int) -> tuple[Path, Path]:
    """The same photos again and again under other names and ids, as links, until there are so many."""
    folder, file = source / split, source / f"{split}.json"
    folder.mkdir(parents=True)
    objects: dict[int, list[dict]] = {}
    for each in truth["annotations"]:
        objects.setdefault(each["image_id"], []).append(
            {name: value for name, value in each.items() if name != "segmentation"}
        )
    repeated, annotations = [], []
    for number, image in enumerate(islice(cycle(truth["images"]), images), 1):
        name = f"{number:09d}{Path(image['file_name']).suffix}"
        (folder / name).symlink_to(next(photos.rglob(Path(image["file_name"]).name)))
        repeated.append({**image, "id": number, "file_name": name})
        for each in objects.get(image["id"], []):
            annotations.append({**each, "id": len(annotations) + 1, "image_id": number})
    whole = {"images": repeated, "annotations": annotations, "categories": truth["categories"]}
    file.write_text(json.dumps(whole), encoding="utf-8")
    return folder, file


def save_noise(project: Path) -> None:
    """Write a checkpoint with first weights, and the least score that leaves `CANDIDATES` an image."""
    from ssd.config import Params, load_params
    from ssd.data.dataset import example_pixels
    from ssd.data.records import load_classes, open_records
    from ssd.engine.checkpoint import save_checkpoint
    from ssd.engine.detection import make_predict

    params = load_params(str(project / "params.yaml"), Params)
    records = project / "data" / "records"
    classes = load_classes(records)
    net, described = first_network(params, classes)
    anchors = np.load(project / "data" / "anchors.npy")
    save_checkpoint(project / "models" / "ssd.safetensors", net, anchors, described)
    examples = example_pixels(
        open_records(records, "val", hashes=False), params.model.input_size, params.model.input, 8
    )
    scores = np.sort(make_predict(net, described.scores, len(examples))(examples)[1], axis=None)
    tree = yaml.safe_load((project / "params.yaml").read_text(encoding="utf-8"))
    tree["evaluate"]["min_score"] = float(scores[-CANDIDATES * len(examples)])
    (project / "params.yaml").write_text(yaml.safe_dump(tree), encoding="utf-8")


def between(runs: list[Run], stage: str) -> list[tuple[Run, Run]]:
    """Each size of a stage with the next one."""
    of_stage = [each for each in runs if each.stage == stage]
    return list(pairwise(of_stage))


def each_more(few: Run, many: Run) -> tuple[float, float]:
    """Seconds and megabytes of an image more, from one size to the next: what starting takes is left out."""
    more = many.images - few.images
    return (many.seconds - few.seconds) / more, (many.megabytes - few.megabytes) / more


def growth(runs: list[Run]) -> list[Row]:
    """For each stage, what an image more takes at the largest sizes, beside the same at the smallest."""
    made = []
    for stage in STAGES:
        pairs = between(runs, stage)
        first, last = each_more(*pairs[0]), each_more(*pairs[-1])
        what = f"{stage}: an image more, at {pairs[-1][1].images:,} beside {pairs[0][1].images:,}"
        ratio = last[0] / first[0]
        made.append(Row(what, _once(1e3 * last[0]), _once(1e3 * first[0]), "ms", ratio, "linear: about 1"))
        memory = pairs[-1][1].megabytes / pairs[0][0].megabytes
        few, many = _once(pairs[0][0].megabytes), _once(pairs[-1][1].megabytes)
        made.append(
            replace(
                made[-1], what=f"{stage}: memory", ours=many, peer=few, unit="MB", ratio=memory, goal="flat"
            )
        )
    return made


def _once(value: float) -> Times:
    return Times(value, value, value)


def table(runs: list[Run]) -> str:
    """All runs in Markdown, with what an image more takes since the size before."""
    lines = [
        "| stage | images of train and of val | processor, s | ms an image more | memory, MB | kB an image more |",
        "|---|---|---|---|---|---|",
    ]
    before: dict[str, Run] = {}
    for each in sorted(runs, key=lambda each: (STAGES.index(each.stage), each.images)):
        more = ["", ""]
        if each.stage in before:
            seconds, megabytes = each_more(before[each.stage], each)
            more = [f"{1e3 * seconds:.2f}", f"{1e3 * megabytes:.1f}"]
        before[each.stage] = each
        lines.append(
            f"| {each.stage} | {each.images:,} | {each.seconds:.1f} | {more[0]} | {each.megabytes:.0f} | {more[1]} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
