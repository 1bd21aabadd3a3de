"""Record files of a co-training run: reads and checks them; an error names the file and the line."""

import json
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from core.errors import LemmataError

Row = Mapping[str, Any]
Check = Callable[[Any], bool]
FIX = "Remove the folder of that step and run the same `lemmata cotrain` again, which repeats the step."


@dataclass(frozen=True, slots=True)
class Rows:
    """The records of one file; ``source`` is its path within the run."""

    source: str
    rows: Sequence[Row]


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _score(value: Any) -> bool:
    return value is None or (_number(value) and 0 <= value <= 1)


def _known_score(value: Any) -> bool:
    return value is not None and _score(value)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _list_of(check: Check) -> Check:
    return lambda value: isinstance(value, list) and all(check(item) for item in value)


def _record_of(fields: Mapping[str, Check]) -> Check:
    return lambda value: isinstance(value, dict) and all(k in value and ok(value[k]) for k, ok in fields.items())


_PROOF: Mapping[str, Check] = {
    "truth": _known_score,
    "self_score": _score,
    "format": lambda value: isinstance(value, bool),
    "tokens": _whole,
}
_ANALYSIS: Mapping[str, Check] = {
    "case": _whole,
    "label": _known_score,
    "score": _score,
    "quality": _score,
    "tokens": _whole,
}
_REVIEW: Mapping[str, Check] = {"quality": _known_score, "rating": _score, "tokens": _whole}
_CHAIN: Mapping[str, Check] = {
    "chain": _whole,
    "rounds": lambda value: _list_of(_record_of(_PROOF))(value) and len(value) > 0,
}
_VERIFIED: Mapping[str, Check] = {
    **_PROOF,
    "scores": _list_of(_score),
    "accepted": lambda value: isinstance(value, bool),
    "verifier_tokens": _whole,
}
_VERIFIED_CHAIN: Mapping[str, Check] = {
    "chain": _whole,
    "rounds": lambda value: _list_of(_record_of(_VERIFIED))(value) and len(value) > 0,
}
_EXAMINED: Mapping[str, Check] = {
    "truth": _known_score,
    "analyses": _list_of(_record_of({"score": _score, "reviews": _list_of(_score)})),
}
FIELDS: Mapping[str, Mapping[str, Check]] = {
    "prover.jsonl": _PROOF,
    "verifier.jsonl": _ANALYSIS,
    "verifier-real.jsonl": _ANALYSIS,
    "meta-verifier.jsonl": _REVIEW,
    "meta-verifier-real.jsonl": _REVIEW,
    "refinement.jsonl": _CHAIN,
    "verify-refine.jsonl": _VERIFIED_CHAIN,
    "examined.jsonl": _EXAMINED,
    "metrics.jsonl": {"step": _whole, "stage": lambda value: isinstance(value, str)},
}
VALIDATED = ("prover", "verifier", "meta_verifier")  # roles whose accuracy candidates are compared by
GROWING = "metrics.jsonl"  # written while training runs; the other files appear complete


def read_rows(run: Path, step: str, name: str) -> Rows | None:
    """The records of file ``name`` of a step; None where there is no such file.

    An incomplete last line of the metrics, which is still being written, is left out. Raises LemmataError where a line
    is damaged.
    """
    path = run / "steps" / step / name
    source = path.relative_to(run).as_posix()
    if not path.exists():
        return None
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise LemmataError(f"{path} cannot be read: {error}. {FIX}") from error
    if lines[-1] and name != GROWING:
        raise LemmataError(f"{path} line {len(lines)} is damaged: it is incomplete. {FIX}")
    return Rows(source, [_parse(line, path, number, FIELDS[name]) for number, line in enumerate(lines[:-1], 1)])


def read_object(path: Path) -> Row | None:
    """A small JSON file that holds one object; None where there is none. Raises LemmataError where it is damaged."""
    try:
        return _object(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise LemmataError(f"{path} is damaged: {error}. {FIX}") from error


def read_choice(run: Path, step: str) -> Row | None:
    """The candidate that a step chose, and all candidates' scores on the validation stream; None without the file.

    Raises LemmataError where it is damaged.
    """
    path = run / "steps" / step / "choice.json"
    choice = read_object(path)
    scores = _record_of(dict.fromkeys(VALIDATED, _score))
    if choice is not None:
        validation = choice.get("validation")
        if "chosen" not in choice or not isinstance(validation, dict) or not all(map(scores, validation.values())):
            raise LemmataError(f"{path} is damaged: no candidates with their scores. {FIX}")
    return choice


def theorem(row: Row, place: int) -> tuple[Any, ...]:
    """The identity of a record's theorem; without coordinates it is the record's ``place`` in the file."""
    if "family" not in row:
        return ("record", place)
    return tuple(str(row.get(name)) for name in ("family", "level", "seed", "split"))


def cluster(row: Row, place: int) -> Hashable:
    """The cluster of a record in intervals: claims about one left side share most of a proof. Else its theorem."""
    return row.get("left_side") or theorem(row, place)


def _parse(line: str, path: Path, number: int, fields: Mapping[str, Check]) -> Row:
    try:
        row = _object(line)
        for name, ok in fields.items():
            if name not in row or not ok(row[name]):
                raise ValueError(f"`{name}` is {'missing' if name not in row else 'invalid: ' + repr(row[name])[:40]}")
    except (ValueError, RecursionError) as error:
        raise LemmataError(f"{path} line {number} is damaged: {error}. {FIX}") from error
    return row


def _object(text: str) -> Row:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value
