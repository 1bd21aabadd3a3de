"""Candidate families of tasks: a program that makes instances of a problem, and verifies answers.

A family is one Python file:

    CATEGORY = "number theory"

    def generate(seed, level):   # -> {"statement": TEXT, "reference": TEXT, "data": anything in JSON}
    def verify(data, answer):    # -> True or False, from the data alone

``level`` 1, 2, ... raises the difficulty. The code is run in the sandbox alone, whoever wrote it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import LemmataError

SCRIPTED = "scripted"
SEEDS = Path(__file__).parent / "families"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A family. ``origin``: the model that wrote it, or ``scripted``."""

    name: str
    code: str
    origin: str


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance of a family at a level: its statement, a reference answer, and what ``verify`` needs."""

    seed: int
    level: int
    statement: str
    reference: str
    data: Any


def read_candidates(folder: Path) -> list[Candidate]:
    """The scripted families of a folder, by name. Raises LemmataError where it holds none or cannot be read."""
    try:
        paths = sorted(folder.glob("*.py"))
        found = [Candidate(path.stem, path.read_text(encoding="utf-8"), SCRIPTED) for path in paths]
    except (OSError, ValueError) as error:
        raise LemmataError(f"families={folder}: cannot be read: {error}") from error
    if not found:
        raise LemmataError(f"families={folder} holds no family, a file NAME.py with generate and verify")
    return found


def read_instances(value: object, seeds: Sequence[int], level: int) -> list[Instance]:
    """Instances from what a sandbox printed. Raises ValueError where they do not have the form."""
    if not isinstance(value, list) or len(value) != len(seeds):
        raise ValueError("generate gives no dictionary")
    return [_instance(one, seed, level) for one, seed in zip(value, seeds, strict=True)]


def _instance(one: object, seed: int, level: int) -> Instance:
    if not isinstance(one, Mapping) or set(one) != {"statement", "reference", "data"}:
        raise ValueError("generate must give a dictionary of statement, reference and data")
    statement, reference = one["statement"], one["reference"]
    if not isinstance(statement, str) or not isinstance(reference, str) or not statement.strip() or not reference:
        raise ValueError("statement and reference must be texts that are not empty")
    return Instance(seed, level, statement.strip(), reference, one["data"])
