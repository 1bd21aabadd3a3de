"""Prompt reconstruction: a record stores only the digest of its prompt, which is built again from the run."""

from collections.abc import Mapping
from typing import Any

from core.errors import LemmataError
from core.records import Analysis, Comparison, Generated, Problem, Proof, Review, ToolTurn
from core.sections import answer_part
from core.templates import Templates
from explorer.index import LogIndex
from lab.prompts import named_templates
from policy.interface import user_prompt


def prompt_of(manifest: Mapping[str, Any], log: LogIndex, record: Generated) -> str:
    """Prompt of a record, or a sentence with the reason why it cannot be reconstructed."""
    try:
        text = _rebuilt(_templates(manifest), log, record)
    except LemmataError as error:
        return f"The prompt cannot be reconstructed: {error}"
    if user_prompt(text).digest not in {record.prompt, *_turn_prompts(log, record)}:
        return f"The prompt (digest {record.prompt}) is from templates that are not installed here ({record.template})."
    return text


def _turn_prompts(log: LogIndex, record: Generated) -> set[str]:
    """Digests of the prompts of the turns with tool calls before an answer; the first turn has the answer's."""
    turns = (log.read(row) for row in log.of_kind("tool_turn"))
    return {turn.prompt for turn in turns if isinstance(turn, ToolTurn) and turn.answer_id == record.id}


def _templates(manifest: Mapping[str, Any]) -> Templates:
    return named_templates(manifest.get("config", {}).get("prompts"))


def _rebuilt(templates: Templates, log: LogIndex, record: Generated) -> str:
    problem = _record(log, record.problem_id, Problem)
    if isinstance(record, Review):
        analysis = _record(log, record.analysis_id, Analysis)
        proof = _record(log, analysis.proof_id, Proof)
        return templates.meta_verification(problem.statement, proof.body or "", answer_part(analysis.answer) or "")
    if isinstance(record, Analysis):
        return templates.verification(problem.statement, _record(log, record.proof_id, Proof).body or "")
    if isinstance(record, Comparison):
        proofs = (_record(log, name, Proof).body or "" for name in (record.first_id, record.second_id))
        return templates.comparison(problem.statement, *proofs)
    if not record.parents:
        return templates.proof(problem.statement)
    proof = _record(log, record.parents[0], Proof)
    analyses = [_record(log, parent, Analysis).answer for parent in record.parents[1:]]
    critiques = [answer_part(text) or "" for text in analyses] or [proof.self_evaluation or ""]
    return templates.refinement(problem.statement, [(proof.body or "", critiques)])


def _record(log: LogIndex, record_id: str, kind: type) -> Any:
    row = log.by_id.get(record_id)
    record = log.read(row) if row else None
    if not isinstance(record, kind):
        raise LemmataError(f"record {record_id} is not in the log")
    return record
