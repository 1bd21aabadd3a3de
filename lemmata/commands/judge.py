"""``lemmata verify``, ``lemmata review`` and ``lemmata label``: judge proofs that exist already."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from typing import Any

from core.config import read_config, read_part
from core.errors import LemmataError
from core.ids import digest
from core.log import read_log
from core.records import Analysis, Label, Problem, Proof, Record
from core.store import Run, now
from lemmata.commands.transfer import SourceConfig, transfer
from lemmata.report import report
from lemmata.session import Session, open_session
from policy.interface import gather_all
from policy.recorder import Recorder
from refine.assess import Assessor, AssessorConfig
from verifier.aggregate import is_accepted
from verifier.autolabel import LabelConfig, auto_label

OnProof = Callable[[Recorder, Proof], Awaitable[None]]
Keep = Callable[[Record], bool]


def verify_command(config: dict[str, Any]) -> int:
    """Analyses (and reviews of them) of every proof of the source."""
    source, settings = read_part(SourceConfig, config), _judge_settings(config)
    with open_session("verify", config) as session:
        judge = session.judge(settings)

        async def verify(recorder: Recorder, proof: Proof) -> None:
            assessed = await judge.assess(recorder, proof)
            session.meters.accepted += is_accepted(assessed.tally, settings.aggregate)

        return _judge_all(session, source, verify, lambda record: isinstance(record, Proof | Label))


def review_command(config: dict[str, Any]) -> int:
    """Reviews of the analyses that the source holds."""
    source, settings = read_part(SourceConfig, config), read_config(AssessorConfig, config["judge"], "judge")
    if not settings.reviews:
        raise LemmataError("judge.reviews must be at least 1.")
    with open_session("review", config) as session:
        judge = session.judge(settings)

        async def review(recorder: Recorder, proof: Proof) -> None:
            mine = [a for a in read_log(recorder.log.path) if isinstance(a, Analysis) and a.proof_id == proof.id]
            await gather_all(judge.review(recorder, proof, analysis) for analysis in mine)

        return _judge_all(session, source, review, lambda record: isinstance(record, Proof | Label | Analysis))


def label_command(config: dict[str, Any]) -> int:
    """Automatic labels of every proof of the source."""
    source, settings = read_part(SourceConfig, config), _judge_settings(config)
    labeling = read_config(LabelConfig, config["label"], "label")
    with open_session("label", config) as session:
        judge = session.judge(settings)

        async def label(recorder: Recorder, proof: Proof) -> None:
            name = digest("label", "auto", proof.id)
            if name not in recorder.log and proof.body is not None:
                recorder.log.append([await _label(judge, recorder, proof, labeling, name)])

        return _judge_all(session, source, label, _is_no_auto_label)


async def _label(judge: Assessor, recorder: Recorder, proof: Proof, config: LabelConfig, name: str) -> Label:
    assessed = await judge.assess(recorder, proof)
    found = auto_label(assessed.judged, config)
    return Label(
        id=name,
        problem_id=proof.problem_id,
        proof_id=proof.id,
        grader="auto",
        author=judge.verifier.policy.name,
        score=found.score,
        reason=found.reason,
        created=now(),
    )


def _is_no_auto_label(record: Record) -> bool:
    """Proofs and labels of a source; not the automatic labels that are about to be made anew."""
    return isinstance(record, Proof) or (isinstance(record, Label) and record.grader != "auto")


def _judge_settings(config: dict[str, Any]) -> AssessorConfig:
    settings = read_config(AssessorConfig, config["judge"], "judge")
    if not settings.analyses:
        raise LemmataError("judge.analyses must be at least 1.")
    return settings


def _judge_all(session: Session, source: SourceConfig, on_proof: OnProof, keep: Keep) -> int:
    """Bring the source into the run, then judge every proof in it."""
    transfer(source, session.run, keep)

    async def work(problem: Problem) -> None:
        with closing(session.run.log(problem)) as log:
            recorder = session.recorder(problem, log)
            proofs = [record for record in read_log(log.path) if isinstance(record, Proof)]
            await gather_all(on_proof(recorder, proof) for proof in proofs)

    code = session.work(_problems(session.run), work)
    report(session.run)
    return code


def _problems(run: Run) -> Iterator[Problem]:
    for path in run.log_paths():
        first = next(iter(read_log(path)), None)
        if isinstance(first, Problem):
            yield first
