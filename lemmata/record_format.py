"""Text form of records for the terminal: one line, all fields, JSON, or the tree of a problem."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence

from rich.tree import Tree

from core.records import (
    Analysis,
    Comparison,
    ContextChange,
    ContextSummary,
    Generated,
    Grading,
    Label,
    Problem,
    Proof,
    Record,
    Refusal,
    Review,
    Selection,
    StatementReport,
    ToolOutput,
    ToolTurn,
    to_json,
)
from lemmata.terminal import plain


def headline(record: Record) -> str:
    """A record in one line."""
    if isinstance(record, Proof):
        basis = f" refines {', '.join(record.parents)}" if record.parents else ""
        own = "no self-score" if record.self_score is None else f"self-score {record.self_score:g}"
        faults = f" [{'; '.join(record.faults)}]" if record.faults else ""
        return f"proof {record.id} round {record.round}{basis}: {own}{faults}"
    if isinstance(record, Analysis | Review | Grading | Comparison):
        return _verdict_headline(record)
    if isinstance(record, Label | StatementReport):
        return _label_headline(record)
    if isinstance(record, ToolTurn | ToolOutput | ContextChange):
        return _tool_headline(record)
    if isinstance(record, Refusal):
        return f"refused {record.role} {record.id}: {record.error}"
    return f"{record.kind} {record.id}"


def _verdict_headline(record: Analysis | Review | Grading | Comparison) -> str:
    if isinstance(record, Comparison):
        return _comparison_headline(record)
    if isinstance(record, Grading):
        grade = (
            f"no points ({record.fault})" if record.points is None else f"{record.points:g} of {record.max_points:g}"
        )
        return f"grading {record.id} by {record.model or record.policy}: {grade}"
    verdict = f"score {record.score:g}" if record.score is not None else f"no verdict ({record.fault})"
    return f"{record.kind} {record.id}: {verdict}"


def _comparison_headline(record: Comparison) -> str:
    if record.score is None:
        choice = f"no choice ({record.fault})"
    else:
        choice = f"prefers {record.preferred}" if record.preferred else "neither is better"
    return f"comparison {record.id} of {record.first_id} (first) and {record.second_id}: {choice}"


def _tool_headline(record: ToolTurn | ToolOutput | ContextChange) -> str:
    if isinstance(record, ToolTurn):
        calls = "1 call" if len(record.calls) == 1 else f"{len(record.calls)} calls"
        return f"tool turn {record.id} of {record.role} {record.answer_id}: {calls}"
    if isinstance(record, ToolOutput):
        return f"tool output {record.id}: {record.tool} {record.status} after {record.seconds:g} s"
    return (
        f"context change {record.id} by {record.context_policy}: {len(record.dropped)} turns dropped, "
        f"about {record.tokens_before} tokens to {record.tokens_after}"
    )


def _label_headline(record: Label | StatementReport) -> str:
    if isinstance(record, StatementReport):
        return f"report of the statement by {record.author}: {record.reason}"
    return f"label by {record.grader} ({record.author}): {label_score(record)} {record.reason}"


def label_score(label: Label) -> str:
    """The score of a label in words."""
    return "undecided" if label.score is None else f"score {label.score:g}"


def record_lines(record: Record) -> Iterator[str]:
    """A record in full: its fields, then its texts."""
    yield headline(record)
    hidden = {"text", "reasoning", "kind", "id", *(("arguments",) if isinstance(record, ToolOutput) else ())}
    for key, value in to_json(record).items():
        if key not in hidden and value not in (None, "", [], (), {}):
            yield f"  {key}: {value}"
    if isinstance(record, Generated):
        if record.reasoning:
            yield f"\n--- reasoning ---\n{record.reasoning}"
        yield f"\n--- text ---\n{record.text}"
    if isinstance(record, ToolOutput):
        yield f"\n--- call ---\n{called_text(record)}"
        yield f"\n--- output ---\n{record.text}"


def called_text(output: ToolOutput) -> str:
    """The text that a tool was called with: its code where the arguments are that, else the arguments as they came."""
    try:
        value = json.loads(output.arguments, strict=False)
    except (ValueError, RecursionError):
        return output.arguments
    code = value.get("code") if isinstance(value, dict) else None
    return code if isinstance(code, str) else output.arguments


def raw_json(record: Record) -> str:
    """``record`` as JSON, with escapes for every character that a terminal would not show."""
    text = json.dumps(to_json(record), ensure_ascii=False, indent=2)
    return "".join(char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1] for char in text)


def problem_tree(problem: Problem, records: Sequence[Record]) -> Tree:
    """Problem, proofs by round, their analyses, reviews and labels, comparisons of two proofs, and the selection."""
    tree = Tree(plain(f"problem {problem.id} {problem.name}", style="bold"))
    tree.add(plain(problem.statement))
    children: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        if isinstance(record, Analysis | Review | Grading):
            children[record.parents[0]].append(record)
        if isinstance(record, ToolTurn | ContextSummary | ContextChange):
            children[record.answer_id].append(record)
        if isinstance(record, ToolOutput):
            children[record.parents[0]].append(record)
        if isinstance(record, Label):
            children[record.analysis_id or record.proof_id].append(record)
    for record in records:
        if isinstance(record, Proof | Comparison | Refusal | StatementReport):
            _grow(tree, record, children)
        if isinstance(record, Selection):
            tree.add(plain(f"selection: {record.proof_id or 'none'}: {record.reason}", style="bold"))
    return tree


def _grow(tree: Tree, record: Record, children: dict[str, list[Record]]) -> None:
    branch = tree.add(plain(headline(record)))
    for child in children[record.id]:
        _grow(branch, child, children)
