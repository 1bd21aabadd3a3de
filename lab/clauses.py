"""Clauses: a sentence as the parts that are judged one after the other, and what its words for sides stand for.

"2x = 4, so x = 2" are two clauses. "A if and only if B" are two as well: of equations B follows from A; of any other
claim A is shown by B, which is judged first. "The left side is 4" says that the left side of the claim equals 4.
"""

import re
from collections.abc import Iterator

from lab.algebra import Algebra
from lab.claims import Claim, Solutions
from lab.moves import Move, interpret
from lab.sentences import Chain, Part, Sentence

_LINKS = frozenset({"so", "hence", "thus", "therefore", "whence", "giving", "we", "which"})
_EQUIVALENT = (("iff",), ("if", "and", "only", "if"), ("or", "equivalently"), ("which", "is", "equivalent", "to"))
_FIRST = {Move.RELATE, Move.ALTERNATIVES}
_LAST = {Move.AGREE, Move.DIFFER, Move.CLAIM_TRUE, Move.CLAIM_FALSE, Move.DONE, Move.NO_SOLUTION}
_SIDE = re.compile(
    r"\b(?:(left|right)(?: hand)? side|(lhs|rhs)|(both) (?:the )?sides|(both) sides)(?: of the [a-z]+)?"
    r"(?: (?:is|are|equals?|becomes?|gives?|yields?|comes? to|factors as|simplifies to))?(?: (?:also|equal to|then))?$"
)


def clauses(sentence: Sentence, claim: Claim | Solutions) -> tuple[Sentence, ...]:
    """The clauses of a sentence in the order in which they are judged."""
    sentence = _with_sides(sentence, claim)
    if len(sentence.chains) < 2 and not _LINKS.intersection(map(str, sentence.parts[1:])):
        return (sentence,)
    pieces = list(_equivalents(sentence.parts))
    if len(pieces) > 1 and not isinstance(claim, Solutions):
        pieces.reverse()
    return tuple(Sentence(found, sentence.span) for piece in pieces for found in _linked(piece))


def _equivalents(parts: tuple[Part, ...]) -> Iterator[tuple[Part, ...]]:
    """The parts between words for "if and only if"."""
    start = at = 0
    while at < len(parts):
        marker = next((marker for marker in _EQUIVALENT if parts[at : at + len(marker)] == marker), None)
        if marker is not None and _holds_chain(parts[start:at]) and at + len(marker) < len(parts):
            yield parts[start:at]
            start = at = at + len(marker)
        else:
            at += 1
    yield parts[start:]


def _linked(parts: tuple[Part, ...]) -> Iterator[tuple[Part, ...]]:
    """The parts before and after words such as "so", where both are sentences by themselves."""
    start = 0
    for at in range(1, len(parts)):
        if parts[at] in _LINKS and _holds_chain(parts[start:at]) and _both_read(parts[start:at], parts[at:]):
            yield parts[start:at]
            start = at
    yield parts[start:]


def _both_read(left: tuple[Part, ...], right: tuple[Part, ...]) -> bool:
    before, after = interpret(Sentence(left)), interpret(Sentence(right))
    if before is None or after is None:
        return False
    says = after.move is not Move.COMMENT or bool(after.heads)
    return (before.move in _FIRST and says) or after.move in _LAST


def _holds_chain(parts: tuple[Part, ...]) -> bool:
    return any(isinstance(part, Chain) for part in parts)


def _with_sides(sentence: Sentence, claim: Claim | Solutions) -> Sentence:
    """The sentence with the claim's side in front of what "the left side is" says of it."""
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


def _leads_there(chain: Chain, side: re.Match[str], claim: Claim | Solutions) -> bool:
    """Whether a chain lacks the side it speaks of: it goes on from it, is one expression, or begins with one equal."""
    if not chain.relations or chain.lead:
        return True
    algebra, expr = Algebra(), claim.left if (side[1] or side[2] or "")[:1] == "l" else claim.right
    one, other = algebra.terms(chain.terms[0]), algebra.terms(expr)
    return sorted(one) != sorted(other) and algebra.same_value(one, other)


def _about(chain: Chain, side: re.Match[str], claim: Claim | Solutions) -> list[Part]:
    """One equation for each side that is spoken of."""
    named = side[1] or side[2] or ""
    sides = [claim.left, claim.right] if side[3] or side[4] else [claim.left if named[0] == "l" else claim.right]
    found: list[Part] = []
    for expr in sides:
        relations, spans = ("=", *chain.relations), (chain.spans[0], *chain.spans)
        found += ["and"] if found else []
        found.append(Chain((expr, *chain.terms), relations, "", chain.modulus, spans))
    return found
