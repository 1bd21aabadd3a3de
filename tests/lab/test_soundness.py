"""Nothing false gets a point: mutated, mixed and random texts against an independent algebra."""

import re
from random import Random

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from lab import LEVELS, check, families, generate
from lab.claims import Claim, Solutions
from lab.language import read
from lab.moves import Move, interpret
from lab.theorem import Theorem
from tests.lab.independent import all_true, holds, solutions, value

NUMBER = re.compile(r"\d+")
UNIVERSAL = [family for family in families() if family != "equations"]


def drawn(family: str, count: int) -> list[Theorem]:
    """Theorems of the training levels."""
    return [generate(family, 1 + seed % 4, 1000 + seed, "test") for seed in range(count)]


def mutated(rng: Random, text: str) -> str:
    """The text with one number changed by a little."""
    places = list(NUMBER.finditer(text))
    place = rng.choice(places)
    changed = max(1, int(place[0]) + rng.choice((-2, -1, 1, 2, 3)))
    return text[: place.start()] + str(changed) + text[place.end() :]


@pytest.mark.parametrize("family", UNIVERSAL)
def test_a_mutation_that_makes_a_relation_false_scores_0(family: str) -> None:
    rng = Random(family)
    false = 0
    for theorem in drawn(family, 24):
        for _ in range(4):
            text = mutated(rng, theorem.derivation)
            score = check(theorem, text).score
            if not all_true(theorem, text):
                false += 1
                assert score == 0, text
    assert false > 40


def test_a_mutated_equation_with_other_solutions_scores_0() -> None:
    rng = Random(5)
    false = 0
    for theorem in drawn("equations", 30):
        assert isinstance(theorem.claim, Solutions)
        actual = {sympy.Rational(str(root)) for root in theorem.claim.actual}
        for _ in range(4):
            text = mutated(rng, theorem.derivation)
            readings = [interpret(sentence) for sentence in read(text)]
            states = [
                reading.body
                for reading in readings
                if reading and reading.move in {Move.RELATE, Move.ALTERNATIVES}
                if all(chain.relations == ("=",) for chain in reading.body)
            ]
            identities = [all(holds(value(c.terms[0]) - value(c.terms[1]), "=", 0) for c in state) for state in states]
            wrong = [
                state
                for state, identity in zip(states, identities, strict=True)
                if not identity and solutions(state) != actual
            ]
            if wrong:
                false += 1
                assert check(theorem, text).score == 0, text
    assert false > 20


@pytest.mark.parametrize("family", families())
def test_a_verdict_against_the_truth_scores_0(family: str) -> None:
    for theorem in drawn(family, 20):
        turned = theorem.derivation.replace("claim is true", "claim is FALSE").replace(
            "claim is false", "claim is true"
        )
        assert check(theorem, turned).score == 0


@pytest.mark.parametrize("family", families())
def test_sentences_of_other_proofs_prove_nothing_false(family: str) -> None:
    rng = Random(family)
    theorems = drawn(family, 16)
    pool = [line for theorem in theorems for line in theorem.derivation.splitlines()]
    for theorem in theorems:
        own = theorem.derivation.splitlines()
        for _ in range(6):
            chosen = rng.sample(own, rng.randint(1, len(own))) + rng.sample(pool, rng.randint(0, 3))
            rng.shuffle(chosen)
            text = "\n".join(chosen)
            if check(theorem, text).score > 0:
                assert ("true" if theorem.truth else "false") in text or "claim" not in text
                assert all_true(theorem, text), text


@pytest.mark.parametrize("family", families())
@pytest.mark.parametrize("level", LEVELS)
def test_the_truth_of_the_theorems_is_sympys(family: str, level: int) -> None:
    for seed in range(3):
        theorem = generate(family, level, seed, "validation")
        claim = theorem.claim
        if isinstance(claim, Claim):
            difference = value(claim.left, claim.sequence) - value(claim.right, claim.sequence)
            assert holds(difference, claim.relation, claim.modulus) == theorem.truth, theorem.statement
        else:
            x = sympy.Symbol("x")
            polynomial = sympy.Poly(value(claim.left) - value(claim.right), x)
            claimed = {sympy.Rational(str(root)) for root in claim.claimed}
            assert (set(sympy.real_roots(polynomial)) == claimed) == theorem.truth, theorem.statement


THEOREMS = [theorem for family in families() for theorem in drawn(family, 6)]
PIECES = [piece for theorem in THEOREMS for piece in re.findall(r"\w+|[^\w\s]|\s", theorem.derivation)]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(THEOREMS), st.lists(st.sampled_from(PIECES), max_size=60), st.text(max_size=20))
def test_any_text_gets_a_verdict(theorem: Theorem, pieces: list[str], junk: str) -> None:
    for text in ("".join(pieces), " ".join(pieces) + junk, junk):
        verdict = check(theorem, text)
        assert verdict.score in {0.0, 0.5, 1.0}
        assert (verdict.score == 1.0) == (not verdict.defects)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(THEOREMS), st.integers(0, 10**6), st.data())
def test_cut_and_doubled_proofs_prove_nothing_false(theorem: Theorem, seed: int, data: st.DataObject) -> None:
    text = theorem.derivation
    start, end = sorted(data.draw(st.tuples(st.integers(0, len(text)), st.integers(0, len(text)))))
    changed = Random(seed).choice((text[:start] + text[end:], text[:end] + text[start:]))
    if check(theorem, changed).score > 0 and isinstance(theorem.claim, Claim):
        assert all_true(theorem, changed)
