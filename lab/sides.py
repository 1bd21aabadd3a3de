"""Sides in words: what "the left side is", "both sides become" or "the formula gives" say of the claim's sides."""

import re

from lab.algebra import Algebra
from lab.claims import Claim, Solutions
from lab.expressions import Expr, shifted, sub, substitute, variables
from lab.sentences import Chain, Part, Sentence
from lab.sequences import close

_SIDE = re.compile(
    r"(?<!from )(?<!to )(?<!into )(?<!by )\b(?:(left|right)(?: hand)? side|(lhs|rhs)|(both|the two|these)(?: the)? "
    r"sides|the (formula))(?: of the [a-z]+)?"
    r"(?P<verb> (?:is|are|equals?|becomes?|gives?|yields?|comes? to|factors as|simplifies to))?"
    r"(?: (?:also|equal to|then))?$"
)

_NAMES = frozenset({"side", "sides", "lhs", "rhs", "formula"})


def with_sides(sentence: Sentence, claim: Claim | Solutions) -> Sentence:
    """The sentence with the claim's side in front of what "the left side is" says of it."""
    if sentence.words.isdisjoint(_NAMES):
        return sentence
    sentence = _with_sides_at(sentence, claim)
    found: list[Part] = []
    words = ""
    for part in sentence.parts:
        if isinstance(part, str):
            words += f" {part}"
            found.append(part)
            continue
        side = _SIDE.search(words) if part.lead in {"", "="} else None
        found += _about(part, side, claim) if side and _leads_there(part, side, claim) else [part]
        words = ""
    return (
        Sentence(tuple(found), sentence.span)
        if len(found) > len(sentence.parts) or found != list(sentence.parts)
        else sentence
    )


def _with_sides_at(sentence: Sentence, claim: Claim | Solutions) -> Sentence:
    """The sentence with the claim's side at an index in front of what "the right-hand side at k + 1 is" says of it."""
    parts = sentence.parts
    for at in range(3, len(parts) - 3):
        side, index, chain = parts[at - 3], parts[at + 1], parts[at + 3]
        if (
            isinstance(claim, Claim)
            and claim.domain.first is not None
            and parts[at - 2 : at + 1] in {("hand", "side", "at"), ("hand", "side", "for")}
            and side in {"left", "right"}
            and isinstance(index, Chain)
            and not index.relations
            and not index.lead
            and parts[at + 2] in {"is", "equals"}
            and isinstance(chain, Chain)
            and not chain.lead
        ):
            expr = claim.at(index.terms[0])[side == "right"]
            spans = (chain.spans[0], *chain.spans)
            stated = Chain((expr, *chain.terms), ("=", *chain.relations), "", chain.modulus, spans)
            start = at - 4 if at > 3 and parts[at - 4] == "the" else at - 3
            return Sentence((*parts[:start], stated, *parts[at + 4 :]), sentence.span)
    return sentence


def _leads_there(chain: Chain, side: re.Match[str], claim: Claim | Solutions) -> bool:
    """Returns whether a chain lacks the side it speaks of: it goes on from it, is one expression, or begins equal.

    After a verb it lacks it always, unless it begins with that side, of an induction at whatever index.
    """
    if not chain.relations or chain.lead:
        return True
    if side[4]:  # the formula, at whatever index
        return False
    algebra, sides = Algebra(), _sides(side, claim)
    first = algebra.terms(chain.terms[0])
    stated = list(sides)
    if isinstance(claim, Claim) and claim.domain.first is not None:
        stated += [
            substitute(expr, {claim.variables[0]: shifted(name, shift)})
            for name in sorted(variables(chain.terms[0]))
            for shift in (1, 0, -1, 2)
            for expr in sides
        ]
    if any(sorted(first) == sorted(algebra.terms(expr)) for expr in stated):
        return False
    return bool(side["verb"]) or any(algebra.same_value(first, algebra.terms(expr)) for expr in sides)


def _sides(side: re.Match[str], claim: Claim | Solutions, chain: Chain | None = None) -> list[Expr]:
    """The sides that are spoken of; of an equation with everything on its left side, that."""
    named = side[1] or side[2] or side[4] or ""
    if isinstance(claim, Solutions) and chain is not None and named[:1] == "l":
        algebra, gathered = Algebra(), sub(claim.left, claim.right)
        first = algebra.terms(chain.terms[0])
        if not algebra.same_value(first, algebra.terms(claim.left)) and algebra.same_value(
            first, algebra.terms(gathered)
        ):
            return [gathered]
    if isinstance(claim, Claim) and claim.domain.first is not None and chain is not None and not side[3]:
        return [_side_at(claim.left if named[0] == "l" else claim.right, chain, claim)]
    return [claim.left, claim.right] if side[3] else [claim.left if named[0] == "l" else claim.right]


def _side_at(expr: Expr, chain: Chain, claim: Claim) -> Expr:
    """A side of the claim at that index k, k + 1 or k - 1 where what is said of it is so; else as it is."""
    algebra, first = Algebra(), chain.terms[0]
    if claim.variables[0] in variables(first):
        return expr
    stated = algebra.terms(close(first, claim.sequence))
    for name in sorted(variables(first)):
        for shift in (1, 0, -1, 2):
            moved = substitute(expr, {claim.variables[0]: shifted(name, shift)})
            if algebra.same_value(stated, algebra.terms(close(moved, claim.sequence)), claim.modulus):
                return moved
    return expr


def _about(chain: Chain, side: re.Match[str], claim: Claim | Solutions) -> list[Part]:
    """One equation for each side that is spoken of."""
    found: list[Part] = []
    for expr in _sides(side, claim, chain):
        relations, spans = ("=", *chain.relations), (chain.spans[0], *chain.spans)
        found += ["and"] if found else []
        found.append(Chain((expr, *chain.terms), relations, "", chain.modulus, spans))
    return found
