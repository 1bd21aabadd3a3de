"""Pool search: many proofs, many analyses of each, refinement of the best by their critiques, over rounds."""

from core.ids import derive_seed
from core.records import Analysis, Proof
from core.sections import answer_part
from policy.interface import gather_all
from policy.recorder import Recorder
from prover.role import Prover
from refine.assess import Assessed, Assessor, StrategyResult
from refine.config import RefineConfig
from refine.pool import Pair, merge_identical, pairings, ranked


async def search(
    recorder: Recorder, prover: Prover, assessor: Assessor, config: RefineConfig, seed: int
) -> StrategyResult:
    """The pool after the last round, in a fixed order, with identical proofs merged.

    Each round refines the ``config.top`` best proofs once with each of ``config.pairs`` of their analyses. Stops before
    ``config.rounds`` only when a proof is accepted. Analyses of a proof start as soon as it arrives; a round ends
    when all its proofs are judged, so that the result does not depend on the order in which answers arrive.
    """
    acceptance = assessor.config.acceptance
    used: set[Pair] = set()
    pool = await _fresh(recorder, prover, assessor, config.proofs, 0)
    rounds = 1
    for number in range(1, config.rounds):
        merged = merge_identical(pool, acceptance)
        if any(entry.decision.accepted for entry in merged):
            break
        if not pool and recorder.refusal is not None:
            break  # the prompt of this problem is set aside
        rounds += 1
        draw = derive_seed(seed, recorder.problem.id, "pairings", number)
        pairs = pairings(ranked(merged)[: config.top], config.pairs, used, acceptance.confirm_at, draw)
        used.update(pairs)
        refined = await gather_all(_refine(recorder, prover, assessor, pair, number) for pair in pairs)
        pool += [entry for part in refined for entry in part]
        if not pairs:
            # Nothing to refine: no proof, or no analysis that can be read.
            pool += await _fresh(recorder, prover, assessor, config.proofs, number)
    return StrategyResult(merge_identical(pool, acceptance), rounds)


async def _fresh(recorder: Recorder, prover: Prover, assessor: Assessor, count: int, number: int) -> list[Assessed]:
    async def assess(proof: Proof) -> Assessed:
        return await assessor.assess(recorder, proof)

    return await prover.prove(recorder, assess, indices=range(count), round=number)


async def _refine(recorder: Recorder, prover: Prover, assessor: Assessor, pair: Pair, number: int) -> list[Assessed]:
    proof, analysis = recorder.log.get(pair[0]), recorder.log.get(pair[1])
    assert isinstance(proof, Proof)
    assert isinstance(analysis, Analysis)

    async def assess(refined: Proof) -> Assessed:
        return await assessor.assess(recorder, refined)

    critique = (analysis.id, answer_part(analysis.answer) or "")
    return await prover.refine(recorder, assess, proof=proof, analyses=[critique], round=number)
