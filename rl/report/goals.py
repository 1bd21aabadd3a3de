"""Goals of the last generator: no role more than 2 points below its specialist, and fewer overclaims than the base."""

from collections.abc import Iterator, Sequence

from core.document import Table
from core.statistics import Estimate
from rl.report.metrics import MAIN
from rl.report.summary import ROLES, Summary, specialists
from rl.report.tables import TITLES, format_estimates

MARGIN = 0.02  # that a generator may be below a specialist
EXPLANATION = (
    "met: yes where the whole interval is on the right side of the limit, no where all of it is on the wrong side, "
    "open otherwise; where there is no interval, by the value."
)


def goals_table(runs: Sequence[Summary], iterations: int) -> Table:
    """The generator of the last iteration beside each specialist, and its overclaim rate beside the base's."""
    rows = [
        [goal, format_estimates(estimates, "", n=True, signed=True), ", ".join(met(one, limit) for one in known)]
        for goal, estimates, limit in _goals(runs, iterations)
        if (known := [one for one in estimates if one is not None and one.value is not None])
    ]
    caption = "Points, paired by left side; of several runs, met in each."
    return Table(["difference of the generator", "estimate", "met"], rows, caption)


def met(one: Estimate, limit: float) -> str:
    """``yes``, ``no`` or ``open``: the estimate against the lowest wanted difference."""
    assert one.value is not None
    low, high = (one.value if bound is None else bound for bound in (one.low, one.high))
    return "yes" if low >= limit else "no" if high < limit else "open"


def _goals(runs: Sequence[Summary], iterations: int) -> Iterator[tuple[str, list[Estimate | None], float]]:
    generator = f"{iterations}-generator"
    for name, role in ROLES.items():
        specialist = specialists(iterations)[role]
        found = [run.to_specialist.get(iterations, {}).get(generator, {}).get(name) for run in runs]
        yield f"{TITLES[name]}: {MAIN[name]} less that of {specialist}, at least -2", found, -MARGIN
    negated = [_negated(run.overclaims[generator]) if generator in run.overclaims else None for run in runs]
    yield "Prover: overclaim rate of base less that of the generator, above 0", negated, 0.0


def _negated(one: Estimate) -> Estimate:
    value, low, high = (None if number is None else -number for number in (one.value, one.high, one.low))
    return Estimate(value, low, high, one.n, one.clusters, one.method, one.source)
