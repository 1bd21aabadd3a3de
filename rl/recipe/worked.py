"""Worked examples that the roles' own streams do not have: what to do about what a model itself writes.

Worked examples of right proofs show a model none of the mistakes that it goes on to make. It is shown what to do in the
places that it comes to: dataset aggregation (DAgger; Ross, Gordon and Bagnell, 2011, arXiv 1011.0686).
"""

from collections.abc import Iterator, Sequence

from lab.analyses import write_analysis
from lab.answers import write_parts
from lab.reviews import write_review
from proofs.templates import Templates
from rl.task import Example
from rl.tasks.lab import proof_example
from rl.tasks.tables import Case


def on_proofs(cases: Sequence[Case], templates: Templates) -> Iterator[Example]:
    """For each labelled proof its score and its honest self-evaluation, and for an incomplete one a complete proof."""
    for number, case in enumerate(cases):
        theorem = case.theorem
        assert theorem is not None
        analysis = write_analysis(theorem, case.proof, seed=number)
        yield Example(templates.verification(case.statement, case.proof), analysis)
        given, evaluation = write_parts(theorem, case.proof, seed=number)
        yield Example(templates.proof(case.statement), evaluation, given=given)
        if case.label != 1:
            prompt = templates.refinement(case.statement, [(case.proof, [analysis])])
            yield proof_example(prompt, theorem, theorem.derivation, number)


def on_analyses(cases: Sequence[Case], templates: Templates) -> Iterator[Example]:
    """For each analysis its rating."""
    for number, case in enumerate(cases):
        assert case.theorem is not None
        prompt = templates.meta_verification(case.statement, case.proof, case.analysis)
        yield Example(prompt, write_review(case.theorem, case.proof, case.analysis, seed=number))
