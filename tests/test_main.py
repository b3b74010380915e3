"""`python -m ssd`: its help, its errors, and one conversion."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from ssd.__main__ import main
from ssd.engine.checkpoint import load_checkpoint

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
    [(["--help"], "convert"), (["convert", "--help"], "OUT.safetensors")],
)
def test_help_says_what_there_is_without_importing_what_it_needs(arguments: list[str], said: str) -> None:
    done = run(*arguments)
    assert done.returncode == 0
    assert said in done.stdout
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "argparse" in imported
    assert not imported & {"mindspore", "numpy"}


@pytest.mark.parametrize("arguments", [[], ["paint"], ["convert"], ["convert", "a.pth"]])
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
