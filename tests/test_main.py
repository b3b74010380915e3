"""`python -m ssd`: its help, its errors, one conversion, one detection and one export."""

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from small_detector import ANCHORS, DESCRIPTION, photo

from ssd.__main__ import main
from ssd.detect.pictures import read_picture, write_picture
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


def imported_by(done: subprocess.CompletedProcess) -> set[str]:
    return {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--help"], "convert"),
        (["convert", "--help"], "OUT.safetensors"),
        (["detect", "--help"], "PHOTO|FOLDER|VIDEO"),
        (["export", "--help"], "--no-records"),
    ],
)
def test_help_says_what_there_is_without_importing_what_it_needs(arguments: list[str], said: str) -> None:
    done = run(*arguments)
    assert done.returncode == 0
    assert said in done.stdout
    imported = imported_by(done)
    assert "argparse" in imported
    assert not imported & {"mindspore", "numpy"}


@pytest.mark.parametrize(
    "arguments", [[], ["paint"], ["convert"], ["convert", "a.pth"], ["detect"], ["export"]]
)
def test_wrong_arguments_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: python -m ssd" in capsys.readouterr().err


def test_the_version_is_told() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"ssd {version('ssd')}\n")
    assert not imported_by(done) & {"mindspore", "numpy"}


def test_a_name_of_a_file_cannot_break_the_sentence() -> None:
    with pytest.raises(SystemExit) as caught:
        main(["detect", "a\nb.jpg"])
    assert caught.value.code == "error: a\\nb.jpg: no such file or folder"


def test_quiet_tells_nothing_of_what_went_well(
    model: Path, picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["detect", str(picture), "--model", str(model), "--out", str(tmp_path / "out"), "-q"])
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "")
    assert (tmp_path / "out/a.png").is_file()


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


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of two classes that learnt nothing."""
    path = tmp_path_factory.mktemp("models") / "ssd.safetensors"
    net = build_network(DESCRIPTION)
    initialise(net, 1, 0.01)
    save_checkpoint(path, net, ANCHORS, DESCRIPTION)
    return path


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "a.png"
    write_picture(path, photo())
    return path


def refusal(*arguments: Path | str) -> str:
    with pytest.raises(SystemExit) as caught:
        main(["detect", *map(str, arguments)])
    return caught.value.code


def test_objects_in_pictures_are_drawn_and_written_down(
    model: Path, picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    options = ["--model", str(model), "--out", str(out), "--min-score", "0", "--max-detections", "3"]
    main(["detect", str(picture), *options])
    said = capsys.readouterr()
    assert said.out == f"{out}: drew 1 picture; 3 detections in detections.json, their files in images.json\n"
    assert said.err == ""
    assert sorted(path.name for path in out.iterdir()) == ["a.png", "detections.json", "images.json"]
    assert len(json.loads((out / "detections.json").read_text())) == 3
    assert (read_picture(out / "a.png") != photo()).any()


def test_a_picture_that_is_none_ends_in_exit_code_1_with_the_others_done(
    model: Path, picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "b.png").write_bytes(b"no picture")
    told = refusal(tmp_path, "--model", model, "--out", tmp_path / "out")
    assert told == "error: 1 of 2 pictures could not be read or drawn"
    said = capsys.readouterr()
    assert said.err == f"{tmp_path / 'b.png'}: expected a picture, got 10 bytes that are none\n"
    assert said.out.startswith(f"{tmp_path / 'out'}: drew 1 picture; ")
    assert (tmp_path / "out/a.png").is_file()


def test_what_is_wrong_with_the_arguments_of_detect_is_one_sentence(
    model: Path, picture: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    none = tmp_path / "none.jpg"
    assert refusal(none, "--model", model) == f"error: {none}: no such file or folder"
    told = refusal(picture, "--model", model, "--out", out, "--min-score", "1.5")
    assert told == "error: min_score: expected a number >= 0 and <= 1, got 1.5"
    told = refusal(picture, "--model", none, "--out", out)
    assert told == f"error: {none}: no such checkpoint; run the train stage first"
    told = refusal(picture, "--model", picture, "--out", out)
    assert told.startswith(f"error: {picture}: expected a safetensors file, got a damaged or another one")
    other = tmp_path / "other.safetensors"
    safetensors.numpy.save_file({"a": np.zeros(3, np.float32)}, other)
    told = refusal(picture, "--model", other, "--out", out)
    assert told == f"error: {other}: expected a checkpoint of this project, got another safetensors file"
    older = tmp_path / "older.safetensors"
    safetensors.numpy.save_file({"a": np.zeros(3, np.float32)}, older, {"ssd": '{"format": 1}'})
    told = refusal(picture, "--model", older, "--out", out)
    assert told == f"error: {older}: expected a checkpoint of format 4, got another; train again"
    assert not out.exists()


def test_a_missing_picture_is_told_of_without_importing_mindspore(tmp_path: Path) -> None:
    done = run("detect", str(tmp_path / "a.jpg"))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"error: {tmp_path / 'a.jpg'}: no such file or folder"
    assert "mindspore" not in imported_by(done)


def test_ctrl_c_ends_it_in_one_word(picture: Path) -> None:
    code = (
        "import os, signal, ssd.detect.inputs, ssd.__main__;"
        "ssd.detect.inputs.gather = lambda *_: os.kill(os.getpid(), signal.SIGINT);"
        "ssd.__main__.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "detect", str(picture)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "stopped\n")


def test_the_console_script_is_this() -> None:
    pyproject = Path(__file__).parents[1] / "pyproject.toml"
    assert 'ssd = "ssd.__main__:main"' in pyproject.read_text(encoding="utf-8").splitlines()


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
