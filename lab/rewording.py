"""Rewording: wordings of mathematicians turned into those that the grammar of proofs reads, with the same meaning.

A rule (``rewording.yaml``) works on the words of a sentence and a symbol for each chain, as in ``lab.moves``, and keeps
every chain in its place. It drops no negation, number, quantifier or predicate: it puts a predicate that the grammar
knows, and that the rules judge, for another one, or drops words that carry no meaning wherever they stand.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from importlib import resources

import yaml

from lab.moves import symbol
from lab.sentences import Chain, Part, Sentence

_SYMBOLS = re.compile(r"(?<!\S)[#@$%](?!\S)")
_PART = re.compile(r"<([A-Z]+)>")  # of a pattern; a named group begins with "?P<"


def sentences_of(sentence: Sentence) -> Iterator[Sentence]:
    """The sentence in words of the grammar; several where a rule puts a stop between them."""
    parts: list[Part] = []
    for part in (*reworded(sentence).parts, ";"):
        if part != ";":
            parts.append(part)
        elif parts:
            yield Sentence(tuple(parts), sentence.span)
            parts = []


def reworded(sentence: Sentence) -> Sentence:
    """The sentence in words of the grammar, with ";" for stops."""
    chains = [part for part in sentence.parts if isinstance(part, Chain)]
    if len(chains) == len(sentence.parts):
        return sentence
    shape = " ".join(symbol(part) if isinstance(part, Chain) else part for part in sentence.parts)
    found = reworded_shape(shape)
    if found == shape:
        return sentence
    rest = iter(chains)
    parts: list[Part] = [next(rest) if _SYMBOLS.fullmatch(word) else word for word in found.split()]
    return Sentence(tuple(parts), sentence.span) if parts else sentence


@lru_cache(maxsize=8192)
def reworded_shape(shape: str) -> str:
    """A shape after all rules, each of which must keep the chains as they are."""
    symbols = _SYMBOLS.findall(shape)
    for pattern, new in _rules():
        if pattern.search(shape):
            changed = " ".join(pattern.sub(new, shape).split())
            if _SYMBOLS.findall(changed) == symbols:
                shape = changed
    return shape


@lru_cache(maxsize=1)
def _rules() -> tuple[tuple[re.Pattern[str], str], ...]:
    """The rules of the file, compiled."""
    table = yaml.safe_load(resources.files("lab").joinpath("rewording.yaml").read_text(encoding="utf-8"))
    parts: dict[str, str] = {}

    def whole(pattern: str) -> str:
        return _PART.sub(lambda mark: parts[mark[1]], pattern)

    for name, pattern in table["parts"].items():
        parts[name] = whole(pattern)
    return tuple((re.compile(rf"(?<!\S)(?:{whole(pattern)})(?!\S)"), new) for pattern, new in table["rules"])
