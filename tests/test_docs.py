"""What the pages in docs/ name is there."""

import ast
import json
import re
import shlex
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, get_type_hints

import pytest
import yaml

from ssd.config import Params, from_tree

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "ssd"
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
OUTPUTS = ("work/", *(out for stage in STAGES.values() for out in stage["outs"]))
FILE = r"[\w.-]+\.(?:csv|json|lock|mindrecord|npy|onnx|py|safetensors|toml|yaml)"
ABROAD = {"nn", "np", "ops"}  # MindSpore's and NumPy's own
DOTTED = r"[a-z]\w*(?:\.\w+)+"


def test_every_test_that_the_page_on_reliability_names_exists():
    text = (ROOT / "docs/reliability.md").read_text(encoding="utf-8")
    named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", text)
    assert len(named) > 30
    files = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")}
    assert [each for each in named if f"def {each[1]}(" not in files[each[0]]] == []


def examples(page: str) -> list[str]:
    """The pieces of Python of a page."""
    return re.findall(r"^```python\n(.*?)^```$", (ROOT / page).read_text(encoding="utf-8"), re.M | re.S)


@pytest.mark.parametrize("page", ["docs/export.md"])
def test_examples_are_python(page):
    assert examples(page)
    for number, example in enumerate(examples(page)):
        compile(example, f"{page}[{number}]", "exec")


@cache
def code() -> str:
    """All code of the package and the stages."""
    return "\n".join(
        path.read_text(encoding="utf-8") for path in [*SOURCE.rglob("*.py"), *ROOT.glob("stages/*.py")]
    )


@cache
def told() -> str:
    """All that the code can say, with … for what it fills in."""
    lines = []
    for node in ast.walk(ast.parse(code())):
        if isinstance(node, ast.JoinedStr):
            parts = (each.value if isinstance(each, ast.Constant) else "…" for each in node.values)
            lines.append("".join(map(str, parts)))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            lines.append(re.sub(r"%[.\d]*[dfgs]", "…", node.value))
    return "\n".join(lines)


def can_be_told(sentence: str) -> bool:
    return all(piece in told() for piece in re.split(r"…|[:;] ", sentence))


def kind_of(parameter: str) -> Any:
    """The type of `train.epochs` and the like, None if there is no such parameter."""
    kind: Any = Params
    for name in parameter.split("."):
        kind = (
            get_type_hints(kind, include_extras=True).get(name)
            if hasattr(kind, "__dataclass_fields__")
            else None
        )
    return kind


def takes(parameter: str, value: Any) -> bool:
    try:
        from_tree(kind_of(parameter), value, parameter)
    except (KeyError, ValueError):  # KeyError: no such parameter
        return False
    return True


def is_metric(name: str) -> bool:
    tree = json.loads((ROOT / "metrics/anchors.json").read_text())
    for key in name.split("."):
        tree = tree.get(key) if isinstance(tree, dict) else None
    return tree is not None


def is_defined(file: str, name: str) -> bool:
    """Whether a file of the tests, or of the package from src/ssd on, defines a name."""
    found = list((ROOT / "tests").rglob(file)) if file.startswith("test_") else [SOURCE / file]
    return any(
        path.is_file() and re.search(rf"^ *(def|class) {name}\b", path.read_text(), re.M) for path in found
    )


def exists(path: str) -> bool:
    return (ROOT / path).exists() or path.startswith(OUTPUTS) or f"{path}/".startswith(OUTPUTS)


def runs(command: str) -> bool:
    """Whether what a command names is there: modules, files, stages, targets, parameters, subcommands, options."""
    words = shlex.split(command, comments=True)
    overrides = [word.split("=")[0] for before, word in pairwise(words) if before == "-S"]
    if not all(map(kind_of, overrides)):
        return False
    match words:
        case ["python", "-m", "pytest", *rest] | ["cp", *rest]:
            return all(exists(word) for word in rest if "/" in word)
        case ["python", "-m", module, *options]:
            path = ROOT / f"{module.replace('.', '/')}.py"
            return path.is_file() and all(word in code() for word in options if word.startswith("-"))
        case ["python", "-c", source]:
            return bool(compile(source, "", "exec"))
        case ["python", path, *_]:
            return exists(path)
        case ["make", target]:
            return f"\n{target}:" in (ROOT / "Makefile").read_text()
        case ["dvc", "repro" | "commit", *rest]:
            return all(word in STAGES for word in rest if not word.startswith("-"))
        case ["ssd", name, *rest]:
            return exists(f"src/ssd/commands/{name}.py") and all(
                word in code() for word in rest if word[0] == "-"
            )
        case ["pip", "install", "."]:
            return exists("pyproject.toml")
        case ["pip", "install", "-e", extra]:
            return f"\n{extra[2:-1]} = [" in (ROOT / "pyproject.toml").read_text()
        case ["uv", *_]:
            return command in (ROOT / "requirements.lock").read_text()[:400]
    return words[0] in ("dvc", "git", "rm", "-S")


def is_there(span: str) -> bool:
    """Whether what stands between two backticks is in the project, as far as it is of a form that is known here."""
    if named := re.fullmatch(r"([\w/]+\.py)::(\w+)", span):
        return is_defined(*named.groups())
    if re.fullmatch(rf"test_{FILE}", span):
        return bool(list((ROOT / "tests").rglob(span)))
    if re.fullmatch(FILE, span):
        return exists(span) or span in code()
    if re.fullmatch(r"[\w.-]+/[\w./-]*", span):
        return exists(span)
    if value := re.fullmatch(rf"({DOTTED}): (.+)", span):
        return takes(value[1], yaml.safe_load(value[2]))
    if re.fullmatch(DOTTED, span):
        return span.split(".")[0] in ABROAD or kind_of(span) is not None or is_metric(span)
    if re.match(r"(python|make|dvc|ssd|pip|-S) ", span):
        return can_be_told(span) or runs(span)
    if re.search(r"[=<>]=\d", span):
        return span in (ROOT / "pyproject.toml").read_text()
    if " " not in span or span.split(".")[0] in ABROAD:
        return True
    return can_be_told(span) or span in code() or all(map(runs, span.split(" && ")))


def named_in(text: str) -> Iterator[tuple[str, bool]]:
    """What a page names, and whether it is there."""
    for kind, block in re.findall(r"^ *```(\w+)\n(.*?)^ *```$", text, re.M | re.S):
        for line in map(str.strip, block.splitlines()):
            if kind == "text":
                yield line, can_be_told(line)
            elif kind == "console" and line.startswith("$ "):
                yield line, all(map(runs, line[2:].split(" && ")))
    outside = re.sub(r"^ *```.*?^ *```$", "", text, flags=re.M | re.S)
    for span in re.findall(r"(?<!`)`([^`\n]+)`", outside):
        yield span, is_there(span)
    for link in re.findall(r"\]\(([^)#:]+)\)", outside):
        yield link, (ROOT / "docs" / link).exists()


@pytest.mark.parametrize(
    ("page", "fewest"),
    [("choosing", 30), ("experiments", 15), ("troubleshooting", 30), ("tutorial", 30), ("versions", 30)],
)
def test_all_that_a_page_names_is_there(page, fewest):
    named = list(named_in((ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")))
    assert len(named) > fewest
    assert [each for each, there in named if not there] == []


@pytest.mark.parametrize(
    "text",
    [
        "`train.lr_maximum`",
        "`train.lr_maximum: 3`",
        "`loss.kind: hinge`",
        "`coverage.tiny`",
        "`src/ssd/model/resnet.py`",
        "`model/loss.py::DiceLoss`",
        "`test_loss.py::test_nothing`",
        "`python -m stages.predict`",
        "`dvc exp run -S train.lr=1`",
        "`dvc repro predict`",
        "`numpy>=3.0`",
        "[page](nowhere.md)",
        "```text\n…: expected a cat, got …\n```",
        "```console\n$ make coffee\n```",
    ],
)
def test_what_is_not_there_is_found(text):
    assert [there for _, there in named_in(text)] == [False]
