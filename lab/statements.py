"""Statements as people write them, read into propositions: what is claimed, and exactly whether it is true.

The wordings are those of the families, after "Prove or refute:", "Prove that", "Show that" or nothing:

    LEFT = RIGHT for all real x.                    (and >=, >, <=, <; one to three variables: x, y and z)
    the only real solution of LEFT = RIGHT is x = 3.
    the real solutions of LEFT = RIGHT are exactly x = 1, x = 2 and x = 3.
    LEFT = RIGHT has no real solution.
    d divides EXPRESSION for all integers n.        (or for all integers n >= 0)
    EXPRESSION leaves remainder r modulo d for all integers n.
    EXPRESSION is never divisible by d, for all integers n.
    Let S(n) be the sum of EXPRESSION over i = 1, ..., n. Prove or refute: S(n) = FORMULA for all n >= 1.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from lab.algebra import Algebra
from lab.claims import INTEGERS, ZERO, Claim, Domain, Solutions
from lab.expressions import Expr, Number, render, substitute, var
from lab.families.induction import closed_form
from lab.families.sums import closed_sum, sum_of
from lab.language import read, read_expression
from lab.limits import MAX_TEXT, Refused
from lab.sentences import Chain, Sentence, say
from lab.theorem import Proposition
from lab.truth import holds, polynomial_values, real_solutions, same_function

_OPENING = re.compile(r"(?:(?:prove or refute|prove|show)(?: that)? (?:: )?)?")
_LIST = r"#(?:(?: , #)* and #)?"
_SUM = re.compile(r"\s*let S\(n\) be the sum of ([^.]{1,500}?) over i = 1, \.\.\., n\.(.*)", re.DOTALL | re.IGNORECASE)
_INDEX = re.compile(r"(?<![A-Za-z])i(?![A-Za-z])")
MAX_POWERS = 4  # a polynomial summand has a degree below this


@dataclass(frozen=True, slots=True)
class Unsupported:
    """Reason why a statement has no exact verdict here."""

    reason: str


def read_statement(text: str) -> Proposition | Unsupported:
    """The proposition of a statement, whose ``statement`` is its wording in the lab; raises nothing, for any string."""
    try:
        summed = _SUM.fullmatch(text) if len(text) <= MAX_TEXT else None
        return _sum(summed[1], summed[2]) if summed else _plain(text)
    except Refused as refusal:
        return Unsupported(str(refusal))


def _plain(text: str) -> Proposition:
    wording, shape = _claim_sentence(text)
    for pattern, meaning in _SHAPES:
        if pattern.fullmatch(shape):
            claim, truth = meaning(wording.chains)
            return Proposition(wording.text, claim, truth)
    raise Refused("its words are none of those that the lab reads")


def _claim_sentence(text: str) -> tuple[Sentence, str]:
    """The only sentence of a text, opened as the lab does, and the shape of what it claims: words, and # for chains."""
    sentences = read(text)
    if len(sentences) != 1:
        raise Refused("a statement is one sentence")
    parts = sentences[0].parts
    shape = " ".join("#" if isinstance(part, Chain) else part for part in parts)
    opening = _OPENING.match(shape)
    assert opening is not None
    rest = [_turned(part) if isinstance(part, Chain) else part for part in parts[len(opening[0].split()) :]]
    return Sentence((*say("prove or refute:").parts, *rest)), shape[opening.end() :]


def _turned(chain: Chain) -> Chain:
    """The same inequality with the larger side first, as the lab writes it."""
    if chain.lead or chain.relations not in {("<=",), ("<",)}:
        return chain
    return Chain(chain.terms[::-1], (">=",) if chain.relations == ("<=",) else (">",), modulus=chain.modulus)


def _for_all(chains: tuple[Chain, ...]) -> tuple[Claim, bool]:
    """An equation or inequality for all values of some variables."""
    names = tuple(_name(chain) for chain in chains[1:])
    left, relation, right = _related(chains[0])
    claim = Claim(left, relation, right, names)
    return claim, holds(claim)


def _solutions(chains: tuple[Chain, ...]) -> tuple[Solutions, bool]:
    """An equation, then the solutions it is claimed to have."""
    left, relation, right = _related(chains[0])
    if relation != "=":
        raise Refused("only equations have solutions here")
    claimed = frozenset(_root(chain) for chain in chains[1:])
    actual = real_solutions(left, right)
    return Solutions(left, right, claimed, actual), claimed == actual


def _divides(chains: tuple[Chain, ...]) -> tuple[Claim, bool]:
    divisor, dividend, scope = chains
    return _congruence(dividend, "=", ZERO, divisor, scope)


def _leaves(chains: tuple[Chain, ...]) -> tuple[Claim, bool]:
    dividend, remainder, divisor, scope = chains
    if not 0 <= _whole(remainder) < _whole(divisor):
        raise Refused("a remainder is smaller than the divisor")
    return _congruence(dividend, "=", remainder.terms[0], divisor, scope)


def _never_divisible(chains: tuple[Chain, ...]) -> tuple[Claim, bool]:
    dividend, divisor, scope = chains
    return _congruence(dividend, "!=", ZERO, divisor, scope)


def _congruence(dividend: Chain, relation: str, right: Expr, divisor: Chain, scope: Chain) -> tuple[Claim, bool]:
    if not _whole(divisor):
        raise Refused("0 divides nothing here")
    name, domain = _integers(scope)
    claim = Claim(_single(dividend), relation, right, (name,), domain, _whole(divisor))
    return claim, holds(claim)


def _sum(summand_text: str, rest: str) -> Proposition:
    """The closed form of a sum; ``summand_text`` is in i."""
    if "n" in summand_text:
        raise Refused("a summand is in i alone")
    wording, shape = _claim_sentence(rest)
    if shape != "# for all #":
        raise Refused("a sum is claimed to have a closed form for all n >= 1")
    summand = read_expression(_INDEX.sub("n", summand_text))
    left, relation, formula = _related(wording.chains[0])
    claim = closed_form(sum_of(summand, _closed(summand)), formula)
    if (left, relation) != (claim.left, "=") or _integers(wording.chains[1]) != ("n", claim.domain):
        raise Refused("a sum is claimed to have a closed form for all n >= 1")
    assert claim.sequence is not None
    truth = same_function(formula, claim.sequence.closed)
    written = render(substitute(summand, {"n": var("i")}))
    return Proposition(f"Let S(n) be the sum of {written} over i = 1, ..., n. {wording.text}", claim, truth)


def _closed(summand: Expr) -> Expr:
    """The closed form of the sum of a cubic polynomial in n at most and a power of a number."""
    algebra = Algebra()
    coefficients: list[Number] = [0] * MAX_POWERS
    base = 0
    for mono, value in algebra.value(algebra.terms(summand)).items():
        exponents = algebra.exponents(mono)
        if any(atom[-1] != "n" or atom[0] == "c" for atom in exponents):
            raise Refused("a summand is in i alone")
        degree = exponents.get(("v", "n"), 0)
        if len(exponents) == (1 if degree else 0) and degree < MAX_POWERS:
            coefficients[degree] = value
        elif not degree and not base and value == 1:
            base = _base(exponents)
        else:
            raise Refused("a summand is a polynomial of degree 3 at most, plus a power of a number")
    return closed_sum(coefficients, base)


def _base(exponents: dict[tuple, int]) -> int:
    """The number whose n-th power a monomial of prime powers is."""
    base = 1
    for atom, times in exponents.items():
        base *= atom[1] ** times
    return base


def _related(chain: Chain) -> tuple[Expr, str, Expr]:
    if len(chain.relations) != 1 or chain.lead or chain.modulus:
        raise Refused("a claim is one relation between two expressions")
    return chain.terms[0], chain.relations[0], chain.terms[1]


def _single(chain: Chain) -> Expr:
    if chain.relations or chain.lead or chain.modulus:
        raise Refused("an expression is needed where a relation stands")
    return chain.terms[0]


def _name(chain: Chain) -> str:
    expr = _single(chain)
    if expr.op != "var":
        raise Refused("a claim holds for all values of variables, named one by one")
    return expr.args[0]


def _whole(chain: Chain) -> int:
    expr = _single(chain)
    if expr.op != "num":
        raise Refused("a divisor or a remainder is a whole number")
    return expr.args[0]


def _root(chain: Chain) -> Number:
    """The number of x = number."""
    left, relation, right = _related(chain)
    if (left, relation) != (var("x"), "="):
        raise Refused("solutions are written x = 3")
    return polynomial_values(Algebra(), right, ()).get(0, 0)


def _integers(chain: Chain) -> tuple[str, Domain]:
    """The variable and its values, of n or of n >= 0."""
    if not chain.relations:
        return _name(chain), INTEGERS
    left, relation, right = _related(chain)
    if left.op != "var" or relation != ">=" or right.op != "num":
        raise Refused("integers are all n, or all n >= a number")
    return left.args[0], Domain(integer=True, first=right.args[0])


Meaning = Callable[[tuple[Chain, ...]], tuple[Claim | Solutions, bool]]
_SHAPES: tuple[tuple[re.Pattern[str], Meaning], ...] = tuple(
    (re.compile(pattern), meaning)
    for pattern, meaning in (
        (rf"# for all real {_LIST}", _for_all),
        (r"the only real solution of # is #", _solutions),
        (rf"the real solutions of # are exactly {_LIST}", _solutions),
        (r"# has no real solution", _solutions),
        (r"# divides # for all integers #", _divides),
        (r"# leaves remainder # modulo # for all integers #", _leaves),
        (r"# is never divisible by # , for all integers #", _never_divisible),
    )
)
