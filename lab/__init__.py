"""The lab: families of theorems with derivations, and a checker that decides every step by exact algebra.

``generate(family, level, seed, split)`` draws a theorem, ``check(theorem, text)`` gives a proof's verdict. Nothing of
this package is shown to a policy.
"""

from lab.checker import check
from lab.defects import CheckResult, Defect, Kind, Place
from lab.generator import HELD_OUT_LEVEL, LEVELS, SPLITS, families, generate
from lab.theorem import Theorem

__all__ = [
    "HELD_OUT_LEVEL",
    "LEVELS",
    "SPLITS",
    "CheckResult",
    "Defect",
    "Kind",
    "Place",
    "Theorem",
    "check",
    "families",
    "generate",
]
