"""The tutorials and other pages with commands, block by block as a reader runs them, and the README's output."""

from pathlib import Path

import pytest

from docs.scripts import readme
from docs.scripts.tutorials import PAGES, CodeBlock, TutorialError, blocks, environment, run_block, run_page, script

pytest.importorskip("torch")


@pytest.mark.slow
@pytest.mark.parametrize("name", list(PAGES))
def test_every_block_runs(name: str) -> None:
    run_page(PAGES[name])


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
