"""Self-verifiable mathematical reasoning: refine problems, verify proofs, and check proofs exactly.

    import lemmata
    result = lemmata.refine("Prove that n*n + n is even for all integers n.", policy="shipped")
    print(result.accepted, result.proof)

Names are loaded when they are first used; importing lemmata loads neither torch nor a client library.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.errors import LemmataError
    from lemmata.api import arefine, arefine_many, averify, check, refine, refine_many, verify
    from lemmata.engine import Engine
    from lemmata.results import LoadedRun, Result, Results, Verification, load_run

__all__ = [
    "Engine",
    "LemmataError",
    "LoadedRun",
    "Result",
    "Results",
    "Verification",
    "arefine",
    "arefine_many",
    "averify",
    "check",
    "load_run",
    "refine",
    "refine_many",
    "verify",
]

_MODULES = {
    "core.errors": ("LemmataError",),
    "lemmata.api": ("arefine", "arefine_many", "averify", "check", "refine", "refine_many", "verify"),
    "lemmata.engine": ("Engine",),
    "lemmata.results": ("LoadedRun", "Result", "Results", "Verification", "load_run"),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'lemmata' has no attribute {name!r}")
    return getattr(import_module(_MODULE_OF[name]), name)


def __dir__() -> list[str]:
    return __all__
