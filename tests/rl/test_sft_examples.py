"""Worked examples on a model's own proofs and analyses: right answers, by the rewards of their roles."""

from dataclasses import replace

import pytest

pytest.importorskip("torch")

from core.sections import split_proof
from lab.items import Stream
from lab.prompts import templates
from lab.reviews import write_review
from meta_verifier.reward import meta_verifier_reward
from prover.reward import prover_reward
from rl.recipe import sft_examples
from rl.tasks.lab import case_of
from rl.tasks.roles import exact_score
from verifier.reward import verifier_reward

NUMBERS = range(24)
ANALYZED = [case_of(Stream("review", ("inequalities", "equations"), (1, 2, 3)).item(number)) for number in NUMBERS]
LABELED = [replace(case, analysis="", quality=None) for case in ANALYZED]


def test_examples_on_proofs_are_right_answers() -> None:
    examples, refinements = iter(sft_examples.on_proofs(LABELED, templates())), set[bool]()
    for case in LABELED:
        scored, evaluated = next(examples), next(examples)
        assert case.label is not None
        assert scored.prompt == templates().verification(case.statement, case.proof)
        assert verifier_reward(scored.answer, case.label, quoted=case.proof).total == 1.0
        assert evaluated.prompt == templates().proof(case.statement)
        written = evaluated.given + evaluated.answer
        assert split_proof(written).body == split_proof(evaluated.given + "\n\n## Self Evaluation\n\n-").body
        parts = prover_reward(written, case.label).parts
        assert (parts["format"], parts["self_score"]) == (1.0, 1.0)
        if case.label < 1:
            refinement = next(examples)
            assert case.proof in refinement.prompt
            assert scored.answer in refinement.prompt
            assert exact_score(case, split_proof(refinement.answer).body) == 1.0
            refined = next(examples)
            assert refined.prompt == refinement.prompt
            truth = exact_score(case, split_proof(refined.given + refined.answer).body)
            assert truth is not None
            assert prover_reward(refined.given + refined.answer, truth).parts["self_score"] == 1.0
            refinements.add(truth == 1)
    assert list(examples) == []
    assert refinements == {True, False}
    assert {case.label for case in LABELED} == {0.0, 0.5, 1.0}


def test_examples_on_analyses_are_right_ratings() -> None:
    examples = list(sft_examples.on_analyses(ANALYZED, templates()))
    assert len(examples) == len(ANALYZED)
    for case, example in zip(ANALYZED, examples, strict=True):
        assert case.theorem is not None
        assert case.quality is not None
        assert case.analysis in example.prompt
        assert example.answer == write_review(case.theorem, case.proof, case.analysis, seed=ANALYZED.index(case))
        assert meta_verifier_reward(example.answer, case.quality, quoted=f"{case.proof}\n{case.analysis}").total == 1.0
    assert len({case.quality for case in ANALYZED}) == 3
