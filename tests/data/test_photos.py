import dataclasses
import shutil
import subprocess
import sys

import pytest
from tiny_raw import STRICT, picture, write_raw

from ssd.data.photos import open_photos, read_photo
from ssd.data.record_writer import write_records
from ssd.data.records import open_records
from ssd.data.shards import open_shard, read_row
from ssd.data.sources.coco import read_coco
from ssd.runtime import prepare_mindspore


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    (folder / "records").mkdir()
    source = read_coco(write_raw(folder / "raw"))
    write_records(folder / "records", source, dataclasses.replace(STRICT, images_per_file=2))
    return folder / "records"


def test_a_photo_comes_as_it_was_stored(records):
    photo = open_photos(records)
    assert [photo("train", 30), photo("train", 4), photo("train", 12), photo("val", 2)] == [
        picture(30, 40, 60),
        picture(4, 50, 50),
        picture(12, 30, 20),
        picture(2, 20, 20),
    ]


def test_rows_are_those_that_mindspore_reads(records):
    prepare_mindspore()
    from mindspore.mindrecord import FileReader

    for path in open_records(records, "train").files:
        for row, theirs in enumerate(FileReader([str(path)], num_consumer=1).get_next()):
            ours = read_row(open_shard(path), row)
            assert ours.keys() == theirs.keys()
            assert ours["image"] == theirs["image"]
            assert all(ours[name].tolist() == theirs[name].tolist() for name in ours if name != "image")


def test_a_photo_that_is_not_in_the_records_is_refused(records):
    with pytest.raises(ValueError, match=r"records: val: expected image 30, got records without it"):
        open_photos(records)("val", 30)


def test_a_row_of_another_image_is_refused(records):
    shard = open_shard(records / "val-00.mindrecord")
    with pytest.raises(ValueError, match=r"val-00\.mindrecord: row 0: expected image 7, got \[2\]"):
        read_photo(shard, 0, 7)
    with pytest.raises(ValueError, match=r"expected a row 1 for image 7, got 1 rows"):
        read_photo(shard, 1, 7)


def test_mindspore_is_not_imported(records):
    code = (
        "import sys; from pathlib import Path; from ssd.data.photos import open_photos; "
        f"open_photos(Path({str(records)!r}))('val', 2); sys.exit('mindspore' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_file_that_was_changed_is_refused_before_a_photo_is_taken_from_it(records, tmp_path):
    folder = shutil.copytree(records, tmp_path / "records")
    path = folder / "val-00.mindrecord"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(
        ValueError, match=r"val-00\.mindrecord: expected sha256 .*, as manifest\.json has, got"
    ):
        open_photos(folder)("val", 2)
    assert open_photos(folder)("train", 4) == picture(4, 50, 50)  # of other files
