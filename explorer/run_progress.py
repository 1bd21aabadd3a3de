"""State and progress of a run: finished problems and accepted ones from its records, steps of a training."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from json import loads
from pathlib import Path
from typing import Any, Literal

from core.run_end import read_end
from explorer.index import stamp_of
from explorer.runs import RunInfo, is_evaluation, is_running
from explorer.training_log import last_line

State = Literal["running", "done", "stopped", "died", "unfinished", ""]
TAIL = 1 << 16  # bytes at the end of a log in which its selection is looked for first
_SELECTION = (b'{"kind":"selection"', b'{"kind": "selection"')


@dataclass(frozen=True, slots=True)
class ProblemCounts:
    """Problems of a run: all, those that ended with a selection, and those whose proof was accepted."""

    problems: int
    finished: int
    accepted: int


def problem_counts(folder: Path) -> ProblemCounts:
    """Counts of a run by the selections in its logs: the same numbers as on the pages of the run."""
    found = [_selection(path, stamp_of(path)) for path in (folder / "problems").glob("*.jsonl")]
    return ProblemCounts(len(found), sum(one is not None for one in found), sum(one is True for one in found))


def total_counts(counts: Iterable[ProblemCounts]) -> ProblemCounts:
    """Sum of the counts of several runs."""
    known = list(counts)
    return ProblemCounts(
        sum(one.problems for one in known), sum(one.finished for one in known), sum(one.accepted for one in known)
    )


@lru_cache(maxsize=100_000)
def _selection(path: Path, stamp: tuple[int, int] | None) -> bool | None:
    """True where the last selection of a log accepts its proof; None without a selection. Cached per state."""
    if stamp is None:
        return None
    for size in (TAIL, stamp[1]):
        try:
            with path.open("rb") as file:
                file.seek(max(0, stamp[1] - size))
                lines = file.read(size).split(b"\n")
        except OSError:
            return None
        for line in reversed(lines[:-1]):
            if line.startswith(_SELECTION):
                try:
                    return bool(loads(line).get("accepted"))
                except (ValueError, AttributeError):
                    continue
        if size >= stamp[1]:
            break
    return None


def training_steps(manifest: Mapping[str, Any]) -> int | None:
    """Number of steps of a training by its settings; None where they do not state it."""
    config = manifest.get("config", {})
    stages, schedule = config.get("stages"), config.get("stage")
    names = [schedule] if isinstance(schedule, str) else schedule
    if not isinstance(stages, Mapping) or not isinstance(names, list):
        return None
    steps = [stages[name].get("steps") for name in names if isinstance(stages.get(name), Mapping)]
    known = [step for step in steps if isinstance(step, int)]
    return sum(known) if len(known) == len(names) else None


def training_state(run: RunInfo, *, running: bool) -> State:
    """State of a training, whose model is written at its end; a step of a recipe runs where the recipe does."""
    if (run.folder / "done").is_file():
        return "done"
    if running or (run.command == "step" and is_running(run.folder.parent.parent)):
        return "running"
    return "done" if (run.folder / "model").is_dir() else ended_early(process_folder(run))


def process_folder(run: RunInfo) -> Path:
    """The folder of the run whose process trains: of a step of a recipe, the recipe's."""
    return run.folder.parent.parent if run.command == "step" else run.folder


def ended_early(folder: Path) -> Literal["stopped", "died"]:
    """State of an unfinished training that no process holds: stopped where the end is on record, otherwise it died."""
    return "died" if read_end(folder) is None else "stopped"


def end_words(folder: Path) -> str:
    """The end of an unfinished training that no process holds, as a sentence."""
    end = read_end(folder)
    if end is None:
        return (
            "It died: no process trains here, and none has recorded a stop (killed, out of memory, or the machine "
            "went down)."
        )
    return f"It ended at {end.time[:19].replace('T', ' ')} UTC: {end.reason}."


def training_words(run: RunInfo, state: State) -> str:
    """Progress of a training, by its last line of metrics."""
    last = last_line(run.folder / "metrics.jsonl")
    if "step" not in last:
        return "no step yet" if state != "done" else ""
    steps = training_steps(run.manifest)
    of = f" of {steps}" if steps else ""
    reward = f", reward {last['reward']:.3g}" if isinstance(last.get("reward"), int | float) else ""
    return f"{last.get('stage', '')} step {last['step']}{of}{reward}".strip()


def search_state(run: RunInfo, counts: ProblemCounts, *, running: bool) -> State:
    """State of a run of problems: done where every problem has ended; "" where its command selects nothing."""
    if running:
        return "running"
    if not (run.is_search or is_evaluation(run)) or not counts.problems:
        return ""
    return "done" if counts.finished == counts.problems else "unfinished"


def search_words(run: RunInfo, counts: ProblemCounts, state: State) -> str:
    """Progress of a run of problems: finished and accepted ones, and calls in flight while it runs."""
    words = []
    if run.is_search or is_evaluation(run):
        words = [f"{counts.finished} of {counts.problems} finished", f"{counts.accepted} accepted"]
    if state == "running":
        last = last_line(run.folder / "metrics.jsonl")
        if isinstance(last.get("in_flight"), int):
            words.append(f"{last['in_flight']} calls in flight")
    return ", ".join(words)
