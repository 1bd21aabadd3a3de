"""Sequential refinement: prove, evaluate yourself, refine with that, until content or out of rounds."""

from core.records import Proof
from policy.recorder import Recorder
from prover.role import Prover
from refine.assess import Assessed, Assessor, Outcome
from refine.config import RefineConfig


async def sequential(recorder: Recorder, prover: Prover, judge: Assessor, config: RefineConfig) -> Outcome:
    """The last proof of each of ``config.proofs`` independent chains, in a fixed order.

    Needs no verifier: the self-evaluation is the feedback. With analyses set, the last proof of each chain is judged.
    """

    async def chain(proof: Proof) -> Assessed:
        return await judge.assess(recorder, await _last(recorder, prover, config, proof))

    pool = await prover.prove(recorder, chain, indices=range(config.proofs))
    return Outcome(pool, 1 + max((entry.round for entry in pool), default=0))


async def _last(recorder: Recorder, prover: Prover, config: RefineConfig, proof: Proof) -> Proof:
    """Refine until the prover is content; an answer that holds no proof is tried anew."""
    chain = proof.index
    for number in range(1, config.rounds):
        if proof.self_score == 1.0 and proof.body is not None:
            break
        if proof.body is None:
            came = await prover.prove(recorder, _keep, indices=[chain], round=number)
        else:
            feedback = [(proof.id, proof.self_evaluation)] if proof.self_evaluation else []
            came = await prover.refine(recorder, _keep, proof=proof, analyses=feedback, round=number, indices=[chain])
        # A refused prompt (the context is full, say) ends the chain with what it has.
        if not came:
            break
        proof = came[0]
    return proof


async def _keep(proof: Proof) -> Proof:
    return proof
