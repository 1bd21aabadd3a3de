"""Check proofs exactly: the lab decides every step by algebra; no model is asked.

python examples/check_a_proof.py
"""

import lemmata

STATEMENT = "Prove or refute: x^2 + 6x + 11 >= 2 for all real x."
PROOFS = {
    "complete": "x^2 + 6x + 11 = (x + 3)^2 + 2. Since squares are nonnegative, (x + 3)^2 + 2 >= 2. The claim is true.",
    "wrong square": "x^2 + 6x + 11 = (x + 2)^2 + 7. Since squares are nonnegative, (x + 2)^2 + 7 >= 7.",
    "no proof": "This is well known. The claim is true.",
}


def main() -> None:
    """Print score and defects of each proof."""
    for name, proof in PROOFS.items():
        verdict = lemmata.check(STATEMENT, proof)
        print(f"{name}: score {verdict.score:g}")
        for defect in verdict.defects:
            quoted = proof[defect.place.start : defect.place.end]
            print(f"    {defect.kind}: {defect.message}  [{quoted}]")


if __name__ == "__main__":
    main()
