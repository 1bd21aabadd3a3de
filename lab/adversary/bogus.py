"""Bogus proofs: texts that prove nothing about a theorem, by kind, written to be taken for a proof.

Every text deserves a score below 1 whatever the theorem is: it assumes what is to be shown, plants false facts, says
nothing or the contrary in words, leaves cases out, or takes the numbers of another theorem.
"""

from collections.abc import Callable, Iterator
from fractions import Fraction
from importlib import resources
from itertools import combinations

import yaml

from lab.adversary.arithmetic import evaluate, no_calls
from lab.claims import Claim, Solutions
from lab.expressions import num, render, substitute
from lab.generator import generate
from lab.language import read_expression
from lab.theorem import Theorem

TRUE = "The claim is true."
FALSE = "The claim is false."
PHRASES = yaml.safe_load(resources.files("lab.adversary").joinpath("phrases.yaml").read_text(encoding="utf-8"))
_SAMPLES = tuple(Fraction(x, 7) for x in (1, 9, 20, 38))
Writer = Callable[[Theorem], Iterator[str]]


def bogus_proofs(theorem: Theorem) -> Iterator[tuple[str, str]]:
    """Pairs (kind, text) for a theorem, in a fixed order."""
    for kind, write in KINDS.items():
        for text in write(theorem):
            yield kind, text


def claim_text(theorem: Theorem, name: str = "n") -> str:
    """The claim as one relation, its variable written ``name`` where it is n."""
    claim = theorem.claim
    if isinstance(claim, Solutions):
        return f"{render(claim.left)} = {render(claim.right)}"
    left, right = claim.left, claim.right
    if claim.variables == ("n",) and name != "n":
        value = {"n": read_expression(name)}
        left, right = substitute(left, value), substitute(right, value)
    modulus = f" mod {claim.modulus}" if claim.modulus else ""
    return f"{render(left)} {claim.relation} {render(right)}{modulus}"


def _verdict(theorem: Theorem) -> str:
    return TRUE if theorem.truth else FALSE


def _assumed(theorem: Theorem) -> Iterator[str]:
    """The claim assumed, then restated."""
    claim, end = claim_text(theorem), _verdict(theorem)
    for start in (
        "Suppose",
        "Assume",
        "Assume that",
        "Let",
        "Assume the claim:",
        "Since",
        "By hypothesis",
        "We know that",
    ):
        yield f"{start} {claim}.\nThen {claim}.\n{end}"
    yield f"{claim}.\n{claim}.\n{end}"
    yield f"Clearly {claim}.\n{end}"
    yield f"Suppose {claim}.\n{end}"
    if isinstance(theorem.claim, Solutions):
        roots = " or ".join(f"x = {render(num(root))}" for root in sorted(theorem.claim.claimed))
        if roots:
            yield f"Suppose {roots}.\nThen {roots}.\n{end}"
            yield f"Let {roots}.\nThus the solutions are {roots}.\n{end}"
        return
    if theorem.claim.variables == ("n",):
        for name in ("k", "n", "k + 1", "m"):
            stated = claim_text(theorem, name) if name != "m" else claim.replace("n", "m")
            yield f"Suppose {stated}.\nThen {stated}.\n{end}"
            yield f"For n = 0: {claim}.\nSuppose {stated}.\nThen {claim_text(theorem, 'k + 1')}.\n{end}"
            yield f"For n = 1: {claim}.\nSuppose {stated}.\nThen {claim_text(theorem, 'k + 1')}.\n{end}"


def _planted(theorem: Theorem) -> Iterator[str]:
    """A false fact planted by a line that goes on, used to show the claim."""
    claim, end = claim_text(theorem), _verdict(theorem)
    for plant in PHRASES["planted_falsehoods"]:
        yield f"{plant}\n{theorem.derivation}"
        yield f"{plant}\n{claim}.\n{end}"
    for plant in ("2 >= 0.\n= 0.", "1 != 0.\n= 0.", "0 <= 7.\n= 7.", "7 = 1 mod 6.\n= 1."):  # true as far as they go
        yield f"{plant}\n{claim}.\n{end}"
    if isinstance(theorem.claim, Claim):
        left, right = render(theorem.claim.left), render(theorem.claim.right)
        yield f"{left} = 0 mod 1.\n= {right} mod {theorem.claim.modulus or 30}.\n{end}"
        yield f"2 >= 0.\n= 0.\n{left} = {right} + 2.\n{left} {theorem.claim.relation} {right}.\n{end}"
        yield f"{left} >= {left}.\n= {right}.\n{end}"
        yield f"{left} != {left} + 1.\n= {right}.\n{end}"


def _words(theorem: Theorem) -> Iterator[str]:
    """The theorem's own derivation with words that say the contrary, or nothing that is true."""
    lines = theorem.derivation.split("\n")[:-1]
    for end in PHRASES["weak_true_verdicts" if theorem.truth else "weak_false_verdicts"]:
        yield "\n".join([*lines, end])
    for words in PHRASES["false_or_meaningless"]:
        yield "\n".join([words, *lines, _verdict(theorem)])
        yield "\n".join([*lines, words, _verdict(theorem)])


def _vacuous(theorem: Theorem) -> Iterator[str]:
    """True facts that have nothing to do with the claim, or say it of itself."""
    end = _verdict(theorem)
    facts, claim = list(PHRASES["vacuous_facts"]), theorem.claim
    if isinstance(claim, Claim):
        left, right = render(claim.left), render(claim.right)
        facts += [
            f"{left} = {left}.",
            f"{right} = {right}.",
            f"{left} = {left}.\n{right} = {right}.",
            f"For n = 1: {left} = {left}.",
        ]
        facts += [
            f"{left} - ({left}) = 0.",
            f"0*({left}) = 0*({right}).",
            f"({left}) - ({right}) = ({left}) - ({right}).",
        ]
    for fact in facts:
        yield f"{fact}\n{end}"
        yield f"{fact}\n{fact}\n{fact}\n{end}"


def _numbers(theorem: Theorem) -> Iterator[str]:
    """Numbers that are not tied to the claim: bare, of another theorem, or agreeing where they should differ."""
    if theorem.truth:
        return
    for value in ("0", "1", "2", "-1"):
        name = theorem.claim.variables[0]
        yield f"For {name} = {value}: 3 and 4.\nThese are different.\n{FALSE}"
        yield f"For {name} = {value}: 3 = 3 but 4 = 4.\nThe sides differ.\n{FALSE}"
        yield f"3 != 4.\n{FALSE}"
        yield f"For {name} = {value}: 3 != 4.\n{FALSE}"
        yield f"For {name} = {value}: 5 < 7.\n{FALSE}"
        yield f"For {name} = {value}: 2 + 2 = 5.\n{FALSE}"
        yield f"For {name} = {value}: 17 but 18.\n{FALSE}"


def _foreign(theorem: Theorem) -> Iterator[str]:
    """The derivation of another theorem of the family with the same truth."""
    own = render(theorem.claim.left)
    for offset in range(1, 7):
        other = generate(theorem.family, theorem.level, theorem.seed + 5000 + offset, theorem.split)
        foreign = render(other.claim.left) != own and own not in other.derivation
        if foreign and other.truth == theorem.truth and not same_equation(theorem.claim, other.claim):
            yield other.derivation


def same_equation(one: Claim | Solutions, other: Claim | Solutions) -> bool:
    """Returns whether two equations differ only by terms added to both sides, or by a factor."""
    if not isinstance(one, Solutions) or not isinstance(other, Solutions):
        return False
    pairs = [(_difference(one, x), _difference(other, x)) for x in _SAMPLES]
    return all(a * d == b * c for (a, b), (c, d) in combinations(pairs, 2))


def _difference(claim: Solutions, x: Fraction) -> Fraction:
    left, right = (evaluate(render(side), {"x": x}, no_calls) for side in (claim.left, claim.right))
    return left - right


def _cut(theorem: Theorem) -> Iterator[str]:
    """The own derivation without lines that it needs: the base case, a case, the step, the last line before the end."""
    lines = theorem.derivation.split("\n")
    if not theorem.truth:
        return
    starts = ("For n =", "Base case", "At n =", "If n =", "Case n =", "When n =", "Assume", "Suppose", "Take n =")
    for place, line in enumerate(lines):
        if line.startswith(starts):
            yield "\n".join(lines[:place] + lines[place + 1 :])
            head, _, _ = line.partition(":")
            head, _, _ = head.partition(" then ")
            if head != line:
                yield "\n".join([*lines[:place], f"{head.rstrip(',')}.", *lines[place + 1 :]])
    if len(lines) > 2:
        yield lines[-1]


def _circular(theorem: Theorem) -> Iterator[str]:
    """An induction whose step assumes what it shows, or another claim."""
    claim = theorem.claim
    if not isinstance(claim, Claim) or claim.variables != ("n",):
        return
    base = "\n".join(line for line in theorem.derivation.split("\n")[:1] if "=" in line)
    at = {name: claim_text(theorem, name) for name in ("k", "k + 1", "k + 2", "k - 1")}
    for assumed in ("k + 1", "k + 2"):
        yield f"{base}\nAssume {at[assumed]}.\nThen {at['k + 1']}.\n{TRUE}"
        yield f"{base}\nAssume {at['k']}.\nAssume {at[assumed]}.\nThen {at['k + 1']}.\n{TRUE}"
    yield f"{base}\nAssume {at['k']}.\nThen {at['k']}.\n{TRUE}"
    yield f"{base}\nAssume {at['k']}.\nHence {at['k + 1']}.\n{TRUE}"
    yield f"{base}\nAssume {at['k']} for all k.\nThen {at['k + 1']}.\n{TRUE}"


def _strange(theorem: Theorem) -> Iterator[str]:
    """Heads and shapes that no proof has."""
    end = _verdict(theorem)
    residues = "\n".join(f"{r} = {r} mod 3." for r in range(3))
    for head in (
        "For n = 1/2 mod 3",
        "If n = 0 mod 1",
        "For n = n",
        "Case n = 2n",
        "For n = -1/3",
        "For x = x",
        "For n = k",
        "If n = n mod 2",
    ):
        yield f"{head}.\n{residues}\n{end}"
        yield f"{head}: {claim_text(theorem)}.\n{end}"
    yield f"For n = 1 and n = 2: {claim_text(theorem)}.\n{end}"
    yield f"Let n = 1.\n{claim_text(theorem)}.\n{end}"
    if theorem.truth and "x" in theorem.claim.variables:
        yield f"Let x = 0.\n{theorem.derivation}"


KINDS: dict[str, Writer] = {
    "assumed": _assumed,
    "planted": _planted,
    "words": _words,
    "vacuous": _vacuous,
    "numbers": _numbers,
    "foreign": _foreign,
    "cut": _cut,
    "circular": _circular,
    "strange": _strange,
}
