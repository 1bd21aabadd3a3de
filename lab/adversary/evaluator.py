"""Independent evaluator of proofs: finds false relations, missing cases and wrong verdicts by trying numbers.

It shares no code with the reader, the rules or the kernel. It never says that a proof is right; what it finds wrong is
wrong. Used on texts that the checker scored 1: a finding there is a fault of the checker.
"""

import re
from dataclasses import dataclass, field
from fractions import Fraction
from random import Random

from lab.adversary.arithmetic import RELATIONS, Calls, Unreadable, compare, evaluate, no_calls, tokenize
from lab.claims import Claim, Domain, Solutions
from lab.expressions import render
from lab.theorem import Proposition

_HEADS = {"for", "if", "when", "case", "at", "take", "base", "let", "choose", "cases"}
_ASSUMES = {"assume", "suppose"}
_DOUBT = {"never", "no", "hardly", "unless", "only", "sometimes", "perhaps", "some", "nothing", "or", "if", "always"}
_LETTERS = frozenset("xyznkm")
TRIES = 4


@dataclass
class TokenChain:
    """Expressions (as tokens) joined by relations, with a modulus or 0; ``leads`` where it goes on from before."""

    terms: list[list[str]]
    relations: list[str]
    modulus: int = 0
    leads: str = ""


@dataclass
class Line:
    """A sentence: its words in lower case and its chains."""

    words: list[str] = field(default_factory=list)
    chains: list[TokenChain] = field(default_factory=list)
    alternatives: bool = False


Case = tuple[TokenChain, list[TokenChain]]  # an assignment, and what is shown under it


def faults(theorem: Proposition, text: str, seed: int = 0) -> list[str]:
    """Faults that numbers show: a relation that is false in its scope, a verdict or case that is missing or wrong."""
    try:
        lines = [_line(part) for part in sentences(text)]
    except Unreadable as error:
        return [f"unreadable: {error}"]
    if isinstance(theorem.claim, Solutions):
        return [*_solution_faults(theorem.claim, lines), *_verdict_faults(theorem, lines)]
    found = _relation_faults(theorem, lines, Random(seed))
    found += _verdict_faults(theorem, lines)
    return found + (_case_faults(theorem.claim, lines) if theorem.truth else _refutation_faults(theorem, lines))


def sentences(text: str) -> list[list[str]]:
    """Tokens of each sentence; a dot between digits is part of a number."""
    found: list[list[str]] = [[]]
    for token in tokenize(text):
        if token in {".", ";", "\n"}:
            found.append([])
        else:
            found[-1].append(token)
    return [part for part in found if part]


def _line(tokens: list[str]) -> Line:
    line, at = Line(), 0
    while at < len(tokens):
        token = tokens[at]
        if _is_word(tokens, at):
            line.alternatives = line.alternatives or token.lower() == "or"
            line.words.append(token.lower())
            at += 1
        elif token in {",", ":"}:
            at += 1
        else:
            end = at
            while end < len(tokens) and tokens[end] not in {",", ":"} and not _is_word(tokens, end):
                end += 1
            modulus, at_next = _modulus(tokens, end)
            line.chains.append(_chain(tokens[at:end], modulus))
            at = at_next
    return line


def _is_word(tokens: list[str], at: int) -> bool:
    token = tokens[at]
    return token.isalpha() and not (len(token) == 1 and token in _LETTERS) and token not in {"S", "u"}


def _modulus(tokens: list[str], end: int) -> tuple[int, int]:
    if end + 1 < len(tokens) and tokens[end] == "mod" and tokens[end + 1].isdigit():
        return int(tokens[end + 1]), end + 2
    return 0, end


def _chain(tokens: list[str], modulus: int) -> TokenChain:
    terms: list[list[str]] = [[]]
    relations: list[str] = []
    for token in tokens:
        if token in RELATIONS:
            relations.append(token)
            terms.append([])
        else:
            terms[-1].append(token)
    leads = ""
    if not terms[0]:
        leads = relations.pop(0) if relations else ""
        terms.pop(0)
    if not all(terms):
        raise Unreadable("a relation without a side")
    return TokenChain(terms, relations, modulus, leads)


def sequence_calls(statement: str) -> Calls:
    """Values of S or u, worked out from their definition in the statement."""
    known: dict[int, Fraction] = {}
    summed = re.match(r"Let S\(n\) be the sum of (.+?) over i = 1, \.\.\., n\.", statement)
    rule = re.search(r"u\(n \+ (\d)\) = (.+?) for all n >= 0", statement)
    initial = {int(n): evaluate(value, {}, no_calls) for n, value in re.findall(r"u\((\d)\) = ([-\d/]+)", statement)}

    def calls(name: str, index: int) -> Fraction:
        if index > 60 or index < 0:
            raise Unreadable("an index out of range")
        if index not in known:
            if name == "S" and summed:
                before = calls("S", index - 1) if index > 1 else Fraction(0)
                if index < 1:
                    raise Unreadable("S before its first value")
                known[index] = before + evaluate(summed[1], {"i": Fraction(index)}, no_calls)
            elif name == "u" and rule:
                order = int(rule[1])
                if index < order:
                    known[index] = initial[index]
                else:
                    known[index] = evaluate(rule[2], {"n": Fraction(index - order)}, calls)
            else:
                raise Unreadable(f"no sequence {name}")
        return known[index]

    return calls


@dataclass
class _Scope:
    """Scope of a line: the assignments that hold, and the last term of the chain before, with its modulus."""

    heads: list[TokenChain] = field(default_factory=list)
    last: tuple[list[str], int] | None = None


def _relation_faults(theorem: Proposition, lines: list[Line], rng: Random) -> list[str]:
    """Relations that fail at some values in their scope. Assumptions are left out: a true claim makes them true."""
    claim = theorem.claim
    assert isinstance(claim, Claim)
    trial = _Trial(claim, sequence_calls(theorem.statement), rng)
    found, scope = [], _Scope()
    for line in lines:
        if _ASSUMES & set(line.words):
            scope = _Scope()
            if not theorem.truth or not all(trial.holds(chain, []) for chain in line.chains):
                found.append("a false assumption")
        else:
            found += _line_faults(trial, scope, line)
    return found


def _line_faults(trial: "_Trial", scope: _Scope, line: Line) -> list[str]:
    # A variable alone is only named, as in "for all real x".
    found, chains = [], [chain for chain in line.chains if chain.leads or chain.relations or len(chain.terms[0]) > 1]
    if own := _heads(line):
        scope.heads, scope.last, chains = own, None, chains[len(own) :]
    elif chains and not chains[0].leads:
        scope.heads, scope.last = [], None
    for chain in chains:
        if chain.leads and {"left", "right"} & set(line.words) and "side" in line.words:
            side = trial.claim.left if "left" in line.words else trial.claim.right
            scope.last = tokenize(render(side)), trial.claim.modulus
        if chain.leads and scope.last is None:
            found.append("a line that goes on from nothing")
            continue
        whole = _continued(chain, scope.last) if chain.leads and scope.last else chain
        if not trial.holds(whole, scope.heads):
            found.append("false: " + " ? ".join(" ".join(term) for term in whole.terms))
        scope.last = whole.terms[-1], whole.modulus
    return found


def _continued(chain: TokenChain, last: tuple[list[str], int]) -> TokenChain:
    term, modulus = last
    return TokenChain([term, *chain.terms], [chain.leads, *chain.relations], chain.modulus or modulus)


def _heads(line: Line) -> list[TokenChain]:
    """The assignments that a line begins with: For x = 1 and y = 2."""
    found: list[TokenChain] = []
    if _HEADS & set(line.words):
        for chain in line.chains:
            if not _is_head(chain) or any(chain.terms[0] == head.terms[0] for head in found):
                break
            found.append(chain)
    return found


def _is_head(chain: TokenChain) -> bool:
    named = len(chain.terms[0]) == 1 and chain.terms[0][0] in _LETTERS
    return named and len(chain.terms) == 2 and chain.relations == ["="]


@dataclass(frozen=True)
class _Trial:
    """Tries relations at values of the claim's domain, drawn with ``rng``."""

    claim: Claim
    calls: Calls
    rng: Random

    def holds(self, chain: TokenChain, heads: list[TokenChain]) -> bool:
        """Returns whether a chain holds at every value tried; where it has no value, nothing speaks against it."""
        for _ in range(TRIES):
            values = self._values(heads)
            try:
                numbers = [evaluate(list(term), values, self.calls) for term in chain.terms]
            except Unreadable:
                continue
            pairs = zip(numbers, chain.relations, numbers[1:], strict=False)
            if not all(compare(left, relation, right, chain.modulus) for left, relation, right in pairs):
                return False
        return True

    def _values(self, heads: list[TokenChain]) -> dict[str, Fraction]:
        """Values of all variables: those of ``heads`` as they say, the others at random in the domain."""
        domain = self.claim.domain
        values = {name: self._draw(domain) for name in sorted(_LETTERS)}
        for head in heads:
            value = evaluate(list(head.terms[1]), values, no_calls)
            if head.modulus:
                value += head.modulus * self.rng.randint(0 if domain.first is not None else -3, 3)
                while domain.first is not None and value < domain.first:
                    value += head.modulus
            values[head.terms[0][0]] = value
        return values

    def _draw(self, domain: Domain) -> Fraction:
        if not domain.integer:
            return Fraction(self.rng.randint(-40, 40), self.rng.randint(1, 7))
        first = -9 if domain.first is None else domain.first
        return Fraction(self.rng.randint(first, first + 18))


def _verdict_faults(theorem: Proposition, lines: list[Line]) -> list[str]:
    """A verdict that is missing, contradicted, or qualified by a word that bears on it."""
    stated = [(line, _stated(set(line.words))) for line in lines if not _ASSUMES & set(line.words)]
    if not any(truth is theorem.truth for _, truth in stated):
        return ["no verdict"]
    if any(truth is (not theorem.truth) for _, truth in stated):
        return ["two verdicts"]
    return ["a qualified verdict" for line, truth in stated if truth is not None and _DOUBT & set(line.words)]


def _stated(words: set[str]) -> bool | None:
    """The truth that a sentence states of the claim, or of both sides being equal; None: it states none."""
    if "claim" in words and words & {"true", "holds", "proved", "proven", "false", "fails", "refuted", "wrong"}:
        positive = not words & {"false", "fails", "refuted", "wrong"}
    elif words & {"sides", "these", "both"} and words & {"agree", "equal", "same", "differ", "different"}:
        positive = not words & {"differ", "different"}
    else:
        return None
    return positive != ("not" in words)


def _case_faults(claim: Claim, lines: list[Line]) -> list[str]:
    """Cases of a true claim about integers that no line treats; for others, a claim whose sides no line mentions."""
    cases = [(own[0], line.chains[1:]) for line in lines if (own := _heads(line))]
    text = [" ".join(term) for line in lines for chain in line.chains for term in chain.terms]
    assumed = any(_ASSUMES & set(line.words) for line in lines)
    if claim.domain.first is not None:
        return _induction_faults(claim.domain.first, cases, text, assumed)
    if claim.modulus and not assumed and cases:
        return _residue_faults(cases)
    sides = {" ".join(tokenize(render(side))) for side in (claim.left, claim.right)}
    return [] if sides & set(text) or len(text) > 1 else ["the claim's sides occur nowhere"]


def _induction_faults(first: int, cases: list[Case], text: list[str], assumed: bool) -> list[str]:
    based = any(not head.modulus and body and head.terms[1] == [str(first)] for head, body in cases)
    based = based or any(f"( {first} )" in term for term in text)
    stepped = any("k + 1" in term or "k + 2" in term or term.startswith(("S ( k )", "u ( k )")) for term in text)
    checks = (("no base case", based), ("no assumption", assumed), ("no step", stepped))
    return [fault for fault, done in checks if not done]


def _residue_faults(cases: list[Case]) -> list[str]:
    """Residues that are left out, of the modulus of which most are treated."""
    seen: dict[int, set[int]] = {}
    for head, body in cases:
        if head.modulus and body:
            value = evaluate(list(head.terms[1]), {}, no_calls)
            seen.setdefault(head.modulus, set()).add(int(value) % head.modulus)
    if any(len(residues) == modulus for modulus, residues in seen.items()):
        return []
    return [f"{len(residues)} of {modulus} residues" for modulus, residues in seen.items()] or ["no residues"]


def _refutation_faults(theorem: Proposition, lines: list[Line]) -> list[str]:
    """A refutation that names no value at which the claim fails."""
    claim = theorem.claim
    assert isinstance(claim, Claim)
    calls = sequence_calls(theorem.statement)
    left, right = tokenize(render(claim.left)), tokenize(render(claim.right))
    chains = [chain for line in lines for chain in line.chains]
    names = claim.variables
    values: dict[str, set[Fraction]] = {name: set() for name in names}
    for chain in chains:
        if _is_head(chain) and chain.terms[0][0] in values:
            values[chain.terms[0][0]].add(evaluate(list(chain.terms[1]), {}, no_calls))
        for term in chain.terms:
            if len(term) == 4 and term[0] in {"S", "u"} and term[2].isdigit():
                values.setdefault("n", set()).add(Fraction(term[2]))
    for point in _combinations(values, names):
        try:
            sides = evaluate(list(left), point, calls), evaluate(list(right), point, calls)
            if not compare(sides[0], claim.relation, sides[1], claim.modulus):
                return []
        except Unreadable:
            continue
    return ["no value at which the claim fails"]


def _combinations(values: dict[str, set[Fraction]], names: tuple[str, ...]) -> list[dict[str, Fraction]]:
    points: list[dict[str, Fraction]] = [{}]
    for name in names:
        points = [{**point, name: value} for point in points for value in values.get(name, set())]
    return points


def _solution_faults(claim: Solutions, lines: list[Line]) -> list[str]:
    """Lines that a true solution contradicts, and a last line of solutions that are not the true ones."""
    roots = [Fraction(root) for root in claim.actual]
    found = []
    for line in lines:
        if own := _heads(line):
            value = evaluate(list(own[0].terms[1]), {}, no_calls)
            rest = [chain for chain in line.chains[1:] if not chain.leads]
            found += ["false at a value" for chain in rest if _at_root(chain, value) is False]
            continue
        groups = [chain for chain in line.chains if len(chain.terms) > 1 and not chain.leads]
        for root in roots or [Fraction(1, 3)]:
            truths = [_at_root(chain, root) for chain in groups]
            known = [truth for truth in truths if truth is not None]
            if not known or not roots:
                continue
            variable = any("x" in term for chain in groups for term in chain.terms)
            ok = any(known) if variable and (line.alternatives or _is_list_of_roots(groups)) else all(known)
            if not ok:
                found.append(f"false at the solution {root}")
    return found


def _is_list_of_roots(chains: list[TokenChain]) -> bool:
    return len(chains) > 1 and all(chain.terms[0] == ["x"] for chain in chains)


def _at_root(chain: TokenChain, root: Fraction) -> bool | None:
    try:
        numbers = [evaluate(list(term), {"x": root}, no_calls) for term in chain.terms]
    except Unreadable:
        return None
    pairs = zip(numbers, chain.relations, numbers[1:], strict=False)
    return all(compare(left, relation, right, chain.modulus) for left, relation, right in pairs)
