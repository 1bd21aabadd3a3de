"""``lemmata verify``, ``review`` and ``label``: verifier, meta-verifier and automatic labels for existing proofs."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from typing import Any, TypeVar

from core.errors import LemmataError
from core.ids import digest
from core.log import read_log
from core.records import Analysis, Label, Problem, Proof, Record, Refusal
from core.store import Run, now
from lemmata.commands.import_export import transfer
from lemmata.run_totals import judged_code, print_totals
from lemmata.session import Session, open_session
from lemmata.settings import LabelSettings, VerifySettings, read_settings
from policy.interface import gather_all
from policy.recorder import Recorder
from refine.acceptance import NOT_JUDGED
from refine.assess import Assessor
from verifier.autolabel import LabelConfig, auto_label

OnProof = Callable[[Recorder, Proof], Awaitable[None]]
Keep = Callable[[Record], bool]
V = TypeVar("V", bound=VerifySettings)


def verify_command(config: dict[str, Any]) -> int:
    """Write analyses (and reviews of them) of every proof of the source."""
    settings = _analyzing(read_settings(VerifySettings, config))
    with open_session("verify", settings, config) as session:
        assessor = session.assessor(settings.judge)

        async def verify(recorder: Recorder, proof: Proof) -> None:
            assessed = await assessor.assess(recorder, proof)
            if (reason := assessor.outside(recorder.problem.statement)) and outside_id(proof) not in recorder.log:
                recorder.log.append([_not_judged(session, proof, reason)])
            session.meters.accepted += assessed.decision.accepted

        return _for_each_proof(session, settings, verify, lambda record: isinstance(record, Proof | Label))


def outside_id(proof: Proof) -> str:
    """The id of the record that the verifier was not asked about a proof."""
    return digest("outside", proof.id)


def _not_judged(session: Session, proof: Proof, reason: str) -> Refusal:
    return Refusal(
        id=outside_id(proof),
        problem_id=proof.problem_id,
        parents=(proof.id,),
        role="verifier",
        policy=session.policies.of("verifier").name,
        prompt="",
        seed=0,
        error=f"{NOT_JUDGED}: {reason}",
        created=now(),
    )


def review_command(config: dict[str, Any]) -> int:
    """Write reviews of the analyses that the source holds."""
    settings = read_settings(VerifySettings, config)
    if not settings.judge.reviews:
        raise LemmataError("judge.reviews must be at least 1.")
    with open_session("review", settings, config) as session:
        assessor = session.assessor(settings.judge)

        async def review(recorder: Recorder, proof: Proof) -> None:
            records = read_log(recorder.log.path)
            analyses = [record for record in records if isinstance(record, Analysis) and record.proof_id == proof.id]
            await gather_all(assessor.review(recorder, proof, analysis) for analysis in analyses)

        return _for_each_proof(session, settings, review, lambda record: isinstance(record, Proof | Label | Analysis))


def label_command(config: dict[str, Any]) -> int:
    """Write automatic labels of every proof of the source."""
    settings = _analyzing(read_settings(LabelSettings, config))
    with open_session("label", settings, config) as session:
        assessor = session.assessor(settings.judge)

        async def label(recorder: Recorder, proof: Proof) -> None:
            name = digest("label", "auto", proof.id)
            if name not in recorder.log and proof.body is not None:
                recorder.log.append([await _label(assessor, recorder, proof, settings.label, name)])

        return _for_each_proof(session, settings, label, _is_no_auto_label)


async def _label(assessor: Assessor, recorder: Recorder, proof: Proof, config: LabelConfig, name: str) -> Label:
    assessed = await assessor.assess(recorder, proof)
    found = auto_label(assessed.judged, config)
    return Label(
        id=name,
        problem_id=proof.problem_id,
        proof_id=proof.id,
        grader="auto",
        author=assessor.verifier.policy.name,
        score=found.score,
        reason=found.reason,
        created=now(),
    )


def _is_no_auto_label(record: Record) -> bool:
    """True for proofs and labels of a source, but not for automatic labels, which are written again."""
    return isinstance(record, Proof) or (isinstance(record, Label) and record.grader != "auto")


def _analyzing(settings: V) -> V:
    if not settings.judge.analyses:
        raise LemmataError("judge.analyses must be at least 1.")
    return settings


def _for_each_proof(session: Session, settings: VerifySettings, on_proof: OnProof, keep: Keep) -> int:
    """Copy the source into the run, then call ``on_proof`` on every proof in it."""
    transfer(settings, session.run, keep)

    async def work(problem: Problem) -> None:
        with closing(session.run.log(problem)) as log:
            recorder = session.recorder(problem, log)
            proofs = [record for record in read_log(log.path) if isinstance(record, Proof)]
            await gather_all(on_proof(recorder, proof) for proof in proofs)

    code = session.work(_problems(session.run), work, lambda: len(session.run.log_paths()))
    print_totals(session.run)
    return judged_code([session.run], code)


def _problems(run: Run) -> Iterator[Problem]:
    for path in run.log_paths():
        first = next(iter(read_log(path)), None)
        if isinstance(first, Problem):
            yield first
