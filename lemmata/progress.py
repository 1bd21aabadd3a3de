"""Progress of a running command: a live table on a terminal, plain lines elsewhere, and lines in metrics.jsonl."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.table import Table

from core.document import counted
from core.errors import LemmataError
from core.store import Run
from lemmata.terminal import plain
from policy.meters import Meters


class Progress:
    """Shows the meters every so many seconds while the block runs. ``total`` counts the problems, in a thread."""

    def __init__(self, meters: Meters, run: Run, seconds: float, total: Callable[[], int] | None = None) -> None:
        self._meters = meters
        self._total = total
        self._warned = 0
        self._counting: asyncio.Task[None] | None = None
        self._run = run
        self._seconds = seconds
        self._console = Console(stderr=True, highlight=False)
        self._live = Live(console=self._console, get_renderable=self._table, refresh_per_second=2, transient=True)
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Progress":
        self.say(f"run folder: {self._run.folder}")
        if self._console.is_terminal:
            self._live.start()
        self._task = asyncio.create_task(self._tick())
        if self._total is not None:
            self._counting = asyncio.create_task(self._count(self._total))
        return self

    async def _count(self, total: Callable[[], int]) -> None:
        with suppress(LemmataError):  # a bad row late in the file: the run itself reports it
            self._meters.total = await asyncio.to_thread(total)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in (self._task, self._counting):
            if task is not None:
                task.cancel()
        self._warn()
        if self._console.is_terminal:
            self._live.stop()
        self._run.append_metrics(self._meters.snapshot())
        self.say(f"{'end' if error is None else 'stopped'}: {self._line()}")

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(self._seconds)
            self._run.append_metrics(self._meters.snapshot())
            self._warn()
            if not self._console.is_terminal:
                self.say(self._line())

    def _warn(self) -> None:
        """Print the warnings that are new."""
        for text in self._meters.warnings[self._warned :]:
            self.say(f"warning: {text}")
        self._warned = len(self._meters.warnings)

    def explain(self, reason: str | None, unfinished: Sequence[str]) -> None:
        """Print why a run ends before everything is done."""
        if reason is not None:
            self.say(f"stopped: {reason}")
        for line in unfinished[:5]:
            self.say(f"unfinished: {line}")
        if len(unfinished) > 5:
            self.say(f"unfinished: {counted(len(unfinished) - 5, 'more problem')}")
        if reason is not None or unfinished:
            self.say("Repeat the same command to resume; finished calls are not repeated.")

    def say(self, text: str) -> None:
        """Print a line beside the live table."""
        self._console.print(plain(text), soft_wrap=True)

    def _values(self) -> list[tuple[str, str]]:
        meters = self._meters
        values = [
            ("problems", f"{meters.finished}/{meters.problems if meters.total is None else meters.total}"),
            *([("set aside", str(meters.set_aside))] if meters.set_aside else []),
            ("accepted", str(meters.accepted)),
            ("calls", str(meters.calls)),
            ("in flight", str(meters.in_flight)),
            ("waiting", str(meters.waiting)),
            ("samples", str(meters.samples)),
            ("reused", str(meters.reused)),
            *([("usable", f"{meters.usability.share:.0%}")] if meters.usability.share is not None else []),
            ("parse failures", str(meters.parse_failures)),
            ("refused", str(meters.refusals)),
            ("retries", str(meters.retries)),
            ("tokens", f"{meters.usage.total_tokens:,}"),
            *([("arriving", f"{meters.arriving_tokens:,}")] if meters.arriving_tokens else []),
            ("tokens/s", f"{meters.tokens_per_second:.1f}"),
        ]
        if meters.usage.cost:
            values.append(("cost", f"{meters.usage.cost:.2f}"))
        if meters.remaining_seconds:
            values.append(("ETA", str(timedelta(seconds=round(meters.remaining_seconds)))))
        if meters.waiting_since:
            since = datetime.fromtimestamp(min(meters.waiting_since.values())).strftime("%H:%M")
            values.append(("waiting for the server since", since))
        return values

    def _line(self) -> str:
        return ", ".join(f"{name} {value}" for name, value in self._values())

    def _table(self) -> Table:
        table = Table(box=None, pad_edge=False)
        for name, _ in self._values():
            table.add_column(name, justify="right")
        table.add_row(*(value for _, value in self._values()))
        return table
