"""Multiples in words: "3 divides A", "A, which is not divisible by 3", "A is even" as congruences."""

import sys
from collections.abc import Iterator
from math import lcm

from lab.algebra import Algebra
from lab.expressions import num, variables
from lab.sentences import Chain, Part, Sentence

DIVISIBLE = frozenset({"congruent", "remainder", "divides", "divisible", "multiple", "divide", "even"})
_IT_IS = (
    ("it", "is", "even"),
    ("it", "is", "divisible", "by"),
    ("both", "terms", "are", "divisible", "by"),
    ("all", "terms", "are", "divisible", "by"),
)


def with_multiples(sentence: Sentence) -> Sentence:
    """The sentence with congruences for "3 divides A" and "A, which is (not) divisible by 3"."""
    if sentence.words.isdisjoint(DIVISIBLE):
        return sentence
    parts = list(_even(_going_on(sentence.parts)))
    _put_divides(parts)
    _put_congruent(parts)
    _put_both(parts)
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


def _put_divides(parts: list[Part]) -> None:
    """Puts congruences for "3 divides A" and "3 does not divide A"."""
    for verb, sign in ((["divides"], "="), (["does", "not", "divide"], "!=")):
        for at in range(len(parts) - len(verb) - 1):
            whole, modulus = parts[at + 1 + len(verb)], _divisor(parts[at])
            if parts[at + 1 : at + 1 + len(verb)] == verb and modulus and _is_expression(whole):
                parts[at : at + 2 + len(verb)] = [_zero(whole, modulus, sign), *[""] * (1 + len(verb))]


def _put_congruent(parts: list[Part]) -> None:
    """Puts a congruence for "A is congruent to 1 modulo 3", "A leaves the remainder 1 modulo 3"."""
    for at in range(len(parts) - 6):
        one, other, modulus = parts[at], parts[at + 4], _divisor(parts[at + 6])
        least = parts[at + 1 : at + 4] == ["leaves", "the", "remainder"] and _number(other) < modulus
        congruent = least or parts[at + 1 : at + 4] == ["is", "congruent", "to"]
        if not congruent or not modulus or parts[at + 5] not in {"modulo", "mod"} or not _is_expression(other):
            continue
        if isinstance(one, Chain) and isinstance(other, Chain) and not one.lead:
            relations, spans = (*one.relations, "="), (*one.spans, *other.spans)
            parts[at : at + 7] = [Chain((*one.terms, *other.terms), relations, "", modulus, spans)]
            return


def _put_both(parts: list[Part]) -> None:
    """Puts two congruences for "both A and B are divisible by 4"."""
    for at in range(len(parts) - 7):
        one, other, modulus = parts[at + 1], parts[at + 3], _divisor(parts[at + 7])
        stated = [parts[at], parts[at + 2], *parts[at + 4 : at + 7]] == ["both", "and", "are", "divisible", "by"]
        if stated and modulus and _is_expression(one) and _is_expression(other):
            parts[at : at + 8] = [_zero(one, modulus), "and", _zero(other, modulus)]
            return


def _is_expression(part: Part) -> bool:
    return isinstance(part, Chain) and not part.relations and not part.lead


def _zero(part: Part, modulus: int, sign: str = "=") -> Chain:
    """The congruence of an expression, or of the last one of a chain, to 0."""
    assert isinstance(part, Chain)
    return Chain((part.terms[-1], num(0)), (sign,), "", modulus, (part.spans[-1], part.spans[-1]))


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
            if "terms" in words:
                yield from words[:2]
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
        if length and isinstance(chain, Chain) and chain.relations and not chain.modulus and chain.terms[0].op != "var":
            yield chain
            yield ","
            yield Chain((chain.terms[-1], num(0)), ("=",), "", 2, (chain.spans[-1], chain.spans[-1]))
            at += 1 + length
            continue
        if length and alone and isinstance(chain, Chain):
            yield Chain((chain.terms[0], num(0)), ("=",), "", 2, (chain.spans[0], chain.spans[0]))
            at += 1 + length
        else:
            yield chain
            at += 1


def _number(part: Part) -> int:
    """The whole number that an expression is; one above all moduli for anything else."""
    alone = isinstance(part, Chain) and not part.relations and not part.lead and part.terms[0].op == "num"
    return part.terms[0].args[0] if alone and isinstance(part, Chain) else sys.maxsize


def sentence_span(parts: tuple[Part, ...]) -> tuple[int, int]:
    """The place of the first chain of a sentence."""
    return next((part.spans[0] for part in parts if isinstance(part, Chain) and part.spans), (0, 0))


def _divisor(part: Part) -> int:
    """The number that stands alone, or that a product of numbers is said to be; 0 for anything else."""
    if isinstance(part, Chain) and part.relations == ("=",) and not part.lead and not part.modulus:
        algebra, (product, number) = Algebra(), part.terms
        same = not any(map(variables, part.terms)) and algebra.same_value(algebra.terms(product), algebra.terms(number))
        return number.args[0] if same and number.op == "num" else 0
    alone = isinstance(part, Chain) and not part.relations and not part.lead and part.terms[0].op == "num"
    return part.terms[0].args[0] if alone and isinstance(part, Chain) else 0
