"""Labeled cases: the table format of labeled proofs (D_v), labeled analyses (D_mv) and critiques.

The explorer exports what people labeled in it; training reads it (`rl.tasks.tables`). A row has ``statement`` and
``proof``, and by its use ``label``, ``analysis`` and ``quality``; the other columns state where it is from.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.errors import LemmataError
from core.json_lines import write_json_lines
from core.rubric import SCORES

COLUMNS = ("statement", "proof", "label", "analysis", "quality")
ORIGIN = ("problem", "proof_id", "analysis_id", "model", "labelers", "reasons")


@dataclass(frozen=True, slots=True)
class LabeledCase:
    """A proof, with an analysis of it where there is one, and the known labels of both, each in {0, 0.5, 1}.

    ``problem``: name; ``model``: writer of the labeled text; ``labelers`` with the ``reasons`` of each, in one order.
    """

    statement: str
    proof: str
    label: float | None = None
    analysis: str = ""
    quality: float | None = None
    problem: str = field(default="", kw_only=True)
    proof_id: str = field(default="", kw_only=True)
    analysis_id: str = field(default="", kw_only=True)
    model: str = field(default="", kw_only=True)
    labelers: tuple[str, ...] = field(default=(), kw_only=True)
    reasons: tuple[str, ...] = field(default=(), kw_only=True)

    def row(self) -> dict[str, Any]:
        """The cells of its row by column; the columns of its origin only where they are known."""
        origin = {name: getattr(self, name) for name in ORIGIN if getattr(self, name)}
        return {name: getattr(self, name) for name in COLUMNS} | origin


def case_fields(where: str, cells: Mapping[str, Any], required: Sequence[str]) -> dict[str, Any]:
    """Returns the fields of a `LabeledCase` from the cells of a row; ``where`` names the row in messages.

    Raises:
        LemmataError: the statement, the proof or a ``required`` column is missing, or a required label is no score.
    """
    for name in ("statement", "proof", *required):
        if cells.get(name) is None:
            raise LemmataError(f"{where}: the column {name} is missing or empty")
    for name in ("label", "quality"):
        if name in required and cells[name] not in SCORES:
            raise LemmataError(f"{where}: {name}={cells[name]!r} is not one of 0, 0.5 and 1")
    return {
        "statement": str(cells["statement"]),
        "proof": str(cells["proof"]),
        "label": cells.get("label"),
        "analysis": str(cells.get("analysis") or ""),
        "quality": cells.get("quality"),
    }


def write_cases(path: Path, cases: Iterable[LabeledCase]) -> int:
    """Writes cases as JSON Lines, whole or not at all; returns their number."""
    return write_json_lines(path, (case.row() for case in cases))
