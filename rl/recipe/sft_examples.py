"""Worked examples that the roles' own streams do not have: what to do about what a model itself writes.

Worked examples of right proofs show a model none of the mistakes that it goes on to make. It is shown what to do in the
places that it comes to: dataset aggregation (DAgger; Ross, Gordon and Bagnell, 2011, arXiv 1011.0686).
"""

from collections.abc import Iterator, Sequence

from core.templates import Templates
from lab.analyses import write_analysis
from lab.drills import drill
from lab.reviews import write_review
from rl.task import Example
from rl.tasks.lab import evaluation_example, proof_example
from rl.tasks.tables import Case


def on_proofs(cases: Sequence[Case], templates: Templates) -> Iterator[Example]:
    """For each labeled proof its score and its honest self-evaluation; for an incomplete one what to do with it, too.

    That is a complete proof, and the evaluation of what refinement may have made of it.
    """
    for number, case in enumerate(cases):
        theorem = case.theorem
        assert theorem is not None
        analysis = write_analysis(theorem, case.proof, seed=number)
        yield Example(templates.verification(case.statement, case.proof), analysis)
        yield evaluation_example(templates.proof(case.statement), theorem, case.proof, number)
        if case.label != 1:
            prompt = templates.refinement(case.statement, [(case.proof, [analysis])])
            yield proof_example(prompt, theorem, theorem.derivation, number)
            yield evaluation_example(prompt, theorem, drill(theorem, number).proof, number)


def on_analyses(cases: Sequence[Case], templates: Templates) -> Iterator[Example]:
    """For each analysis its rating."""
    for number, case in enumerate(cases):
        assert case.theorem is not None
        prompt = templates.meta_verification(case.statement, case.proof, case.analysis)
        yield Example(prompt, write_review(case.theorem, case.proof, case.analysis, seed=number))
