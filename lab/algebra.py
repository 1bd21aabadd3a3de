"""Exact algebra on what is written: terms, their expansion, and what the expansion costs.

Three layers, from the writing to the value:

- A *term* is a sign and a sorted tuple of (atom, exponent). Atoms are literals ``("n", 3)``, variables ``("v", "x")``,
  values of sequences ``("c", "u", terms)``, prime powers with a variable exponent ``("e", 2, "k")`` and sums that are
  not multiplied out ``("s", terms)``. Equal tuples mean the same writing up to order: nothing was computed.
- *Expanding* a term gives (monomial, coefficient) pairs that are not collected, and counts operations: one for a
  product of two terms (more for numbers above two digits), one for two like terms collected inside a factor. A
  number in front of variables, a factor 1 and a sign cost nothing.
- A *monomial* is one integer with ``SLOT`` bits per indeterminate, so that a product of monomials is a sum.
"""

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction

from lab.expressions import Expr, Number, add, call, mul, neg, num, power, scaled, substitute, var
from lab.limits import MAX_BITS, MAX_DEGREE, MAX_EXPONENT, MAX_NAMES, MAX_OPERATIONS, Refused

SLOT = 8
MASK = (1 << SLOT) - 1
_HIGH = int("c0" * MAX_NAMES, 16)  # set where an exponent passes MAX_DEGREE

Atom = tuple
Term = tuple[int, tuple]
Terms = tuple[Term, ...]
Pairs = list[tuple[int, Number]]
Values = Mapping[str, Expr]

NO_VALUES: Values = {}


class Algebra:
    """One checker's algebra: the slots of its indeterminates, what it expanded before, and the work it may still do."""

    def __init__(self, operations: int = MAX_OPERATIONS) -> None:
        self.left = operations
        self.slots: dict[Atom, int] = {}
        self.calls: dict[Atom, Expr] = {}
        self._known: dict[tuple[Expr, int], tuple[Terms, Terms, Values]] = {}  # holds the values: no id returns
        self._products: dict[tuple[Expr, int], tuple[Terms, Values]] = {}
        self._expanded: dict[Term, tuple[Pairs, int]] = {}
        self._collected: dict[Terms, tuple[dict[int, Number], int]] = {}

    def spend(self, operations: int) -> None:
        """Counts work against the limit. Raises Refused when it is used up."""
        self.left -= operations
        if self.left < 0:
            raise Refused("the algebra of this text takes too long")

    def terms(self, expr: Expr, values: Values = NO_VALUES) -> Terms:
        """The terms of an expression in their order, with ``values`` put in for variables; zeros are left out."""
        return self._both_orders(expr, values)[0]

    def ordered(self, expr: Expr, values: Values = NO_VALUES) -> Terms:
        """The terms of an expression in one order for all of its writings."""
        return self._both_orders(expr, values)[1]

    def _both_orders(self, expr: Expr, values: Values) -> tuple[Terms, Terms, Values]:
        key = (expr, id(values) if values else 0)
        known = self._known.get(key)
        if known is None:
            found: list[Term] = []
            self._terms(expr, 1, values, found)
            self.spend(len(found))
            written = tuple(found)
            known = self._known[key] = written, written if len(found) < 2 else tuple(sorted(found)), values
        return known

    def _terms(self, expr: Expr, sign: int, values: Values, found: list[Term]) -> None:
        if expr.op == "add":
            for part in expr.args:
                self._terms(part, sign, values, found)
        elif expr.op == "neg":
            self._terms(expr.args[0], -sign, values, found)
        else:
            key = (expr, id(values) if values else 0)
            known = self._products.get(key)
            if known is None:
                known = self._products[key] = tuple(self._product(expr, values)), values
            found.extend(known[0] if sign > 0 else ((-inner, parts) for inner, parts in known[0]))

    def _product(self, expr: Expr, values: Values) -> Iterator[Term]:
        """The term of a product; the terms of a sum that is one by itself; none of what is 0."""
        factors: dict[Atom, int] = {}
        sign = self._factors(expr, 1, values, factors)
        if len(factors) == 1:
            ((atom, exponent),) = factors.items()
            if atom[0] == "s" and exponent == 1:
                yield from ((sign * inner, parts) for inner, parts in atom[1])
                return
        if sign and ("n", 0) not in factors:
            yield sign, (tuple(sorted(factors.items())) if len(factors) > 1 else tuple(factors.items()))

    def _factors(self, expr: Expr, exponent: int, values: Values, factors: dict[Atom, int]) -> int:
        """Adds the atoms of a product to ``factors`` and gives its sign."""
        op, args = expr
        sign = 1
        if op == "num":
            if args[0] != 1:
                _put(factors, ("n", args[0]), exponent)
        elif op == "var":
            if args[0] in values:
                return self._factors(values[args[0]], exponent, NO_VALUES, factors)
            _put(factors, ("v", args[0]), exponent)
        elif op == "mul":
            for part in args:
                sign *= self._factors(part, exponent, values, factors)
        elif op == "pow":
            return self._power(args[0], args[1], exponent, values, factors)
        elif op == "neg":
            sign = self._factors(args[0], exponent, values, factors) * _parity(exponent)
        elif op == "div":
            sign = self._factors(args[0], exponent, values, factors)
            self._factors(args[1], -exponent, NO_VALUES, factors)
        else:
            return (
                self._call(expr, exponent, values, factors)
                if op == "call"
                else self._sum(expr, exponent, values, factors)
            )
        return sign

    def _call(self, expr: Expr, exponent: int, values: Values, factors: dict[Atom, int]) -> int:
        """The value of a sequence as an atom; its argument is kept for the definition."""
        name, argument = expr.args
        atom = ("c", name, self.ordered(argument, values))
        self.calls[atom] = substitute(argument, dict(values))
        _put(factors, atom, exponent)
        return 1

    def _sum(self, expr: Expr, exponent: int, values: Values, factors: dict[Atom, int]) -> int:
        """A sum as an atom; one that is a single term is no sum."""
        inner = self.ordered(expr, values)
        if len(inner) > 1:
            _put(factors, ("s", inner), exponent)
            return 1
        if not inner:
            _put(factors, ("n", 0), 1)
            return 1
        sign, parts = inner[0]
        for atom, times in parts:
            _put(factors, atom, times * exponent)
        return sign if exponent % 2 else 1

    def _power(self, base: Expr, exponent: Expr, times: int, values: Values, factors: dict[Atom, int]) -> int:
        """A power: the exponent a number, or linear in one variable over a literal base (2^(k + 1) is 2 * 2^k)."""
        value = exponent.args[0] if exponent.op == "num" else None
        if value is None:
            linear = self.value(self.terms(exponent, values))
            value = linear.pop(0, 0)
            if linear:
                return self._exponential(base, linear, value, times, factors)
        if not isinstance(value, int) or not 0 <= value <= MAX_EXPONENT:
            raise Refused(f"an exponent must be a whole number up to {MAX_EXPONENT}")
        return self._factors(base, times * value, values, factors) if value else 1

    def _exponential(
        self, base: Expr, linear: Mapping[int, Number], shift: Number, times: int, factors: dict[Atom, int]
    ) -> int:
        number = base.args[0] if base.op == "num" else 0
        ((monomial, slope),) = linear.items() if len(linear) == 1 else ((0, 0),)
        atom = next((atom for atom, slot in self.slots.items() if monomial == 1 << slot and atom[0] == "v"), None)
        plain = isinstance(slope, int) and isinstance(shift, int) and 0 < slope <= 4 and abs(shift) <= MAX_EXPONENT
        if not 1 <= number <= 1000 or atom is None or not plain or abs(times) > 1:
            raise Refused("a variable exponent needs a number as its base")
        for prime, multiplicity in _prime_factors(number):
            _put(factors, ("e", prime, atom[1]), int(slope) * multiplicity * times)
        if shift and number > 1:
            _put(factors, ("n", number), int(shift) * times)
        return 1

    def slot(self, atom: Atom) -> int:
        """The bit position of an indeterminate. Raises Refused above ``MAX_NAMES``, where ``_HIGH`` guards no more."""
        known = self.slots.get(atom)
        if known is None:
            if len(self.slots) >= MAX_NAMES:
                raise Refused("too many different values of sequences")
            known = self.slots[atom] = SLOT * len(self.slots)
        return known

    def expand(self, term: Term) -> tuple[Pairs, int]:
        """The pairs of one term multiplied out but not collected, and the operations that took."""
        known = self._expanded.get(term)
        if known is None:
            known = self._expanded[term] = self._expand(term)
            self.spend(len(known[0]))
        return known

    def _expand(self, term: Term) -> tuple[Pairs, int]:
        coefficient: Number = term[0]
        monomial = literals = divisors = cost = 0
        product: Pairs | None = None
        for atom, exponent in term[1]:
            tag = atom[0]
            if tag == "n":
                coefficient *= _number_power(atom[1], exponent)
                literals, divisors = literals + max(exponent, 0), divisors + max(-exponent, 0)
            elif exponent < 0 or exponent > MAX_DEGREE:
                raise Refused("a power is out of bounds")
            elif tag == "s":
                product, spent = self._times_sum(product, atom[1], exponent)
                cost += spent
            else:
                monomial += exponent << self.slot(atom)
        cost += _literal_cost(literals, divisors) * _weight(coefficient)
        if product is None:
            return [(monomial, coefficient)], cost
        if monomial == 0 and abs(coefficient) == 1:
            return [(mono, coefficient * value) for mono, value in product], cost
        collected = self._collect(product)
        cost += len(product) - len(collected)
        return self._multiply([(monomial, coefficient)], list(collected.items()), cost)

    def _times_sum(self, product: Pairs | None, terms: Terms, exponent: int) -> tuple[Pairs, int]:
        """``product`` times the ``exponent``-th power of a sum; collected before each multiplication, not after."""
        values, cost = self.collected(terms)
        if exponent > MAX_EXPONENT:
            raise Refused("a power of a sum is out of bounds")
        total = 0
        for _ in range(exponent):
            total += cost
            if product is None:
                product = list(values.items())
                continue
            left = self._collect(product)
            total += len(product) - len(left)
            product, total = self._multiply(list(left.items()), list(values.items()), total)
        return product or [], total

    def _multiply(self, left: Pairs, right: Pairs, cost: int) -> tuple[Pairs, int]:
        self.spend(len(left) * len(right))
        product = [(a + b, x * y) for a, x in left for b, y in right]
        for mono, value in product:
            _guard(mono, value)
        trivial = any(len(side) == 1 and side[0][0] == 0 and abs(side[0][1]) == 1 for side in (left, right))
        return product, cost + (0 if trivial else sum(_weight(value) for _, value in product))

    def collected(self, terms: Terms) -> tuple[dict[int, Number], int]:
        """The value of a sum, monomial by monomial, and the operations to expand and collect it."""
        known = self._collected.get(terms)
        if known is None:
            pairs, cost = [], 0
            for term in terms:
                more, spent = self.expand(term)
                pairs += more
                cost += spent
            values = self._collect(pairs)
            known = self._collected[terms] = ({m: v for m, v in values.items() if v}, cost + len(pairs) - len(values))
        return known

    def value(self, terms: Terms) -> dict[int, Number]:
        """The normal form of a sum: its coefficients by monomial, none of them 0."""
        return dict(self.collected(terms)[0])

    def same_value(self, one: Terms, other: Terms, modulus: int = 0) -> bool:
        """Returns whether two sums have the same normal form (modulo a number, coefficient by coefficient)."""
        left, right = self.collected(one)[0], self.collected(other)[0]
        if left == right or not modulus:
            return left == right
        return all((left.get(mono, 0) - right.get(mono, 0)) % modulus == 0 for mono in left.keys() | right.keys())

    def _collect(self, pairs: Pairs) -> dict[int, Number]:
        self.spend(len(pairs))
        values: dict[int, Number] = {}
        for mono, value in pairs:
            values[mono] = values[mono] + value if mono in values else value
        return values

    def written(self, terms: Terms) -> Expr:
        """A sum of terms as an expression; nothing is worked out."""
        return add(*(self._written_term(sign, factors) for sign, factors in terms))

    def _written_term(self, sign: int, factors: tuple) -> Expr:
        above = [self._written_atom(atom, times) for atom, times in factors if times > 0]
        below = [self._written_atom(atom, -times) for atom, times in factors if times < 0]
        term = mul(*above) if above else num(1)
        for divisor in below:
            term = Expr("div", (term, divisor))
        return neg(term) if sign < 0 else term

    def _written_atom(self, atom: Atom, times: int) -> Expr:
        if atom[0] == "e":
            return Expr("pow", (num(atom[1]), mul(num(times), var(atom[2]))))
        if atom[0] == "c":
            return power(call(atom[1], self.calls[atom]), times)
        base = num(atom[1]) if atom[0] == "n" else var(atom[1]) if atom[0] == "v" else self.written(atom[1])
        return power(base, times)

    def expression(self, values: Mapping[int, Number]) -> Expr:
        """A normal form written out, the highest degree first."""
        order = sorted(values.items(), key=lambda item: self._rank(item[0]), reverse=True)
        return add(*(scaled(value, *self._indeterminates(mono)) for mono, value in order if value))

    def _rank(self, mono: int) -> tuple:
        """Exponentials and values of sequences first, then by degree, then x before y."""
        exponents = self.exponents(mono)
        symbols = tuple(sorted((str(atom[1]), times) for atom, times in exponents.items() if atom[0] != "v"))
        variables = tuple(exponents.get(("v", name), 0) for name in "xyznkmjt")
        return len(symbols), sum(variables), variables, symbols

    def exponents(self, mono: int) -> dict[Atom, int]:
        """The exponent of each indeterminate in a monomial."""
        return {atom: exponent for atom, slot in self.slots.items() if (exponent := mono >> slot & MASK)}

    def _indeterminates(self, mono: int) -> list[Expr]:
        """The factors of a monomial: variables by name, then powers and values of sequences."""
        order = sorted(self.exponents(mono).items(), key=lambda item: (item[0][0] != "v", str(item[0][1])))
        return [self._indeterminate(atom, exponent) for atom, exponent in order]

    def _indeterminate(self, atom: Atom, exponent: int) -> Expr:
        if atom[0] == "v":
            return power(var(atom[1]), exponent)
        if atom[0] == "c":
            return power(call(atom[1], self.calls[atom]), exponent)
        return Expr("pow", (Expr("num", (atom[1] ** exponent,)), var(atom[2])))


def _parity(exponent: int) -> int:
    """(-1)^exponent."""
    return -1 if exponent % 2 else 1


def _put(factors: dict[Atom, int], atom: Atom, exponent: int) -> None:
    """Multiplies by a power of an atom."""
    total = factors.get(atom, 0) + exponent
    if total or atom == ("n", 0):
        factors[atom] = total or 1
    else:
        del factors[atom]


def _literal_cost(literals: int, divisors: int) -> int:
    """Products of the numbers of one term: a lone fraction is already a number."""
    return max(0, literals - 1) + max(0, divisors - 1) + (1 if literals > 1 and divisors else 0)


def _weight(value: Number) -> int:
    """Operations of one product of numbers: 1 up to four digits in the result, then 1 more for every two digits."""
    size = abs(value.numerator)
    return 1 if size < 10_000 else (len(str(size)) - 1) // 2


def _number_power(number: int, exponent: int) -> Number:
    if number.bit_length() * abs(exponent) > MAX_BITS:
        raise Refused("a number is out of bounds")
    return number**exponent if exponent >= 0 else Fraction(1, number**-exponent)


def _guard(mono: int, value: Number) -> None:
    if mono & _HIGH:
        raise Refused("a degree is out of bounds")
    if value.numerator.bit_length() > MAX_BITS:
        raise Refused("a number is out of bounds")


def _prime_factors(number: int) -> Iterable[tuple[int, int]]:
    prime = 2
    while number > 1:
        times = 0
        while number % prime == 0:
            number, times = number // prime, times + 1
        if times:
            yield prime, times
        prime += 1
