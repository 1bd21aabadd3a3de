"""Imports point down the layer list of the README, and the loop against a server needs no torch."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LAYERS = [
    {"core"},
    {"kernels"},
    {"model"},
    {"policy"},
    {"serving"},
    {"prover", "verifier", "meta_verifier"},
    {"refine"},
    {"lab"},
    {"rl"},
    {"evaluation", "explorer"},
    {"lemmata"},
]
LEVEL = {package: level for level, layer in enumerate(LAYERS) for package in layer}
HEAVY = {"torch", "triton", "transformers", "vllm", "streamlit", "ray"}
LONGEST_FILE = 400
LONGEST_FUNCTION = 60


def sources() -> Iterator[tuple[Path, ast.Module]]:
    """Every Python file of our packages with its syntax tree."""
    for package in LEVEL:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path.relative_to(ROOT), ast.parse(path.read_text())


def imported(tree: ast.Module) -> Iterator[str]:
    """Top-level packages that a module imports, wherever in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name.split(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


def test_every_package_has_a_layer() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert packages == LEVEL.keys() | {"tests", "benchmarks"}


def test_imports_point_down() -> None:
    for path, tree in sources():
        own = path.parts[0]
        for package in imported(tree):
            if package in LEVEL and package != own:
                assert LEVEL[package] < LEVEL[own], f"{path} imports {package}"


@pytest.mark.parametrize(
    "package", ["core", "policy", "prover", "verifier", "meta_verifier", "refine", "lab", "evaluation", "lemmata"]
)
def test_the_loop_imports_nothing_heavy(package: str) -> None:
    for path, tree in sources():
        if path.parts[0] == package:
            assert not HEAVY & set(imported(tree)), path


def test_starting_the_command_line_loads_no_torch() -> None:
    code = "import sys, lemmata.commands.refine; print(sorted({'torch', 'transformers'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_files_and_functions_stay_short() -> None:
    for path, tree in sources():
        assert len((ROOT / path).read_text().splitlines()) <= LONGEST_FILE, path
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert (node.end_lineno or 0) - node.lineno < LONGEST_FUNCTION, f"{path}: {node.name}"
