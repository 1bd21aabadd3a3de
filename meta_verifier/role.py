"""Meta-verifier role: the prompt for a review of an analysis, and the record of its rating."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from core.questions import about_analysis
from core.records import Analysis, Proof, Review
from core.templates import Templates
from policy.follow_up import ABOUT_ANALYSIS, follow_up
from policy.interface import Completion, Policy, Sampling, user_prompt
from policy.recorder import Call, Recorder, Then
from policy.verdict import AS_WRITTEN, Source, VerdictConfig, read_judge_verdict

T = TypeVar("T")


@dataclass(frozen=True)
class MetaVerifier:
    """Rates analyses with one policy."""

    policy: Policy
    templates: Templates
    sampling: Sampling
    verdicts: VerdictConfig = AS_WRITTEN

    async def review(
        self, recorder: Recorder, then: Then[Review, T], *, proof: Proof, analysis: Analysis, indices: Sequence[int]
    ) -> list[T]:
        """Independent reviews number ``indices`` of one analysis; ``then`` runs on each as soon as it is written."""
        question = about_analysis(self.templates, recorder.problem.statement, proof.body or "", analysis.answer)
        source = Source(self.templates.texts["meta_verification"], question.prompt)
        call = Call(
            policy=self.policy,
            prompt=user_prompt(question.prompt),
            template=self.templates.identity("meta_verification"),
            sampling=self.sampling,
            kind=Review,
            build=partial(
                build_review, analysis_id=analysis.id, quoted=question.quoted, source=source, config=self.verdicts
            ),
            follow_up=follow_up(self.verdicts, ABOUT_ANALYSIS),
            parents=(analysis.id,),
            round=analysis.round,
            indices=indices,
        )
        return await recorder.ask(call, then)


def build_review(
    common: dict[str, Any],
    completion: Completion,
    *,
    analysis_id: str,
    quoted: str,
    source: Source | None = None,
    config: VerdictConfig = AS_WRITTEN,
) -> Review:
    """The record of a meta-verifier's answer to the prompt of ``source``, about the texts ``quoted``."""
    return Review(**common, analysis_id=analysis_id, **read_judge_verdict(completion, quoted, source, config))
