"""Sequential refinement: chains in which a prover refines its proof by its own evaluation."""

from core.records import Proof
from policy.recorder import Recorder
from prover.role import Prover
from refine.assess import Assessed, Assessor, StrategyResult
from refine.config import RefineConfig
from refine.transitions import next_request


async def sequential(recorder: Recorder, prover: Prover, assessor: Assessor, config: RefineConfig) -> StrategyResult:
    """The last proof of each of ``config.proofs`` independent chains, in a fixed order.

    Needs no verifier: the self-evaluation is the feedback. With analyses set, the last proof of each chain is judged.
    """

    async def chain(proof: Proof) -> Assessed:
        return await assessor.assess(recorder, await _last(recorder, prover, config, proof))

    pool = await prover.prove(recorder, chain, indices=range(config.proofs))
    return StrategyResult(pool, 1 + max((entry.round for entry in pool), default=0))


async def _last(recorder: Recorder, prover: Prover, config: RefineConfig, first: Proof) -> Proof:
    """The last proof of the chain that begins with ``first``."""
    history = [first]
    while (request := next_request(history, config.rounds)) is not None:
        latest, number, indices = history[-1], len(history), [first.index]
        if request.proof is None:
            arrived = await prover.prove(recorder, _keep, indices=indices, round=number)
        else:
            critiques = [(latest.id, text) for text in request.critiques]
            arrived = await prover.refine(
                recorder, _keep, proof=latest, analyses=critiques, round=number, indices=indices
            )
        # A refused prompt (the context is full, say) ends the chain with its latest proof.
        if not arrived:
            break
        history.append(arrived[0])
    return history[-1]


async def _keep(proof: Proof) -> Proof:
    return proof
