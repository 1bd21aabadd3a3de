"""Trace of a run of one problem: rounds, scores, the chosen proof, and its exact check by the lab."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import islice

from rich.console import Console
from rich.tree import Tree

from core.document import counted
from core.log import read_log
from core.records import Analysis, Comparison, Problem, Proof, Record, Refusal, Review, Selection
from core.store import Run
from lab.checker import check
from lab.complaints import END, line_of, quotation
from lab.defects import Defect
from lab.statements import Unsupported, read_statement
from lemmata.record_format import headline
from lemmata.terminal import plain

MAX_PROOFS = 100  # a longer search is read with `lemmata show`


def print_trace(run: Run) -> None:
    """Print the problem of a run from its statement to the chosen proof; nothing where a run holds several."""
    paths = list(islice(run.log_paths(), 2))
    records = list(read_log(paths[0])) if len(paths) == 1 else []
    problem = next((record for record in records if isinstance(record, Problem)), None)
    if problem is None:
        return
    console = Console(highlight=False)
    if sum(isinstance(record, Proof) for record in records) <= MAX_PROOFS:
        console.print(rounds_tree(problem, records))
    chosen = next((record.proof_id for record in records if isinstance(record, Selection)), None)
    proof = next((record for record in records if isinstance(record, Proof) and record.id == chosen), None)
    if proof is not None and proof.body is not None:
        for line in [*ancestor_lines(proof, records), *proof_lines(problem, proof.id, proof.body)]:
            console.print(plain(line), soft_wrap=True)


def rounds_tree(problem: Problem, records: Sequence[Record]) -> Tree:
    """The statement, each round's proofs with their scores, comparisons of two proofs, and the selection."""
    tree = Tree(plain(problem.statement, style="bold"))
    judgments: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        if isinstance(record, Analysis | Review):
            judgments[record.parents[0]].append(record)
    branches: dict[int, Tree] = {}
    for record in sorted((record for record in records if isinstance(record, Proof)), key=lambda proof: proof.round):
        if record.round not in branches:
            branches[record.round] = tree.add(plain(f"round {record.round}"))
        branch = branches[record.round].add(plain(headline(record)))
        analyses = judgments[record.id]
        if analyses:
            branch.add(plain(_scores("analyses", analyses)))
        reviews = [review for analysis in analyses for review in judgments[analysis.id]]
        if reviews:
            branch.add(plain(_scores("reviews of the analyses", reviews)))
    _add_comparisons(tree, [record for record in records if isinstance(record, Comparison)])
    refusals = sum(isinstance(record, Refusal) for record in records)
    if refusals:
        tree.add(plain(f"{counted(refusals, 'call')} refused: lemmata show RUN lists the reasons"))
    for record in records:
        if isinstance(record, Selection):
            tree.add(plain(f"chosen: {record.proof_id or 'none'}: {record.reason}", style="bold"))
    return tree


def _add_comparisons(tree: Tree, comparisons: Sequence[Comparison]) -> None:
    branch = tree.add(plain("comparisons of two proofs")) if comparisons else tree
    for record in comparisons:
        branch.add(plain(headline(record)))


def ancestor_lines(proof: Proof, records: Sequence[Record]) -> list[str]:
    """The proofs that a proof was refined from, the oldest first, each with the critique that it was refined by."""
    known = {record.id: record for record in records if isinstance(record, Proof | Analysis)}
    ancestors: dict[str, Proof | Analysis] = {}

    def collect(child: Proof) -> None:
        for parent in (known[name] for name in child.parents if name in known and name not in ancestors):
            if isinstance(parent, Proof):
                collect(parent)
            ancestors[parent.id] = parent

    collect(proof)
    lines = []
    for record in ancestors.values():
        text = record.body if isinstance(record, Proof) else record.text
        lines += [f"\n{headline(record)}:\n", *(f"    {line}" for line in (text or "").strip().splitlines())]
    return lines


def proof_lines(problem: Problem, proof_id: str, body: str) -> list[str]:
    """The chosen proof in full, and the exact verdict where the lab can read the statement."""
    lines = [f"\nChosen proof {proof_id}:\n", *(f"    {line}" for line in body.splitlines()), ""]
    return [*lines, *exact_verdict(problem.statement, body)]


def exact_verdict(statement: str, body: str) -> list[str]:
    """The verdict of the lab's checker in words, or the reason why the lab cannot decide the statement."""
    proposition = read_statement(statement)
    if isinstance(proposition, Unsupported):
        return [f"Exact check: none; the lab cannot decide this statement ({proposition.reason})."]
    verdict = check(proposition, body)
    truth = "true" if proposition.truth else "false"
    found = [f"    {_place(body, defect)}: {defect.kind}: {defect.message}" for defect in verdict.defects]
    end = ":" if found else ", no defect."
    heading = f"Exact check (algebra, not a model's opinion; no model saw it): the claim is {truth}, this proof scores"
    return [f"{heading} {verdict.score:g}{end}", *found]


def _place(body: str, defect: Defect) -> str:
    line, quote = line_of(body, defect), quotation(body[defect.place.start : defect.place.end])
    return "at the end" if line == END else f'line {line}, "{quote}"' if quote else f"line {line}"


def _scores(name: str, records: Sequence[Record]) -> str:
    """The verdicts of analyses or reviews in one line."""
    scores = [record.score for record in records if isinstance(record, Analysis | Review)]
    return f"{name}: {', '.join('no verdict' if score is None else f'{score:g}' for score in scores)}"
