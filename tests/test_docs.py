"""Every Python code block of README.md and of the documentation runs.

Blocks of one page share their names, as a reader would run them one after the other.
Blocks for libraries that the tests do not install are marked ``{code-block} python``.
"""

import re
import textwrap
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/*.md")])
FENCE = re.compile(r"^( *)```python\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


def blocks(page):
    """Yield the line before the first line of each block, and its code."""
    text = page.read_text()
    for match in FENCE.finditer(text):
        yield text.count("\n", 0, match.start(2)), textwrap.dedent(match[2])


PAGES_WITH_CODE = [page for page in PAGES if any(blocks(page))]


@pytest.mark.jax
@pytest.mark.parametrize("page", PAGES_WITH_CODE, ids=lambda page: page.name)
@pytest.mark.filterwarnings("ignore:FigureCanvasAgg is non-interactive")
def test_code_blocks_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "__main__"}
    for line, code in blocks(page):
        # Line numbers of errors are those of the page.
        exec(compile("\n" * line + code, page, "exec"), names)
    plt.close("all")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_of_python_is_found(page):
    """A block with another mark, or in a quotation, would not run."""
    text = page.read_text()
    marks = re.findall(r"^[ >]*[`~]{3,} *(py\w*|Python.*)$", text, re.MULTILINE)
    assert marks == ["python"] * len(list(blocks(page)))
