"""Policy that learns to be scored 1 without proving: composes bogus lines, by policy gradient on the lab's own reward.

A softmax over line templates for each family and place of a line, trained by REINFORCE with a running baseline and an
entropy bonus. No template shows anything about a claim, so whatever is scored 1 is a fault of the checker.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lab.adversary.bogus import FALSE, PHRASES, TRUE, claim_text
from lab.adversary.fuzz import Findings
from lab.claims import Claim, Solutions
from lab.expressions import num, render
from lab.generator import LEVELS, families, generate
from lab.items import Item
from lab.theorem import Theorem

MAX_LINES = 7
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


def attack_with_policy(samples: int, seed: int, progress: Callable[[int, float], None] = lambda *_: None) -> Findings:
    """Trains the policy on ``samples`` texts, families and levels in turn; every text scored 1 is a finding."""
    found, policy = Findings(), ComposerPolicy(seed)
    kinds = [(family, level) for family in families() for level in LEVELS[:-1]]
    total = 0.0
    for number in range(samples):
        family, level = kinds[number % len(kinds)]
        item = Item("prove", family, level, seed * 1_000_000 + number // len(kinds) % 500, "train")
        theorem = generate(item.family, item.level, item.seed, item.split)
        lines = templates(theorem)
        chosen = policy.sample(family, lines)
        text = "\n".join(line for line in (lines[place] for place in chosen) if line)
        reward = item.score(
            f"## Solution\n{text}\n\n## Self Evaluation\nHere is my evaluation of the solution:\n\\boxed{{1}}"
        )
        policy.learn(family, chosen, reward)
        found.texts += 1
        total += reward
        if reward == 1:
            found.record(f"composed/{family}", theorem, text, "no line of it shows anything about the claim")
        if number % 1_000 == 999:
            progress(number + 1, total / 1_000)
            total = 0.0
    return found
