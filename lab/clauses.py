"""Clauses: a sentence as the parts that are judged one after the other, and what its words for sides stand for.

"2x = 4, so x = 2" are two clauses. "A if and only if B" are two as well: of equations B follows from A; of any other
claim A is shown by B, which is judged first. "The left side is 4" says that the left side of the claim equals 4.
"""

from collections.abc import Iterator

from lab.claims import Claim, Solutions
from lab.moves import Move, Reading, interpret
from lab.multiples import DIVISIBLE, with_multiples
from lab.relations_in_words import STATES as _STATES
from lab.relations_in_words import with_relations
from lab.rewording import sentences_of
from lab.sentences import Chain, Part, Sentence
from lab.sides import with_sides
from lab.splitting import taken_apart
from lab.values_in_words import with_values_in_words

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
_IS_EVEN = (("is", "even"), ("is", "always", "even"), ("is", "also", "even"))
_VERDICTS = frozenset({"false", "fails", "refuted", "wrong"})
_GIVES = frozenset({"give", "gives", "yields"})
_NAMED = frozenset({"side", "sides", "lhs", "rhs", "formula", "coefficient", "or"})
_TRIGGERS = _STATES | _LINKS | _MARKERS | _TURNS | DIVISIBLE | _NAMED


def clauses(sentence: Sentence, claim: Claim | Solutions) -> Iterator[tuple[Sentence, Reading | None]]:
    """The clauses of a sentence in the order in which they are judged, each with its move (None: not understood)."""
    if len(sentence.parts) > MAX_PARTS:
        yield sentence, interpret(sentence)
        return
    for one in sentences_of(with_values_in_words(sentence, claim)):
        yield from _of_one(one, claim)


def _of_one(sentence: Sentence, claim: Claim | Solutions) -> Iterator[tuple[Sentence, Reading | None]]:
    """The clauses of a sentence in words of the grammar."""
    if sentence.words.isdisjoint(_TRIGGERS):
        yield from taken_apart(sentence)
        return
    for one in _with_alternatives(sentence) if isinstance(claim, Solutions) else _one_value_each(sentence):
        for clause in _clauses(one, claim):
            yield from taken_apart(clause)


def _with_values(sentence: Sentence, claim: Claim | Solutions) -> Sentence:
    """For n = 2: A = X, for "n = 2 gives X" of a congruence A = 0."""
    parts = sentence.parts
    for at in range(1, len(parts) - 1) if not sentence.words.isdisjoint(_GIVES) else ():
        value, chain = parts[at - 1], parts[at + 1]
        gives = parts[at] in _GIVES and _is_value(value) and isinstance(chain, Chain)
        if gives and isinstance(claim, Claim) and claim.modulus and isinstance(chain, Chain) and not chain.lead:
            relations, spans = ("=", *chain.relations), (chain.spans[0], *chain.spans)
            stated = Chain((claim.left, *chain.terms), relations, "", chain.modulus, spans)
            return Sentence((*parts[: at - 1], "for", value, ",", stated, *parts[at + 2 :]), sentence.span)
    return sentence


def _clauses(sentence: Sentence, claim: Claim | Solutions) -> tuple[Sentence, ...]:
    """The clauses of a sentence that speaks of one value."""
    sentence = with_sides(with_relations(with_multiples(_with_values(sentence, claim)), claim), claim)
    if _LINKS.isdisjoint(Sentence(sentence.parts[1:]).words) and sentence.words.isdisjoint(_MARKERS):
        return (sentence,)
    pieces = list(_equivalents(sentence.parts, isinstance(claim, Solutions)))
    if len(pieces) > 1 and isinstance(claim, Claim):
        stated = Chain((claim.left, claim.right), (claim.relation,), "", claim.modulus)
        if stated not in pieces[-1]:
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
