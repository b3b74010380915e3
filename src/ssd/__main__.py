"""`python -m ssd`: what is done outside the pipeline, one subcommand each."""

import argparse
import sys
from pathlib import Path

from ssd.files import told


def main(arguments: list[str] | None = None) -> None:
    """Run a subcommand; bad input ends it with one sentence on stderr and exit code 1."""
    given = _parser().parse_args(arguments)
    try:
        given.run(given)
    except OSError as error:
        sys.exit(f"error: {told(error)}")
    except ValueError as error:
        sys.exit(f"error: {error}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ssd", description="SSD outside the pipeline.")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
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
    convert.set_defaults(run=_convert)
    return parser


def _convert(given: argparse.Namespace) -> None:
    # MindSpore, which takes seconds to import, is not needed for --help.
    from ssd.data.records import load_classes
    from ssd.engine.checkpoint import UNUSED
    from ssd.engine.convert import coco_classes, convert_torchvision

    classes = coco_classes()
    if given.records is not None:
        classes = {each.category_id: each.name for each in load_classes(given.records)}
    convert_torchvision(given.source, given.out, classes)
    named = sum(name != UNUSED for name in classes.values())
    print(f"{given.out}: SSD300 of {named} classes; stage evaluate takes it as models/ssd.safetensors")


if __name__ == "__main__":
    main()
