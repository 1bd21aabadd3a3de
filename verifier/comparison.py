"""Comparison of two proofs by the verifier's policy: the prompt, and the record of its preference."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from core.errors import LemmataError
from core.finish import cut_off
from core.preference import CHOICES, parse_preference, read_choice
from core.records import Comparison, Proof
from core.rubric import ParseFailure
from core.sections import answer_part
from core.templates import Templates
from policy.follow_up import ABOUT_PROOFS, follow_up
from policy.interface import Completion, Policy, Sampling, user_prompt
from policy.recorder import Call, Recorder
from policy.verdict import AS_WRITTEN, Source, VerdictConfig

TEMPLATE = "proof_comparison"


@dataclass(frozen=True)
class Comparer:
    """Chooses between two proofs of a problem with one policy.

    Raises:
        LemmataError: the prompts hold no text for comparisons.
    """

    policy: Policy
    templates: Templates
    sampling: Sampling
    verdicts: VerdictConfig = AS_WRITTEN

    def __post_init__(self) -> None:
        if TEMPLATE not in self.templates.texts:
            raise LemmataError(
                f"refine.select=pairwise needs the prompt {TEMPLATE}, which prompts=lab does not hold: the models that "
                "read those texts compare no proofs. Choose another refine.select, or prompts=plain with another model."
            )

    async def compare(
        self, recorder: Recorder, *, first: Proof, second: Proof, indices: Sequence[int]
    ) -> list[Comparison]:
        """Independent comparisons number ``indices`` of two proofs in this order; both must have a body."""
        bodies = first.body or "", second.body or ""
        prompt = self.templates.comparison(recorder.problem.statement, *bodies)
        call = Call(
            policy=self.policy,
            prompt=user_prompt(prompt),
            template=self.templates.identity(TEMPLATE),
            sampling=self.sampling,
            kind=Comparison,
            build=partial(
                build_comparison,
                proof_ids=(first.id, second.id),
                quoted="\n".join(bodies),
                source=Source(self.templates.texts[TEMPLATE], prompt),
            ),
            follow_up=follow_up(self.verdicts, ABOUT_PROOFS, CHOICES, read_choice, "letter or word"),
            parents=(first.id, second.id),
            round=max(first.round, second.round),
            indices=indices,
        )
        return await recorder.ask(call, _keep)


async def _keep(comparison: Comparison) -> Comparison:
    return comparison


def build_comparison(
    common: dict[str, Any], completion: Completion, *, proof_ids: tuple[str, str], quoted: str, source: Source
) -> Comparison:
    """The record of an answer to the prompt of ``source`` about the proofs ``quoted``."""
    cut = cut_off(completion.finish_reason)
    score = ParseFailure(cut) if cut else parse_preference(completion.answer, quoted=quoted)
    if not isinstance(score, ParseFailure) and (fault := source.fault(answer_part(completion.answer) or "")):
        score = ParseFailure(fault)
    failed = isinstance(score, ParseFailure)
    return Comparison(
        **common,
        first_id=proof_ids[0],
        second_id=proof_ids[1],
        score=None if failed else score,
        fault=score.reason if failed else None,
    )
