"""Readers of rollouts and conversations: NeMo Gym, NeMo-Skills, lm-evaluation-harness, chat messages."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from core.columns import Row
from core.errors import LemmataError
from core.finish import LENGTH, published_reason
from core.found_proofs import (
    AUTOMATIC,
    FoundGrade,
    FoundProof,
    cell_or_empty,
    content_text,
    found_grades,
    listed,
    optional_cell,
    text_cell,
    without_thoughts,
)
from core.grades import Points

CHAT_COLUMNS = ("messages", "conversations", "conversation")
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


def nemo_gym(row: Row) -> FoundProof:
    """A rollout of a solver; of a judge whose row holds the judged proof, that proof with both judgments."""
    request, response = row.cells["responses_create_params"], row.cells["response"]
    if not isinstance(request, Mapping) or not isinstance(response, Mapping):
        raise LemmataError(
            f"{row.where}: responses_create_params and response must be objects, as NeMo Gym writes them"
        )
    asked = request.get("input")
    prompt = _last(asked if isinstance(asked, list) else [{"role": "user", "content": asked}], "user")
    if "expected_judgement" in row.cells and optional_cell(row, "proof"):
        return _judged_by_nemo_gym(row, response)
    own = cell_or_empty(row, "problem", "question", "problem_statement")
    if not own and _JUDGES_TASK.search(prompt[:_JUDGES_HEAD]):
        raise LemmataError(
            f"{row.where}: this is a judge's answer about a proof that stands in its prompt alone, and no proof: "
            "import the proofs that were judged, with the judge's scores in a column of grades"
        )
    outputs = [item for item in listed(response.get("output")) if isinstance(item, Mapping)]
    texts = [content_text(item.get("content")) for item in outputs if item.get("type", "message") == "message"]
    return FoundProof(
        statement=own or _INSTRUCTION.sub("", prompt, count=1),
        proof=without_thoughts(texts[-1] if texts else ""),
        model=str(response.get("model") or ""),
        name=cell_or_empty(row, "problem_id", "uuid", "id"),
        reference=optional_cell(row, "reference_solution"),
        answer=optional_cell(row, "expected_answer"),
        guidelines=optional_cell(row, "rubric"),
        finish_reason=_end_of_response(response),
        grades=tuple(
            grade
            for author, name, most in (
                ("NeMo Gym reward", "reward", 1.0),
                ("NeMo Gym answer check", "library_reward", 1.0),
                ("NeMo Gym judge", "judge_points", 7.0),
            )
            if isinstance(value := row.cells.get(name), int | float) and 0 <= value <= most
            for grade in found_grades(row, AUTOMATIC, author, value, most)
        ),
    )


def _end_of_response(response: Mapping[str, Any]) -> str:
    """The finish reason of a response in the form of OpenAI's Responses API."""
    details = response.get("incomplete_details")
    reason = details.get("reason") if isinstance(details, Mapping) else None
    if reason == "max_output_tokens" or (reason is None and response.get("status") == "incomplete"):
        return LENGTH
    return published_reason(reason)


def _judged_by_nemo_gym(row: Row, response: Mapping[str, Any]) -> FoundProof:
    grades: list[FoundGrade] = []
    judge = str(response.get("model") or "not stated")
    for author, name in (("NeMo Gym reference", "expected_judgement"), (f"judge {judge}", "extracted_judgement")):
        verdict = cell_or_empty(row, name).casefold().removeprefix("judgement:").strip(" *.")
        grades += found_grades(row, AUTOMATIC, author, verdict, 1)
    return FoundProof(
        statement=cell_or_empty(row, "problem"),
        proof=text_cell(row, "proof"),
        name=cell_or_empty(row, "problem_id"),
        grades=tuple(grades),
    )


def nemo_skills(row: Row) -> FoundProof:
    grades = [*found_grades(row, AUTOMATIC, "NeMo-Skills answer check", row.cells.get("symbolic_correct"), 1)]
    judgment = cell_or_empty(row, "judgement").strip().casefold()
    if "judgement:" in judgment:
        verdict = judgment.rpartition("judgement:")[2].strip(" *.").split()[:1]
        grades += found_grades(row, AUTOMATIC, "NeMo-Skills judge", verdict[0] if verdict else None, 1)
    return FoundProof(
        statement=cell_or_empty(row, "problem", "question", "problem_statement"),
        proof=without_thoughts(text_cell(row, "generation")),
        model=cell_or_empty(row, "model", "model_name", "generator"),
        name=cell_or_empty(row, "problem_id", "id", "uuid"),
        reference=optional_cell(row, "reference_solution"),
        answer=optional_cell(row, "expected_answer"),
        finish_reason=published_reason(row.cells.get("finish_reason")),
        grades=tuple(grades),
    )


def lm_eval_answer(row: Row) -> FoundProof:
    suffix = f" ({stated})" if (stated := cell_or_empty(row, "filter")) not in ("", "none") else ""
    return FoundProof(
        statement=text_cell(row, "statement"),
        proof=text_cell(row, "lm_eval_answer"),
        name=cell_or_empty(row, "name"),
        answer=optional_cell(row, "target"),
        attempt=row.cells["attempt"],
        grades=tuple(
            FoundGrade(AUTOMATIC, f"lm-eval {name.partition(',')[0]}{suffix}", Points(value, 1.0))
            for name, value in row.cells["metrics"].items()
        ),
    )


def chat_messages(row: Row) -> FoundProof:
    name = next(name for name in CHAT_COLUMNS if name in row.cells)
    messages = row.cells[name]
    if isinstance(messages, str):
        try:
            messages = json.loads(messages)
        except ValueError as error:
            raise LemmataError(f"{row.where}: column {name!r} holds no list of messages ({error})") from error
    return FoundProof(
        statement=cell_or_empty(row, "problem", "question", "statement") or _last(listed(messages), "user"),
        proof=without_thoughts(_last(listed(messages), "assistant")),
        model=cell_or_empty(row, "model", "model_name", "generator"),
        name=cell_or_empty(row, "id", "uuid", "problem_id"),
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
