"""SFT examples on a model's own proofs and analyses: the right judgment of them, and the refinement of faulty ones.

Examples of right proofs show a model none of its own mistakes. Here the prompts hold its own outputs, and the answers
are right: dataset aggregation (DAgger; Ross, Gordon and Bagnell, 2011, arXiv 1011.0686).
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
    """For each labeled proof its analysis and its right self-evaluation; for an incomplete one also its refinement:
    a complete proof, and the right self-evaluation of a proof that refinement may have led to.
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
    """For each analysis its right review."""
    for number, case in enumerate(cases):
        assert case.theorem is not None
        prompt = templates.meta_verification(case.statement, case.proof, case.analysis)
        yield Example(prompt, write_review(case.theorem, case.proof, case.analysis, seed=number))
