"""Published tables of model solutions with their grades: one reader for each format, recognized by its columns.

A row becomes a `FoundProof`: statement, proof, model, and the grades that the format holds, each with its author.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.columns import Cells, Row
from core.errors import LemmataError
from core.grades import HUMAN, Points, read_points
from core.rubric import answer_part

AUTOMATIC = "automatic"


@dataclass(frozen=True, slots=True)
class FoundGrade:
    """A grade of a proof: points of a person or of an automatic grader, whose name is ``author``."""

    grader: str
    author: str
    points: Points
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundProof:
    """A proof with what its row says. ``attempt`` tells equal texts of one model apart; None: they are one proof."""

    statement: str
    proof: str
    model: str = ""
    name: str = ""
    reference: str | None = None
    answer: str | None = None
    guidelines: str | None = None
    attempt: int | None = None
    grades: tuple[FoundGrade, ...] = ()


@dataclass(frozen=True, slots=True)
class Format:
    """A published format: rows that have all ``columns``, and none of ``without``, are of it."""

    name: str
    columns: tuple[str, ...]
    read: Callable[[Row], FoundProof]
    without: tuple[str, ...] = ()

    def matches(self, cells: Cells) -> bool:
        """True for a row of this format."""
        return all(name in cells for name in self.columns) and not any(name in cells for name in self.without)


def format_of(cells: Cells) -> Format | None:
    """The format of a row; None for a table of no known format."""
    return next((each for each in FORMATS if each.matches(cells)), None)


def _text(row: Row, name: str) -> str:
    value = row.cells.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise LemmataError(f"{row.where}: column {name!r} holds no text ({type(value).__name__}): correct the row")
    return value


def _optional(row: Row, *names: str) -> str | None:
    for name in names:
        value = row.cells.get(name)
        if isinstance(value, str) and value.strip():
            return value
        if isinstance(value, int | float) and not isinstance(value, bool) and value == value:  # noqa: PLR0124 - no NaN
            return str(value)
    return None


def _word(row: Row, *names: str) -> str:
    return _optional(row, *names) or ""


def _grade(row: Row, grader: str, author: str, cell: Any, most: float, reason: str = "") -> Iterator[FoundGrade]:
    try:
        points = read_points(cell, most)
    except ValueError as error:
        raise LemmataError(f"{row.where}: the grade {cell!r:.40} by {author} {error}") from error
    if points is not None:
        yield FoundGrade(grader, author, points, reason)


def _matharena_proofs(row: Row) -> FoundProof:
    grades: list[FoundGrade] = []
    numbers = [name.removeprefix("points_judge_") for name in row.cells if name.startswith("points_judge_")]
    for number in numbers:
        most = row.cells.get(f"max_points_judge_{number}")
        maximum = float(most) if isinstance(most, int | float) and most > 0 else 7.0
        grades += _grade(row, HUMAN, f"MathArena judge {number}", row.cells[f"points_judge_{number}"], maximum)
    return _matharena(row, None, grades)


def _matharena_answers(row: Row) -> FoundProof:
    grades = _grade(row, AUTOMATIC, "MathArena answer check", row.cells.get("correct"), 1)
    return _matharena(row, _optional(row, "gold_answer"), list(grades))


def _matharena(row: Row, answer: str | None, grades: Sequence[FoundGrade]) -> FoundProof:
    index = row.cells.get("idx_answer")
    return FoundProof(
        statement=_text(row, "problem"),
        proof=_text(row, "answer"),
        model=_word(row, "model_name"),
        name=_word(row, "problem_idx"),
        answer=answer,
        attempt=index if isinstance(index, int) else None,
        grades=tuple(grades),
    )


def _open_proof_corpus(row: Row) -> FoundProof:
    scores, judges, feedback = (_listed(row.cells.get(name)) for name in ("score", "judge_id", "feedback"))
    grades: list[FoundGrade] = []
    for number, score in enumerate(scores):
        judge = judges[number] if number < len(judges) and judges[number] else number + 1
        reason = feedback[number] if number < len(feedback) and isinstance(feedback[number], str) else ""
        grades += _grade(row, HUMAN, f"Open Proof Corpus judge {judge}", score, 1, reason)
    return FoundProof(
        statement=_text(row, "problem"),
        proof=_text(row, "solution"),
        model=_word(row, "model_id"),
        name=_word(row, "problem_id"),
        reference=_optional(row, "ground_truth_solution"),
        grades=tuple(grades),
    )


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [] if value is None else [value]


def _grading_bench(row: Row) -> FoundProof:
    reason = _word(row, "Reward", "reward")
    points = row.cells.get("Points", row.cells.get("points"))
    return FoundProof(
        statement=_word(row, "Problem", "problem_statement"),
        proof=_word(row, "Response", "proof"),
        name=_word(row, "Problem ID", "problem_id"),
        reference=_optional(row, "Solution", "reference_solution"),
        guidelines=_optional(row, "Grading guidelines", "rubric"),
        grades=tuple(_grade(row, HUMAN, "IMO-GradingBench", points, 7, reason)),
    )


def _proof_bench(row: Row) -> FoundProof:
    number = row.cells.get("response_number")
    return FoundProof(
        statement=_text(row, "problem"),
        proof=_text(row, "model_solution"),
        model=_word(row, "generator"),
        name=_word(row, "problem_id"),
        reference=_optional(row, "reference_solution"),
        guidelines=_optional(row, "marking_scheme"),
        attempt=number if isinstance(number, int) else None,
        grades=tuple(_grade(row, HUMAN, "ProofBench expert", row.cells.get("expert_rating"), 7)),
    )


def _hard2verify(row: Row) -> FoundProof:
    steps, labels = row.cells["model_response_by_step"], row.cells["human_labels"]
    if isinstance(steps, str) or isinstance(labels, str):
        raise LemmataError(
            f"{row.where}: this Hard2Verify row is encrypted: decrypt it with the data set's own utilities, and import "
            "the result"
        )
    wrong = [number for number, label in enumerate(_listed(labels)) if label in (0, False)]
    return _stepwise(
        row,
        _text(row, "question"),
        _listed(steps),
        wrong[0] if wrong else None,
        "Hard2Verify",
        _word(row, "model", "model_name", "generator"),
        _word(row, "unique_id"),
    )


def _process_bench(row: Row) -> FoundProof:
    label = row.cells["label"]
    if isinstance(label, bool) or not isinstance(label, int):
        raise LemmataError(f"{row.where}: label={label!r:.40} is no index of a step (-1: no wrong step)")
    wrong = None if label < 0 else label
    name = _word(row, "id")
    return _stepwise(
        row, _text(row, "problem"), _listed(row.cells["steps"]), wrong, "ProcessBench", _word(row, "generator"), name
    )


def _stepwise(
    row: Row, statement: str, steps: Sequence[Any], wrong: int | None, author: str, model: str, name: str
) -> FoundProof:
    """A solution in steps; the first wrong one is annotated as `core.champ` reads it."""
    texts = [str(step).strip() for step in steps]
    if wrong is not None and wrong >= len(texts):
        raise LemmataError(f"{row.where}: step {wrong} is said to be wrong, and there are {len(texts)} (from 0 on)")
    reason = "no wrong step"
    if wrong is not None:
        start = sum(len(text) + 2 for text in texts[:wrong])
        reason = f"first wrong step: characters {start} to {start + len(texts[wrong])}"
    points = Points(0.0 if wrong is not None else 1.0, 1.0)
    return FoundProof(
        statement=statement,
        proof="\n\n".join(texts),
        model=model,
        name=name,
        grades=(FoundGrade(HUMAN, author, points, reason),),
    )


# The first lines of a judge's prompt: the answer to it is no proof.
_JUDGES_TASK = re.compile(
    r"(?:quality|correctness) of (?:an?|the|this) (?:[\w'’-]+ )?(?:proof|solution)|proposed (?:proof|solution)"
    r"|candidate (?:proofs|solutions)|grad(?:e|ing) (?:an?|the|this) (?:proof|solution)",
    re.IGNORECASE,
)
_JUDGES_HEAD = 600  # characters of a prompt
# An instruction before the statement: "Solve the following math problem. ... put the answer inside \\boxed{}."
_INSTRUCTION = re.compile(
    r"\A\s*(?:please )?(?:solve|answer|work out) (?:the )?(?:following|below|given)[^\n]{0,40} "
    r"(?:problem|question|exercise)[^\n]{0,300}\n\s*\n",
    re.IGNORECASE,
)


def _nemo_gym(row: Row) -> FoundProof:
    """A rollout of a solver; of a judge whose row holds the judged proof, that proof with both judgments."""
    request, response = row.cells["responses_create_params"], row.cells["response"]
    if not isinstance(request, Mapping) or not isinstance(response, Mapping):
        raise LemmataError(
            f"{row.where}: responses_create_params and response must be objects, as NeMo Gym writes them"
        )
    asked = request.get("input")
    prompt = _last(asked if isinstance(asked, list) else [{"role": "user", "content": asked}], "user")
    if "expected_judgement" in row.cells and _optional(row, "proof"):
        return _judged_by_nemo_gym(row, response)
    own = _word(row, "problem", "question", "problem_statement")
    if not own and _JUDGES_TASK.search(prompt[:_JUDGES_HEAD]):
        raise LemmataError(
            f"{row.where}: this is a judge's answer about a proof that stands in its prompt alone, and no proof: "
            "import the proofs that were judged, with the judge's scores in a column of grades"
        )
    outputs = [item for item in _listed(response.get("output")) if isinstance(item, Mapping)]
    texts = [content_text(item.get("content")) for item in outputs if item.get("type", "message") == "message"]
    return FoundProof(
        statement=own or _INSTRUCTION.sub("", prompt, count=1),
        proof=_without_thoughts(texts[-1] if texts else ""),
        model=str(response.get("model") or ""),
        name=_word(row, "problem_id", "uuid", "id"),
        reference=_optional(row, "reference_solution"),
        answer=_optional(row, "expected_answer"),
        guidelines=_optional(row, "rubric"),
        grades=tuple(
            grade
            for author, name, most in (
                ("NeMo Gym reward", "reward", 1.0),
                ("NeMo Gym answer check", "library_reward", 1.0),
                ("NeMo Gym judge", "judge_points", 7.0),
            )
            if isinstance(value := row.cells.get(name), int | float) and 0 <= value <= most
            for grade in _grade(row, AUTOMATIC, author, value, most)
        ),
    )


def _judged_by_nemo_gym(row: Row, response: Mapping[str, Any]) -> FoundProof:
    grades: list[FoundGrade] = []
    judge = str(response.get("model") or "not stated")
    for author, name in (("NeMo Gym reference", "expected_judgement"), (f"judge {judge}", "extracted_judgement")):
        verdict = _word(row, name).casefold().removeprefix("judgement:").strip(" *.")
        grades += _grade(row, AUTOMATIC, author, verdict, 1)
    return FoundProof(
        statement=_word(row, "problem"),
        proof=_text(row, "proof"),
        name=_word(row, "problem_id"),
        grades=tuple(grades),
    )


def _nemo_skills(row: Row) -> FoundProof:
    grades = [*_grade(row, AUTOMATIC, "NeMo-Skills answer check", row.cells.get("symbolic_correct"), 1)]
    judgment = _word(row, "judgement").strip().casefold()
    if "judgement:" in judgment:
        verdict = judgment.rpartition("judgement:")[2].strip(" *.").split()[:1]
        grades += _grade(row, AUTOMATIC, "NeMo-Skills judge", verdict[0] if verdict else None, 1)
    return FoundProof(
        statement=_word(row, "problem", "question", "problem_statement"),
        proof=_without_thoughts(_text(row, "generation")),
        model=_word(row, "model", "model_name", "generator"),
        name=_word(row, "problem_id", "id", "uuid"),
        reference=_optional(row, "reference_solution"),
        answer=_optional(row, "expected_answer"),
        grades=tuple(grades),
    )


def _chat(row: Row) -> FoundProof:
    name = next(name for name in ("messages", "conversations", "conversation") if name in row.cells)
    messages = row.cells[name]
    if isinstance(messages, str):
        try:
            messages = json.loads(messages)
        except ValueError as error:
            raise LemmataError(f"{row.where}: column {name!r} holds no list of messages ({error})") from error
    return FoundProof(
        statement=_word(row, "problem", "question", "statement") or _last(_listed(messages), "user"),
        proof=_without_thoughts(_last(_listed(messages), "assistant")),
        model=_word(row, "model", "model_name", "generator"),
        name=_word(row, "id", "uuid", "problem_id"),
    )


_ROLES = {"human": "user", "gpt": "assistant", "model": "assistant"}  # of ShareGPT


def _last(messages: Sequence[Any], role: str) -> str:
    """Text of the last message of a role, in the forms of OpenAI and of ShareGPT."""
    for message in reversed(messages):
        if isinstance(message, Mapping):
            stated = str(message.get("role") or message.get("from") or "")
            if _ROLES.get(stated, stated) == role:
                return content_text(message.get("content", message.get("value")))
    return ""


def content_text(content: Any) -> str:
    """Text of a message's content: itself, or its parts of text, without reasoning."""
    if isinstance(content, str):
        return content
    parts = [part for part in _listed(content) if isinstance(part, Mapping)]
    return "".join(str(part["text"]) for part in parts if isinstance(part.get("text"), str))


def _without_thoughts(text: str) -> str:
    return (answer_part(text) or "").strip()


FORMATS = (
    Format("MathArena, proofs", ("problem", "model_name", "answer", "points_judge_1"), _matharena_proofs),
    Format("MathArena, answers", ("problem", "model_name", "answer", "gold_answer", "correct"), _matharena_answers),
    Format("Open Proof Corpus", ("problem", "solution", "model_id", "score"), _open_proof_corpus),
    Format("IMO-GradingBench", ("Problem", "Response", "Points"), _grading_bench),
    Format("IMO-GradingBench", ("grading_id", "problem_statement", "proof", "points"), _grading_bench),
    Format("ProofBench", ("problem", "model_solution", "expert_rating"), _proof_bench),
    Format("Hard2Verify", ("question", "model_response_by_step", "human_labels"), _hard2verify),
    Format("ProcessBench", ("problem", "steps", "label"), _process_bench),
    Format("NeMo Gym", ("responses_create_params", "response"), _nemo_gym),
    Format("NeMo-Skills", ("generation",), _nemo_skills, ("proof",)),
    *(Format("chat messages", (name,), _chat, ("proof",)) for name in ("messages", "conversations", "conversation")),
)
