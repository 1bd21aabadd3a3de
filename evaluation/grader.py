"""Judge that grades final proofs in points, by the reference solution and grading guidelines of the problem."""

from dataclasses import dataclass
from functools import cache, partial
from importlib import resources
from typing import Any

from core.announcements import phrase_pattern
from core.closing import Closing
from core.config import STRICT, Count, Positive, settings
from core.ids import digest
from core.records import Grading, Problem, Proof
from core.rubric import ParseFailure, read_score
from core.score_text import Scale
from core.templates import fill, make_fence
from policy.interface import Completion, Policy, Prompt, Sampling, user_prompt
from policy.recorder import Call, Recorder

_PHRASE = phrase_pattern("final points")


@settings(frozen=True, config=STRICT)
class GradingConfig:
    """Number of gradings (``samples``) of each final proof (0: none), each from 0 to ``max_points`` points."""

    samples: Count = 0
    max_points: Positive = 7


@dataclass(frozen=True)
class Grader:
    """Grades proofs with one policy. It sees reference and guidelines, which provers and verifiers never do."""

    policy: Policy
    sampling: Sampling
    config: GradingConfig

    async def grade(self, recorder: Recorder, proof: Proof) -> list[Grading]:
        """Samples and records the gradings of one proof that the log does not contain yet; returns all of them."""
        body = proof.body or ""

        async def keep(grading: Grading) -> Grading:
            return grading

        call = Call(
            policy=self.policy,
            prompt=grading_prompt(recorder.problem, body, self.config.max_points),
            template=identity(),
            sampling=self.sampling,
            kind=Grading,
            build=partial(build_grading, proof_id=proof.id, max_points=self.config.max_points, quoted=body),
            parents=(proof.id,),
            round=proof.round,
            indices=range(self.config.samples),
        )
        return await recorder.ask(call, keep)


def grading_prompt(problem: Problem, proof: str, max_points: int) -> Prompt:
    """Prompt for a grading; the texts of problem and proof are fenced, so that they are data."""
    values = {
        "statement": problem.statement,
        "reference": problem.reference or "(none)",
        "guidelines": problem.guidelines or "(none: grade by the general rules below)",
        "proof": proof,
        "full": str(max_points),
        "almost": str(max_points - 1),
    }
    return user_prompt(fill(_template(), values | {"fence": make_fence(*values.values())}))


def build_grading(
    common: dict[str, Any], completion: Completion, *, proof_id: str, max_points: int, quoted: str
) -> Grading:
    """Builds the record of a judge's answer about the proof ``quoted``."""
    truncated = completion.finish_reason == "length"
    points = parse_points(completion.text, max_points, quoted=quoted, truncated=truncated)
    failed = isinstance(points, ParseFailure)
    return Grading(
        **common,
        proof_id=proof_id,
        points=None if failed else float(points),
        max_points=float(max_points),
        fault=points.reason if failed else None,
    )


def parse_points(text: str, max_points: int, *, quoted: str = "", truncated: bool = False) -> int | ParseFailure:
    """Parses the points of a judge's answer, read as `core.rubric.parse_verdict` reads a verdict.

    Other points than 0, 1, ..., ``max_points`` are a failure, and so are different ones after the closing phrase.

    ``quoted`` is the graded text. Points above 0 that may be a quotation of it are a failure too, as in
    `core.rubric.parse_verdict`.
    """
    points = read_score(text, Closing(Scale(max_points, halves=False), _PHRASE), quoted, truncated)
    return points if isinstance(points, ParseFailure) else int(points)


@cache
def _template() -> str:
    return resources.files("evaluation").joinpath("grading.txt").read_text(encoding="utf-8")


def identity() -> str:
    """Template identity for records: ``grading@digest`` of the prompt text."""
    return f"grading@{digest(_template(), length=8)}"
