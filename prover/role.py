"""Prover role: prompts for proofs and refinements, and the record of an answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from core.finish import cut_off
from core.records import Proof
from core.rubric import TRUNCATED
from core.templates import Templates
from policy.interface import Completion, Policy, Sampling, user_prompt
from policy.recorder import Call, Recorder, Then
from policy.verdict import Source
from prover.attempt import read_attempt

T = TypeVar("T")


@dataclass(frozen=True)
class Prover:
    """Writes proofs of a problem with one policy."""

    policy: Policy
    templates: Templates
    sampling: Sampling

    async def prove(
        self, recorder: Recorder, then: Then[Proof, T], *, indices: Sequence[int], round: int = 0
    ) -> list[T]:
        """Fresh proofs number ``indices``; ``then`` runs on each as soon as it is written."""
        call = Call(
            policy=self.policy,
            prompt=user_prompt(self.templates.proof(recorder.problem.statement)),
            template=self.templates.identity("proof_generation"),
            sampling=self.sampling,
            kind=Proof,
            build=partial(build_proof, source=self._source(recorder, "proof_generation")),
            round=round,
            indices=indices,
        )
        return await recorder.ask(call, then)

    async def refine(
        self,
        recorder: Recorder,
        then: Then[Proof, T],
        *,
        proof: Proof,
        analyses: Sequence[tuple[str, str]],
        round: int,
        indices: Sequence[int] = (0,),
    ) -> list[T]:
        """Better versions of ``proof``, given ``analyses`` of it as (record id, text)."""
        candidates = [(proof.body or "", [text for _, text in analyses])]
        call = Call(
            policy=self.policy,
            prompt=user_prompt(self.templates.refinement(recorder.problem.statement, candidates)),
            template=self.templates.identity("proof_refinement"),
            sampling=self.sampling,
            kind=Proof,
            build=partial(build_proof, source=self._source(recorder, "proof_generation", "proof_refinement")),
            parents=(proof.id, *(name for name, _ in analyses if name != proof.id)),
            round=round,
            indices=indices,
        )
        return await recorder.ask(call, then)

    def _source(self, recorder: Recorder, *templates: str) -> Source:
        """The texts that a proof must not repeat. A refined proof may repeat the one that it refines."""
        texts = "\n".join(self.templates.texts[name] for name in templates)
        return Source(texts, self.templates.proof(recorder.problem.statement))


def build_proof(common: dict[str, Any], completion: Completion, source: Source | None = None) -> Proof:
    """The record of a prover's answer. Format faults are listed in ``faults``; no value is invented.

    An answer that is cut off is no proof, whatever it holds, and neither is one that mostly repeats ``source``.
    """
    cut = cut_off(completion.finish_reason)
    attempt = read_attempt(completion.answer, truncated=cut is not None, reason=cut or TRUNCATED)
    copied = source.fault(attempt.body) if source and attempt.body else None
    if copied:
        return Proof(**common, self_score=None, faults=(*attempt.faults, copied))
    return Proof(**common, self_score=attempt.self_score, faults=attempt.faults)
