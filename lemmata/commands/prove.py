"""``lemmata prove``: writes proofs without verifying them."""

from contextlib import closing
from typing import Any

from core.records import Problem, Proof
from lemmata.domain import prover_model, with_warnings
from lemmata.problems import problems_of
from lemmata.run_totals import print_totals
from lemmata.session import open_session
from lemmata.settings import ProveSettings, read_settings


def prove_command(config: dict[str, Any]) -> int:
    """Write proofs of every problem."""
    settings = read_settings(ProveSettings, config)
    model = prover_model(settings)
    problems = with_warnings(problems_of(settings, model), settings)
    with open_session("prove", settings, config) as session:

        async def work(problem: Problem) -> None:
            with closing(session.run.log(problem)) as log:
                recorder = session.recorder(problem, log)
                await session.prover.prove(recorder, _keep, indices=range(settings.proofs))

        code = session.work(problems, work, lambda: sum(1 for _ in problems_of(settings, model)))
        print_totals(session.run)
        return code


async def _keep(proof: Proof) -> Proof:
    return proof
