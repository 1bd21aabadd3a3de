"""Questions to judges: a prompt, and the text that is judged, whose sentences are no verdict of the judge's."""

from typing import NamedTuple

from core.rubric import answer_part
from core.templates import Templates


class Question(NamedTuple):
    """``prompt`` goes to the judge; its answer is read with ``quoted``, as `core.rubric.parse_verdict` asks for."""

    prompt: str
    quoted: str


def about_proof(templates: Templates, statement: str, proof: str) -> Question:
    """The verifier's question: is ``proof`` a proof of ``statement``?"""
    return Question(templates.verification(statement, proof), proof)


def about_analysis(templates: Templates, statement: str, proof: str, analysis: str) -> Question:
    """The meta-verifier's question: is ``analysis``, without its thoughts, a right analysis of ``proof``?"""
    judged = answer_part(analysis) or ""
    return Question(templates.meta_verification(statement, proof, judged), f"{proof}\n{judged}")
