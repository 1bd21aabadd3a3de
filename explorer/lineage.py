"""Lineage of proofs: refinements, and the critiques behind them. Pure functions."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from explorer.index import LogIndex, RecordRow
from explorer.metrics import ProofMetrics

MAX_NODES = 160


@dataclass(frozen=True, slots=True)
class RefinementEdge:
    """Refinement of ``old`` into ``new`` by ``critiques`` (ids of analyses; none: the proof's own evaluation)."""

    old: str
    new: str
    critiques: tuple[str, ...]


def edges(log: LogIndex) -> list[RefinementEdge]:
    """All refinements of a problem, oldest first."""
    found = []
    for row in log.of_kind("proof"):
        olds = [parent for parent in row.parents if _kind(log, parent) == "proof"]
        critiques = tuple(parent for parent in row.parents if _kind(log, parent) == "analysis")
        found += [RefinementEdge(old, row.id, critiques) for old in olds]
    return found


def _kind(log: LogIndex, record_id: str) -> str:
    row = log.by_id.get(record_id)
    return row.kind if row else ""


def chain(log: LogIndex, proof_id: str) -> list[RefinementEdge]:
    """Refinements that lead to a proof, oldest first."""
    by_new = {edge.new: edge for edge in reversed(edges(log))}
    steps: list[RefinementEdge] = []
    while proof_id in by_new and by_new[proof_id] not in steps:
        steps.insert(0, by_new[proof_id])
        proof_id = steps[0].old
    return steps


def shown_nodes(proofs: Sequence[ProofMetrics], log: LogIndex, target: str | None) -> list[ProofMetrics]:
    """Proofs of the graph: all up to `MAX_NODES`, otherwise those that lead to the target or were refined."""
    if len(proofs) <= MAX_NODES:
        return list(proofs)
    wanted = {name for edge in (chain(log, target) if target else []) for name in (edge.old, edge.new)} | {target}
    wanted |= {edge.old for edge in edges(log)}
    return [proof for proof in proofs if proof.row.id in wanted][:MAX_NODES]


def graph(
    proofs: Sequence[ProofMetrics],
    log: LogIndex,
    colors: Mapping[str, str],
    addresses: Mapping[str, str],
    target: str | None,
) -> str:
    """Lineage as a Graphviz graph: rounds from left to right, the path to ``target`` in bold.

    It contains only ids, numbers and the given colors and addresses, all quoted.
    """
    path = {(edge.old, edge.new) for edge in (chain(log, target) if target else [])}
    shown = {proof.row.id for proof in proofs}
    lines = [
        "digraph {", 'rankdir=LR; bgcolor="transparent"; nodesep=0.18; ranksep=0.7;',
        'node [shape=box, style="filled,rounded", fontname="Helvetica", fontsize=11, fontcolor="white",',
        'penwidth=0, margin="0.12,0.05"];',
        'edge [color="#b8b1a3", arrowsize=0.6];',
    ]  # fmt: skip
    for proof in proofs:
        name = proof.row.id
        judged = "–" if proof.judged is None else f"{proof.judged:.2g}"
        border = ', penwidth=2.5, color="#26241f"' if name == target else ""
        lines.append(
            f"{_quoted(name)} [label={_quoted(f'{name[:6]}  {judged}')}, fillcolor={_quoted(colors[name])}, "
            f"URL={_quoted(addresses[name])}, tooltip={_quoted(f'round {proof.row.round}')}{border}];"
        )
    for edge in edges(log):
        if edge.old in shown and edge.new in shown:
            bold = ' [color="#26241f", penwidth=2]' if (edge.old, edge.new) in path else ""
            lines.append(f"{_quoted(edge.old)} -> {_quoted(edge.new)}{bold};")
    return "\n".join([*lines, *_columns(proofs), "}"])


def _columns(proofs: Sequence[ProofMetrics]) -> Iterator[str]:
    """Graphviz lines that put the proofs of a round into one column, below its name."""
    rounds = sorted({proof.row.round for proof in proofs})
    for number in rounds:
        column = " ".join(_quoted(proof.row.id) for proof in proofs if proof.row.round == number)
        yield f'r{number} [label="round {number}", shape=plain, style="", fontcolor="#6b665b"];'
        yield f"{{rank=same; r{number} {column}}}"
    yield from (f"r{before} -> r{after} [style=invis];" for before, after in pairwise(rounds))


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
    return f'"{escaped}"'


def critique_rows(log: LogIndex, edge: RefinementEdge) -> list[RecordRow]:
    """Analyses that the prover was shown for a refinement."""
    return [log.by_id[name] for name in edge.critiques if name in log.by_id]
