import hashlib
import json
import zipfile
from pathlib import Path

import pytest
from tiny_devkit import TARS, voc, write_original

from ssd.config import Archive, Coco, Dataset, Sample
from ssd.data.sources.raw import archive_name, check_archive, fill_raw
from ssd.data.sources.unpack import file_names

TUTORIAL = Path(__file__).parents[3] / "../shared/data/ssd_datasets.zip"
NOWHERE = "http://127.0.0.1:9/ssd_datasets.zip"  # no one listens at the discard port
FILES = [
    "datasets/annotations/instances_val2017.json",
    *(f"datasets/MindRecord_COCO/ssd.mindrecord{shard}{end}" for shard in "01" for end in ("", ".db")),
    *(f"datasets/MindRecord_COCO/ssd_eval.mindrecord{shard}{end}" for shard in "0" for end in ("", ".db")),
]


def dataset(source, archive=None, coco=None):
    return Dataset(
        source,
        0.5,
        Sample(2, 1, 0),
        archive or Archive(NOWHERE, None),
        coco or Coco(None, None, None, None),
        voc(),
    )


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """The folder to fill, the project's, and the one for downloads."""
    monkeypatch.setenv("no_proxy", "*")
    (tmp_path / "raw").mkdir()
    (tmp_path / "downloads").mkdir()
    return tmp_path / "raw", tmp_path, tmp_path / "downloads"


def put_archive(folders, names, name="ssd_datasets.zip"):
    path = folders[2] / name
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, f"content of {name}")
    return path


def files_in(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def layout(folder):
    return json.loads((folder / "layout.json").read_text())


def test_a_drawn_sample_has_the_coco_layout(folders):
    fill_raw(dataset("sample"), *folders)
    assert files_in(folders[0]) == ["layout.json", "train.json", "train.zip", "val.json", "val.zip"]
    assert layout(folders[0]) == {"layout": "coco"}
    assert len(json.loads((folders[0] / "train.json").read_text())["images"]) == 2


def test_a_coco_data_set_has_the_coco_layout(folders):
    _, project, _ = folders
    (project / "photos").mkdir()
    (project / "photos/a.jpg").write_bytes(b"a")
    tree = {"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": [], "categories": []}
    (project / "a.json").write_text(json.dumps(tree))
    fill_raw(dataset("coco", coco=Coco("photos", "a.json", "photos", "a.json")), *folders)
    assert files_in(folders[0]) == ["layout.json", "train.json", "train.zip", "val.json", "val.zip"]
    assert layout(folders[0]) == {"layout": "coco"}


def test_a_coco_train_set_alone_has_the_coco_layout_with_the_share_that_is_val(folders):
    _, project, _ = folders
    (project / "photos").mkdir()
    names = [f"{number}.jpg" for number in range(20)]
    for name in names:
        (project / "photos" / name).write_bytes(b"a")
    images = [{"id": number, "file_name": name} for number, name in enumerate(names)]
    (project / "a.json").write_text(json.dumps({"images": images, "annotations": [], "categories": []}))
    fill_raw(dataset("coco", coco=Coco("photos", "a.json", None, None)), *folders)
    assert files_in(folders[0]) == ["layout.json", "train.json", "train.zip"]
    assert layout(folders[0]) == {"layout": "coco", "val_fraction": 0.5}


def test_voc_devkits_have_the_voc_layout(folders):
    write_original(folders[1])
    fill_raw(dataset("voc"), *folders)
    kits = [f"{number}/{name}" for number, name in enumerate(TARS)]
    assert files_in(folders[0]) == [*kits, "layout.json"]
    assert layout(folders[0]) == {
        "layout": "voc",
        "devkits": kits,
        "train_sets": ["2007/trainval", "2012/trainval"],
        "val_sets": ["2007/test"],
        "difficult": "train",
    }


def test_the_tutorials_archive_is_unpacked(folders):
    put_archive(folders, FILES)
    fill_raw(dataset("archive"), *folders)
    assert files_in(folders[0]) == sorted([*FILES, "layout.json"])
    assert layout(folders[0]) == {
        "layout": "archive",
        "sha256": {name: hashlib.sha256(f"content of {name}".encode()).hexdigest() for name in FILES},
    }


def test_the_digest_is_printed_when_none_is_expected(folders, capsys):
    path = put_archive(folders, FILES)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    fill_raw(dataset("archive"), *folders)
    wanted = f"sha256 of ssd_datasets.zip: {digest}; set dataset.archive.sha256 to check it\n"
    assert capsys.readouterr().out == wanted


def test_nothing_is_printed_when_the_digest_is_the_expected_one(folders, capsys):
    digest = hashlib.sha256(put_archive(folders, FILES).read_bytes()).hexdigest()
    fill_raw(dataset("archive", Archive(NOWHERE, digest)), *folders)
    assert capsys.readouterr().out == ""
    assert layout(folders[0])["layout"] == "archive"


def test_another_digest_than_expected_stops_before_unpacking(folders):
    path = put_archive(folders, FILES)
    with pytest.raises(
        ValueError, match=rf"ssd_datasets\.zip: expected sha256 {'0' * 64}, got [0-9a-f]{{64}};"
    ):
        fill_raw(dataset("archive", Archive(NOWHERE, "0" * 64)), *folders)
    assert files_in(folders[0]) == []
    assert path.is_file()


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_the_archive_lacks_is_named(name, folders):
    put_archive(folders, [other for other in FILES if other != name])
    missing = name.replace(".", r"\.")
    with pytest.raises(
        ValueError, match=rf"tutorial, got a zip without {missing}(\.db)?; replace the file, or remove"
    ):
        fill_raw(dataset("archive"), *folders)
    assert files_in(folders[0]) == []


def test_an_archive_of_something_else_is_refused_with_all_that_is_missing(folders):
    put_archive(folders, ["readme.txt"])
    with pytest.raises(
        ValueError, match=r"without .*instances_val2017\.json and .*/ssd\.mindrecord0 and .*0\.db"
    ):
        fill_raw(dataset("archive"), *folders)


def test_shards_numbered_with_two_digits_are_recognised(folders):
    shards = [
        f"datasets/MindRecord_COCO/ssd.mindrecord{shard:02}{end}"
        for shard in range(11)
        for end in ("", ".db")
    ]
    put_archive(folders, [*shards, FILES[0], *FILES[-2:]])
    fill_raw(dataset("archive"), *folders)
    assert "datasets/MindRecord_COCO/ssd.mindrecord10" in files_in(folders[0])


def test_a_missing_shard_in_the_middle_is_named(folders):
    put_archive(folders, [name.replace("ssd.mindrecord1", "ssd.mindrecord2") for name in FILES])
    with pytest.raises(
        ValueError, match=r"without \S*/ssd\.mindrecord1 and \S*/ssd\.mindrecord1\.db; replace"
    ):
        fill_raw(dataset("archive"), *folders)


def test_a_damaged_archive_is_refused_with_what_to_do(folders, capsys):
    path = put_archive(folders, FILES)
    path.write_bytes(path.read_bytes().replace(b"content of", b"discontent", 1))
    with pytest.raises(
        ValueError, match=r"expected a whole zip file, got damage \(Bad CRC-32 .*; replace the file"
    ):
        fill_raw(dataset("archive"), *folders)
    assert capsys.readouterr().out == ""  # no digest to copy


def test_an_address_out_of_reach_says_where_to_put_the_file_by_hand(folders):
    with pytest.raises(ValueError, match=r"put the file by hand at .*downloads/ssd_datasets\.zip$"):
        fill_raw(dataset("archive"), *folders)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://example.org/datasets/ssd_datasets.zip", "ssd_datasets.zip"),
        ("https://example.org/other.zip?token=a/b.zip", "other.zip"),
        ("https://example.org/a/my%20set.zip#top", "my%20set.zip"),
        ("https://drive.google.com/file/d/1a2b/view", "ssd_datasets.zip"),
        ("https://example.org/", "ssd_datasets.zip"),
        ("https://example.org/..", "ssd_datasets.zip"),
    ],
)
def test_the_archive_is_named_as_its_address_names_it(url, name):
    assert archive_name(url) == name


@pytest.mark.skipif(not TUTORIAL.is_file(), reason="needs ../shared/data/ssd_datasets.zip")
def test_real_mindrecord_files_are_recognised_and_the_zip_is_found_whole():
    check_archive(TUTORIAL)
    assert len(file_names(TUTORIAL)) == 9
