"""The photos that are measured on: a folder in the form of COCO 2017's, or the project's own drawn sample."""

import argparse
import contextlib
import io
from dataclasses import replace
from pathlib import Path

from ssd.config import Coco, Mindrecord, Params, load_params
from ssd.data.record_writer import write_records
from ssd.data.sources.layouts import read_source
from ssd.data.sources.raw import fill_raw

ROOT = Path(__file__).resolve().parents[1]
PHOTOS = ROOT.parent / "shared" / "data" / "coco_tiny"
DRAWN = 80
"""Photos of each split where the sample is drawn."""


def photos_argument(doc: str | None) -> Path | None:
    """What --photos says: a folder with train2017, val2017 and annotations; None: the sample is drawn."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--photos",
        type=Path,
        default=PHOTOS if PHOTOS.is_dir() else None,
        help="a folder in the form of COCO 2017's",
    )
    return parser.parse_args().photos


def told(photos: Path | None) -> str:
    """What is used, in a sentence."""
    return (
        f"Photos: {photos.name}, 80 of each split."
        if photos
        else f"Photos: {DRAWN} drawn ones of each split."
    )


def write_photos(photos: Path | None, folder: Path) -> Path:
    """The records of the photos, in a new folder below an empty one.

    Args:
        photos: as `photos_argument` gives it.
        folder: takes the raw data too.
    """
    params = load_params(ROOT / "params.yaml", Params)
    sample = replace(params.dataset.sample, train_images=DRAWN, val_images=DRAWN)
    dataset = replace(params.dataset, source="sample", sample=sample)
    if photos:
        of_splits = {
            f"{split}_{kind}": str(photos.resolve() / place)
            for split in ("train", "val")
            for kind, place in (
                ("images", f"{split}2017"),
                ("annotations", f"annotations/instances_{split}2017.json"),
            )
        }
        dataset = replace(dataset, source="coco", coco=Coco(**of_splits))
    raw, records = folder / "raw", folder / "records"
    raw.mkdir()
    records.mkdir()
    fill_raw(dataset, raw, ROOT, folder)
    with contextlib.redirect_stderr(io.StringIO()):
        write_records(records, read_source(raw), Mindrecord("repair", "drop", "error", "error", 5000))
    return records
