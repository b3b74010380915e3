"""Stage mindrecord: what data/raw holds becomes MindRecord files, a class list and COCO-format ground truth.

Reads params.yaml (mindrecord) and data/raw; writes data/records, metrics/mindrecord.json and
metrics/classes.csv. Every record is read back and checked before the records of the last run are replaced.
"""

from dataclasses import dataclass
from pathlib import Path

from ssd.config import Mindrecord, load_params
from ssd.data.audit import audit
from ssd.data.record_writer import write_records
from ssd.data.sources.layouts import read_source
from ssd.data.summary import class_rows, summarise
from ssd.files import replacing_folder, write_csv, write_json
from stages import run_stage


@dataclass(frozen=True)
class Params:
    """What this stage reads of params.yaml."""

    mindrecord: Mindrecord


def main() -> None:
    """Read the source, write its records, check and count them."""
    params = load_params("params.yaml", Params)
    source = read_source(Path("data/raw"))
    with replacing_folder(Path("data/records")) as folder:
        repairs = write_records(folder, source, params.mindrecord)
        audit(folder)
        metrics = summarise(folder, repairs, source.notes)
        classes = class_rows(folder)
    write_json(Path("metrics/mindrecord.json"), metrics)
    write_csv(Path("metrics/classes.csv"), ("class", "train", "val"), classes)


if __name__ == "__main__":
    run_stage(main, __doc__)
