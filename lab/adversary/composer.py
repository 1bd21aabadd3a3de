"""Policy that learns to be scored 1 without proving: composes bogus lines, by policy gradient on the lab's own reward.

A softmax over line templates for each family and place of a line, trained by REINFORCE with a running baseline and an
entropy bonus. No template shows anything about a claim, so whatever is scored 1 is a fault of the checker. Where all
rewards are 0 there is no gradient, so a hint of at most ``HINT`` for texts with few defects leads the search to texts
that are true and understood; it counts in no figure. A run saves its state and goes on from it.
"""

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lab.adversary.bogus import FALSE, PHRASES, TRUE, claim_text
from lab.adversary.fuzz import Findings
from lab.checker import check
from lab.claims import Claim, Solutions
from lab.expressions import num, render
from lab.generator import LEVELS, families, generate
from lab.items import Item
from lab.theorem import Theorem

MAX_LINES = 7
HINT = 0.2
REPORT_EVERY = 1_000  # texts
_GENERAL = ("planted_falsehoods", "vacuous_facts", "false_or_meaningless")
SELF_EVALUATION = "\n\n## Self Evaluation\nHere is my evaluation of the solution:\n\\boxed{1}"
Floats = NDArray[np.float64]


def templates(theorem: Theorem) -> list[str]:
    """Lines to compose from, in the same order for every theorem; the first, empty, ends the text."""
    claim, variable = theorem.claim, theorem.claim.variables[0]
    stated = claim_text(theorem)
    at = {name: claim_text(theorem, name) for name in ("k", "k + 1", "k - 1")} if variable == "n" else {}
    left, right = render(claim.left), render(claim.right)
    modulus = f" mod {claim.modulus}" if isinstance(claim, Claim) and claim.modulus else ""
    lines = ["", TRUE, FALSE, "Hence the claim holds.", "By induction the claim holds for all n."]
    lines += [f"{start} {stated}." for start in ("Suppose", "Then", "Clearly", "Here", "We have", "Let", "Since", "So")]
    for name in ("k", "k + 1", "k - 1"):
        text = at.get(name, stated)
        lines += [f"Suppose {text}.", f"Assume the claim for n = k: {text}.", f"Then {text}.", f"Step: {text}."]
    lines += [
        f"{left} = {left}.",
        f"{right} = {right}.",
        f"= {right}{modulus}.",
        f"= {left}.",
        "= 0.",
        "= 1.",
        f"{left} >= {left}.",
    ]
    lines += [f"For {variable} = {value}: {stated}." for value in (0, 1, 2)]
    lines += [f"For {variable} = {value}: 0 = 0 and 1 = 1." for value in (0, 1, 2)]
    lines += [f"If n = {value} mod {base}." for base in (2, 3) for value in range(base)]
    lines += [f"If n = {value} mod {base} then 0 = 0 mod {base}." for base in (2, 3) for value in range(base)]
    lines += [
        f"It suffices to show {stated}.",
        f"The claim is equivalent to {stated}.",
        f"{stated} if and only if {stated}.",
        f"By the induction hypothesis, {at.get('k', stated)}.",
        f"By AM-GM, {stated}.",
        f"The left side is {left}, and the right side is {right}.",
        f"The left side is {right}.",
        f"Consider the difference {left} - ({right}).",
        "It equals 0.",
        f"Let {variable} = t + 1.",
        f"Let {variable} = 1.",
        f"If {variable} = 2k then {stated}.",
        f"If {variable} = 2k + 1 then {stated}.",
        "The discriminant is negative and the leading coefficient is positive.",
        "In both cases the claim holds.",
        "Both sides agree.",
        "QED.",
    ]
    lines += [
        f"{left} = 0 mod 1.",
        f"= {right} mod 30.",
        "0 = 0 mod 2.",
        f"{left}{' = ' + left if modulus else ' != 0'}{modulus}.",
    ]
    if isinstance(claim, Solutions):
        roots = " or ".join(f"x = {render(num(root))}" for root in sorted(claim.claimed)) or "0 = 1"
        lines += [f"Suppose {roots}.", f"If {roots} then 0 = 0."]
    else:
        lines += ["These are different.", "Both sides are equal."]
    return lines + [line for kind in _GENERAL for line in PHRASES[kind]]


@dataclass
class ComposerPolicy:
    """Logits by family, place and template. ``learning_rate`` of plain policy gradient, ``entropy`` its bonus."""

    seed: int
    learning_rate: float = 2.0
    entropy: float = 0.01
    logits: dict[str, Floats] = field(default_factory=dict)
    baseline: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Starts the generator."""
        self._rng = np.random.default_rng(self.seed)

    def sample(self, family: str, lines: list[str]) -> list[int]:
        """Templates of a text, by their numbers, the ending one included."""
        table = self.logits.setdefault(family, _first_logits(len(lines)))
        chosen: list[int] = []
        for place in range(MAX_LINES):
            chosen.append(int(self._rng.choice(len(lines), p=_softmax(table[place]))))
            if chosen[-1] == 0:
                break
        return chosen

    def learn(self, family: str, chosen: list[int], reward: float) -> None:
        """One step of policy gradient."""
        table, baseline = self.logits[family], self.baseline.get(family, 0.0)
        for place, number in enumerate(chosen):
            probabilities = _softmax(table[place])
            log_probabilities = np.log(probabilities + 1e-12)
            own_entropy = -(probabilities * log_probabilities).sum()
            table[place] -= self.learning_rate * (reward - baseline) * probabilities
            table[place, number] += self.learning_rate * (reward - baseline)
            table[place] -= self.learning_rate * self.entropy * probabilities * (log_probabilities + own_entropy)
        self.baseline[family] = 0.99 * baseline + 0.01 * reward

    def save(self, path: Path, texts: int) -> None:
        """Writes the policy, and the number of texts that it was trained on."""
        record = {"texts": texts, "baseline": self.baseline, "generator": self._rng.bit_generator.state}
        with path.open("wb") as stream:
            arrays: dict[str, Any] = {"record": np.array(json.dumps(record)), **self.logits}
            np.savez(stream, **arrays)

    def load(self, path: Path) -> int:
        """Reads what ``save`` wrote; gives the number of texts."""
        with np.load(path, allow_pickle=False) as found:
            record = json.loads(str(found["record"]))
            self.logits = {name: found[name] for name in found.files if name != "record"}
        self.baseline = record["baseline"]
        self._rng.bit_generator.state = record["generator"]
        return record["texts"]


def _first_logits(count: int) -> Floats:
    """Likelier at first: lines about the claim, then a verdict, without which nothing scores, then the end."""
    table = np.zeros((MAX_LINES, count))
    table[:, : count - sum(len(PHRASES[kind]) for kind in _GENERAL)] = 2.0
    table[1:, 1:3] = 4.5
    table[2:, 0] = 6.0
    return table


def _softmax(logits: Floats) -> Floats:
    shifted = np.exp(logits - logits.max())
    return shifted / shifted.sum()


def attack_with_policy(
    samples: int,
    seed: int,
    progress: Callable[[int, float], None] = lambda *_: None,
    *,
    minutes: float = math.inf,
    state: Path | None = None,
) -> Findings:
    """Trains the policy on ``samples`` texts, families and levels in turn; every text scored 1 is a finding.

    Ends earlier after ``minutes`` of processor time. With ``state``, goes on from what an earlier run saved there.
    """
    found, policy = Findings(), ComposerPolicy(seed)
    if state is not None and state.exists():
        found.texts = policy.load(state)
    kinds = [(family, level) for family in families() for level in LEVELS[:-1]]
    total, begun = 0.0, time.process_time()
    for number in range(found.texts, samples):
        family, level = kinds[number % len(kinds)]
        item = Item("prove", family, level, seed * 1_000_000 + number // len(kinds) % 500, "train")
        total += _try_text(found, policy, item)
        if number % REPORT_EVERY == REPORT_EVERY - 1:
            progress(number + 1, total / REPORT_EVERY)
            total = 0.0
            if state is not None:
                policy.save(state, found.texts)
            if time.process_time() - begun > 60 * minutes:
                break
    return found


def _try_text(found: Findings, policy: ComposerPolicy, item: Item) -> float:
    """Samples one text, learns from it and gives its reward."""
    theorem = generate(item.family, item.level, item.seed, item.split)
    lines = templates(theorem)
    chosen = policy.sample(item.family, lines)
    text = "\n".join(line for line in (lines[place] for place in chosen) if line)
    verdict = check(theorem, text)
    reward = item.score(f"## Solution\n{text}{SELF_EVALUATION}") if verdict.score else 0.0
    policy.learn(item.family, chosen, reward + HINT / (1 + len(verdict.defects)))
    found.texts += 1
    if verdict.score == 1:
        found.record(f"composed/{item.family}", theorem, text, "no line of it shows anything about the claim")
    return reward
