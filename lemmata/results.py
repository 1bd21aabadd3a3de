"""Results of the Python interface: a refined problem, a verified proof, and a run read from its folder."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from core.log import read_log
from core.records import Analysis, Problem, Proof, Record, Review, Selection
from core.store import Run
from refine.acceptance import Decision
from verifier.aggregate import Tally

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Result:
    """One problem after the proof loop, with every record that led to the selection.

    ``run`` is the run folder; None where it was a temporary one.
    """

    problem: Problem
    selection: Selection
    records: tuple[Record, ...]
    run: Path | None

    @property
    def accepted(self) -> bool:
        """True if the chosen proof passed the acceptance rule."""
        return self.selection.accepted

    @property
    def proof(self) -> str | None:
        """The text of the chosen proof; None where no answer holds a proof."""
        return self.chosen.body if self.chosen else None

    @property
    def chosen(self) -> Proof | None:
        """The record of the chosen proof."""
        return next((proof for proof in self.proofs if proof.id == self.selection.proof_id), None)

    @property
    def score(self) -> float | None:
        """Mean verdict of the chosen proof, in [0, 1]; None without a verdict."""
        return self.selection.mean_score

    @property
    def rounds(self) -> int:
        """Number of rounds that the loop took."""
        return self.selection.rounds

    @property
    def reason(self) -> str:
        """The reason for the choice and for its acceptance or rejection."""
        return self.selection.reason

    @property
    def proofs(self) -> tuple[Proof, ...]:
        """All proofs in the order in which they were written."""
        return _of(Proof, self.records)

    @property
    def analyses(self) -> tuple[Analysis, ...]:
        """All analyses of all proofs."""
        return _of(Analysis, self.records)

    @property
    def reviews(self) -> tuple[Review, ...]:
        """All reviews of all analyses."""
        return _of(Review, self.records)


class Results(list[Result]):
    """Results of several problems in their order, without those that have none.

    ``set_aside``: a line for each of these, its name and the reason, such as a prompt that the server refuses.
    """

    def __init__(self, results: Iterable[Result], set_aside: Sequence[str]) -> None:
        super().__init__(results)
        self.set_aside = tuple(set_aside)


@dataclass(frozen=True, slots=True)
class Verification:
    """One given proof after its verification.

    ``decision``: the acceptance rule, the verdicts that counted, and those that did not; ``tally``: their aggregate;
    ``run``: the run folder, None where it was a temporary one.
    """

    problem: Problem
    proof: Proof
    decision: Decision
    tally: Tally
    records: tuple[Record, ...]
    run: Path | None

    @property
    def accepted(self) -> bool:
        """True if the proof passed the acceptance rule."""
        return self.decision.accepted

    @property
    def score(self) -> float | None:
        """Mean verdict, in [0, 1]; None without a verdict."""
        return self.tally.mean

    @property
    def analyses(self) -> tuple[Analysis, ...]:
        """The analyses of the proof."""
        return tuple(analysis for analysis in _of(Analysis, self.records) if analysis.proof_id == self.proof.id)

    @property
    def reviews(self) -> tuple[Review, ...]:
        """The reviews of the analyses."""
        wanted = {analysis.id for analysis in self.analyses}
        return tuple(review for review in _of(Review, self.records) if review.analysis_id in wanted)


@dataclass(frozen=True, slots=True)
class LoadedRun:
    """A run folder, read while or after another process writes it."""

    folder: Path
    command: str
    settings: Mapping[str, Any]

    def results(self) -> Iterator[Result]:
        """The finished problems of a run of ``lemmata refine`` (or ``lemmata.refine``)."""
        for path in Run.read(self.folder).log_paths():
            result = read_result(tuple(read_log(path)), self.folder)
            if result is not None:
                yield result

    def records(self) -> Iterator[Record]:
        """Every record, problem by problem."""
        return Run.read(self.folder).records()


def load_run(folder: str | Path) -> LoadedRun:
    """The run in ``folder``. Raises LemmataError where it is no run folder."""
    run = Run.read(folder)
    settings = dict(run.manifest["config"])
    return LoadedRun(run.folder, settings.pop("command"), settings)


def read_result(records: Sequence[Record], run: Path | None) -> Result | None:
    """The result that the records of one problem hold; None while the problem is unfinished."""
    problem = next(iter(_of(Problem, records)), None)
    selection = next(iter(_of(Selection, records)), None)
    return Result(problem, selection, tuple(records), run) if problem and selection else None


def _of(kind: type[R], records: Sequence[Record]) -> tuple[R, ...]:
    return tuple(record for record in records if isinstance(record, kind))
