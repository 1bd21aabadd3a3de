"""Bogus proofs in fluent words: hidden assumptions, wrong quantifiers, strange characters, false remarks."""

from pathlib import Path

import pytest
import yaml

from lab.checker import check, internal_errors
from lab.generator import families, generate
from lab.rewording import reworded_shape
from lab.statements import read_statement
from lab.theorem import Proposition

_HERE = Path(__file__).parent
BOGUS = yaml.safe_load((_HERE / "bogus.yaml").read_text(encoding="utf-8"))
FALSEHOODS = yaml.safe_load((_HERE / "falsehoods.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("text", BOGUS, ids=lambda text: text["kind"])
def test_a_fluent_bogus_proof_scores_0(text: dict[str, str]) -> None:
    proposition = read_statement(text["statement"])
    assert isinstance(proposition, Proposition)
    before = internal_errors.total()
    assert check(proposition, text["proof"]).score == 0
    assert internal_errors.total() == before


@pytest.mark.parametrize("family", families())
def test_a_falsehood_in_a_right_proof_takes_its_score(family: str) -> None:
    for seed in (8_600_001, 8_600_004):
        theorem = generate(family, 2, seed, "train")
        lines = theorem.derivation.split("\n")
        assert check(theorem, theorem.derivation).score == 1
        for falsehood in FALSEHOODS:
            for at in (0, len(lines) - 1):
                text = "\n".join([*lines[:at], falsehood, *lines[at:]])
                assert check(theorem, text).score == 0, f"{theorem.statement}\n{text}"


@pytest.mark.parametrize(
    ("shape", "found"),
    [
        ("the desired identity is proved", "the claim is true"),
        ("this is not an identity", "the claim is false"),
        ("the formula works for @ but it fails for @", "the claim holds for @ but the claim fails for @"),
        ("assuming that the result holds for $ , we get #", "suppose the claim for $ ; we get #"),
        ("hence the claim is not true", "hence the claim is false"),
    ],
)
def test_wordings_become_those_of_the_grammar(shape: str, found: str) -> None:
    assert reworded_shape(shape) == found


@pytest.mark.parametrize("word", ["never", "not", "hardly", "perhaps", "only", "except", "unless", "almost"])
def test_no_rule_drops_a_qualifying_word(word: str) -> None:
    """A verdict with such a word does not become the plain one."""
    for verdict in ("the claim is {} true", "{} the claim is true", "the claim is true {}", "the formula {} holds"):
        assert reworded_shape(verdict.format(word)) != "the claim is true"
