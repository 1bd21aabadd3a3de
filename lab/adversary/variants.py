"""Valid proofs in a mathematician's own words, and how many of them the checker accepts."""

from collections.abc import Iterator
from importlib import resources

import yaml

from lab.checker import check
from lab.generator import generate
from lab.statements import Unsupported, read_statement
from lab.theorem import Proposition

Variant = dict[str, str]  # family, form, statement or coordinates, proof


def variants() -> Iterator[tuple[Variant, Proposition]]:
    """All variants with what they prove."""
    text = resources.files("lab.adversary").joinpath("variants.yaml").read_text(encoding="utf-8")
    for variant in yaml.safe_load(text):
        yield variant, _proposition(variant)


def _proposition(variant: Variant) -> Proposition:
    if coordinates := variant.get("coordinates"):
        family, level, seed, split = coordinates.split("/")
        return generate(family, int(level), int(seed), split)
    proposition = read_statement(variant["statement"])
    if isinstance(proposition, Unsupported):
        raise ValueError(f"{variant['statement']}: {proposition.reason}")
    return proposition


def acceptance() -> tuple[dict[str, tuple[int, int]], list[tuple[Variant, str]]]:
    """Accepted and total variants by family; then each refused one with the message of its first defect."""
    counts: dict[str, tuple[int, int]] = {}
    refused = []
    for variant, proposition in variants():
        verdict = check(proposition, variant["proof"])
        accepted, total = counts.get(variant["family"], (0, 0))
        counts[variant["family"]] = accepted + (verdict.score == 1), total + 1
        if verdict.score < 1:
            refused.append((variant, verdict.defects[0].message))
    return counts, refused
