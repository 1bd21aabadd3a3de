"""Text of an answer, with its reasoning inside or apart from it."""


class PlainText(str):
    """An answer whose reasoning arrived apart: a ``<think>`` in it is prose, and all of it is the answer."""

    __slots__ = ()


def answer_text(text: str, reasoning: str | None) -> str:
    """``text`` as parsers take it: `PlainText` where its ``reasoning`` is known."""
    return text if reasoning is None else PlainText(text)
