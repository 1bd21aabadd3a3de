"""Terms and polynomials, for the kernel: expressions as they are written, multiplied out, and the size of one step.

A term is a sign and sorted (atom, exponent) pairs. Atoms: ``("n", 3)``, ``("v", "x")``, ``("e", 2, "k")`` for 2^k,
``("c", "S", argument)`` for a value of a sequence, ``("s", terms)`` for a sum that is not multiplied out. A polynomial
is a dict from monomials (integers with ``SLOT`` bits for each indeterminate) to coefficients.
"""

from collections.abc import Callable, Iterator
from fractions import Fraction

Number = int | Fraction
Terms = tuple
Poly = dict[int, Number]

SLOT = 32
_HIGH = sum(1 << (SLOT * place + SLOT - 1) for place in range(64))
MAX_EXPONENT, MAX_NUMBER, MAX_WORK = 64, 1 << 600, 60_000


class Rejected(Exception):
    """A certificate that the kernel does not accept; the message says why."""


def need(holds: object, message: str) -> None:
    """Raises Rejected unless something holds."""
    if not holds:
        raise Rejected(message)


class Writing:
    """Opens and expands the expressions of one certificate."""

    def __init__(self) -> None:
        self.slots: dict[tuple, int] = {}
        self.work = 0
        self._opened: dict = {}
        self._products: dict = {}
        self._expanded: dict = {}
        self._collected: dict = {}

    def terms(self, expr: tuple, at: tuple = ()) -> Terms:
        """The terms of an expression in a fixed order, with the values ``at`` put in for variables."""
        key = expr, at
        if key not in self._opened:
            found: list = []
            self._open(expr, 1, at, found)
            self._opened[key] = tuple(sorted(found))
        return self._opened[key]

    def _open(self, expr: tuple, sign: int, at: tuple, found: list) -> None:
        op, args = expr
        if op in {"add", "neg"}:
            for part in args:
                self._open(part, -sign if op == "neg" else sign, at, found)
            return
        key = expr, at
        if key not in self._products:
            powers: dict = {}
            inner = self._factors(expr, 1, at, powers)
            parts = tuple(sorted(pair for pair in powers.items() if pair[1]))
            self._products[key] = tuple(_opened(inner, parts)) if inner else ()
        found.extend(self._products[key] if sign > 0 else ((-inner, parts) for inner, parts in self._products[key]))

    def _factors(self, expr: tuple, times: int, at: tuple, powers: dict) -> int:  # noqa: PLR0911
        """Enters the atoms of a product; gives its sign, 0 for a product that is 0."""
        op, args = expr
        if op == "var":
            value = next((value for name, value in at if name == args[0]), None) if at else None
            return _put(powers, ("v", args[0]), times) if value is None else self._factors(value, times, (), powers)
        if op == "num":
            if not args[0] and times < 0:
                raise Rejected("a division by 0")
            return _put(powers, ("n", args[0]), times) if args[0] > 1 else args[0]
        if op in {"mul", "div", "neg"}:
            sign = -1 if op == "neg" and times % 2 else 1
            for place, part in enumerate(args):
                sign *= self._factors(part, -times if op == "div" and place else times, at, powers)
            return sign
        if op == "pow":
            return self._power(args[0], self.value(self.terms(args[1], at)), times, at, powers)
        if op == "call":
            argument = tuple(sorted(self.value(self.terms(args[1], at)).items()))
            return _put(powers, ("c", args[0], argument), times)
        inner = self.terms(expr, at)
        if len(inner) != 1:
            return _put(powers, ("s", inner), times) if inner else 0
        for atom, exponent in inner[0][1]:
            _put(powers, atom, exponent * times)
        return inner[0][0] if times % 2 else 1

    def _power(self, base: tuple, exponent: Poly, times: int, at: tuple, powers: dict) -> int:
        """A power by a number, or of a number by ``slope * variable + shift``."""
        shift, linear = exponent.get(0, 0), {mono: slope for mono, slope in exponent.items() if mono}
        if shift.denominator != 1 or abs(shift) > MAX_EXPONENT or (shift < 0 and not linear):
            raise Rejected("an exponent is out of bounds")
        if not linear:
            return self._factors(base, times * int(shift), at, powers) if shift else 1
        ((mono, slope),) = linear.items()
        name = next(atom[1] for atom, slot in self.slots.items() if mono == 1 << slot and atom[0] == "v")
        if base[0] != "num" or not 1 <= base[1][0] <= 1000 or slope < 0 or slope.denominator != 1:
            raise Rejected("a variable exponent needs a number as its base")
        rest, prime = base[1][0], 2
        while rest > 1:
            while rest % prime == 0:
                rest //= prime
                _put(powers, ("e", prime, name), int(slope) * times)
            prime += 1
        return _put(powers, ("n", base[1][0]), int(shift) * times)

    def expand(self, term: tuple) -> tuple[list, int]:
        """The (monomial, number) pairs of a term multiplied out but not collected, and the operations that takes."""
        if term not in self._expanded:
            self._expanded[term] = self._expand(term)
        return self._expanded[term]

    def _expand(self, term: tuple) -> tuple[list, int]:
        number, mono, cost, product = term[0], 0, 0, None
        for atom, times in term[1]:
            if atom[0] == "n":
                number *= atom[1] ** times if times > 0 else Fraction(1, atom[1] ** -times)
            elif not 0 < times <= MAX_EXPONENT:
                raise Rejected("an exponent is out of bounds")
            elif atom[0] != "s":
                mono += times << self.slots.setdefault(atom, SLOT * len(self.slots))
            else:
                inner, spent = self.collected(atom[1])
                for _ in range(times):
                    product, more = self._times(product, inner) if product is not None else (list(inner.items()), 0)
                    cost += spent + more
        if product is None:
            return [(mono, number)], cost
        product, more = self._times(product, {mono: number}, keep=not mono and abs(number) == 1)
        return product, cost + more

    def _times(self, product: list, other: Poly, *, keep: bool = False) -> tuple[list, int]:
        """A product collected (unless to ``keep``) and multiplied: what that gives, and the operations."""
        left = product if keep else list(_sum(product).items())
        pairs = [(a + b, x * y) for a, x in left for b, y in other.items()]
        self.work += len(pairs) + len(product)
        if self.work > MAX_WORK or any(mono & _HIGH or abs(value.numerator) > MAX_NUMBER for mono, value in pairs):
            raise Rejected("an expansion is too large")
        plain = any(len(side) == 1 and abs(dict(side).get(0, 0)) == 1 for side in (left, list(other.items())))
        return pairs, len(product) - len(left) + (0 if plain else len(pairs))

    def collected(self, terms: Terms) -> tuple[Poly, int]:
        """The polynomial of a sum, without coefficients 0, and the operations to multiply out and collect it."""
        if terms not in self._collected:
            pairs, cost = [], 0
            for term in terms:
                more, spent = self.expand(term)
                pairs, cost = pairs + more, cost + spent
            values = _sum(pairs)
            self._collected[terms] = {m: v for m, v in values.items() if v}, cost + len(pairs) - len(values)
        return self._collected[terms]

    def value(self, terms: Terms) -> Poly:
        """The polynomial of a sum."""
        return self.collected(terms)[0]

    def size(self, left: Terms, right: Terms, modulus: int, limit: int) -> int | None:
        """Operations from one sum to the other: products of two terms, and collections of like terms.

        None where they are not equal (modulo ``modulus``, coefficient by coefficient). What both sides share counts
        nothing: terms, a factor, the outside of a sum.
        """
        left, right = canceled(left, right)
        least = self._direct(left, right, modulus)
        if least is None or least <= limit:
            return least
        for one, other in _reduced(left, right):
            inner = self.size(one, other, modulus, limit)
            least = least if inner is None else min(inner, least)
            if least <= limit:
                break
        return least

    def _direct(self, left: Terms, right: Terms, modulus: int) -> int | None:
        cost, sides = 0, ({}, {})
        for side, terms in zip(sides, (left, right), strict=True):
            for term in terms:
                pairs, spent = self.expand(term)
                cost += spent
                for mono, value in pairs:
                    side.setdefault(mono, []).append(value)
        for mono in sides[0].keys() | sides[1].keys():
            one, other = sides[0].get(mono, ()), sides[1].get(mono, ())
            if one == other:
                continue
            off = sum(one) - sum(other)
            if off and (not modulus or off % modulus):
                return None
            one, other = canceled(one, other) if len(one) + len(other) > 2 else (one, other)
            cost += max(0, len(one) - 1) + max(0, len(other) - 1) + bool(off)
        return cost


def _put(powers: dict, atom: tuple, times: int) -> int:
    powers[atom] = powers.get(atom, 0) + times
    return 1


def _sum(pairs: list) -> Poly:
    values: Poly = {}
    for mono, value in pairs:
        values[mono] = values[mono] + value if mono in values else value
    return values


def negated(terms: Terms) -> Terms:
    """The opposite of a sum."""
    return tuple(sorted((-sign, parts) for sign, parts in terms))


def canceled(left: Terms, right: Terms) -> tuple[Terms, Terms]:
    """Both sides without what they share."""
    rest, kept = list(right), []
    for term in left:
        if term in rest:
            rest.remove(term)
        else:
            kept.append(term)
    return tuple(kept), tuple(rest)


def _opened(sign: int, parts: tuple) -> Iterator[tuple]:
    """A term, or where it is only a sum, its terms."""
    if len(parts) == 1 and parts[0][0][0] == "s" and parts[0][1] == 1:
        yield from ((sign * inner, rest) for inner, rest in parts[0][0][1])
    else:
        yield sign, parts


def _reduced(left: Terms, right: Terms) -> Iterator[tuple[Terms, Terms]]:
    """Smaller pairs of sums: the inside of a sum that changed; without a shared factor; a + b as the sum (a + b)."""
    if len(left) == len(right) == 1 and left[0][0] == right[0][0]:
        one, other = canceled(left[0][1], right[0][1])
        if len(one) == len(other) == 1 and one[0][1] == other[0][1] and one[0][0][0] == other[0][0][0] == "s":
            yield one[0][0][1], other[0][0][1]
    if shared := _shared(left + right):
        yield _divided(left, shared), _divided(right, shared)
    for atom in dict.fromkeys(atom for _, parts in left + right for atom, _ in parts if atom[0] == "s"):
        one, other = _folded(left, atom), _folded(right, atom)
        if (one, other) != (left, right) and atom in _shared(one + other):
            yield _divided(one, {atom: 1}), _divided(other, {atom: 1})


def _shared(terms: Terms) -> dict:
    """The atoms in every term, each with the exponent nearest to 0."""
    shared = dict(terms[0][1])
    for _, parts in terms[1:]:
        powers = dict(parts)
        shared = {a: min(n, powers[a], key=abs) for a, n in shared.items() if powers.get(a, 0) * n > 0}
    return shared


def _divided(terms: Terms, shared: dict) -> Terms:
    rest = (
        (sign, tuple((a, n - shared.get(a, 0)) for a, n in parts if n != shared.get(a, 0))) for sign, parts in terms
    )
    return tuple(term for sign, parts in rest for term in _opened(sign, parts))


def _folded(terms: Terms, atom: tuple) -> Terms:
    """The terms with the sum written as one where all its terms stand."""
    for sign in (1, -1):
        kept, missing = canceled(terms, tuple((sign * inner, parts) for inner, parts in atom[1]))
        if not missing:
            return (*kept, (sign, ((atom, 1),)))
    return terms


def divides(modulus: int, other: int) -> bool:
    """Returns whether what holds modulo ``other`` (0: exactly) holds modulo ``modulus``."""
    return other == 0 or (modulus != 0 and other % modulus == 0)


def plus(expr: tuple, shift: int) -> tuple:
    number = ("num", (abs(shift),))
    return ("add", (expr, number if shift > 0 else ("neg", (number,)))) if shift else expr


def scaled(terms: Terms, ratio: Fraction, written: Callable[[tuple], Terms]) -> Terms:
    """The terms times a number, which is written into each."""
    scale = ("div", (("num", (abs(ratio.numerator),)), ("num", (ratio.denominator,))))
    parts = written(scale)[0][1]
    return tuple((sign if ratio > 0 else -sign, times(old, parts)) for sign, old in terms)


def times(parts: tuple, more: tuple) -> tuple:
    powers = dict(parts)
    for atom, times in more:
        powers[atom] = powers.get(atom, 0) + times
    return tuple(sorted(pair for pair in powers.items() if pair[1]))


def distinct(factors: list) -> Terms:
    return product(list(dict.fromkeys(factors)))


def product(factors: list) -> Terms:
    """The factors as one product that is not multiplied out."""
    if len(factors) == 1:
        return factors[0]
    sign, parts = 1, ()
    for terms in factors:
        single = len(terms) == 1
        sign, parts = (
            (sign * terms[0][0], times(parts, terms[0][1])) if single else (sign, times(parts, ((("s", terms), 1),)))
        )
    return ((sign, parts),)
