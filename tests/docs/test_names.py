"""Names in the documents: paths, modules, settings and commands that they speak of exist, and lines are readable."""

import re
import shlex
from collections.abc import Callable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest
from hydra import compose, initialize_config_module
from hydra.errors import HydraException

from docs.scripts.references import packages
from lemmata.cli import COMMANDS, POSITIONAL, VARIANTS
from lemmata.compose import whole_mappings

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted(path for path in (ROOT / "docs").rglob("*.md") if path.parent.name != "api")]
NAMES = [path.relative_to(ROOT).as_posix() for path in PAGES]
GENERATED = ("docs/reference/architecture.md", "docs/reference/cli.md", "docs/reference/settings.md")
MAX_LINE = 160
FOLDERS = (*packages(), "benchmarks", "docs", "examples", "scripts", "tests")
PATH = re.compile(rf"`((?:{'|'.join(FOLDERS)})/[\w./-]*)`")
MODULE = re.compile(r"python -m ((?:" + "|".join(FOLDERS) + r")[\w.]*)")
COMMAND = re.compile(r"lemmata ((?:" + "|".join(COMMANDS) + r")(?=[ \n`])[^\n`]*)")
PLACEHOLDERS = ("...", "ID", "RUN", "COMMAND")
# British spellings and words of a private dialect; docs/glossary.md has the field's.
UNWANTED = re.compile(
    r"\b(judgement|neighbour|colour|behaviour|labell|stabilis|honour|learnt|factoris|normalis|contestants?"
    r"|worked examples?|of one mind|honesty gap|in work or)",
    re.IGNORECASE,
)


def each_page(function: Callable[[str], None]) -> Callable[[str], None]:
    """The test once per page."""
    return pytest.mark.parametrize("name", NAMES)(function)


@each_page
def test_lines_are_short_and_words_the_fields(name: str) -> None:
    for number, line in enumerate((ROOT / name).read_text().splitlines(), start=1):
        # A report's texts stand in one line each, so that no part of them begins one and is read as Markdown.
        assert len(line) <= MAX_LINE or name.endswith("/report.md"), f"{name}:{number}: {len(line)} characters"
        assert name in GENERATED or not (found := UNWANTED.search(line)), f"{name}:{number}: {found[0]!r}"


@each_page
def test_paths_exist(name: str) -> None:
    for path in PATH.findall((ROOT / name).read_text()):
        assert (ROOT / path).exists(), f"{name}: {path}"


@each_page
def test_modules_exist(name: str) -> None:
    for module in MODULE.findall((ROOT / name).read_text()):
        assert find_spec(module.rstrip(".")), f"{name}: python -m {module}"


@each_page
def test_links_lead_somewhere(name: str) -> None:
    page = ROOT / name
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{name}: {target}"


def command_lines(text: str) -> Iterator[list[str]]:
    """The words of every ``lemmata`` command of a page, comments and what follows a pipe left out."""
    joined = text.replace("\\\n", " ")
    for line in COMMAND.findall(joined):
        code = re.split(r"\s#|\s\||&&|;|\s->|\)\s*$", line)[0]
        try:
            words = shlex.split(code.rstrip(".,:)"))
        except ValueError:  # a sentence with an apostrophe
            continue
        yield words


@cache
def composes(command: str, overrides: tuple[str, ...]) -> str:
    """Empty if the settings of a command take these overrides, else the reason why not."""
    try:
        with initialize_config_module("lemmata.conf", version_base="1.3"):
            compose(command, whole_mappings(overrides))
    except HydraException as error:
        return str(error).split("\n")[0]
    return ""


@pytest.mark.slow
@each_page
def test_settings_exist(name: str) -> None:
    if name in GENERATED or name.endswith("report.md"):
        return  # written from the code, or by it
    for words in command_lines((ROOT / name).read_text()):
        if words[0] in POSITIONAL:
            continue
        command = "_".join(words[:2]).replace("-", "_") if tuple(words[:2]) in VARIANTS else words[0]
        overrides = [word for word in words if "=" in word and not word.startswith(("problem=", "-"))]
        reason = composes(command, tuple(word for word in overrides if word.split("=")[1] not in PLACEHOLDERS))
        assert not reason, f"{name}: lemmata {' '.join(words)}: {reason}"
