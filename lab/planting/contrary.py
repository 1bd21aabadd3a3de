"""Arguing for the contrary: a refutation of a true claim, a proof of a false one, with a slip where the two meet."""

from random import Random

from lab.algebra import Algebra
from lab.claims import Claim
from lab.expressions import Expr, num, substitute, var
from lab.families.induction import induction
from lab.planting.edits import Edit, Sentences, slip, written
from lab.sentences import Chain, Part, Sentence, equation, say
from lab.sequences import close
from lab.theorem import Theorem
from lab.writer import closing, lines, simplification


def contrary(rng: Random, theorem: Theorem, sentences: Sentences) -> Edit | None:
    """A text that concludes against the truth; its last line is the wrong conclusion."""
    claim = theorem.claim
    if not isinstance(claim, Claim):
        return None
    found = _refutation(rng, claim) if theorem.truth else _proof(rng, claim)
    return None if found is None else written(tuple(found), len(found))


def _refutation(rng: Random, claim: Claim) -> list[Sentence] | None:
    """A true claim refuted: both sides at a point, one of them with a slip."""
    lowest = -2 if claim.domain.first is None else claim.domain.first
    point = {name: num(rng.randint(lowest, lowest + 4)) for name in claim.variables}
    left, right = (_evaluated(claim, side, point) for side in (claim.left, claim.right))
    wrong, kept = (left, right) if rng.random() < 0.5 or len(right.terms) < 2 else (right, left)
    changed = slip(rng, wrong.terms[-1])
    if changed is None:
        return None
    wrong = Chain((*wrong.terms[:-1], changed), wrong.relations, "", wrong.modulus)
    heads: list[Part] = []
    for name, value in point.items():
        heads += ["and", equation(var(name), value)] if heads else [equation(var(name), value)]
    body = (wrong, "but", kept) if len(kept.terms) > 1 else (wrong,)
    return [say(rng.choice(("for", "at", "take")), *heads, ":", *body), closing(rng, False)]


def _evaluated(claim: Claim, side: Expr, point: dict[str, Expr]) -> Chain:
    """A side and its number; a sequence by its closed form."""
    algebra = Algebra()
    path = simplification(algebra, close(substitute(side, point), claim.sequence))
    first = substitute(side, point) if side.op == "call" else side
    last = path[-1]
    if claim.modulus and last.op in {"num", "neg"}:
        last = num((last.args[0] if last.op == "num" else -last.args[0].args[0]) % claim.modulus)
    terms = (first, last) if side.op == "call" or claim.modulus else (first, *path[1:])
    return equation(*terms, modulus=claim.modulus)


def _proof(rng: Random, claim: Claim) -> list[Sentence] | None:
    """A false claim proved: both sides worked out, and the last of them put as the other."""
    algebra = Algebra()
    if claim.sequence is not None:
        return induction(rng, algebra, claim)
    if claim.modulus:
        return _all_cases(rng, claim)
    left = simplification(algebra, claim.left)
    path = (*left, claim.right) if left[-1] != claim.right else left
    if len(path) < 2:
        return None
    final = Chain(path[-2:], (claim.relation,))
    start = lines(rng, path[:-1], "we have", ("then", "simplify:")) if len(path) > 2 else []
    return [*start, say(rng.choice(("so", "hence", "this gives")), final), closing(rng, True)]


def _all_cases(rng: Random, claim: Claim) -> list[Sentence] | None:
    """A false claim by cases of residues, the failing ones put right by force."""
    if claim.domain.first is not None or claim.modulus > 11:
        return None
    name, found = claim.variables[0], []
    for residue in range(claim.modulus):
        chain = _evaluated(claim, claim.left, {name: num(residue)})
        agrees = chain.terms[-1] == claim.right
        if agrees != (claim.relation == "="):
            forced = claim.right if claim.relation == "=" else num(rng.randrange(1, claim.modulus))
            chain = Chain((*chain.terms[:-1], forced), chain.relations, "", chain.modulus)
        found.append(say("case", equation(var(name), num(residue), modulus=claim.modulus), ":", chain))
    return [*found, closing(rng, True)]
