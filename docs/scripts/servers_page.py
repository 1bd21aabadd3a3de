"""Page of server behaviors, from the rows that the tests run against a real HTTP server."""

from tests.policy.behavior_row import Outcome, Row
from tests.policy.behaviors import ROWS

OPENING = """\
# Server behaviors

Written from the rows of `tests/policy/behaviors.py` by `python -m docs.scripts.references`. Each row is a test against
a real HTTP server: the server answers a call so, and well from then on. `requests` is the number of requests that the
call takes in all. The settings are those under `policy` and `policy.retry` ([settings](settings.md)); the rules behind
the rows are in [the loop](../guides/loop.md#servers).

| outcome | |
|---|---|
| **answer** | {answer} |
| **cut off** | {cut} |
| **repeated** | {repeated} |
| **paused** | {paused} |
| **changed** | {changed} |
| **set aside** | {aside} |
| **stopped** | {stopped} |
| **waited for** | {waited} |"""
NAMES = {
    Outcome.ANSWER: "answer",
    Outcome.CUT: "cut off",
    Outcome.REPEATED: "repeated",
    Outcome.PAUSED: "paused",
    Outcome.CHANGED: "changed",
    Outcome.ASIDE: "set aside",
    Outcome.STOPPED: "stopped",
    Outcome.WAITED: "waited for",
}


def page() -> str:
    """The page."""
    words = {outcome.name.lower(): outcome.value for outcome in Outcome}
    lines = [OPENING.format(**words)]
    group = ""
    for row in ROWS:
        if row.group != group:
            group = row.group
            lines += ["", f"## {group}", "", "| the server sends | the loop | requests |", "|---|---|---|"]
        lines.append(f"| {row.server} | {NAMES[row.outcome]} | {_requests(row)} |")
    return "\n".join(lines) + "\n"


def _requests(row: Row) -> str:
    return str(row.requests) if row.requests >= 0 else "as the time allows"
