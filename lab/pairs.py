"""Pairs: two things side by side and whether they are the same, the last word a decision of its own."""

from collections.abc import Iterator, Sequence
from itertools import zip_longest

from lab.expressions import Number, add, num, render

SAME, OTHER = "same", "other"
NOTHING = "nothing"  # in place of what is missing in a pair


def pair(one: str, other: str) -> str:
    """Two texts, then whether they are the same."""
    return f"{one} and {other}: {SAME if one == other else OTHER}"


def pairs(ones: Sequence[str], others: Sequence[str]) -> Iterator[str]:
    """Pairs in order, up to the first that is not the same."""
    for one, other in zip_longest(ones, others, fillvalue=NOTHING):
        yield pair(one, other)
        if one != other:
            return


def same(texts: Sequence[str]) -> bool:
    """Returns whether the last of these pairs is of the same things."""
    return bool(texts) and texts[-1].endswith(f": {SAME}")


def totals(ones: Sequence[Number], others: Sequence[Number]) -> str:
    """Two sums, each added up two numbers at a time, and whether they are the same."""
    verdict = SAME if sum(ones) == sum(others) else OTHER
    return f"{added(ones)} and {added(others)}: {verdict}"


def added(numbers: Sequence[Number]) -> str:
    """A sum and its total, the first two numbers added at a time: 3 + 3 - 4 = 6 - 4 = 2; a number alone as it is."""
    left, stops = list(numbers) or [0], []
    while True:
        stops.append(render(add(*map(num, left))))
        if len(left) == 1:
            return " = ".join(stops)
        left[:2] = [left[0] + left[1]]


def number_pairs(ones: Sequence[Number], others: Sequence[Number]) -> Iterator[str]:
    """Terms of two sums of numbers: the longer is added up until both have as many, both if they differ then."""
    one, other = list(ones), list(others)
    for longer, shorter in ((one, other), (other, one)):
        yield from _shortened(longer, max(1, len(shorter)))
    found = list(pairs(*([render(num(number)) for number in numbers] for numbers in (one, other))))
    yield from found
    if not same(found) and len(one) > 1:
        yield totals(one, other)


def _shortened(numbers: list[Number], count: int) -> Iterator[str]:
    """The first two numbers added, and so on in place until there are ``count``."""
    while len(numbers) > count:
        total = numbers[0] + numbers[1]
        yield f"{render(add(num(numbers[0]), num(numbers[1])))} = {render(num(total))}"
        numbers[:2] = [total]


def comparison(one: Number, other: Number) -> str:
    """Two numbers and how they compare."""
    order = "equal" if one == other else "below" if one < other else "above"
    return f"{render(num(one))} and {render(num(other))}: {order}"
