"""Existing proofs as records: from another run, or from the released outputs of DeepSeekMath-V2."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from core.errors import LemmataError
from core.finish import STOP
from core.ids import digest
from core.labels import read_with_labels
from core.records import IMPORTED, Label, Problem, Proof, Record
from core.released import ReleasedProof, read_released
from core.store import Run, now

Group = tuple[Problem, Sequence[Record]]


def records_of_run(run: Run, keep: Callable[[Record], bool]) -> Iterator[Group]:
    """The problems of a run with those of their records that ``keep`` chooses."""
    for path in run.log_paths():
        records = list(read_with_labels(path))
        problem = records[0] if records else None
        if isinstance(problem, Problem):
            yield problem, [record for record in records if record is not problem and keep(record)]


def is_released(source: str) -> bool:
    """True for an outputs file of DeepSeekMath-V2, or a folder that holds only such files."""
    path = Path(source)
    files = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    return bool(files) and all(_mentions_ratings(file) for file in files)


def _mentions_ratings(file: Path) -> bool:
    if file.suffix != ".jsonl" or not file.is_file():
        return False
    with file.open("rb") as lines:
        first = lines.readline(1 << 20)
    return b'"average_automatic_rating"' in first and b'"human_rating"' in first


def records_of_released(source: str) -> Iterator[Group]:
    """The released proofs, each with its automatic and its human label."""
    for released in read_released(source):
        problem = released.problem
        proof = imported_proof(problem, released.proof, model="DeepSeekMath-V2")
        yield problem, [proof, *_labels(proof, released)]


def _labels(proof: Proof, released: ReleasedProof) -> Iterator[Label]:
    yield Label(
        id=digest("label", "released-automatic", proof.id),
        problem_id=proof.problem_id,
        proof_id=proof.id,
        grader="automatic",
        author="DeepSeekMath-V2 verifier",
        score=released.automatic_mean,
        reason="mean of 64 automatic verdicts, as released",
        created=now(),
    )
    yield Label(
        id=digest("label", "released-human", proof.id),
        problem_id=proof.problem_id,
        proof_id=proof.id,
        grader="human",
        author="DeepSeek-AI, as released",
        score=released.human_points / released.max_points,
        points=released.human_points,
        max_points=released.max_points,
        created=now(),
    )


def imported_proof(problem: Problem, text: str, *, model: str) -> Proof:
    """The record of a proof from outside this run; its whole text is the proof.

    Raises:
        LemmataError: the text is empty.
    """
    if not text.strip():
        raise LemmataError(f"the proof of problem {problem.name or problem.id} is empty; delete that row.")
    return imported_attempt(problem, text, model=model)


def imported_attempt(problem: Problem, text: str, *, model: str, copy: str = "", finish_reason: str = STOP) -> Proof:
    """The same of an answer that may be empty or cut off (``finish_reason``): then it is an attempt without a proof.

    ``copy`` tells it apart from an equal answer to the problem.
    """
    return Proof(
        id=digest(IMPORTED, problem.id, text, *([copy] if copy else [])),
        problem_id=problem.id,
        parents=(),
        round=0,
        index=0,
        policy=IMPORTED,
        model=model,
        template=IMPORTED,
        prompt="",
        seed=0,
        text=text,
        faults=() if text.strip() else ("empty proof",),
        finish_reason=finish_reason,
        usage=None,
        request="",
        seconds=0.0,
        created=now(),
    )
