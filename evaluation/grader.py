"""Judge that grades final proofs in points, by the reference solution, answer and guidelines of the problem."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib import resources
from pathlib import Path
from typing import Any

from core.announcements import own_pattern, phrase_pattern
from core.closing import Closing
from core.config import STRICT, Count, Name, Positive, settings
from core.finish import cut_off
from core.ids import digest
from core.records import Grading, Problem, Proof
from core.rubric import ParseFailure, read_score
from core.score_text import Scale
from core.templates import fill, make_fence, read_template
from evaluation.grading_scheme import Scheme, allowed_points, rules
from policy.follow_up import ABOUT_POINTS, follow_up
from policy.interface import Completion, Policy, Prompt, Sampling, user_prompt
from policy.recorder import Call, Recorder
from policy.verdict import AS_WRITTEN, VerdictConfig

_PHRASE = phrase_pattern("final points")


@settings(frozen=True, config=STRICT)
class GradingConfig:
    """Gradings of each final proof.

    ``samples`` by each judge (0: none), each of at most ``max_points`` points by the ``scheme``
    (`evaluation.grading_scheme`). ``panel``: names of the policies that judge; empty: ``grader.policy`` alone.
    ``prompt``: file with a prompt of the user's own; None: evaluation/grading.txt.
    """

    samples: Count = 0
    max_points: Positive = 7
    scheme: Scheme = "auto"
    panel: tuple[str, ...] = ()
    prompt: Name | None = None

    def __post_init__(self) -> None:
        if len(set(self.panel)) < len(self.panel):
            raise ValueError("grading.panel must name each policy once")

    @property
    def template(self) -> str:
        """Text of the prompt. Raises LemmataError where the file cannot be read, or lacks a placeholder."""
        return _template(self.prompt)


@dataclass(frozen=True)
class Grader:
    """Grades proofs with one policy. It sees reference and guidelines, which provers and verifiers never do.

    ``identity``: name and model of the judge; the ids of its gradings follow from it, so that no judge's gradings are
    taken for those of another one with the same prompt.
    """

    policy: Policy
    sampling: Sampling
    config: GradingConfig
    identity: str
    verdicts: VerdictConfig = AS_WRITTEN

    async def grade(self, recorder: Recorder, proof: Proof) -> list[Grading]:
        """Samples and records the gradings of one proof that the log does not contain yet; returns all of them."""
        body = proof.body or ""

        async def keep(grading: Grading) -> Grading:
            return grading

        problem = recorder.problem
        allowed = allowed_points(problem, self.config.scheme, self.config.max_points)
        reading = partial(
            build_grading, proof_id=proof.id, allowed=allowed, quoted=body, patterns=self.verdicts.patterns
        )
        call = Call(
            policy=self.policy,
            prompt=grading_prompt(problem, body, self.config),
            template=template_identity(self.config.template),
            sampling=self.sampling,
            kind=Grading,
            build=reading,
            follow_up=follow_up(
                self.verdicts, ABOUT_POINTS, {str(points): points for points in allowed}, _scale(max(allowed)).read
            ),
            parents=(proof.id,),
            round=proof.round,
            indices=range(self.config.samples),
        )
        return await recorder.of_judge(self.identity).ask(call, keep)


def grading_prompt(problem: Problem, proof: str, config: GradingConfig) -> Prompt:
    """Prompt for a grading; the texts of problem and proof are fenced, so that they are data."""
    allowed = allowed_points(problem, config.scheme, config.max_points)
    choices = f"whole points from 0 to {config.max_points}"
    if len(allowed) <= config.max_points:
        choices = f"{', '.join(map(str, allowed[:-1]))} or {allowed[-1]} points"
    values = {
        "statement": problem.statement,
        "reference": problem.reference or "(none)",
        "answer": problem.answer or "(none)",
        "guidelines": problem.guidelines or "(none: grade by the general rules below)",
        "proof": proof,
        "full": str(config.max_points),
        "choices": choices,
        "rules": rules(problem, config.scheme, config.max_points),
    }
    return user_prompt(fill(config.template, values | {"fence": make_fence(*values.values())}))


def build_grading(
    common: dict[str, Any],
    completion: Completion,
    *,
    proof_id: str,
    allowed: Sequence[int],
    quoted: str,
    patterns: Sequence[str] = (),
) -> Grading:
    """Builds the record of a judge's answer about the proof ``quoted``; points that are not ``allowed`` are a fault."""
    max_points = max(allowed)
    cut = cut_off(completion.finish_reason)
    points = ParseFailure(cut) if cut else parse_points(completion.answer, max_points, quoted=quoted, patterns=patterns)
    if isinstance(points, int) and points not in allowed:
        points = ParseFailure(f"{points} is not one of the points {', '.join(map(str, allowed))} of this scheme")
    failed = isinstance(points, ParseFailure)
    return Grading(
        **common,
        proof_id=proof_id,
        points=None if failed else float(points),
        max_points=float(max_points),
        fault=points.reason if failed else None,
    )


def parse_points(
    text: str, max_points: int, *, quoted: str = "", truncated: bool = False, patterns: Sequence[str] = ()
) -> int | ParseFailure:
    """Parses the points of a judge's answer, read as `core.rubric.parse_verdict` reads a verdict.

    Other points than 0, 1, ..., ``max_points`` are a failure, and so are different ones after the closing phrase.

    ``quoted`` is the graded text. Points above 0 that may be a quotation of it are a failure too, as in
    `core.rubric.parse_verdict`; ``patterns`` are a user's own forms, as there.
    """
    closing = Closing(_scale(max_points), _PHRASE, tuple(map(own_pattern, patterns)))
    points = read_score(text, closing, quoted, truncated)
    return points if isinstance(points, ParseFailure) else int(points)


def _scale(max_points: int) -> Scale:
    return Scale(max_points, halves=False)


@cache
def _template(prompt: str | None) -> str:
    if prompt is not None:
        return read_template(Path(prompt), ("statement", "proof"))
    return resources.files("evaluation").joinpath("grading.txt").read_text(encoding="utf-8")


def template_identity(template: str) -> str:
    """Template identity for records: ``grading@digest`` of the prompt text."""
    return f"grading@{digest(template, length=8)}"
