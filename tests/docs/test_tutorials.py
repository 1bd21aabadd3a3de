"""The runner of the tutorials' commands, and the README's output; `make docs-check` runs every page itself."""

from pathlib import Path

import pytest

from docs.scripts import readme
from docs.scripts.tutorials import PAGES, CodeBlock, TutorialError, blocks, environment, run_block, run_page, script

pytest.importorskip("torch")


SMALL_PAGE = """\
<!-- check: prints lemmata -->
```sh
lemmata --version
```

<!-- check: prints /v1 -->
```python
import os
print("http://localhost:8000/v1", os.listdir("examples"))
```
"""


@pytest.mark.slow
def test_a_page_runs_block_by_block(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(SMALL_PAGE)
    run_page(page)
    page.write_text(SMALL_PAGE.replace("prints /v1", "prints localhost:8000"))  # the address is the fake server's
    with pytest.raises(TutorialError, match=r"line 7: the output lacks 'localhost:8000'"):
        run_page(page)


def test_every_page_has_blocks_that_run() -> None:
    for name, page in PAGES.items():
        assert any(block.skipped is None for block in blocks(page.read_text())), name


@pytest.mark.slow
def test_the_output_in_the_readme_is_that_of_the_command() -> None:
    text = readme.README.read_text()
    assert readme.with_block(text, readme.block()) == text, "run python -m docs.scripts.readme"


PAGE = """\
# T

<!-- check: with a=1 b=2 -->
<!-- check: prints done -->
```sh
cd x
lemmata refine \\
    c=3
lemmata show runs/x
```

<!-- check: skip, no browser -->
```sh
lemmata explore
```

```text
not run
```

```python
print("http://localhost:8000/v1")
```
"""


def test_blocks_and_their_comments_are_read() -> None:
    first, second, third = blocks(PAGE)
    assert (first.line, first.language, first.settings, first.prints) == (5, "sh", ["a=1", "b=2"], ["done"])
    assert script(first, "http://s").splitlines() == [
        "cd x",
        "lemmata refine      c=3 'a=1' 'b=2'",
        "lemmata show runs/x",
    ]
    assert second.skipped == "no browser"
    assert script(third, "http://s/v1") == 'print("http://s/v1")\n'


def test_an_unknown_comment_is_an_error() -> None:
    with pytest.raises(TutorialError, match="sleep"):
        list(blocks("<!-- check: sleep 3 -->\n```sh\nls\n```\n"))


def test_a_block_that_fails_or_lacks_its_output_is_an_error(tmp_path: Path) -> None:
    variables = environment(tmp_path)
    with pytest.raises(TutorialError, match="exit code 3"):
        run_block(CodeBlock(1, "sh", "exit 3\n"), "", tmp_path, variables)
    with pytest.raises(TutorialError, match="lacks 'b'"):
        run_block(CodeBlock(1, "sh", "echo a\n", prints=["b"]), "", tmp_path, variables)
