"""Clauses: a sentence as the parts that are judged one after the other, and what its words for sides stand for.

"2x = 4, so x = 2" are two clauses. "A if and only if B" are two as well: of equations B follows from A; of any other
claim A is shown by B, which is judged first. "The left side is 4" says that the left side of the claim equals 4.
"""

import re
from collections.abc import Iterator
from math import lcm

from lab.algebra import Algebra
from lab.claims import Claim, Solutions
from lab.expressions import Expr, num, shifted, substitute, variables
from lab.moves import Move, interpret
from lab.relations_in_words import STATES as _STATES
from lab.relations_in_words import with_relations
from lab.sentences import Chain, Part, Sentence

_LINKS = frozenset(
    {"so", "hence", "thus", "therefore", "whence", "giving", "we", "which", "and", ":", "since", "because"}
)
_EQUIVALENT = (("iff",), ("if", "and", "only", "if"), ("or", "equivalently"), ("which", "is", "equivalent", "to"))
MAX_PARTS, MAX_LINKS = 80, 8  # of a sentence that is taken apart, so that no text takes long
_BECOMES = (("is", "equivalent", "to"), ("becomes",), ("gives",))
_AT = frozenset({"for", "at", "if", "when", "case"})
_REASONS = frozenset({"since", "because", "as"})
_TURNS = frozenset({",", "and", "but"})
_MARKERS = _REASONS | frozenset({"either", "becomes", "gives", "iff", "if", "equivalently", "equivalent"})
_FIRST = {Move.RELATE, Move.ALTERNATIVES}
_LAST = {Move.AGREE, Move.DIFFER, Move.CLAIM_TRUE, Move.CLAIM_FALSE, Move.DONE, Move.NO_SOLUTION}
_DIVISIBLE = frozenset({"divides", "divisible", "multiple", "divide", "even"})
_IT_IS = (
    ("it", "is", "even"),
    ("it", "is", "divisible", "by"),
    ("both", "terms", "are", "divisible", "by"),
    ("all", "terms", "are", "divisible", "by"),
)
_IS_EVEN = (("is", "even"), ("is", "always", "even"), ("is", "also", "even"))
_VERDICTS = frozenset({"false", "fails", "refuted", "wrong"})
_NAMED = frozenset({"side", "sides", "lhs", "rhs", "formula", "coefficient", "or"})
_TRIGGERS = _STATES | _LINKS | _MARKERS | _TURNS | _DIVISIBLE | _NAMED
_SIDE = re.compile(
    r"\b(?:(left|right)(?: hand)? side|(lhs|rhs)|(both|the two|these)(?: the)? sides|the (formula))(?: of the [a-z]+)?"
    r"(?P<verb> (?:is|are|equals?|becomes?|gives?|yields?|comes? to|factors as|simplifies to))?"
    r"(?: (?:also|equal to|then))?$"
)


def clauses(sentence: Sentence, claim: Claim | Solutions) -> tuple[Sentence, ...]:
    """The clauses of a sentence in the order in which they are judged."""
    triggered = not _TRIGGERS.isdisjoint(part for part in sentence.parts if isinstance(part, str))
    if len(sentence.parts) > MAX_PARTS or not triggered:
        return (sentence,)
    several = _with_alternatives(sentence) if isinstance(claim, Solutions) else _one_value_each(sentence)
    return tuple(found for one in several for found in _clauses(one, claim))


def _with_values(sentence: Sentence, claim: Claim | Solutions) -> Sentence:
    """For n = 2: A = X, for "n = 2 gives X" of a congruence A = 0."""
    parts = sentence.parts
    for at in range(1, len(parts) - 1):
        value, chain = parts[at - 1], parts[at + 1]
        gives = parts[at] in {"give", "gives", "yields"} and _is_value(value) and isinstance(chain, Chain)
        if gives and isinstance(claim, Claim) and claim.modulus and isinstance(chain, Chain) and not chain.lead:
            relations, spans = ("=", *chain.relations), (chain.spans[0], *chain.spans)
            stated = Chain((claim.left, *chain.terms), relations, "", chain.modulus, spans)
            return Sentence((*parts[: at - 1], "for", value, ",", stated, *parts[at + 2 :]), sentence.span)
    return sentence


def _clauses(sentence: Sentence, claim: Claim | Solutions) -> tuple[Sentence, ...]:
    """The clauses of a sentence that speaks of one value."""
    sentence = _with_sides(with_relations(_with_multiples(_with_values(sentence, claim)), claim), claim)
    if not _LINKS.intersection(
        part for part in sentence.parts[1:] if isinstance(part, str)
    ) and not _MARKERS.intersection(part for part in sentence.parts if isinstance(part, str)):
        return (sentence,)
    pieces = list(_equivalents(sentence.parts, isinstance(claim, Solutions)))
    if len(pieces) > 1 and not isinstance(claim, Solutions):
        pieces.reverse()
    return tuple(Sentence(found, sentence.span) for piece in pieces for found in _linked(piece))


def _one_value_each(sentence: Sentence) -> tuple[Sentence, ...]:
    """The sentence once for each of several values of a variable: if n = 1 mod 3 or n = 2 mod 3."""
    parts = sentence.parts
    for at in range(1, min(len(parts), MAX_PARTS) - 2):
        found = [parts[at]] if parts[at - 1] in _AT and _is_value(parts[at]) else []
        end = at + 1
        while found and end + 1 < len(parts) and parts[end] in {"or", "and"} and _same(parts[at], parts[end + 1]):
            found.append(parts[end + 1])
            end += 2
        if 1 < len(found) <= MAX_LINKS:
            return tuple(Sentence((*parts[:at], value, *parts[end:]), sentence.span) for value in found)
    return (sentence,)


def _is_value(part: Part) -> bool:
    return isinstance(part, Chain) and part.relations == ("=",) and part.terms[0].op == "var" and not part.lead


def _same(one: Part, other: Part) -> bool:
    """Returns whether values are given to the same variable."""
    return isinstance(one, Chain) and isinstance(other, Chain) and _is_value(other) and one.terms[0] == other.terms[0]


def _equivalents(parts: tuple[Part, ...], solving: bool) -> Iterator[tuple[Part, ...]]:
    """The parts between words for "if and only if"; in solving, also "gives" and the like."""
    start = at = 0
    while at < len(parts):
        marker = next((marker for marker in _EQUIVALENT if parts[at : at + len(marker)] == marker), None)
        if marker is None and solving and at:
            joins = (one for one in _BECOMES if parts[at : at + len(one)] == one)
            marker = next((one for one in joins if _are_chains(parts, at - 1, at + len(one))), None)
        if marker is not None and _holds_chain(parts[start:at]) and at + len(marker) < len(parts):
            yield parts[start:at]
            start = at = at + len(marker)
        else:
            at += 1
    yield parts[start:]


def _linked(parts: tuple[Part, ...]) -> Iterator[tuple[Part, ...]]:
    """The parts before and after words such as "so", where both are sentences by themselves."""
    start = 0
    places = [at for at in range(1, len(parts) - 1) if _may_link(parts, at)]
    for at in places[:MAX_LINKS]:
        turn = parts[at] in _TURNS and parts[at + 1 : at + 2] and parts[at + 1] in _AT
        if turn and _both_evaluate(parts[start:at], parts[at + 1 :]):
            yield parts[start:at]
            start = at + 1
            continue
        reason = parts[at] == "," and parts[start] in _REASONS
        link = "and" if reason else str(parts[at])
        if (reason or parts[at] in _LINKS) and _both_read(parts[start:at], parts[at:], link):
            yield parts[start:at]
            start = at + (link in {"and", ":"})
    yield parts[start:]


def _may_link(parts: tuple[Part, ...], at: int) -> bool:
    """Returns whether a clause may begin at a word; after a colon only behind a verdict."""
    if parts[at] in _TURNS or parts[at] == ":":
        follows = isinstance(parts[at + 1], str)
        return follows and (parts[at] != ":" or not _VERDICTS.isdisjoint(parts[:at]))
    return parts[at] in _LINKS


def _both_evaluate(left: tuple[Part, ...], right: tuple[Part, ...]) -> bool:
    """Returns whether values are put in twice: at x = 1 both sides are 1, and at x = 2 they are 4."""
    found = [interpret(Sentence(parts)) for parts in (left, right)]
    return all(
        reading is not None
        and ((reading.move is Move.EVALUATE and reading.body) or (reading.move is Move.AGREE and reading.heads))
        for reading in found
    )


def _both_read(left: tuple[Part, ...], right: tuple[Part, ...], link: str) -> bool:
    """Returns whether both are sentences; after "and" only a conclusion, after a colon what a verdict has."""
    plain = right[1:] if link in {"and", ":"} else right
    after = interpret(Sentence(plain)) if plain else None
    before = interpret(Sentence(left)) if after is not None else None
    if before is None or after is None:
        return False
    if before.move is Move.EVALUATE and after.move is Move.SOLVES:
        return link not in {"and", ":"}
    says = (after.move is not Move.COMMENT or bool(after.heads) or "base case" in after.words) and link not in {
        "and",
        ":",
    }
    verdict = link == ":" and before.move is Move.CLAIM_FALSE
    return (before.move in _FIRST and says) or (after.move in _LAST and before.move is not Move.COMMENT) or verdict


def _are_chains(parts: tuple[Part, ...], *places: int) -> bool:
    """Returns whether relations stand at all these places."""
    chains = [parts[place] for place in places if place < len(parts)]
    return len(chains) == len(places) and all(isinstance(chain, Chain) and chain.relations for chain in chains)


def _holds_chain(parts: tuple[Part, ...]) -> bool:
    return any(isinstance(part, Chain) for part in parts)


def _with_multiples(sentence: Sentence) -> Sentence:
    """The sentence with congruences for "3 divides A" and "A, which is (not) divisible by 3"."""
    parts = list(_even(_going_on(sentence.parts)))
    if not _DIVISIBLE.intersection(part for part in parts if isinstance(part, str)):
        return Sentence(tuple(parts), sentence.span)
    for at in range(len(parts) - 2):
        number, verb, whole = parts[at : at + 3]
        if verb == "divides" and isinstance(whole, Chain) and (modulus := _divisor(number)) and not whole.relations:
            zero = (whole.spans[0], whole.spans[0])
            parts[at : at + 3] = [Chain((whole.terms[0], num(0)), ("=",), "", modulus, zero), "", ""]
    text = [part if isinstance(part, str) else "#" for part in parts]
    for words in (("is", "not", "divisible", "by"), ("is", "divisible", "by"), ("is", "a", "multiple", "of")):
        for at in range(1, len(parts) - len(words)):
            modulus = _divisor(parts[at + len(words)]) if tuple(text[at : at + len(words)]) == words else 0
            before = [place for place in range(at) if isinstance(parts[place], Chain)]
            if modulus and before and before[-1] >= at - 3:
                chain = parts[before[-1]]
                assert isinstance(chain, Chain)
                sign = "!=" if "not" in words else "="
                span = chain.spans[-1]
                stated = Chain((chain.terms[-1], num(0)), (sign,), "", modulus, (span, span))
                replaced = [stated] if not chain.relations and not chain.lead else [chain, ",", stated]
                parts[before[-1] : at + len(words) + 1] = [*replaced]
                return Sentence(tuple(part for part in parts if part != ""), sentence.span)
    return Sentence(tuple(part for part in parts if part != ""), sentence.span)


def _going_on(parts: tuple[Part, ...]) -> Iterator[Part]:
    """The parts with "= 0 mod 2" for "it is even", "both terms are divisible by 2", and a congruence for "2 and 3 both
    divide A"."""
    at = 0
    while at < len(parts):
        words: tuple[str, ...] = next((words for words in _IT_IS if parts[at : at + len(words)] == words), ())
        end = at + len(words)
        even = "even" in words
        modulus = 2 if even else _divisor(parts[end]) if words and end < len(parts) else 0
        one, both, whole = parts[at], parts[at + 1 : at + 5], parts[at + 5 : at + 6]
        divisors = (
            (_divisor(one), _divisor(both[1])) if both[:1] == ("and",) and both[2:] == ("both", "divide") else (0,)
        )
        if modulus:
            span = sentence_span(parts)
            yield Chain((num(0),), (), "=", modulus, (span,))
            at = end + (not even)
        elif all(divisors) and whole and isinstance(whole[0], Chain) and not whole[0].relations:
            span = whole[0].spans[0]
            yield Chain((whole[0].terms[0], num(0)), ("=",), "", lcm(*divisors), (span, span))
            at += 6
        else:
            yield one
            at += 1


def _even(found: Iterator[Part]) -> Iterator[Part]:
    """The parts with A = 0 mod 2 for "A is always even", where A is more than a variable."""
    parts = tuple(found)
    at = 0
    while at < len(parts):
        chain = parts[at]
        words = parts[at + 1 : at + 4]
        length = (
            2
            if words[:2] == ("is", "even")
            else 3
            if words in {("is", "always", "even"), ("is", "also", "even")}
            else 0
        )
        alone = isinstance(chain, Chain) and not chain.relations and not chain.lead and chain.terms[0].op != "var"
        if length and alone and isinstance(chain, Chain):
            yield Chain((chain.terms[0], num(0)), ("=",), "", 2, (chain.spans[0], chain.spans[0]))
            at += 1 + length
        else:
            yield chain
            at += 1


def sentence_span(parts: tuple[Part, ...]) -> tuple[int, int]:
    """The place of the first chain of a sentence."""
    return next((part.spans[0] for part in parts if isinstance(part, Chain) and part.spans), (0, 0))


def _divisor(part: Part) -> int:
    """The number that stands alone; 0 for anything else."""
    alone = isinstance(part, Chain) and not part.relations and not part.lead and part.terms[0].op == "num"
    return part.terms[0].args[0] if alone and isinstance(part, Chain) else 0


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


def _with_alternatives(sentence: Sentence) -> tuple[Sentence, ...]:
    """Two sentences for "either A, which gives B, or C, which gives D": A or C, and B or D; and for "if A then B" of
    equations."""
    parts = sentence.parts
    if parts[0] == "if" and parts[2:3] == ("then",) and _are_chains(parts, 1, 3) and not _is_value(parts[1]):
        return Sentence(parts[1:2], sentence.span), Sentence(parts[3:], sentence.span)
    gives = ((",", "which", "gives"), (",", "so"), (",", "giving"))
    firsts: list[Part] = []
    lasts: list[Part] = []
    at = 1 if parts[0] == "either" else len(parts)
    while at < len(parts):
        link = next((one for one in gives if parts[at + 1 : at + 1 + len(one)] == one), ())
        end = at + 1 + len(link)
        if not link or not _are_chains(parts, at, end):
            return (sentence,)
        firsts += (["or"] if firsts else []) + [parts[at]]
        lasts += (["or"] if lasts else []) + [parts[end]]
        at = end + 1
        at += 2 if parts[at : at + 2] == (",", "or") else 1 if parts[at : at + 1] == ("or",) else 0
    return tuple(Sentence(tuple(one), sentence.span) for one in (firsts, lasts)) if len(firsts) > 1 else (sentence,)


def _with_sides(sentence: Sentence, claim: Claim | Solutions) -> Sentence:
    """The sentence with the claim's side in front of what "the left side is" says of it."""
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


def _sides(side: re.Match[str], claim: Claim | Solutions) -> list[Expr]:
    """The sides that are spoken of."""
    named = side[1] or side[2] or side[4] or ""
    return [claim.left, claim.right] if side[3] else [claim.left if named[0] == "l" else claim.right]


def _about(chain: Chain, side: re.Match[str], claim: Claim | Solutions) -> list[Part]:
    """One equation for each side that is spoken of."""
    found: list[Part] = []
    for expr in _sides(side, claim):
        relations, spans = ("=", *chain.relations), (chain.spans[0], *chain.spans)
        found += ["and"] if found else []
        found.append(Chain((expr, *chain.terms), relations, "", chain.modulus, spans))
    return found
