"""`python -m ssd`: what is done outside the pipeline, one subcommand each."""

import argparse
import sys
from pathlib import Path


def main(arguments: list[str] | None = None) -> None:
    """Run a subcommand; bad input ends it with one sentence on stderr and exit code 1."""
    given = _parser().parse_args(arguments)
    try:
        given.run(given)
    except (ValueError, OSError) as error:
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
    _add_export(commands)
    return parser


def _add_export(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    export = commands.add_parser(
        "export",
        help="write the detector as ONNX or MINDIR for other programs",
        description="Write a checkpoint as ONNX or MINDIR, if what it detects is what the checkpoint does.",
        epilog="Beside the file comes a .json of the same name: input, outputs, classes, and how it compares.",
    )
    export.add_argument("--format", choices=("onnx", "mindir"), required=True)
    export.add_argument(
        "--model",
        type=Path,
        default=Path("models/ssd.safetensors"),
        metavar="FILE",
        help="the checkpoint (default: %(default)s)",
    )
    export.add_argument(
        "--out", type=Path, metavar="FILE", help="the export (default: as the checkpoint, .onnx or .mindir)"
    )
    export.add_argument(
        "--params",
        type=Path,
        default=Path("params.yaml"),
        metavar="FILE",
        help="in its section evaluate, the rules of selection (default: %(default)s)",
    )
    export.add_argument(
        "--no-nms",
        action="store_true",
        help="ONNX without NMS, for programs that do not have it; MINDIR never has it",
    )
    pictures = export.add_mutually_exclusive_group()
    pictures.add_argument(
        "--records",
        type=Path,
        default=Path("data/records"),
        metavar="FOLDER",
        help="on whose validation images both are compared and measured (default: %(default)s)",
    )
    pictures.add_argument(
        "--no-records", action="store_true", help="compare the outputs alone, on noise, and measure nothing"
    )
    export.add_argument(
        "--images", type=int, metavar="N", help="compare on the first N images (default: all)"
    )
    export.set_defaults(run=_export)


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


def _export(given: argparse.Namespace) -> None:
    from ssd.config import load_params
    from ssd.export.formats import Params, require_ready

    out = given.out or given.model.with_suffix(f".{given.format}")
    require_ready(out, given.format)
    rules = load_params(given.params, Params).evaluate

    from ssd.export.run import beside, export

    records = None if given.no_records else given.records
    comparison = export(
        given.model, out, given.format, rules, records, nms=not given.no_nms, images=given.images
    )
    print(f"{out}: {comparison.told()}; more in {beside(out)}")


if __name__ == "__main__":
    main()
