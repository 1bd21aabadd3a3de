"""The kernel accepts the certificates of written derivations, and no certificate that was tampered with."""

import ast
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import lab.kernel
import lab.kernel_solutions
import lab.kernel_terms
from lab import LEVELS, Theorem, families, generate
from lab.certificate import (
    Certificate,
    CertificateStep,
    Consecutive,
    Direct,
    Hypothesis,
    Induction,
    Instance,
    Order,
    ResidueCases,
    Scope,
    Solved,
)
from lab.checker import certificate_of, check, internal_errors
from lab.claims import INTEGERS, REALS, Claim
from lab.expressions import add, num
from lab.kernel import verify
from lab.kernel_terms import Rejected
from lab.language import read_expression

RULES = {
    "language",
    "moves",
    "phrases",
    "clauses",
    "ledger",
    "facts",
    "graph",
    "openings",
    "steps",
    "algebra",
    "ordering",
    "rules",
    "sequences",
}


def certified(family: str) -> Iterator[tuple[Theorem, Certificate]]:
    """Theorems of a family with the certificates of their derivations."""
    for level in LEVELS:
        for seed in range(4):
            theorem = generate(family, level, seed, "test")
            certificate = certificate_of(theorem, theorem.derivation)
            assert certificate is not None
            yield theorem, certificate


def rejected(theorem: Theorem, certificate: Certificate) -> None:
    with pytest.raises(Rejected):
        verify(theorem.claim, certificate)


@pytest.mark.parametrize("module", [lab.kernel, lab.kernel_solutions, lab.kernel_terms])
def test_the_kernel_shares_no_code_with_reader_and_rules(module: object) -> None:
    tree = ast.parse(Path(str(getattr(module, "__file__", ""))).read_text())
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    own = {name for name in imported if name.startswith("lab")}
    assert own <= {"lab", "lab.kernel_solutions", "lab.kernel_terms"}
    assert not {name.rpartition(".")[2] for name in own} & RULES


@pytest.mark.parametrize("family", families())
def test_the_contrary_and_another_claim_are_not_shown(family: str) -> None:
    found = list(certified(family))
    for (theorem, certificate), (other, _) in zip(found, found[1:] + found[:1], strict=True):
        verify(theorem.claim, certificate)
        rejected(theorem, replace(certificate, truth=not certificate.truth))
        if other.statement != theorem.statement:
            rejected(other, certificate)


@pytest.mark.parametrize("family", families())
def test_a_step_that_is_changed_is_rejected(family: str) -> None:
    for theorem, certificate in certified(family):
        for place, node in enumerate(certificate.nodes):
            if isinstance(node, CertificateStep):
                wrong = replace(node, right=add(node.right, num(1)), end=None)
                nodes = (*certificate.nodes[:place], wrong, *certificate.nodes[place + 1 :])
                rejected(theorem, replace(certificate, nodes=nodes))
            elif isinstance(node, Order):
                wrong_order = replace(node, small=add(node.small, num(10_000)))
                nodes = (*certificate.nodes[:place], wrong_order, *certificate.nodes[place + 1 :])
                rejected(theorem, replace(certificate, nodes=nodes))


def test_no_case_and_no_base_may_be_missing() -> None:
    for theorem, certificate in (
        pair for family in ("divisibility", "sums", "recurrences") for pair in certified(family)
    ):
        how = certificate.conclusion
        if isinstance(how, Induction):
            rejected(theorem, replace(certificate, conclusion=replace(how, bases=how.bases[1:])))
            rejected(theorem, replace(certificate, conclusion=replace(how, shift=how.shift + 1)))
        elif isinstance(how, ResidueCases):
            ((residues, modulus, instances),) = how.blocks
            rejected(theorem, replace(certificate, conclusion=ResidueCases(((residues, modulus, instances[1:]),))))


def test_a_hypothesis_proves_nothing_outside_of_its_induction() -> None:
    theorem = next(theorem for theorem, found in certified("sums") if isinstance(found.conclusion, Induction))
    claim = theorem.claim
    assert isinstance(claim, Claim)
    restated = CertificateStep(claim.left, claim.right, claim.modulus, Scope(), claim.right, None, ())
    rejected(theorem, Certificate(True, (Hypothesis("n", 0), restated), Solved((), ())))


def test_solutions_are_those_of_the_states() -> None:
    for theorem, certificate in certified("equations"):
        how = certificate.conclusion
        if isinstance(how, Solved) and how.solutions:
            rejected(theorem, replace(certificate, conclusion=replace(how, solutions=how.solutions[1:])))
            rejected(theorem, replace(certificate, conclusion=replace(how, states=())))


@pytest.mark.parametrize(
    ("product", "modulus", "shown"),
    [
        ("n(n + 1)", 2, True),
        ("(n - 1)n(n + 1)", 6, True),
        ("(n - 1)n(n + 1)", 3, True),
        ("n(n + 1)", 3, False),
        ("n(n + 2)", 2, False),
        ("n(n + 1)(n + 1)", 6, False),
        ("n^2", 2, False),
        ("2n(2n + 1)", 2, False),
        ("n(n + 1)", 0, False),
        ("n(n + 1) + n", 2, False),
        ("n(n + 1)/2", 2, False),
        ("n(k + 1)", 2, False),
    ],
)
def test_a_product_of_consecutive_numbers(product: str, modulus: int, shown: bool) -> None:
    left = read_expression(product)
    claim = Claim(left, "=", num(0), ("n",), INTEGERS, max(modulus, 2))
    certificate = Certificate(True, (Consecutive(left, modulus),), Direct(Instance(left=0)))
    if shown:
        verify(claim, certificate)
        with pytest.raises(Rejected):
            verify(replace(claim, domain=REALS), certificate)
    else:
        with pytest.raises(Rejected):
            verify(claim, certificate)


def test_a_power_of_1_with_a_variable_exponent_is_read_as_the_rules_read_it() -> None:
    before, scores = internal_errors.total(), []
    for theorem, _ in certified("recurrences"):
        steps, _, verdict = theorem.derivation.rpartition("\n")
        scores.append(check(theorem, f"{steps}\nHere 1^(k + 1) + 3 = 4.\n{verdict}").score)
    assert 1 in scores
    assert internal_errors.total() == before
