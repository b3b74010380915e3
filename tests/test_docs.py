"""What the pages in docs/ name is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


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
