"""The families of theorems, by name. Each draws a claim of a level and writes a derivation for it."""

from collections.abc import Callable
from random import Random

from lab.families import divisibility, equations, identities, inequalities, recurrences, sums
from lab.theorem import Draft

FAMILIES: dict[str, Callable[[Random, int], Draft]] = {
    "identities": identities.draw,
    "divisibility": divisibility.draw,
    "sums": sums.draw,
    "inequalities": inequalities.draw,
    "equations": equations.draw,
    "recurrences": recurrences.draw,
}
