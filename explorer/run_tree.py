"""Tree of runs: an evaluation with its models and attempts, a recipe with its trainings; running ones first."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from core.document import natural
from explorer.runs import RunInfo, is_running


@dataclass(slots=True)
class RunNode:
    """A run with those below it. ``run`` is None for a folder that only groups, such as a model of an evaluation."""

    title: str
    run: RunInfo | None
    running: bool = False
    children: list["RunNode"] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Name of the node among all runs."""
        return self.run.name if self.run else self.title


def run_tree(runs: Sequence[RunInfo], locked: frozenset[str]) -> list[RunNode]:
    """Runs that are below no other run, with those below them: running ones first, otherwise in the given order."""
    nodes = {run.folder: RunNode(run.name, run, is_running(run.folder, locked)) for run in runs}
    roots: list[RunNode] = []
    for folder, node in nodes.items():
        above = next((nodes[parent] for parent in folder.parents if parent in nodes), None)
        if above is None:
            roots.append(node)
        else:
            _place(above, folder, node)
    for node in nodes.values():
        node.children.sort(key=lambda child: natural(child.title))
        for child in node.children:
            child.children.sort(key=lambda inner: natural(inner.title))
    return sorted(roots, key=lambda node: not node.running)


def _place(above: RunNode, folder: Path, node: RunNode) -> None:
    """Adds a run below another; an attempt of an evaluation below its model."""
    assert above.run is not None
    inner = folder.relative_to(above.run.folder).parts
    node.title = inner[-1]
    if above.run.command in ("evaluate", "grade") and len(inner) == 2:
        group = next((child for child in above.children if child.run is None and child.title == inner[0]), None)
        if group is None:
            group = RunNode(inner[0], None)
            above.children.append(group)
        group.children.append(node)
    else:
        above.children.append(node)
