"""Splitting: a sentence that fits no shape as a whole, as several that each do: "A, so B, and the claim is true".

Each part must be read by itself, so that no word is lost. Values that the first part names hold for the relations of
the parts after it, as the sentence says them together.
"""

from collections.abc import Iterator

from lab.moves import Move, Reading, interpret
from lab.sentences import Chain, Part, Sentence

MAX_PLACES = 8  # at which one sentence is taken apart
_JOINING = frozenset({"and", "but", "while", "whereas", ",", ":"})  # dropped between two parts
_LEADING = frozenset(
    {
        "so",
        "hence",
        "thus",
        "therefore",
        "whence",
        "which",
        "since",
        "because",
        "as",
        "giving",
        "this",
        "then",
        "namely",
        "is",
    }
)  # kept as the first word of the second part
Parts = tuple[Part, ...]


def taken_apart(sentence: Sentence) -> Iterator[tuple[Sentence, Reading | None]]:
    """The sentence with its move, or where it fits no shape and its parts do, these."""
    reading = interpret(sentence)
    found = _split(sentence.parts, MAX_PLACES) if reading is None else None
    if not found:
        yield sentence, reading
        return
    for parts in _with_values(found):
        clause = Sentence(parts, sentence.span)
        yield clause, interpret(clause)


def _split(parts: Parts, places: int) -> list[Parts] | None:
    """Parts of which each is read, the longest first part that leaves a readable rest; None where there are none."""
    cuts = [at for at in range(1, len(parts) - 1) if _cuts(parts, at)][-places:]
    for at in reversed(cuts):
        left, right = parts[:at], _without_joining(parts[at:])
        if not right or not _stands(left):
            continue
        rest = [right] if interpret(Sentence(right)) is not None else _split(right, places - 1)
        if rest:
            return [left, *rest]
    return None


def _cuts(parts: Parts, at: int) -> bool:
    word = parts[at]
    return isinstance(word, str) and parts[at - 1] not in _JOINING and word in _JOINING | _LEADING


def _without_joining(parts: Parts) -> Parts:
    at = next((at for at, part in enumerate(parts) if part not in _JOINING), len(parts))
    return parts[at:]


def _stands(parts: Parts) -> bool:
    """Returns whether a part says something by itself: it is read, and is no condition that waits for the rest."""
    reading = interpret(Sentence(parts))
    return reading is not None and (reading.move is not Move.EVALUATE or bool(reading.body))


def _with_values(found: list[Parts]) -> Iterator[Parts]:
    """The parts, with the values of an earlier one before relations alone."""
    heads: tuple[Chain, ...] = ()
    for parts in found:
        reading = interpret(Sentence(parts))
        assert reading is not None
        if reading.move in {Move.EVALUATE, Move.AGREE} and reading.heads:
            heads = reading.heads
        yield _at(heads, parts) if heads and _relates(reading) else parts


def _relates(reading: Reading) -> bool:
    return reading.move is Move.RELATE and not reading.heads and not reading.everywhere


def _at(heads: tuple[Chain, ...], parts: Parts) -> Parts:
    """The parts behind "for x = 1 and y = 2:"."""
    named: list[Part] = ["for"]
    for head in heads:
        named += ["and", head] if len(named) > 1 else [head]
    return (*named, ":", *parts)
