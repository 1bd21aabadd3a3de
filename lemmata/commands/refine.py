"""``lemmata refine``: proves, verifies, meta-verifies and refines problems, and selects a proof for each."""

from contextlib import closing
from typing import Any

from core.records import Problem, Selection
from lemmata.domain import prover_model
from lemmata.problems import problems_of
from lemmata.run_totals import judged_code, print_totals
from lemmata.session import Session, open_session
from lemmata.settings import RefineSettings, read_settings
from lemmata.trace import print_trace
from policy.recorder import Recorder
from refine.config import RefineConfig
from refine.loop import ProofLoop, selection_id


def refine_command(config: dict[str, Any]) -> int:
    """Run the proof loop on every problem."""
    settings = read_settings(RefineSettings, config)
    model = prover_model(settings)
    problems = problems_of(settings, model)
    with open_session("refine", settings, config) as session:

        async def work(problem: Problem) -> None:
            with closing(session.run.log(problem)) as log:
                await refine_problem(session, settings.refine, session.recorder(problem, log))

        code = session.work(problems, work, lambda: sum(1 for _ in problems_of(settings, model)))
        print_totals(session.run)
        print_trace(session.run)
        return judged_code([session.run], code)


async def refine_problem(session: Session, config: RefineConfig, recorder: Recorder) -> Selection:
    """Run the proof loop on the recorder's problem, or return the selection that its log already holds."""
    loop = ProofLoop(
        session.prover,
        session.assessor(session.settings.judge),
        config,
        session.settings.seed,
        session.outside,
        session.comparer if config.select == "pairwise" else None,
    )
    done = selection_id(recorder.problem.id)
    is_done = done in recorder.log and not recorder.repeats
    selection = recorder.log.get(done) if is_done else await loop.run(recorder)
    assert isinstance(selection, Selection)
    session.meters.accepted += selection.accepted
    return selection
