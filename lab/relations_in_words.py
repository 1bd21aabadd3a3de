"""Relations in words: "A is not equal to B", "A = 11, which is less than 12", "n is even" as chains of signs.

Each wording is one relation between what stands before it and what stands after it (or 0, or a residue modulo 2); the
chain that it becomes is judged like any other.
"""

from lab.algebra import Algebra
from lab.claims import Claim, Solutions
from lab.expressions import num, sub
from lab.ordering import quadratic
from lab.sentences import Chain, Part, Sentence

_BETWEEN: tuple[tuple[str, str], ...] = (
    ("is not equal to", "!="),
    ("is different from", "!="),
    ("does not equal", "!="),
    ("is not", "!="),
    ("equals", "="),
    ("is less than", "<"),
    ("is smaller than", "<"),
    ("is greater than", ">"),
    ("is larger than", ">"),
    ("is at least", ">="),
    ("is at most", "<="),
)
_SIGNS = (("nonnegative", ">="), ("positive", ">"), ("negative", "<"))
_ALONE: tuple[tuple[str, str], ...] = (
    ("is nonnegative", ">="),
    ("is never negative", ">="),
    ("is positive", ">"),
    ("is negative", "<"),
    *((f"is {surely} {sign}", relation) for surely in ("always", "clearly", "obviously") for sign, relation in _SIGNS),
)
_PARITY = {"even": 0, "odd": 1}
STATES = frozenset({"is", "does", "equals", "are", "induction"})
_LEADING = ("the", "leading", "coefficient", "is", "positive")
_LEFT = (("left", "hand", "side"), ("left", "side"), ("lhs",))
_RIGHT = (("right", "hand", "side"), ("right", "side"), ("rhs",))
_GOING_ON: tuple[tuple[tuple[str, ...], str], ...] = (
    (("it", "equals"), "="),
    (("it", "is", "equal", "to"), "="),
    (("this", "is", "at", "least"), ">="),
    (("this", "is", "greater", "than"), ">"),
    (("hence", "greater", "than"), ">"),
    (("we", "are", "left", "with"), "="),
)
_WORDS_BETWEEN = tuple((tuple(words.split()), relation) for words, relation in _BETWEEN)
_WORDS_ALONE = tuple((tuple(words.split()), relation) for words, relation in _ALONE)


def with_relations(sentence: Sentence, claim: Claim | Solutions) -> Sentence:
    """The sentence with chains of signs for relations in words."""
    if STATES.isdisjoint(part for part in sentence.parts if isinstance(part, str)):
        return sentence
    sentence = _with_coefficient(_with_claim(_going_on(sentence), claim), claim)
    found: list[Part] = []
    at = 0
    while at < len(sentence.parts):
        subject = _subject(found)
        length, stated = _stated(sentence.parts, at, subject, claim) if subject else (0, None)
        if stated is None:
            found.append(sentence.parts[at])
            at += 1
            continue
        _put(found, stated)
        at += length
    return Sentence(tuple(found), sentence.span)


def _going_on(sentence: Sentence) -> Sentence:
    """The sentence with ">= 4" for "this is at least 4", and "= x" for "we are left with x": they go on."""
    found = list(sentence.parts)
    for words, relation in _GOING_ON:
        for at in range(len(found) - len(words)):
            chain = found[at + len(words)]
            goes_on = isinstance(chain, Chain) and not chain.lead and (words[0] == "it" or not chain.relations)
            if tuple(found[at : at + len(words)]) == words and goes_on:
                assert isinstance(chain, Chain)
                stated = Chain(chain.terms, chain.relations, relation, chain.modulus, chain.spans)
                found[at : at + len(words) + 1] = [stated]
                break
    return Sentence(tuple(found), sentence.span)


def _with_coefficient(sentence: Sentence, claim: Claim | Solutions) -> Sentence:
    """The sentence with a chain for "the leading coefficient is positive", that of a quadratic claim."""
    parts = sentence.parts
    places = [at for at in range(len(parts) - len(_LEADING) + 1) if parts[at : at + len(_LEADING)] == _LEADING]
    algebra = Algebra()
    found = quadratic(algebra, algebra.terms(sub(claim.left, claim.right))) if places else None
    if found is None:
        return sentence
    at, span = places[0], sentence.span
    stated = Chain((num(found[0]), num(0)), (">",), "", 0, (span, span))
    return Sentence((*parts[:at], stated, *parts[at + len(_LEADING) :]), sentence.span)


def _is_expression(part: Part) -> bool:
    return isinstance(part, Chain) and not part.lead and not part.relations


def _with_claim(sentence: Sentence, claim: Claim | Solutions) -> Sentence:
    """The sentence with "the claim holds" for the claim itself in "by induction, S(n) = n^2 for all n", and with
    an equation for "which is the left-hand side"."""
    parts = sentence.parts
    side = (*_LEFT, *_RIGHT)
    for at, part in enumerate(parts):
        if _is_expression(part) and parts[at + 1 : at + 3] == ("is", "never") and at + 3 < len(parts):
            other = parts[at + 3]
            if isinstance(claim, Claim) and isinstance(part, Chain) and isinstance(other, Chain):
                stated = Chain((part.terms[0], *other.terms), ("!=", *other.relations), "", other.modulus)
                if not other.lead and stated == Chain((claim.left, claim.right), (claim.relation,), "", claim.modulus):
                    return Sentence((*parts[:at], "the", "claim", "holds", *parts[at + 4 :]), sentence.span)
        before = [word for word in parts[:at] if word not in {",", "so", "hence", "thus", "therefore"}]
        if isinstance(part, Chain) and before == ["by", "induction"] and not isinstance(claim, Solutions):
            whole = Chain((claim.left, claim.right), (claim.relation,), "", claim.modulus)
            if part == whole and parts[at + 1 : at + 2] == ("for",):
                return Sentence((*parts[:at], "the", "claim", "holds", *parts[at + 1 :]), sentence.span)
        if isinstance(part, Chain) and parts[at + 1 : at + 4] == (",", "which", "is"):
            words = tuple(word for word in parts[at + 4 :] if word not in {"exactly", "just", "the"})
            if words in side:
                other = claim.left if words in _LEFT else claim.right
                span = part.spans[-1]
                stated = Chain((part.terms[-1], other), ("=",), "", part.modulus, (span, span))
                return Sentence((*parts[: at + 2], stated), sentence.span)
    return sentence


def _subject(found: list[Part]) -> Chain | None:
    """The chain that a relation in words speaks of: the last part, or that before ", which"."""
    place = -3 if found[-2:] == [",", "which"] else -1
    chain = found[place] if len(found) >= -place else None
    return chain if isinstance(chain, Chain) else None


def _stated(parts: tuple[Part, ...], at: int, subject: Chain, claim: Claim | Solutions) -> tuple[int, Chain | None]:
    """The number of parts of a relation in words that begins here, and its chain; None where there is none."""
    last, span = subject.terms[-1], subject.spans[-1]
    for words, relation in _WORDS_BETWEEN:
        end = at + len(words)
        other = parts[end] if parts[at:end] == words and end < len(parts) else None
        if isinstance(other, Chain) and not other.lead:
            terms, relations = (last, *other.terms), (relation, *other.relations)
            return len(words) + 1, Chain(terms, relations, "", other.modulus, (span, *other.spans))
    for words, relation in _WORDS_ALONE:
        if parts[at : at + len(words)] == words:
            return len(words), Chain((last, num(0)), (relation,), "", 0, (span, span))
    word = parts[at + 1] if parts[at] == "is" and at + 1 < len(parts) else None
    follows = parts[at + 2] if at + 2 < len(parts) else ","
    if isinstance(word, str) and word in _PARITY and last.op == "var" and not subject.relations and follows != "or":
        return 2, Chain((last, num(_PARITY[word])), ("=",), "", 2, (span, span))
    return 0, None


def _put(found: list[Part], stated: Chain) -> None:
    """Puts what is said behind its subject, or in the place of one that is an expression alone."""
    if found[-2:] == [",", "which"]:
        found.pop()
        found.append(stated)
        return
    subject = found[-1]
    assert isinstance(subject, Chain)
    if subject.relations or subject.lead:
        found += [",", stated]
    else:
        found[-1] = stated
