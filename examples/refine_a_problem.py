"""Refine a problem: proofs, verification and refinement in rounds until a proof is accepted.

    python examples/refine_a_problem.py
    python examples/refine_a_problem.py "Prove that ..." --policy http://localhost:8000/v1 --model MODEL --run runs/odd

Without arguments the shipped model takes a theorem of its own domain. With --run the same command resumes.
"""

import argparse

import lemmata

STATEMENT = "Prove or refute: x^2 + 6x + 11 >= 2 for all real x."


def main(arguments: list[str] | None = None) -> None:
    """Refine one problem and print the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("statement", nargs="?", default=STATEMENT)
    parser.add_argument("--policy", default="shipped", help="preset, model folder, or base URL of a server")
    parser.add_argument("--model", help="name of the model at the server")
    parser.add_argument("--run", help="run folder; left out: a temporary one")
    options = parser.parse_args(arguments)

    result = lemmata.refine(
        options.statement,
        policy=options.policy,
        model=options.model,
        config={"refine.rounds": 3, "refine.proofs": 4},
        run=options.run,
    )
    print(f"accepted: {result.accepted}, after {result.rounds} rounds and {len(result.proofs)} proofs")
    print(f"reason:   {result.reason}\n")
    print(result.proof)


if __name__ == "__main__":
    main()
