"""`python -m ssd`: its help, its errors, one conversion and one export."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from small_detector import ANCHORS, DESCRIPTION

from ssd.__main__ import main
from ssd.engine.checkpoint import build_network, load_checkpoint, save_checkpoint
from ssd.model.weights import initialise

PARAMS = Path(__file__).parent / "golden" / "params.yaml"
SHAPES = json.loads((Path(__file__).parent / "golden" / "torchvision_ssd.json").read_text())


def run(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "ssd", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--help"], "convert"),
        (["convert", "--help"], "OUT.safetensors"),
        (["export", "--help"], "--no-records"),
    ],
)
def test_help_says_what_there_is_without_importing_what_it_needs(arguments: list[str], said: str) -> None:
    done = run(*arguments)
    assert done.returncode == 0
    assert said in done.stdout
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "argparse" in imported
    assert not imported & {"mindspore", "numpy"}


@pytest.mark.parametrize("arguments", [[], ["paint"], ["convert"], ["convert", "a.pth"], ["export"]])
def test_wrong_arguments_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: python -m ssd" in capsys.readouterr().err


def test_bad_input_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["convert", str(tmp_path / "none.safetensors"), str(tmp_path / "ssd.safetensors")])
    assert caught.value.code == f"error: {tmp_path / 'none.safetensors'}: no such file"
    assert not list(tmp_path.iterdir())


def test_weights_of_torchvision_become_a_checkpoint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "source.safetensors", tmp_path / "ssd.safetensors"
    safetensors.numpy.save_file(
        {name: np.zeros(shape, np.float32) for name, shape in SHAPES["91"].items()}, source
    )
    main(["convert", str(source), str(out)])
    assert capsys.readouterr().out == (
        f"{out}: SSD300 of 80 classes; stage evaluate takes it as models/ssd.safetensors\n"
    )
    assert load_checkpoint(out).description.class_names[0] == "person"


def refused_export(*arguments: Path | str) -> str:
    with pytest.raises(SystemExit) as caught:
        main(["export", "--params", str(PARAMS), *map(str, arguments)])
    return caught.value.code


def test_what_is_wrong_with_an_export_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = refused_export("--format", "mindir", "--out", "ssd.bin")
    assert told == "error: ssd.bin: expected a name that ends in .mindir, got '.bin'"
    told = refused_export("--format", "mindir")
    assert told == "error: models/ssd.safetensors: no such checkpoint; run the train stage first"
    other = tmp_path / "other.safetensors"
    safetensors.numpy.save_file({"a": np.zeros(3, np.float32)}, other)
    told = refused_export("--format", "mindir", "--model", other)
    assert told == f"error: {other}: expected a checkpoint of this project, got another safetensors file"
    told = refused_export("--format", "mindir", "--params", "none.yaml")
    assert told.startswith("error: none.yaml: ")
    monkeypatch.setitem(sys.modules, "onnx", None)
    told = refused_export("--format", "onnx")
    assert told.endswith("got no onnx: install the extra export, pip install -e '.[export]'")
    assert [path.name for path in tmp_path.iterdir()] == ["other.safetensors"]


def test_a_detector_is_exported_beside_its_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    net = build_network(DESCRIPTION)
    initialise(net, 1, 0.01)
    save_checkpoint(tmp_path / "models/ssd.safetensors", net, ANCHORS, DESCRIPTION)
    main(["export", "--params", str(PARAMS), "--format", "mindir", "--no-records", "--images", "1"])
    told = capsys.readouterr().out
    assert told.startswith("models/ssd.mindir: boxes within ")
    assert told.endswith(" of the checkpoint's on 1 image; more in models/ssd.mindir.json\n")
    assert sorted(path.name for path in (tmp_path / "models").iterdir()) == [
        "ssd.mindir",
        "ssd.mindir.json",
        "ssd.safetensors",
    ]
