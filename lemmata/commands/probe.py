"""``lemmata probe``: a few samples of each role before a long run, what can be read of them, and hints."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from statistics import fmean, pstdev
from typing import Any, TypeVar

from rich.console import Console
from rich.table import Table

from core.config import STRICT, Positive, settings
from core.records import Analysis, Generated, Problem, Proof, Review
from core.store import Run
from lemmata.domain import prover_model
from lemmata.fault_counts import FaultCounts
from lemmata.problems import problems_of
from lemmata.run_totals import NOTHING_JUDGED
from lemmata.session import Session, open_session
from lemmata.settings import ProblemsConfig, SessionConfig, read_settings
from lemmata.terminal import plain
from policy.recorder import Recorder
from refine.assess import Assessor
from verifier.aggregate import text_digest

R = TypeVar("R")
ROLES: dict[str, type[Generated]] = {"prover": Proof, "verifier": Analysis, "meta_verifier": Review}
FEW_READABLE, MANY_CUT_OFF = 0.8, 0.1  # shares from which a hint is given


@settings(frozen=True, kw_only=True, config=STRICT)
class ProbeSettings(SessionConfig, ProblemsConfig):
    """Settings of ``lemmata probe`` (lemmata/conf/probe.yaml)."""

    samples: Positive


@dataclass(frozen=True, slots=True)
class Probe:
    """Counts over the samples of one role. ``scores``: readable verdicts; a prover's are its self-scores."""

    role: str
    samples: int
    readable: int
    cut_off: int
    distinct: int
    in_reasoning: int
    scores: tuple[float, ...]
    tokens: float

    def row(self) -> list[str]:
        """The cells of the table."""
        spread = f"{fmean(self.scores):.2g} ± {pstdev(self.scores):.2g}" if self.scores else "-"
        shares = (self.readable, self.cut_off, self.distinct)
        return [self.role, str(self.samples), *map(self._percent, shares), spread, f"{self.tokens:,.0f}"]

    def hints(self) -> Iterator[str]:
        """Advice on what to change, in words."""
        if not self.samples:
            yield f"{self.role}: no sample, because there was nothing to ask about."
            return
        if self.cut_off > MANY_CUT_OFF * self.samples:
            yield (
                f"{self.role}: {self._percent(self.cut_off)} are cut off; raise {self.role}.max_tokens or "
                "sampling.max_tokens, or the server's own limit."
            )
        if self.in_reasoning:
            yield (
                f"{self.role}: {self._percent(self.in_reasoning)} have reasoning and no answer; raise max_tokens, or "
                "turn the reasoning off at the server."
            )
        if self.readable < FEW_READABLE * self.samples and self.readable + self.cut_off < self.samples:
            yield (
                f"{self.role}: {self._percent(self.readable)} can be read; see the faults below and "
                "docs/guides/prompts.md for prompts of your own."
            )
        if 1 < self.samples != self.distinct:
            yield (
                f"{self.role}: {self.distinct} of {self.samples} samples are distinct, and identical analyses count "
                f"once; raise {self.role}.temperature, or set policy.send_seed=false where the server repeats a seed."
            )

    def _percent(self, number: int) -> str:
        return f"{100 * number / max(1, self.samples):.0f} %"


def probe_command(config: dict[str, Any]) -> int:
    """Samples each role and prints what was found. Exit code 3 where a role wrote nothing that can be read."""
    read = read_settings(ProbeSettings, config)
    problems = islice(problems_of(read, prover_model(read)), 1)
    with open_session("probe", read, config) as session:
        code = session.work(problems, lambda problem: _sample(session, problem, read.samples))
        probes = probes_of(session.run)
        _print(probes, session.run)
    asked = [probe for probe in probes if probe.samples]
    return code or (NOTHING_JUDGED if any(not probe.readable for probe in asked) or not asked else 0)


def probes_of(run: Run) -> list[Probe]:
    """The counts of each role over the records of a run."""
    records = list(run.records())
    return [_probe(role, [record for record in records if isinstance(record, kind)]) for role, kind in ROLES.items()]


def _probe(role: str, records: Sequence[Any]) -> Probe:
    scores = [one.self_score if isinstance(one, Proof) else one.score for one in records]
    readable = [not one.faults if isinstance(one, Proof) else one.score is not None for one in records]
    usage = [one.usage.completion_tokens for one in records if one.usage is not None]
    return Probe(
        role=role,
        samples=len(records),
        readable=sum(readable),
        cut_off=sum(one.finish_reason == "length" for one in records),
        distinct=len({text_digest(one.text, one.reasoning) for one in records}),
        in_reasoning=sum(bool(one.reasoning) and not one.text.strip() for one in records),
        scores=tuple(score for score in scores if score is not None),
        tokens=sum(usage) / len(records) if records else 0.0,
    )


async def _sample(session: Session, problem: Problem, count: int) -> None:
    """Proofs of a problem, analyses of the first whole one, and reviews of its first readable analysis."""
    with closing(session.run.log(problem)) as log:
        recorder, assessor = session.recorder(problem, log), session.assessor(session.settings.judge)
        proofs = await session.prover.prove(recorder, _keep, indices=range(count))
        proof = next((one for one in proofs if one.body is not None), None)
        if proof is not None:
            await _judge(recorder, assessor, proof, count)


async def _judge(recorder: Recorder, assessor: Assessor, proof: Proof, count: int) -> None:
    analyses = await assessor.verifier.analyze(recorder, _keep, proof=proof, indices=range(count))
    analysis = next((one for one in analyses if one.score is not None), None)
    if analysis is not None:
        await assessor.meta_verifier.review(recorder, _keep, proof=proof, analysis=analysis, indices=range(count))


async def _keep(record: R) -> R:
    return record


def _print(probes: Sequence[Probe], run: Run) -> None:
    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False)
    for column in ("role", "samples", "readable", "cut off", "distinct", "score: mean ± std", "tokens each"):
        table.add_column(column, justify="left" if column == "role" else "right")
    for probe in probes:
        table.add_row(*map(plain, probe.row()))
    console.print(table)
    faults = FaultCounts()
    for record in run.records():
        faults.add(record)
    if (found := faults.table()) is not None:
        console.print(found)
    hints = [hint for probe in probes for hint in probe.hints()]
    for line in [*hints, *([] if hints else ["Nothing to change."]), f"Read them: lemmata show {run.folder}"]:
        console.print(plain(line), soft_wrap=True)
