"""Layer test: imports point down, the loop against a server needs no torch, files and functions stay short."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# From the bottom. A package imports those of lower rows alone; docs/reference/architecture.md shows the same rows.
LAYERS = [
    {"core"},
    {"kernels"},
    {"model"},
    {"policy"},
    {"tools"},
    {"serving"},
    {"prover", "verifier", "meta_verifier"},
    {"lab"},
    {"refine"},
    {"rl"},
    {"evaluation"},
    {"explorer"},
    {"lemmata"},
]
LEVEL = {package: level for level, layer in enumerate(LAYERS) for package in layer}
BESIDE = ("tests", "benchmarks")  # packages of the checkout that no wheel holds
HEAVY = {"torch", "triton", "transformers", "vllm", "streamlit", "ray"}
MAX_FILE, MAX_FUNCTION = 400, 60  # lines
OPENING = re.compile(r"(?:What|Who|Whose|Where|When|Whether|Why|How|Which)\b")


@cache
def sources(*packages: str) -> dict[Path, ast.Module]:
    """Every Python file of the packages with its syntax tree, parsed once in a session."""
    paths = [path for package in packages for path in sorted((ROOT / package).rglob("*.py"))]
    return {path.relative_to(ROOT): ast.parse(path.read_text()) for path in paths}


@cache
def imported(path: Path) -> frozenset[str]:
    """Top-level packages that a module imports, wherever in it."""
    found = set[str]()
    for node in ast.walk(sources(*LEVEL, *BESIDE)[path]):
        if isinstance(node, ast.Import):
            found |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return frozenset(found)


def files(*packages: str) -> Iterator[Path]:
    """The Python files of some packages."""
    return (path for path in sources(*LEVEL, *BESIDE) if path.parts[0] in packages)


def test_every_package_has_a_layer() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert packages == LEVEL.keys() | set(BESIDE)


def test_the_architecture_page_shows_the_layers() -> None:
    page = (ROOT / "docs" / "reference" / "architecture.md").read_text()
    table = page.partition("## Layers\n")[2].partition("Beside the packages")[0]
    rows = [set(re.findall(r"`(\w+)/`", line.split("|")[2])) for line in table.splitlines() if line.count("|") > 3]
    assert [row for row in rows if row][::-1] == LAYERS


def test_imports_point_down() -> None:
    for path in files(*LEVEL):
        own = path.parts[0]
        for package in imported(path) & LEVEL.keys() - {own}:
            assert LEVEL[package] < LEVEL[own], f"{path} imports {package}"


def test_packages_import_nothing_of_what_stands_beside_them() -> None:
    for path in files(*LEVEL):
        assert not imported(path) & set(BESIDE), path
    for path in files("tests"):
        assert "benchmarks" not in imported(path), path


@pytest.mark.parametrize(
    "package",
    ["core", "policy", "tools", "prover", "verifier", "meta_verifier", "refine", "lab", "evaluation", "lemmata"],
)
def test_the_loop_imports_nothing_heavy(package: str) -> None:
    for path in files(package):
        assert not HEAVY & imported(path), path


def test_starting_the_command_line_loads_no_torch() -> None:
    code = "import sys, lemmata.commands.refine; print(sorted({'torch', 'transformers'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_files_and_functions_stay_short() -> None:
    for path, tree in sources(*LEVEL, *BESIDE).items():
        if path.parts[0] not in LEVEL:
            continue
        assert len((ROOT / path).read_text().splitlines()) <= MAX_FILE, path
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert (node.end_lineno or 0) - node.lineno < MAX_FUNCTION, f"{path}: {node.name}"


def test_docstrings_open_with_a_noun_phrase_or_a_verb() -> None:
    """CONTRIBUTING.md, Words."""
    for path, tree in sources(*LEVEL, *BESIDE).items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                text = ast.get_docstring(node) or ""
                assert not OPENING.match(text), f"{path}: {text.splitlines()[0]}"
