"""The command that synthesizes tasks: a model writes and solves families, the sandbox examines them."""

from pathlib import Path
from typing import Any

import pytest

from core.errors import LemmataError
from tests.command import CommandLine, serving
from tests.fake_server import FakeServer, Reply, completion, json_reply
from tests.tools import sandboxes
from tests.tools.test_synthesis import GOOD
from tools.synthesis.candidate import read_candidates
from tools.synthesis.package import CARD


async def writing(body: Any, server: FakeServer) -> Reply:
    """A model that writes `GOOD`, and solves nothing."""
    is_writer = "def generate" in body["messages"][0]["content"]
    text = f"Here it is.\n```python\n{GOOD}\n```" if is_writer else "It is \\boxed{1000000}."
    return json_reply(completion(body, [text] * body.get("n", 1)))


@pytest.mark.slow
def test_a_model_writes_a_family_and_the_sandbox_examines_it(lemmata: CommandLine, tmp_path: Path) -> None:
    sandboxes.require()
    out = tmp_path / "package"
    small = ("families=null", "write=1", "funnel.seeds=6", "guesses=15", "interpreter.kernels=1", f"out={out}")
    with serving(writing) as served:
        output = lemmata.ok("synthesize", *small, *served.policy()).everything
        assert "1 in band" in output
        assert "| model-x |" in (out / CARD).read_text()  # written by this model
        solved = lemmata.ok("synthesize", *small, "solver=model", "samples=1", *served.policy()).everything
    assert "too hard" in solved
    assert "0 tasks" in solved


def test_nothing_to_examine_is_an_error(lemmata: CommandLine, tmp_path: Path) -> None:
    assert "write=NUMBER" in lemmata.fails("synthesize", "families=null", f"out={tmp_path}")
    with pytest.raises(LemmataError, match="holds no family"):
        read_candidates(tmp_path)
