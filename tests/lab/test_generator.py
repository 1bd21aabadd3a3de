"""Theorems are determined by their coordinates, in every process, and the splits are disjoint."""

import subprocess
import sys
from collections import Counter
from random import Random

import pytest

from lab import HELD_OUT_LEVEL, LEVELS, SPLITS, families, generate
from lab.expressions import render
from lab.families import FAMILIES
from lab.generator import split_of
from lab.statements import read_statement
from lab.theorem import Proposition, Theorem

LOW = (1, 2, 3)
TRAINED = [level for level in LEVELS if level != HELD_OUT_LEVEL]


@pytest.mark.parametrize("family", families())
def test_the_same_coordinates_give_the_same_theorem(family: str) -> None:
    for level in TRAINED:
        assert generate(family, level, 7, "train") == generate(family, level, 7, "train")


def test_another_process_draws_the_same() -> None:
    code = "from lab import *; print([generate(f, 2, 3, 'test').id for f in families()])"
    done = [
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": s}
        )
        for s in ("1", "2")
    ]
    assert done[0].stdout == done[1].stdout == f"{[generate(f, 2, 3, 'test').id for f in families()]}\n"


@pytest.mark.parametrize("family", families())
def test_the_streams_are_disjoint(family: str) -> None:
    for level in (TRAINED[0], TRAINED[1]):
        streams = [{_asked(generate(family, level, seed, split)) for seed in range(25)} for split in SPLITS]
        assert not streams[0] & streams[1]
        assert not streams[0] & streams[2]
        assert not streams[1] & streams[2]


def _asked(theorem: Theorem) -> str:
    """Subject of a theorem, whatever it claims: its left side, and the sequence in it."""
    definition, _, _ = theorem.statement.partition("Prove or refute")
    return f"{definition}{theorem.claim.left}"


@pytest.mark.slow
@pytest.mark.parametrize("family", ["inequalities", "equations", "identities"])
def test_left_sides_are_many_and_belong_to_one_level(family: str) -> None:
    drawn = {level: [render(FAMILIES[family](Random(seed), level).claim.left) for seed in range(4000)] for level in LOW}
    for level, sides in drawn.items():
        assert _at_least(sides) > 10_000, (level, len(set(sides)))
        assert not any(set(sides) & set(others) for other, others in drawn.items() if other != level)


def _at_least(sides: list[str]) -> float:
    """Chao's lower bound of the number of classes that draws come from (Chao 1984)."""
    times = Counter(Counter(sides).values())
    return len(set(sides)) + times[1] * (times[1] - 1) / (2 * (times[2] + 1))


def test_the_splits_of_a_left_side_are_those_of_all_claims_about_it() -> None:
    claims = ("x^2 + 4x + 1 + 6 >= 1", "x^2 + 4x + 1 + 6 > 9", "x^2 + 4x + 1 + 6 >= -2")
    stated = [read_statement(f"Prove or refute: {claim} for all real x.") for claim in claims]
    assert len({split_of(one) for one in stated if isinstance(one, Proposition)}) == 1
    assert {one.left_side for one in stated if isinstance(one, Proposition)} == {"x^2 + 4x + 1 + 6"}


@pytest.mark.parametrize("family", families())
def test_a_level_has_many_theorems_true_and_false(family: str) -> None:
    for level in (LEVELS[0], HELD_OUT_LEVEL):
        drawn = [generate(family, level, seed, "validation") for seed in range(40)]
        assert len({theorem.statement for theorem in drawn}) > 20
        assert 0.4 < sum(theorem.truth for theorem in drawn) / 40 < 0.9


def test_the_held_out_level_has_no_training_stream() -> None:
    with pytest.raises(ValueError, match="generalization"):
        generate("identities", HELD_OUT_LEVEL, 0, "train")


@pytest.mark.parametrize(
    ("family", "level", "split"), [("none", 1, "train"), ("identities", 9, "test"), ("identities", 1, "x")]
)
def test_unknown_coordinates_are_errors(family: str, level: int, split: str) -> None:
    with pytest.raises(ValueError, match="no "):
        generate(family, level, 0, split)
