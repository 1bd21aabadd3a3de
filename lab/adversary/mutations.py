"""Mutations of proofs: small changes of a text, most of which make it wrong.

``NEGATING`` mutations change the meaning of a sentence by words alone; numbers cannot show that they are wrong, but a
mutant of theirs that keeps its score is a fault of the checker by itself.
"""

import re
from collections.abc import Callable, Sequence
from random import Random

from lab.adversary.bogus import PHRASES

Mutation = Callable[[Random, str, str], str]
_NUMBER = re.compile(r"(?<![A-Za-z])\d+")
_RELATION = re.compile(r"<=|>=|!=|[=<>]")
_TERM = re.compile(r"[^=<>!:.;,\n]{3,}")
_NEGATIONS = ("not", "never", "hardly", "not always")


def mutant(rng: Random, text: str, other: str) -> tuple[str, str]:
    """The name of a mutation drawn at random, and the text it makes; ``other`` is another proof to take lines from."""
    name = rng.choice(list(MUTATIONS))
    return name, MUTATIONS[name](rng, text, other)


def _replace_one(rng: Random, pattern: re.Pattern[str], text: str, change: Callable[[str], str]) -> str:
    found = list(pattern.finditer(text))
    if not found:
        return text
    match = rng.choice(found)
    return text[: match.start()] + change(match[0]) + text[match.end() :]


def _number(rng: Random, text: str, other: str) -> str:
    return _replace_one(rng, _NUMBER, text, lambda digits: str(max(0, int(digits) + rng.choice((-2, -1, 1, 2, 10)))))


def _decimal(rng: Random, text: str, other: str) -> str:
    return _replace_one(rng, _NUMBER, text, lambda digits: f"{digits}.{rng.choice(('5', '25', '0'))}")


def _sign(rng: Random, text: str, other: str) -> str:
    return _replace_one(rng, re.compile(r"[-+]"), text, lambda sign: "-" if sign == "+" else "+")


def _relation(rng: Random, text: str, other: str) -> str:
    return _replace_one(rng, _RELATION, text, lambda _: rng.choice(("=", "!=", "<=", ">=", "<", ">")))


def _modulus(rng: Random, text: str, other: str) -> str:
    changed = _replace_one(rng, re.compile(r"mod \d+"), text, lambda _: f"mod {rng.randint(1, 12)}")
    return changed if changed != text else _replace_one(rng, re.compile(r" mod \d+"), text, lambda _: "")


def _variable(rng: Random, text: str, other: str) -> str:
    return _replace_one(rng, re.compile(r"(?<![A-Za-z])[xynk](?![A-Za-z])"), text, lambda _: rng.choice("xynk"))


def _term(rng: Random, text: str, other: str) -> str:
    terms = [match[0].strip() for match in _TERM.finditer(text if rng.random() < 0.7 else other)]
    return _replace_one(rng, _TERM, text, lambda _: f" {rng.choice(terms)} ") if terms else text


def _drop_line(rng: Random, text: str, other: str) -> str:
    lines = text.split("\n")
    del lines[rng.randrange(len(lines))]
    return "\n".join(lines)


def _swap_lines(rng: Random, text: str, other: str) -> str:
    lines = text.split("\n")
    first, second = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[first], lines[second] = lines[second], lines[first]
    return "\n".join(lines)


def _insert(rng: Random, text: str, lines_from: Sequence[str]) -> str:
    lines = text.split("\n")
    lines.insert(rng.randrange(len(lines) + 1), rng.choice(list(lines_from)))
    return "\n".join(lines)


def _foreign_line(rng: Random, text: str, other: str) -> str:
    return _insert(rng, text, other.split("\n"))


def _falsehood(rng: Random, text: str, other: str) -> str:
    return _insert(rng, text, PHRASES["planted_falsehoods"] + PHRASES["false_or_meaningless"])


def _assumption(rng: Random, text: str, other: str) -> str:
    chains = [match[0].strip() for match in re.finditer(r"[^:.,;\n]*=[^:.,;\n]*", text)]
    return _insert(rng, text, [f"Suppose {chain}." for chain in chains] or ["Suppose 1 = 2."])


def _chop_chain(rng: Random, text: str, other: str) -> str:
    return _replace_one(rng, re.compile(r" = [^=.\n]+(?= =)"), text, lambda _: "")


def _head(rng: Random, text: str, other: str) -> str:
    return _replace_one(rng, re.compile(r"(?<=[xyn] = )-?\d+"), text, lambda _: str(rng.randint(-4, 6)))


def _verdict(rng: Random, text: str, other: str) -> str:
    return _replace_one(rng, re.compile(r"\b(true|false)\b"), text, lambda word: "false" if word == "true" else "true")


def _negation(rng: Random, text: str, other: str) -> str:
    verbs = re.compile(r"\b(?:is|are|have|holds)\b")
    return _replace_one(rng, verbs, text, lambda verb: f"{verb} {rng.choice(_NEGATIONS)}")


def _false_word(rng: Random, text: str, other: str) -> str:
    lines = text.split("\n")
    lines[-1] = rng.choice(PHRASES["weak_true_verdicts" if "true" in lines[-1] else "weak_false_verdicts"])
    return "\n".join(lines)


MUTATIONS: dict[str, Mutation] = {
    "number": _number,
    "decimal": _decimal,
    "sign": _sign,
    "relation": _relation,
    "modulus": _modulus,
    "variable": _variable,
    "term": _term,
    "drop line": _drop_line,
    "swap lines": _swap_lines,
    "foreign line": _foreign_line,
    "falsehood": _falsehood,
    "assumption": _assumption,
    "chop chain": _chop_chain,
    "head": _head,
    "verdict": _verdict,
    "negation": _negation,
    "weak verdict": _false_word,
}
NEGATING = frozenset(["falsehood", "negation", "weak verdict"])
