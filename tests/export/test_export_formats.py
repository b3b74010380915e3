import re
import sys
from pathlib import Path

import pytest

from ssd.export.formats import NEEDED, require_ready

ROOT = Path(__file__).resolve().parents[2]


def test_a_name_of_another_format_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^ssd\.bin: expected a name that ends in \.mindir, got '\.bin'$"):
        require_ready(Path("ssd.bin"), "mindir")


@pytest.mark.parametrize("name", NEEDED["onnx"])
def test_a_missing_package_is_one_sentence_that_says_which_extra_has_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in NEEDED["onnx"]:
        monkeypatch.setitem(sys.modules, each, pytest)  # some module: it is there
    monkeypatch.setattr(pytest, "__spec__", object(), raising=False)
    require_ready(Path("ssd.onnx"), "onnx")
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ValueError) as raised:
        require_ready(Path("ssd.onnx"), "onnx")
    assert str(raised.value) == (
        f"export to onnx: expected onnx and onnxruntime, got no {name}: install the extra export, "
        "pip install -e '.[export]'"
    )


def test_mindir_needs_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    for each in NEEDED["onnx"]:
        monkeypatch.setitem(sys.modules, each, None)
    require_ready(Path("models/ssd.mindir"), "mindir")


def test_the_extra_has_what_is_needed_and_the_locked_requirements_have_not() -> None:
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (extra,) = re.findall(r"^export = \[(.*)\]$", pyproject, re.MULTILINE)
    assert re.findall(r'"(\w+)>=', extra) == list(NEEDED["onnx"])
    locked = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert not re.search("^onnx", locked, re.MULTILINE)
