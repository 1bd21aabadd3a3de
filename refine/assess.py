"""Assessment of one proof: n analyses, m reviews of each, their tally, and the decision of the acceptance rule."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.config import STRICT, Count, settings
from core.records import Analysis, Proof, Review
from meta_verifier.role import MetaVerifier
from policy.recorder import Recorder
from refine.acceptance import PROGRESSIVE, AcceptanceConfig, Decision, decide, not_judged
from refine.transitions import Reviewed, needs_review
from verifier.aggregate import Judged, Tally, judged, sift, tally
from verifier.role import Verifier


@settings(frozen=True, config=STRICT)
class AssessorConfig:
    """``analyses`` of each proof, ``reviews`` of each analysis; ``review``: those that report issues, or all."""

    analyses: Count
    reviews: Count
    review: Reviewed
    acceptance: AcceptanceConfig


@dataclass(frozen=True, slots=True)
class Assessed:
    """A proof as search and selection see it: texts stay in the log, identical ones have one ``text_digest``."""

    proof_id: str
    text_digest: str | None
    round: int
    self_score: float | None
    faults: tuple[str, ...]
    judged: tuple[Judged, ...]
    tally: Tally
    decision: Decision


@dataclass(frozen=True, slots=True)
class StrategyResult:
    """The result of a strategy: the proofs to choose from, after so many ``rounds``."""

    pool: Sequence[Assessed]
    rounds: int


def covers_all(statement: str) -> str:
    """No statement is outside the domain of a model that names none."""
    return ""


@dataclass(frozen=True)
class Assessor:
    """Verifier and meta-verifier together.

    ``outside`` returns the reason why the verifier's model does not cover a statement; empty where it does.
    """

    verifier: Verifier
    meta_verifier: MetaVerifier
    config: AssessorConfig
    outside: Callable[[str], str] = covers_all

    async def assess(self, recorder: Recorder, proof: Proof) -> Assessed:
        """The assessment of ``proof``. An answer that holds no proof gets no analyses and no score.

        Neither does a proof of a statement that the verifier's model does not cover.
        """
        verdicts: Sequence[Judged] = ()
        body = proof.body
        reason = self.outside(recorder.problem.statement)
        if body is not None and self.config.analyses and not reason:
            verdicts = await self._analyze(recorder, proof)
            # Meanwhile another problem may have got the same text: then it is no proof of this one.
            proof = recorder.checked(proof)
            body, verdicts = (body, verdicts) if proof.body is not None else (None, ())
        return Assessed(
            proof_id=proof.id,
            text_digest=None if body is None else hashlib.sha256(body.encode()).hexdigest()[:16],
            round=proof.round,
            self_score=proof.self_score,
            faults=proof.faults,
            judged=tuple(verdicts),
            tally=tally(verdicts, self.config.acceptance),
            decision=not_judged(self.config.acceptance, reason) if reason else decide(verdicts, self.config.acceptance),
        )

    async def _analyze(self, recorder: Recorder, proof: Proof) -> Sequence[Judged]:
        """All analyses at once; by the progressive rule one after another, until one reports an issue that stands."""

        async def follow(analysis: Analysis) -> Judged:
            return await self.review(recorder, proof, analysis)

        indices = range(self.config.analyses)
        if self.config.acceptance.rule != PROGRESSIVE:
            return await self.verifier.analyze(recorder, follow, proof=proof, indices=indices)
        found: list[Judged] = []
        for index in indices:
            found += await self.verifier.analyze(recorder, follow, proof=proof, indices=[index])
            if any(one.score < 1.0 for one in sift(found, self.config.acceptance)[0]):
                break
        return found

    async def review(self, recorder: Recorder, proof: Proof, analysis: Analysis) -> Judged:
        """An analysis with the scores of its reviews; without any where `needs_review` or the settings ask for none."""
        if not self.config.reviews or not needs_review(analysis.score, self.config.review):
            return judged(analysis, ())
        scores = await self.meta_verifier.review(
            recorder, _score, proof=proof, analysis=analysis, indices=range(self.config.reviews)
        )
        return judged(analysis, scores)


async def _score(review: Review) -> float | None:
    return review.score
