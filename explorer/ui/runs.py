"""Runs page: a tree of all runs, running ones first; it moves by itself."""

import json
from collections.abc import Iterator
from html import escape

import streamlit as st

from explorer.recipe_steps import Recipe, read_recipe
from explorer.run_progress import (
    ProblemCounts,
    State,
    ended_early,
    problem_counts,
    search_state,
    search_words,
    total_counts,
    training_state,
    training_words,
)
from explorer.run_tree import RunNode, run_tree
from explorer.runs import RunInfo, is_evaluation, is_running, locked_inodes
from explorer.training_log import last_line
from explorer.ui import address
from explorer.ui.context import config, query, runs
from explorer.ui.tables import Column, sorted_table
from explorer.ui.widgets import here, link, note, number

LIVE_SECONDS, IDLE_SECONDS = 3.0, 15.0  # between two drawings of the tree, while something runs and otherwise
NO_SIGN = '<span class="lm-fold"></span>'
SEPARATOR = "\n"  # of the names in the address that are open
STATES = {
    "running": "● running",
    "done": "done",
    "stopped": "stopped",
    "died": "died",
    "unfinished": "not finished",
    "": "",
}


def show() -> None:
    """Page of all runs."""
    st.title("Runs", anchor=False)
    if not runs():
        note(f"There are no runs below {config().runs}. `lemmata refine`, `prove`, `import` and `train` write runs.")
        return
    wanted = address.text_input(
        "Find", "find", placeholder="name, command or model", label_visibility="collapsed"
    ).lower()
    locked = locked_inodes()
    live = any(is_running(run.folder, locked) for run in runs())
    st.fragment(_tree, run_every=LIVE_SECONDS if live else IDLE_SECONDS)(wanted)


def _tree(wanted: str) -> None:
    """Shows the tree; drawn again by itself."""
    nodes = [node for node in run_tree(runs(), locked_inodes()) if _fits(node, wanted)]
    columns: list[Column[RunNode]] = [
        Column("run", lambda node: _name(node, 0), lambda node: node.title.lower()),
        Column("command", lambda node: escape(_run(node).command), lambda node: _run(node).command),
        Column("model", lambda node: escape(_run(node).models), lambda node: _run(node).models or None),
        Column("started", lambda node: _started(_run(node)), lambda node: _run(node).created, numeric=True),
        Column("problems", _problems, None, numeric=True),
        Column("state", _state, lambda node: not node.running),
        Column("cost", _cost, _cost_of, numeric=True),
    ]
    sorted_table(columns, nodes, below=lambda node: _below(node, 1))


def _run(node: RunNode) -> RunInfo:
    assert node.run is not None
    return node.run


def _fits(node: RunNode, wanted: str) -> bool:
    run = node.run
    words = f"{run.name} {run.command} {run.models}" if run else node.title
    return wanted in words.lower() or any(_fits(child, wanted) for child in node.children)


def page_of(run: RunInfo) -> str:
    """Name of the page that shows a run."""
    return "evaluation" if is_evaluation(run) else "training" if run.is_training else "run"


def _opened() -> list[str]:
    return [name for name in query("open").split(SEPARATOR) if name]


def _name(node: RunNode, depth: int) -> str:
    """Name as a link, indented, with a link that opens or closes what is below."""
    run, sign = node.run, ""
    if node.children:
        opened = _opened()
        is_open = node.name in opened
        following = [name for name in opened if name != node.name] if is_open else [*opened, node.name]
        words = f"{'hide' if is_open else 'show'} what is below {node.title}"
        sign = (
            f'<a class="lm-stay lm-fold" href="{escape(here(open=SEPARATOR.join(following)))}" '
            f'aria-label="{escape(words)}" aria-expanded="{str(is_open).lower()}">{"▾" if is_open else "▸"}</a>'
        )
    shown = link(node.title, page_of(run), run=run.name) if run and not run.error else escape(node.title)
    return _indented(f"{sign or NO_SIGN} {shown}", depth)


def _below(node: RunNode, depth: int) -> Iterator[list[str]]:
    """Rows of what is below an open node."""
    if node.name not in _opened() and not (node.run is None and depth > 1):
        return
    if node.run and node.run.command == "cotrain":
        yield from _steps(node.run, depth)
        return
    for child in node.children:
        if child.run is None:
            counts = total_counts(_counts(inner.run) for inner in child.children if inner.run and _counted(inner))
            words = f"{counts.finished} of {counts.problems} finished, {counts.accepted} accepted"
            yield [_plain(child.title, depth), "", "", "", str(counts.problems), _soft(words), ""]
            yield from _below(child, depth + 1)
        else:
            cells = (escape(child.run.command), escape(child.run.models), _started(child.run))
            yield [_name(child, depth), *cells, _problems(child), _state(child), _cost(child)]
            yield from _below(child, depth + 1)


def _steps(run: RunInfo, depth: int) -> Iterator[list[str]]:
    recipe = read_recipe(run.folder, running=is_running(run.folder))
    for step in recipe.steps:
        target = f"{run.name}/steps/{step.name}"
        shown = link(step.name, "training", run=target) if step.has_metrics else escape(step.name)
        name = f'<span class="lm-tree" style="padding-left:{1.3 * depth + 1:.1f}rem">{step.number}. {shown}</span>'
        yield [name, escape(step.kind), "", "", "", f"{state_sign(step.state)} {_soft(step.words)}", ""]


def _plain(title: str, depth: int) -> str:
    return _indented(f"{NO_SIGN} {escape(title)}", depth)


def _indented(html: str, depth: int) -> str:
    return f'<span class="lm-tree" style="padding-left:{1.3 * depth:.1f}rem">{html}</span>'


def _soft(words: str) -> str:
    return f'<span class="lm-soft lm-small">{escape(words)}</span>'


def state_sign(state: State) -> str:
    """State in words, as HTML."""
    kind = {"running": "lm-live", "": "lm-soft lm-small", "done": "lm-soft lm-small"}.get(state, "lm-stopped")
    return f'<span class="{kind}">{STATES[state]}</span>' if state else ""


def _started(run: RunInfo) -> str:
    return f'<span class="lm-small">{escape(run.created[:16].replace("T", " "))}</span>'


def _counts(run: RunInfo) -> ProblemCounts:
    return problem_counts(run.folder)


def _counted(node: RunNode) -> bool:
    """True for an attempt of an evaluation; the control's junk proofs count apart."""
    return node.run is not None and node.title != "control"


def node_counts(node: RunNode) -> ProblemCounts:
    """Counts of a run; of an evaluation, those of its attempts together."""
    if node.run is not None and not is_evaluation(node.run):
        return _counts(node.run)
    return total_counts(node_counts(child) for child in node.children if child.run is None or _counted(child))


def _problems(node: RunNode) -> str:
    run = _run(node)
    counts = node_counts(node) if not run.is_training else None
    return str(counts.problems) if counts and counts.problems else ""


def _state(node: RunNode) -> str:
    run = _run(node)
    if run.error:
        return _soft(run.error)
    if not _counted(node):
        return _soft("junk proofs")
    state, words = run_state(node)
    return f"{state_sign(state)} {_soft(words)}"


def run_state(node: RunNode) -> tuple[State, str]:
    """State of a run, and its progress in words."""
    run = _run(node)
    if run.command == "cotrain":
        recipe: Recipe = read_recipe(run.folder, running=node.running)
        ended: State = "done" if recipe.done else ended_early(run.folder) if recipe.current else ""
        return "running" if node.running else ended, recipe.words
    if run.is_training:
        state = training_state(run, running=node.running)
        return state, training_words(run, state)
    counts = node_counts(node)
    state = search_state(run, counts, running=node.running)
    return state, search_words(run, counts, state)


def _cost_of(node: RunNode) -> float | None:
    cost = last_line(_run(node).folder / "metrics.jsonl").get("cost")
    return float(cost) if isinstance(cost, int | float) and cost else None


def _cost(node: RunNode) -> str:
    cost = _cost_of(node)
    return number(cost, 4) if cost else ""


def progress_of(run: RunInfo) -> tuple[State, str]:
    """State and progress of a run."""
    return run_state(node_of(run))


def node_of(run: RunInfo) -> RunNode:
    """The node of a run in the tree of all runs."""
    waiting = run_tree(runs(), locked_inodes())
    while waiting:
        node = waiting.pop()
        if node.run is not None and node.run.folder == run.folder:
            return node
        waiting += node.children
    return RunNode(run.name, run, is_running(run.folder))


def settings_text(run: RunInfo) -> str:
    """Manifest of a run (settings, versions, commit) as JSON."""
    return json.dumps(run.manifest, indent=2, ensure_ascii=False, default=str)
