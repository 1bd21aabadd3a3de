"""Values in words: "n is even, n = 2k", "the formula for n = k + 1", "for n = 2 we get 8" as chains.

What is left out (that n = 2k is even) is checked here; a sentence that says otherwise stays as it is, and is refused.
"""

from lab.algebra import Algebra
from lab.claims import Claim, Solutions
from lab.expressions import is_numeral, var, variables
from lab.sentences import Chain, Part, Sentence

_PARITY = {"even": 0, "odd": 1}
_CASE_OF = frozenset({"if", "suppose", "assume", "let", "when", "for", "consider", "case"})
_BETWEEN = frozenset(
    {",", ":", "so", "then", "with", "and", "say", "write", "namely", "that", "is", "i", "e", "we", "hence", "let"}
)
_NAMED = frozenset(
    {"claim", "formula", "statement", "identity", "result", "it", "is", "holds", "true", "correct", "right", "valid"}
)
_GETS = {("we", verb) for verb in ("get", "have", "obtain", "find")}
_IN_LIST = frozenset(
    {"is", "are", "exactly", "precisely", "therefore", "thus", "hence", "the", "numbers", ",", "and", ":"}
)
_INTRODUCE = frozenset({"write", "define", "introduce", "denote"})
MAX_WORDS = 5


def with_values_in_words(sentence: Sentence, claim: Claim | Solutions) -> Sentence:
    """The sentence with values as the grammar has them."""
    parts = _introducing(_without_label(sentence.parts), claim)
    sentence = sentence if parts == sentence.parts else Sentence(parts, sentence.span)
    if isinstance(claim, Solutions):
        parts = _with_solutions(sentence.parts)
        return sentence if parts == sentence.parts else Sentence(parts, sentence.span)
    if len(claim.variables) != 1:
        return sentence
    if claim.left.op == "call":
        sentence = Sentence(_with_left_side(sentence.parts), sentence.span)
    parts = _with_value_of(_with_parity(_without_square(sentence.parts), claim.variables[0]), claim)
    parts = _with_index(parts, claim.variables[0])
    return sentence if parts == sentence.parts else Sentence(parts, sentence.span)


def _introducing(parts: tuple[Part, ...], claim: Claim | Solutions) -> tuple[Part, ...]:
    """Let t = x + 2, for "write t = x + 2" with a new t."""
    start = 1 if parts[0] == "we" else 0
    verb, chain = (*parts[start : start + 2], "", "")[:2]
    if verb not in _INTRODUCE or not isinstance(chain, Chain) or chain.relations != ("=",) or chain.lead:
        return parts
    first = chain.terms[0]
    return ("let", *parts[start + 1 :]) if first.op == "var" and first.args[0] not in claim.variables else parts


def _without_label(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """The parts behind "Case 1:"."""
    if len(parts) < 4 or parts[0] not in {"case", "step", "part"} or parts[2] not in {":", ","}:
        return parts
    label, value = parts[1], parts[3]
    if not _is_numeral(label):
        return parts
    named = (
        isinstance(value, Chain) and value.terms[0].op == "var" and (value.relations == ("=",) or parts[4:5] == ("is",))
    )
    return ("if", *parts[3:]) if named else parts[3:]


def _is_numeral(part: Part) -> bool:
    return (
        isinstance(part, Chain) and not part.relations and not part.lead and part.terms[0].op in {"num", "neg", "div"}
    )


def _with_solutions(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """The solutions are x = 4 and x = 5, for "the solutions are 4 and 5"."""
    found = list(parts)
    named = False
    for at, part in enumerate(parts):
        if isinstance(part, str):
            named = (named and part in _IN_LIST) or part in {"solutions", "solution", "roots", "root", "zeros"}
        elif named and isinstance(part, Chain) and _is_numeral(part) and is_numeral(part.terms[0]):
            found[at] = Chain((var("x"), *part.terms), ("=",), "", 0, (*part.spans, *part.spans))
    return tuple(found)


def _with_left_side(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """The left side is, for "the sum is" of a claim about a sum."""
    for at in range(len(parts) - 2):
        if parts[at : at + 2] == ("the", "sum") and parts[at + 2] in {"is", "equals"}:
            return (*parts[:at], "the", "left", "side", *parts[at + 2 :])
    return parts


def _without_square(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """(x - 5)^2, for "the square (x - 5)^2"."""
    for at in range(2, len(parts)):
        chain = parts[at]
        if parts[at - 2 : at] == ("the", "square") and isinstance(chain, Chain) and not chain.lead:
            base = chain.terms[0]
            if base.op == "pow" and base.args[1].op == "num" and base.args[1].args[0] % 2 == 0:
                return _without_square((*parts[: at - 2], *parts[at:]))
    return parts


def _with_value_of(parts: tuple[Part, ...], claim: Claim) -> tuple[Part, ...]:
    """For n = 2: A = 8, for "for n = 2 we get 8" of a claim that A is 0 modulo something."""
    found = list(parts)
    for at in range(len(parts) - 1, 3, -1):
        chain, start = parts[at], at - 3 if parts[at - 3] != "," else at - 4
        stated = parts[at - 2 : at] in _GETS and parts[start - 1] in {"for", "at", "when", "if"}
        number = isinstance(chain, Chain) and not chain.lead and not any(map(variables, chain.terms))
        if stated and number and claim.modulus and _gives_value(parts[start], claim) and isinstance(chain, Chain):
            spans = (chain.spans[0], *chain.spans)
            found[at] = Chain((claim.left, *chain.terms), ("=", *chain.relations), "", chain.modulus, spans)
    return tuple(found)


def _gives_value(part: Part, claim: Claim) -> bool:
    numeral = isinstance(part, Chain) and part.relations == ("=",) and not part.lead and is_numeral(part.terms[1])
    return numeral and isinstance(part, Chain) and part.terms[0].args == claim.variables


def _with_parity(parts: tuple[Part, ...], name: str) -> tuple[Part, ...]:
    """If n = 2k + 1, for "if n is odd, say n = 2k + 1"."""
    for at in range(len(parts) - 4):
        chain, verb, word = parts[at : at + 3]
        if verb != "is" or word not in _PARITY or not _is_variable(chain, name):
            continue
        end = at + 3
        while end < len(parts) and parts[end] in _BETWEEN and end - at < 3 + MAX_WORDS:
            end += 1
        value = parts[end] if end < len(parts) else None
        if end > at + 3 and isinstance(value, Chain) and _has_parity(value, name, _PARITY[str(word)]):
            before = tuple(part for part in parts[:at] if part not in {"first", "now", "next", ","})
            if all(part in _CASE_OF | {"that"} for part in before) and before:
                return ("if", *parts[end:])
    return parts


def _is_variable(part: Part, name: str) -> bool:
    return isinstance(part, Chain) and not part.relations and not part.lead and part.terms[0].args == (name,)


def _has_parity(chain: Chain, name: str, parity: int) -> bool:
    """Returns whether a chain is n = 2k, or n = 2k + 1, of that parity for every whole k."""
    if chain.relations != ("=",) or chain.lead or chain.modulus or chain.terms[0].args != (name,):
        return False
    algebra = Algebra()
    value = dict(algebra.value(algebra.terms(chain.terms[1])))
    shift = value.pop(0, 0)
    whole = all(number.denominator == 1 and number % 2 == 0 for number in value.values())
    return bool(value) and whole and shift.denominator == 1 and shift % 2 == parity


def _with_index(parts: tuple[Part, ...], name: str) -> tuple[Part, ...]:
    """The claim for k + 1, for "the claim for n = k + 1"; and with n = k >= 1, for k, k >= 1."""
    found = list(parts)
    for at in range(1, len(parts)):
        chain = parts[at]
        if (
            parts[at - 1] not in {"for", "at", "some", "integer"}
            or not isinstance(chain, Chain)
            or chain.lead
            or chain.modulus
        ):
            continue
        named = not _NAMED.isdisjoint(part for part in parts[:at] if isinstance(part, str))
        first = chain.terms[0].op == "var" and chain.terms[0].args == (name,)
        if named and first and chain.relations in {("=",), ("=", ">=")} and not is_numeral(chain.terms[1]):
            if len(chain.terms) == 3 and not is_numeral(chain.terms[2]):
                continue
            found[at] = Chain(chain.terms[1:], chain.relations[1:], "", 0, chain.spans[1:])
    return tuple(found)
