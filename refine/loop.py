"""Proof loop: one problem from its statement to the chosen proof."""

from collections.abc import Callable
from dataclasses import dataclass

from core.ids import digest
from core.records import Selection
from core.store import now
from policy.interface import PromptRefused
from policy.recorder import Recorder
from prover.role import Prover
from refine.acceptance import NOT_JUDGED, OUTSIDE
from refine.assess import Assessor, covers_all
from refine.config import RefineConfig
from refine.pairwise import compare
from refine.search import search
from refine.select import Choice, select
from refine.sequential import sequential
from verifier.comparison import Comparer


@dataclass(frozen=True)
class ProofLoop:
    """Strategy and selection with the roles and settings of a run; ``comparer`` of the selection by pairs alone."""

    prover: Prover
    assessor: Assessor
    config: RefineConfig
    seed: int
    outside: Callable[[str], str] = covers_all
    comparer: Comparer | None = None

    async def run(self, recorder: Recorder) -> Selection:
        """Proves, verifies, refines and selects; the selection is the last record of the problem.

        A statement outside the domain of the models is answered without asking them.

        Raises:
            PromptRefused: every proof was set aside, so that there is nothing to select from, and nothing to score.
        """
        if reason := self.outside(recorder.problem.statement):
            choice = Choice(None, False, f"{NOT_JUDGED}: {reason}")
            return _record(recorder, choice, OUTSIDE, rounds=0)
        if self.config.strategy == "search":
            outcome = await search(recorder, self.prover, self.assessor, self.config, self.seed)
        else:
            outcome = await sequential(recorder, self.prover, self.assessor, self.config)
        if not outcome.pool and recorder.refusal is not None:
            raise PromptRefused(recorder.refusal)
        standings = await compare(recorder, self.comparer, outcome.pool, self.config) if self.comparer else None
        choice = select(outcome.pool, self.config.select, standings)
        return _record(recorder, choice, self.config.select, outcome.rounds)


def _record(recorder: Recorder, choice: Choice, rule: str, rounds: int) -> Selection:
    """Appends the selection to the log."""
    chosen = choice.chosen
    selection = Selection(
        id=selection_id(recorder.problem.id),
        problem_id=recorder.problem.id,
        proof_id=chosen.proof_id if chosen else None,
        rule=rule,
        accepted=choice.accepted,
        mean_score=chosen.tally.mean if chosen else None,
        verdicts=chosen.tally.verdicts if chosen else 0,
        self_score=chosen.self_score if chosen else None,
        rounds=rounds,
        reason=choice.reason,
        created=now(),
    )
    recorder.log.append([selection])
    return selection


def selection_id(problem_id: str) -> str:
    """The id of a problem's selection: a log that holds it is of a finished problem."""
    return digest("selection", problem_id)
