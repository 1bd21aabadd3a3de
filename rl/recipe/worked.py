"""Worked examples that the roles' own streams do not have: sums alone, and what to do about what a model itself writes.

In derivations a small model does not learn to add or to compare: the few numbers are lost among the rest. Alone, it
knows the same sums after some thousand examples, and keeps them if it has learnt the form of all answers before.

Worked examples of right proofs show a model none of the mistakes that it goes on to make. It is shown what to do in the
places that it comes to: dataset aggregation (DAgger; Ross, Gordon and Bagnell, 2011, arXiv 1011.0686).
"""

import re
from collections.abc import Iterator, Sequence

from lab.analyses import write_analysis
from lab.answers import write_parts
from lab.drills import line_drills
from lab.reviews import write_review
from lab.theorem import Theorem
from lab.writer import written_sums
from proofs.templates import Templates
from rl.task import Example
from rl.tasks.lab import line_example, proof_example
from rl.tasks.tables import Case

ADD, COMPARE = "Add.", "Compare."  # the user's messages
_COMPARED = re.compile(r"(\S+ and \S+:)( equal| above| below)")


def on_sums(theorems: Sequence[Theorem]) -> Iterator[Example]:
    """Every sum that the theorems' derivations write out: its numbers are given, what they come to is learnt."""
    for theorem in theorems:
        for text in written_sums(theorem.steps):
            numbers, sign, rest = text.partition(" = ")
            yield Example(ADD, rest, given=numbers + sign)


def on_drills(theorems: Sequence[Theorem]) -> Iterator[Example]:
    """The lines of each theorem's derivation, each by itself and wrong half of the time, to be judged; and the numbers
    that this takes comparing, which decides most of them."""
    for number, theorem in enumerate(theorems):
        for asked in line_drills(theorem, number):
            yield line_example(theorem, asked)
            yield from (Example(COMPARE, order, given=pair) for pair, order in _COMPARED.findall(asked.judged))


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
