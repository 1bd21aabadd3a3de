"""Pairwise selection in a report: pairs of proofs that were compared, decided, and the judges' bias of position."""

from collections import Counter

from core.document import Block, Cell, Heading, Table
from evaluation.gather import ReportData
from refine.pairwise import DECIDED, FIRST, PAIRS, SECOND


def pairwise_section(data: ReportData) -> list[Block]:
    """Section of pairwise selection; empty where no two proofs were compared."""
    rows: list[tuple[Cell, ...]] = []
    for entrant in data.entrants:
        counts: Counter[str] = Counter()
        for outcome in data.attempts:
            if outcome.entrant == entrant:
                counts.update(outcome.counts)
        if pairs := counts[PAIRS]:
            chosen = counts[FIRST] + counts[SECOND]
            first = f"{100 * counts[FIRST] / chosen:.1f} %" if chosen else None
            decided = f"{counts[DECIDED]} ({100 * counts[DECIDED] / pairs:.1f} %)"
            rows.append((entrant, data.models(entrant), counts["comparison"], pairs, decided, first))
    if not rows:
        return []
    columns = ("entrant", "model", "comparisons", "pairs of proofs", "decided", "first one preferred")
    caption = (
        "Every two of the best proofs of a problem are compared in both orders; a pair is decided where the same proof "
        "is preferred in both. First one preferred: share of all preferences, 50 % without bias of position."
    )
    return [Heading("Pairwise selection"), Table(columns, rows, caption)]
