"""Relations in words: "A is not equal to B", "A = 11, which is less than 12", "n is even" as chains of signs.

Each wording is one relation between what stands before it and what stands after it (or 0, or a residue modulo 2); the
chain that it becomes is judged like any other.
"""

from dataclasses import replace

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
STATES = frozenset({"is", "does", "equals", "are", "induction", "fails"})
THIS = "this"  # before a relation that goes on from what was reached, by its word
_LEADING = ("the", "leading", "coefficient", "is", "positive")
_LEFT = (("left", "hand", "side"), ("left", "side"), ("lhs",))
_RIGHT = (("right", "hand", "side"), ("right", "side"), ("rhs",))
_GOING_ON: tuple[tuple[tuple[str, ...], str], ...] = (
    (("it", "equals"), "="),
    (("this", "equals"), "="),
    (("this", "is"), "="),
    (("this", "is", "at", "most"), "<="),
    (("this", "is", "less", "than"), "<"),
    (("it", "is", "at", "least"), ">="),
    (("it", "is", "greater", "than"), ">"),
    (("it", "is", "equal", "to"), "="),
    (("this", "is", "at", "least"), ">="),
    (("this", "is", "greater", "than"), ">"),
    (("hence", "greater", "than"), ">"),
    (("we", "are", "left", "with"), "="),
)
_ALONE_ON = tuple(  # what was reached is nonnegative
    ((*subject.split(), "is", sign), relation)
    for subject in ("this", "it", "their sum", "the sum", "the difference", "the result", "the expression")
    for sign, relation in _SIGNS
)
_FALSE = (("does", "not", "hold"), ("is", "false"), ("is", "not", "true"), ("is", "wrong"), ("fails",))
_NEGATED = {"=": "!=", "!=": "=", ">": "<=", ">=": "<", "<": ">=", "<=": ">"}
_WORDS_BETWEEN = tuple((tuple(words.split()), relation) for words, relation in _BETWEEN)
_WORDS_ALONE = tuple((tuple(words.split()), relation) for words, relation in _ALONE)


def with_relations(sentence: Sentence, claim: Claim | Solutions) -> Sentence:
    """The sentence with chains of signs for relations in words."""
    if sentence.words.isdisjoint(STATES):
        return sentence
    sentence = _with_coefficient(_with_claim(_going_on(_negated(_of_side(sentence, claim))), claim), claim)
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
    found, present = list(sentence.parts), sentence.words
    for words, relation in _ALONE_ON:
        if not present.issuperset(words):
            continue
        for at in range(len(found) - len(words) + 1):
            if tuple(found[at : at + len(words)]) == words:
                found[at : at + len(words)] = [THIS, Chain((num(0),), (), relation, 0, (sentence.span,))]
                break
    for words, relation in _GOING_ON:
        if not present.issuperset(words):
            continue
        for at in range(len(found) - len(words)):
            chain = found[at + len(words)]
            goes_on = isinstance(chain, Chain) and not chain.lead and (words[0] == "it" or not chain.relations)
            if tuple(found[at : at + len(words)]) == words and goes_on:
                assert isinstance(chain, Chain)
                stated = Chain(chain.terms, chain.relations, relation, chain.modulus, chain.spans)
                found[at : at + len(words) + 1] = [THIS, stated]
                break
    return Sentence(tuple(found), sentence.span)


def _of_side(sentence: Sentence, claim: Claim | Solutions) -> Sentence:
    """The sentence with A >= 5 for "the left side is at least 5", A being that side of the claim."""
    found = list(sentence.parts)
    for at in range(len(found) - 4):
        side = next((side for side in (*_LEFT, *_RIGHT) if tuple(found[at : at + len(side)]) == side), None)
        start = at + len(side or ())
        if side is None or isinstance(found[start], Chain):
            continue
        expr, span = claim.left if side in _LEFT else claim.right, sentence.span
        follows = (
            side in _RIGHT and expr.op in {"num", "neg"} and isinstance(claim, Claim) and claim.relation in {">", ">="}
        )
        chain = Chain((expr,), (), "", 0, (span,))
        length, stated = _stated(tuple(found), start, chain, claim)
        if stated is not None and follows:  # of what was reached, not of a number
            stated = Chain(stated.terms[1:], stated.relations[1:], stated.relations[0], 0, stated.spans[1:])
        if stated is not None and {*stated.relations, stated.lead} & {">", ">=", "<", "<=", "!="}:
            begin = at - 1 if at and found[at - 1] == "the" else at
            found[begin : start + length] = [THIS, stated] if follows else [stated]
            break
    return Sentence(tuple(found), sentence.span)


def _negated(sentence: Sentence) -> Sentence:
    """The sentence with A < B for "A >= B does not hold"."""
    found = list(sentence.parts)
    for at in range(len(found) - 1):
        chain = found[at]
        words = next((words for words in _FALSE if tuple(found[at + 1 : at + 1 + len(words)]) == words), None)
        if words and isinstance(chain, Chain) and len(chain.relations) == 1 and not chain.lead:
            found[at : at + 1 + len(words)] = [replace(chain, relations=(_NEGATED[chain.relations[0]],))]
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
        if _is_expression(part) and _says_never(parts[at:], claim):
            return Sentence((*parts[:at], "the", "claim", "holds", *parts[at + 6 :]), sentence.span)
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


def _says_never(parts: tuple[Part, ...], claim: Claim | Solutions) -> bool:
    """Returns whether the claim itself is said as "A is never divisible by 5"."""
    part, other = parts[0], parts[5] if len(parts) > 5 else None
    if parts[1:5] != ("is", "never", "divisible", "by") or not isinstance(claim, Claim) or claim.relation != "!=":
        return False
    stated = isinstance(part, Chain) and part.terms[0] == claim.left and claim.right == num(0)
    return stated and isinstance(other, Chain) and other.terms == (num(claim.modulus),)


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
