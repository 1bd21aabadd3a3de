"""Graders of a report: one key for each grader, none mixed with another, and the names under which they are shown."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from statistics import fmean

from core.records import Grading
from evaluation.answer_judge import PREFIX

VERIFIER, JUDGE, PANEL, AUTOMATIC, ANSWER_JUDGE = "verifier", "judge", "panel", "automatic", "answer judge"
# In the order of a report; judges and automatic graders of several authors have keys of their own.
KINDS = (VERIFIER, JUDGE, PANEL, AUTOMATIC, "auto", "exact", "answer", ANSWER_JUDGE, "human")
_SEPARATOR = "\t"


def judge_key(grading: Grading) -> str:
    """Key of the judge that gave a grading: its model, policy and prompt."""
    kind = ANSWER_JUDGE if grading.template.startswith(PREFIX) else JUDGE
    return _SEPARATOR.join((kind, grading.model, grading.policy, grading.template))


def automatic_key(author: str) -> str:
    """Key of an imported automatic grader."""
    return _SEPARATOR.join((AUTOMATIC, author))


def kind_of(key: str) -> str:
    """Kind of a grader, of its key or of the name under which it is shown."""
    kind = key.partition(_SEPARATOR)[0]
    return next((known for known in sorted(KINDS, key=len, reverse=True) if kind.startswith(known)), kind)


def order(name: str) -> tuple[int, str]:
    """Sorts names of graders in the order of a report."""
    kind = kind_of(name)
    return KINDS.index(kind) if kind in KINDS else len(KINDS), name


def is_member(key: str, panel: Collection[str]) -> bool:
    """True for the key of a judge whose policy belongs to a panel."""
    kind, *parts = key.split(_SEPARATOR)
    return kind == JUDGE and len(parts) == 3 and parts[1] in panel


def shown_names(keys: Iterable[str]) -> dict[str, str]:
    """Name of each key, in the order of a report: the kind alone for its only grader, else with what tells it apart."""
    known = sorted(dict.fromkeys(keys), key=order)
    return {key: _name(key, [other for other in known if kind_of(other) == kind_of(key)]) for key in known}


def _name(key: str, of_kind: Sequence[str]) -> str:
    kind, *parts = key.split(_SEPARATOR)
    if len(of_kind) == 1 or not parts:
        return kind
    for length in range(1, len(parts) + 1):
        if sum(other.split(_SEPARATOR)[1 : length + 1] == parts[:length] for other in of_kind) == 1:
            return f"{kind} {', '.join(parts[:length])}"
    return f"{kind} {', '.join(parts)}"


def panel_score(scores: Mapping[str, float | None]) -> float | None:
    """Mean over the judges of a panel that gave a score; None unless at least half of them did."""
    known = [score for score in scores.values() if score is not None]
    return fmean(known) if known and 2 * len(known) >= len(scores) else None
