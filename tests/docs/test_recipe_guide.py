"""Every command of the guide to the recipe runs, in the order of the page: steps of `lemmata cotrain` do no work."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from rl.recipe.context import RecipeContext
from tests.command import CommandLine

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "guides" / "recipe.md"
PREFIX = re.compile(r"^(?:timeout (?:--\S+ )*\d+ )?(?=lemmata |python -m )")
RUN = "runs/laptop"
PROBLEM = "Prove or refute: x^2 - 2x + 3 > 0 for all real x."


def commands() -> list[list[str]]:
    """The words of each command in the page's blocks, without comments."""
    found = []
    for line in GUIDE.read_text(encoding="utf-8").splitlines():
        text = line.strip()
        if line.startswith("    ") and PREFIX.match(text):
            found.append(shlex.split(PREFIX.sub("", text), comments=True))
    return found


def do_nothing(context: RecipeContext, step: Any, *_: object) -> bool:
    """A step that only leaves the models that later commands of the page name."""
    if step.name in ("base", "2-generator"):
        shutil.copytree(ROOT / "model" / "shipped", context.model(step.name))
    return True


@pytest.mark.slow
def test_every_command_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    lemmata = CommandLine(tmp_path, capsys)
    monkeypatch.setattr("rl.recipe.run.run_step", do_nothing)
    kinds = set()
    for words in commands():
        named = [re.sub(r"\bRUN\b", RUN, word) for word in words]
        arguments = [word.replace("problem=...", f"problem={PROBLEM}") for word in named]
        if arguments[0] == "python":
            assert arguments[:3] == ["python", "-m", "benchmarks.recipe_cost"]
            done = subprocess.run(
                [sys.executable, *arguments[1:]], cwd=ROOT, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr
            assert done.stdout.splitlines()[-1].startswith("all ")
        else:
            lemmata.ok(*arguments[1:])
        kinds.add(" ".join(arguments[:2]))
    assert kinds >= {"lemmata cotrain", "lemmata report", "lemmata refine", "python -m"}
