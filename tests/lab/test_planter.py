"""Planted proofs: the label is the checker's, the defect is where it was planted, and every kind really occurs."""

import subprocess
import sys
from collections import Counter
from functools import cache
from itertools import islice

import pytest

from lab import LEVELS, Kind, Theorem, check, families, generate
from lab.complaints import END, line_of
from lab.planter import LABELS, OPS, labeled_proof, plant

pytestmark = pytest.mark.slow

# Kinds that a family has no place for.
IMPOSSIBLE = {
    ("identities", Kind.MISSING_CASE),
    ("inequalities", Kind.MISSING_CASE),
    ("equations", Kind.CIRCULAR),
}


@cache
def theorem_of(family: str, level: int, seed: int) -> Theorem:
    """A theorem for all tests."""
    return generate(family, level, seed, "validation")


def drawn(family: str, level: int, count: int = 12) -> list[Theorem]:
    """Some theorems of a family."""
    return [theorem_of(family, level, seed) for seed in range(count)]


@pytest.mark.parametrize("family", families())
def test_labels_are_the_checkers(family: str) -> None:
    for level in LEVELS:
        for seed, theorem in enumerate(drawn(family, level, 6)):
            proof = labeled_proof(theorem, seed)
            assert proof.verdict == check(theorem, proof.text)
            assert proof.label == proof.verdict.score
            assert (proof.planted is None) == (proof.label == 1)


@pytest.mark.parametrize("family", families())
def test_labels_are_balanced(family: str) -> None:
    labels = Counter(
        labeled_proof(theorem, seed).label
        for level in LEVELS[:4]
        for seed, theorem in enumerate(drawn(family, level, 40))
    )
    assert all(0.2 < labels[label] / 160 < 0.48 for label in LABELS), labels


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("family", families())
def test_every_kind_is_produced_where_it_says(family: str, kind: Kind) -> None:
    theorems = (theorem_of(family, level, seed) for seed in range(12) for level in (2, 4))
    planted = (proof for theorem in theorems if (proof := plant(theorem, 1, kind)))
    found = list(islice(planted, 6))
    for proof in found:
        assert proof.label < 1
        assert any(defect.kind is kind for defect in proof.verdict.defects)
    assert bool(found) == ((family, kind) not in IMPOSSIBLE)


def test_every_way_of_planting_is_used() -> None:
    ways = {
        proof.how
        for family in families()
        for kind in Kind
        for seed, theorem in enumerate(drawn(family, 3, 14))
        if (proof := plant(theorem, seed, kind))
    }
    assert ways == {way.__name__.replace("_", " ") for several in OPS.values() for way in several}


def test_a_slip_that_cancels_is_found_and_the_end_is_right() -> None:
    found = [
        (theorem, proof)
        for seed, theorem in enumerate(drawn("identities", 3, 60))
        if (proof := plant(theorem, seed, Kind.INVALID_STEP)) and proof.how == "canceling slip"
    ]
    assert found
    for theorem, proof in found:
        faulty = {line_of(proof.text, defect) for defect in proof.verdict.defects}
        assert END not in faulty
        last = proof.text.split("\n")[-1]
        assert last.split()[-1] == theorem.derivation.split()[-1]


def test_right_proofs_differ_from_the_written_ones() -> None:
    theorems = [theorem for family in families() for theorem in drawn(family, 3, 20)]
    right = [(theorem, labeled_proof(theorem, 0, (0, 0, 1))) for theorem in theorems]
    assert all(proof.label == 1 for _, proof in right)
    assert sum(proof.text != theorem.derivation for theorem, proof in right) > len(right) / 8


def test_another_process_plants_the_same() -> None:
    code = (
        "from lab import *; from lab.planter import labeled_proof; from hashlib import sha256;"
        "print(sha256(repr([labeled_proof(generate(f, 2, s, 'test'), s) for f in families() for s in range(4)])"
        ".encode()).hexdigest())"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
