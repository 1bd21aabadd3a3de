"""Mutation fuzz of the checker: every mutant scored 1 is judged again by the independent evaluator."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random

from lab.adversary.bogus import bogus_proofs
from lab.adversary.evaluator import faults
from lab.adversary.mutations import NEGATING, mutant
from lab.checker import check
from lab.generator import HELD_OUT_LEVEL, LEVELS, families, generate
from lab.theorem import Theorem

MAX_CHANGES = 3
MAX_EXAMPLES = 20


@dataclass
class Findings:
    """Counts of an attack. ``fooled``: theorems of which a text that deserves less was scored 1."""

    theorems: int = 0
    texts: int = 0
    accepted: int = 0
    fooled: int = 0
    confirmed: Counter[str] = field(default_factory=Counter)
    exceptions: Counter[str] = field(default_factory=Counter)
    examples: list[tuple[str, str, str, str]] = field(default_factory=list)  # (kind, statement, text, why)

    def record(self, kind: str, theorem: Theorem, text: str, why: str) -> None:
        """Counts a text that was scored 1 and is wrong."""
        self.confirmed[kind] += 1
        if len(self.examples) < MAX_EXAMPLES:
            self.examples.append((kind, theorem.statement, text, why))


def theorems(per_level: int, seed: int) -> Iterator[Theorem]:
    """``per_level`` theorems of every family and level, of the training split where the level has one."""
    for family in families():
        for level in LEVELS:
            split = "validation" if level == HELD_OUT_LEVEL else "train"
            for number in range(per_level):
                yield generate(family, level, seed + number, split)


def attack_with_bogus_proofs(per_level: int, seed: int) -> Findings:
    """Checks every bogus proof of every theorem."""
    found = Findings()
    for theorem in theorems(per_level, seed):
        found.theorems += 1
        before = found.confirmed.total()
        for kind, text in bogus_proofs(theorem):
            if _score(found, kind, theorem, text) == 1:
                found.record(kind, theorem, text, "bogus by construction")
        found.fooled += found.confirmed.total() > before
    return found


def fuzz(mutants: int, seed: int, progress: Callable[[int], None] = lambda _: None) -> Findings:
    """Checks ``mutants`` mutants of written derivations, families and levels in turn."""
    found, rng = Findings(), Random(f"fuzz {seed}")
    per_level = max(1, mutants // (len(families()) * len(LEVELS) * 40))
    while found.texts < mutants:
        seed += 1_000
        for theorem in theorems(per_level, seed):
            found.theorems += 1
            other = generate(theorem.family, theorem.level, theorem.seed + 77_000, theorem.split)
            for _ in range(min(40, mutants - found.texts)):
                _try_mutant(found, rng, theorem, other.derivation)
            progress(found.texts)
    return found


def _try_mutant(found: Findings, rng: Random, theorem: Theorem, other: str) -> None:
    text, names = theorem.derivation, []
    for _ in range(rng.randint(1, MAX_CHANGES)):
        name, changed = mutant(rng, text, other)
        names += [name] if changed != text else []
        text = changed
    if not names or _score(found, "+".join(names), theorem, text) < 1:
        return
    found.accepted += 1
    for why in faults(theorem, text, seed=found.texts)[:1]:
        found.record("+".join(names), theorem, text, why)
    if len(names) == 1 and names[0] in NEGATING:
        found.record(names[0], theorem, text, "words that say otherwise are skipped")


def _score(found: Findings, kind: str, theorem: Theorem, text: str) -> float:
    found.texts += 1
    try:
        return check(theorem, text).score
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what the attack looks for
        found.exceptions[f"{type(error).__name__}: {error}"] += 1
        found.record("exception", theorem, text, f"{type(error).__name__}: {error}")
        return 0.0
