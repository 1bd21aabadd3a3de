"""Package of synthesized tasks: the accepted families, a table of their instances, and a card of the funnel."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from core.errors import LemmataError
from core.json_lines import write_json_lines
from tools.synthesis.funnel import Examined, FunnelConfig, funnel_counts

TABLE, CARD, FAMILIES = "tasks.jsonl", "README.md", "families"


def write_package(out: Path, examined: Sequence[Examined], config: FunnelConfig, solver: str) -> int:
    """Writes the package; returns the number of tasks. Raises LemmataError where the folder cannot be written."""
    accepted = [one for one in examined if one.accepted]
    try:
        (out / FAMILIES).mkdir(parents=True, exist_ok=True)
        for one in accepted:
            (out / FAMILIES / f"{one.candidate.name}.py").write_text(one.candidate.code, encoding="utf-8")
        count = write_json_lines(out / TABLE, _rows(accepted))
        (out / CARD).write_text("\n".join(_card(examined, config, solver)) + "\n", encoding="utf-8")
    except OSError as error:
        raise LemmataError(f"out={out}: cannot be written: {error}") from error
    return count


def _rows(accepted: Iterable[Examined]) -> Iterable[dict[str, object]]:
    for one in accepted:
        for instance in one.instances:
            yield {
                "id": f"{one.candidate.name}-{instance.level}-{instance.seed}",
                "problem": instance.statement,
                "answer": instance.reference,
                "family": one.candidate.name,
                "level": instance.level,
                "seed": instance.seed,
                "data": instance.data,
                "origin": one.candidate.origin,
            }


def _card(examined: Sequence[Examined], config: FunnelConfig, solver: str) -> Iterable[str]:
    yield "# Synthesized tasks"
    yield ""
    yield (
        f"{config.seeds} instances of each family, pass rate between {config.low:g} and {config.high:g} by: {solver}. "
        f"`{TABLE}` has the instances, `{FAMILIES}/` the programs that make and verify them. "
        "Run these in a sandbox alone."
    )
    yield ""
    yield from _table(("stage", "families"), funnel_counts(examined).items())
    yield ""
    rows = [
        (
            one.candidate.name,
            one.candidate.origin,
            one.stage,
            ", ".join(f"{rate:.2f}" for rate in one.rates) or "-",
            one.reason.replace("|", "/").replace("\n", " ")[:160] or "-",
        )
        for one in examined
    ]
    yield from _table(("family", "written by", "stage", "pass rate by level", "why no further"), rows)


def _table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterable[str]:
    yield f"| {' | '.join(columns)} |"
    yield "|" + "---|" * len(columns)
    for row in rows:
        yield f"| {' | '.join(str(cell) for cell in row)} |"
