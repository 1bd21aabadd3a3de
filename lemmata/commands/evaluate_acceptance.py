"""``lemmata evaluate acceptance``: false accepts and false rejects by rule and number of analyses, on the lab."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from core.config import STRICT, Count, Name, Positive, settings
from core.document import Block, Heading, Text, html, markdown
from core.errors import LemmataError
from core.records import Proof
from core.store import Run
from evaluation.acceptance_cases import MeasuredProblem, beyond, inside
from evaluation.acceptance_plot import draw_curves
from evaluation.answers import label_id
from evaluation.lab_theorems import EXACT, exact_label
from lab.checker import DATE
from lab.generator import HELD_OUT_LEVEL, LEVELS, families
from lab.items import Stream
from lemmata.commands.report import rich_table
from lemmata.domain import PROVER, VERIFIER
from lemmata.session import MAY_CHANGE, Session, open_session
from lemmata.settings import SessionConfig, read_settings
from lemmata.terminal import plain
from policy.interface import gather_all
from policy.recorder import Recorder
from refine.acceptance_curves import ALL_WRONG, COMMAND, as_json, measured, tables
from refine.assess import covers_all

EXPLANATION = (
    f"Each proof has an exact score by the lab's checker of {DATE}, which no model saw. A wrong proof (below 1) that a "
    "rule accepts by the first n of its analyses is a false accept, a complete one that it rejects a false reject. "
    "Identical analyses count once; here every rule needs only one verdict that counts, so that n = 1 can be compared. "
    "Intervals: 95 %, whole left sides drawn together. Own proofs and those outside the domain are the model's."
)
GATE = (
    "lemmata refine and verify do not judge statements outside the domain: the rows show what a judge would have said."
)


@settings(frozen=True, kw_only=True, config=STRICT)
class AcceptanceSettings(SessionConfig):
    """Settings of ``lemmata evaluate acceptance`` (lemmata/conf/evaluate_acceptance.yaml)."""

    out: Name | None
    theorems: Positive
    outside: Count
    own: Count
    families: tuple[str, ...] | None
    levels: tuple[int, ...] | None
    split: Literal["validation", "test"]


def evaluate_acceptance_command(config: dict[str, Any]) -> int:
    """Measures, or resumes a measurement, and writes its report."""
    read = read_settings(AcceptanceSettings, config)
    if not read.judge.analyses:
        raise LemmataError("judge.analyses must be at least 1: curves are over the number of analyses.")
    with open_session(COMMAND, read, config, may_change=MAY_CHANGE | {"out", "theorems", "outside", "own"}) as session:
        code = session.work(_problems(read, session), lambda one: _measure(read, session, one))
        folder = Path(read.out) if read.out else session.run.folder / "report"
        write_report(session.run, folder)
    return code


def write_report(run: Run, folder: Path) -> None:
    """Writes report.md, report.html, the plot and acceptance.json, and prints the main table.

    Raises:
        LemmataError: the folder cannot be written.
    """
    points = measured(run)
    if not points:
        raise LemmataError(f"{run.folder} holds no judged proof with an exact score; nothing can be measured.")
    found = tables(points)
    blocks: list[Block] = [Heading("Acceptance by rule", 1), Text(EXPLANATION), Text(GATE)]
    for title, table in found:
        blocks += [Heading(title), table]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        blocks += [Heading("Curves"), draw_curves(points, folder / "acceptance.png")]
        (folder / "acceptance.json").write_text(json.dumps(as_json(points), indent=1) + "\n", encoding="utf-8")
        (folder / "report.md").write_text(markdown(blocks), encoding="utf-8")
        (folder / "report.html").write_text(html("Acceptance by rule", blocks), encoding="utf-8")
    except OSError as error:
        raise LemmataError(
            f"cannot write the report to {folder}: {error}. Choose another folder: out=FOLDER"
        ) from error
    console = Console(highlight=False)
    for title, table in found:
        if ALL_WRONG in title:
            console.print(plain(title, "bold"))
            console.print(rich_table(table))
    console.print(plain(f"Read it: {folder / 'report.md'}"), soft_wrap=True)


def _problems(read: AcceptanceSettings, session: Session) -> Iterator[MeasuredProblem]:
    domains = session.coverage.domains
    domain = (domains.get(VERIFIER) or domains.get(PROVER) or ("", None))[1]
    known = read.families or (domain.families if domain else families())
    levels = read.levels or (domain.levels if domain else [level for level in LEVELS if level != HELD_OUT_LEVEL])
    try:
        yield from inside(Stream("verify", known, levels, read.split, read.seed), read.theorems)
        if domain is not None:
            yield from beyond(known, levels, read.split, read.seed, read.outside)
    except ValueError as error:
        raise LemmataError(f"lab: {error}") from error


async def _measure(read: AcceptanceSettings, session: Session, one: MeasuredProblem) -> None:
    assessor = replace(session.assessor(read.judge), outside=covers_all)
    with closing(session.run.log(one.problem)) as log:
        recorder = session.recorder(one.problem, log)
        log.append([proof for proof in one.given if proof.id not in log])

        async def judge(proof: Proof) -> None:
            _label(recorder, proof)
            await assessor.assess(recorder, proof)

        own = session.prover.prove(recorder, judge, indices=range(read.own if one.given else max(1, read.own)))
        await gather_all([own, *(judge(proof) for proof in one.given)])


def _label(recorder: Recorder, proof: Proof) -> None:
    if proof.body is not None and label_id(EXACT, proof) not in recorder.log:
        recorder.log.append([exact_label(recorder.problem, proof)])
