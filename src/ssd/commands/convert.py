"""`ssd convert`: a checkpoint of another program's weights."""

import argparse
from pathlib import Path

from ssd.telling import LOG


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    convert = commands.add_parser(
        "convert",
        help="make a checkpoint of torchvision's SSD300",
        description="Make a checkpoint that stage evaluate takes of torchvision's ssd300_vgg16.",
    )
    convert.add_argument("source", type=Path, metavar="SOURCE", help="its weights: .pth or .safetensors")
    convert.add_argument("out", type=Path, metavar="OUT.safetensors", help="the checkpoint")
    convert.add_argument(
        "--records",
        type=Path,
        metavar="FOLDER",
        help="records whose classes it was trained on, as data/records; without it, COCO's 80 classes",
    )
    convert.set_defaults(run=run)


def run(given: argparse.Namespace) -> None:
    """Convert, and tell of the checkpoint."""
    # MindSpore, which takes seconds to import, is not needed for --help.
    from ssd.data.records import load_classes
    from ssd.engine.checkpoint import UNUSED
    from ssd.engine.convert import coco_classes, convert_torchvision

    classes = coco_classes()
    if given.records is not None:
        classes = {each.category_id: each.name for each in load_classes(given.records)}
    convert_torchvision(given.source, given.out, classes)
    named = sum(name != UNUSED for name in classes.values())
    LOG.info(f"{given.out}: SSD300 of {named} classes; stage evaluate takes it as models/ssd.safetensors")
