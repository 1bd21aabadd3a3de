"""First run: how often refinement is needed in a recorded run, and the problems that show it.

    lemmata lab generate out=problems.jsonl families=[inequalities] levels=[1,2] count=170 split=test
    lemmata refine problems=problems.jsonl refine.proofs=1 run=runs/one-proof
    python -m docs.scripts.first_run runs/one-proof

A problem shows the idea where the first proof is wrong by the exact checker, an analysis of it says where (by the exact
quality of analyses), and the refined proof is accepted and complete. ``--write`` puts the plainest of these, the one
with the fewest and shortest texts, into examples/first-problem.txt, which `make run` and the README's output take
(then: ``python -m docs.scripts.readme --record``). Repeat it when another model is shipped.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.log import read_log
from core.records import Analysis, Problem, Proof, Record, Selection
from core.store import Run
from lab.analyses import analysis_quality
from lab.checker import check
from lab.statements import Unsupported, read_statement
from lab.theorem import Proposition

PROBLEM = Path(__file__).resolve().parents[2] / "examples" / "first-problem.txt"


@dataclass(frozen=True, slots=True)
class Refinement:
    """One finished problem. ``was_needed``: no first proof was accepted, a refined one was.

    ``shows``: and the first proof is wrong, its critique right, the chosen proof complete, all by the exact checker.
    """

    statement: str
    accepted: bool
    complete: bool
    was_needed: bool
    shows: bool
    proofs: int
    characters: int


def refinements(run: Run) -> Iterator[Refinement]:
    """Yields the finished problems of a run whose statements the lab can read."""
    for path in run.log_paths():
        records = list(read_log(path))
        problem, selection = records[0], records[-1]
        if isinstance(problem, Problem) and isinstance(selection, Selection):
            proposition = read_statement(problem.statement)
            if not isinstance(proposition, Unsupported):
                yield _refinement(proposition, problem.statement, records, selection)


def _refinement(
    proposition: Proposition, statement: str, records: Sequence[Record], selection: Selection
) -> Refinement:
    proofs = {record.id: record for record in records if isinstance(record, Proof)}
    analyses = {record.id: record for record in records if isinstance(record, Analysis)}
    chosen = proofs.get(selection.proof_id or "")
    complete = chosen is not None and check(proposition, chosen.body or "").score == 1.0
    was_needed = selection.accepted and chosen is not None and chosen.round > 0
    bases = [proofs[name] for name in chosen.parents if name in proofs] if chosen else []
    critiques = [analyses[name] for name in chosen.parents if name in analyses] if chosen else []
    first_fails = all(base.round == 0 and check(proposition, base.body or "").score < 1.0 for base in bases)
    says_where = any(
        analysis_quality(proposition, base.body or "", one.text) == 1.0 for base in bases for one in critiques
    )
    return Refinement(
        statement=statement,
        accepted=selection.accepted,
        complete=complete,
        was_needed=was_needed,
        shows=bool(was_needed and complete and bases and first_fails and says_where),
        proofs=len(proofs),
        characters=sum(len(one.text) for one in [*bases, *critiques, *([chosen] if chosen else [])]),
    )


def main() -> int:
    """Prints the counts and the problems. Returns the exit code: 1 where no problem shows the idea."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of a run of lemmata refine with refine.proofs=1")
    parser.add_argument("--write", action="store_true", help="make the plainest problem that of `make run`")
    options = parser.parse_args()
    found = list(refinements(Run.read(options.run)))
    needed = [one for one in found if one.was_needed]
    print(
        f"{len(found)} problems: {sum(one.accepted for one in found)} accepted, {sum(one.complete for one in found)} "
        f"complete by the exact checker; refinement was needed in {len(needed)}, "
        f"of which {sum(one.shows for one in needed)} show it exactly"
    )
    showing = sorted((one for one in needed if one.shows), key=lambda one: (one.proofs, one.characters))
    for one in showing:
        print(f"{one.proofs} proofs, {one.characters} characters: {one.statement}")
    if not showing:
        print("No problem shows refinement; try more problems, or a higher level.")
        return 1
    if options.write:
        PROBLEM.write_text(showing[0].statement + "\n", encoding="utf-8")
        print(f"{PROBLEM}: written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
