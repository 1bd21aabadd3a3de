"""Verifier role: the prompt for an analysis, and the record of its verdict."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from core.questions import about_proof
from core.records import Analysis, Proof
from core.templates import Templates
from policy.follow_up import ABOUT_PROOF, follow_up
from policy.interface import Completion, Policy, Sampling, user_prompt
from policy.recorder import Call, Recorder, Then
from policy.verdict import AS_WRITTEN, Source, VerdictConfig, read_judge_verdict

T = TypeVar("T")


@dataclass(frozen=True)
class Verifier:
    """Scores proofs with one policy."""

    policy: Policy
    templates: Templates
    sampling: Sampling
    verdicts: VerdictConfig = AS_WRITTEN

    async def analyze(
        self, recorder: Recorder, then: Then[Analysis, T], *, proof: Proof, indices: Sequence[int]
    ) -> list[T]:
        """Independent analyses number ``indices`` of one proof; ``then`` runs on each as soon as it is written.

        The proof must have a body: an answer without a proof is not sent to a judge.
        """
        question = about_proof(self.templates, recorder.problem.statement, proof.body or "")
        source = Source(self.templates.texts["proof_verification"], question.prompt)
        call = Call(
            policy=self.policy,
            prompt=user_prompt(question.prompt),
            template=self.templates.identity("proof_verification"),
            sampling=self.sampling,
            kind=Analysis,
            build=partial(
                build_analysis, proof_id=proof.id, quoted=question.quoted, source=source, config=self.verdicts
            ),
            follow_up=follow_up(self.verdicts, ABOUT_PROOF),
            parents=(proof.id,),
            round=proof.round,
            indices=indices,
        )
        return await recorder.ask(call, then)


def build_analysis(
    common: dict[str, Any],
    completion: Completion,
    *,
    proof_id: str,
    quoted: str,
    source: Source | None = None,
    config: VerdictConfig = AS_WRITTEN,
) -> Analysis:
    """The record of a verifier's answer about the proof ``quoted``, to the prompt of ``source``."""
    return Analysis(**common, proof_id=proof_id, **read_judge_verdict(completion, quoted, source, config))
