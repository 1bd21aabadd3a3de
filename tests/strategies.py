"""Records of every kind with hostile contents, for hypothesis."""

from typing import Any

from hypothesis import strategies as st

from core.records import (
    Analysis,
    Grading,
    Label,
    Problem,
    Proof,
    Record,
    Refusal,
    Review,
    Selection,
    StatementReport,
    Usage,
    Withdrawal,
)

# Any text that UTF-8 can hold: NUL, separators that some readers take for line ends, right-to-left marks, emoji.
text = st.text(st.characters(codec="utf-8"), max_size=40) | st.sampled_from(
    [
        "",
        "\x00",
        "\r\n\n",
        "\u2028\u2029\x85\x0b\x1c",
        '"\\"',
        "</think>",
        "[/bold]",
        "\ufeff",
        "\U0001f600 \u202e",
        "a" * 5000,
    ]
)
names = st.text("0123456789abcdef", min_size=16, max_size=16)
score = st.sampled_from([0.0, 0.5, 1.0])
number = st.floats(allow_nan=False, allow_infinity=False)
count = st.integers(0, 2**53)
maybe_text = st.none() | text
several = st.lists(text, max_size=3).map(tuple)
usage = st.none() | st.builds(Usage, count, count, count, count, number)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | number | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)

problems = st.builds(
    Problem,
    id=names,
    statement=text,
    name=text,
    source=text,
    reference=maybe_text,
    answer=maybe_text,
    guidelines=maybe_text,
    extra=st.dictionaries(text, json_values, max_size=3),
)

_generated: dict[str, Any] = {
    "id": names,
    "problem_id": names,
    "parents": st.lists(names, min_size=1, max_size=3).map(tuple),
    "round": count,
    "index": count,
    "policy": text,
    "model": text,
    "template": text,
    "prompt": names,
    "seed": st.integers(0, 2**31 - 1),
    "text": text,
    "reasoning": maybe_text,
    "finish_reason": text,
    "usage": usage,
    "request": names,
    "seconds": number,
    "created": text,
}
proofs = st.builds(Proof, **_generated, self_score=st.none() | score, faults=several)
analyses = st.builds(Analysis, **_generated, proof_id=names, score=st.none() | score, fault=maybe_text)
gradings = st.builds(
    Grading, **_generated, proof_id=names, points=st.none() | number, max_points=number, fault=maybe_text
)
reviews = st.builds(Review, **_generated, analysis_id=names, score=st.none() | score, fault=maybe_text)
refusals = st.builds(
    Refusal,
    id=names,
    problem_id=names,
    parents=st.lists(names, max_size=3).map(tuple),
    role=text,
    policy=text,
    prompt=names,
    seed=st.integers(0, 2**31 - 1),
    error=text,
    created=text,
)
labels = st.builds(
    Label,
    id=names,
    problem_id=names,
    proof_id=names,
    grader=text,
    author=text,
    score=st.none() | number,
    points=st.none() | number,
    max_points=st.none() | number,
    reason=text,
    created=text,
    passage=maybe_text,
    passage_start=st.none() | count,
    passage_end=st.none() | count,
)
reports = st.builds(StatementReport, id=names, problem_id=names, author=text, reason=text, created=text)
withdrawals = st.builds(Withdrawal, id=names, problem_id=names, withdrawn_id=names, author=text, created=text)
selections = st.builds(
    Selection,
    id=names,
    problem_id=names,
    proof_id=st.none() | names,
    rule=text,
    accepted=st.booleans(),
    mean_score=st.none() | score,
    verdicts=count,
    self_score=st.none() | score,
    rounds=count,
    reason=text,
    created=text,
)
records: st.SearchStrategy[Record] = st.one_of(
    problems, proofs, analyses, reviews, gradings, refusals, labels, reports, withdrawals, selections
)


def distinct(kind: st.SearchStrategy[Any] = records, most: int = 6) -> st.SearchStrategy[list[Any]]:
    """Lists of records with distinct ids, as a log holds them."""
    return st.lists(kind, max_size=most, unique_by=lambda record: record.id)
