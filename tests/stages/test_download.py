import hashlib
import json
import os
import re
import subprocess
import sys
import threading
import zipfile
from contextlib import suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
FILES = [
    "datasets/annotations/instances_val2017.json",
    "datasets/MindRecord_COCO/ssd.mindrecord0",
    "datasets/MindRecord_COCO/ssd.mindrecord0.db",
    "datasets/MindRecord_COCO/ssd_eval.mindrecord0",
    "datasets/MindRecord_COCO/ssd_eval.mindrecord0.db",
]


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def copyfile(self, source, outputfile):
        with suppress(ConnectionError):  # `download` opens an address for a look first
            super().copyfile(source, outputfile)


@pytest.fixture
def site(tmp_path):
    """The address of a server of the folder `site`, which holds an archive like the tutorial's."""
    (tmp_path / "site").mkdir()
    with zipfile.ZipFile(tmp_path / "site/ssd_datasets.zip", "w") as archive:
        for name in FILES:
            archive.writestr(name, name)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path / "site")))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def project(tmp_path):
    (tmp_path / "project").mkdir()
    return tmp_path / "project"


def download(folder, dvc_root=None, **dataset):
    """Run the stage in `folder` with the project's parameters and the given ones of `dataset`."""
    params = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
    for section, values in dataset.items():
        params["dataset"][section] = (
            values if section == "source" else {**params["dataset"][section], **values}
        )
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    environment = {name: value for name, value in os.environ.items() if name != "DVC_ROOT"}
    environment |= {"PYTHONPATH": str(REPOSITORY), "no_proxy": "*"} | (
        {"DVC_ROOT": str(dvc_root)} if dvc_root else {}
    )
    return subprocess.run(
        [sys.executable, "-m", "stages.download"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def layout(folder):
    return json.loads((folder / "data/raw/layout.json").read_text())["layout"]


def test_the_sample_is_drawn_into_data_raw(project):
    run = download(project, source="sample", sample={"train_images": 2, "val_images": 1})
    assert (run.returncode, run.stderr) == (0, "")
    assert re.fullmatch(r"data/raw: source sample, 5 files of \d\.\d MB\n", run.stdout)
    assert layout(project) == "coco"
    assert sorted(os.listdir(project / "data")) == ["raw"]


def test_the_archive_is_downloaded_once_into_work_and_unpacked_into_data_raw(project, site, tmp_path):
    address = {"url": f"{site}/ssd_datasets.zip"}
    first = download(project, source="archive", archive=address)
    digest = hashlib.sha256((tmp_path / "site/ssd_datasets.zip").read_bytes()).hexdigest()
    assert first.returncode == 0, first.stderr
    of_archive, what = first.stdout.splitlines()
    assert of_archive == f"sha256 of ssd_datasets.zip: {digest}; set dataset.archive.sha256 to check it"
    assert what == f"data/raw: source archive, {len(FILES) + 1} files of 0.0 MB"
    assert os.listdir(project / "work/downloads") == ["ssd_datasets.zip"]
    (tmp_path / "site/ssd_datasets.zip").unlink()
    second = download(project, source="archive", archive={**address, "sha256": digest})
    assert (second.returncode, second.stdout, second.stderr) == (0, f"{what}\n", "")
    assert (project / "data/raw" / FILES[0]).read_text() == FILES[0]
    assert layout(project) == "archive"


def test_a_failed_download_is_one_line_on_stderr_and_leaves_data_raw_as_it_was(project, site):
    (project / "data/raw").mkdir(parents=True)
    (project / "data/raw/layout.json").write_text('{"layout": "before"}')
    run = download(project, source="archive", archive={"url": f"{site}/gone.zip"})
    assert run.returncode == 1
    assert run.stdout == ""
    assert run.stderr == (
        f"error: {site}/gone.zip: expected a file to download, got 'HTTP Error 404: File not found'; check "
        f"dataset.archive.url and the network, or put the file by hand at work/downloads/gone.zip\n"
    )
    assert layout(project) == "before"
    assert os.listdir(project / "data") == ["raw"]


def test_an_archive_that_leads_outside_writes_nothing_anywhere(project, site, tmp_path):
    with zipfile.ZipFile(tmp_path / "site/ssd_datasets.zip", "a") as archive:
        archive.writestr("../../../outside", "")
    run = download(project, source="archive", archive={"url": f"{site}/ssd_datasets.zip"})
    assert run.returncode == 1
    assert "'../../../outside': expected plain files and folders inside the archive" in run.stderr
    assert run.stderr.count("\n") == 1
    assert not list(tmp_path.rglob("outside"))
    assert os.listdir(project / "work/downloads") == ["ssd_datasets.zip.unchecked"]


def test_a_queued_experiment_finds_downloads_and_relative_paths_in_the_project(project, site, tmp_path):
    copy = tmp_path / "copy"
    copy.mkdir()
    run = download(copy, dvc_root=project, source="archive", archive={"url": f"{site}/ssd_datasets.zip"})
    assert run.returncode == 0, run.stderr
    assert layout(copy) == "archive"
    assert os.listdir(project / "work/downloads") == ["ssd_datasets.zip"]
    (project / "a.jpg").write_bytes(b"")
    (project / "a.json").write_text(
        '{"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": [], "categories": []}'
    )
    paths = dict.fromkeys(("train_images", "val_images"), ".") | dict.fromkeys(
        ("train_annotations", "val_annotations"), "a.json"
    )
    run = download(copy, dvc_root=project, source="coco", coco=paths)
    assert run.returncode == 0, run.stderr
    assert layout(copy) == "coco"


def test_a_missing_path_is_named_with_its_key(project):
    paths = dict.fromkeys(("train_images", "train_annotations", "val_images", "val_annotations"), "nowhere")
    run = download(project, source="coco", coco=paths)
    assert run.returncode == 1
    assert run.stderr == (
        "error: params.yaml: dataset.coco.train_annotations: expected an annotation file, "
        "got no such file: nowhere\n"
    )
