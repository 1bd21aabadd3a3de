"""Congruences: residues of an expression for every value of its variable."""

from collections.abc import Iterator, Mapping

from lab.algebra import Algebra
from lab.expressions import Number

LARGEST_MODULUS = 40


def vanishes(algebra: Algebra, values: Mapping[int, Number], modulus: int) -> bool:
    """Exact for one variable and moduli up to ``LARGEST_MODULUS``; where it cannot tell, the answer is no."""
    found = residues(algebra, values, modulus)
    return found is not None and not any(found)


def residues(algebra: Algebra, values: Mapping[int, Number], modulus: int) -> Iterator[int] | None:
    """The residues at 0, 1, 2, ... as far as they can differ; None where that cannot be told.

    Polynomials repeat after ``modulus`` values. Powers a^n repeat after at most ``modulus`` values once n passes the
    exponents of the common primes (below 6 here), so products of both do after ``modulus`` squared.
    """
    terms = []
    names = set()
    for mono, value in values.items():
        exponents = algebra.exponents(mono)
        names |= {atom[1] for atom in exponents if atom[0] == "v"} | {atom[2] for atom in exponents if atom[0] == "e"}
        powers = [(atom[1], times) for atom, times in exponents.items() if atom[0] == "e"]
        degree = sum(times for atom, times in exponents.items() if atom[0] == "v")
        if value.denominator != 1 or any(atom[0] == "c" for atom in exponents):
            return None
        terms.append((int(value), degree, powers))
    if len(names) > 1 or modulus > LARGEST_MODULUS:
        return None
    span = modulus * modulus + 6 if any(powers for _, _, powers in terms) else modulus
    algebra.spend(span * len(terms))
    return (sum(_at(term, n, modulus) for term in terms) % modulus for n in range(span))


def _at(term: tuple[int, int, list[tuple[int, int]]], n: int, modulus: int) -> int:
    value, degree, powers = term
    value *= pow(n, degree, modulus)
    for prime, times in powers:
        value *= pow(prime, times * n, modulus)
    return value
